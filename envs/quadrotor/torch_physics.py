"""Flight of all drones at once in torch: the same formulas as `dynamics.py` and `control.py`, on rows [k, agents] of any device.

No contacts and no randomness here. `Room` is what each drone needs to know of its world, one number an agent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.quadrotor import layout as at
from envs.quadrotor.control import TOP_ANGLE, TOP_RATE, TOP_VELOCITY, TOP_YAW_RATE


@dataclass(frozen=True, kw_only=True)
class Room:
    """Columns of the world table, one number an agent [n]."""

    columns: Tensor
    """[WORLD_COLUMNS, n]."""

    def __getitem__(self, column: int) -> Tensor:
        return self.columns[column]


def thrust_axis(q: Tensor) -> Tensor:
    """Body z axis in the world frame [3, n] of quaternions [4, n]."""
    w, x, y, z = q
    return torch.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])


def rotation(q: Tensor) -> Tensor:
    """Rotation matrices, row by row [9, n]."""
    w, x, y, z = q
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)]
    rows += [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)]
    rows += [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    return torch.stack(rows)


def spin(q: Tensor, r: Tensor) -> Tensor:
    """Quaternion derivative q' = q * (0, w) / 2."""
    w, x, y, z = q
    rx, ry, rz = r
    parts = [-(x * rx + y * ry + z * rz), w * rx + y * rz - z * ry, w * ry + z * rx - x * rz, w * rz + x * ry - y * rx]
    return 0.5 * torch.stack(parts)


