"""What the measures of a flight say, in the order in which a report shows them: those of a finished episode's `extras`, and of a room of drones.

No drone's reward sees them; the card does not name them.
"""

from __future__ import annotations

from collections.abc import Mapping

KINDS = ("drone", "obstacle", "wall", "floor")
"""Kinds of contact."""
_WHAT = {"drone": "another drone", "obstacle": "an obstacle", "wall": "a wall or the ceiling", "floor": "the floor"}
MEANINGS: Mapping[str, str] = {
    "agent_success": "share of drones within 0.5 m of the goal (mean over 0.05 s) without any contact after the first 1.5 s",
    "all_succeeded": "share of rooms where every drone succeeded",
    "strict_success": "no contact after the first 1.5 s, and within 0.5 m throughout the last second",
    "published_success": "as in quad-swarm-rl: within the same radius, but walls and floor may be touched",
    "published_collision": "as in quad-swarm-rl: touched a drone or an obstacle after the first 1.5 s",
    "touched": "any contact after the first 1.5 s",
    **{f"touched_{kind}": f"contact with {_WHAT[kind]} after the first 1.5 s" for kind in KINDS},
    "deadlock": "goal not reached, nothing touched",
    "reached": "came within 0.5 m of the goal, touched or not",
    "contacts_per_minute": "new contacts of all kinds a drone-minute, the first 1.5 s included",
    "time_to_goal_s": "seconds until the goal was reached; the whole episode where it was not",
    "path_ratio": "length flown over the straight line from start to goal",
    "last_second_distance_m": "mean distance from the goal in the last second, in metres",
    "min_gap_m": "least free space to a drone or an obstacle in the episode (separation), in metres",
    "effort": "mean absolute action over the four commands, each from -1 to 1",
}
