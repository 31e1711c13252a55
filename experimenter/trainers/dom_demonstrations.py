"""Demonstrations for the trainer `dom`: verified ones as trajectories, and cloning them before anything else.

They come from a file (`envs/web/demonstrations.py`: every demonstration is played again in a browser first) or, on a task that has one, from its
scripted oracle, on pages drawn from the training's seed. Only those whose page judges them solved are learnt from, whoever acted. WebRL and
DigiRL begin with such supervised steps; our runs without demonstrations skip them. Their steps are not in the count of env steps.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from envs.task import TaskSpec
from envs.web.backend import Browser, BrowserError
from envs.web.browsers import open_browser
from envs.web.demonstrations import Demonstrated, DemonstrationError, demonstrate, load_demonstrations
from envs.web.params import WebParams
from envs.web.parts import find_oracle_of
from envs.web.world import World
from experimenter.errors import UsageError
from experimenter.trainers.dom_algorithm import Algorithm
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_pages import pack_page
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_trajectories import Trajectory, tabulate
from experimenter.trainers.dom_updates import Descent, Pupil, mean_of, shuffled, taken_log_probabilities

_LOG = logging.getLogger(__name__)
_ORACLE = re.compile(r"oracle(?::(\d{1,5}))?")
_USUAL = 200
"""Episodes of an oracle where no number is named."""
_STREAM = 101
"""Sets the seeds of demonstrated pages apart from all others that are drawn from the training's seed."""
_TRIED = 9
"""Pages after which an oracle that has solved none is given up."""
WARM_UPDATES = 4
"""Updates after a warm start or cloning in which only values are learnt, where the algorithm can."""

Pulse = Callable[[], bool]
"""A sign of life; True when the training is to stop."""


def begin_with_demonstrations(
    network: DomNetwork,
    algorithm: Algorithm,
    settings: DomSettings,
    task: TaskSpec | None,
    *,
    seed: int,
    pulse: Pulse = lambda: False,
) -> None:
    """Clone what `settings.demonstrations` names into `network`, and give it to an algorithm that keeps episodes. Raises `UsageError`."""
    if settings.demonstrations and algorithm.head != "policy":
        raise UsageError(
            f"setting demonstrations of the trainer dom: {settings.algorithm} has no policy to clone into."
        )
    shown = read_trajectories(settings.demonstrations, task, seed=seed, pulse=pulse)
    clone_into(network, algorithm, settings, shown, seed, pulse)


def clone_into(
    network: DomNetwork,
    algorithm: Algorithm,
    settings: DomSettings,
    trajectories: Sequence[Trajectory],
    seed: int,
    pulse: Pulse = lambda: False,
) -> None:
    """Take `clone_epochs` supervised epochs over `trajectories`; then the values rest or the replay fills, as the algorithm can. None: nothing."""
    if not trajectories:
        return
    loss = clone(
        Pupil(network),
        Descent("cloning", network.parameters(), settings.max_gradient_norm),
        trajectories,
        epochs=settings.clone_epochs,
        minibatch=settings.minibatch,
        learning_rate=settings.learning_rate,
        rng=np.random.default_rng([seed, _STREAM + 1]),
        pulse=pulse,
    )
    steps = sum(len(one) for one in trajectories)
    _LOG.info("cloned %d demonstrations of %d steps, last loss %.3f", len(trajectories), steps, loss)
    for name, argument in (("add", trajectories), ("rest", WARM_UPDATES)):
        if (hook := getattr(algorithm, name, None)) is not None:
            hook(argument)


def read_trajectories(
    source: str, task: TaskSpec | None = None, *, seed: int = 0, pulse: Pulse = lambda: False
) -> list[Trajectory]:
    """Play the demonstrations of a file again, or let the oracle of `task` play (`oracle`, `oracle:300`), and return those that hold.

    None for an empty source. Raises `UsageError`.
    """
    if not source:
        return []
    asked = _ORACLE.fullmatch(source)
    browser = open_browser()
    try:
        count = int(asked[1] or _USUAL) if asked else 0
        held = list(_played(browser, _task_of(task), count, seed, pulse)) if asked else _read(Path(source), browser)
    except DemonstrationError as error:
        raise UsageError(f"setting demonstrations of the trainer dom: {error}") from error
    finally:
        browser.close()
    if not held and not pulse():
        raise UsageError(f"setting demonstrations of the trainer dom: none of {source} solves its page.")
    return [make_trajectory(one) for one in held]


def _read(path: Path, browser: Browser) -> list[Demonstrated]:
    loaded = load_demonstrations(path, browser)
    for line in loaded.rejected:
        _LOG.warning("not learnt from: %s", line)
    return list(loaded.episodes)


def _task_of(task: TaskSpec | None) -> TaskSpec:
    """The task, where it has an oracle; raises `DemonstrationError`."""
    if task is None:
        raise DemonstrationError("an oracle plays a task, and this training names none; give a file")
    params = WebParams.model_validate(dict(task.params))
    if find_oracle_of(params.task_names) is None:
        raise DemonstrationError(f"the task {' and '.join(params.task_names)} has no oracle; give a file")
    return task


def _played(browser: Browser, task: TaskSpec, count: int, seed: int, pulse: Pulse) -> Iterator[Demonstrated]:
    """Episodes of the oracle that hold, of `count` pages; raises `DemonstrationError` when the first ones all fail."""
    params = WebParams.model_validate({**task.params, "prefilled": 0, "shaping": 0.0})
    rng, world, held = np.random.default_rng([seed, _STREAM]), World(browser), 0
    try:
        for number in range(count):
            if pulse():
                return
            try:
                yield demonstrate(world, params, int(rng.integers(2**31)), task.horizon)
                held += 1
            except (DemonstrationError, BrowserError) as error:
                _LOG.warning("not learnt from: page %d: %s", number + 1, error)
                if number == _TRIED and not held:
                    raise DemonstrationError(f"its oracle solved none of {number + 1} pages: {error}") from error
    finally:
        world.close()


def make_trajectory(one: Demonstrated) -> Trajectory:
    """A verified demonstration as an episode that succeeded."""
    pages = tuple(pack_page(row, mask) for row, mask in zip(one.observations, one.masks, strict=True))
    rewards = tuple(float(each) for each in one.rewards)
    actions = tuple(int(each) for each in one.actions)
    return Trajectory(pages=pages, actions=actions, rewards=rewards, success=True, params=dict(one.params))


def clone(
    pupil: Pupil,
    descent: Descent,
    trajectories: Sequence[Trajectory],
    *,
    epochs: int,
    minibatch: int,
    learning_rate: float,
    rng: np.random.Generator,
    pulse: Pulse = lambda: False,
) -> float:
    """Take `epochs` of maximum likelihood over all steps of `trajectories`, fewer on a stop; return the mean loss of the last one."""
    table, loss = tabulate(trajectories), 0.0
    for _ in range(epochs):
        losses = []
        for rows in shuffled(np.arange(len(table.action)), minibatch, rng):
            if pulse():
                return loss
            told = pupil.look(table.observation[rows], table.mask[rows])
            likelihood = taken_log_probabilities(told, pupil.tensor(table.action[rows])).mean()
            losses.append(descent.step(-likelihood, learning_rate, 0))
        loss = mean_of(losses)
    return loss
