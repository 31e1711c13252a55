"""Settings of the SB3 algorithms: the library's defaults, with the tuned ones of its zoo where there are any.

Names are Stable-Baselines3's own. Source of the tuned values: DLR-RM/rl-baselines3-zoo, `hyperparams/{ppo,sac,td3,tqc,dqn}.yml`.
An entry is found by the Gymnasium id without its version (the zoo's v2 or v3 settings serve v3 and v5 too).
"""

from __future__ import annotations

from collections.abc import Mapping

from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.trainers.settings import base_name

Settings = Mapping[str, ParamValue]

ALGORITHMS = ("ppo", "sac", "td3", "tqc", "dqn")

_SHARED: Settings = {
    "n_envs": 1,
    "learning_rate": 3e-4,
    "learning_rate_decay": False,  # linear to 0 over the schedule: the zoo's lin_
    "gamma": 0.99,
    "hidden": "64x64",
    "normalise_observations": False,  # VecNormalize(norm_obs)
    "normalise_rewards": False,  # VecNormalize(norm_reward)
}
_ON_POLICY: Settings = {
    **_SHARED,
    "n_envs": 8,
    "n_steps": 2048,
    "batch_size": 64,
    "n_epochs": 10,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "clip_range_decay": False,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
    "use_sde": False,
    "sde_sample_freq": -1,
    "log_std_init": 0.0,
    "ortho_init": True,
    "activation": "tanh",
    "checkpoint_steps": 65_536,
}
_OFF_POLICY: Settings = {
    **_SHARED,
    "buffer_size": 1_000_000,
    "learning_starts": 100,
    "batch_size": 256,
    "train_freq": 1,
    "gradient_steps": 1,
    "checkpoint_steps": 5_000,
}
_SAC: Settings = {
    **_OFF_POLICY,
    "hidden": "256x256",
    "tau": 0.005,
    "ent_coef": "auto",
    "use_sde": False,
    "log_std_init": -3.0,
}

_DEFAULTS: Mapping[str, Settings] = {
    "ppo": _ON_POLICY,
    "sac": _SAC,
    "tqc": {**_SAC, "top_quantiles_to_drop_per_net": 2},
    "td3": {**_OFF_POLICY, "learning_rate": 1e-3, "hidden": "400x300", "tau": 0.005, "noise_std": 0.1},
    "dqn": {
        **_OFF_POLICY,
        "learning_rate": 1e-4,
        "batch_size": 32,
        "train_freq": 4,
        "target_update_interval": 10_000,
        "exploration_fraction": 0.1,
        "exploration_final_eps": 0.05,
        "checkpoint_steps": 20_000,
    },
}

_NORMALISE: Settings = {"normalise_observations": True, "normalise_rewards": True}
_WALKER_SAC: Settings = {
    "learning_rate": 7.3e-4,
    "buffer_size": 300_000,
    "gamma": 0.98,
    "tau": 0.02,
    "train_freq": 64,
    "gradient_steps": 64,
    "learning_starts": 10_000,
    "use_sde": True,
    "hidden": "400x300",
}
_LANDER_SAC: Settings = {
    "learning_rate": 7.3e-4,
    "learning_rate_decay": True,
    "tau": 0.01,
    "learning_starts": 10_000,
    "hidden": "400x300",
}
_CAR_SAC: Settings = {
    "buffer_size": 50_000,
    "batch_size": 512,
    "ent_coef": "0.1",
    "train_freq": 32,
    "gradient_steps": 32,
    "gamma": 0.9999,
    "tau": 0.01,
    "learning_starts": 0,
    "use_sde": True,
    "log_std_init": -3.67,
    "hidden": "64x64",
}
_LANDER_PPO: Settings = {
    "n_envs": 16,
    "n_steps": 1024,
    "gae_lambda": 0.98,
    "gamma": 0.999,
    "n_epochs": 4,
    "ent_coef": 0.01,
}
_MUJOCO_PPO: Settings = {
    **_NORMALISE,
    "n_envs": 1,
    "n_steps": 512,
    "log_std_init": -2.0,
    "ortho_init": False,
    "activation": "relu",
    "hidden": "256x256",
    "checkpoint_steps": 16_384,
}
_CLASSIC_DQN: Settings = {
    "learning_rate": 2.5e-4,
    "batch_size": 512,
    "buffer_size": 100_000,
    "learning_starts": 0,
    "target_update_interval": 5_000,
    "train_freq": 16,
    "gradient_steps": 4,
    "exploration_fraction": 0.06,
    "exploration_final_eps": 0.11,
}

