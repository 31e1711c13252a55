"""How many agent-steps a CPU-second the quadrotor kernel gives: 8 drones a room at 20 % density, effects off and on, and other sizes.

An agent-step is one drone advanced by one control step of 0.01 s, with contacts, reward, observation and restarts. Actions are random
around hover, drawn beforehand; compilation happens before the clock starts. The cases take turns in slices of CPU time long enough that
a slice is not spent on bringing its rooms back into the cache, and a case's rate is the median of its slices, so that a burst of other work on
the machine does not count. SB3's PPO on our VecEnv is timed as a whole: environment, rollout and updates.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

from envs.quadrotor.params import check_params
from envs.task import ParamValue

CASES: Mapping[str, tuple[int, Mapping[str, ParamValue]]] = {
    "8_drones": (128, {"drones": 8, "density": 0.2}),
    "8_drones_noise_downwash": (128, {"drones": 8, "density": 0.2, "noise": 1.0, "downwash": 1}),
    "8_drones_density_80": (128, {"drones": 8, "density": 0.8}),
    "32_drones": (32, {"drones": 32, "density": 0.2}),
    "1_drone": (512, {"drones": 1}),
}
"""Name -> rooms, task parameters: 512 or 1,024 drones in all, as many as a training on one core steps together."""
SLICES = 9
"""Turns of each case; an odd number has a middle one."""
_HOVER, _SPREAD, _DRAWN = 0.05, 0.3, 16
Runner = Callable[[], int]
"""Runs a slice and returns its agent-steps."""


SB3_ROOMS, SB3_STEPS, SB3_BATCH, SB3_EPOCHS = 128, 64, 8192, 3
"""Rooms of 8 drones, steps a rollout, minibatch and epochs of the timed SB3 run; its networks are 64x64."""


def measure(seconds: float = 18, sb3_rollouts: int = 4) -> dict[str, float]:
    """Measure the kernel alone and, with `sb3_rollouts` above 0, SB3's PPO on it; rates are agent-steps per CPU-second."""
    measured = measure_kernel(seconds)
    if sb3_rollouts:
        measured["sb3_ppo_agent_steps_per_cpu_s"] = measure_sb3(sb3_rollouts)
        measured["kernel_to_sb3_ppo_ratio"] = (
            measured["agent_steps_per_cpu_s"] / measured["sb3_ppo_agent_steps_per_cpu_s"]
        )
    return measured


def measure_sb3(rollouts: int) -> float:
    """Agent-steps per CPU-second of SB3's PPO on 128 rooms of 8 drones at 20 % density, on one thread, after one rollout to warm up."""
    import torch
    from stable_baselines3 import PPO

    from envs.quadrotor.family import QuadrotorFamily
    from envs.quadrotor.sb3_view import SwarmVecEnv

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        env = SwarmVecEnv(QuadrotorFamily().resolve_task({"drones": 8, "density": 0.2}), SB3_ROOMS)
        sizes = {"n_steps": SB3_STEPS, "batch_size": SB3_BATCH, "n_epochs": SB3_EPOCHS}
        model = PPO("MlpPolicy", env, device="cpu", seed=0, policy_kwargs={"net_arch": [64, 64]}, **sizes)  # type: ignore[arg-type]  # whole numbers all
        steps = SB3_STEPS * env.num_envs
        model.learn(steps)
        started = time.process_time()
        model.learn(rollouts * steps)
        return rollouts * steps / (time.process_time() - started)
    finally:
        torch.set_num_threads(before)


def measure_kernel(seconds: float) -> dict[str, float]:
    """Measure all cases in `seconds` of CPU time, in alternating slices; return the median agent-steps per CPU-second and the rooms of each."""
    runners = {name: make_runner(rooms, params) for name, (rooms, params) in CASES.items()}
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(SLICES):
        for name, run in runners.items():
            rates[name].append(time_slice(run, seconds / (SLICES * len(CASES))))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "agent_steps_per_cpu_s": middle["8_drones"],
        **{f"{name}_agent_steps_per_cpu_s": rate for name, rate in middle.items()},
        **{f"{name}_rooms": rooms for name, (rooms, _) in CASES.items()},
    }


def time_slice(run: Runner, seconds: float) -> float:
    """Agent-steps per CPU-second over at least `seconds` of CPU time, after one call to warm up."""
    run()
    steps, started, spent = 0, time.process_time(), 0.0
    while spent < seconds or not steps:
        steps += run()
        spent = time.process_time() - started
    return steps / spent


def table(measured: dict[str, float]) -> str:
    """Lay out what `measure` returned for a terminal."""
    rows = [(name, CASES[name][0], measured[f"{name}_agent_steps_per_cpu_s"]) for name in CASES]
    lines = [f"{'case':<28}{'rooms':>7}{'agent-steps per CPU-second':>28}"]
    if "sb3_ppo_agent_steps_per_cpu_s" in measured:
        rows.append(("SB3 PPO, 8 drones", SB3_ROOMS, measured["sb3_ppo_agent_steps_per_cpu_s"]))
    lines += [f"{name.replace('_', ' '):<28}{rooms:>7}{rate:>28,.0f}" for name, rooms, rate in rows]
    return "\n".join(lines)


def make_runner(worlds: int, params: Mapping[str, ParamValue]) -> Runner:
    """A swarm that steps through 16 drawn action sets in each call."""
    from envs.quadrotor.swarm import Swarm

    swarm = Swarm(worlds, check_params(params), 1500)
    swarm.reset(0)
    drawn = np.random.default_rng(0).uniform(_HOVER - _SPREAD, _HOVER + _SPREAD, (_DRAWN, swarm.agents, 4))
    actions = drawn.astype(np.float32)

    def run() -> int:
        for action in actions:
            swarm.step(action)
        return _DRAWN * swarm.agents

    return run
