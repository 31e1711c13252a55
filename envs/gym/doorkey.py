"""MiniGrid-DoorKey: card and the ground truth "key, door, goal: how far did it get, how soon". Rooms: the package minigrid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, NamedState, Params
from envs.gym.lookup import find_spec, open_env
from envs.gym.loop import LoopSimulator, World
from envs.gym.recipe import Ending, Recipe, Score, make_variables
from envs.gym.spaces import ActionCodec, ObservationCodec
from envs.task import ParamValue

SIZES: Mapping[str, int] = {f"MiniGrid-DoorKey-{size}x{size}-v0": size for size in (5, 6, 8, 16)}
"""Gymnasium id -> tiles along one side, outer walls included."""
_STEPS_PER_TILE = 10
_STAGE = 0.2
_ARRIVED = 0.6
_EARLY = 0.4

_ACTIONS = make_variables(
    [
        (
            "move",
            "choice",
            0,
            6,
            "0 turn left; 1 turn right; 2 one tile forward; 3 pick up what lies on the tile ahead; 4 put it down on the tile ahead; "
            "5 open or shut the door ahead (a locked one opens only with the key in hand); 6 nothing",
        )
    ]
)


class DoorKeyParams(Params):
    """No task parameters: the id gives the size, the seed the room."""


def make_state(size: int) -> Any:
    """Variables of a room of `size` tiles a side; x counts from the left, y from the top."""
    last = float(size - 1)
    tiles = [
        ("agent_x", "tiles", 0.0, last, "column of the agent, counted from the left wall"),
        ("agent_y", "tiles", 0.0, last, "row of the agent, counted from the top wall"),
        ("ahead_x", "tiles", 0.0, last, "column of the tile that the agent faces"),
        ("ahead_y", "tiles", 0.0, last, "row of the tile that the agent faces"),
        ("key_x", "tiles", 0.0, last, "column of the key; the agent's own while it is carried"),
        ("key_y", "tiles", 0.0, last, "row of the key; the agent's own while it is carried"),
        ("door_x", "tiles", 0.0, last, "column of the door, which is the column of the dividing wall"),
        ("door_y", "tiles", 0.0, last, "row of the door"),
        ("goal_x", "tiles", 0.0, last, "column of the goal tile"),
        ("goal_y", "tiles", 0.0, last, "row of the goal tile"),
    ]
    flags = [
        ("carries_key", "1", 0.0, 1.0, "1 while the agent carries the key, else 0"),
        ("door_unlocked", "1", 0.0, 1.0, "1 once the door has been unlocked, else 0"),
        ("door_open", "1", 0.0, 1.0, "1 while the door stands open, else 0"),
    ]
    return make_variables([*tiles, *flags])


def _card(gym_id: str, size: int) -> Card:
    horizon = _STEPS_PER_TILE * size**2
    return Card(
        family=f"gym:{gym_id}",
        title=f"Door and key on a {size} by {size} grid: fetch the key, open the door, reach the goal",
        text=(
            f"A room of {size} by {size} tiles, outer walls included, is divided by a wall from top to bottom. The agent and a key are "
            "on the left side, the goal tile in the lower right corner; a locked door in the dividing wall joins the sides. Where the "
            "wall, the door, the key and the agent are is new in each episode. The agent stands on one tile and faces one of four "
            "ways; it can walk over free tiles and through an open door, but not over the key, which it picks up from the tile "
            "before it. A locked door is opened by facing it with the key in hand.\n\n"
            f"The episode ends as soon as the agent steps on the goal. Otherwise it runs to the horizon ({horizon} steps).\n\n"
            "Good behaviour fetches the key, opens the door and walks to the goal, by the shortest way.\n\n"
            "The policy sees only the 7 by 7 tiles before the agent, and its direction; the state below is the whole truth."
        ),
        state=make_state(size),
        actions=_ACTIONS,
        params=(),
        fitness=(
            "From 0 to 1. Without the goal: 0.2 for having picked up the key and 0.2 more for having unlocked the door. With the "
            "goal: 0.6, and up to 0.4 more the sooner it was reached."
        ),
        success="The agent reaches the goal tile before the horizon.",
        horizon=horizon,
        hints=(
            "The key is of use only in hand, and only until the door has been unlocked.",
            "An agent that puts the key down and picks it up again, or opens and shuts the door, makes no progress.",
        ),
    )


class DoorKeyWorld(World):
    """Reads the places of agent, key, door and goal off MiniGrid's own grid.

    What the agent sees depends on few things here: where it stands and looks, where the key is, and how the door stands. MiniGrid works
    it out anew at every step, cell by cell in Python, which is nearly all of a step's cost; here each view of an episode is kept.
    """

    extra_names: Sequence[str] = tuple(variable.name for variable in make_state(5))

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._door: Any = None
        self._key = self._gate = self._goal = (0.0, 0.0)
        self._key_tile: Any = None
        self._views: dict[tuple[Any, ...], Any] = {}
        self._look, self.core.gen_obs = self.core.gen_obs, self._see

    def reset(self, seed: int | None, params: Mapping[str, ParamValue]) -> Any:
        self._door = None
        self._views.clear()
        raw = super().reset(seed, params)
        self._key = self._find("key")
        self._gate = self._find("door")
        self._goal = self._find("goal")
        self._key_tile = self.core.grid.get(int(self._key[0]), int(self._key[1]))
        self._door = self.core.grid.get(int(self._gate[0]), int(self._gate[1]))
        return raw

    def _see(self) -> dict[str, Any]:
        """MiniGrid's `gen_obs`, from memory where this view was seen before in the episode."""
        core, door = self.core, self._door
        if door is None:  # in the middle of a reset
            seen: dict[str, Any] = self._look()
            return seen
        place = (*core.agent_pos, core.agent_dir, *self._key_tile.cur_pos, door.is_open, door.is_locked)
        if place not in self._views:
            self._views[place] = self._look()["image"]
        return {"image": self._views[place].copy(), "direction": core.agent_dir, "mission": core.mission}

    def extras(self) -> Sequence[float]:
        agent, ahead, core = self.core.agent_pos, self.core.front_pos, self.core
        carries = core.carrying is not None
        if carries:
            self._key = (float(agent[0]), float(agent[1]))
        elif core.carrying is None and (dropped := core.grid.get(*ahead)) is not None and dropped.type == "key":
            # a key can only be put down on the tile ahead
            self._key = (float(ahead[0]), float(ahead[1]))
        places = (agent[0], agent[1], ahead[0], ahead[1], *self._key, *self._gate, *self._goal)
        unlocked, is_open = not self._door.is_locked, self._door.is_open
        return (*(float(place) for place in places), float(carries), float(unlocked), float(is_open))

    def _find(self, kind: str) -> tuple[float, float]:
        width = self.core.grid.width
        for index, tile in enumerate(self.core.grid.grid):
            if tile is not None and tile.type == kind:
                return float(index % width), float(index // width)
        raise ValueError(f"{self.core.spec.id}: the room has no {kind}.")


class Errand:
    """Remembers for every running episode how far the errand got."""

    def __init__(self, n: int) -> None:
        self.had_key = np.zeros(n, np.bool_)
        self.unlocked = np.zeros(n, np.bool_)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.had_key[slot] = self.unlocked[slot] = False

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        self.had_key |= truth["carries_key"] > 0
        self.unlocked |= truth["door_unlocked"] > 0

    def close(self, ending: Ending, truth: NamedState) -> Score:
        stages = _STAGE * (float(self.had_key[ending.slot]) + float(self.unlocked[ending.slot]))
        early = _EARLY * (1.0 - ending.length / ending.horizon)
        return Score(
            fitness=_ARRIVED + early if ending.terminated else stages,
            success=ending.terminated,
            extras={"had_key": float(self.had_key[ending.slot]), "door_unlocked": float(self.unlocked[ending.slot])},
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of one of the ids in `SIZES`."""
    card = _card(gym_id, SIZES[gym_id])

    def open_simulator(n: int) -> LoopSimulator:
        spec = find_spec(gym_id)
        worlds = [DoorKeyWorld(open_env(spec)) for _ in range(n)]
        space, actions = worlds[0].env.observation_space, worlds[0].env.action_space
        # the state is read off the grid, not off the view
        return LoopSimulator(
            worlds,
            ObservationCodec(card.family, space),
            ActionCodec(card.family, actions),
            lambda rows: {},
            steps_together=True,
        )

    return Recipe(
        card=card,
        params_model=DoorKeyParams,
        open_simulator=open_simulator,
        open_scorer=lambda n, horizon: Errand(n),
    )
