"""Held-out episodes of a deterministic policy, and one episode as frames.

An episode is a world seed: the world is restarted with that seed alone and the policy sees one observation at a time,
so a result depends neither on its neighbours nor on their order (batched matrix products differ in the last bit with
the size of the batch, and physics amplifies that). Only the first episode of a world counts. Worlds that cost less together
than one by one (columns of one array, drones, walkers) are stepped side by side, to the same outcomes bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, EpisodeOutcome, Family, FloatArray, ParamSource, make_exam
from envs.task import ParamValue, TaskSpec
from experimenter.records import Evaluation
from skills.artifact import Policy

Frame = NDArray[np.uint8]
MOST_FAILED = 8
"""One agent in so many may fail in a world that succeeds."""


_TOGETHER = 64
"""Most episodes stepped side by side."""


@runtime_checkable
class ColumnWorlds(BatchEnv, Protocol):
    """Optional side of a `BatchEnv`: worlds that are seeded one by one and cost less together than one after the other.

    With several agents a world, the slots of world i are its agents in order, slot = i x agents + agent.
    """

    @property
    def steps_together(self) -> bool: ...

    def reset_each(self, seeds: Sequence[int]) -> FloatArray:
        """Restart world i as the only world of a batch would be by `reset(seeds[i])`; return [n, d]."""
        ...

    def rest(self, world: int) -> None:
        """Nobody looks at this world any more until the next reset: it may stand still where stepping it would cost."""
        ...


class RolloutError(ValueError):
    """The policy or the world did what no episode can hold: a non-finite action or outcome, or no end."""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One episode as pictures."""

    frames: tuple[Frame, ...]
    """RGB frames [height, width, 3], one every `every` control steps."""
    outcome: EpisodeOutcome
    every: int


def evaluate(family: Family, task: TaskSpec, policy: Policy, seeds: Sequence[int], *, exam: bool = True) -> Evaluation:
    """Run one episode for each world seed and return what happened, in the order of `seeds`.

    The task parameters are the task's own. Without `exam`, a family that is examined elsewhere than it trains (web pages) is played
    where it trains, which is much cheaper: for races. Raises `RolloutError` for non-finite actions or outcomes.
    """
    if not seeds:
        raise ValueError("an evaluation needs at least one seed")
    outcomes = run_episodes(family, task, policy, seeds, exam=exam)
    return Evaluation(
        seeds=tuple(int(seed) for seed in seeds),
        fitness=tuple(float(o.fitness) for o in outcomes),
        success=tuple(bool(o.success) for o in outcomes),
        native_return=tuple(float(o.native_return) for o in outcomes),
        length=tuple(int(o.length) for o in outcomes),
        extras=mean_extras([o.extras for o in outcomes]),
        extras_by_episode=extras_by_episode([o.extras for o in outcomes]),
    )


def run_episodes(
    family: Family,
    task: TaskSpec,
    policy: Policy,
    seeds: Sequence[int],
    params: ParamSource | None = None,
    *,
    exam: bool = True,
) -> list[EpisodeOutcome]:
    """Run one episode a seed; with `params`, each episode draws its task parameters from it (in the order of `seeds`)."""
    env = make_exam(family, task, 1, params) if exam else family.make_vec(task, 1, params)
    try:
        if params is None and len(seeds) > 1 and isinstance(env, ColumnWorlds) and env.steps_together:
            parts = [seeds[start : start + _TOGETHER] for start in range(0, len(seeds), _TOGETHER)]
            return [outcome for part in parts for outcome in _run_together(family, task, policy, part)]
        return [_run_episode(env, policy, seed, task.horizon) for seed in seeds]
    finally:
        env.close()


def record_rollout(family: Family, task: TaskSpec, policy: Policy, seed: int, *, every: int = 2) -> Rollout:
    """Run one episode and keep a frame every `every` control steps."""
    if every < 1:
        raise ValueError(f"every={every} cannot be: expected at least 1")
    frames: list[Frame] = []
    env = make_exam(family, task, 1)
    steps = 0

    def look() -> None:
        nonlocal steps
        if steps % every == 0:
            frames.append(np.array(env.render(0), dtype=np.uint8))
        steps += 1

    try:
        outcome = _run_episode(env, policy, seed, task.horizon, look)
    finally:
        env.close()
    return Rollout(frames=tuple(frames), outcome=outcome, every=every)


