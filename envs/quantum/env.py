"""One circuit as a Gymnasium environment with the native reward and `action_masks()`, as MaskablePPO asks for."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.quantum.actions import Mask
from envs.quantum.batch import Float32, QuantumBatch, action_space, observation_space
from envs.quantum.encoding import crlqas_tensor
from envs.quantum.gates import Gate
from envs.quantum.paulis import Float64
from envs.task import TaskSpec


class QuantumEnv(gymnasium.Env[Float32, np.int64]):
    """A single circuit: a batch of one. The first reset without a seed takes the task's."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012  # Gymnasium's own declaration

    def __init__(self, task: TaskSpec, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._batch = task, QuantumBatch(task, 1)
        self._running, self._fresh = False, True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Start an empty circuit; the seed decides the optimiser's second starts and random halting."""
        if seed is None and self._fresh:
            seed = self._task.seed
        super().reset(seed=seed)
        self._fresh, self._running = False, True
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        return self._batch.reset(drawn)[0], {}

    def step(self, action: np.int64) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Add one gate, or stop; raises `gymnasium.error.ResetNeeded` outside an episode."""
        if not self._running:
            raise gymnasium.error.ResetNeeded("no episode is running: call reset() before step()")
        step = self._batch.step(np.array([action]))
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        self._running = not (terminated or truncated)
        info = {"outcome": step.outcomes[0]} if step.outcomes else {}
        return step.final_observation[0], float(step.reward[0]), terminated, truncated, info

    def action_masks(self) -> Mask:
        """[81] legal actions now."""
        mask: Mask = self._batch.action_masks()[0]
        return mask

    def circuit(self) -> tuple[Gate, ...]:
        """The circuit now; empty once an episode has ended."""
        return self._batch.circuit(0)

    def crlqas_tensor(self) -> Float64:
        """The published encoding of the circuit now, [max gates, qubits + 6, qubits]."""
        machine = self._batch.machine(0)
        return crlqas_tensor(self.circuit(), machine.problem.qubits, machine.params.max_gates)

    def render(self) -> NDArray[np.uint8]:
        """RGB frame [height, width, 3]."""
        if self._fresh:
            raise gymnasium.error.ResetNeeded("nothing to draw yet: call reset() before render()")
        return self._batch.render(0)

    def close(self) -> None:
        """Let go of the world."""
        self._batch.close()
        self._running = False
