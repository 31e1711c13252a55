"""What each role's answer must look like: one pydantic schema a role, bounded everywhere, so that a grammar can be made of it.

Names that only the task knows (families, parameters, options) come in as arguments: `goal_answer(names)` gives a schema whose
names are an enumeration, so a constrained decoder cannot invent one. Too long a text is cut, not refused. No dictionaries
with free keys: lists of {name, value}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from prompts.specification import Shape

A = TypeVar("A", bound="Answer")


def _clip(limit: int) -> BeforeValidator:
    """Cut text at `limit` characters, at a word's end; a text that fills the limit was cut by the decoder in mid-sentence."""

    def clip(value: object) -> object:
        if not isinstance(value, str):
            return value
        flat = " ".join(value.split())
        if len(flat) < limit or (len(flat) == limit and flat[-1] in ".!?"):
            return flat
        return flat[: limit - 4].rsplit(" ", 1)[0].rstrip(",;:(") + " ..."

    return BeforeValidator(clip)


Word = Annotated[str, Field(max_length=60)]
Sentence = Annotated[str, _clip(160), Field(max_length=160)]
Phrase = Annotated[str, _clip(100), Field(max_length=100)]
Lines = Annotated[str, _clip(600), Field(max_length=600)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Answer(BaseModel):
    """Base of all answers: unknown keys are dropped (a chatty model adds some), known ones are checked."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NamedValue(Answer):
    name: Word
    value: Number


class FamilyAnswer(Answer):
    """Which environment a goal speaks of."""

    reason: Sentence
    family: Word


class CompactFamilyAnswer(Answer):
    family: Word


class GoalAnswer(Answer):
    """What a goal in words asks for, in task parameters."""

    reading: Lines
    kind: Literal["target", "open"] = "target"
    params: list[NamedValue] = Field(max_length=16)
    success_rate: Number | None = None


class CompactGoalAnswer(Answer):
    params: list[NamedValue] = Field(max_length=4)


class TaskAnswer(Answer):
    reason: Lines
    params: list[NamedValue] = Field(max_length=16)


class ProposerAnswer(Answer):
    tasks: list[TaskAnswer] = Field(min_length=1, max_length=6)


class SubgoalAnswer(Answer):
    text: Sentence
    params: list[NamedValue] = Field(max_length=16)
    skill: Word = ""


class DecomposerAnswer(Answer):
    subgoals: list[SubgoalAnswer] = Field(min_length=1, max_length=4)


class ChoiceAnswer(Answer):
    """A small model chooses among options that we computed: the letter, then why (it does not reason its way to it)."""

    choice: Word
    reason: Phrase


class CodeAnswer(Answer):
    """A reward program as code."""

    rationale: Annotated[str, _clip(1500), Field(max_length=1500)]
    code: str = Field(min_length=1, max_length=20_000)


class SignAnswer(Answer):
    variable: Word
    direction: Literal["reward", "penalise", "ignore"]


class SignsAnswer(Answer):
    """Signs in one answer, from a small model whose log-probabilities cannot be read."""

    signs: list[SignAnswer] = Field(min_length=1, max_length=24)


class CompactTerm(Answer):
    """A term of a reward specification as a small model gives it: what its sign and scale are is known already."""

    variable: Word
    shape: Shape
    weight: float = Field(gt=0, le=40, allow_inf_nan=False)


class CompactRewardAnswer(Answer):
    terms: list[CompactTerm] = Field(min_length=2, max_length=5)


class JudgeAnswer(Answer):
    reasons: list[Lines] = Field(min_length=1, max_length=5)
    state: Literal["converged", "improving", "stuck", "hacking"]


class CompactJudgeAnswer(Answer):
    state: Literal["converged", "improving", "stuck", "hacking"]
    reason: Phrase


class ReflectorAnswer(Answer):
    advice: Annotated[str, _clip(2000), Field(max_length=2000)]
    lessons: list[Sentence] = Field(default_factory=list, max_length=5)
    contradicted: list[Annotated[int, Field(ge=1, le=99)]] = Field(default_factory=list, max_length=20)
    """Numbers of the lessons shown that the new results speak against, from 1."""


class CompactReflectorAnswer(Answer):
    advice: Annotated[str, _clip(240), Field(max_length=240)]


def family_answer(families: Sequence[str]) -> type[FamilyAnswer]:
    """Schema whose `family` is one of `families`."""
    return _narrow(FamilyAnswer, family=_one_of(families))


def compact_family_answer(families: Sequence[str]) -> type[CompactFamilyAnswer]:
    return _narrow(CompactFamilyAnswer, family=_one_of(families))


def goal_answer(params: Sequence[str]) -> type[GoalAnswer]:
    """Schema whose parameter names are `params`."""
    return _narrow(GoalAnswer, params=_values(params, 16))


def compact_goal_answer(params: Sequence[str]) -> type[CompactGoalAnswer]:
    return _narrow(CompactGoalAnswer, params=_values(params, 4))


def proposer_answer(params: Sequence[str]) -> type[ProposerAnswer]:
    """Schema of one to six tasks whose parameter names are `params`."""
    task = _narrow(TaskAnswer, params=_values(params, 16))
    return _narrow(ProposerAnswer, tasks=(_list_of(task), Field(min_length=1, max_length=6)))


def decomposer_answer(params: Sequence[str]) -> type[DecomposerAnswer]:
    """Schema of one to four subgoals whose parameter names are `params`."""
    subgoal = _narrow(SubgoalAnswer, params=_values(params, 16))
    return _narrow(DecomposerAnswer, subgoals=(_list_of(subgoal), Field(min_length=1, max_length=4)))


def choice_answer(options: Sequence[str]) -> type[ChoiceAnswer]:
    """Schema whose `choice` is one of `options`."""
    return _narrow(ChoiceAnswer, choice=_one_of(options))


def signs_answer(variables: Sequence[str]) -> type[SignsAnswer]:
    """Schema of one sign for each of `variables`."""
    sign = _narrow(SignAnswer, variable=_one_of(variables))
    return _narrow(SignsAnswer, signs=(_list_of(sign), Field(min_length=1, max_length=24)))


def compact_reward_answer(terms: Mapping[str, tuple[Sequence[str], float, float]]) -> type[CompactRewardAnswer]:
    """Schema of two to five terms over the variables of `terms`: each with its shapes, least and largest weight."""
    kinds = [
        create_model(
            f"Term{place}",
            __base__=CompactTerm,
            variable=_one_of([name]),
            shape=_one_of(shapes),
            weight=(Annotated[float, _within(low, high)], Field(ge=low, le=high, allow_inf_nan=False)),
        )
        for place, (name, (shapes, low, high)) in enumerate(terms.items())
    ]
    kind: Any = kinds[0]
    if len(kinds) > 1:
        kind = Annotated.__class_getitem__((_union(kinds), Field(discriminator="variable")))  # type: ignore[attr-defined]
    return _narrow(CompactRewardAnswer, terms=(_list_of(kind), Field(min_length=min(2, len(kinds)), max_length=5)))


def _values(names: Sequence[str], limit: int) -> tuple[Any, Any]:
    if not names:
        return _list_of(NamedValue), Field(default_factory=list, max_length=0)
    named = _narrow(NamedValue, name=_one_of(names))
    return _list_of(named), Field(max_length=limit)


def _one_of(names: Sequence[str]) -> tuple[Any, Any]:
    return cast(Callable[[Any], Any], Literal.__getitem__)(tuple(names)), Field()


def _within(low: float, high: float) -> BeforeValidator:
    """Move a number into its range: a grammar cannot spell every bound."""
    return BeforeValidator(lambda value: min(max(value, low), high) if isinstance(value, int | float) else value)


def _union(kinds: Sequence[Any]) -> Any:
    return cast(Callable[[Any], Any], Union.__getitem__)(tuple(kinds))


def _list_of(kind: Any) -> Any:
    return list.__class_getitem__(kind)


def _narrow(base: type[A], **fields: tuple[Any, Any]) -> type[A]:
    return create_model(base.__name__, __base__=base, **cast(Any, fields))
