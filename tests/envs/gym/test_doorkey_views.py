"""The kept views of a DoorKey room against MiniGrid's own, over play that moves the key and the door about."""

from __future__ import annotations

import numpy as np
import pytest

from envs.gym.doorkey import SIZES, DoorKeyWorld
from envs.gym.lookup import find_spec, open_env


@pytest.mark.parametrize("gym_id", list(SIZES))
def test_every_view_is_minigrids_own(gym_id: str) -> None:
    ours, theirs = DoorKeyWorld(open_env(find_spec(gym_id))), open_env(find_spec(gym_id))
    rng = np.random.default_rng(0)
    kept = carried = opened = 0
    for episode in range(12):
        seen, _ = theirs.reset(seed=episode)
        assert_same(ours.reset(episode, {}), seen)
        for _ in range(250):
            # turns and steps, and often enough the actions that change the room
            action = int(rng.choice(7, p=[0.15, 0.15, 0.3, 0.15, 0.05, 0.15, 0.05]))
            core = theirs.unwrapped
            mine, their = ours.env.step(action), theirs.step(action)
            assert_same(mine[0], their[0])
            assert mine[1:4] == their[1:4]
            carried += core.carrying is not None  # type: ignore[attr-defined]
            opened += any(t is not None and t.type == "door" and t.is_open for t in core.grid.grid)  # type: ignore[attr-defined]
            if their[2] or their[3]:
                break
        kept += 250 - len(ours._views)
    assert kept > 250, "most views come from memory"
    assert carried > 0 and (opened > 0 or SIZES[gym_id] > 8)
    ours.env.close()
    theirs.close()


def test_a_view_that_a_caller_writes_into_is_not_the_one_kept() -> None:
    world = DoorKeyWorld(open_env(find_spec("MiniGrid-DoorKey-5x5-v0")))
    world.reset(0, {})
    first = world.env.step(6)[0]["image"]
    first[:] = 99
    assert world.env.step(6)[0]["image"].max() < 99


def assert_same(mine: dict[str, object], theirs: dict[str, object]) -> None:
    assert mine.keys() == theirs.keys()
    assert np.array_equal(mine["image"], theirs["image"])  # type: ignore[arg-type]
    assert (mine["direction"], mine["mission"]) == (theirs["direction"], theirs["mission"])
