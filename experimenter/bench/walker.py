"""How many walker steps a CPU-second gives: our batch and our single walker against Gymnasium's BipedalWalker-v3.

All three run in this process with the same random policy (a fresh action each step), resets included, in alternating
slices so that whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from envs.catalog import get_family

BATCH = 16
_SLICE_STEPS = 1600
Runner = Callable[[int], None]
"""Takes a number of env steps and runs them."""


def measure(seconds: float = 10) -> dict[str, float]:
    """Measure for about `seconds` of CPU time; return steps per CPU-second of each and the ratios to Gymnasium."""
    # ours first: it loads Box2D with its import warnings held back
    runners = {"walker_batch": _batch(), "walker_single": _single(_ours()), "gymnasium": _single(_stock())}
    spent, steps = dict.fromkeys(runners, 0.0), 0
    while steps == 0 or sum(spent.values()) < seconds:
        steps += _SLICE_STEPS
        for name, run in runners.items():
            started = time.process_time()
            run(_SLICE_STEPS)
            spent[name] += time.process_time() - started
    rates = {name: steps / spent[name] for name in runners}
    stock = rates["gymnasium"]
    return {
        **{f"{name}_steps_per_cpu_s": rate for name, rate in rates.items()},
        "ratio": rates["walker_batch"] / stock,
        "ratio_single": rates["walker_single"] / stock,
        "steps_each": float(steps),
        "batch": float(BATCH),
    }


def table(measured: dict[str, float]) -> str:
    """Lay out what `measure` returned for a terminal."""
    rows = [
        ("Gymnasium BipedalWalker-v3", measured["gymnasium_steps_per_cpu_s"], 1.0),
        (f"walker, batch of {measured['batch']:.0f}", measured["walker_batch_steps_per_cpu_s"], measured["ratio"]),
        ("walker, one world", measured["walker_single_steps_per_cpu_s"], measured["ratio_single"]),
    ]
    lines = [f"{'environment':<28}{'steps per CPU-second':>22}{'ratio':>8}"]
    return "\n".join(lines + [f"{name:<28}{rate:>22,.0f}{ratio:>8.2f}" for name, rate, ratio in rows])


def _stock() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("BipedalWalker-v3", disable_env_checker=True)


def _ours() -> gymnasium.Env[Any, Any]:
    family = get_family("walker")
    return family.make(family.resolve_task())


def _single(env: gymnasium.Env[Any, Any]) -> Runner:
    rng = np.random.default_rng(0)
    env.reset(seed=0)

    def run(steps: int) -> None:
        for action in rng.uniform(-1, 1, (steps, 4)).astype(np.float32):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return run


def _batch() -> Runner:
    family = get_family("walker")
    env = family.make_vec(family.resolve_task(), BATCH)
    rng = np.random.default_rng(0)
    env.reset(0)

    def run(steps: int) -> None:
        for actions in rng.uniform(-1, 1, (steps // BATCH, BATCH, 4)).astype(np.float32):
            env.step(actions)

    return run
