"""Rigid-body flight over the sub-steps of one control step: rotor lag, thrust, torque, drag; semi-implicit Euler or RK4.

World frame z up, body frame x forward, y left. Motors 0 to 3: front right, back right, back left, front left; 0 and 2 turn the
body clockwise (-z torque), 1 and 3 counter-clockwise. Both integrators share one derivative, and the rotor lag is integrated exactly,
so they see the same thrust. Eight lanes at a time; no contacts and no randomness here.
"""

from __future__ import annotations

import math

from envs.quadrotor.blocks import use_wide_vectors
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import (
    AIR_X,
    AIR_Y,
    BLOCK,
    GAIN,
    PER_INERTIA,
    PER_MASS,
    SLOW,
    SLOWING,
    STEADY,
    TARGET,
    WIDTH,
    Lanes,
    clip,
)
from envs.quadrotor.layout import (
    ARM_X,
    ARM_Y,
    DRAG,
    FORCE,
    GRAVITY,
    INERTIA,
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

Three = tuple[float, float, float]
Four = tuple[float, float, float, float]
Slope = tuple[float, float, float, float, float, float, float, float, float, float]
"""Derivative of velocity (3), quaternion (4) and rates (3)."""
Body = tuple[float, float, float, float, float, float, float, float, float, float]
"""Moments of inertia (3) and their inverses (3), drag a mass, constant acceleration (3)."""


@jit
def three(s: Lanes, row: int, lane: int) -> Three:
    """Three neighbouring rows of a lane."""
    at = row * WIDTH + lane
    return s[at], s[at + WIDTH], s[at + 2 * WIDTH]


@jit
def four(s: Lanes, row: int, lane: int) -> Four:
    """Four neighbouring rows of a lane."""
    at = row * WIDTH + lane
    return s[at], s[at + WIDTH], s[at + 2 * WIDTH], s[at + 3 * WIDTH]


@jit
def thrust_axis(qw: float, qx: float, qy: float, qz: float) -> Three:
    """Body z axis in the world frame."""
    return 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)


@jit
def spin(q: Four, r: Three) -> Four:
    """Quaternion derivative q' = q * (0, w) / 2."""
    qw, qx, qy, qz = q
    rx, ry, rz = r
    return (
        -0.5 * (qx * rx + qy * ry + qz * rz),
        0.5 * (qw * rx + qy * rz - qz * ry),
        0.5 * (qw * ry + qz * rx - qx * rz),
        0.5 * (qw * rz + qx * ry - qy * rx),
    )


@jit
def turn(r: Three, w: Four, body: Body) -> Three:
    """Euler's equation J w' = t - w x J w in the body frame; `w` is lift a mass and torque."""
    rx, ry, rz = r
    jx, jy, jz, kx, ky, kz = body[0], body[1], body[2], body[3], body[4], body[5]
    return (w[1] - ry * rz * (jz - jy)) * kx, (w[2] - rz * rx * (jx - jz)) * ky, (w[3] - rx * ry * (jy - jx)) * kz


@jit
def push(v: Three, q: Four, lift: float, body: Body) -> Three:
    """Acceleration m/s^2: lift along the body's axis, drag, and what is constant."""
    zx, zy, zz = thrust_axis(q[0], q[1], q[2], q[3])
    slow = body[6]
    return lift * zx + body[7] - slow * v[0], lift * zy + body[8] - slow * v[1], lift * zz + body[9] - slow * v[2]


@jit
def slope(v: Three, q: Four, r: Three, w: Four, body: Body) -> Slope:
    """The whole derivative at one instant."""
    a, d, b = push(v, q, w[0], body), spin(q, r), turn(r, w, body)
    return a[0], a[1], a[2], d[0], d[1], d[2], d[3], b[0], b[1], b[2]


@jit
def slope_from(v: Three, q: Four, r: Three, k: Slope, h: float, w: Four, body: Body) -> Slope:
    """The derivative at the start moved by `h` along the slope `k`."""
    v2 = (v[0] + h * k[0], v[1] + h * k[1], v[2] + h * k[2])
    q2 = (q[0] + h * k[3], q[1] + h * k[4], q[2] + h * k[5], q[3] + h * k[6])
    return slope(v2, q2, (r[0] + h * k[7], r[1] + h * k[8], r[2] + h * k[9]), w, body)


