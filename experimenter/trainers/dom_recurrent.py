"""PPO over whole sequences, for the trainer `dom` with a memory: gradients flow back through a rollout, from the memory that it began with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.web.actions import Mask
from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_ppo import DomPpo, sample
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.normalise import Float32


class RecurrentPpo(DomPpo):
    """A minibatch is some pages' whole rollouts. The network forgets by itself on the first page of an episode."""

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int) -> None:
        super().__init__(settings, network, seed)
        self._memory = torch.zeros(settings.num_envs, settings.width, device=network.device)
        self._began = self._memory
        """Memory before the first step of the rollout that is being collected."""

    @torch.no_grad()
    def act(self, observations: Float32, masks: Mask) -> tuple[NDArray[np.int64], Float32]:
        """Sample, and remember."""
        told = self.network(self._tensor(observations), self._tensor(masks), self._memory)
        if told.memory is not None:
            self._memory = told.memory
        return sample(told.logits.cpu().numpy(), self.rng)

    def update(self, learning_rate: float) -> dict[str, float]:
        """As PPO; the next rollout begins with the memory of now."""
        metrics = super().update(learning_rate)
        self._began = self._memory
        return metrics

    def _epochs(self, rollout: DomRollout, learning_rate: float) -> Iterator[Tensor]:
        length, n = rollout.rewards.shape
        advantage, target = self._targets(rollout)
        pages, masks = self._tensor(rollout.observations), self._tensor(rollout.masks)
        columns = [self._tensor(c) for c in (rollout.actions, rollout.log_probs, advantage, target, rollout.valid)]
        parts = min(n, max(1, round(length * n / self.settings.minibatch)))
        for _ in range(self.settings.epochs):
            for chosen in np.array_split(self.rng.permutation(n), parts):
                index = torch.as_tensor(chosen, device=pages.device)
                action, old, gain, aim, valid = (column[:, index].flatten() for column in columns)
                if int(valid.sum()) < 2:
                    continue
                told = self.network.unroll(pages[:, index], masks[:, index], self._began[index])
                yield self._step(learning_rate, told.only(valid), action[valid], old[valid], gain[valid], aim[valid])

    @torch.no_grad()
    def _targets(self, rollout: DomRollout) -> tuple[Float32, Float32]:
        """Advantages and value targets, [T, n] each."""
        length, n = rollout.rewards.shape
        told = self.network.unroll(self._tensor(rollout.observations), self._tensor(rollout.masks), self._began)
        assert told.memory is not None
        memories = told.memory.view(length, n, -1)
        cut = sorted(rollout.cuts)
        pages = np.concatenate([rollout.successors, *(rollout.cuts[at][None] for at in cut)])
        held = torch.cat([memories[-1], *(memories[time, slot][None] for time, slot in cut)])
        any_mask: Any = np.ones((1, 1), np.bool_)
        after = self.network(self._tensor(pages), self._tensor(any_mask), held).value.cpu().numpy()
        now = told.value.view(length, n).cpu().numpy()
        advantage = self._advantages(rollout, now, after)
        return advantage, advantage + now
