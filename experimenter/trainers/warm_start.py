"""Start the lean PPO from a policy artifact: its actor and its normaliser, with a fresh critic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from experimenter.errors import JobError
from experimenter.trainers.learner import Learner
from experimenter.trainers.network import load_actor
from experimenter.trainers.normalise import Moments
from experimenter.trainers.swarm_network import SwarmNetwork
from skills.artifact import ArtifactError, read_policy

_TRUSTED_COUNT = 100_000.0
"""Weight of the artifact's observation statistics against new observations."""


def warm_start(learner: Learner, folder: Path) -> None:
    """Load the policy stored in `folder` into `learner`; raises `JobError` when it does not fit."""
    try:
        spec, tensors = read_policy(folder)
    except ArtifactError as error:
        raise JobError(f"cannot warm-start: {error}.") from error
    shape, settings = learner.shape, learner.settings
    if isinstance(learner.network, SwarmNetwork):
        learner.network.adopt(spec, tensors, shape)
        _rest(learner)
        return
    head = "argmax" if shape.discrete else "clip"
    wanted = {"kind": "mlp", "activation": "tanh", "head": head, "normalise": settings.normalise_observations}
    for name, value in wanted.items():
        if spec.get(name) != value:
            hint = " (setting normalise_observations)" if name == "normalise" else ""
            raise JobError(f"cannot warm-start: the policy has {name}={spec.get(name)!r}, ppo needs {value!r}{hint}.")
    try:
        layers = [(tensors[f"w{i}"], tensors[f"b{i}"]) for i in range(int(spec["layers"]))]
        if settings.normalise_observations:
            mean, var = (tensors[name].astype(np.float64) for name in ("obs_mean", "obs_var"))
    except (KeyError, TypeError, ValueError) as error:
        raise JobError(f"cannot warm-start: the policy in {folder.name} is damaged ({error!r}).") from error
    if not shape.discrete and layers and len(layers[-1][1]) == shape.action:
        weight, bias = layers[-1]
        layers[-1] = (weight / shape.scale[:, None], (bias - shape.middle) / shape.scale)
    load_actor(learner.network, layers)
    if settings.normalise_observations:
        learner.moments = Moments(mean=mean, var=var, count=_TRUSTED_COUNT)
    _rest(learner)


def _rest(learner: Learner) -> None:
    """Let the fresh critic catch up before the actor moves."""
    with torch.no_grad():
        learner.network.log_std.fill_(learner.settings.warm_log_std)
    learner.critic_only = learner.settings.warm_critic_updates
