"""Rigid-body flight of one drone over one sub-step: rotor lag, thrust, torque, drag; semi-implicit Euler or RK4.

World frame z up, body frame x forward, y left. Motors 0 to 3: front right, back right, back left, front left; 0 and 2 turn the
body clockwise (-z torque), 1 and 3 counter-clockwise. The rotor lag is integrated exactly, so both integrators see the same
thrust. No contacts and no randomness here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.jit import jit
from envs.quadrotor.layout import (
    ARM_X,
    ARM_Y,
    DRAG,
    FORCE,
    GRAVITY,
    INERTIA,
    LAG_S,
    MASS,
    MAX_RATE,
    MAX_SPEED,
    MAX_THRUST,
    POS,
    PUSH,
    QUAT,
    RATE,
    ROTOR,
    THRUST_NOISE,
    TORQUE,
    TORQUE_RATIO,
    VEL,
)

Table = NDArray[np.float64]


@jit
def clip(value: float, low: float, high: float) -> float:
    """Limit `value` to [low, high]."""
    return min(max(value, low), high)


@jit
def angular_acceleration(
    rx: float, ry: float, rz: float, tx: float, ty: float, tz: float, jx: float, jy: float, jz: float
) -> tuple[float, float, float]:
    """Euler's equation J w' = t - w x J w in the body frame."""
    return (tx - ry * rz * (jz - jy)) / jx, (ty - rz * rx * (jx - jz)) / jy, (tz - rx * ry * (jy - jx)) / jz


@jit
def thrust_axis(qw: float, qx: float, qy: float, qz: float) -> tuple[float, float, float]:
    """Body z axis in the world frame."""
    return 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)


@jit
def spin(
    qw: float, qx: float, qy: float, qz: float, rx: float, ry: float, rz: float
) -> tuple[float, float, float, float]:
    """Quaternion derivative q' = q * (0, w) / 2."""
    return (
        -0.5 * (qx * rx + qy * ry + qz * rz),
        0.5 * (qw * rx + qy * rz - qz * ry),
        0.5 * (qw * ry + qz * rx - qx * rz),
        0.5 * (qw * rz + qx * ry - qy * rx),
    )


@jit
def wrench(
    t: Table, a: int, s0: float, s1: float, s2: float, s3: float, noisy: bool
) -> tuple[float, float, float, float]:
    """Thrust N and body torque N m at rotor speeds s0 to s3 (shares of the top speed)."""
    top = t[MAX_THRUST, a]
    f0, f1, f2, f3 = top * s0 * s0, top * s1 * s1, top * s2 * s2, top * s3 * s3
    if noisy:
        f0 *= 1.0 + t[THRUST_NOISE, a]
        f1 *= 1.0 + t[THRUST_NOISE + 1, a]
        f2 *= 1.0 + t[THRUST_NOISE + 2, a]
        f3 *= 1.0 + t[THRUST_NOISE + 3, a]
    return (
        f0 + f1 + f2 + f3,
        t[ARM_Y, a] * (f2 + f3 - f0 - f1) + t[TORQUE, a],
        t[ARM_X, a] * (f1 + f2 - f0 - f3) + t[TORQUE + 1, a],
        t[TORQUE_RATIO, a] * (f1 + f3 - f0 - f2) + t[TORQUE + 2, a],
    )


@jit
def fly_euler(
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
    substeps: int,
) -> None:
    """Advance drone `a` by `substeps` semi-implicit Euler steps of `dt` s towards rotor speeds c0 to c3.

    `gain` is 1 - exp(-dt / lag), `drag` scales the airframe's drag against the wind (wx, wy). All numbers stay in registers.
    """
    s0, s1, s2, s3 = t[ROTOR, a], t[ROTOR + 1, a], t[ROTOR + 2, a], t[ROTOR + 3, a]
    rx, ry, rz = t[RATE, a], t[RATE + 1, a], t[RATE + 2, a]
    qw, qx, qy, qz = t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a]
    vx, vy, vz = t[VEL, a], t[VEL + 1, a], t[VEL + 2, a]
    px, py, pz = t[POS, a], t[POS + 1, a], t[POS + 2, a]
    per_mass = dt / t[MASS, a]
    jx, jy, jz = t[INERTIA, a], t[INERTIA + 1, a], t[INERTIA + 2, a]
    kx, ky, kz = dt / jx, dt / jy, dt / jz
    slow = drag * t[DRAG, a] * per_mass
    fx, fy, fz = (
        per_mass * t[FORCE, a] + dt * t[PUSH, a] + slow * wx,
        per_mass * t[FORCE + 1, a] + dt * t[PUSH + 1, a] + slow * wy,
        per_mass * t[FORCE + 2, a] + dt * t[PUSH + 2, a] - dt * GRAVITY,
    )
    for _ in range(substeps):
        s0, s1, s2, s3 = s0 + gain * (c0 - s0), s1 + gain * (c1 - s1), s2 + gain * (c2 - s2), s3 + gain * (c3 - s3)
        lift, tx, ty, tz = wrench(t, a, s0, s1, s2, s3, noisy)
        lift *= per_mass
        zx, zy, zz = thrust_axis(qw, qx, qy, qz)
        vx, vy, vz = vx + lift * zx + fx - slow * vx, vy + lift * zy + fy - slow * vy, vz + lift * zz + fz - slow * vz
        # J w' = t - w x J w; then q' with the new rates
        ax, ay, az = tx - ry * rz * (jz - jy), ty - rz * rx * (jx - jz), tz - rx * ry * (jy - jx)
        rx, ry, rz = rx + kx * ax, ry + ky * ay, rz + kz * az
        dw, dx, dy, dz = spin(qw, qx, qy, qz, rx, ry, rz)
        qw, qx, qy, qz = qw + dt * dw, qx + dt * dx, qy + dt * dy, qz + dt * dz
        scale = 1.0 / math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
        qw, qx, qy, qz = qw * scale, qx * scale, qy * scale, qz * scale
        px, py, pz = px + dt * vx, py + dt * vy, pz + dt * vz
    t[ROTOR, a], t[ROTOR + 1, a], t[ROTOR + 2, a], t[ROTOR + 3, a] = s0, s1, s2, s3
    store(t, a, px, py, pz, vx, vy, vz, qw, qx, qy, qz, rx, ry, rz)


@jit
def store(
    t: Table,
    a: int,
    px: float,
    py: float,
    pz: float,
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
) -> None:
    """Write the new state, quaternion normalised, rates and speeds within their limits."""
    scale = 1.0 / math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
    t[POS, a], t[POS + 1, a], t[POS + 2, a] = px, py, pz
    t[VEL, a], t[VEL + 1, a], t[VEL + 2, a] = (
        clip(vx, -MAX_SPEED, MAX_SPEED),
        clip(vy, -MAX_SPEED, MAX_SPEED),
        clip(vz, -MAX_SPEED, MAX_SPEED),
    )
    t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a] = qw * scale, qx * scale, qy * scale, qz * scale
    t[RATE, a], t[RATE + 1, a], t[RATE + 2, a] = (
        clip(rx, -MAX_RATE, MAX_RATE),
        clip(ry, -MAX_RATE, MAX_RATE),
        clip(rz, -MAX_RATE, MAX_RATE),
    )


@jit
def lag_gain(t: Table, a: int, dt: float, lagging: bool) -> float:
    """Share of the way to its command that a rotor covers in `dt`; 1 without lag."""
    return 1.0 - math.exp(-dt / t[LAG_S, a]) if lagging else 1.0