class Flight:
    """One control step of rigid-body flight: what stays constant during it, and the integrators."""

    def __init__(self, t: Tensor, room: Room, dt: float) -> None:
        self.t, self.room, self.dt = t, room, dt
        lag = 1.0 - torch.exp(-dt / t[at.LAG_S])
        self.gain = torch.where(room[at.MOTOR_LAG] > 0, lag, torch.ones_like(lag))
        drag = room[at.DRAG_SCALE]
        drag = torch.where(room[at.WIND] > 0, drag.clamp(min=1.0), drag)
        self.slow = drag * t[at.DRAG] / t[at.MASS]
        steady = t[at.FORCE : at.FORCE + 3] / t[at.MASS] + t[at.PUSH : at.PUSH + 3]
        steady[0] += self.slow * room[at.WIND_X]
        steady[1] += self.slow * room[at.WIND_Y]
        steady[2] -= at.GRAVITY
        self.steady = steady

    def wrench(self, rotors: Tensor) -> tuple[Tensor, Tensor]:
        """Lift a mass [n] and body torque [3, n] at rotor speeds [4, n]."""
        t = self.t
        f = t[at.MAX_THRUST] * rotors * rotors * (1.0 + t[at.THRUST_NOISE : at.THRUST_NOISE + 4])
        torque = torch.stack(
            [
                t[at.ARM_Y] * (f[2] + f[3] - f[0] - f[1]),
                t[at.ARM_X] * (f[1] + f[2] - f[0] - f[3]),
                t[at.TORQUE_RATIO] * (f[1] + f[3] - f[0] - f[2]),
            ]
        )
        return f.sum(0) / t[at.MASS], torque + t[at.TORQUE : at.TORQUE + 3]

    def push(self, v: Tensor, q: Tensor, lift: Tensor) -> Tensor:
        """Acceleration m/s^2."""
        return lift * thrust_axis(q) + self.steady - self.slow * v

    def turn(self, r: Tensor, torque: Tensor) -> Tensor:
        """Euler's equation J w' = t - w x J w."""
        j = self.t[at.INERTIA : at.INERTIA + 3]
        turning: Tensor = (torque - torch.linalg.cross(r, j * r, dim=0)) / j
        return turning

    def euler(self, targets: Tensor) -> None:
        """One semi-implicit Euler step towards rotor speeds [4, n]."""
        p, v, q, r, rotors = self.state()
        rotors = rotors + self.gain * (targets - rotors)
        lift, torque = self.wrench(rotors)
        a, b = self.push(v, q, lift), self.turn(r, torque)
        v, r = v + self.dt * a, r + self.dt * b
        q = q + self.dt * spin(q, r)
        self.store(p + self.dt * v, v, q, r, rotors)

    def rk4(self, targets: Tensor) -> None:
        """One classical Runge-Kutta step towards rotor speeds [4, n]."""
        p, v, q, r, rotors = self.state()
        dt, gain = self.dt, self.gain
        start = torch.where(gain >= 1.0, targets, rotors)
        middle, end = start + (1.0 - torch.sqrt(1.0 - gain)) * (targets - start), start + gain * (targets - start)
        slopes: list[tuple[Tensor, Tensor, Tensor]] = []
        for share, speeds in ((0.0, start), (0.5, middle), (0.5, middle), (1.0, end)):
            a, d, b = slopes[-1] if slopes else (torch.zeros_like(v), torch.zeros_like(q), torch.zeros_like(r))
            h = share * dt
            v1, q1, r1 = v + h * a, q + h * d, r + h * b
            lift, torque = self.wrench(speeds)
            slopes.append((self.push(v1, q1, lift), spin(q1, r1), self.turn(r1, torque)))
        (a1, d1, b1), (a2, d2, b2), (a3, d3, b3), (a4, d4, b4) = slopes
        p = p + dt * v + dt * dt / 6.0 * (a1 + a2 + a3)
        v = v + dt / 6.0 * (a1 + 2.0 * (a2 + a3) + a4)
        q = q + dt / 6.0 * (d1 + 2.0 * (d2 + d3) + d4)
        r = r + dt / 6.0 * (b1 + 2.0 * (b2 + b3) + b4)
        self.store(p, v, q, r, end)

    def state(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Position, velocity, quaternion, rates, rotor speeds."""
        t = self.t
        return t[at.POS : at.VEL], t[at.VEL : at.QUAT], t[at.QUAT : at.RATE], t[at.RATE : at.ROTOR], t[at.ROTOR : 17]

    def store(self, p: Tensor, v: Tensor, q: Tensor, r: Tensor, rotors: Tensor) -> None:
        """Write the new state, rates and speeds within their limits, the quaternion at length 1."""
        t = self.t
        t[at.POS : at.VEL] = p
        t[at.VEL : at.QUAT] = v.clamp(-at.MAX_SPEED, at.MAX_SPEED)
        t[at.QUAT : at.RATE] = q / torch.sqrt((q * q).sum(0))
        t[at.RATE : at.ROTOR] = r.clamp(-at.MAX_RATE, at.MAX_RATE)
        t[at.ROTOR : 17] = rotors


def aim(t: Tensor, room: Room) -> Tensor:
    """Rotor speeds [4, n] that the commands ask for now, in every action mode."""
    u, mode = t[at.COMMAND : at.COMMAND + 4], room[at.ACTION_MODE]
    share = 0.5 + 0.5 * u
    targets = torch.where(mode == at.SPEED, share, torch.sqrt(share))
    if bool((mode > at.SPEED).any()):
        targets = torch.where(mode > at.SPEED, cascades(t, room, u), targets)
    return targets


def cascades(t: Tensor, room: Room, u: Tensor) -> Tensor:
    """Rotor speeds of the modes with inner loops: body rates, attitude, velocity."""
    mode = room[at.ACTION_MODE]
    gain = torch.where(room[at.MOTOR_LAG] > 0, (0.5 / t[at.LAG_S]).clamp(max=20.0), torch.full_like(mode, 20.0))
    q = t[at.QUAT : at.RATE]
    axis = thrust_axis(q)
    level, wish, lift = (
        tilted_axis(q, TOP_ANGLE * u[0 + 1], TOP_ANGLE * u[2]),
        *velocity_thrust(t, u, gain / 12.0, axis),
    )
    fast = mode == at.VELOCITY
    wanted = torch.where(fast, wish, level)
    lift = torch.where(fast, lift, (0.5 + 0.5 * u[0]) * 4.0 * t[at.MAX_THRUST])
    ex, ey = axis_error(q, axis, wanted)
    direct = mode == at.RATES
    wx = torch.where(direct, TOP_RATE * u[1], 0.25 * gain * ex)
    wy = torch.where(direct, TOP_RATE * u[2], 0.25 * gain * ey)
    return track_rates(t, lift, torch.stack([wx, wy, TOP_YAW_RATE * u[3]]), gain)


def track_rates(t: Tensor, lift: Tensor, wanted: Tensor, gain: Tensor) -> Tensor:
    """Torques towards body rates [3, n], mixed with `lift` N into four motors."""
    r, j = t[at.RATE : at.ROTOR], t[at.INERTIA : at.INERTIA + 3]
    torque = j * gain * (wanted - r) + torch.linalg.cross(r, j * r, dim=0)
    roll, pitch = torque[0] / (4.0 * t[at.ARM_Y]), torque[1] / (4.0 * t[at.ARM_X])
    yaw = torch.minimum(torch.maximum(torque[2] / (4.0 * t[at.TORQUE_RATIO]), -0.05 * lift), 0.05 * lift)
    each = 0.25 * lift
    motors = [
        each - roll - pitch - yaw,
        each - roll + pitch + yaw,
        each + roll + pitch - yaw,
        each + roll - pitch + yaw,
    ]
    return torch.sqrt((torch.stack(motors) / t[at.MAX_THRUST]).clamp(0.0, 1.0))


def tilted_axis(q: Tensor, roll: Tensor, pitch: Tensor) -> Tensor:
    """Thrust axis in the world frame [3, n] for roll and pitch at the present heading."""
    w, x, y, z = q
    hx, hy = 1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z)
    length = torch.sqrt(hx * hx + hy * hy)
    heads = length > 1e-6
    hx, hy = torch.where(heads, hx / length, 1.0), torch.where(heads, hy / length, 0.0)
    fx, fy, fz = torch.sin(pitch) * torch.cos(roll), -torch.sin(roll), torch.cos(pitch) * torch.cos(roll)
    return torch.stack([hx * fx - hy * fy, hy * fx + hx * fy, fz])


def velocity_thrust(t: Tensor, u: Tensor, gain: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Thrust axis [3, n] and lift N [n] that lead to the commanded velocity."""
    v, g = t[at.VEL : at.QUAT], at.GRAVITY
    ax = (gain * (TOP_VELOCITY * u[0] - v[0])).clamp(-g, g)
    ay = (gain * (TOP_VELOCITY * u[1] - v[1])).clamp(-g, g)
    az = g + (2.0 * gain * (TOP_VELOCITY * u[2] - v[2])).clamp(-0.5 * g, 0.5 * g)
    a = torch.stack([ax, ay, az])
    return a / torch.sqrt((a * a).sum(0)), t[at.MASS] * (a * axis).sum(0).clamp(min=0.0)


def axis_error(q: Tensor, axis: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation from the thrust axis to the wanted one, as its x and y parts in the body frame."""
    cx, cy, cz = torch.linalg.cross(axis, wanted, dim=0)
    m = rotation(q)
    bx, by = m[0] * cx + m[3] * cy + m[6] * cz, m[1] * cx + m[4] * cy + m[7] * cz
    size = torch.sqrt(bx * bx + by * by)
    far, known = (axis * wanted).sum(0) < 0.0, size > 1e-6
    full_x, full_y = torch.where(known, bx / size, 1.0), torch.where(known, by / size, 0.0)
    return torch.where(far, full_x, bx), torch.where(far, full_y, by)


THRUST_KEEP = 0.85**2
THRUST_SIGMA = 0.2 * 0.05 * math.sqrt(1.0 + 0.85**2)
"""As in `kernel.py`: the published thrust noise as it looks every 10 ms."""
