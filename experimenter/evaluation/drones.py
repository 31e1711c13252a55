"""How well a policy flies, over many drone-episodes at once: every published and every stricter figure, with intervals.

Rooms are stepped together, so that hundreds of drone-episodes take seconds.
Drones of one room are not independent: intervals resample rooms, and are Wilson's over rooms where every drone did the same.

What each figure means stands in `MEANINGS`; rates and means are over drones, the figures of the published code beside our own. Contacts in the
first 1.5 s of an episode (the grace period) count only in the contacts a minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.family import EpisodeOutcome, Family
from envs.quadrotor.layout import CONTROL_S
from envs.quadrotor.meanings import KINDS
from envs.quadrotor.meanings import MEANINGS as OF_EPISODE
from envs.task import TaskSpec
from experimenter.evaluation.rollout import RolloutError, world_succeeds
from skills.artifact import Policy
from skills.evidence import wilson_interval

MEANINGS: Mapping[str, str] = {
    "success": "within 0.5 m of the goal (mean over 0.05 s) and no contact of any kind after the first 1.5 s",
    **{name: text for name, text in OF_EPISODE.items() if name not in ("agent_success", "all_succeeded")},
    "published_deadlock": "as in quad-swarm-rl: neither published success nor collision",
    **{f"{kind}_contacts_per_minute": f"new contacts of kind {kind} a drone-minute" for kind in KINDS},
    "time_to_goal_s": "seconds until the goal was reached, over drones that reached it",
    "path_ratio": "length flown over the straight line from start to goal, over drones that reached it",
    "room_success": "share of rooms where at most one in eight drones failed",
    "all_succeeded": OF_EPISODE["all_succeeded"],
}
"""Figure -> what it says, in the order in which figures are shown."""
RATES = (
    "strict_success",
    "published_success",
    "published_collision",
    "touched",
    *(f"touched_{kind}" for kind in KINDS),
    "deadlock",
    "reached",
)
MEANS = ("contacts_per_minute", "last_second_distance_m", "min_gap_m", "effort")
WHEN_REACHED = ("time_to_goal_s", "path_ratio")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measure with its 95% interval."""

    value: float
    low: float
    high: float


def measure_flights(family: Family, task: TaskSpec, policy: Policy, *, rooms: int, seed: int) -> dict[str, Figure]:
    """Fly `rooms` rooms for one episode each and return every figure by name; errors as for `fly_rooms`."""
    return summarise_flights(fly_rooms(family, task, policy, rooms=rooms, seed=seed))


def fly_rooms(
    family: Family, task: TaskSpec, policy: Policy, *, rooms: int, seed: int
) -> list[tuple[EpisodeOutcome, ...]]:
    """The outcomes of the first episode of each room, in the order of rooms. Raises `RolloutError` for a non-finite action."""
    env = family.make_vec(task, rooms)
    a_room = env.num_envs // rooms
    found: dict[int, EpisodeOutcome] = {}
    try:
        observation = env.reset(seed)
        for _ in range(task.horizon):
            action = policy.act(observation)
            if not np.all(np.isfinite(action)):
                raise RolloutError("the policy gave a non-finite action")
            batch = env.step(action)
            for outcome in batch.outcomes:
                found.setdefault(outcome.slot, outcome)
            if len(found) == env.num_envs:
                break
            observation = batch.observation
    finally:
        env.close()
    return [tuple(found[room * a_room + i] for i in range(a_room)) for room in range(rooms)]


def summarise_flights(rooms: Sequence[Sequence[EpisodeOutcome]]) -> dict[str, Figure]:
    """Every figure by name. Raises `ValueError` without rooms."""
    if not rooms:
        raise ValueError("a summary of flights needs at least one room")
    figures = {"success": _rate([[float(one.success) for one in room] for room in rooms])}
    figures |= {name: _rate([[one.extras[name] for one in room] for room in rooms]) for name in RATES}
    stuck = [
        [1.0 - one.extras["published_success"] - one.extras["published_collision"] for one in room] for room in rooms
    ]
    figures["published_deadlock"] = _rate(stuck)
    figures |= {name: _mean([[one.extras[name] for one in room] for room in rooms]) for name in MEANS}
    for kind in KINDS:
        figures[f"{kind}_contacts_per_minute"] = _mean([[_a_minute(one, kind) for one in room] for room in rooms])
    for name in WHEN_REACHED:
        there = [[one.extras[name] for one in room if one.extras["reached"]] for room in rooms]
        if any(there):
            figures[name] = _mean([room for room in there if room])
    figures["room_success"] = _rate([[float(world_succeeds([one.success for one in room]))] for room in rooms])
    figures["all_succeeded"] = _rate([[float(all(one.success for one in room))] for room in rooms])
    return {name: figures[name] for name in MEANINGS if name in figures}


def _a_minute(outcome: EpisodeOutcome, kind: str) -> float:
    """New contacts of one kind a drone-minute; a control step is 0.01 s."""
    return outcome.extras[f"{kind}_contacts"] / (outcome.length * CONTROL_S / 60)


def _mean(rooms: Sequence[Sequence[float]]) -> Figure:
    """Mean over drones; rooms have their drones' number as weight and are resampled whole."""
    sums = np.array([[sum(room), len(room)] for room in rooms], dtype=np.float64)
    draws = np.random.default_rng(0).integers(0, len(rooms), (2000, len(rooms)))
    totals = sums[draws].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    return Figure(value=float(sums[:, 0].sum() / sums[:, 1].sum()), low=float(low), high=float(high))


def _rate(rooms: Sequence[Sequence[float]]) -> Figure:
    """As `_mean`, but where no resample differs (all succeed, or none) as wide as Wilson's interval over rooms."""
    figure = _mean(rooms)
    if figure.value in (0.0, 1.0):
        low, high = wilson_interval(round(figure.value * len(rooms)), len(rooms))
        return Figure(value=figure.value, low=low, high=high)
    return figure
