"""Demonstrations as a start of `awr` and `phase`: only those that hold in a real browser are learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envs.web.backend import Action
from envs.web.browsers import open_browser
from envs.web.demonstrations import Demonstration, write_demonstrations
from envs.web.oracles import find_oracle
from envs.web.params import WebParams
from envs.web.world import World
from experimenter.errors import UsageError
from experimenter.trainers.dom_demonstrations import read_trajectories
from experimenter.trainers.dom_trajectories import tabulate


def demonstrate(seed: int) -> Demonstration:
    """What the oracle does on click-button."""
    browser = open_browser()
    world = World(browser)
    try:
        page = world.begin(seed, WebParams())
        script = find_oracle(WebParams().task_name)
        assert script is not None
        instruction, running, actions = page.instruction, script(page), list[Action]()
        action = next(running)
        while not page.ended:
            actions.append(action)
            page = world.step(action)
            if not page.ended:
                action = running.send(page)
    finally:
        world.close()
        browser.close()
    return Demonstration(
        params=WebParams().model_dump(), seed=seed, instruction=instruction, actions=tuple(actions), source="oracle"
    )


def test_a_demonstration_that_holds_becomes_a_success_to_learn_from(tmp_path: Path) -> None:
    good = demonstrate(5)
    write_demonstrations(tmp_path / "shown.jsonl", [good, replace(good, instruction="Buy a boat.")])
    (read,) = read_trajectories(str(tmp_path / "shown.jsonl"))
    table = tabulate([read])
    assert read.success and len(read) == len(good.actions)
    assert float(table.reward[-1]) == pytest.approx(0.99)
    assert all(mask[action] for mask, action in zip(table.mask, table.action, strict=True))


def test_a_file_in_which_nothing_holds_is_refused(tmp_path: Path) -> None:
    write_demonstrations(tmp_path / "shown.jsonl", [replace(demonstrate(5), seed=6)])
    with pytest.raises(UsageError, match=r"none of .*shown\.jsonl solves its page"):
        read_trajectories(str(tmp_path / "shown.jsonl"))
    with pytest.raises(UsageError, match="setting demonstrations of the trainer dom: cannot read"):
        read_trajectories(str(tmp_path / "missing.jsonl"))
    assert read_trajectories("") == []
