"""Results -> Verdict: the statistical rule is the floor; a model that reads curves and frames speaks only above it.

`judge` asks the model; `combine` is the pure rule that joins both. A model can raise suspicion (promote or extend -> revise)
when frames or numbers bear it out; it can never promote, extend or keep what the floor refuses.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from envs.family import Card
from envs.task import TaskSpec
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Message
from experimenter.records import CurvePoint, CurveState, Decision, Floor, Goal, Record, Verdict
from experimenter.roles.common import is_small, need, with_fallback
from prompts.answers import CompactJudgeAnswer, JudgeAnswer
from prompts.templates import number, render

MAX_FRAMES = 8
_ROWS = 10
_LOW_CORRELATION = 0.2
"""Below this correlation of training reward with fitness, the curve itself bears out a suspicion of hacking."""


class JudgeOpinion(Record):
    """What the model thinks of a task's results, before the floor is heard."""

    state: CurveState
    reasons: tuple[str, ...]
    borne_out: bool = False
    """True when the model saw frames, or when the curve's numbers support what it says."""
    source: str
    """`model`, or `rule:floor` when no model answered."""


def judge(
    gateway: Gateway | None,
    *,
    card: Card,
    goal: Goal,
    task: TaskSpec,
    floor: Floor,
    curve: Sequence[CurvePoint],
    plot_png: bytes | None = None,
    frames: Sequence[bytes] = (),
    step: str,
) -> JudgeOpinion:
    """Ask the model what state the winner's training is in; without an answer, repeat the floor (`rule:floor`).

    `plot_png` and `frames` (PNG files in order of time) are sent only to a model that can see.
    """
    return with_fallback(
        lambda: _ask(need(gateway), card, goal, task, floor, curve, plot_png, tuple(frames)[:MAX_FRAMES], step),
        lambda why: JudgeOpinion(
            state=floor.state, reasons=(f"No opinion of a model: {why[:200]}",), source="rule:floor"
        ),
        role="judge",
        name="floor",
    )


def combine(floor: Floor, opinion: JudgeOpinion) -> Verdict:
    """Join the floor and the model's opinion. Pure; the decision is never more favourable than the floor's."""
    asked = opinion.source == "model"
    lowered = asked and opinion.borne_out and _lowers(floor.decision, opinion.state)
    suspected = (
        asked and opinion.borne_out and opinion.state is CurveState.HACKING and floor.decision is not Decision.DROP
    )
    return Verdict(
        decision=Decision.REVISE if lowered else floor.decision,
        state=opinion.state if lowered or suspected else floor.state,
        reasons=(*floor.reasons, *opinion.reasons, *_settled(floor, opinion, asked, lowered)),
        numbers=floor.numbers,
        winner=floor.winner,
        best_job=floor.best_job,
        rule_state=floor.state,
        model_state=opinion.state if asked else None,
        source="model" if lowered or suspected else "rule",
    )


