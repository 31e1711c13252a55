"""Gymnasium worlds stepped in a plain loop, in this process, without checkers or wrappers of ours around each world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import FloatArray, NamedState
from envs.gym.frames import render_world
from envs.gym.recipe import BoolArray
from envs.gym.spaces import ActionCodec, ObservationCodec
from envs.task import ParamValue


class World:
    """One Gymnasium world: what we write to it before an episode and read from it beyond its observation."""

    extra_names: Sequence[str] = ()
    """Names of the numbers that `extras` returns; the card lists those that reward programs may see."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env = env
        self.core: Any = env.unwrapped

    def reset(self, seed: int | None, params: Mapping[str, ParamValue]) -> Any:
        """Apply `params`, start an episode and return the raw observation."""
        self.apply(params)
        return self.env.reset(seed=seed)[0]

    def apply(self, params: Mapping[str, ParamValue]) -> None:
        """Write task parameters into the world, before its reset."""

    def extras(self) -> Sequence[float]:
        """Read true state that the observation does not carry, in the order of `extra_names`."""
        return ()


class LoopSimulator:
    """A `Simulator` over n `World`s."""

    def __init__(
        self,
        worlds: Sequence[World],
        observations: ObservationCodec,
        actions: ActionCodec,
        to_state: Callable[[FloatArray], NamedState] | None = None,
        *,
        steps_together: bool = False,
    ) -> None:
        """`steps_together`: worlds known to share nothing, so that many may be played side by side in place of one after the other."""
        self.steps_together = steps_together
        self.num_envs = len(worlds)
        self.observation_space: gymnasium.Space[Any] = observations.space
        self.action_space: gymnasium.Space[Any] = actions.space
        self._worlds, self._observations, self._actions = worlds, observations, actions
        self._to_state = to_state or observations.name_parts
        self._rows = np.zeros((self.num_envs, *observations.space.shape), np.float64)
        self._extras = np.zeros((self.num_envs, len(worlds[0].extra_names)), np.float64)
        self._seeds: list[int | None] = [None] * self.num_envs
        self._resting: set[int] = set()

    def reseed(self, seeds: Sequence[int]) -> None:
        """Give every world a seed for its next reset; later resets go on with its stream."""
        self._seeds = list(seeds)

    def reset(self, slot: int, params: Mapping[str, ParamValue]) -> None:
        """Start a new episode in one world."""
        self._resting.discard(slot)
        raw = self._worlds[slot].reset(self._seeds[slot], params)
        self._seeds[slot] = None
        self._read(slot, raw)

    def rest(self, slot: int) -> None:
        """Leave this world as it stands until its next reset."""
        self._resting.add(slot)

    def step(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray, BoolArray]:
        """Advance all worlds one after the other."""
        n = self.num_envs
        reward, terminated, truncated = np.zeros(n), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        decoded = self._actions.decode(actions)
        for slot, world in enumerate(self._worlds):
            if slot in self._resting:
                continue
            raw, reward[slot], terminated[slot], truncated[slot], _ = world.env.step(decoded[slot])
            self._read(slot, raw)
        return reward, terminated, truncated

    def observe(self) -> FloatArray:
        """Observations [n, d] float32."""
        return self._rows.astype(np.float32)

    def truth(self) -> NamedState:
        """Parts of the observation by name, then the worlds' extras."""
        named = self._to_state(self._rows.copy())
        extras = self._extras.T.copy()
        named.update(zip(self._worlds[0].extra_names, extras, strict=True))
        return named

    def render(self, slot: int) -> NDArray[np.uint8]:
        """RGB frame of one world."""
        scalars = {name: float(array[slot]) for name, array in self.truth().items() if array.ndim == 1}
        return render_world(self._worlds[slot].env, scalars)

    def close(self) -> None:
        """Close every world."""
        for world in self._worlds:
            world.env.close()

    def _read(self, slot: int, raw: Any) -> None:
        self._observations.encode(raw, self._rows[slot])
        if self._extras.shape[1]:
            self._extras[slot] = self._worlds[slot].extras()
