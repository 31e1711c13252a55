"""Task and brief -> reward programs: code from a model that can write it, a typed specification from one that cannot.

A brief says how the program is to be born (fresh, a mutation of one parent, a crossover of two, from the native reward's words) and what
was learnt so far. Both kinds of model work under the same operators.

The programs are not yet screened: a refusal of the screen goes back to the writer once, through `repair`. Without a model the
rule `card` makes one specification from the card's words (`experimenter/rewards/rule.py`). The writer never sees how fitness
is computed: the card tells it in words.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence

from envs.family import Card
from envs.task import TaskSpec
from experimenter.errors import AnswerInvalid
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Answer, Failed, Message
from experimenter.records import Record, RewardKind, RewardProgram
from experimenter.rewards.evolution import Operator
from experimenter.rewards.specification import rule_specification
from experimenter.roles.candidate import CandidateReport
from experimenter.roles.common import is_small, need, with_fallback
from experimenter.roles.small_writer import write_specifications
from experimenter.sandbox import allowed
from prompts.answers import CodeAnswer
from prompts.templates import render

log = logging.getLogger(__name__)

_TEMPERATURE = 1.0
_MAX_TOKENS = 3000
_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


class Written(Record):
    """What one call of the reward writer came to."""

    programs: tuple[RewardProgram, ...]
    """Distinct programs, not yet screened."""
    refusals: tuple[str, ...] = ()
    """Why an answer gave no program, one a lost sample."""
    notes: tuple[str, ...] = ()
    source: str = "model"
    """`model`, or `rule:card`."""


class WriterBrief(Record):
    """What the writer is told for one birth, beside the card and the task."""

    operator: Operator = Operator.FRESH
    training: str = ""
    """How the policy is trained on the program, in a sentence: algorithm, discount, env steps."""
    parents: tuple[CandidateReport, ...] = ()
    """One for a mutation, two for a crossover, the better first; never a baseline."""
    lineage: tuple[str, ...] = ()
    """One line for every program tried so far."""
    advice: str = ""
    """What the reflector says of the last round."""
    lessons: tuple[str, ...] = ()
    """Each with its grade."""
    feedback: str = ""
    """What the person said."""
    examples: tuple[str, ...] = ()
    """Programs remembered from other tasks, with their evidence."""
    native: str = ""
    """The environment's own reward in words, only for a human-initialised start."""
    slot: int = 0
    """Tells the births of a generation apart."""


def write_rewards(
    gateway: Gateway | None, task: TaskSpec, card: Card, *, k: int, brief: WriterBrief | None = None, step: str
) -> Written:
    """Ask for `k` reward programs for `task`, all born in the way that `brief` says.

    Fewer than k programs come back when answers are unusable (see `refusals`) or equal.
    """
    brief = brief or WriterBrief()
    parents = tuple(parent.digest for parent in brief.parents)

    def ask() -> Written:
        model = need(gateway)
        if is_small(model):
            programs, refusals, notes = write_specifications(
                model, task, card, k=k, findings=_findings(brief), parents=brief.parents, seed=brief.slot, step=step
            )
        else:
            programs, refusals = _write_code(model, _messages(task, card, brief), k, parents, step)
            notes = []
        if not programs:
            raise AnswerInvalid(f"no usable reward program in {k} answers: {'; '.join(refusals)[:300]}")
        return Written(programs=_distinct(programs), refusals=tuple(refusals), notes=tuple(notes))

    return with_fallback(ask, lambda why: _by_rule(card, why), role="reward_writer", name="card")


def _findings(brief: WriterBrief) -> str:
    """What a small model is told of the last round: the person's words first."""
    return " ".join(text for text in (brief.feedback, brief.advice) if text)


def repair(
    gateway: Gateway | None, program: RewardProgram, refusal: str, *, task: TaskSpec, card: Card, step: str
) -> RewardProgram | None:
    """Send the refusal's text back once; None when the model cannot mend the program (a specification is not sent back)."""
    if program.kind is not RewardKind.CODE:
        return None

    def ask() -> RewardProgram | None:
        model = need(gateway)
        said = json.dumps({"rationale": program.rationale, "code": program.source})
        turns = [Message("assistant", said), Message("user", render("reward_writer.repair", refusal=refusal))]
        messages = [*_messages(task, card, WriterBrief()), *turns]
        answer = model.ask_one("reward_writer", messages, CodeAnswer, step=step, max_tokens=_MAX_TOKENS)
        mended = _program(answer, (program.digest, *program.parents))
        return mended if mended.digest != program.digest else None

    return with_fallback(ask, lambda why: None, role="reward_writer", name="no_repair")


def strip_fences(code: str) -> str:
    """The Python text inside a Markdown fence, or the text itself; newlines that came escaped twice are mended."""
    if "\n" not in code and "\\n" in code:
        code = code.replace("\\n", "\n").replace("\\t", "    ").replace('\\"', '"')
    fenced = _FENCE.search(code)
    return (fenced[1] if fenced else code).strip("\n").rstrip() + "\n"


def _messages(task: TaskSpec, card: Card, brief: WriterBrief) -> list[Message]:
    names = {"numpy": sorted(allowed.NUMPY), "methods": sorted(allowed.METHODS), "builtins": sorted(allowed.BUILTINS)}
    user = render("reward_writer.user", card=card, task=task, brief=brief, operator=brief.operator.value)
    return [Message("system", render("reward_writer.system", **names)), Message("user", user)]


def _write_code(
    gateway: Gateway, messages: Sequence[Message], k: int, parents: tuple[str, ...], step: str
) -> tuple[list[RewardProgram], list[str]]:
    answers = gateway.ask(
        "reward_writer", messages, CodeAnswer, step=step, n=k, temperature=_TEMPERATURE, max_tokens=_MAX_TOKENS
    )
    programs = [_program(answer, parents) for answer in answers if isinstance(answer, Answer)]
    refusals = [answer.error for answer in answers if isinstance(answer, Failed)]
    return programs, refusals


def _program(answer: Answer[CodeAnswer], parents: tuple[str, ...]) -> RewardProgram:
    return RewardProgram(
        kind=RewardKind.CODE,
        source=strip_fences(answer.value.code),
        rationale=answer.value.rationale,
        model=answer.model,
        prompt_digest=answer.prompt_digest,
        parents=parents,
    )


def _by_rule(card: Card, why: str) -> Written:
    return Written(
        programs=(rule_specification(card),), notes=(f"rule:card wrote the reward: {why}",), source="rule:card"
    )


def _distinct(programs: Sequence[RewardProgram]) -> tuple[RewardProgram, ...]:
    return tuple({program.digest: program for program in reversed(programs)}.values())[::-1]
