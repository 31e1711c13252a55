"""The classical fourth-order Runge-Kutta step of one drone; the rotor speeds at its three instants come from the exact lag."""

from __future__ import annotations

import math

from envs.quadrotor.dynamics import Table, angular_acceleration, spin, store, thrust_axis, wrench
from envs.quadrotor.jit import jit
from envs.quadrotor.layout import DRAG, FORCE, GRAVITY, INERTIA, MASS, POS, PUSH, QUAT, RATE, ROTOR, VEL

Slope = tuple[float, float, float, float, float, float, float, float, float, float]


@jit
def slope(
    t: Table,
    a: int,
    vx: float,
    vy: float,
    vz: float,
    qw: float,
    qx: float,
    qy: float,
    qz: float,
    rx: float,
    ry: float,
    rz: float,
    lift: float,
    tx: float,
    ty: float,
    tz: float,
    drag: float,
    wx: float,
    wy: float,
) -> Slope:
    """Derivative of velocity (3), quaternion (4) and rates (3)."""
    ax, ay, az = angular_acceleration(rx, ry, rz, tx, ty, tz, t[INERTIA, a], t[INERTIA + 1, a], t[INERTIA + 2, a])
    zx, zy, zz = thrust_axis(qw, qx, qy, qz)
    per_mass = 1.0 / t[MASS, a]
    slow = drag * t[DRAG, a] * per_mass
    dw, dx, dy, dz = spin(qw, qx, qy, qz, rx, ry, rz)
    return (
        (lift * zx + t[FORCE, a]) * per_mass + t[PUSH, a] - slow * (vx - wx),
        (lift * zy + t[FORCE + 1, a]) * per_mass + t[PUSH + 1, a] - slow * (vy - wy),
        (lift * zz + t[FORCE + 2, a]) * per_mass + t[PUSH + 2, a] - slow * vz - GRAVITY,
        dw,
        dx,
        dy,
        dz,
        ax,
        ay,
        az,
    )


@jit
def fly_rk4(
    t: Table,
    a: int,
    c0: float,
    c1: float,
    c2: float,
    c3: float,
    gain: float,
    dt: float,
    drag: float,
    wx: float,
    wy: float,
    noisy: bool,
) -> None:
    """Advance drone `a` by `dt` towards rotor speeds c0 to c3; `gain` is 1 - exp(-dt / lag). Same arguments as `fly_euler`."""
    half = 1.0 - math.sqrt(1.0 - gain) if gain < 1.0 else 1.0
    s0, s1, s2, s3 = t[ROTOR, a], t[ROTOR + 1, a], t[ROTOR + 2, a], t[ROTOR + 3, a]
    if gain >= 1.0:  # no lag: the command holds from the start of the step
        s0, s1, s2, s3 = c0, c1, c2, c3
    w0 = wrench(t, a, s0, s1, s2, s3, noisy)
    m = (s0 + half * (c0 - s0), s1 + half * (c1 - s1), s2 + half * (c2 - s2), s3 + half * (c3 - s3))
    w1 = wrench(t, a, m[0], m[1], m[2], m[3], noisy)
    s0, s1, s2, s3 = s0 + gain * (c0 - s0), s1 + gain * (c1 - s1), s2 + gain * (c2 - s2), s3 + gain * (c3 - s3)
    t[ROTOR, a], t[ROTOR + 1, a], t[ROTOR + 2, a], t[ROTOR + 3, a] = s0, s1, s2, s3
    w2 = wrench(t, a, s0, s1, s2, s3, noisy)
    h = 0.5 * dt
    v = (t[VEL, a], t[VEL + 1, a], t[VEL + 2, a])
    q = (t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a])
    r = (t[RATE, a], t[RATE + 1, a], t[RATE + 2, a])
    k1 = _slope_at(t, a, v, q, r, k0(), 0.0, w0, drag, wx, wy)
    k2 = _slope_at(t, a, v, q, r, k1, h, w1, drag, wx, wy)
    k3 = _slope_at(t, a, v, q, r, k2, h, w1, drag, wx, wy)
    k4 = _slope_at(t, a, v, q, r, k3, dt, w2, drag, wx, wy)
    b = dt / 6.0
    # position: the same weights over the velocities at the four instants
    px = t[POS, a] + dt * v[0] + b * dt * (k1[0] + k2[0] + k3[0])
    py = t[POS + 1, a] + dt * v[1] + b * dt * (k1[1] + k2[1] + k3[1])
    pz = t[POS + 2, a] + dt * v[2] + b * dt * (k1[2] + k2[2] + k3[2])
    store(
        t,
        a,
        px,
        py,
        pz,
        v[0] + b * (k1[0] + 2.0 * (k2[0] + k3[0]) + k4[0]),
        v[1] + b * (k1[1] + 2.0 * (k2[1] + k3[1]) + k4[1]),
        v[2] + b * (k1[2] + 2.0 * (k2[2] + k3[2]) + k4[2]),
        q[0] + b * (k1[3] + 2.0 * (k2[3] + k3[3]) + k4[3]),
        q[1] + b * (k1[4] + 2.0 * (k2[4] + k3[4]) + k4[4]),
        q[2] + b * (k1[5] + 2.0 * (k2[5] + k3[5]) + k4[5]),
        q[3] + b * (k1[6] + 2.0 * (k2[6] + k3[6]) + k4[6]),
        r[0] + b * (k1[7] + 2.0 * (k2[7] + k3[7]) + k4[7]),
        r[1] + b * (k1[8] + 2.0 * (k2[8] + k3[8]) + k4[8]),
        r[2] + b * (k1[9] + 2.0 * (k2[9] + k3[9]) + k4[9]),
    )


@jit
def k0() -> Slope:
    """No slope: the start of the step."""
    return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@jit
def _slope_at(
    t: Table,
    a: int,
    v: tuple[float, float, float],
    q: tuple[float, float, float, float],
    r: tuple[float, float, float],
    k: Slope,
    h: float,
    w: tuple[float, float, float, float],
    drag: float,
    wx: float,
    wy: float,
) -> Slope:
    """Slope at the start moved by `h` along slope `k`."""
    return slope(
        t,
        a,
        v[0] + h * k[0],
        v[1] + h * k[1],
        v[2] + h * k[2],
        q[0] + h * k[3],
        q[1] + h * k[4],
        q[2] + h * k[5],
        q[3] + h * k[6],
        r[0] + h * k[7],
        r[1] + h * k[8],
        r[2] + h * k[9],
        w[0],
        w[1],
        w[2],
        w[3],
        drag,
        wx,
        wy,
    )
