"""The algorithm `dqn` of the trainer `dom`: double n-step DQN with prioritised replay, over legal actions only.

Jia, Kiros and Ba 2019, DOM-Q-NET (ICLR, arXiv:1902.07257) train factored pointers over page elements so; the pieces are double DQN (van Hasselt et al.
2016, eq. 4), n-step returns, prioritised replay (dom_replay.py) and noisy layers (dom_noise.py) or epsilon-greedy exploration.
An episode that the horizon cuts has failed and is worth nothing further: a page tells how much of the horizon is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experimenter.errors import UsageError
from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_factors import NEVER, explore_shares
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_noise import NoisyHead
from experimenter.trainers.dom_replay import NStep, PrioritisedReplay
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_updates import Arrays, Descent, Pupil, load_network, mean_of, save_network
from experimenter.trainers.normalise import Float32

KIND_WEIGHTS = np.array([0.5, 0.05, 0.35, 0.03, 0.05, 0.02])
"""How often a random action clicks, copies, types, scrolls, presses a key, declares the end; of those that are legal."""


def double_targets(online: Tensor, target: Tensor, mask: Tensor, reward: Tensor, discount: Tensor) -> Tensor:
    """Targets [m]: the online network chooses among the legal actions of the successor, the target network values the choice.

    `online` and `target` [m, COUNT] are the successors' values, `mask` [m, COUNT] what is legal there, `reward` [m] n-step returns and
    `discount` [m] gamma^n, or 0 after an end.
    """
    # y = R^(n) + gamma^n Q_target(s', argmax over legal a of Q(s', a))
    best = online.masked_fill(~mask, NEVER).argmax(dim=1, keepdim=True)
    return reward + discount * torch.where(discount > 0, target.gather(1, best)[:, 0], 0.0)


def temporal_loss(q: Tensor, action: Tensor, wanted: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Huber loss [] of the taken actions' values, each step by its importance weight [m]; and the errors [m]."""
    value = q.gather(1, action[:, None])[:, 0]
    losses = torch.nn.functional.smooth_l1_loss(value, wanted, reduction="none")
    return (weight * losses).mean(), (wanted - value).detach()


def make(settings: DomSettings, network: DomNetwork, seed: int) -> Dqn:
    """Build it; raises `UsageError` for an unknown way of exploring."""
    if settings.dqn_exploration not in ("epsilon", "noisy"):
        raise UsageError(
            f"setting dqn_exploration={settings.dqn_exploration!r} of the trainer dom must be epsilon or noisy."
        )
    return Dqn(settings, network, seed)


