"""Where every number of a swarm lies: rows of the agent table, columns of the world table, reward terms. Constants only.

The agent table is [rows, agents] float64 (structure of arrays): agent = world * drones + drone. A row's length is padded to an
odd number of cache lines, because rows a multiple of 4 KiB apart fall into the same cache sets (5 times slower).
"""

from __future__ import annotations

# --- agent rows: true state
POS, VEL, QUAT, RATE, ROTOR = 0, 3, 6, 10, 13
"""Position m, velocity m/s (world frame), quaternion w x y z (body to world), body rates rad/s, rotor speed as a share of its top."""
THRUST_NOISE, FORCE, TORQUE, PUSH = 17, 21, 24, 27
"""Thrust noise (share, 4), disturbance force N and torque N m (3 each), acceleration of downwash in this step m/s^2 (3)."""
GOAL, GOAL_SHAPE, START = 30, 33, 45
"""Goal m (3), four control points of its path m (12), start position m (3)."""
COMMAND = 48
"""The action flown in this step after latency and clipping (4)."""
# --- agent rows: airframe after domain randomisation
MASS, INERTIA, MAX_THRUST, TORQUE_RATIO, LAG_S, ARM_X, ARM_Y, RADIUS, DRAG, HOVER = (
    52,
    53,
    56,
    57,
    58,
    59,
    60,
    61,
    62,
    63,
)
"""kg, kg m^2 (3), N a motor, m, s, m, m, m, N s/m, thrust share that hovers."""
# --- agent rows: contacts of this step (0 or 1), new contacts of this step, distances
TOUCH, NEW, NEAREST_DRONE, OBSTACLE_GAP, DISTANCE = 64, 68, 72, 73, 74
DRONE, OBSTACLE, WALL, FLOOR = 0, 1, 2, 3
"""Kinds of contact: offsets into TOUCH, NEW and HITS."""
# --- agent rows: measures of the running episode
(
    HITS,
    LATE_HITS,
    REWARD_SUM,
    PATH_M,
    EFFORT_SUM,
    CLOSENESS_SUM,
    LAST_DISTANCE_SUM,
    LAST_INSIDE,
    LAST_STEPS,
    REACHED_STEP,
    MIN_GAP,
) = (
    75,
    79,
    83,
    84,
    85,
    86,
    87,
    88,
    89,
    90,
    91,
)
"""HITS and LATE_HITS (after the grace period) are 4 rows each, by kind; REACHED_STEP is -1 until the goal is reached."""
RECENT = 92
"""The five latest distances to the goal, oldest first (5)."""
CRASHED = 97
"""1 when this drone ended the episode."""
TERM = 98
"""The native reward's terms of this step (8)."""
TERMS = ("distance", "effort", "floor", "orientation", "spin", "drone_contact", "obstacle_contact", "proximity")
PAST = 106
"""Past actions, a ring of 4 rows a step: the action of step s lies in slot s modulo the steps that the swarm keeps."""

# --- world columns
(
    ROOM,
    DENSITY,
    OBSTACLE_RADIUS,
    OBSTACLES,
    GOAL_KIND,
    ACTION_MODE,
    TERMINATE,
    HORIZON,
    STEP,
    TILT,
    GOAL_DISTANCE,
    LEASH,
    NOISE,
    DISTURBANCE,
    DRAG_SCALE,
    WIND,
    DOWNWASH,
    LATENCY,
    RANDOMISATION,
    MOTOR_LAG,
    WIND_X,
    WIND_Y,
    GOAL_CLOCK,
    CENTRE_X,
    CENTRE_Y,
    CENTRE_Z,
    PHASE,
    START_SPEED,
    AIRFRAME,
    ENDED_STEP,
) = range(30)
"""ENDED_STEP is the length of the world's last finished episode, in steps; the others are the task's or the running episode's."""
WORLD_COLUMNS = 32
MOST_OBSTACLES = 80
"""A room of 12 m has 10 x 10 obstacle cells, at most 80 % of them taken."""
MOST_CELLS = 144

# --- goal kinds and action modes
HOVER_AT, GO_TO, SAME, WAYPOINTS, LISSAJOUS, BEZIER, EIGHT, SWAP, FORMATION, DYNAMIC, PURSUIT = range(11)
GOALS = (
    "hover",
    "go to goal",
    "same goal",
    "waypoints",
    "Lissajous curve",
    "Bezier curve",
    "figure eight",
    "swap",
    "formation",
    "dynamic goals",
    "pursuit",
)
THRUST, SPEED, RATES, ATTITUDE, VELOCITY = range(5)
ACTIONS = ("motor thrust", "rotor speed", "collective thrust and body rates", "attitude", "velocity")

# --- fixed physics and rules
GRAVITY = 9.81
CONTROL_S = 0.01
"""One control step; the published swarm and the published hover task both run at 100 Hz."""
GRACE_STEPS = 150
"""Contacts in the first 1.5 s do not count against success (as published)."""
LAST_SECOND = 100
REACH_M = 0.5
MAX_RATE, MAX_SPEED = 40.0, 30.0
"""rad/s (published clip) and m/s (a guard; free fall through the tallest room ends at 15 m/s)."""


def padded(length: int) -> int:
    """Round a row up to an odd number of 64-byte lines of float64."""
    lines = -(-length // 8)
    return 8 * (lines + 1 - lines % 2)
