"""Classic-control worlds as columns of one array: NumPy dynamics for n worlds at once, frames by Gymnasium itself.

Each subclass repeats its Gymnasium environment's arithmetic operation by operation, so that a world here and one there
agree to 1e-6 on the same seed and actions (tests/envs/gym/test_gym_classic.py holds them to it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import FloatArray, NamedState, Parameter
from envs.gym.frames import render_world
from envs.gym.lookup import find_spec, open_env
from envs.gym.recipe import BoolArray
from envs.task import ParamValue


class ArraySimulator:
    """Base of the classic-control simulators: state [s, n], parameters [n] each, one random stream a world."""

    steps_together = True
    """Stepping many worlds costs little more than stepping one."""
    gym_id: str
    state_size: int
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]

    def __init__(self, n: int, parameters: Sequence[Parameter]) -> None:
        self.num_envs = n
        self.state = np.zeros((self.state_size, n), np.float64)
        self.params = {p.name: np.full(n, float(p.default)) for p in parameters}
        self._streams = [np.random.default_rng(0)] * n
        self._painter: gymnasium.Env[Any, Any] | None = None
        self._never = np.zeros(n, np.bool_)

    def reseed(self, seeds: Sequence[int]) -> None:
        """Give every world the random stream that Gymnasium would give it for its seed."""
        self._streams = [np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))) for seed in seeds]

    def reset(self, slot: int, params: Mapping[str, ParamValue]) -> None:
        """Start a new episode in one world."""
        for name, value in params.items():
            self.params[name][slot] = value
        self.state[:, slot] = self.start(self._streams[slot], slot)

    def start(self, stream: np.random.Generator, slot: int) -> FloatArray:
        """Draw a start state [s] for one world."""
        raise NotImplementedError

    def advance(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray]:
        """Move `self.state` on by one control step; return reward [n] and terminated [n]."""
        raise NotImplementedError

    def observe(self) -> FloatArray:
        """Observations [n, d] float32."""
        raise NotImplementedError

    def truth(self) -> NamedState:
        """True state by name."""
        raise NotImplementedError

    def paint(self, core: Any, slot: int) -> None:
        """Copy one world into the Gymnasium environment that draws it."""
        core.state = self.state[:, slot].copy()

    def step(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray, BoolArray]:
        """Advance all worlds; none has a clock of its own."""
        reward, terminated = self.advance(actions)
        return reward, terminated, self._never

    def rest(self, slot: int) -> None:
        """Nothing: a column of an array less saves no time."""

    def render(self, slot: int) -> NDArray[np.uint8]:
        """RGB frame of one world, drawn by the Gymnasium environment of the same id."""
        if self._painter is None:
            self._painter = open_env(find_spec(self.gym_id))
            self._painter.reset(seed=0)
        self.paint(self._painter.unwrapped, slot)
        return render_world(self._painter)

    def close(self) -> None:
        """Release the drawing environment, if any."""
        if self._painter is not None:
            self._painter.close()
            self._painter = None


def make_box(high: Sequence[float]) -> gymnasium.Space[Any]:
    """Symmetric flat float32 Box."""
    bound = np.asarray(high, np.float32)
    return gymnasium.spaces.Box(-bound, bound, dtype=np.float32)
