"""Many worlds of web tasks stepped together: the `BatchEnv` of the family. The worlds share one browser process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, NamedState, ParamSource, StepBatch, resolve_params
from envs.task import TaskSpec
from envs.web.actions import COUNT, Mask, decode, mask_of, shown
from envs.web.backend import Action, Browser, BrowserError, Element, Snapshot, Verb
from envs.web.browsers import open_browser
from envs.web.encoding import SIZE, Float32, encode_page
from envs.web.measures import VARIABLES, measure
from envs.web.miniwob import is_success, path_of
from envs.web.params import WebParams
from envs.web.pool import Pool
from envs.web.survey import can_train
from envs.web.tasks import SERVED
from envs.web.world import Outcome, World

MOST_SKIPPED = 2
"""Episodes in a row that may fail to start before the batch gives up."""
PAGES_EACH = 8
"""Loaded pages for each world of a batch whose task may change from episode to episode, of 8 MB each in the fast browser."""
STEP_COST = 0.01
"""Taken from the native reward of every step, so that short solutions are better ones."""


def _is_fast(params: WebParams) -> bool:
    """Whether the page of a task is one of files that the fast browser does."""
    return params.task_name not in SERVED and can_train(path_of(params.task_names))


def observation_space() -> gymnasium.spaces.Box:
    """Box [SIZE] float32; see encoding.py."""
    return gymnasium.spaces.Box(-10.0, 10.0, (SIZE,), np.float32)


def action_space() -> gymnasium.spaces.Discrete:
    """Discrete [COUNT]; see actions.py."""
    return gymnasium.spaces.Discrete(COUNT)


class WebBatch:
    """n pages; `params` gives each new episode its task parameters, over the task's own.

    Without `restarts`, a world that ended shows its last page until the next `reset`.
    """

    def __init__(
        self,
        task: TaskSpec,
        n: int,
        params: ParamSource | None = None,
        browser: Browser | None = None,
        *,
        restarts: bool = True,
    ) -> None:
        self.num_envs = n
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._source, self._restarts = task, params, restarts
        self._browser = browser or open_browser()
        many = params is not None and self._browser.name == "mixed"
        self._pool = Pool(self._browser, PAGES_EACH * n if many else n) if params or n > 1 else None
        self._worlds = [World(self._pool or self._browser) for _ in range(n)]
        self._generators: list[np.random.Generator] = []
        blank = Snapshot("", (), ended=False, raw_reward=0.0, clock_ms=0.0)
        self._pages: list[Snapshot] = [blank] * n
        self._slots: list[tuple[Element, ...]] = [()] * n
        self._measured: list[dict[str, float]] = [{}] * n
        self._lengths, self._returns = np.zeros(n, np.int64), np.zeros(n)
        self._progress = np.zeros(n)
        self._failed_before = [0] * n
        self.skipped = 0
        """Episodes that no browser would start."""
        self.ends: list[Outcome] = []
        """How the episodes that finished in the last step ended, in the order of its outcomes."""

    @property
    def failures(self) -> int:
        """Failures of the browser so far, over all worlds. None of them ended an episode."""
        return sum(world.failures for world in self._worlds)

    @property
    def abandoned(self) -> list[int]:
        """Actions that were given up because the browser failed on them, of each world."""
        return [world.abandoned for world in self._worlds]

    def elements(self, slot: int = 0) -> tuple[Element, ...]:
        """The elements that actions can name in one world now, in the order of their slots."""
        return self._slots[slot]

    def page(self, slot: int = 0) -> Snapshot:
        """The whole page of one world now."""
        return self._pages[slot]

    def action_masks(self) -> Mask:
        """[n, COUNT] actions that can change something now."""
        pairs = zip(self._pages, self._slots, strict=True)
        return np.stack([mask_of(page, slots, may_declare=False) for page, slots in pairs])

    def reset(self, seed: int) -> Float32:
        """Start new episodes, each world on its own stream derived from `seed`; return observations [n, SIZE]."""
        streams = np.random.SeedSequence(seed).spawn(self.num_envs)
        self._generators = [np.random.Generator(np.random.PCG64(stream)) for stream in streams]
        self._begin(range(self.num_envs))
        return self._observe()

    def _begin(self, slots: Iterable[int]) -> None:
        if self._browser.is_tired:
            (self._pool or self._browser).close()
        coming = {slot: self._next_params() for slot in slots}
        for slot in coming:
            self._failed_before[slot] = self._worlds[slot].failures
        for slot, page in zip(coming, self._start_all(coming), strict=True):
            self._lengths[slot], self._returns[slot] = 0, 0.0
            self._progress[slot] = page.progress
            self._look(slot, page, page, None)

    def _start_all(self, coming: Mapping[int, WebParams]) -> list[Snapshot]:
        """Begin episodes, side by side where the pages of their worlds have connections of their own."""
        if self._pool is None:
            return [self._start(slot, params) for slot, params in coming.items()]
        fast = self._browser.name == "mixed"
        apart = [
            fast and self._worlds[slot].params.task_name not in SERVED and _is_fast(params)
            for slot, params in coming.items()
        ]
        return self._pool.each(lambda slot: self._start(slot, coming[slot]), list(coming), apart)

    def _start(self, slot: int, params: WebParams) -> Snapshot:
        """Begin an episode. One that no browser will start is left out and counted, and the next seed is taken."""
        for left in reversed(range(MOST_SKIPPED + 1)):
            try:
                return self._worlds[slot].begin(int(self._generators[slot].integers(2**31)), params)
            except BrowserError:
                if not left:
                    raise
                self.skipped += 1
        raise AssertionError("not reached")

    def _next_params(self) -> WebParams:
        given = self._task.params if self._source is None else {**self._task.params, **self._source()}
        return WebParams.model_validate(resolve_params(self._task.family, WebParams, given))

    def _look(self, slot: int, page: Snapshot, before: Snapshot, action: Action | None) -> None:
        self._pages[slot], self._slots[slot] = page, shown(page)
        self._measured[slot] = measure(page, before, action, int(self._lengths[slot]))

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Act in every world. `actions` [n] int, clipped to the last one; an action that names nothing changes nothing."""
        if not self._generators:
            raise ValueError(f"{self._task.family}: call reset(seed) before step.")
        numbers = np.asarray(actions).reshape(self.num_envs).astype(int).clip(0, COUNT - 1)
        chosen = [decode(int(n), page, slots) for n, page, slots in zip(numbers, self._pages, self._slots, strict=True)]
        return self._finish(self.act(chosen))

    def act(self, actions: list[Action | None]) -> NDArray[np.bool_]:
        """Take structured actions, one a world; return [n] which worlds declared their task done."""
        declared = np.zeros(self.num_envs, np.bool_)
        self._begin_actions(actions)
        for slot, action in enumerate(actions):
            before = self._pages[slot]
            declared[slot] = action is not None and action.verb is Verb.DONE
            page = before if action is None or declared[slot] else self._worlds[slot].step(action)
            self._lengths[slot] += 1
            self._look(slot, page, before, action)
        return declared

    def _begin_actions(self, actions: list[Action | None]) -> None:
        """Let the pages that can do so act side by side; each world then hears what came of its action."""
        if self._pool is None:
            return
        alone = [world.params.task_name not in SERVED for world in self._worlds]
        taken = {slot: a for slot, a in enumerate(actions) if a and a.verb is not Verb.DONE and alone[slot]}
        self._pool.act_ahead(taken)

    def _finish(self, declared: NDArray[np.bool_]) -> StepBatch:
        ended = np.array([page.ended for page in self._pages], np.bool_)
        judged = np.array([page.raw_reward for page in self._pages])
        reward = np.where(ended, judged, np.where(declared, -1.0, 0.0)) - STEP_COST + self._advance(declared)
        terminated = ended | declared
        truncated = ~terminated & (self._lengths >= self._task.horizon)
        self._returns += reward
        final, next_state = self._observe(), self.named_state()
        observation, done = final, np.flatnonzero(terminated | truncated).tolist()
        outcomes = tuple(self._close_episode(slot, bool(truncated[slot])) for slot in done)
        self.ends = [self._end_of(slot, bool(truncated[slot])) for slot in done]
        if done and self._restarts:
            self._begin(done)
            observation = final.copy()
            observation[done] = self._observe(done)
        return StepBatch(
            observation=observation,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state=next_state,
            outcomes=outcomes,
        )

    def _advance(self, declared: NDArray[np.bool_]) -> NDArray[np.float64]:
        """[n] weighted progress of this step; an end takes back what was gained unless it is a right one."""
        before = self._progress
        self._progress = np.where(declared, 0.0, [page.progress for page in self._pages])
        weights = np.array([world.params.shaping for world in self._worlds])
        return np.asarray(weights * (self._progress - before), np.float64)

    def _end_of(self, slot: int, cut: bool) -> Outcome:
        page = self._pages[slot]
        if page.ended and is_success(self._worlds[slot].params.task_name, page.raw_reward):
            return Outcome.SUCCESS
        return Outcome.TIMEOUT if cut else Outcome.WRONG

    def _close_episode(self, slot: int, cut: bool) -> EpisodeOutcome:
        world, page, end = self._worlds[slot], self._pages[slot], self._end_of(slot, cut)
        return EpisodeOutcome(
            slot=slot,
            params=world.params.model_dump(),
            fitness=float(np.clip(page.raw_reward, 0.0, 1.0)) if page.ended else 0.0,
            success=end is Outcome.SUCCESS,
            native_return=float(self._returns[slot]),
            length=int(self._lengths[slot]),
            extras={
                "wrong": float(end is Outcome.WRONG),
                "timeout": float(end is Outcome.TIMEOUT),
                "browser_failures": float(world.failures - self._failed_before[slot]),
            },
        )

    def _observe(self, slots: Sequence[int] | None = None) -> Float32:
        """Observations [m, SIZE] of the worlds `slots`, of all where none are named."""
        spent = np.minimum(1.0, self._lengths / self._task.horizon)
        chosen = range(self.num_envs) if slots is None else slots
        return np.stack([encode_page(self._pages[slot], self._slots[slot], float(spent[slot])) for slot in chosen])

    def named_state(self) -> NamedState:
        """What can be seen on the pages, by name; see measures.py."""
        return {v.name: np.array([told[v.name] for told in self._measured]) for v in VARIABLES}

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB picture [240, 320, 3] of one page."""
        return self._worlds[slot].picture()

    def close(self) -> None:
        """Close the pages, what stands behind their sites, and the browser; may be called twice."""
        for world in self._worlds:
            world.close()
        (self._pool or self._browser).close()
