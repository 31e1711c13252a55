"""The lean PPO's learner: what it knows, how it updates, and how it becomes a checkpoint and an artifact."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experimenter.trainers import gae, losses
from experimenter.trainers.adam import FlatAdam
from experimenter.trainers.base import NonFinite
from experimenter.trainers.checkpoint import Checkpoint
from experimenter.trainers.network import ActorCritic
from experimenter.trainers.normalise import CLIP, Float32, Moments, RewardScale
from experimenter.trainers.plain_gradient import LossWeights, PlainGradient
from experimenter.trainers.ppo_settings import PpoSettings
from experimenter.trainers.rollout import Rollout
from experimenter.trainers.worlds import Shape

MakeNetwork = Callable[[Shape, PpoSettings, torch.Generator], Any]
"""Builds an `nn.Module` that is a `Network`."""


class Learner:
    """Networks, optimiser, running statistics, random generator and counts: everything that a checkpoint holds."""

    def __init__(
        self,
        shape: Shape,
        settings: PpoSettings,
        seed: int,
        device: torch.device,
        make_network: MakeNetwork | None = None,
    ) -> None:
        """Start afresh; `make_network` replaces the plain `ActorCritic`."""
        self.shape, self.settings, self.device = shape, settings, device
        self.step = 0
        self.updates = 0
        self.critic_only = 0
        """Updates left in which the actor rests (after a warm start, until the fresh critic has caught up)."""
        self.rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(int(self.rng.integers(2**63)))
        self.network = (make_network or _plain)(shape, settings, generator)
        self.network.to(device)
        self.optimizer = FlatAdam(self.network)
        plain = type(self.network) is ActorCritic and device.type == "cpu"
        self._plain_gradient = PlainGradient(self.network) if plain else None
        self.moments = Moments.zeros(shape.observation)
        self.reward_scale = RewardScale.zeros(settings.gamma)

    def make_act(self) -> Any:
        """Return the sampling policy of this moment: observations [n, d] -> actions before scaling."""
        actor, normalise, rng = self.network.make_actor(), self._normaliser(), self.rng
        return lambda observation: actor.sample(normalise(observation), rng)

    def update(self, rollout: Rollout, learning_rate: float) -> dict[str, float]:
        """Learn from `rollout`; return the mean losses. Raises `NonFinite` naming the component."""
        rollout.check_finite(self.step)
        first = self.moments.count == 0
        if first:  # the untrained policy hardly looks at its input, so that its statistics may change under it
            self._observe(rollout)
        batch = self._prepare(rollout)
        stats = self._epochs(batch, learning_rate)
        if not first:
            self._observe(rollout)
        self.updates += 1
        self.critic_only = max(0, self.critic_only - 1)
        self._check_finite(stats)
        return stats

    def _observe(self, rollout: Rollout) -> None:
        if self.settings.normalise_observations:
            self.moments.update(rollout.observations.reshape(-1, self.shape.observation))

    def _normaliser(self) -> Any:
        if self.settings.normalise_observations and self.moments.count > 0:
            return self.moments.frozen()
        return lambda batch: np.asarray(batch, dtype=np.float32)

    @torch.no_grad()
    def _prepare(self, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, old log probabilities, advantages and value targets, flat over [T * n]."""
        settings, normalise, (length, n) = self.settings, self._normaliser(), rollout.rewards.shape
        rewards = rollout.rewards
        if settings.scale_rewards:
            rewards = self.reward_scale.scale(rewards, rollout.ended)
        flat = rollout.observations.reshape(length * n, -1)
        observation = self._tensor(normalise(flat))
        action = self._tensor(rollout.actions.reshape(length * n, *rollout.actions.shape[2:]))
        log_prob, _, value = self.network.evaluate(observation, action)
        extra = normalise(np.concatenate([rollout.successors, rollout.cut_observations]))
        extra_values = self.network.values(self._tensor(extra)).cpu().numpy()
        values = value.cpu().numpy().reshape(length, n)
        advantage = gae.advantages(
            rewards=rewards.astype(np.float32),
            values=values,
            successors=gae.successor_values(values, extra_values[:n], extra_values[n:], rollout.cut_at),
            terminated=rollout.terminated,
            ended=rollout.ended,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
        ).astype(np.float32)
        target = advantage + values
        return observation, action, log_prob, self._tensor(advantage.ravel()), self._tensor(target.ravel())

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, device=self.device)

    def _epochs(self, batch: tuple[Tensor, ...], learning_rate: float) -> dict[str, float]:
        settings, size = self.settings, len(batch[0])
        parts = max(1, round(size / settings.minibatch))
        edges = [size * i // parts for i in range(parts + 1)]
        sums, count = torch.zeros(4, device=self.device), 0
        for _ in range(settings.epochs):
            order = self._tensor(self.rng.permutation(size))
            shuffled = [tensor.index_select(0, order) for tensor in batch]
            kl = sums[3]
            for low, high in itertools.pairwise(edges):
                terms = self._minibatch(learning_rate, *(tensor[low:high] for tensor in shuffled))
                sums += terms
                kl = terms[3]
                count += 1
            if settings.target_kl > 0 and float(kl) > 1.5 * settings.target_kl:
                break
        means = (sums / count).tolist()
        names = ("policy_loss", "value_loss", "entropy", "approximate_kl")
        return {**dict(zip(names, means, strict=True)), "learning_rate": learning_rate, "epochs": count / parts}

    def _minibatch(
        self,
        learning_rate: float,
        observation: Tensor,
        action: Tensor,
        old_log_prob: Tensor,
        advantage: Tensor,
        target: Tensor,
    ) -> Tensor:
        """One gradient step; returns policy loss, value loss, entropy and approximate KL as one tensor [4]."""
        settings = self.settings
        actor_weight = 0.0 if self.critic_only else 1.0
        if self._plain_gradient is not None:
            weights = LossWeights(
                clip=settings.clip, entropy=settings.entropy, value=settings.value_weight, actor=actor_weight
            )
            terms = self._plain_gradient(observation, action, old_log_prob, advantage, target, weights)
            self.optimizer.step(learning_rate, settings.max_gradient_norm)
            return torch.from_numpy(terms)
        log_prob, entropy, value = self.network.evaluate(observation, action)
        log_ratio = log_prob - old_log_prob
        policy_loss = losses.clip_loss(log_ratio.exp(), losses.standardise(advantage), settings.clip)
        value_loss = losses.value_loss(value, target)
        # L = L_clip - c_e H + c_v L_v
        loss = actor_weight * (policy_loss - settings.entropy * entropy) + settings.value_weight * value_loss
        self.optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(learning_rate, settings.max_gradient_norm)
        kl = losses.approximate_kl(log_ratio.detach())
        return torch.stack([policy_loss.detach(), value_loss.detach(), entropy.detach(), kl])

    def _check_finite(self, stats: Mapping[str, float]) -> None:
        for name, value in stats.items():
            if not np.isfinite(value):
                raise NonFinite(f"the {name.replace('_', ' ')}", self.step, "lower the learning rate")
        for name, parameter in self.network.named_parameters():
            if not torch.isfinite(parameter).all():
                raise NonFinite(f"the network's {name}", self.step, "lower the learning rate")

    def policy_files(self) -> tuple[dict[str, Any], dict[str, Float32]]:
        """Spec and tensors of the deterministic policy: what `skills.artifact.save_policy` writes."""
        spec, tensors = self.network.export(self.shape)
        spec["normalise"] = self.settings.normalise_observations
        if self.settings.normalise_observations:
            spec["clip_obs"] = CLIP
            tensors["obs_mean"] = self.moments.mean.astype(np.float32)
            tensors["obs_var"] = self.moments.var.astype(np.float32)
        return spec, tensors

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint."""
        scale = self.reward_scale
        adam = self.optimizer
        arrays = {"weights": _numpy(adam.flat), "adam_first": _numpy(adam.first), "adam_second": _numpy(adam.second)}
        arrays |= {"obs_mean": self.moments.mean, "obs_var": self.moments.var}
        arrays |= {"return_mean": scale.moments.mean, "return_var": scale.moments.var}
        state = {
            "step": self.step,
            "updates": self.updates,
            "adam_steps": adam.steps,
            "critic_only": self.critic_only,
            "obs_count": self.moments.count,
            "return_count": scale.moments.count,
            "rng": self.rng.bit_generator.state,
        }
        return state, arrays

    def load(self, checkpoint: Checkpoint) -> None:
        """Become what `checkpoint` holds. Raises KeyError, ValueError or RuntimeError when it does not fit."""
        state, arrays = checkpoint.state, checkpoint.arrays
        self.step, self.updates, self.critic_only = state["step"], state["updates"], state["critic_only"]
        self.rng.bit_generator.state = state["rng"]
        adam = self.optimizer
        adam.steps = state["adam_steps"]
        for name, tensor in (("weights", adam.flat), ("adam_first", adam.first), ("adam_second", adam.second)):
            if arrays[name].shape != tuple(tensor.shape):
                raise ValueError(f"{name} has {arrays[name].shape} numbers, the network {tuple(tensor.shape)}")
            tensor.copy_(torch.as_tensor(arrays[name]))
        self.moments = Moments(mean=arrays["obs_mean"], var=arrays["obs_var"], count=state["obs_count"])
        returns = Moments(mean=arrays["return_mean"], var=arrays["return_var"], count=state["return_count"])
        self.reward_scale.moments = returns
        self.reward_scale.restart()


def _plain(shape: Shape, settings: PpoSettings, generator: torch.Generator) -> ActorCritic:
    return ActorCritic(shape, hidden=settings.widths, log_std=settings.log_std, generator=generator)


def _numpy(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
