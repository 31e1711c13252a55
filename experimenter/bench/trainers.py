"""Our PPO against SB3's: end-to-end steps per CPU-second on the walker, and what ours learns in 2.5M steps.

Speed: every arm trains through the same `Trainer` contract in this process, worlds and resets included, arms alternating
over seeds so that whatever else the machine does falls on all alike; a short run of each warms its imports up first.
Learning: each policy is exported, read back from its artifact and played on the stock Gymnasium BipedalWalker-v3.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.family import BatchEnv, EpisodeOutcome, StepBatch
from envs.task import ParamValue
from experimenter import registry
from experimenter.trainers.base import Command, Problem, TrainBudget, TrainedPolicy, Trainer
from skills.artifact import load_policy, save_policy

STOCK = "BipedalWalker-v3"
HELD_OUT_SEED = 10**6
_WINDOW = 50
"""Episodes in the moving mean of the training return."""
_CURVE_EVERY = 100_000
_MARKS = (200, 250, 280, 300)
_ARMS: Mapping[str, tuple[str, str, Mapping[str, ParamValue]]] = {
    "ppo": ("ppo", "walker", {}),
    "sb3_zoo": ("sb3", "walker", {}),
    "sb3_batch_1024": ("sb3", "walker", {"batch_size": 1024}),
    "sb3_zoo_stock": ("sb3", f"gym:{STOCK}", {}),
}
_LABELS = {
    "ppo": "ppo, our walker",
    "sb3_zoo": "SB3 PPO, zoo settings (batch 64), our walker",
    "sb3_batch_1024": "SB3 PPO, zoo settings but batch 1024, our walker",
    "sb3_zoo_stock": "SB3 PPO, zoo settings (batch 64), Gymnasium's walker",
}


def measure(steps: int = 65_536, seeds: Sequence[int] = (0,)) -> dict[str, Any]:
    """Train every arm for `steps` with every seed; return steps per CPU-second of each and our ratios to the others."""
    for trainer, family, settings in _ARMS.values():
        _train(trainer, family, settings, 512, 0)
    seconds: dict[str, list[float]] = {name: [] for name in _ARMS}
    for seed in seeds:
        for name, (trainer, family, settings) in _ARMS.items():
            started = time.process_time()
            _train(trainer, family, settings, steps, seed)
            seconds[name].append(time.process_time() - started)
    rates = {name: steps * len(spent) / sum(spent) for name, spent in seconds.items()}
    return {
        "steps": steps,
        "seeds": list(seeds),
        "cpu_s": seconds,
        "steps_per_cpu_s": rates,
        "ratio": {name: rates["ppo"] / rate for name, rate in rates.items() if name != "ppo"},
    }


def measure_learning(
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 2_500_000,
    episodes: int = 20,
    settings: Mapping[str, ParamValue] = {},
) -> dict[str, Any]:
    """Train `ppo` on the walker with every seed; play each exported policy for `episodes` held-out stock episodes.

    Intervals are 95% bootstrap intervals of the mean: over a seed's episodes, and over seeds with their episodes.
    """
    runs = [_learn(seed, steps, episodes, settings) for seed in seeds]
    returns = np.array([run["returns"] for run in runs])
    low, high = _nested_bootstrap(returns)
    return {
        "steps": steps,
        "episodes": episodes,
        "settings": dict(settings),
        "runs": runs,
        "mean": float(returns.mean()),
        "low": low,
        "high": high,
        "worst_seed_mean": float(returns.mean(axis=1).min()),
    }


def table(measured: Mapping[str, Any]) -> str:
    """Lay out what `measure` or `measure_learning` returned for a terminal."""
    return _learning_table(measured) if "runs" in measured else _speed_table(measured)


def _speed_table(measured: Mapping[str, Any]) -> str:
    lines = [f"{'trainer':<54}{'steps per CPU-second':>22}{'ppo is faster by':>18}"]
    for name, rate in measured["steps_per_cpu_s"].items():
        ratio = measured["ratio"].get(name)
        lines.append(f"{_LABELS[name]:<54}{rate:>22,.0f}" + (f"{ratio:>17.2f}x" if ratio else ""))
    return "\n".join(
        [*lines, f"{measured['steps']:,} steps an arm, seeds {measured['seeds']}, one process, one thread"]
    )


def _learning_table(measured: Mapping[str, Any]) -> str:
    head = f"{'seed':>4}{'return on stock':>17}{'95% interval':>18}{'CPU-s':>8}"
    lines = [head + "".join(f"{'train >= ' + str(mark):>15}" for mark in _MARKS)]
    for run in measured["runs"]:
        interval = f"{run['low']:.1f} to {run['high']:.1f}"
        passed = "".join(f"{_millions(run['passed'].get(str(mark))):>15}" for mark in _MARKS)
        lines.append(f"{run['seed']:>4}{run['mean']:>17.1f}{interval:>18}{run['cpu_s']:>8.0f}{passed}")
    overall = f"{measured['mean']:.1f} ({measured['low']:.1f} to {measured['high']:.1f})"
    return "\n".join(
        [*lines, f"all seeds: {overall} after {measured['steps']:,} steps, {measured['episodes']} episodes a seed"]
    )


def _millions(steps: int | None) -> str:
    return "-" if steps is None else f"{steps / 1e6:.2f}M"


class _Recorded:
    """Worlds that keep the native return of every finished episode with the step at which it ended."""

    def __init__(self, env: BatchEnv, log: list[tuple[int, float]]) -> None:
        self.env, self.log, self.num_envs, self.steps = env, log, env.num_envs, 0
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, seed: int) -> NDArray[Any]:
        return self.env.reset(seed)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        batch = self.env.step(actions)
        self.steps += self.num_envs
        self.log += [(self.steps, _native(outcome)) for outcome in batch.outcomes]
        return batch

    def named_state(self) -> dict[str, NDArray[Any]]:
        return self.env.named_state()

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return self.env.render(slot)

    def close(self) -> None:
        self.env.close()


def _native(outcome: EpisodeOutcome) -> float:
    return outcome.native_return


def _train(
    trainer: str,
    family: str,
    settings: Mapping[str, ParamValue],
    steps: int,
    seed: int,
    log: list[tuple[int, float]] | None = None,
) -> TrainedPolicy:
    source = get_family(family)
    task = source.resolve_task()
    probe = source.make_vec(task, 1)
    observations, actions = probe.observation_space, probe.action_space
    probe.close()
    chosen: Trainer = registry.load("trainers", trainer)()
    episodes = [] if log is None else log
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem(
            make_vec=lambda n: _Recorded(source.make_vec(task, n), episodes),
            observation_space=observations,
            action_space=actions,
            folder=Path(folder),
            family=family,
            settings=settings,
        )
        budget = TrainBudget(steps=steps, schedule_steps=steps)
        return chosen.train(problem, budget, seed, lambda progress: Command.CONTINUE)


def _learn(seed: int, steps: int, episodes: int, settings: Mapping[str, ParamValue]) -> dict[str, Any]:
    log: list[tuple[int, float]] = []
    started = time.process_time()
    policy = _train("ppo", "walker", settings, steps, seed, log)
    cpu_s = time.process_time() - started
    returns = _play_stock(policy, episodes)
    low, high = _nested_bootstrap(returns[None])
    curve, passed = _curve(log)
    return {
        "seed": seed, "steps": policy.steps, "cpu_s": cpu_s, "mean": float(returns.mean()), "low": low, "high": high,
        "returns": returns.tolist(), "passed": passed, "curve": curve,
    }  # fmt: skip


def _play_stock(policy: TrainedPolicy, episodes: int) -> NDArray[np.float64]:
    """Returns [episodes] of the policy, read back from its artifact, in the stock Gymnasium environment."""
    with tempfile.TemporaryDirectory() as folder:
        save_policy(Path(folder), policy.spec, policy.tensors)
        actor = load_policy(Path(folder))
    env = gymnasium.make(STOCK)
    returns = np.zeros(episodes)
    for episode in range(episodes):
        observation, _ = env.reset(seed=HELD_OUT_SEED + episode)
        done = False
        while not done:
            observation, reward, terminated, truncated, _ = env.step(actor.act(observation[None])[0])
            returns[episode] += float(reward)
            done = terminated or truncated
    env.close()
    return returns


def _curve(log: Sequence[tuple[int, float]]) -> tuple[list[list[float]], dict[str, int]]:
    """Mean training return of each 100k steps as [step, return], and the step at which the moving mean passed each mark."""
    steps, returns = np.array([at for at, _ in log]), np.array([value for _, value in log])
    curve = [
        [float(end), float(returns[(steps > end - _CURVE_EVERY) & (steps <= end)].mean())]
        for end in range(_CURVE_EVERY, int(steps.max(initial=0)) + 1, _CURVE_EVERY)
        if ((steps > end - _CURVE_EVERY) & (steps <= end)).any()
    ]
    passed: dict[str, int] = {}
    if len(returns) >= _WINDOW:
        moving = np.convolve(returns, np.full(_WINDOW, 1.0 / _WINDOW), "valid")
        for mark in _MARKS:
            above = np.flatnonzero(moving >= mark)
            if len(above):
                passed[str(mark)] = int(steps[above[0] + _WINDOW - 1])
    return curve, passed


def _nested_bootstrap(returns: NDArray[np.float64], draws: int = 2000) -> tuple[float, float]:
    """95% percentile interval of the mean of `returns` [seeds, episodes], resampling seeds and then their episodes."""
    rng = np.random.default_rng(0)
    seeds, episodes = returns.shape
    rows = rng.integers(seeds, size=(draws, seeds, 1))
    columns = rng.integers(episodes, size=(draws, seeds, episodes))
    low, high = np.percentile(returns[rows, columns].mean(axis=(1, 2)), [2.5, 97.5])
    return float(low), float(high)
