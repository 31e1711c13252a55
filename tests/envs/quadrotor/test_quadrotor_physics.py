"""Flight against hand-made numbers: fall, hover, norm, momentum, an independent integrator, one recorded trajectory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.quadrotor import layout as at
from envs.quadrotor.airframes import AIRFRAMES, Airframe
from envs.quadrotor.params import check_params
from envs.quadrotor.swarm import Swarm, View
from envs.task import ParamValue

Floats = NDArray[np.float64]
G = 9.81


def make_swarm(worlds: int = 1, *, view: View | None = None, seed: int = 0, **params: ParamValue) -> Swarm:
    swarm = Swarm(worlds, check_params({"goal": 0, "room": 12.0, **params}), 10_000, view)
    swarm.reset(seed)
    return swarm


def place(swarm: Swarm, agent: int, **rows: list[float]) -> None:
    """Set the state of one drone by the names of the layout."""
    for name, values in rows.items():
        first = int(getattr(at, name))
        swarm.table[first : first + len(values), agent] = values


def still(swarm: Swarm, agent: int, position: list[float]) -> None:
    """Level, motionless, motors off."""
    place(swarm, agent, POS=position, VEL=[0.0] * 3, QUAT=[1.0, 0, 0, 0], RATE=[0.0] * 3, ROTOR=[0.0] * 4)


def fly(swarm: Swarm, action: list[float], steps: int) -> None:
    actions = np.tile(np.array(action, np.float32), (swarm.agents, 1))
    for _ in range(steps):
        swarm.step(actions, restart=False)


def test_free_fall_follows_the_parabola() -> None:
    swarm = make_swarm(view=View(integrator="rk4"))
    still(swarm, 0, [0.0, 0.0, 10.0])
    fly(swarm, [-1.0] * 4, 100)
    assert swarm.table[at.POS + 2, 0] == pytest.approx(10.0 - 0.5 * G, abs=1e-12)
    assert swarm.table[at.VEL + 2, 0] == pytest.approx(-G, abs=1e-12)


def test_semi_implicit_euler_falls_short_by_half_a_step() -> None:
    swarm = make_swarm()
    still(swarm, 0, [0.0, 0.0, 10.0])
    fly(swarm, [-1.0] * 4, 100)
    # v first, then p with the new v: the fall is g t (t + dt) / 2
    assert swarm.table[at.POS + 2, 0] == pytest.approx(10.0 - 0.5 * G * 1.005, abs=1e-12)


@pytest.mark.parametrize("index", range(len(AIRFRAMES)))
@pytest.mark.parametrize(("mode", "power"), [(0, 1.0), (1, 0.5)])
def test_hover_trim_holds_for_ten_seconds(index: int, mode: int, power: float) -> None:
    frame = AIRFRAMES[index]
    swarm = make_swarm(airframe=index, action_mode=mode)
    still(swarm, 0, [0.0, 0.0, 5.0])
    share = (frame.mass_kg * G / (4 * frame.max_thrust_n)) ** power  # thrust share, or its root as a rotor speed
    place(swarm, 0, ROTOR=[math.sqrt(frame.mass_kg * G / (4 * frame.max_thrust_n))] * 4)
    fly(swarm, [2 * share - 1] * 4, 1000)
    # the action is float32: 6e-8 of the thrust over 10 s is at most 0.05 mm
    assert swarm.table[at.POS : at.POS + 3, 0] == pytest.approx([0.0, 0.0, 5.0], abs=1e-4)


def test_rotor_lag_is_the_exact_exponential() -> None:
    swarm = make_swarm()
    still(swarm, 0, [0.0, 0.0, 5.0])
    fly(swarm, [1.0] * 4, 5)
    assert swarm.table[at.ROTOR, 0] == pytest.approx(1 - math.exp(-0.05 / AIRFRAMES[0].lag_s), rel=1e-12)
    swarm = make_swarm(motor_lag=0)
    still(swarm, 0, [0.0, 0.0, 5.0])
    fly(swarm, [1.0] * 4, 1)
    assert swarm.table[at.ROTOR, 0] == 1.0


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_the_quaternion_stays_a_unit_one_under_wild_actions(integrator: str) -> None:
    swarm = make_swarm(16, view=View(integrator=integrator), tilt=90.0, start_speed=3.0, noise=1.0, disturbance=1.0)
    rng = np.random.default_rng(1)
    for _ in range(500):
        swarm.step(rng.uniform(-1, 1, (16, 4)).astype(np.float32), restart=False)
    assert np.linalg.norm(swarm.rows(at.QUAT, 4), axis=1) == pytest.approx(np.ones(16), abs=1e-12)
    assert np.isfinite(swarm.observation).all()


def test_motors_turn_the_body_the_way_the_layout_says() -> None:
    # more thrust on the left pair rolls right (+x), on the back pair pitches down (+y), on 1 and 3 yaws left (+z)
    for action, axis in (([0, 0, 0.2, 0.2], 0), ([0, 0.2, 0.2, 0], 1), ([0, 0.2, 0, 0.2], 2)):
        swarm = make_swarm(motor_lag=0)
        still(swarm, 0, [0.0, 0.0, 5.0])
        fly(swarm, [float(value) for value in action], 1)
        rates = swarm.table[at.RATE : at.RATE + 3, 0]
        assert rates[axis] > 0 and np.argmax(np.abs(rates)) == axis
        frame = AIRFRAMES[0]
        arm = (frame.motor_y_m, frame.motor_x_m, frame.torque_ratio_m)[axis]
        expected = 0.01 * arm * 0.2 * frame.max_thrust_n / frame.inertia_kg_m2[axis]  # two motors, each 0.1 more thrust
        assert rates[axis] == pytest.approx(expected, rel=1e-6)


def test_a_head_on_meeting_conserves_momentum_and_stays_symmetric() -> None:
    swarm = make_swarm(drones=2, crash_ends=0)
    for agent, sign in ((0, -1.0), (1, 1.0)):
        still(swarm, agent, [sign * 0.047, 0.0, 5.0])
        place(swarm, agent, VEL=[-sign * 1.0, 0.0, 0.0])
    fly(swarm, [-1.0] * 4, 1)
    velocity = swarm.rows(at.VEL, 3)
    assert swarm.table[at.HITS + at.DRONE, :2].tolist() == [1.0, 1.0]
    assert velocity.sum(axis=0)[:2] == pytest.approx([0.0, 0.0], abs=1e-12)
    # closing at 2 m/s, they part with 20 to 80 % of it
    assert 0.4 <= velocity[1, 0] - velocity[0, 0] <= 1.6
    assert velocity[1, 0] == pytest.approx(-velocity[0, 0], abs=1e-12)


def test_unequal_masses_conserve_momentum_too() -> None:
    swarm = make_swarm(drones=2, randomisation=0.3, seed=4)
    for agent, sign in ((0, -1.0), (1, 1.0)):
        still(swarm, agent, [sign * 0.03, 0.02 * sign, 5.0])
        place(swarm, agent, VEL=[-sign * (1.5 + agent), 0.3, 0.0])
    mass = swarm.table[at.MASS, :2].copy()
    assert mass[0] != mass[1]
    before = (mass[:, None] * swarm.rows(at.VEL, 3)).sum(axis=0)
    fly(swarm, [-1.0] * 4, 1)
    after = (mass[:, None] * swarm.rows(at.VEL, 3)).sum(axis=0)
    assert after[:2] == pytest.approx(before[:2], abs=1e-12)
    assert swarm.table[at.TOUCH + at.DRONE, 0] == 1.0


def reference(frame: Airframe, state: Floats, targets: Floats, dt: float, steps: int) -> Floats:
    """Integrate position, velocity, rotation matrix, rates and rotor speeds (22 numbers) by plain RK4, written independently."""
    inertia = np.diag(frame.inertia_kg_m2)
    x, y = frame.motor_x_m, frame.motor_y_m
    arms = np.array([[x, -y, 0], [-x, -y, 0], [-x, y, 0], [x, y, 0]])
    drag_torque = frame.torque_ratio_m * np.array([-1, 1, -1, 1])

    def slope(s: Floats) -> Floats:
        rotation, rates, rotors = s[6:15].reshape(3, 3), s[15:18], s[18:22]
        forces = frame.max_thrust_n * rotors**2
        torque = np.cross(arms, np.outer(forces, [0, 0, 1])).sum(axis=0)
        torque[2] += drag_torque @ forces
        skew = np.array([[0, -rates[2], rates[1]], [rates[2], 0, -rates[0]], [-rates[1], rates[0], 0]])
        turn = np.linalg.solve(inertia, torque - np.cross(rates, inertia @ rates))
        push = rotation[:, 2] * forces.sum() / frame.mass_kg - [0, 0, G]
        return np.concatenate([s[3:6], push, (rotation @ skew).ravel(), turn, (targets - rotors) / frame.lag_s])

    for _ in range(steps):
        k1 = slope(state)
        k2 = slope(state + dt / 2 * k1)
        k3 = slope(state + dt / 2 * k2)
        k4 = slope(state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


@pytest.mark.parametrize(("integrator", "tolerance"), [("rk4", 1e-8), ("euler", 3e-3)])
def test_flight_agrees_with_an_independent_integrator(integrator: str, tolerance: float) -> None:
    frame = AIRFRAMES[0]
    swarm = make_swarm(view=View(integrator=integrator, substeps=20))
    still(swarm, 0, [0.0, 0.0, 6.0])
    place(swarm, 0, VEL=[0.5, -0.3, 0.2], RATE=[1.0, -2.0, 0.7], ROTOR=[0.6, 0.7, 0.65, 0.72])
    action = np.array([0.05, 0.06, 0.07, 0.04], np.float32)
    fly(swarm, action.tolist(), 50)
    start = np.concatenate([[0, 0, 6, 0.5, -0.3, 0.2], np.eye(3).ravel(), [1, -2, 0.7], [0.6, 0.7, 0.65, 0.72]])
    targets = np.sqrt(0.5 + 0.5 * action.astype(np.float64))
    end = reference(frame, start, targets, 0.00025, 2000)
    assert swarm.table[at.POS : at.POS + 3, 0] == pytest.approx(end[:3], abs=tolerance)
    assert swarm.table[at.VEL : at.VEL + 3, 0] == pytest.approx(end[3:6], abs=tolerance * 10)
    assert swarm.table[at.RATE : at.RATE + 3, 0] == pytest.approx(end[15:18], abs=tolerance * 10)
    assert swarm.observation[0, 6:15] == pytest.approx(end[6:15], abs=max(tolerance * 10, 1e-6))


def test_drag_slows_to_the_wind() -> None:
    frame = AIRFRAMES[0]
    swarm = make_swarm(drag=1.0, view=View(integrator="rk4"))
    still(swarm, 0, [0.0, 0.0, 10.0])
    place(swarm, 0, VEL=[1.0, 0.0, 0.0])
    fly(swarm, [-1.0] * 4, 100)
    assert swarm.table[at.VEL, 0] == pytest.approx(math.exp(-frame.drag_n_s_per_m / frame.mass_kg), rel=1e-9)
    swarm = make_swarm(wind=4.0)
    still(swarm, 0, [0.0, 0.0, 10.0])
    fly(swarm, [-1.0] * 4, 1)
    blown = float(np.hypot(*swarm.table[at.VEL : at.VEL + 2, 0]))
    assert blown == pytest.approx(0.01 * 4.0 * frame.drag_n_s_per_m / frame.mass_kg, rel=2e-3)


def test_latency_delays_the_command() -> None:
    swarm = make_swarm(latency=3, motor_lag=0)
    still(swarm, 0, [0.0, 0.0, 5.0])
    for step in range(6):
        fly(swarm, [0.1 * (step + 1)] * 4, 1)
        assert swarm.table[at.COMMAND, 0] == pytest.approx(max(0.0, 0.1 * (step - 2)), abs=1e-6)


def test_downwash_pushes_the_lower_drone_only() -> None:
    swarm = make_swarm(drones=2, downwash=1)
    still(swarm, 0, [0.0, 0.0, 5.0])
    still(swarm, 1, [0.02, 0.0, 4.6])
    fly(swarm, [-1.0] * 4, 1)
    # published: (6 / 17)(7 - 10 * 0.4) = 1.059 m/s^2, give or take 0.1
    extra = -(swarm.table[at.VEL + 2, 1] - swarm.table[at.VEL + 2, 0]) / 0.01
    assert extra == pytest.approx(6 / 17 * 3, abs=0.1)
    assert swarm.table[at.VEL + 2, 0] == pytest.approx(-G * 0.01, abs=1e-12)


@pytest.mark.parametrize("mode", [2, 3, 4])
def test_the_cascades_reach_what_they_are_told(mode: int) -> None:
    swarm = make_swarm(action_mode=mode)
    still(swarm, 0, [0.0, 0.0, 6.0])
    place(swarm, 0, ROTOR=[0.7] * 4)
    hover = 2 * float(swarm.table[at.HOVER, 0]) - 1
    told = {2: [hover, 0.0, 0.0, 0.5], 3: [hover, 0.2, 0.0, 0.0], 4: [0.2, -0.1, 0.05, 0.0]}[mode]
    fly(swarm, told, 250)
    rates, velocity = swarm.table[at.RATE : at.RATE + 3, 0], swarm.table[at.VEL : at.VEL + 3, 0]
    if mode == 2:
        assert rates[2] == pytest.approx(1.5, abs=0.1)  # half of 3 rad/s
    elif mode == 3:
        body_y_z = swarm.observation[0, 13]  # R[2, 1] = sin(roll) at zero pitch
        assert body_y_z == pytest.approx(math.sin(0.2 * math.pi / 4), abs=0.02)
    else:
        assert velocity == pytest.approx([0.6, -0.3, 0.15], abs=0.03)


def test_golden_trajectory() -> None:
    """One recorded second of flight: any change of the physics shows here."""
    swarm = make_swarm()
    still(swarm, 0, [0.0, 0.0, 5.0])
    place(swarm, 0, RATE=[0.5, -0.4, 0.3], ROTOR=[0.7] * 4)
    for step in range(100):
        wave = 0.05 + 0.02 * math.sin(0.2 * step)
        fly(swarm, [wave, 0.05, wave, 0.05], 1)
    state = np.concatenate([swarm.table[at.POS : at.POS + 3, 0], swarm.table[at.QUAT : at.QUAT + 4, 0]])
    assert state == pytest.approx(GOLDEN, abs=1e-6)


GOLDEN = [-0.525141365, -0.871779751, 4.807361407, 0.940173505, 0.265042959, -0.162920419, 0.138863055]
