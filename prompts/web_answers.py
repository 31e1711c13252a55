"""What the web roles' answers must look like; see answers.py. Names that only a page knows come in as arguments."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import Field, create_model

from prompts.answers import Answer, DecomposerAnswer, Phrase, SubgoalAnswer, Word, decomposer_answer

MOST_LINES = 12
MOST_COMPACT_LINES, LONGEST_COMPACT_LINE = 8, 120
"""llama.cpp refuses a grammar whose nested repetitions multiply to more than about two thousand."""
PlanLine = Annotated[str, Field(min_length=1, max_length=240)]
CompactPlanLine = Annotated[str, Field(min_length=1, max_length=LONGEST_COMPACT_LINE)]


class WebPlanAnswer(Answer):
    """A plan in the intermediate language, one action a line."""

    lines: list[PlanLine] = Field(min_length=1, max_length=MOST_LINES)


class CompactWebPlanAnswer(Answer):
    """The same from a small model, short enough for its grammar."""

    lines: list[CompactPlanLine] = Field(min_length=1, max_length=MOST_COMPACT_LINES)


class WebSubgoalAnswer(SubgoalAnswer):
    """A subgoal on a web page: it may carry the lines of its plan."""

    lines: list[PlanLine] = Field(default_factory=list, max_length=MOST_LINES)


class WebActionAnswer(Answer):
    """One action on a page: what, on which numbered element, with which text or key."""

    reason: Phrase = ""
    verb: Word
    element: int = Field(default=-1, ge=-1, le=400)
    text: Annotated[str, Field(max_length=200)] = ""


class CompactWebActionAnswer(Answer):
    """The same from a small model, which does not reason its way to it."""

    verb: Word
    element: int = Field(ge=-1, le=400)
    text: Annotated[str, Field(max_length=80)]


class WebOutcomeAnswer(Answer):
    """Whether an episode did what was asked."""

    reason: Phrase = ""
    done: Literal["YES", "NO"]


class CompactWebOutcomeAnswer(Answer):
    done: Literal["YES", "NO"]


def web_action_answer(
    verbs: Sequence[str], elements: int, *, compact: bool
) -> type[WebActionAnswer] | type[CompactWebActionAnswer]:
    """Schema whose verb is one of `verbs` and whose element is a number below `elements`, or -1 for none."""
    base: type[Answer] = CompactWebActionAnswer if compact else WebActionAnswer
    default: Any = ... if compact else -1
    made = create_model(
        base.__name__,
        __base__=base,
        verb=(cast(Any, Literal).__getitem__(tuple(verbs)), Field()),
        element=(int, Field(default, ge=-1, le=max(elements - 1, 0))),
    )
    return cast(Any, made)  # type: ignore[no-any-return]


def web_decomposer_answer(params: Sequence[str]) -> type[DecomposerAnswer]:
    """Schema of one to four subgoals whose parameter names are `params`, each with the lines of a plan or none."""
    plain = decomposer_answer(params).model_fields["subgoals"].annotation
    (subgoal,) = get_args(plain)
    named = subgoal.model_fields["params"]
    carrying = create_model(
        "WebSubgoalAnswer", __base__=WebSubgoalAnswer, params=cast(Any, (named.annotation, copy(named)))
    )
    subgoals = cast(Any, (list.__class_getitem__(carrying), Field(min_length=1, max_length=4)))
    return create_model("DecomposerAnswer", __base__=DecomposerAnswer, subgoals=subgoals)
