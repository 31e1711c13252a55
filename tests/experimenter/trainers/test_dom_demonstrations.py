"""Demonstrations as a start of `awr` and `phase`: only those that hold in a real browser are learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envs.catalog import get_family
from envs.task import TaskSpec
from envs.web.backend import Action
from envs.web.browsers import open_browser
from envs.web.demonstrations import Demonstration, write_demonstrations
from envs.web.oracles import find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS
from envs.web.world import World
from experimenter.errors import UsageError
from experimenter.evaluation.rollout import evaluate
from experimenter.execution.job import train_job
from experimenter.records import RewardKind, RewardProgram, TrainJob
from experimenter.trainers.dom_demonstrations import read_trajectories
from experimenter.trainers.dom_trajectories import tabulate
from skills.artifact import load_policy


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


def shop(**params: int) -> TaskSpec:
    return get_family("web").resolve_task({"task": ALL_TASKS.index("shop-buy"), "catalogue": 100, "asked": 1, **params})


def test_the_oracle_of_the_task_shows_as_many_pages_as_are_asked_for() -> None:
    shown = read_trajectories("oracle:3", shop(prefilled=4), seed=1)
    # q, price, search, result, add, checkout, order: from the beginning, whatever is prefilled
    assert [len(one) for one in shown] == [7, 7, 7] and all(one.success for one in shown)
    assert len({one.actions for one in shown}) > 1, "different wishes"
    assert [one.actions for one in read_trajectories("oracle:3", shop(), seed=1)] == [one.actions for one in shown]
    assert read_trajectories("oracle:3", shop(), seed=1, pulse=lambda: True) == []


def test_an_oracle_that_is_not_there_is_said_in_one_line() -> None:
    chase = get_family("web").resolve_task({"task": ALL_TASKS.index("use-slider")})
    with pytest.raises(UsageError, match="the task use-slider has no oracle; give a file"):
        read_trajectories("oracle", chase)
    with pytest.raises(UsageError, match="this training names none; give a file"):
        read_trajectories("oracle")


@pytest.mark.slow
def test_a_shop_is_learnt_from_its_oracle(tmp_path: Path) -> None:
    """Untrained it buys nothing; after 120 shown purchases most of what it buys is judged right by the shop's own query."""
    task = shop()
    job = TrainJob(
        task=task,
        reward=RewardProgram(kind=RewardKind.NATIVE),
        trainer="dom",
        settings={"demonstrations": "oracle:120", "clone_epochs": 15},
        seed=0,
        budget_steps=256,
        schedule_steps=256,
    )
    outcome = train_job(job, tmp_path, lambda: False)
    assert outcome.failure is None
    found = evaluate(
        get_family("web"), task, load_policy(tmp_path / "policy"), range(3 * 10**6, 3 * 10**6 + 30), exam=False
    )
    assert sum(found.success) >= 21
