"""Drone policies in NumPy: what their features are, and that a damaged artifact is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from skills.artifact import ArtifactError, load_policy, make_policy, save_policy
from skills.swarm_policy import KINDS, NEIGHBOUR, OBSTACLE, OWN, count_features, features

Float32 = NDArray[np.float32]
WIDTH = 40
LEVEL = np.eye(3, dtype=np.float32)


def make_observation(
    goal: tuple[float, ...] = (0.0, 0.0, 0.0), velocity: tuple[float, ...] = (0.0, 0.0, 0.0), turn: float = 0.0
) -> Float32:
    """A drone at 1 m, turned about z, two neighbours 10 m away on each axis, no cylinder within 10 m."""
    c, s = math.cos(turn), math.sin(turn)
    rotation = [c, -s, 0, s, c, 0, 0, 0, 1]
    others = [10.0, 10, 10, 0, 0, 0] * 2
    return np.array([[*goal, *velocity, *rotation, 0, 0, 0, 1.0, *others, *[10.0] * 9]], np.float32)


def make_artifact(kind: str, neighbours: int = 2, token: int = 5) -> tuple[dict[str, Any], dict[str, Float32]]:
    rng = np.random.default_rng(3)
    width = {"swarm_mlp": count_features(neighbours, 0)}.get(kind, OWN + 2 * token)
    shapes: dict[str, tuple[int, ...]] = {"w0": (7, width), "b0": (7,), "w1": (4, 7), "b1": (4,)}
    if kind != "swarm_mlp":
        shapes |= {"neighbour_w": (token, NEIGHBOUR), "neighbour_b": (token,)}
        shapes |= {"obstacle_w": (token, OBSTACLE), "obstacle_b": (token,)}
    if kind == "attention":
        shapes |= {"query_w": (token, OWN), "key_w": (token, token), "value_w": (token, token)}
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    spec = {"kind": kind, "neighbours": neighbours, "history": 0, "layers": 2, "low": [-1.0] * 4, "high": [1.0] * 4}
    return spec, tensors


def test_features_of_a_level_drone_by_hand() -> None:
    seen = features(make_observation(goal=(3.0, 0.0, 4.0), velocity=(0.0, 1.0, 0.0)), 2, 0)[0]
    assert seen.shape == (count_features(2, 0),) == (34,)
    # the goal is 5 m away: twice its direction, and log(1 + 5)
    assert seen[:4] == pytest.approx([1.2, 0.0, 1.6, math.log(6)], abs=1e-6)
    assert seen[4:10] == pytest.approx([0, 1, 0, 0, 0, 0], abs=1e-6)  # velocity; up is up
    assert seen[13] == pytest.approx(0.0)  # one metre high
    assert np.abs(seen[14:26]).max() < 1e-4  # nobody near
    assert seen[26:] == pytest.approx([1, 0, 0, 0, 0, 0, 0, 0], abs=1e-6)  # two metres or more from any cylinder


def test_near_the_goal_its_distance_counts() -> None:
    assert features(make_observation(goal=(0.0, 0.25, 0.0)), 2, 0)[0, :3] == pytest.approx([0, 0.5, 0])


def test_a_turned_drone_sees_the_same_from_its_own_side() -> None:
    """Goal ahead of a drone that looks along y is what goal ahead of one that looks along x is."""
    along_x = features(make_observation(goal=(2.0, 0.0, 0.5), velocity=(0.3, 0.1, 0.0)), 2, 0)
    along_y = features(make_observation(goal=(0.0, 2.0, 0.5), velocity=(-0.1, 0.3, 0.0), turn=math.pi / 2), 2, 0)
    assert along_y == pytest.approx(along_x, abs=1e-4)


def test_a_cylinder_ahead_looks_the_same_whichever_way_the_drone_is_turned() -> None:
    def grid(x: float, y: float) -> list[float]:
        points = [(0.1 * i, 0.1 * j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return [math.hypot(x - px, y - py) - 0.3 for px, py in points]

    ahead, turned = make_observation(), make_observation(turn=math.pi / 2)
    ahead[0, 31:], turned[0, 31:] = grid(0.8, 0.0), grid(0.0, 0.8)
    seen = features(ahead, 2, 0)[0, 26:]
    assert features(turned, 2, 0)[0, 26:] == pytest.approx(seen, abs=1e-3)
    close = 2 * math.exp(-2 * 0.5)
    # 0.5 m to the surface; the distance falls ahead; across, it curves by 1 / 0.8 m, in steps of 0.1 m
    assert seen[:5] == pytest.approx([-0.5, close, -close, 0, 0], abs=1e-3)
    assert seen[5] == pytest.approx(0.0, abs=1e-3) and seen[6] == pytest.approx(30 * 0.01 / 0.8, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_its_file_and_does_not_care_about_the_order_of_drones(kind: str, tmp_path: Path) -> None:
    save_policy(tmp_path, *make_artifact(kind))
    policy = load_policy(tmp_path)
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(6, WIDTH)).astype(np.float32)
    actions = policy.act(observations)
    assert actions.shape == (6, 4) and np.abs(actions).max() <= 1.0
    assert policy.act(observations[::-1]) == pytest.approx(actions[::-1], abs=1e-5)


@pytest.mark.parametrize("kind", ["deep_set", "attention"])
def test_sets_do_not_care_about_the_order_of_neighbours(kind: str) -> None:
    policy = make_policy(*make_artifact(kind))
    one = np.random.default_rng(1).normal(size=(3, WIDTH)).astype(np.float32)
    other = one.copy()
    other[:, 19:25], other[:, 25:31] = one[:, 25:31], one[:, 19:25]
    assert policy.act(other) == pytest.approx(policy.act(one), abs=1e-5)
    assert not np.allclose(
        make_policy(*make_artifact("swarm_mlp")).act(other), make_policy(*make_artifact("swarm_mlp")).act(one)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_policies_are_refused(kind: str) -> None:
    spec, tensors = make_artifact(kind)
    with pytest.raises(ArtifactError, match="damaged"):
        make_policy(spec, {**tensors, "w1": np.zeros((4, 6), np.float32)})
    with pytest.raises(ArtifactError, match="damaged"):
        make_policy(spec, {name: value for name, value in tensors.items() if name != "b0"})
    with pytest.raises(ArtifactError, match="does not fit 3 and 3 bounds"):
        make_policy({**spec, "low": [-1.0] * 3, "high": [1.0] * 3}, tensors)
    with pytest.raises(ArtifactError, match="out of range"):
        make_policy({**spec, "layers": 10**6}, tensors)


def test_another_view_is_told() -> None:
    policy = make_policy(*make_artifact("deep_set"))
    with pytest.raises(
        ValueError, match="2 neighbours and 0 past actions, which makes observations of 40 numbers, not 44"
    ):
        policy.act(np.zeros((1, 44), np.float32))