def bears_out(state: CurveState, curve: Sequence[CurvePoint]) -> bool:
    """Say whether the curve's numbers support a model's suspicion: reward that does not go with fitness, or fitness that is flat."""
    if state is CurveState.HACKING:
        correlation = correlate(curve)
        return correlation is not None and correlation < _LOW_CORRELATION and _gain([p.reward for p in curve]) > 0
    if state is CurveState.STUCK:
        fitness = [point.fitness for point in curve if point.fitness is not None]
        spread = max(fitness, default=0.0) - min(fitness, default=0.0)
        return len(fitness) >= 6 and _gain([*fitness[len(fitness) // 3 :]]) <= 0.05 * spread
    return False


def correlate(curve: Sequence[CurvePoint]) -> float | None:
    """Pearson correlation of training reward with fitness over the curve; None below five points or without variation."""
    pairs = [(point.reward, point.fitness) for point in curve if point.reward is not None and point.fitness is not None]
    if len(pairs) < 5:
        return None
    rewards, fitness = zip(*pairs, strict=True)
    if min(rewards) == max(rewards):
        return None
    return 0.0 if min(fitness) == max(fitness) else statistics.correlation(rewards, fitness)


def curve_table(curve: Sequence[CurvePoint]) -> str:
    """About ten rows of the curve as a Markdown table, the terms' means last."""
    rows = _thin(curve)
    terms = sorted({name for point in rows for name in point.terms})
    head = ["step", "fitness", "success", "training reward", "episode length", *(f"term {name}" for name in terms)]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for point in rows:
        values = [point.fitness, point.success, point.reward, point.length, *(point.terms.get(name) for name in terms)]
        lines.append(" | ".join([str(point.step), *("-" if value is None else number(value) for value in values)]))
    return "\n".join(f"| {line} |" for line in lines)


def curve_words(curve: Sequence[CurvePoint], success: float | None) -> str:
    """The curve in one sentence a quantity for a small model: where it began, where it is, whether it still moves."""
    fitness = [point.fitness for point in curve if point.fitness is not None]
    reward = [point.reward for point in curve if point.reward is not None]
    if success is None:
        success = next((point.success for point in reversed(curve) if point.success is not None), None)
    rate = "unknown" if success is None else f"{100 * success:.0f}% of episodes"
    return f"Fitness: {_movement(fitness)}. Reward: {_movement(reward)}. Success: {rate}."


def _movement(values: Sequence[float]) -> str:
    if len(values) < 3:
        return "unknown"
    spread = max(values) - min(values)
    late = _gain(values[len(values) // 2 :])
    # a change that is small beside the values themselves, or beside their scatter, is none
    least = 0.1 * max(abs(value) for value in values)
    now = "flat now" if abs(late) <= max(0.1 * spread, least) else "still rising" if late > 0 else "falling now"
    third = max(len(values) // 3, 1)
    start, end = statistics.fmean(values[:third]), statistics.fmean(values[-third:])
    way = "stayed at" if abs(end - start) <= max(0.35 * spread, least) else f"{number(values[0])} to"
    return f"{way} {number(end)}, {now}"


def _ask(
    gateway: Gateway,
    card: Card,
    goal: Goal,
    task: TaskSpec,
    floor: Floor,
    curve: Sequence[CurvePoint],
    plot: bytes | None,
    frames: tuple[bytes, ...],
    step: str,
) -> JudgeOpinion:
    if is_small(gateway) and not gateway.capabilities.vision:
        return _ask_small(gateway, floor, curve, step)
    sees = gateway.capabilities.vision
    images = ((plot,) if plot else ()) + frames if sees else ()
    shown = {"plot": sees and plot is not None, "frames": len(frames) if sees else 0, "curve": curve_table(curve)}
    user = render("judge.user", card=card, goal=goal, task=task, floor=floor, **shown)
    messages = [Message("system", render("judge.system")), Message("user", user, images)]
    answer = gateway.ask_one("judge", messages, JudgeAnswer, step=step, temperature=0.0, max_tokens=1000).value
    state = CurveState(answer.state)
    borne_out = bool(shown["frames"]) or bears_out(state, curve)
    return JudgeOpinion(state=state, reasons=tuple(answer.reasons), borne_out=borne_out, source="model")


def _ask_small(gateway: Gateway, floor: Floor, curve: Sequence[CurvePoint], step: str) -> JudgeOpinion:
    line = curve_words(curve, floor.numbers.get("success_rate"))
    messages = [
        Message("system", render("judge_compact.system")),
        Message("user", render("judge_compact.user", curve=line)),
    ]
    answer = gateway.ask_one("judge", messages, CompactJudgeAnswer, step=step, temperature=0.0, max_tokens=120).value
    state = CurveState(answer.state)
    return JudgeOpinion(state=state, reasons=(answer.reason,), borne_out=bears_out(state, curve), source="model")


def _lowers(decision: Decision, state: CurveState) -> bool:
    if decision is Decision.PROMOTE:
        return state is CurveState.HACKING
    return decision is Decision.EXTEND and state in (CurveState.HACKING, CurveState.STUCK)


def _settled(floor: Floor, opinion: JudgeOpinion, asked: bool, lowered: bool) -> tuple[str, ...]:
    if not asked or opinion.state is floor.state:
        return ()
    if lowered:
        return (
            f"The model says {opinion.state} where the rule says {floor.state}, and the evidence bears it out: revise.",
        )
    return (f"The model says {opinion.state}, the rule says {floor.state}: the rule stands.",)


def _thin(curve: Sequence[CurvePoint], rows: int = _ROWS) -> list[CurvePoint]:
    """At most `rows` points, evenly spaced, the first and the last among them."""
    if len(curve) <= rows:
        return list(curve)
    return [curve[round(index * (len(curve) - 1) / (rows - 1))] for index in range(rows)]


def _gain(values: Sequence[float | None]) -> float:
    """Mean of the last third minus mean of the first third."""
    known = [value for value in values if value is not None]
    third = max(len(known) // 3, 1)
    return statistics.fmean(known[-third:]) - statistics.fmean(known[:third]) if known else 0.0