def mean_extras(extras: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each further measure over the episodes that have it, finite values only."""
    names = sorted({name for item in extras for name in item})
    values = {name: [float(item[name]) for item in extras if name in item] for name in names}
    return {name: float(np.mean(found)) for name, found in values.items() if all(isfinite(v) for v in found)}


def extras_by_episode(extras: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """Each further measure that every episode has and that is finite, one value an episode."""
    shared = [name for name in sorted(extras[0]) if all(name in item for item in extras)] if extras else []
    values = {name: tuple(float(item[name]) for item in extras) for name in shared}
    return {name: found for name, found in values.items() if all(isfinite(v) for v in found)}


def sampled_params(family: Family, seed: int) -> Callable[[], Mapping[str, ParamValue]]:
    """Return a source of uniformly drawn task parameters, for measuring in which region a policy holds."""
    rng = np.random.default_rng(seed)
    return lambda: family.sample_params(rng)


def _run_episode(
    env: BatchEnv, policy: Policy, seed: int, horizon: int, before_step: Callable[[], None] | None = None
) -> EpisodeOutcome:
    observation = env.reset(seed)
    for _ in range(horizon):
        if before_step is not None:
            before_step()
        action = policy.act(observation)
        if not np.all(np.isfinite(action)):
            raise RolloutError(f"the policy gave a non-finite action in the world of seed {seed}")
        step = env.step(action)
        if step.outcomes:
            return _checked(merge_outcomes(step.outcomes), seed)
        observation = step.observation
    raise RolloutError(f"the episode of seed {seed} did not end within its horizon of {horizon} steps")


def _run_together(family: Family, task: TaskSpec, policy: Policy, seeds: Sequence[int]) -> list[EpisodeOutcome]:
    """Run one episode a seed in worlds stepped side by side; the policy still sees one observation at a time."""
    env = make_exam(family, task, len(seeds))
    assert isinstance(env, ColumnWorlds)
    agents = env.num_envs // len(seeds)
    found: dict[int, EpisodeOutcome] = {}
    try:
        observation = env.reset_each(seeds)
        rows = [policy.act(seen) for seen in np.split(observation, len(seeds))]
        for _ in range(task.horizon):
            action = np.concatenate(rows)
            if not np.isfinite(action).all():
                bad = next(seed for seed, row in zip(seeds, rows, strict=True) if not np.all(np.isfinite(row)))
                raise RolloutError(f"the policy gave a non-finite action in the world of seed {bad}")
            step = env.step(action)
            for world, outcomes in _by_world(step.outcomes, agents).items():
                if world not in found:
                    found[world] = merge_outcomes(outcomes)
                    env.rest(world)
            if len(found) == len(seeds):
                return [_checked(found[world], seed) for world, seed in enumerate(seeds)]
            for world, seen in enumerate(np.split(step.observation, len(seeds))):
                if world not in found:  # a world that has ended rests, or plays on unheeded with its last actions
                    rows[world] = policy.act(seen)
    finally:
        env.close()
    late = next(seed for world, seed in enumerate(seeds) if world not in found)
    raise RolloutError(f"the episode of seed {late} did not end within its horizon of {task.horizon} steps")


def _by_world(outcomes: Sequence[EpisodeOutcome], agents: int) -> dict[int, list[EpisodeOutcome]]:
    """Outcomes of each world, numbered as if the world were alone."""
    worlds: dict[int, list[EpisodeOutcome]] = {}
    for outcome in outcomes:
        world, slot = divmod(outcome.slot, agents)
        worlds.setdefault(world, []).append(replace(outcome, slot=slot))
    return worlds


def merge_outcomes(outcomes: Sequence[EpisodeOutcome]) -> EpisodeOutcome:
    """One outcome for a world of several agents: means of fitness and return, success as `world_succeeds` says.

    The further measures are means over the agents, with their own success rate (`agent_success`) and whether all succeeded
    (`all_succeeded`) beside them.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    succeeded = [outcome.success for outcome in outcomes]
    rates = {"agent_success": float(np.mean(succeeded)), "all_succeeded": float(all(succeeded))}
    return EpisodeOutcome(
        slot=0,
        params=outcomes[0].params,
        fitness=float(np.mean([outcome.fitness for outcome in outcomes])),
        success=world_succeeds(succeeded),
        native_return=float(np.mean([outcome.native_return for outcome in outcomes])),
        length=max(outcome.length for outcome in outcomes),
        extras={**mean_extras([outcome.extras for outcome in outcomes]), **rates},
    )


def world_succeeds(succeeded: Sequence[bool]) -> bool:
    """Whether a world of several agents succeeded: at most one agent in `MOST_FAILED` failed, so none among fewer than that.

    A world is one episode of a certificate because its agents are not independent. All of them succeeding would ask more of a
    large swarm than of a small one: with a success rate of 0.95 a drone, all of 8 succeed in 66% of the rooms, all but one in 94%.
    """
    failed = sum(not one for one in succeeded)
    return failed * MOST_FAILED <= len(succeeded)


def _checked(outcome: EpisodeOutcome, seed: int) -> EpisodeOutcome:
    if not (isfinite(outcome.fitness) and isfinite(outcome.native_return)):
        raise RolloutError(f"the episode of seed {seed} ended with a non-finite fitness or return")
    return outcome
