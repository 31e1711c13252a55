"""From agent rows to what others see: named state for reward programs, and the outcome of a finished episode.

Success and contacts come from the true state. `GRACE_STEPS` is the grace period in which contacts do not count, `REACH_M` the radius.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, NamedState
from envs.quadrotor import layout as at
from envs.quadrotor.swarm import Floats, Swarm
from envs.task import ParamValue

_MUST_STAY = (at.HOVER_AT, at.WAYPOINTS, at.LISSAJOUS, at.BEZIER, at.EIGHT, at.DYNAMIC, at.PURSUIT)
"""Goal kinds where passing by is not success: the drone must be inside the radius throughout the last second."""
_KINDS = ("drone", "obstacle", "wall", "floor")


def name_state(swarm: Swarm) -> NamedState:
    """True state of every drone in new float64 arrays with leading axis agent = world x drone."""
    position, goal = swarm.rows(at.POS, 3), swarm.rows(at.GOAL, 3)
    touch = swarm.rows(at.TOUCH, 4)
    quaternion = swarm.rows(at.QUAT, 4)
    return {
        "position": position,
        "velocity": swarm.rows(at.VEL, 3),
        "attitude": quaternion,
        "up_axis": up_axis(quaternion),
        "body_rates": swarm.rows(at.RATE, 3),
        "rotor_speeds": swarm.rows(at.ROTOR, 4),
        "disturbance_force": swarm.rows(at.FORCE, 3),
        "disturbance_torque": swarm.rows(at.TORQUE, 3),
        "goal": goal,
        "to_goal": goal - position,
        "goal_distance": np.linalg.norm(goal - position, axis=1),
        "nearest_drone_distance": np.minimum(swarm.rows(at.NEAREST_DRONE)[:, 0], 10.0),
        "obstacle_gap": np.minimum(swarm.rows(at.OBSTACLE_GAP)[:, 0], 10.0),
        **{f"touches_{kind}": touch[:, index].copy() for index, kind in enumerate(_KINDS)},
        "command": swarm.rows(at.COMMAND, 4),
        "time": swarm.column(at.STEP) * at.CONTROL_S,
    }


def up_axis(quaternion: Floats) -> Floats:
    """Body z axis in the world frame, [agents, 3]."""
    w, x, y, z = quaternion.T
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)


def make_outcome(
    table: NDArray[np.float64], world: Floats, agent: int, params: Mapping[str, ParamValue]
) -> EpisodeOutcome:
    """Judge one drone's finished episode from agent rows `table` [rows, agents] and its world's row as they stood at the end."""
    row = table[:, agent].tolist()
    steps, horizon, kind = int(world[at.STEP]), float(world[at.HORIZON]), int(world[at.GOAL_KIND])
    crashed, finished = row[at.CRASHED] > 0, steps >= horizon
    late = row[at.LATE_HITS : at.LATE_HITS + 4]
    touched = any(count > 0 for count in late) or crashed
    reached = row[at.REACHED_STEP] >= 0
    last = max(row[at.LAST_STEPS], 1.0)
    stayed = finished and not crashed and row[at.LAST_STEPS] > 0 and row[at.LAST_INSIDE] >= row[at.LAST_STEPS]
    success = not touched and stayed if kind in _MUST_STAY else not touched and reached and not crashed
    # half the horizon counts; steps that were never flown count as far away
    near = min(1.0, row[at.CLOSENESS_SUM] / max(1.0, math.floor(horizon / 2)))
    struck = any(count > 0 for count in row[at.LATE_HITS : at.LATE_HITS + 2])
    hits = dict(zip(_KINDS, row[at.HITS : at.HITS + 4], strict=True))
    straight = math.dist(row[at.START : at.START + 3], row[at.GOAL : at.GOAL + 3])
    minutes = steps * at.CONTROL_S / 60
    return EpisodeOutcome(
        slot=agent,
        params=params,
        fitness=near * (0.5 if touched else 1.0),
        success=bool(success),
        native_return=row[at.REWARD_SUM],
        length=steps,
        extras={
            "reached": float(reached),
            "strict_success": float(stayed and not touched),
            "touched": float(touched),
            "crashed": float(crashed),
            "deadlock": float(not reached and not touched),
            **{f"{name}_contacts": count for name, count in hits.items()},
            **{f"touched_{name}": float(count > 0) for name, count in zip(_KINDS, late, strict=True)},
            "contacts_per_minute": sum(hits.values()) / minutes,
            "time_to_goal_s": (row[at.REACHED_STEP] if reached else float(steps)) * at.CONTROL_S,
            "path_ratio": row[at.PATH_M] / max(straight, at.REACH_M),
            "last_second_distance_m": row[at.LAST_DISTANCE_SUM] / last if row[at.LAST_STEPS] > 0 else row[at.DISTANCE],
            "min_gap_m": row[at.MIN_GAP],
            "effort": row[at.EFFORT_SUM] / steps,
            "published_success": float(reached and not struck),
            "published_collision": float(struck),
        },
    )
