"""Demonstrations for `awr` and `phase`: verified ones from a file as trajectories, and cloning them before anything else.

The file is that of `envs/web/demonstrations.py`: every demonstration is played again in a browser first, and only those whose page judges them solved are
learnt from, whoever wrote them. WebRL and DigiRL both begin with such supervised steps; our runs without demonstrations skip them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from envs.web.browsers import open_browser
from envs.web.demonstrations import Demonstrated, DemonstrationError, load_demonstrations
from experimenter.errors import UsageError
from experimenter.trainers.dom_pages import pack_page
from experimenter.trainers.dom_trajectories import Trajectory, tabulate
from experimenter.trainers.dom_updates import Descent, Pupil, mean_of, shuffled, taken_log_probabilities

_LOG = logging.getLogger(__name__)


def read_trajectories(path: str) -> list[Trajectory]:
    """Play the demonstrations of a file again and return those that hold; none for an empty path. Raises `UsageError`."""
    if not path:
        return []
    browser = open_browser()
    try:
        loaded = load_demonstrations(Path(path), browser)
    except DemonstrationError as error:
        raise UsageError(f"setting demonstrations of the trainer dom: {error}") from error
    finally:
        browser.close()
    for line in loaded.rejected:
        _LOG.warning("not learnt from: %s", line)
    if not loaded.episodes:
        raise UsageError(f"setting demonstrations of the trainer dom: none of {path} solves its page.")
    return [make_trajectory(one) for one in loaded.episodes]


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
) -> float:
    """Take `epochs` of maximum likelihood over all steps of `trajectories`; return the mean loss of the last one."""
    table, loss = tabulate(trajectories), 0.0
    for _ in range(epochs):
        losses = []
        for rows in shuffled(np.arange(len(table.action)), minibatch, rng):
            told = pupil.look(table.observation[rows], table.mask[rows])
            likelihood = taken_log_probabilities(told, pupil.tensor(table.action[rows])).mean()
            losses.append(descent.step(-likelihood, learning_rate, 0))
        loss = mean_of(losses)
    return loss
