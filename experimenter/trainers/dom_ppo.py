"""PPO for the trainer `dom` (Schulman et al. 2017), with impossible actions masked out of the softmax (Huang and Ontanon 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.web.actions import COPY, COUNT, SCROLL, TYPE, Mask
from experimenter.trainers import gae, losses
from experimenter.trainers.adam import FlatAdam
from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_sizes import Told, read_pages, read_values
from experimenter.trainers.normalise import Float32
from skills.dom_policy import NEVER

_KINDS = (0, COPY, TYPE, SCROLL, COUNT)
"""First numbers of the kinds of actions: click, copy, type, scroll and keys."""
_AT_ONCE = 256
"""Pages in one forward pass without gradient."""


def make(settings: DomSettings, network: DomNetwork, seed: int) -> DomPpo:
    if settings.recurrent:
        from experimenter.trainers.dom_recurrent import RecurrentPpo

        return RecurrentPpo(settings, network, seed)
    return DomPpo(settings, network, seed)


def sample(logits: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.int64], Float32]:
    """Draw one action a row from masked logits [n, COUNT]; returns actions [n] and their log probabilities [n]."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    sums = weights.cumsum(axis=1)
    drawn = rng.random(len(logits)) * sums[:, -1]
    # the first action whose sum exceeds the draw: never one of probability 0
    actions = np.minimum((sums <= drawn[:, None]).sum(axis=1), logits.shape[1] - 1).astype(np.int64)
    rows = np.arange(len(logits))
    return actions, (shifted[rows, actions] - np.log(sums[:, -1])).astype(np.float32)


def kind_divergence(logits: Tensor) -> Tensor:
    """Mean divergence KL(u || P) [] of the kinds of actions, from masked logits [m, COUNT]; u is even over the kinds that a page allows.

    Unlike an entropy its slope does not vanish with a probability: a kind that never paid off keeps being tried.
    """
    log_prob = torch.log_softmax(logits, dim=1)
    masses = torch.stack([log_prob[:, start:end].logsumexp(dim=1) for start, end in pairwise(_KINDS)], dim=1)
    allowed = masses > NEVER / 2
    share = allowed / allowed.sum(dim=1, keepdim=True)
    return -(share * (masses.masked_fill(~allowed, 0.0) - share.clamp(min=1e-9).log())).sum(dim=1).mean()


