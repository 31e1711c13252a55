"""One page as a Gymnasium environment with the native reward, `action_masks()` and `elements()`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.task import TaskSpec
from envs.web.actions import Mask, encode
from envs.web.backend import Action, Browser, Element, Snapshot
from envs.web.batch import WebBatch, action_space, observation_space
from envs.web.encoding import Float32


class WebEnv(gymnasium.Env[Float32, np.int64]):
    """A single page: a batch of one. The first reset without a seed takes the task's."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012  # Gymnasium's own declaration

    def __init__(self, task: TaskSpec, browser: Browser | None = None) -> None:
        self.render_mode = "rgb_array"
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._batch = task, WebBatch(task, 1, browser=browser, restarts=False)
        self._running, self._fresh = False, True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Start an episode; the same seed gives the same page."""
        if seed is None and self._fresh:
            seed = self._task.seed
        super().reset(seed=seed)
        self._fresh, self._running = False, True
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        observation = self._batch.reset(drawn)[0]
        return observation, {"instruction": self._batch.page().instruction}

    def step(self, action: np.int64) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Act; raises `gymnasium.error.ResetNeeded` outside an episode. `info["end"]` types the end of an episode."""
        if not self._running:
            raise gymnasium.error.ResetNeeded("no episode is running: call reset() before step()")
        step = self._batch.step(np.array([action]))
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        self._running = not (terminated or truncated)
        info: dict[str, Any] = {}
        if step.outcomes:
            info = {"outcome": step.outcomes[0], "end": self._batch.ends[0].value}
        return step.final_observation[0], float(step.reward[0]), terminated, truncated, info

    def action_masks(self) -> Mask:
        """[COUNT] actions that can change something now."""
        mask: Mask = self._batch.action_masks()[0]
        return mask

    def elements(self) -> tuple[Element, ...]:
        """The elements that actions can name now."""
        return self._batch.elements()

    def page(self) -> Snapshot:
        """The whole page now: instruction, all elements, clipboard."""
        return self._batch.page()

    def number_of(self, action: Action) -> int | None:
        """The number of a structured action on the page now, None when the action space cannot say it."""
        return encode(action, self._batch.page(), self._batch.elements())

    @property
    def failures(self) -> int:
        """Failures of the browser so far; none of them ended an episode."""
        return self._batch.failures

    def render(self) -> NDArray[np.uint8]:
        """RGB picture [240, 320, 3]."""
        if self._fresh:
            raise gymnasium.error.ResetNeeded("nothing to draw yet: call reset() before render()")
        return self._batch.render(0)

    def close(self) -> None:
        """Close the page and its browser."""
        self._batch.close()
        self._running = False
