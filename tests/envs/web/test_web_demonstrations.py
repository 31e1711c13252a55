"""Demonstrations: the file reads as it was written, and only what solves its page again becomes arrays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.web.actions import COUNT, TYPE
from envs.web.backend import Action, Verb
from envs.web.chromium import Chromium
from envs.web.demonstrations import (
    Demonstration,
    DemonstrationError,
    demonstrate,
    load_demonstrations,
    read_demonstrations,
    replay,
    stack,
    write_demonstrations,
)
from envs.web.encoding import SIZE
from envs.web.oracles import find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

TEXT = ALL_TASKS.index("enter-text")


def make_demonstration(world: World, seed: int = 5) -> Demonstration:
    """What the oracle of enter-text does on a page."""
    page = world.begin(seed, WebParams(task=TEXT))
    instruction, actions = page.instruction, []
    script = find_oracle("enter-text")
    assert script is not None
    running = script(page)
    action = next(running)
    while True:
        actions.append(action)
        page = world.step(action)
        if page.ended:
            break
        action = running.send(page)
    return Demonstration(
        params={"task": TEXT}, seed=seed, instruction=instruction, actions=tuple(actions), source="oracle"
    )


def test_a_demonstration_is_played_again_and_becomes_arrays(chromium: Chromium, tmp_path: Path) -> None:
    world = World(chromium)
    one, two = make_demonstration(world), make_demonstration(world, 6)
    path = tmp_path / "demos.jsonl"
    write_demonstrations(path, [one])
    write_demonstrations(path, [two])
    assert read_demonstrations(path) == (one, two)
    assert len(path.read_text().splitlines()) == 3
    loaded = load_demonstrations(path, chromium)
    assert loaded.rejected == () and len(loaded.episodes) == 2
    held = loaded.episodes[0]
    assert held.observations.shape == (2, SIZE) and held.masks.shape == (2, COUNT)
    assert held.actions[0] >= TYPE and held.masks[np.arange(2), held.actions].all()
    assert held.rewards.tolist() == [-0.01, 0.99]
    observations, masks, actions = stack(loaded.episodes)
    assert observations.shape == (4, SIZE) and masks.shape == (4, COUNT) and actions.shape == (4,)
    world.close()


def test_what_does_not_hold_is_rejected_with_its_reason(chromium: Chromium, tmp_path: Path) -> None:
    world = World(chromium)
    one = make_demonstration(world)
    typed, sent = one.actions
    cases = {
        "its 1 step(s) do not solve the page": replace(one, actions=(sent,)),
        "do not solve the page": replace(one, actions=(typed,)),
        "the page asks for": replace(one, instruction='Enter "mine" into the text field and press Submit.'),
        "step 1, type, is not possible": replace(one, actions=(replace(typed, text="not in the instruction"), sent)),
        "step 1, click, is not possible": replace(one, actions=(Action(Verb.CLICK, 99),)),
        "step 3, click, is not possible": replace(one, actions=(typed, sent, sent)),
        "no such task": replace(one, params={"task": 10**6}),
    }
    for why, case in cases.items():
        with pytest.raises(DemonstrationError) as caught:
            replay(world, case)
        assert why in str(caught.value)
    path = tmp_path / "demos.jsonl"
    write_demonstrations(path, [cases["do not solve the page"], one])
    loaded = load_demonstrations(path, chromium)
    assert len(loaded.episodes) == 1
    assert loaded.rejected == ("demonstration 1: its 1 step(s) do not solve the page",)
    world.close()


def test_a_horizon_cuts_a_demonstration(chromium: Chromium) -> None:
    world = World(chromium)
    one = make_demonstration(world)
    with pytest.raises(DemonstrationError, match="do not solve"):
        replay(world, one, horizon=1)
    assert replay(world, one, horizon=2).actions.shape == (2,)
    world.close()


def test_an_oracle_plays_as_a_policy_would(chromium: Chromium) -> None:
    world = World(chromium)
    shown = demonstrate(world, WebParams(task=TEXT), 5)
    again = replay(world, make_demonstration(world))
    assert shown.actions.tolist() == again.actions.tolist() and shown.rewards.tolist() == [-0.01, 0.99]
    assert np.array_equal(shown.observations, again.observations) and np.array_equal(shown.masks, again.masks)
    assert shown.params == WebParams(task=TEXT).model_dump()
    with pytest.raises(DemonstrationError, match=r"its 1 step\(s\) do not solve"):
        demonstrate(world, WebParams(task=TEXT), 5, horizon=1)
    with pytest.raises(DemonstrationError, match="use-slider has no oracle"):
        demonstrate(world, WebParams(task=ALL_TASKS.index("use-slider")), 5)
    world.close()


HEAD = json.dumps({"format": "web-demonstrations-1"})
GOOD = {"params": {"task": 1}, "seed": 1, "instruction": "x", "actions": [{"verb": "click", "element": 0}]}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "line 1: expected"),
        (['{"format": "other"}'], "line 1: expected"),
        ([HEAD, "not json"], "line 2: not JSON"),
        ([HEAD, "[1]"], "line 2: expected a JSON object"),
        ([HEAD, json.dumps({**GOOD, "actions": []})], "line 2: 0 actions"),
        ([HEAD, json.dumps({**GOOD, "actions": [{"verb": "eval"}]})], "line 2: 'eval' is not a valid Verb"),
        ([HEAD, json.dumps({**GOOD, "seed": -1})], "line 2: seed -1"),
        ([HEAD, json.dumps({**GOOD, "params": {"task": [1]}})], "neither number nor text"),
        ([HEAD, json.dumps({"seed": 1})], "line 2: 'params'"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, lines: list[str], says: str) -> None:
    path = tmp_path / "demos.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(DemonstrationError) as caught:
        read_demonstrations(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DemonstrationError, match="cannot read"):
        read_demonstrations(tmp_path / "none.jsonl")
