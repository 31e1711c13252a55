"""The arrays of many worlds and the calls into the kernel: reset, step, restart, snapshot, restore. No Gymnasium, no reward programs.

All views (the family's batch, single world, SB3, PettingZoo) stand on this one class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor import layout as at
from envs.quadrotor.airframes import AIRFRAMES, Airframe
from envs.quadrotor.kernel import observe_worlds, restart_worlds, step_worlds
from envs.quadrotor.lanes import BLOCK, WIDTH, rows_of
from envs.quadrotor.noise import make_streams
from envs.quadrotor.observe import observation_size
from envs.quadrotor.params import QuadrotorParams, check_capacity
from envs.quadrotor.reward import HOVER_WEIGHTS, SWARM_WEIGHTS

Floats = NDArray[np.float64]
_HUGE = 2**19 + 2**18
"""Numbers in 6 MiB: a huge page or two whatever the buffer's start."""


@dataclass(frozen=True, kw_only=True)
class View:
    """How a swarm is seen and integrated; the same for every world of a batch."""

    neighbours: int = 2
    """Nearest neighbours in the observation."""
    history: int = 0
    """Past actions in the observation."""
    substeps: int = 2
    """Integration steps a control step (published: 2)."""
    integrator: str = "euler"
    """`euler` (semi-implicit) or `rk4`."""
    backend: str = "numba"
    """`numba`, or `torch` (see `torch_swarm.py`; for a GPU)."""
    device: str = "auto"
    """Of the torch back end: `auto`, `cpu` or `cuda`."""

    def check(self) -> None:
        """Raise `ValueError` with one line for a view that cannot be."""
        if not 0 <= self.neighbours <= 127 or not 0 <= self.history <= 64 or not 1 <= self.substeps <= 100:
            raise ValueError(f"{self}: neighbours are 0 to 127, history 0 to 64, substeps 1 to 100.")
        if self.integrator not in ("euler", "rk4"):
            raise ValueError(f"integrator {self.integrator!r} is unknown; use 'euler' or 'rk4'.")
        if self.backend not in ("numba", "torch"):
            raise ValueError(f"back end {self.backend!r} of the drones is unknown; use 'numba' or 'torch'.")


