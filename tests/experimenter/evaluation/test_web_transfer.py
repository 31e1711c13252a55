"""Policies of pages in real browsers: greedy and sampled are told apart, and a policy grounds what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.web.actions import COPY, COUNT, TYPE, shown
from envs.web.backend import Action, Verb
from envs.web.chromium import Chromium, is_installed
from envs.web.encoding import HAS_TEXT, PRESENT, SIZE, rows_of
from envs.web.language import Line, Word, parse_line
from envs.web.miniwob import miniwob_site
from envs.web.testing import button, field, make_page, words
from experimenter.evaluation.web_policy_grounder import ground_by_policy, instruct
from experimenter.evaluation.web_traces import params_of
from experimenter.evaluation.web_transfer import Scored, film_episode, measure_transfer


class Fixed:
    """Scores that are the same on every page: the actions named are liked."""

    def __init__(self, **likes: float) -> None:
        self._scores = np.full(COUNT, -5.0, np.float32)
        for name, liking in likes.items():
            self._scores[int(name[1:])] = liking
        self.seen: list[NDArray[Any]] = []

    def scores(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        assert observation.shape == (1, SIZE)
        self.seen.append(observation)
        return self._scores[None]

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        chosen: NDArray[Any] = np.argmax(self.scores(observation), axis=1)
        return chosen


class Greedy:
    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return np.zeros(1, np.int64)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    if not is_installed():
        pytest.skip("no Chromium here: apt-get install chromium")
    browser = Chromium([miniwob_site()])
    yield browser
    browser.close()


def test_greedy_and_sampled_success_stand_side_by_side(chromium: Chromium) -> None:
    """Copying (never ending) is liked a little better than the click that solves: greedy fails, sampling succeeds."""
    policy = Fixed(**{"n0": 3.0, f"n{COPY}": 3.2})
    assert isinstance(policy, Scored)
    (row,) = measure_transfer(
        policy, params_of("click-test"), range(2_000_000, 2_000_006), horizon=12, browsers=["chromium"]
    )
    assert (row.greedy.successes, row.greedy.episodes) == (0, 6)
    assert row.sampled is not None and row.sampled.successes >= 5


def test_a_policy_without_scores_is_only_greedy_and_no_time_gives_no_row(chromium: Chromium) -> None:
    (row,) = measure_transfer(Greedy(), params_of("click-test"), [1, 2], horizon=3, browsers=["chromium"])
    assert (row.greedy.successes, row.sampled) == (2, None)
    assert (
        measure_transfer(Greedy(), params_of("click-test"), [1], horizon=3, browsers=["chromium"], limit_s=-1.0) == []
    )


def test_a_film_has_a_picture_before_every_step_and_after(chromium: Chromium) -> None:
    filmed = film_episode(Greedy(), params_of("click-test"), 1, horizon=3, browser=chromium)
    assert filmed.episode.success and len(filmed.pictures) == 2
    assert filmed.pictures[0].shape == (240, 320, 3)
    assert (filmed.pictures[0] != filmed.pictures[1]).any()


def test_idle_steps_have_no_picture(chromium: Chromium) -> None:
    """Number 47 names no element of the page, so every step is idle: only the page at the end is shown."""
    policy = Fixed(n47=3.0)
    filmed = film_episode(policy, params_of("click-test"), 1, horizon=2, browser=chromium)
    assert (filmed.episode.idle, len(filmed.pictures), filmed.episode.trace.steps) == (2, 1, ())


PAGE = make_page(words("Hi"), button("Send"), button("Quit"), field("tt"), instruction="Do all of it.")


def test_a_policy_reads_the_line_as_its_instruction() -> None:
    policy = Fixed(n1=3.0)
    found = ground_by_policy(policy, parse_line("click(\"the button 'Send'\")"), PAGE)
    assert found.action == Action(Verb.CLICK, 1) and found.score > 0.9
    rows = rows_of(policy.seen[0])[0]
    assert rows[: len(shown(PAGE)), PRESENT].all() and rows[1, HAS_TEXT] == 1.0
    assert instruct(parse_line("click(\"the button 'Send'\")")) == 'Click on the button "Send".'
    assert instruct(Line(Word.TYPE, "the field", "bob")) == 'Enter "bob" into the field.'


def test_only_what_the_line_says_is_scored() -> None:
    policy = Fixed(n1=9.0, **{f"n{COPY}": 3.0, f"n{TYPE + 3}": 3.0})
    assert ground_by_policy(policy, parse_line('copy("the text")'), PAGE).action == Action(Verb.COPY, 0)
    typed = ground_by_policy(policy, parse_line('type("the field", "bob")'), PAGE)
    assert typed.action == Action(Verb.TYPE, 3, "bob")
    assert ground_by_policy(policy, parse_line('paste("the field")'), PAGE).action is None
    assert ground_by_policy(policy, parse_line('press("Tab")'), PAGE).action == Action(Verb.PRESS, text="Tab")


def test_a_policy_that_is_not_sure_refuses() -> None:
    found = ground_by_policy(Fixed(n1=3.0, n2=3.0), parse_line('click("a button")'), PAGE)
    assert found.action is None and "not sure" in found.why
