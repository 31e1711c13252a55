"""What a policy of web pages does in each browser on the same pages: greedy and sampled success, and one episode as pictures.

Greedy and sampled are reported side by side because a policy without memory can be right when it samples and go in circles when it
does not. The browsers are those that training uses and, last, the full Chromium with trusted input, which is the one that counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Browser, BrowserError, BrowserMissing
from envs.web.browsers import list_installed, open_browser
from envs.web.encoding import encode_page
from envs.web.params import WebParams
from envs.web.world import World
from experimenter.evaluation.web_episodes import Chooser, Episode, Moment, play, world_seed
from skills.artifact import Policy
from skills.evidence import wilson_interval

log = logging.getLogger(__name__)

TRUSTED = "chromium, trusted input"
Picture = NDArray[np.uint8]


@runtime_checkable
class Scored(Protocol):
    """A policy that tells the masked logits behind its choice."""

    def scores(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, COUNT]"""
        ...


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Successes of some episodes, with the 95% Wilson interval."""

    successes: int
    episodes: int

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.successes, self.episodes)


@dataclass(frozen=True, kw_only=True)
class TransferRow:
    """One browser."""

    browser: str
    greedy: Rate
    sampled: Rate | None
    """None for a policy that tells no scores."""
    failures: int
    """Failures of the browser on the way; none of them ended an episode."""


@dataclass(frozen=True, kw_only=True)
class Filmed:
    """One greedy episode and the page before each of its steps, and after the last."""

    episode: Episode
    pictures: tuple[Picture, ...]


def measure_transfer(
    policy: Policy,
    params: WebParams,
    seeds: Sequence[int],
    *,
    horizon: int,
    browsers: Sequence[str] = (),
    limit_s: float = 60.0,
) -> list[TransferRow]:
    """Play the pages of `seeds` (as `reset` takes them) in each browser, all that are here by default.

    A browser that fails, or for which no time is left, has no row, nor has Lightpanda where several tasks stand on one page: it knows no frames.
    """
    rows, deadline = [], time.monotonic() + limit_s
    for name in browsers or (*reversed(list_installed()), TRUSTED):
        if name == "lightpanda" and len(params.task_names) > 1:
            continue
        try:
            row = _measure(name, policy, params, seeds, horizon, deadline)
        except (BrowserError, BrowserMissing) as error:
            log.warning(
                "no transfer to %s: %s", name, str(error).splitlines()[0] if str(error) else "the browser failed"
            )
            continue
        if row is not None:
            rows.append(row)
    return rows


def film_episode(policy: Policy, params: WebParams, seed: int, *, horizon: int, browser: Browser) -> Filmed:
    """Play one page greedily and keep a picture of every step; raises `BrowserError`."""
    world = World(browser)
    pictures: list[Picture] = []
    greedy = greedy_chooser(policy, horizon)

    def choose(moment: Moment) -> int | None:
        number = greedy(moment)
        if number is not None and moment.mask[number]:  # an idle step has no picture, as it is no step of the trace
            pictures.append(world.picture())
        return number

    try:
        episode = play(world, params, world_seed(seed), choose, kind="policy", horizon=horizon)
        pictures.append(world.picture())
    finally:
        world.close()
    return Filmed(episode=episode, pictures=tuple(pictures))


def open_named(name: str) -> Browser:
    """A browser by its name in the table."""
    return open_browser(mode="certify") if name == TRUSTED else open_browser(name)


def greedy_chooser(policy: Policy, horizon: int) -> Chooser:
    """The policy's own choice."""
    return lambda moment: int(policy.act(_observe(moment, horizon))[0])


def sampling_chooser(policy: Scored, horizon: int, rng: np.random.Generator) -> Chooser:
    """A draw from the softmax of the policy's scores, over what is legal."""

    def choose(moment: Moment) -> int:
        scores = np.where(moment.mask, policy.scores(_observe(moment, horizon))[0].astype(np.float64), -np.inf)
        weights = np.exp(scores - scores.max())
        return int(rng.choice(len(weights), p=weights / weights.sum()))

    return choose


def _measure(
    name: str, policy: Policy, params: WebParams, seeds: Sequence[int], horizon: int, deadline: float
) -> TransferRow | None:
    browser = open_named(name)
    world = World(browser)
    try:
        greedy = _rate(world, params, seeds, horizon, deadline, lambda seed: greedy_chooser(policy, horizon))
        sampled = None
        if isinstance(policy, Scored):
            scored: Scored = policy
            sampled = _rate(
                world,
                params,
                seeds,
                horizon,
                deadline,
                lambda seed: sampling_chooser(scored, horizon, np.random.default_rng(seed)),
            )
        failures = world.failures
    finally:
        world.close()
        browser.close()
    if not greedy.episodes:
        return None
    return TransferRow(browser=name, greedy=greedy, sampled=sampled, failures=failures)


def _rate(
    world: World,
    params: WebParams,
    seeds: Sequence[int],
    horizon: int,
    deadline: float,
    chooser: Callable[[int], Chooser],
) -> Rate:
    ends: list[bool] = []
    for seed in seeds:
        if time.monotonic() > deadline:
            break
        ends.append(play(world, params, world_seed(seed), chooser(seed), kind="policy", horizon=horizon).success)
    return Rate(successes=sum(ends), episodes=len(ends))


def _observe(moment: Moment, horizon: int) -> NDArray[np.float32]:
    """[1, SIZE] as the batch gives it."""
    return encode_page(moment.page, moment.slots, moment.step / horizon)[None]
