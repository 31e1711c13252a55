"""What the off-policy algorithms of `dom` share: sampling actions, one gradient step, weights and optimisers in checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.task import ParamValue
from experimenter.trainers.base import NonFinite
from experimenter.trainers.dom_network import DomNetwork, DomOutput
from experimenter.trainers.dom_ppo import sample
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_trajectories import Episodes, StartValues, StepTable
from experimenter.trainers.normalise import Float32

Arrays = dict[str, NDArray[Any]]
Indices = NDArray[np.int64]
_AT_ONCE = 256
"""Pages in one forward pass without gradients."""


class Descent:
    """Adam over some parameters, with clipped gradients and its own state in checkpoints."""

    def __init__(self, name: str, parameters: Iterable[torch.nn.Parameter], max_gradient_norm: float) -> None:
        self.name, self._parameters, self._limit = name, list(parameters), max_gradient_norm
        self._adam = torch.optim.Adam(self._parameters, lr=1e-3, eps=1e-5)

    def step(self, loss: Tensor, learning_rate: float, env_step: int) -> float:
        """Take one step down `loss` []; return it. Raises `NonFinite`."""
        if not torch.isfinite(loss):
            raise NonFinite(f"the {self.name} loss", env_step, "lower the learning rate or look at the reward program")
        for group in self._adam.param_groups:
            group["lr"] = learning_rate
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotation
        torch.nn.utils.clip_grad_norm_(self._parameters, self._limit)
        self._adam.step()
        return float(loss.detach())

    def save(self) -> Arrays:
        """Arrays of a checkpoint."""
        state = self._adam.state_dict()["state"]
        return {
            f"{self.name}.adam.{place}.{key}": value.cpu().numpy().copy()
            for place, entry in state.items()
            for key, value in entry.items()
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `save` gave."""
        entries: dict[int, dict[str, Tensor]] = {}
        start = f"{self.name}.adam."
        for name, value in arrays.items():
            if name.startswith(start):
                place, key = name.removeprefix(start).split(".")
                entries.setdefault(int(place), {})[key] = torch.as_tensor(value.copy())
        self._adam.load_state_dict({**self._adam.state_dict(), "state": entries})


def save_network(name: str, network: torch.nn.Module) -> Arrays:
    """Weights as arrays of a checkpoint."""
    return {f"{name}.{key}": value.cpu().numpy().copy() for key, value in network.state_dict().items()}


def load_network(name: str, network: torch.nn.Module, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give `network` the weights that `save_network` stored; raises `KeyError` where one is missing."""
    network.load_state_dict({key: torch.as_tensor(arrays[f"{name}.{key}"]) for key in network.state_dict()})


class Pupil:
    """The network, its device, and tensors for it."""

    def __init__(self, network: DomNetwork) -> None:
        self.network = network

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """`array` where the network computes."""
        return torch.as_tensor(np.ascontiguousarray(array), device=self.network.device)

    def look(self, observations: Float32, masks: NDArray[np.bool_]) -> DomOutput:
        """What the network says of pages [m]."""
        told: DomOutput = self.network(self.tensor(observations), self.tensor(masks))
        return told

    @torch.no_grad()
    def read(self, table: StepTable, what: Callable[[DomOutput], Tensor]) -> Tensor:
        """`what` [m] of every step of a table, without gradients, in parts."""
        parts = np.array_split(np.arange(len(table.action)), max(1, len(table.action) // _AT_ONCE))
        return torch.cat([what(self.look(table.observation[part], table.mask[part])) for part in parts])

    @torch.no_grad()
    def success(self, observations: Float32, masks: NDArray[np.bool_], *, of_start: bool) -> Float32:
        """Expected success [m], 0 to 1, of pages or (`of_start`) of their instructions, where the value heads are logits."""
        told = self.look(observations, masks)
        found: Float32 = torch.sigmoid(told.start_value if of_start else told.value).cpu().numpy()
        return found

    @torch.no_grad()
    def act(self, observations: Float32, masks: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Indices, Float32]:
        """Draw actions [n] from the policy head, with their log probabilities [n]."""
        return sample(self.look(observations, masks).logits.cpu().numpy(), rng)


class Couple:
    """An actor and a critic with a network of its own, an optimiser each, and the generator that actions are drawn with."""

    head = "policy"

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int, stream: int) -> None:
        """`stream` sets the generator apart from those of other algorithms with the same seed."""
        self._settings, self._actor = settings, Pupil(network)
        self._critic = Pupil(DomNetwork(settings, seed).to(network.device))
        self._rng = np.random.default_rng([seed, stream])
        self._actor_descent = Descent("actor", network.parameters(), settings.max_gradient_norm)
        self._critic_descent = Descent("critic", self._critic.network.parameters(), settings.max_gradient_norm)
        self._episodes, self._starts = Episodes(), StartValues()
        self.expected: list[tuple[Mapping[str, ParamValue], float]] = []
        """V of the start of the episodes that ended in the last rollout, with their task parameters: what teachers may want to hear."""

    def act(self, observations: Float32, masks: NDArray[np.bool_]) -> tuple[Indices, Float32]:
        """Sample from the policy."""
        return self._actor.act(observations, masks, self._rng)

    def _save_both(self) -> tuple[dict[str, Any], Arrays]:
        """Generator, optimisers and critic; the actor's weights are the trainer's."""
        arrays = self._actor_descent.save() | self._critic_descent.save()
        return {"rng": dict(self._rng.bit_generator.state)}, arrays | save_network("critic", self._critic.network)

    def _load_both(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._actor_descent.load(arrays)
        self._critic_descent.load(arrays)
        load_network("critic", self._critic.network, arrays)
        self._rng.bit_generator.state = dict(state["rng"])


def taken_log_probabilities(told: DomOutput, action: Tensor) -> Tensor:
    """Log probabilities [m] of the actions [m] under the policy head."""
    found: Tensor = torch.log_softmax(told.logits, dim=1).gather(1, action[:, None])[:, 0]
    return found


def shuffled(rows: Indices, size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Cut the shuffled `rows` into pieces of at most `size`."""
    order = rng.permutation(rows)
    for start in range(0, len(order), size):
        yield order[start : start + size]


def entropy_of(logits: Tensor) -> Tensor:
    """Entropies [m] of policies given as masked logits [m, COUNT]."""
    log_probabilities = torch.log_softmax(logits, dim=1)
    return -(log_probabilities.exp() * log_probabilities.clamp(min=-50.0)).sum(dim=1)


def mean_of(values: Iterable[float]) -> float:
    """Mean; 0 of nothing."""
    kept = list(values)
    return sum(kept) / len(kept) if kept else 0.0
