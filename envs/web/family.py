"""The web family: the `Family` contract over card, parameters and worlds. A browser is started only by a world's reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from envs.family import BatchEnv, Card, Family, Params, ParamSource, resolve_params
from envs.task import ParamValue, TaskSpec
from envs.web.backend import BrowserMissing
from envs.web.params import MOST_PREFILLED, WebParams
from envs.web.tasks import check_site, list_here

NAME = "web"
_LONG = 3
"""Steps of a solution from which on chance alone seldom finds it: read-table's three were not found in 20,000 steps."""


class WebFamily:
    """Tasks on web pages."""

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self.params_model: type[Params] = WebParams

    def card(self) -> Card:
        """Tell a model about the family."""
        from envs.web.card import make_card

        return make_card(self.name)

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Return the full task.

        Raises `ValueError` with one line on an unknown name, a bad value, horizon or seed, or a site that is not installed here.
        """
        from envs.web.card import HORIZON

        if horizon is not None and horizon < 1:
            raise ValueError(f"web: horizon = {horizon} is not a number of actions of at least 1.")
        if seed < 0:
            raise ValueError(f"web: seed = {seed} is negative; give 0 or more.")
        filled = resolve_params(self.name, WebParams, params or {})
        check_site(int(filled["task"]))
        return TaskSpec(family=self.name, params=filled, horizon=horizon or HORIZON * int(filled["depth"]), seed=seed)

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One page; see `envs.web.env.WebEnv`."""
        from envs.web.env import WebEnv

        return WebEnv(task)

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n pages in one browser; see `envs.web.batch.WebBatch`. Raises `ValueError` when n is below 1."""
        from envs.web.batch import WebBatch

        if n < 1:
            raise ValueError(f"web: n = {n} worlds is not at least 1.")
        return WebBatch(task, n, params)

    def make_exam(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """As `make_vec`, but always in the full Chromium with trusted mouse and keyboard: what a certificate is measured in."""
        from envs.web.batch import WebBatch
        from envs.web.browsers import open_browser

        if n < 1:
            raise ValueError(f"web: n = {n} worlds is not at least 1.")
        return WebBatch(task, n, params, browser=open_browser(mode="certify"))

    def easy_start(self, task: TaskSpec) -> Mapping[str, ParamValue]:
        """The end of a solution of three steps or more, where an oracle knows one: the curriculum then begins earlier and earlier."""
        from envs.web.survey import solution_steps

        params = WebParams.model_validate(dict(task.params))
        steps = solution_steps(params.task_names)
        return {"prefilled": min(2 * steps, MOST_PREFILLED)} if steps >= _LONG and not params.prefilled else {}

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw every parameter uniformly from its bounds, the task from those that can be made here."""
        drawn = {p.name: int(rng.integers(int(p.low), int(p.high) + 1)) for p in self.card().params}
        here = list_here()
        return {**drawn, "task": here[int(rng.integers(len(here)))]}


def make_family(name: str) -> Family:
    """Build the family; raises `BrowserMissing` (an `ImportError`) with what to install where pages or a browser are missing."""
    from envs.web.browsers import list_installed
    from envs.web.chromium import find_chromium
    from envs.web.miniwob import miniwob_site

    if name != NAME:
        raise ValueError(f"unknown environment {name!r}. Did you mean {NAME!r}?")
    miniwob_site()
    if not list_installed():
        find_chromium()
        raise BrowserMissing("the web family has no browser: apt-get install chromium.")
    return WebFamily(name)
