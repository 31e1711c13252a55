"""Rooms, goals, observations, seeds, snapshots and outcomes of the swarm."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.quadrotor import layout as at
from envs.quadrotor.airframes import AIRFRAMES, get_airframe, make_airframe
from envs.quadrotor.batch import QuadrotorBatch
from envs.quadrotor.family import QuadrotorFamily, make_family
from envs.quadrotor.noise import make_streams, normal, uniform
from envs.quadrotor.params import capacity, check_params, obstacle_count
from envs.quadrotor.swarm import Swarm, View
from envs.task import ParamValue

FAMILY = QuadrotorFamily()


def make_swarm(worlds: int = 2, *, view: View | None = None, horizon: int = 1500, **params: ParamValue) -> Swarm:
    swarm = Swarm(worlds, check_params(params), horizon, view)
    swarm.reset(7)
    return swarm


def wild(swarm: Swarm, seed: int, steps: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(steps):
        swarm.step(rng.uniform(-1, 1, (swarm.agents, 4)).astype(np.float32))
        seen.append(swarm.observation.copy())
    return seen


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"drones": 200}, r"drones = 200 is not a whole number from 1 to 128\."),
        (
            {"drones": 128, "room": 4.0},
            r"128 drones do not fit in a room of 4 m at density 0, which holds 48; use fewer",
        ),
        ({"density": 1.5}, r"density = 1\.5 is not a number from 0 to 0\.8\."),
        ({"diameter": 0.1}, r"diameter = 0\.1 is not a number from 0\.3 to 0\.85\."),
        ({"airframe": 9}, r"airframe = 9 is not a whole number from 0 to 2\."),
        ({"densty": 0.2}, r"no task parameter 'densty'\. Did you mean 'density'\?"),
    ],
)
def test_a_bad_task_is_one_clear_line(params: dict[str, ParamValue], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        FAMILY.resolve_task(params)
    assert "\n" not in str(caught.value)


def test_a_bad_airframe_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match=r"unknown airframe 'crazyflie-lf2'\. Did you mean 'crazyflie-l2f'\?"):
        get_airframe("crazyflie-lf2")
    with pytest.raises(ValueError, match=r"airframe: mass_kg = -0\.03 is refused: Input should be greater than 0"):
        make_airframe("crazyflie-l2f", mass_kg=-0.03)
    with pytest.raises(ValueError, match=r"thrust-to-weight 0\.61 cannot fly"):
        make_airframe("crazyflie-l2f", mass_kg=0.1)
    with pytest.raises(ValueError, match="must be positive"):
        make_airframe("crazyflie-l2f", inertia_kg_m2=(1e-6, -1e-6, 1e-6))


def test_published_thrust_to_weight() -> None:
    assert [round(frame.thrust_to_weight, 2) for frame in AIRFRAMES] == [1.9, 2.25, 2.25]


def test_noise_is_near_normal_and_streams_differ() -> None:
    streams = make_streams(3, 2)
    drawn = np.array([[normal(streams, world) for world in (0, 1)] for _ in range(20_000)])
    assert drawn.mean(axis=0) == pytest.approx([0, 0], abs=0.03)
    assert drawn.var(axis=0) == pytest.approx([1, 1], abs=0.03)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.03
    flat = np.array([uniform(streams, 0) for _ in range(20_000)])
    assert 0 <= flat.min() < 0.001 and 0.999 < flat.max() < 1
    assert flat.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("room", "density", "count"), [(10.0, 0.2, 12), (10.0, 0.8, 51), (12.0, 0.8, 80), (3.0, 0.8, 0)]
)
def test_obstacles_stand_in_their_own_inner_cells(room: float, density: float, count: int) -> None:
    swarm = make_swarm(3, room=room, density=density)
    assert obstacle_count(room, density) == count
    for world in range(3):
        assert swarm.world_table[world, at.OBSTACLES] == count
        centres = swarm.obstacles[world, :, :count]
        assert len({tuple(centre) for centre in centres.T.tolist()}) == count
        assert np.abs(centres).max(initial=0.0) <= 0.5 * room - 1.5


@pytest.mark.parametrize("drones", [8, 32, 128])
@pytest.mark.parametrize("density", [0.0, 0.8])
def test_drones_start_free_and_apart(drones: int, density: float) -> None:
    swarm = make_swarm(2, drones=drones, density=density, diameter=0.85)
    assert capacity(10.0, density) >= drones
    for world in range(2):
        position = swarm.rows(at.POS, 3)[world * drones : (world + 1) * drones]
        gaps = [math.dist(a, b) for a, b in itertools.combinations(position.tolist(), 2)]
        assert min(gaps) > 0.35
        count = int(swarm.world_table[world, at.OBSTACLES])
        for x, y in swarm.obstacles[world, :, :count].T:
            assert np.hypot(position[:, 0] - x, position[:, 1] - y).min() > 0.425 + 0.046


@pytest.mark.parametrize("kind", range(len(at.GOALS)))
def test_goals_stay_in_the_room_and_out_of_cylinders(kind: int) -> None:
    swarm = make_swarm(4, drones=4, goal=kind, density=0.2)
    rng = np.random.default_rng(0)
    before, moved = swarm.rows(at.GOAL, 3), 0.0
    for _ in range(650):
        swarm.step(rng.uniform(-0.2, 0.3, (16, 4)).astype(np.float32), restart=False)
        moved = max(moved, float(np.abs(swarm.rows(at.GOAL, 3) - before).max()))
    goal = swarm.rows(at.GOAL, 3)
    assert np.abs(goal[:, :2]).max() <= 5.0 and goal[:, 2].min() > 0.3 and goal[:, 2].max() < 10.0
    stands = kind in (at.HOVER_AT, at.GO_TO, at.SAME, at.SWAP, at.FORMATION)
    assert (moved == 0.0) == stands
    for world in range(4):
        for x, y in swarm.obstacles[world, :, :12].T:
            assert np.hypot(goal[4 * world : 4 * world + 4, 0] - x, goal[4 * world : 4 * world + 4, 1] - y).min() > 0.3


def test_goal_distance_bounds_the_way() -> None:
    swarm = make_swarm(32, drones=2, goal_distance=1.5, density=0.2)
    away = np.linalg.norm(swarm.rows(at.GOAL, 3) - swarm.rows(at.POS, 3), axis=1)
    assert away.max() <= 1.5 + 1e-9 and away.mean() > 0.8


def test_swap_goals_are_the_starts_of_others() -> None:
    swarm = make_swarm(1, drones=4, goal=at.SWAP)
    assert swarm.rows(at.GOAL, 3) == pytest.approx(np.roll(swarm.rows(at.START, 3), 2, axis=0))


def test_observation_against_brute_force() -> None:
    """Neighbours, grid and self block of a crowded room, worked out again with plain NumPy."""
    swarm = make_swarm(3, drones=6, density=0.5, view=View(neighbours=3))
    wild(swarm, 0, 40)
    position, velocity = swarm.rows(at.POS, 3), swarm.rows(at.VEL, 3)
    for agent in range(18):
        world, seen = agent // 6, swarm.observation[agent]
        assert seen[:3] == pytest.approx(swarm.table[at.GOAL : at.GOAL + 3, agent] - position[agent], abs=1e-5)
        assert seen[3:6] == pytest.approx(velocity[agent], abs=1e-5)
        others = [other for other in range(6 * world, 6 * world + 6) if other != agent]
        apart, drift = position[others] - position[agent], velocity[others] - velocity[agent]
        distance = np.linalg.norm(apart, axis=1)
        order = np.argsort(distance + (apart * drift).sum(axis=1) / distance)[:3]
        assert seen[19:37].reshape(3, 6) == pytest.approx(np.hstack([apart, drift])[order], abs=1e-5)
        offsets = np.array([(x, y) for x in (-0.1, 0, 0.1) for y in (-0.1, 0, 0.1)])
        points = position[agent, :2] + offsets
        centres = swarm.obstacles[world, :, :32].T
        gaps = np.linalg.norm(points[:, None] - centres[None], axis=2).min(axis=1) - 0.3
        assert seen[37:46] == pytest.approx(gaps, abs=1e-5)
        nearest = np.linalg.norm(position[agent, :2] - centres, axis=1).min() - 0.3 - swarm.table[at.RADIUS, agent]
        assert swarm.table[at.OBSTACLE_GAP, agent] == pytest.approx(max(0.0, nearest), abs=1e-9)


def test_a_lonely_drone_sees_far_neighbours_and_a_clear_grid() -> None:
    swarm = make_swarm(1)
    assert swarm.observation.shape == (1, 40)
    assert swarm.observation[0, 19:31].tolist() == [10.0, 10.0, 10.0, 0.0, 0.0, 0.0] * 2
    assert swarm.observation[0, 31:] == pytest.approx(np.full(9, 10.0))


def test_history_holds_the_newest_action_first() -> None:
    swarm = make_swarm(1, view=View(history=3))
    for value in (0.1, 0.2, 0.3, 0.4):
        swarm.step(np.full((1, 4), value, np.float32))
    assert swarm.observation[0, 40:] == pytest.approx(np.repeat([0.4, 0.3, 0.2], 4))


def test_one_stream_a_world_and_bitwise_repeatable() -> None:
    def make(worlds: int) -> Swarm:
        return make_swarm(worlds, horizon=30, drones=3, density=0.3, noise=1.0, downwash=1, randomisation=0.2)

    one, two = make(4), make(4)
    for first, second in zip(wild(one, 1, 80), wild(two, 1, 80), strict=True):
        assert np.array_equal(first, second)
    # a world's history does not depend on how many others there are
    few, many = make(1), make(5)
    actions = np.random.default_rng(2).uniform(-1, 1, (60, 3, 4)).astype(np.float32)
    for action in actions:
        few.step(action)
        many.step(np.tile(action, (5, 1)))
        assert np.array_equal(few.observation, many.observation[:3])
    assert not np.array_equal(many.observation[:3], many.observation[3:6])


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_restored_world_flies_on_bit_by_bit(noise: float) -> None:
    swarm = make_swarm(3, drones=4, density=0.3, goal=at.DYNAMIC, noise=noise, horizon=400)
    wild(swarm, 0, 50)
    kept = swarm.snapshot([1])
    expected = [observation[4:8] for observation in wild(swarm, 5, 400)]
    other = make_swarm(3, drones=4, density=0.3, goal=at.DYNAMIC, noise=noise, horizon=400)
    other.restore([1], kept)
    for want, got in zip(expected, wild(other, 5, 400), strict=True):
        assert np.array_equal(want, got[4:8])


def test_a_snapshot_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"snapshots have shape \(1, 5\); this swarm's are \(1, "):
        make_swarm(1).restore([0], np.zeros((1, 5)))


def test_published_reward_terms_by_hand() -> None:
    swarm = make_swarm(1)
    swarm.table[at.POS : at.POS + 3, 0] = [0.0, 0.0, 3.0]
    swarm.table[at.GOAL : at.GOAL + 3, 0] = [3.0, 4.0, 3.0]
    hover = np.float32(2 * swarm.table[at.HOVER, 0] - 1)
    swarm.step(np.full((1, 4), hover))
    terms = dict(zip(at.TERMS, swarm.table[at.TERM : at.TERM + 8, 0], strict=True))
    assert terms["distance"] == pytest.approx(-0.005 * 5.0, abs=1e-6)
    assert terms["effort"] == pytest.approx(-0.005 * 0.05 * 2 * abs(hover), rel=1e-6)
    assert terms["orientation"] == pytest.approx(0.005, abs=1e-9)
    assert terms["spin"] == pytest.approx(0.0, abs=1e-9)
    assert terms["floor"] == terms["drone_contact"] == terms["obstacle_contact"] == terms["proximity"] == 0.0
    assert swarm.reward[0] == pytest.approx(sum(terms.values()))


def test_contacts_cost_five_once() -> None:
    swarm = make_swarm(1, drones=2)
    swarm.table[at.POS : at.POS + 3, 0], swarm.table[at.POS : at.POS + 3, 1] = [0, 0, 3], [0.08, 0, 3]
    swarm.table[at.VEL : at.VEL + 3, :2] = 0.0
    swarm.step(np.zeros((2, 4), np.float32))
    assert swarm.table[at.TERM + 5, :2].tolist() == [-5.0, -5.0]
    # proximity: 0.01 * 10 * (1 - d / (4 * 0.04596)) at d = 0.08
    assert swarm.table[at.TERM + 7, 0] == pytest.approx(-0.1 * (1 - 0.08 / (4 * 0.04596)), abs=2e-3)
    swarm.step(np.zeros((2, 4), np.float32))
    assert swarm.table[at.TERM + 5, :2].tolist() == [0.0, 0.0]
    assert swarm.table[at.HITS, :2].tolist() == [1.0, 1.0]


def test_a_crash_terminates_one_and_truncates_the_others() -> None:
    task = FAMILY.resolve_task({"drones": 3, "crash_ends": 1}, horizon=50)
    env = QuadrotorBatch(task, 2)
    env.reset(0)
    env.swarm.table[at.POS + 2, 1] = 0.02  # drone 1 of room 0 is put into the floor
    step = env.step(np.zeros((6, 4)))
    assert step.terminated.tolist() == [False, True, False, False, False, False]
    assert step.truncated.tolist() == [True, False, True, False, False, False]
    assert [outcome.slot for outcome in step.outcomes] == [0, 1, 2]
    assert step.outcomes[1].extras["floor_contacts"] == 1.0 and step.outcomes[1].extras["crashed"] == 1.0
    assert step.final_observation[1, 18] == pytest.approx(0.046, abs=1e-3)
    assert np.array_equal(step.final_observation[3:], step.observation[3:])


def test_a_drone_that_holds_its_goal_succeeds() -> None:
    task = FAMILY.resolve_task({"goal": at.HOVER_AT, "action_mode": at.VELOCITY}, horizon=400)
    env = QuadrotorBatch(task, 4)
    observation = env.reset(1)
    for _ in range(400):
        action = np.zeros((4, 4))
        action[:, :3] = np.clip(0.5 * observation[:, :3], -1, 1)
        step = env.step(action)
        observation = step.observation
    for outcome in step.outcomes:
        assert outcome.success and outcome.length == 400 and outcome.extras["strict_success"] == 1.0
        assert outcome.fitness > 0.95
        assert outcome.extras["last_second_distance_m"] < 0.1


def test_a_fallen_drone_fails() -> None:
    env = QuadrotorBatch(FAMILY.resolve_task(horizon=400), 2)
    env.reset(1)
    for _ in range(400):
        step = env.step(np.full((2, 4), -1.0))
    for outcome in step.outcomes:
        assert not outcome.success and outcome.extras["touched"] == 1.0 and outcome.extras["floor_contacts"] == 1.0
        assert outcome.extras["published_collision"] == 0.0  # the floor does not count in the published figure


def test_drones_stay_the_batch_shape_whatever_is_drawn() -> None:
    task = FAMILY.resolve_task({"drones": 2}, horizon=3)
    env = QuadrotorBatch(task, 2, lambda: {"drones": 9, "density": 0.4})
    env.reset(0)
    for _ in range(3):
        step = env.step(np.zeros((4, 4)))
    assert [outcome.params["drones"] for outcome in step.outcomes] == [2] * 4
    assert [outcome.params["density"] for outcome in step.outcomes] == [0.4] * 4


def test_bad_calls_are_one_clear_line() -> None:
    env = QuadrotorBatch(FAMILY.resolve_task(), 2)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros((2, 4)))
    env.reset(0)
    with pytest.raises(ValueError, match="got nan"):
        env.step(np.full((2, 4), np.nan))
    with pytest.raises(ValueError, match=r"give \(2, 4\)"):
        env.step(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="0 worlds"):
        FAMILY.make_vec(FAMILY.resolve_task(), 0)
    with pytest.raises(ValueError, match="this task has 8; use make_vec"):
        FAMILY.make(FAMILY.resolve_task({"drones": 8}))
    with pytest.raises(ValueError, match="Did you mean 'quadrotor'"):
        make_family("quadrotor:big")


def test_without_numba_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from envs.catalog import get_family\n"
        "family = get_family('quadrotor'); task = family.resolve_task(); family.card()\n"
        "try: family.make_vec(task, 1)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "the quadrotor family needs numba: pip install 'rl-experimenter[quadrotor]'."


def test_frames_show_the_room_and_mark_contacts() -> None:
    env = QuadrotorBatch(FAMILY.resolve_task({"drones": 4, "density": 0.2}), 1)
    env.reset(0)
    calm = env.render(0)
    assert calm.shape == (360, 720, 3)
    red = (calm == (220, 30, 30)).all(axis=2).sum()
    env.swarm.table[at.TOUCH + at.OBSTACLE, 0] = 1.0
    marked = (env.render(3) == (220, 30, 30)).all(axis=2)
    assert red == 0 and marked[:, :360].sum() > 20 and marked[:, 360:].sum() > 20


def test_a_lone_drone_is_far_from_every_other() -> None:
    swarm = Swarm(3, check_params({"drones": 1}), 50)
    swarm.reset(0)
    swarm.step(np.zeros((3, 4), np.float32))
    assert swarm.table[at.NEAREST_DRONE, :3].tolist() == [10.0] * 3
    # nothing near: 10 m to the next drone less two radii of 0.04596 m
    assert swarm.table[at.MIN_GAP, :3] == pytest.approx([10.0 - 2 * 0.04596] * 3, abs=1e-12)
