"""The twelve tasks: what is learnt, at which env-step budgets, and where those numbers come from.

`quick_steps` lie where the native reward is on its way, off the floor and (but for the lander, whose 100k are a published replication's,
and the mountain car) well below its ceiling, so that a better reward can be told from a worse one; `quick_native` says what it reached. At
`full_steps` the native reward reaches the level that `source` gives; a search is then about the end of learning, not its speed. `scale` is the
span of fitness between a policy that does nothing and one that does the task: it only serves to call a difference small (see `scores.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pydantic import Field

from envs.catalog import get_family
from envs.task import ParamValue, TaskSpec
from experimenter.errors import UsageError
from experimenter.records import Record

_ZOO = "DLR-RM/rl-baselines3-zoo, benchmark.md (one run each)"
_ZOO_SETTINGS = "DLR-RM/rl-baselines3-zoo, hyperparams/ppo.yml"


class BenchTask(Record):
    """One task of the bench."""

    name: str
    """Short name for flags, folders and tables."""
    goal: str
    """What the session is told."""
    family: str
    params: dict[str, ParamValue] = Field(default_factory=dict)
    scale: float = Field(gt=0)
    quick_steps: int = Field(gt=0)
    quick_breadth: int = Field(default=1, ge=1)
    """Times the candidates and the race's seeds of other tasks: where a training takes seconds, more of them tell more."""
    quick_native: str = ""
    """What our PPO with the native reward reached at `quick_steps` when the budget was chosen."""
    full_steps: int = Field(gt=0)
    source: str
    """Why `full_steps`: the native reward's published level and where it stands."""
    steps_per_s: float = Field(gt=0)
    """Env steps a CPU-second of one of several trainings side by side on two cores; for the first forecast of the time left only.
    The shared machine of these figures is at other times half as fast."""

    def spec(self, seed: int = 0) -> TaskSpec:
        """The task as the session resolves it."""
        return get_family(self.family).resolve_task(self.params, seed=seed)