class Dqn:
    """The algorithm; see `dom_algorithm.Algorithm`."""

    head = "q"

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int) -> None:
        self._settings, self._network, self._pupil = settings, network, Pupil(network)
        self._target = deepcopy(network)
        self._rng = np.random.default_rng([seed, 1])
        self._generator = torch.Generator().manual_seed(int(self._rng.integers(2**31)))
        noisy = settings.dqn_exploration == "noisy"
        self._noise = NoisyHead(network, "q_head", settings.dqn_sigma if noisy else 0.0, self._generator)
        sigmas = self._noise.sigmas.values() if noisy else ()
        self._descent = Descent("dqn", [*network.parameters(), *sigmas], settings.max_gradient_norm)
        self._replay = PrioritisedReplay(settings.dqn_replay, settings.dqn_alpha)
        self._n_step = NStep(settings.dqn_n_step, settings.dqn_gamma)
        self._steps, self._updates, self._owed = 0, 0, 0
        self._noisy = noisy

    @property
    def epsilon(self) -> float:
        """Share of random actions now: from 1 down to `dqn_epsilon` over `dqn_explore` env steps; none with noisy weights."""
        settings = self._settings
        if self._noisy:
            return 1.0 if len(self._replay) < settings.dqn_start else 0.0
        return max(settings.dqn_epsilon, 1.0 - self._steps / settings.dqn_explore * (1.0 - settings.dqn_epsilon))

    @property
    def beta(self) -> float:
        """Exponent of the importance weights: rises to 1 over ten times the steps of exploration."""
        start = self._settings.dqn_beta
        return min(1.0, start + (1.0 - start) * self._steps / (10 * self._settings.dqn_explore))

    def act(self, observations: Float32, masks: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Float32]:
        """Choose actions [n]: random ones with probability `epsilon`, else those of the highest value."""
        with torch.no_grad():
            values = self._values(self._network, self._pupil.tensor(observations), self._pupil.tensor(masks))
        q = values.cpu().numpy()
        rows = np.arange(len(q))
        chances = self.epsilon * explore_shares(masks, KIND_WEIGHTS)
        chances[rows, np.where(masks, q, NEVER).argmax(axis=1)] += 1.0 - self.epsilon
        chances /= chances.sum(axis=1, keepdims=True)
        chosen = (chances.cumsum(axis=1) < self._rng.random(len(q))[:, None]).sum(axis=1).clip(0, masks.shape[1] - 1)
        # rounding of the last sum may point beyond the last possible action
        chosen = np.where(chances[rows, chosen] > 0, chosen, chances.argmax(axis=1))
        return chosen.astype(np.int64), np.log(chances[rows, chosen]).astype(np.float32)

    def _values(self, network: DomNetwork, obs: Tensor, mask: Tensor) -> Tensor:
        if self._noisy:
            return self._noise.values(network, self._noise.draw(), obs, mask)
        return network(obs, mask).q  # type: ignore[no-any-return]  # modules are called untyped

    def observe(self, rollout: DomRollout) -> None:
        """Store the rollout's transitions."""
        self._replay.add(self._n_step.read(rollout))
        self._steps += rollout.actions.size
        self._owed += rollout.actions.size

    def update(self, learning_rate: float) -> dict[str, float]:
        """One gradient step for every `dqn_every` env steps since the last call."""
        settings = self._settings
        count, self._owed = divmod(self._owed, settings.dqn_every)
        if len(self._replay) < settings.dqn_start:
            return {"epsilon": self.epsilon, "replay": float(len(self._replay))}
        told = [self._learn(learning_rate) for _ in range(count)]
        return {
            "q_loss": mean_of(loss for loss, _ in told),
            "q": mean_of(value for _, value in told),
            "epsilon": self.epsilon,
            "replay": float(len(self._replay)),
        }

    def _learn(self, learning_rate: float) -> tuple[float, float]:
        sample = self._replay.draw(self._settings.dqn_batch, self.beta, self._rng)
        tensor = self._pupil.tensor
        next_obs, next_mask = tensor(sample.next_observation), tensor(sample.next_mask)
        with torch.no_grad():
            online = self._values(self._network, next_obs, next_mask)
            target = self._values(self._target, next_obs, next_mask)
        wanted = double_targets(online, target, next_mask, tensor(sample.reward), tensor(sample.discount))
        q = self._values(self._network, tensor(sample.observation), tensor(sample.mask))
        loss, errors = temporal_loss(q, tensor(sample.action), wanted, tensor(sample.weight))
        told = self._descent.step(loss, learning_rate, self._steps)
        self._replay.reward_errors(sample.index, errors.cpu().numpy())
        self._updates += 1
        if self._updates % self._settings.dqn_target_every == 0:
            self._target.load_state_dict(self._network.state_dict())
        return told, float(wanted.mean())

    def state_dict(self) -> tuple[dict[str, Any], Arrays]:
        """Everything but the network's weights."""
        replay, arrays = self._replay.save()
        arrays |= self._descent.save() | save_network("target", self._target)
        arrays |= {f"sigma.{name}": sigma.detach().cpu().numpy().copy() for name, sigma in self._noise.sigmas.items()}
        arrays["torch_generator"] = self._generator.get_state().numpy().copy()
        counters = [self._steps, self._updates, self._owed]
        return {"replay": replay, "counters": counters, "rng": dict(self._rng.bit_generator.state)}, arrays

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict`; what was not complete of the running episodes is lost, as the worlds start afresh."""
        self._replay.load(state["replay"], arrays)
        self._descent.load(arrays)
        load_network("target", self._target, arrays)
        with torch.no_grad():
            for name, sigma in self._noise.sigmas.items():
                sigma.copy_(torch.as_tensor(arrays[f"sigma.{name}"].copy()))
        self._generator.set_state(torch.as_tensor(arrays["torch_generator"].copy()))
        self._steps, self._updates, self._owed = (int(each) for each in state["counters"])
        self._rng.bit_generator.state = dict(state["rng"])
