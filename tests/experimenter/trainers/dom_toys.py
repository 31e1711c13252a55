"""Pages without a browser: a made-up page of named buttons, one of which the instruction names, in one or two steps. For tests of `dom`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, NamedState, StepBatch
from envs.task import ParamValue
from envs.web.actions import COUNT, decode, shown
from envs.web.backend import Element, Snapshot, Verb
from envs.web.batch import action_space, observation_space
from envs.web.encoding import encode_page

WORDS = ("Alpha", "Bravo", "Charlie", "Delta")


def make_element(index: int, text: str, *, tag: str = "button", clicks: int = 0, last: bool = False) -> Element:
    """A button that says `text`."""
    return Element(
        index=index,
        tag=tag,
        text=text,
        value="",
        attributes="",
        around="",
        interactive=True,
        editable=False,
        checked=clicks > 0,
        disabled=False,
        focused=False,
        scrollable=False,
        clicks=clicks,
        typed=0,
        last=last,
        box=(0.0, 0.0, 0.0, 0.0),
    )


class ToyPages:
    """n pages of `buttons` buttons. One step: click the named one. Two: then click the last one, which says Submit; a wrong click ends it."""

    def __init__(self, n: int = 4, *, buttons: int = 3, two_steps: bool = False, horizon: int = 5) -> None:
        self.num_envs, self._buttons, self._two, self._horizon = n, buttons, two_steps, horizon
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self.params: dict[str, ParamValue] = {"task": 0}
        self._rng = np.random.default_rng(0)
        self._words: list[list[str]] = [[] for _ in range(n)]
        self._wanted = [0] * n
        self._clicked = [False] * n
        self._lengths = [0] * n

    def reset(self, seed: int) -> NDArray[np.float32]:
        self._rng = np.random.default_rng(seed)
        for slot in range(self.num_envs):
            self._begin(slot)
        return self._observe()

    def _begin(self, slot: int) -> None:
        self._words[slot] = [str(word) for word in self._rng.permutation(WORDS)[: self._buttons]]
        self._wanted[slot] = int(self._rng.integers(self._buttons))
        self._clicked[slot], self._lengths[slot] = False, 0

    def _page(self, slot: int) -> Snapshot:
        names = [*self._words[slot], *(("Submit",) if self._two else ())]
        done = self._wanted[slot] if self._clicked[slot] else -1
        elements = tuple(
            make_element(place, name, clicks=int(place == done), last=place == done) for place, name in enumerate(names)
        )
        told = f'Click on "{self._words[slot][self._wanted[slot]]}"' + (", then Submit." if self._two else ".")
        return Snapshot(told, elements, ended=False, raw_reward=0.0, clock_ms=0.0)

    def _observe(self) -> NDArray[np.float32]:
        pages = [self._page(slot) for slot in range(self.num_envs)]
        spent = [length / self._horizon for length in self._lengths]
        return np.stack([encode_page(page, shown(page), share) for page, share in zip(pages, spent, strict=True)])

    def step(self, actions: NDArray[Any]) -> StepBatch:
        reward, terminated = np.full(self.num_envs, -0.01), np.zeros(self.num_envs, np.bool_)
        success = np.zeros(self.num_envs, np.bool_)
        for slot, number in enumerate(np.asarray(actions).tolist()):
            page = self._page(slot)
            action = decode(min(int(number), COUNT - 1), page, shown(page))
            self._lengths[slot] += 1
            if action is None or action.verb is not Verb.CLICK:
                continue
            if self._two and not self._clicked[slot] and action.element == self._wanted[slot]:
                self._clicked[slot] = True
                continue
            goal = self._buttons if self._two else self._wanted[slot]
            success[slot] = action.element == goal and (self._clicked[slot] or not self._two)
            terminated[slot] = True
            reward[slot] += 1.0 if success[slot] else -1.0
        truncated = ~terminated & (np.array(self._lengths) >= self._horizon)
        final = self._observe()
        done = np.flatnonzero(terminated | truncated).tolist()
        outcomes = tuple(
            EpisodeOutcome(
                slot=slot,
                params=dict(self.params),
                fitness=float(success[slot]),
                success=bool(success[slot]),
                native_return=0.0,
                length=self._lengths[slot],
            )
            for slot in done
        )
        for slot in done:
            self._begin(slot)
        return StepBatch(
            observation=self._observe(),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state={},
            outcomes=outcomes,
        )

    def named_state(self) -> NamedState:
        return {}

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        raise NotImplementedError

    def close(self) -> None:
        return None