TASKS: tuple[BenchTask, ...] = (
    BenchTask(
        name="walker",
        goal="teach the walker to walk over flat ground",
        family="walker",
        scale=1.0,
        quick_steps=100_000,
        quick_native="fitness 0.23 (-0.14 to 0.49) on three seeds; after 75k 0.06 on four",
        full_steps=1_500_000,
        source="BipedalWalker-v3: 287.9 +- 2.4 for PPO after 5M steps (rl-baselines3-zoo's table); our PPO 300.3 after "
        "2.5M and a training return of 280 after 1.2M to 1.6M on three seeds (docs/benchmarks.md)",
        steps_per_s=9200,
    ),
    BenchTask(
        name="stumps",
        goal="teach the walker to cross stumps",
        family="walker",
        params={"stump_height": 0.5},
        scale=1.0,
        quick_steps=140_000,
        quick_native="fitness 0.24 (0.10 to 0.41) on four seeds; after 160k 0.50",
        full_steps=2_000_000,
        source="no published level for one fixed height of stumps: the budget of flat ground and a third more",
        steps_per_s=8100,
    ),
    BenchTask(
        name="pendulum",
        goal="swing the pendulum up and hold it upright",
        family="gym:Pendulum-v1",
        scale=1.0,
        quick_steps=35_000,
        quick_breadth=2,
        quick_native="fitness 0.48 (0.08 to 0.70) on six seeds; 0.05 after 25k, 0.80 after 50k",
        full_steps=100_000,
        source=f"Pendulum-v1: -172 +- 104 for PPO after 100k steps ({_ZOO})",
        steps_per_s=16700,
    ),
    BenchTask(
        name="mountain_car",
        goal="drive the car up the hill to the flag",
        family="gym:MountainCarContinuous-v0",
        scale=1.0,
        quick_steps=20_000,
        quick_breadth=2,
        quick_native="fitness 0.86, 0.85, 0.84 (return 97 to 98) on three seeds",
        full_steps=100_000,
        source=f"MountainCarContinuous-v0: 88.3 +- 2.6 for PPO after 20k steps, 93.5 for TD3 after 300k ({_ZOO}); "
        "our PPO 93.3 after 100k",
        steps_per_s=20000,
    ),
    BenchTask(
        name="acrobot",
        goal="swing the acrobot's tip above the line",
        family="gym:Acrobot-v1",
        scale=1.0,
        quick_steps=20_000,
        quick_breadth=2,
        quick_native="fitness 0.77 (0.15 to 0.91) on six seeds",
        full_steps=500_000,
        source=f"Acrobot-v1: -73.5 +- 18.2 for PPO after 1M steps, -76.6 for DQN after 100k ({_ZOO}); our PPO -89 after 100k",
        steps_per_s=12200,
    ),
    BenchTask(
        name="lander",
        goal="land the lunar lander softly on the pad",
        family="gym:LunarLanderContinuous-v3",
        scale=1.0,
        quick_steps=100_000,
        quick_native="fitness 0.59 (0.34 to 0.90) on four seeds; 0.65, 0.51 after 50k",
        full_steps=1_000_000,
        source=f"LunarLanderContinuous-v2: 270.9 +- 32.1 for PPO after 1M steps ({_ZOO}). At 100k steps a replication of Eureka "
        "(Nicole-ying/stable-eureka, LunarLander-v3, SB3 PPO, 3 seeds) has -4.6 +- 41.1 for the native reward, 159.8 +- 8.1 for its search",
        steps_per_s=10000,
    ),
    BenchTask(
        name="hopper",
        goal="teach the hopper to hop forward fast without falling",
        family="gym:Hopper-v5",
        scale=20.0,
        quick_steps=80_000,
        quick_native="fitness 4.8 (1.6 to 12.2) on four seeds; after 60k 1.8",
        full_steps=1_000_000,
        source=f"Hopper-v3: 2410 +- 10 for PPO after 1M steps ({_ZOO})",
        steps_per_s=5700,
    ),
    BenchTask(
        name="half_cheetah",
        goal="teach the half cheetah to run forward fast",
        family="gym:HalfCheetah-v5",
        scale=200.0,
        quick_steps=80_000,
        quick_native="fitness 42 (24 to 53) on three seeds; after 60k 23 on four",
        full_steps=1_000_000,
        source=f"HalfCheetah-v3: 5819 +- 664 for PPO after 1M steps ({_ZOO})",
        steps_per_s=10300,
    ),
    BenchTask(
        name="walker2d",
        goal="teach the two-legged robot to walk forward fast without falling",
        family="gym:Walker2d-v5",
        scale=20.0,
        quick_steps=80_000,
        quick_native="fitness 2.1 (1.6 to 2.6) on four seeds; after 60k 1.6, one lurch forward",
        full_steps=1_000_000,
        source=f"Walker2d-v3: 3479 +- 822 for PPO after 1M steps ({_ZOO})",
        steps_per_s=4900,
    ),
    BenchTask(
        name="reacher",
        goal="bring the arm's fingertip to the target and keep it there",
        family="gym:Reacher-v5",
        scale=1.0,
        quick_steps=30_000,
        quick_breadth=2,
        quick_native="fitness 0.44 (0.33 to 0.53) on six seeds",
        full_steps=500_000,
        source="Reacher-v5: solved is a return of -3.75 (Gymnasium's reward threshold); our PPO -7.0 after 50k and -5.5 after 100k steps "
        f"(one seed each). {_ZOO_SETTINGS} trains Reacher-v2 for 1M and publishes no score",
        steps_per_s=9500,
    ),
    BenchTask(
        name="double_pendulum",
        goal="balance the two poles on the cart",
        family="gym:InvertedDoublePendulum-v5",
        scale=1.0,
        quick_steps=35_000,
        quick_breadth=2,
        quick_native="fitness 0.54 (0.16 to 1.0) on six seeds; 0.18 after 30k, 0.78 after 40k, where races meet the ceiling",
        full_steps=100_000,
        source="InvertedDoublePendulum-v5: solved is a return of 9100 (Gymnasium's reward threshold), which our PPO passed after 40k steps "
        f"(9328, one seed); {_ZOO_SETTINGS} trains v3 for 1M and publishes no score",
        steps_per_s=7400,
    ),
    BenchTask(
        name="door_key",
        goal="fetch the key, open the door and reach the goal",
        family="gym:MiniGrid-DoorKey-5x5-v0",
        scale=1.0,
        quick_steps=28_000,
        quick_native="fitness 0.76 (0.05 to 0.98) on six seeds; 0.45 after 20k, 0.98 after 50k",
        full_steps=200_000,
        source=f"MiniGrid-DoorKey-5x5-v0: 100k steps for PPO ({_ZOO_SETTINGS}, no score); our PPO solves 20 of 20 rooms after 80k",
        steps_per_s=7100,
    ),
)


def find_tasks(names: Sequence[str]) -> tuple[BenchTask, ...]:
    """Tasks by name, in the order of the table; raises `UsageError` with the nearest name for an unknown one."""
    known = [task.name for task in TASKS]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"unknown task {name!r} of the bench. {hint}Known: {', '.join(known)}.")
    if not names:
        raise UsageError(f"no task named: give some of {', '.join(known)}.")
    return tuple(task for task in TASKS if task.name in names)
