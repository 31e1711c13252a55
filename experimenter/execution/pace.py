"""How many env steps a race may take: what a family is known to need, and what the time allows on this machine.

The rate comes from earlier jobs of the same family where there are some, else from a nominal table, so that the same
session on a fresh home always makes the same plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experimenter.records import JobResult


@dataclass(frozen=True, kw_only=True)
class Pace:
    steps_per_s: float
    """End-to-end training env steps a second of one worker."""
    start_s: float = 4.0
    """Seconds to start a worker and to evaluate its policy, beside training."""
    needed_steps: int
    """Env steps at which the native reward is known to reach its level with our PPO (docs/benchmarks.md)."""


_PACE: dict[str, Pace] = {
    "walker": Pace(steps_per_s=5500, start_s=11.0, needed_steps=2_000_000),
    "quantum": Pace(steps_per_s=600, start_s=5.0, needed_steps=8_000),
    "quadrotor": Pace(steps_per_s=80_000, start_s=5.0, needed_steps=6_000_000),
    "web": Pace(steps_per_s=200, start_s=8.0, needed_steps=15_000),
    "gym:CartPole-v1": Pace(steps_per_s=12000, needed_steps=100_000),
    "gym:Acrobot-v1": Pace(steps_per_s=6000, needed_steps=200_000),
    "gym:MountainCar-v0": Pace(steps_per_s=12000, needed_steps=400_000),
    "gym:MountainCarContinuous-v0": Pace(steps_per_s=12000, needed_steps=300_000),
    "gym:Pendulum-v1": Pace(steps_per_s=12000, needed_steps=300_000),
    "gym:LunarLander-v3": Pace(steps_per_s=8000, needed_steps=1_000_000),
    "gym:LunarLanderContinuous-v3": Pace(steps_per_s=8000, needed_steps=1_000_000),
    "gym:Hopper-v5": Pace(steps_per_s=4500, needed_steps=1_000_000),
    "gym:HalfCheetah-v5": Pace(steps_per_s=4500, needed_steps=1_500_000),
    "gym:Walker2d-v5": Pace(steps_per_s=4500, needed_steps=1_500_000),
    "gym:InvertedDoublePendulum-v5": Pace(steps_per_s=5900, needed_steps=100_000),
    "gym:MiniGrid-DoorKey-5x5-v0": Pace(steps_per_s=3200, needed_steps=200_000),
    "gym:Reacher-v5": Pace(steps_per_s=4500, needed_steps=500_000),
}
_UNKNOWN = Pace(steps_per_s=3000, needed_steps=1_000_000)


def known_pace(family: str, past: Sequence[JobResult] = ()) -> Pace:
    """Pace of `family`; measured where at least three past jobs of 20 s or more tell it."""
    nominal = _PACE.get(family) or _PACE.get(family.partition(":")[0], _UNKNOWN)
    rates = sorted(
        result.new_steps / result.wall_s
        for result in past
        if result.ok and result.wall_s >= 20 and result.new_steps > 0
    )
    if len(rates) < 3:
        return nominal
    return replace(nominal, steps_per_s=rates[len(rates) // 4])


def affordable_steps(pace: Pace, seconds: float, workers: int, jobs: int) -> int:
    """Env steps that `workers` can train in `seconds`, starts of `jobs` workers taken off; at least one thousand."""
    if seconds == float("inf"):
        return 2**62
    training_s = max(0.0, seconds * workers - jobs * pace.start_s)
    return max(1000, int(training_s * pace.steps_per_s))
