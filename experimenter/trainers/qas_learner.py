"""Masked double DQN (van Hasselt et al. 2016, arXiv:1509.06461): network, target, one gradient step. Knows no worlds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experimenter.trainers.base import NonFinite
from experimenter.trainers.qas_returns import Float32, Sample
from experimenter.trainers.qas_settings import QasSettings

Mask = NDArray[np.bool_]
_NEVER = -1e9


class Legality:
    """Which actions an observation allows: its first `size` numbers where the family says so there, else all."""

    def __init__(self, actions: int, size: int) -> None:
        self.actions, self.size = actions, size

    def of(self, observation: NDArray[Any]) -> Mask:
        """[n, actions]; a row without any legal action allows all."""
        if not self.size:
            return np.ones((len(observation), self.actions), np.bool_)
        mask: Mask = observation[:, : self.size] > 0.5
        mask[~mask.any(axis=1)] = True
        return mask


def legality(family: str, actions: int) -> Legality:
    """The rule of a family: circuits carry their mask in front of their observations, other families have none."""
    return Legality(actions, actions if family.partition(":")[0] == "quantum" else 0)


class QasLearner:
    """Q-network with its target, optimiser and counters."""

    def __init__(self, width: int, legal: Legality, settings: QasSettings, seed: int, device: torch.device) -> None:
        self.settings, self.legal, self.device = settings, legal, device
        sizes = [width, *settings.widths, legal.actions]
        generator = torch.Generator().manual_seed(seed)
        self.network = _make_network(sizes, generator).to(device)
        self.target = _make_network(sizes, generator).to(device)
        self.target.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.updates = 0

    def greedy(self, observation: Float32) -> NDArray[np.int64]:
        """Legal action [n] of the highest value."""
        with torch.no_grad():
            values = self._masked(self.network, torch.as_tensor(observation, device=self.device))
        chosen: NDArray[np.int64] = values.argmax(dim=1).cpu().numpy()
        return chosen

    def act(self, observation: Float32, epsilon: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Actions [n]: uniform over the legal ones with probability `epsilon`, else greedy."""
        ranks = np.where(self.legal.of(observation), rng.random((len(observation), self.legal.actions)), -1.0)
        random = rng.random(len(observation)) < epsilon
        chosen: NDArray[np.int64] = ranks.argmax(axis=1)
        return chosen if random.all() else np.where(random, chosen, self.greedy(observation))

    def update(self, sample: Sample, step: int) -> dict[str, float]:
        """One gradient step; raises `NonFinite`."""
        observation, reward, discount, successor = (
            torch.as_tensor(array, device=self.device)
            for array in (sample.observation, sample.reward, sample.discount, sample.successor)
        )
        action = torch.as_tensor(sample.action, device=self.device)[:, None]
        with torch.no_grad():
            # y = R + gamma^m Q_target(s', argmax over legal a' of Q(s', a'))
            best = self._masked(self.network, successor).argmax(dim=1, keepdim=True)
            wanted = reward + discount * self.target(successor).gather(1, best)[:, 0]
        value = self.network(observation).gather(1, action)[:, 0]
        loss = torch.nn.functional.smooth_l1_loss(value, wanted)
        if not torch.isfinite(loss):
            raise NonFinite("the value loss", step, "lower the learning rate or look at the reward program")
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotation
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.max_gradient_norm)
        self.optimiser.step()
        self.updates += 1
        if self.updates % self.settings.target_every == 0:
            self.target.load_state_dict(self.network.state_dict())
        return {"value_loss": float(loss.detach()), "value": float(value.detach().mean())}

    def _masked(self, network: torch.nn.Module, observation: Tensor) -> Tensor:
        values: Tensor = network(observation)
        if self.legal.size:
            legal = observation[:, : self.legal.size] > 0.5
            values = values.masked_fill(~(legal | ~legal.any(dim=1, keepdim=True)), _NEVER)
        return values

    def policy_files(self) -> tuple[dict[str, Any], dict[str, Float32]]:
        """The Q-network as an `mlp` that takes the highest value; without the mask."""
        layers = [module for module in self.network if isinstance(module, torch.nn.Linear)]
        tensors: dict[str, Float32] = {}
        for index, layer in enumerate(layers):
            tensors[f"w{index}"] = layer.weight.detach().cpu().numpy().copy()
            tensors[f"b{index}"] = layer.bias.detach().cpu().numpy().copy()
        spec = {"kind": "mlp", "activation": "relu", "layers": len(layers), "head": "argmax", "normalise": False}
        return spec, tensors

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, network in (("network", self.network), ("target", self.target)):
            arrays |= {f"{name}.{key}": value.cpu().numpy().copy() for key, value in network.state_dict().items()}
        for index, entry in self.optimiser.state_dict()["state"].items():
            arrays |= {f"adam.{index}.{key}": value.cpu().numpy().copy() for key, value in entry.items()}
        return {"updates": self.updates}, arrays

    def load(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `save` gave; raises KeyError, ValueError or RuntimeError where it does not fit."""
        self.updates = int(state["updates"])
        for name, network in (("network", self.network), ("target", self.target)):
            network.load_state_dict({key: torch.as_tensor(arrays[f"{name}.{key}"]) for key in network.state_dict()})
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in arrays.items():
            if name.startswith("adam."):
                _, index, key = name.split(".")
                entries.setdefault(int(index), {})[key] = torch.as_tensor(value)
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": entries})


def _make_network(sizes: list[int], generator: torch.Generator) -> torch.nn.Sequential:
    modules: list[torch.nn.Module] = []
    for inward, outward in pairwise(sizes):
        layer = torch.nn.Linear(inward, outward)
        bound = 1.0 / inward**0.5
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
        modules += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])