@jit
def wrench(s: Lanes, lane: int, rotors: Four) -> Four:
    """Lift a mass (N/kg) and body torque N m at these rotor speeds (shares of the top speed)."""
    top, noise = s[MAX_THRUST * WIDTH + lane], four(s, THRUST_NOISE, lane)
    f0, f1 = top * rotors[0] * rotors[0] * (1.0 + noise[0]), top * rotors[1] * rotors[1] * (1.0 + noise[1])
    f2, f3 = top * rotors[2] * rotors[2] * (1.0 + noise[2]), top * rotors[3] * rotors[3] * (1.0 + noise[3])
    tx, ty, tz = three(s, TORQUE, lane)
    return (
        (f0 + f1 + f2 + f3) * s[PER_MASS * WIDTH + lane],
        s[ARM_Y * WIDTH + lane] * (f2 + f3 - f0 - f1) + tx,
        s[ARM_X * WIDTH + lane] * (f1 + f2 - f0 - f3) + ty,
        s[TORQUE_RATIO * WIDTH + lane] * (f1 + f3 - f0 - f2) + tz,
    )


@jit
def weigh(s: Lanes, blocks: int) -> None:
    """Write what stays constant during a control step and costs a division: PER_MASS, PER_INERTIA, SLOWING and STEADY of all lanes."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            jx, jy, jz = three(b, INERTIA, i)
            fx, fy, fz = three(b, FORCE, i)
            wx, wy, wz = three(b, PUSH, i)
            per_mass = 1.0 / b[MASS * WIDTH + i]
            slow = b[SLOW * WIDTH + i] * b[DRAG * WIDTH + i] * per_mass
            b[PER_MASS * WIDTH + i], b[SLOWING * WIDTH + i] = per_mass, slow
            b[PER_INERTIA * WIDTH + i] = 1.0 / jx
            b[(PER_INERTIA + 1) * WIDTH + i] = 1.0 / jy
            b[(PER_INERTIA + 2) * WIDTH + i] = 1.0 / jz
            b[STEADY * WIDTH + i] = per_mass * fx + wx + slow * b[AIR_X * WIDTH + i]
            b[(STEADY + 1) * WIDTH + i] = per_mass * fy + wy + slow * b[AIR_Y * WIDTH + i]
            b[(STEADY + 2) * WIDTH + i] = per_mass * fz + wz - GRAVITY


@jit
def body_of(s: Lanes, lane: int) -> Body:
    """What stays constant during a control step."""
    jx, jy, jz = three(s, INERTIA, lane)
    kx, ky, kz = three(s, PER_INERTIA, lane)
    gx, gy, gz = three(s, STEADY, lane)
    return jx, jy, jz, kx, ky, kz, s[SLOWING * WIDTH + lane], gx, gy, gz


@jit
def closer(speeds: Four, targets: Four, gain: float) -> Four:
    """Rotor speeds after going the share `gain` of the way to their targets."""
    return (
        speeds[0] + gain * (targets[0] - speeds[0]),
        speeds[1] + gain * (targets[1] - speeds[1]),
        speeds[2] + gain * (targets[2] - speeds[2]),
        speeds[3] + gain * (targets[3] - speeds[3]),
    )


@jit
def fly_euler(s: Lanes, blocks: int, dt: float) -> None:
    """Advance all lanes by one semi-implicit Euler step of `dt` s towards the rotor speeds in TARGET."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            rotors, body = closer(four(b, ROTOR, i), four(b, TARGET, i), b[GAIN * WIDTH + i]), body_of(b, i)
            p, v, q, r = three(b, POS, i), three(b, VEL, i), four(b, QUAT, i), three(b, RATE, i)
            w = wrench(b, i, rotors)
            a, c = push(v, q, w[0], body), turn(r, w, body)
            v = (v[0] + dt * a[0], v[1] + dt * a[1], v[2] + dt * a[2])
            r = (r[0] + dt * c[0], r[1] + dt * c[1], r[2] + dt * c[2])
            d = spin(q, r)
            q = (q[0] + dt * d[0], q[1] + dt * d[1], q[2] + dt * d[2], q[3] + dt * d[3])
            p = (p[0] + dt * v[0], p[1] + dt * v[1], p[2] + dt * v[2])
            store(b, i, p, v, unit(q), r, rotors)