_TUNED: Mapping[str, Mapping[str, Settings]] = {
    "ppo": {
        "BipedalWalker": {**_NORMALISE, "n_envs": 32, "gamma": 0.999, "clip_range": 0.18},
        "CartPole": {
            "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20,
            "learning_rate": 1e-3, "learning_rate_decay": True, "clip_range_decay": True,
        },
        "Pendulum": {"n_envs": 4, "n_steps": 1024, "gamma": 0.9, "learning_rate": 1e-3, "use_sde": True, "sde_sample_freq": 4},
        "Acrobot": {**_NORMALISE, "n_envs": 16, "n_steps": 256, "gae_lambda": 0.94, "n_epochs": 4},
        "MountainCar": {**_NORMALISE, "n_envs": 16, "n_steps": 16, "gae_lambda": 0.98, "n_epochs": 4},
        "MountainCarContinuous": {
            **_NORMALISE, "n_envs": 1, "n_steps": 8, "batch_size": 256, "gamma": 0.9999, "learning_rate": 7.77e-5,
            "ent_coef": 0.00429, "clip_range": 0.1, "gae_lambda": 0.9, "max_grad_norm": 5.0, "vf_coef": 0.19,
            "use_sde": True, "log_std_init": -3.29, "ortho_init": False,
        },
        "LunarLander": _LANDER_PPO,
        "LunarLanderContinuous": _LANDER_PPO,
        "HalfCheetah": {
            **_MUJOCO_PPO, "gamma": 0.98, "learning_rate": 2.0633e-5, "ent_coef": 0.000401762, "clip_range": 0.1,
            "n_epochs": 20, "gae_lambda": 0.92, "max_grad_norm": 0.8, "vf_coef": 0.58096,
        },
        "Hopper": {
            **_MUJOCO_PPO, "batch_size": 32, "gamma": 0.999, "learning_rate": 9.80828e-5, "ent_coef": 0.00229519,
            "n_epochs": 5, "gae_lambda": 0.99, "max_grad_norm": 0.7, "vf_coef": 0.835671,
        },
        "Walker2d": {
            **_NORMALISE, "n_envs": 1, "n_steps": 512, "batch_size": 32, "learning_rate": 5.05041e-5, "ent_coef": 0.000585045,
            "clip_range": 0.1, "n_epochs": 20, "max_grad_norm": 1.0, "vf_coef": 0.871923, "checkpoint_steps": 16_384,
        },
        "Reacher": {
            **_NORMALISE, "n_envs": 1, "n_steps": 512, "batch_size": 32, "gamma": 0.9, "learning_rate": 0.000104019,
            "ent_coef": 7.52585e-8, "clip_range": 0.3, "n_epochs": 5, "gae_lambda": 1.0, "max_grad_norm": 0.9,
            "vf_coef": 0.950368, "checkpoint_steps": 16_384,
        },
    },
    "sac": {
        "BipedalWalker": _WALKER_SAC,
        "LunarLanderContinuous": _LANDER_SAC,
        "MountainCarContinuous": _CAR_SAC,
        "Pendulum": {"learning_rate": 1e-3},
        **{name: {"learning_starts": 10_000} for name in ("HalfCheetah", "Ant", "Hopper", "Walker2d", "Humanoid")},
        "Swimmer": {"learning_starts": 10_000, "gamma": 0.9999},
    },
    "tqc": {
        "BipedalWalker": _WALKER_SAC,
        "LunarLanderContinuous": _LANDER_SAC,
        "MountainCarContinuous": _CAR_SAC,
        "Pendulum": {
            "learning_rate": 1e-3, "use_sde": True, "train_freq": 64, "gradient_steps": 64, "log_std_init": -2.0,
            "hidden": "64x64",
        },
    },
    "td3": {
        "BipedalWalker": {"gamma": 0.98, "buffer_size": 200_000, "learning_starts": 10_000},
        "LunarLanderContinuous": {"gamma": 0.98, "buffer_size": 200_000, "learning_starts": 10_000},
        "Pendulum": {"gamma": 0.98, "buffer_size": 200_000, "learning_starts": 10_000},
    },
    "dqn": {
        "CartPole": _CLASSIC_DQN,
        "Acrobot": _CLASSIC_DQN,
        "MountainCar": {
            "learning_rate": 4e-3, "batch_size": 128, "buffer_size": 10_000, "learning_starts": 1_000, "gamma": 0.98,
            "target_update_interval": 5_000, "train_freq": 16, "gradient_steps": 8, "exploration_fraction": 0.2,
            "exploration_final_eps": 0.07, "hidden": "256x256",
        },
        "LunarLander": {
            "learning_rate": 8.8e-4, "learning_starts": 0, "train_freq": 16, "gradient_steps": -1,
            "exploration_fraction": 0.2, "exploration_final_eps": 0.1, "hidden": "256x256",
        },
    },
}  # fmt: skip


def algorithm_settings(algorithm: str, family: str) -> dict[str, ParamValue]:
    """Every setting of `algorithm` with its default for `family`; raises `UsageError` for an unknown algorithm."""
    if algorithm not in ALGORITHMS:
        raise UsageError(f"unknown algorithm {algorithm!r} of the trainer sb3. Known: {', '.join(ALGORITHMS)}.")
    tuned = _TUNED[algorithm].get("BipedalWalker" if family == "walker" else base_name(family), {})
    return {"algorithm": algorithm, **_DEFAULTS[algorithm], **tuned}
