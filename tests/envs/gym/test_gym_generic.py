"""Ids without a hand-checked card: what is derived, what is refused, and in which words."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from envs.catalog import get_family
from envs.gym.docstring import clean_docstring, read_observation_table

DOCSTRING = """
    ## Description
    A ball [rolls](https://example.org/ball) on a `table`.

    ## Observation Space
    | Num | Observation      | Min | Max | Type (Unit)  |
    |-----|------------------|-----|-----|--------------|
    | 0   | place of the ball | -1 | 1   | place (m)    |
    | 1   | place of the ball | -1 | 1   | speed (m/s)  |

    ## Rewards
    The secret formula is 3 * place.

    ## Version History
    * v1: secret too
    """


class _Odd(gymnasium.Env[Any, Any]):
    """A world with spaces of choice; it rewards 1 a step and ends after 3 steps."""

    def __init__(self, observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation, action
        self.seen: list[Any] = []
        self.render_mode = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.count = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.seen.append(action)
        self.count += 1
        return self.observation_space.sample(), 1.0, self.count == 3, False, {}


def register(name: str, observation: spaces.Space[Any], action: spaces.Space[Any], **kwargs: Any) -> str:
    gymnasium.registry.pop(name, None)
    gymnasium.register(
        name, entry_point=f"{__name__}:_Odd", kwargs={"observation": observation, "action": action}, **kwargs
    )
    gymnasium.registry[name].entry_point = lambda **given: _Odd(given["observation"], given["action"])
    return f"gym:{name}"


def test_docstring_keeps_the_world_and_drops_rewards_links_and_code() -> None:
    told = clean_docstring(DOCSTRING)
    assert "A ball rolls on a table." in told
    assert "secret" not in told and "http" not in told and "`" not in told and "|" not in told


def test_observation_table_gives_names_units_and_meanings() -> None:
    assert read_observation_table(DOCSTRING, 2) == [
        ("place_ball", "m", "place of the ball"),
        ("place_ball_1", "m/s", "place of the ball"),
    ]
    assert read_observation_table(DOCSTRING, 3) is None
    assert read_observation_table(None, 2) is None


def test_table_names_reach_the_card_of_a_real_environment() -> None:
    card = get_family("gym:InvertedPendulum-v5").card()
    assert [variable.unit for variable in card.state] == ["m", "rad", "m/s", "rad/s"]
    assert card.state[1].name == "vertical_angle_pole_on_cart"
    assert "at least 950" in card.success
    assert "not been checked by hand" in card.text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gym:CartPol-v1", "Did you mean 'gym:CartPole-v1'?"),
        ("gym:CartPole", "Did you mean 'gym:CartPole-v1'?"),
        ("gym:hopper", "Did you mean 'gym:Hopper-v5'?"),
        ("gym:Hopper-v3", "retired mujoco_py; use 'gym:Hopper-v5'"),
        ("gym:MiniGrid-Empty-9x9-v0", "Did you mean 'gym:MiniGrid-Empty-"),
        ("gym:CarRacing-v3", "image observations"),
        ("gym:", "write gym:<Gymnasium id>"),
        ("gym", "write gym:<Gymnasium id>"),
    ],
)
def test_what_cannot_be_made_is_one_clear_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match="gym") as refusal:
        get_family(name)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "package", "command"),
    [
        ("gym:Hopper-v5", "mujoco", 'pip install "rl-experimenter[mujoco]"'),
        ("gym:Ant-v5", "mujoco", 'pip install "rl-experimenter[mujoco]"'),
        ("gym:LunarLander-v3", "Box2D", 'pip install "gymnasium[box2d]"'),
        ("gym:MiniGrid-Empty-5x5-v0", "minigrid", 'pip install "rl-experimenter[grid]"'),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    name: str, package: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match="needs the package") as refusal:
        get_family(name)
    assert str(refusal.value) == f"{name} needs the package {package}: {command}"


def test_unsupported_actions_and_observations_are_refused() -> None:
    box = spaces.Box(-1.0, 1.0, (2,), np.float32)
    with pytest.raises(ValueError, match="actions of kind MultiDiscrete are not supported"):
        get_family(register("OddActions-v0", box, spaces.MultiDiscrete([2, 3])))
    with pytest.raises(ValueError, match="observations of kind Sequence"):
        get_family(register("OddObservations-v0", spaces.Sequence(box), spaces.Discrete(2)))


def test_nested_spaces_become_a_flat_row_and_named_parts() -> None:
    nested = spaces.Dict(
        {
            "arm": spaces.Tuple((spaces.Box(-1.0, 1.0, (2, 2), np.float64), spaces.Discrete(3, start=5))),
            "lamp": spaces.MultiBinary(2),
            "words": spaces.Text(5),
        }
    )
    family = get_family(register("OddNested-v0", nested, spaces.Discrete(4, start=-1), max_episode_steps=30))
    env = family.make_vec(family.resolve_task(), 2)
    observation = env.reset(0)
    state = env.named_state()
    assert observation.shape == (2, 4 + 3 + 2)
    assert {name: array.shape for name, array in state.items()} == {"arm_0": (2, 2, 2), "arm_1": (2,), "lamp": (2, 2)}
    assert np.array_equal(observation[:, :4], state["arm_0"].reshape(2, 4).astype(np.float32))
    assert np.array_equal(observation[:, 4:7].argmax(axis=1), state["arm_1"])
    assert "words" in family.card().text
    assert env.action_space == spaces.Discrete(4)
    env.step(np.array([0, 3]))
    worlds = env._simulator._worlds  # type: ignore[attr-defined]
    assert [world.core.seen for world in worlds] == [[-1], [2]]


def test_success_is_the_registered_threshold_or_clearly_above_chance() -> None:
    box = spaces.Box(-1.0, 1.0, (2,), np.float32)
    outcomes = {}
    for name, extra in {
        "OddMark-v0": {"reward_threshold": 3.0},
        "OddFar-v0": {"reward_threshold": 3.5},
        "OddChance-v0": {},
    }.items():
        family = get_family(register(name, box, spaces.Discrete(2), **extra))
        env = family.make_vec(family.resolve_task(), 1)
        env.reset(0)
        for _ in range(3):
            step = env.step(np.array([0]))
        outcomes[name] = step.outcomes[0]
    assert all(outcome.fitness == outcome.native_return == 3.0 for outcome in outcomes.values())
    # Every random episode returns 3, so 3 is no better than chance.
    assert {name: outcome.success for name, outcome in outcomes.items()} == {
        "OddMark-v0": True,
        "OddFar-v0": False,
        "OddChance-v0": False,
    }


def test_minigrid_sees_image_and_direction_and_succeeds_at_the_goal() -> None:
    family = get_family("gym:MiniGrid-Empty-5x5-v0")
    env = family.make_vec(family.resolve_task(), 1)
    assert env.reset(0).shape == (1, 4 + 7 * 7 * 3)
    assert env.named_state()["image"].shape == (1, 7, 7, 3)
    for action in (2, 2, 1, 2, 2):  # two steps ahead, turn right, two steps ahead: the green square
        step = env.step(np.array([action]))
    assert step.terminated[0] and step.outcomes[0].success
    assert step.outcomes[0].fitness == pytest.approx(1 - 0.9 * 5 / 100)
    env.close()