@jit
def fly_rk4(s: Lanes, blocks: int, dt: float) -> None:
    """Advance all lanes by one classical Runge-Kutta step of `dt` s towards the rotor speeds in TARGET."""
    h, sixth = 0.5 * dt, dt / 6.0
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            targets, gain, body = four(b, TARGET, i), b[GAIN * WIDTH + i], body_of(b, i)
            p, v, q, r = three(b, POS, i), three(b, VEL, i), four(b, QUAT, i), three(b, RATE, i)
            # without lag the command holds from the start of the step
            start = closer(four(b, ROTOR, i), targets, 1.0 if gain >= 1.0 else 0.0)
            middle, rotors = closer(start, targets, 1.0 - math.sqrt(1.0 - gain)), closer(start, targets, gain)
            w0, w1, w2 = wrench(b, i, start), wrench(b, i, middle), wrench(b, i, rotors)
            k1 = slope(v, q, r, w0, body)
            k2 = slope_from(v, q, r, k1, h, w1, body)
            k3 = slope_from(v, q, r, k2, h, w1, body)
            k4 = slope_from(v, q, r, k3, dt, w2, body)
            # position: the same weights over the velocities at the four instants
            p = (
                p[0] + dt * v[0] + sixth * dt * (k1[0] + k2[0] + k3[0]),
                p[1] + dt * v[1] + sixth * dt * (k1[1] + k2[1] + k3[1]),
                p[2] + dt * v[2] + sixth * dt * (k1[2] + k2[2] + k3[2]),
            )
            v = (
                v[0] + sixth * (k1[0] + 2.0 * (k2[0] + k3[0]) + k4[0]),
                v[1] + sixth * (k1[1] + 2.0 * (k2[1] + k3[1]) + k4[1]),
                v[2] + sixth * (k1[2] + 2.0 * (k2[2] + k3[2]) + k4[2]),
            )
            q = (
                q[0] + sixth * (k1[3] + 2.0 * (k2[3] + k3[3]) + k4[3]),
                q[1] + sixth * (k1[4] + 2.0 * (k2[4] + k3[4]) + k4[4]),
                q[2] + sixth * (k1[5] + 2.0 * (k2[5] + k3[5]) + k4[5]),
                q[3] + sixth * (k1[6] + 2.0 * (k2[6] + k3[6]) + k4[6]),
            )
            r = (
                r[0] + sixth * (k1[7] + 2.0 * (k2[7] + k3[7]) + k4[7]),
                r[1] + sixth * (k1[8] + 2.0 * (k2[8] + k3[8]) + k4[8]),
                r[2] + sixth * (k1[9] + 2.0 * (k2[9] + k3[9]) + k4[9]),
            )
            store(b, i, p, v, unit(q), r, rotors)


@jit
def unit(q: Four) -> Four:
    """The quaternion at length 1."""
    scale = 1.0 / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return q[0] * scale, q[1] * scale, q[2] * scale, q[3] * scale


@jit
def store(s: Lanes, i: int, p: Three, v: Three, q: Four, r: Three, rotors: Four) -> None:
    """Write the new state, rates and speeds within their limits."""
    for k in range(3):
        s[(POS + k) * WIDTH + i] = p[k]
        s[(VEL + k) * WIDTH + i] = clip(v[k], -MAX_SPEED, MAX_SPEED)
        s[(RATE + k) * WIDTH + i] = clip(r[k], -MAX_RATE, MAX_RATE)
    for k in range(4):
        s[(QUAT + k) * WIDTH + i] = q[k]
        s[(ROTOR + k) * WIDTH + i] = rotors[k]