class Swarm:
    """`worlds` rooms of `drones` drones each; agent = world * drones + drone. Episodes of a world end for all its drones."""

    def __init__(
        self,
        worlds: int,
        params: QuadrotorParams,
        horizon: int,
        view: View | None = None,
        airframes: Sequence[Airframe] = AIRFRAMES,
    ) -> None:
        if worlds < 1:
            raise ValueError(f"quadrotor: {worlds} worlds is not at least 1.")
        self.view = view or View()
        self.view.check()
        self.worlds, self.drones, self.horizon = worlds, params.drones, horizon
        self.agents = worlds * self.drones
        self.kept = max(self.view.history, 9)
        """Past actions that are stored: for the observation and for the longest latency."""
        self.size = observation_size(self.view.neighbours, self.view.history)
        width = at.padded(self.agents + BLOCK)
        self.table = large_zeros(at.PAST + 4 * self.kept, width)
        """Agent rows of `layout`, [rows, padded agents]; write to it only between steps."""
        self.world_table = np.zeros((worlds, at.WORLD_COLUMNS))
        self.weights = np.array(SWARM_WEIGHTS + HOVER_WEIGHTS)
        """Native reward weights (8 swarm terms, then 4 of hover); change them in place for a ramp or a curriculum."""
        self.obstacles = np.zeros((worlds, 2, at.MOST_OBSTACLES + 8))
        self.ended = np.zeros_like(self.table)
        """Agent rows of the worlds that ended in the last step, as they were before their restart."""
        self.observation = np.zeros((self.agents, self.size), np.float32)
        self.final_observation = np.zeros_like(self.observation)
        self.reward = np.zeros(self.agents)
        self.terminated, self.truncated = np.zeros(self.agents, np.bool_), np.zeros(self.agents, np.bool_)
        self._frames = np.array([frame_row(frame) for frame in airframes])
        self._lanes = np.zeros(rows_of(self.size - 4 * self.view.history) * WIDTH)
        self._grid = self._lanes.reshape(-1, WIDTH)
        self._streams = np.zeros(worlds, np.uint64)
        for world in range(worlds):
            self.set_params(world, params)

    def set_params(self, world: int, params: QuadrotorParams) -> None:
        """Write the task parameters of one world, to be followed by `restart`; its number of drones stays.

        Raises `ValueError` when the new room cannot hold them.
        """
        check_capacity(self.drones, params.room, params.density)
        row = self.world_table[world]
        row[at.ROOM], row[at.DENSITY], row[at.OBSTACLE_RADIUS] = params.room, params.density, 0.5 * params.diameter
        row[at.GOAL_KIND], row[at.GOAL_DISTANCE], row[at.LEASH] = params.goal, params.goal_distance, params.leash
        row[at.ACTION_MODE], row[at.AIRFRAME] = params.action_mode, params.airframe
        row[at.TILT], row[at.START_SPEED] = math.radians(params.tilt), params.start_speed
        row[at.TERMINATE], row[at.HORIZON] = params.crash_ends, self.horizon
        row[at.NOISE], row[at.DISTURBANCE], row[at.DRAG_SCALE] = params.noise, params.disturbance, params.drag
        row[at.WIND], row[at.DOWNWASH], row[at.LATENCY] = params.wind, params.downwash, params.latency
        row[at.RANDOMISATION], row[at.MOTOR_LAG] = params.randomisation, params.motor_lag
        if params.leash >= 15.0:
            row[at.LEASH] = math.inf

    def reset(self, seed: int) -> NDArray[np.float32]:
        """Restart every world on its own stream derived from `seed`; return observations [agents, size] (a copy)."""
        self._streams[:] = make_streams(seed, self.worlds)
        self.restart(range(self.worlds))
        return self.observation.copy()

    def reset_each(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Restart world i as the only world of a swarm would be by `reset(seeds[i])`; return observations (a copy)."""
        self._streams[:] = np.concatenate([make_streams(seed, 1) for seed in seeds])
        self.restart(range(self.worlds))
        return self.observation.copy()

    def restart(self, worlds: Sequence[int]) -> None:
        """Begin new episodes in `worlds`, each on its running stream."""
        which = np.array(list(worlds), np.int64)
        restart_worlds(
            self.table,
            self.world_table,
            self.obstacles,
            self._streams,
            self._frames,
            self._lanes,
            self._grid,
            self.observation,
            which,
            self.drones,
            self.view.neighbours,
            self.view.history,
            self.kept,
        )

    def step(self, actions: NDArray[np.float32], *, restart: bool = True) -> int:
        """Advance by 0.01 s with `actions` [agents, 4] float32 in [-1, 1] (clipped); return how many worlds ended.

        Results lie in `observation`, `final_observation`, `reward`, `terminated` and `truncated`, which the next step
        overwrites. With `restart`, worlds that ended begin anew in the same call and leave their rows in `ended`.
        Actions must be finite: views check that.
        """
        return int(
            step_worlds(
                self.table,
                self.world_table,
                self.obstacles,
                self._streams,
                self._frames,
                self.weights,
                self._lanes,
                self._grid,
                np.ascontiguousarray(actions, np.float32),
                self.observation,
                self.final_observation,
                self.reward,
                self.terminated,
                self.truncated,
                self.ended,
                self.drones,
                self.view.neighbours,
                self.view.history,
                self.kept,
                self.view.substeps,
                self.view.integrator == "rk4",
                restart,
            )
        )

    def reseed(self, world: int, seed: int) -> None:
        """Give one world another future: its random stream starts anew from `seed`, its state stays."""
        self._streams[world] = make_streams(seed, 1)[0]

    def rows(self, first: int, count: int = 1) -> Floats:
        """Agent rows `first` to `first + count` as [agents, count], a copy."""
        return np.ascontiguousarray(self.table[first : first + count, : self.agents].T)

    def column(self, index: int) -> Floats:
        """One column of the world table for every agent, [agents], a copy."""
        return np.repeat(self.world_table[:, index], self.drones)

    def snapshot(self, worlds: Sequence[int]) -> Floats:
        """Everything about `worlds`, their future randomness included, as flat rows [len(worlds), n] float64."""
        which = np.array(list(worlds), np.int64)
        agents = self.table[:, : self.agents].reshape(len(self.table), self.worlds, self.drones)
        parts = (
            agents[:, which].transpose(1, 0, 2).reshape(len(which), -1),
            self.world_table[which],
            self.obstacles[which].reshape(len(which), -1),
            self._streams[which].view(np.float64)[:, None],
        )
        return np.concatenate(parts, axis=1)

    def restore(self, worlds: Sequence[int], rows: Floats) -> None:
        """Put snapshots `rows` [len(worlds), n] into `worlds` and refresh their observations.

        The rows may come from other slots or another swarm of the same drones and view; raises `ValueError` where they do not fit.
        """
        which = np.array(list(worlds), np.int64)
        cuts = np.cumsum([len(self.table) * self.drones, at.WORLD_COLUMNS, self.obstacles[0].size, 1])
        if rows.shape != (len(which), cuts[-1]):
            raise ValueError(f"snapshots have shape {rows.shape}; this swarm's are ({len(which)}, {cuts[-1]}).")
        agents, columns, obstacles, streams, _ = np.split(rows, cuts, axis=1)
        block = agents.reshape(len(which), len(self.table), self.drones)
        for index, world in enumerate(which):
            self.table[:, world * self.drones : (world + 1) * self.drones] = block[index]
        self.world_table[which] = columns
        self.obstacles[which] = obstacles.reshape(len(which), *self.obstacles.shape[1:])
        self._streams[which] = np.ascontiguousarray(streams[:, 0]).view(np.uint64)
        before = self._streams.copy()
        self.observe(worlds)
        self._streams[:] = before  # the restored worlds fly on as if nobody had looked

    def observe(self, worlds: Sequence[int]) -> None:
        """Write the observations of `worlds` as they stand now; sensor noise, where on, is drawn."""
        observe_worlds(
            self.table,
            self.world_table,
            self.obstacles,
            self._streams,
            self._lanes,
            self._grid,
            self.observation,
            np.array(list(worlds), np.int64),
            self.drones,
            self.view.neighbours,
            self.view.history,
            self.kept,
        )


def make_swarm(worlds: int, params: QuadrotorParams, horizon: int, view: View | None = None) -> Swarm:
    """Build a swarm of the view's back end; raises `ValueError` for an unknown one or a GPU that is not there."""
    view = view or View(history=params.history)
    view.check()
    if view.backend == "numba":
        return Swarm(worlds, params, horizon, view)
    from envs.quadrotor.torch_swarm import TorchSwarm

    return TorchSwarm(worlds, params, horizon, view)


def large_zeros(rows: int, width: int) -> Floats:
    """Zeros [rows, width] in a buffer of at least 4 MiB: from there on NumPy asks for huge pages, and rows do not each need their own."""
    buffer = np.empty(max(rows * width, _HUGE), np.float64)[: rows * width]
    buffer.fill(0.0)
    return buffer.reshape(rows, width)


def frame_row(frame: Airframe) -> list[float]:
    """An airframe's numbers in the order of the agent rows from MASS to DRAG."""
    return [
        frame.mass_kg,
        *frame.inertia_kg_m2,
        frame.max_thrust_n,
        frame.torque_ratio_m,
        frame.lag_s,
        frame.motor_x_m,
        frame.motor_y_m,
        frame.radius_m,
        frame.drag_n_s_per_m,
    ]