class DomPpo:
    """On-policy: remembers the last rollout only."""

    head = "policy"

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int) -> None:
        self.settings, self.network = settings, network
        self.rng = np.random.default_rng(seed)
        self.optimizer = FlatAdam(network)
        self._rollout: DomRollout | None = None
        self.critic_only = 0
        """Updates left in which the actor rests."""
        self.failing = 1.0
        """Share of the recent episodes of the task itself that failed: there is nothing to look for once none does."""

    def rest(self, updates: int) -> None:
        """Let the fresh values catch up with a stored policy before it moves."""
        self.critic_only = updates

    @torch.no_grad()
    def act(self, observations: Float32, masks: Mask) -> tuple[NDArray[np.int64], Float32]:
        """Sample from the policy."""
        logits = self.network(self._tensor(observations), self._tensor(masks)).logits
        return sample(logits.cpu().numpy(), self.rng)

    def observe(self, rollout: DomRollout) -> None:
        """Keep the rollout for the update."""
        self._rollout = rollout

    def update(self, learning_rate: float) -> dict[str, float]:
        """Some epochs of clipped gradient steps over the last rollout."""
        if self._rollout is None:
            raise ValueError("observe a rollout before an update")
        rollout, self._rollout = self._rollout, None
        sums, count = torch.zeros(4), 0
        for terms in self._epochs(rollout, learning_rate):
            sums += terms.cpu()
            count += 1
        self.critic_only = max(0, self.critic_only - 1)
        means = (sums / max(1, count)).tolist()
        names = ("policy_loss", "value_loss", "entropy", "approximate_kl")
        return {**dict(zip(names, means, strict=True)), "learning_rate": learning_rate}

    def _epochs(self, rollout: DomRollout, learning_rate: float) -> Iterator[Tensor]:
        """The terms of every gradient step, [4] each."""
        batch = self._prepare(rollout)
        size = len(batch[0])
        parts = max(1, round(size / self.settings.minibatch))
        for _ in range(self.settings.epochs if size > 1 else 0):
            for chosen in np.array_split(self.rng.permutation(size), parts):
                index = torch.as_tensor(chosen, device=batch[0].device)
                pages, mask, *rest = (tensor[index] for tensor in batch)
                yield self._step(learning_rate, read_pages(self.network, pages, mask), *rest)

    def _prepare(self, rollout: DomRollout) -> tuple[Tensor, ...]:
        """Observations, masks, actions, old log probabilities, advantages and value targets of the valid steps, flat."""
        length, n = rollout.rewards.shape
        flat = rollout.observations.reshape(length * n, -1)
        extra = np.concatenate([rollout.successors, *(rollout.cuts[at][None] for at in sorted(rollout.cuts))])
        values = self._values(np.concatenate([flat, extra]))
        now, after = values[: length * n].reshape(length, n), values[length * n :]
        advantage = self._advantages(rollout, now, after)
        keep = rollout.valid.ravel()
        columns = (flat, rollout.masks.reshape(length * n, -1), rollout.actions.ravel(), rollout.log_probs.ravel())
        return tuple(self._tensor(c[keep]) for c in (*columns, advantage.ravel(), (advantage + now).ravel()))

    def _advantages(self, rollout: DomRollout, now: Float32, after: Float32) -> Float32:
        """[T, n] from the values `now` [T, n] and those `after` [n + m]: of the last successors, then of the cuts in order."""
        cut, n = sorted(rollout.cuts), now.shape[1]
        cut_at = (np.array([t for t, _ in cut], np.intp), np.array([s for _, s in cut], np.intp))
        return gae.advantages(
            rewards=rollout.rewards.astype(np.float32),
            values=now,
            successors=gae.successor_values(now, after[:n], after[n:], cut_at),
            terminated=rollout.terminated,
            ended=rollout.ended,
            gamma=self.settings.gamma,
            gae_lambda=self.settings.gae_lambda,
        ).astype(np.float32)

    @torch.no_grad()
    def _values(self, observations: Float32) -> Float32:
        parts = [
            read_values(self.network, self._tensor(part)).cpu().numpy()
            for part in np.array_split(observations, max(1, len(observations) // _AT_ONCE))
        ]
        values: Float32 = np.concatenate(parts)
        return values

    def _step(self, rate: float, told: Told, action: Tensor, old: Tensor, advantage: Tensor, target: Tensor) -> Tensor:
        """One gradient step; returns policy loss, value loss, entropy and approximate KL as one tensor [4]."""
        settings = self.settings
        log_prob, entropy = losses.categorical_log_prob(told.logits, action)
        log_ratio = log_prob - old
        policy_loss = losses.clip_loss(log_ratio.exp(), losses.standardise(advantage), settings.clip)
        value_loss = losses.value_loss(told.value, target)
        acts = 0.0 if self.critic_only else 1.0
        loss = acts * (policy_loss - settings.entropy * entropy) + settings.value_weight * value_loss
        if settings.kind_entropy:
            loss = loss + acts * self.failing * settings.kind_entropy * kind_divergence(told.logits)
        self.optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(rate, settings.max_gradient_norm)
        kl = losses.approximate_kl(log_ratio.detach())
        return torch.stack([policy_loss.detach(), value_loss.detach(), entropy.detach(), kl])

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self.network.device)

    def state_dict(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Generator and optimiser."""
        adam = self.optimizer
        arrays = {"adam_first": adam.first.cpu().numpy().copy(), "adam_second": adam.second.cpu().numpy().copy()}
        state = {"rng": self.rng.bit_generator.state, "adam_steps": adam.steps, "critic_only": self.critic_only}
        return state, arrays

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict`."""
        self.rng.bit_generator.state = state["rng"]
        self.optimizer.steps, self.critic_only = int(state["adam_steps"]), int(state["critic_only"])
        for name, tensor in (("adam_first", self.optimizer.first), ("adam_second", self.optimizer.second)):
            if arrays[name].shape != tuple(tensor.shape):
                raise ValueError(f"{name} has {arrays[name].shape} numbers, the network {tuple(tensor.shape)}")
            tensor.copy_(torch.as_tensor(arrays[name]))
