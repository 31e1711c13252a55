"""From an action to rotor speeds: motor thrust and rotor speed pass through, the other modes run a small cascade each sub-step.

The rate loop's gain follows from the rotor lag (damping 0.7), the attitude and velocity loops are slower by 4 and 12. Gains are ours.
"""

from __future__ import annotations

import math

from envs.quadrotor.blocks import use_wide_vectors
from envs.quadrotor.dynamics import thrust_axis
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import BLOCK, MODE, TARGET, WIDTH, Lanes, Table, clip
from envs.quadrotor.layout import (
    ARM_X,
    ARM_Y,
    ATTITUDE,
    COMMAND,
    GRAVITY,
    INERTIA,
    LAG_S,
    MASS,
    MAX_THRUST,
    MOTOR_LAG,
    QUAT,
    RATE,
    RATES,
    SPEED,
    TORQUE_RATIO,
    VEL,
)

TOP_RATE, TOP_YAW_RATE, TOP_ANGLE, TOP_VELOCITY = 6.0, 3.0, 0.7853981633974483, 3.0
"""rad/s, rad/s, rad (45 degrees) and m/s at action 1."""
Speeds = tuple[float, float, float, float]


@jit
def aim_motors(s: Lanes, blocks: int) -> bool:
    """Write TARGET of the lanes whose actions are motor thrusts or rotor speeds; return whether there are other lanes."""
    use_wide_vectors()
    other = 0.0
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            mode = b[MODE * WIDTH + i]
            other = max(other, mode)
            for k in range(4):
                share = 0.5 + 0.5 * b[(COMMAND + k) * WIDTH + i]
                root = math.sqrt(share)
                b[(TARGET + k) * WIDTH + i] = share if mode == SPEED else root
    return bool(other > SPEED)


@jit
def aim_cascades(t: Table, wt: Table, first_world: int, drones: int, count: int) -> None:
    """Write TARGET of the lanes whose inner loops close in every sub-step."""
    for i in range(count):
        if t[MODE, i] > SPEED:
            targets = rotor_targets(t, i, int(t[MODE, i]), wt[first_world + i // drones, MOTOR_LAG] > 0.0)
            t[TARGET, i], t[TARGET + 1, i], t[TARGET + 2, i], t[TARGET + 3, i] = targets


@jit
def rotor_targets(t: Table, a: int, mode: int, lagging: bool) -> Speeds:
    """Rotor speeds (shares of the top speed) that the command of lane `a` asks for now, in the modes above rotor speed."""
    u0, u1, u2, u3 = t[COMMAND, a], t[COMMAND + 1, a], t[COMMAND + 2, a], t[COMMAND + 3, a]
    gain = min(20.0, 0.5 / t[LAG_S, a]) if lagging else 20.0
    lift = (0.5 + 0.5 * u0) * 4.0 * t[MAX_THRUST, a]
    if mode == RATES:
        return track_rates(t, a, lift, TOP_RATE * u1, TOP_RATE * u2, TOP_YAW_RATE * u3, gain)
    zx, zy, zz = thrust_axis(t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a])
    if mode == ATTITUDE:
        dx, dy, dz = tilted_axis(t, a, TOP_ANGLE * u1, TOP_ANGLE * u2)
    else:
        dx, dy, dz, lift = velocity_thrust(t, a, u0, u1, u2, gain / 12.0, zx, zy, zz)
    ex, ey = axis_error(t, a, zx, zy, zz, dx, dy, dz)
    return track_rates(t, a, lift, 0.25 * gain * ex, 0.25 * gain * ey, TOP_YAW_RATE * u3, gain)


@jit
def track_rates(t: Table, a: int, lift: float, wx: float, wy: float, wz: float, gain: float) -> Speeds:
    """Torques towards body rates (rad/s), mixed with `lift` N into four motors."""
    rx, ry, rz = t[RATE, a], t[RATE + 1, a], t[RATE + 2, a]
    jx, jy, jz = t[INERTIA, a], t[INERTIA + 1, a], t[INERTIA + 2, a]
    roll = (jx * gain * (wx - rx) + ry * rz * (jz - jy)) / (4.0 * t[ARM_Y, a])
    pitch = (jy * gain * (wy - ry) + rz * rx * (jx - jz)) / (4.0 * t[ARM_X, a])
    yaw = clip((jz * gain * (wz - rz) + rx * ry * (jy - jx)) / (4.0 * t[TORQUE_RATIO, a]), -0.05 * lift, 0.05 * lift)
    each, top = 0.25 * lift, t[MAX_THRUST, a]
    return (
        math.sqrt(clip((each - roll - pitch - yaw) / top, 0.0, 1.0)),
        math.sqrt(clip((each - roll + pitch + yaw) / top, 0.0, 1.0)),
        math.sqrt(clip((each + roll + pitch - yaw) / top, 0.0, 1.0)),
        math.sqrt(clip((each + roll - pitch + yaw) / top, 0.0, 1.0)),
    )


@jit
def tilted_axis(t: Table, a: int, roll: float, pitch: float) -> tuple[float, float, float]:
    """Thrust axis in the world frame for roll and pitch (rad) at the present heading."""
    qw, qx, qy, qz = t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a]
    hx, hy = 1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy + qw * qz)
    length = math.sqrt(hx * hx + hy * hy)
    hx, hy = (hx / length, hy / length) if length > 1e-6 else (1.0, 0.0)
    fx, fy, fz = math.sin(pitch) * math.cos(roll), -math.sin(roll), math.cos(pitch) * math.cos(roll)
    return hx * fx - hy * fy, hy * fx + hx * fy, fz


@jit
def velocity_thrust(
    t: Table, a: int, ux: float, uy: float, uz: float, gain: float, zx: float, zy: float, zz: float
) -> tuple[float, float, float, float]:
    """Thrust axis (3) and lift N that lead to the commanded velocity; horizontal acceleration within one g."""
    ax = clip(gain * (TOP_VELOCITY * ux - t[VEL, a]), -GRAVITY, GRAVITY)
    ay = clip(gain * (TOP_VELOCITY * uy - t[VEL + 1, a]), -GRAVITY, GRAVITY)
    az = GRAVITY + clip(2.0 * gain * (TOP_VELOCITY * uz - t[VEL + 2, a]), -0.5 * GRAVITY, 0.5 * GRAVITY)
    size = math.sqrt(ax * ax + ay * ay + az * az)
    lift = t[MASS, a] * max(0.0, ax * zx + ay * zy + az * zz)
    return ax / size, ay / size, az / size, lift


@jit
def axis_error(
    t: Table, a: int, zx: float, zy: float, zz: float, dx: float, dy: float, dz: float
) -> tuple[float, float]:
    """Rotation from the thrust axis to the wanted one, as its x and y parts in the body frame."""
    cx, cy, cz = zy * dz - zz * dy, zz * dx - zx * dz, zx * dy - zy * dx
    qw, qx, qy, qz = t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a]
    bx = (
        (1.0 - 2.0 * (qy * qy + qz * qz)) * cx + 2.0 * (qx * qy + qw * qz) * cy + 2.0 * (qx * qz - qw * qy) * cz
    )  # R^T c
    by = 2.0 * (qx * qy - qw * qz) * cx + (1.0 - 2.0 * (qx * qx + qz * qz)) * cy + 2.0 * (qy * qz + qw * qx) * cz
    if zx * dx + zy * dy + zz * dz < 0.0:  # more than 90 degrees off: turn at full error
        size = math.sqrt(bx * bx + by * by)
        return (bx / size, by / size) if size > 1e-6 else (1.0, 0.0)
    return bx, by
