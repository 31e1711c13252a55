"""Build the SB3 models from our settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecNormalize

from envs.task import ParamValue
from experimenter.trainers.sb3_worlds import Sb3Worlds
from experimenter.trainers.settings import parse_hidden
from experimenter.trainers.worlds import Shape

ACTIVATIONS: Mapping[str, type[torch.nn.Module]] = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "elu": torch.nn.ELU}
Settings = Mapping[str, ParamValue]
_REPLAY = ("buffer_size", "learning_starts", "train_freq", "gradient_steps")


class Clock:
    """The run's own env step. SB3's progress would count from the piece that it was last told to learn."""

    def __init__(self, schedule_steps: int) -> None:
        self.schedule_steps = schedule_steps
        self.model: Any = None

    @property
    def step(self) -> int:
        return 0 if self.model is None else int(self.model.num_timesteps)

    def schedule(self, settings: Settings, name: str) -> Callable[[float], float]:
        """The setting `name`, decayed linearly to 0 over the schedule where `<name>_decay` is set."""
        value, decays = float(settings[name]), bool(settings[f"{name}_decay"])
        return lambda _: value * max(0.0, 1.0 - self.step / self.schedule_steps) if decays else value

    def exploration(self, settings: Settings) -> Callable[[float], float]:
        """DQN's share of random actions: from 1 to the final one over a fraction of the schedule."""
        final, span = float(settings["exploration_final_eps"]), float(settings["exploration_fraction"])
        horizon = self.schedule_steps * max(span, 1e-9)
        return lambda _: final + (1.0 - final) * max(0.0, 1.0 - self.step / horizon)


def make_normaliser(worlds: Sb3Worlds, settings: Settings) -> VecNormalize | None:
    """VecNormalize around `worlds` where the settings ask for it."""
    observations, rewards = bool(settings["normalise_observations"]), bool(settings["normalise_rewards"])
    if not (observations or rewards):
        return None
    return VecNormalize(worlds, norm_obs=observations, norm_reward=rewards, gamma=float(settings["gamma"]))


def make_model(
    settings: Settings, shape: Shape, worlds: Sb3Worlds | VecNormalize, clock: Clock, seed: int, device: torch.device
) -> Any:
    """Build the algorithm that the settings name."""
    algorithm = str(settings["algorithm"])
    arguments: dict[str, Any] = {
        "policy": "MlpPolicy",
        "env": worlds,
        "learning_rate": clock.schedule(settings, "learning_rate"),
        "gamma": settings["gamma"],
        "batch_size": settings["batch_size"],
        "seed": seed % 2**32,
        "device": device,
    }
    if algorithm == "ppo":
        model: Any = _make_ppo(settings, shape, clock, arguments)
    else:
        build = {"sac": _make_sac, "tqc": _make_tqc, "td3": _make_td3, "dqn": _make_dqn}[algorithm]
        model = build(settings, shape, arguments | {name: settings[name] for name in _REPLAY})
    if algorithm == "dqn":
        model.exploration_schedule = clock.exploration(settings)
    clock.model = model
    return model


def _make_ppo(settings: Settings, shape: Shape, clock: Clock, arguments: dict[str, Any]) -> PPO:
    hidden = parse_hidden(settings["hidden"])
    names = ("n_epochs", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm", "use_sde", "sde_sample_freq")
    policy: dict[str, Any] = {
        "net_arch": {"pi": hidden, "vf": hidden},
        "activation_fn": ACTIVATIONS[str(settings["activation"])],
        "ortho_init": settings["ortho_init"],
    }
    if not shape.discrete:
        policy["log_std_init"] = settings["log_std_init"]
    chosen: dict[str, Any] = {name: settings[name] for name in names}
    chosen |= {"clip_range": clock.schedule(settings, "clip_range"), "n_steps": max(2, int(settings["n_steps"]))}
    return PPO(**arguments, **chosen, policy_kwargs=policy)


def _soft_actor(settings: Settings, arguments: dict[str, Any]) -> dict[str, Any]:
    policy = {"net_arch": parse_hidden(settings["hidden"]), "log_std_init": settings["log_std_init"]}
    return {**arguments, **{name: settings[name] for name in ("tau", "ent_coef", "use_sde")}, "policy_kwargs": policy}


def _make_sac(settings: Settings, shape: Shape, arguments: dict[str, Any]) -> SAC:
    return SAC(**_soft_actor(settings, arguments))


def _make_tqc(settings: Settings, shape: Shape, arguments: dict[str, Any]) -> Any:
    from sb3_contrib import TQC

    dropped = int(settings["top_quantiles_to_drop_per_net"])
    return TQC(**_soft_actor(settings, arguments), top_quantiles_to_drop_per_net=dropped)


def _make_td3(settings: Settings, shape: Shape, arguments: dict[str, Any]) -> TD3:
    noise = NormalActionNoise(np.zeros(shape.action), np.full(shape.action, float(settings["noise_std"])))
    policy = {"net_arch": parse_hidden(settings["hidden"])}
    return TD3(**arguments, tau=float(settings["tau"]), action_noise=noise, policy_kwargs=policy)


def _make_dqn(settings: Settings, shape: Shape, arguments: dict[str, Any]) -> DQN:
    policy = {"net_arch": parse_hidden(settings["hidden"])}
    return DQN(**arguments, target_update_interval=int(settings["target_update_interval"]), policy_kwargs=policy)
