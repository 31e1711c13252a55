"""The optional torch back end: the same swarm, stepped as whole-batch tensor operations on a CPU or a GPU.

Flight, distances, observations, rewards and measures run on the device. What is rare and branches stays with the compiled kernel on the host:
starts of episodes, responses to contacts, goals that move. Those draw from the worlds' own streams in the kernel's order, so with sensor and
thrust noise and downwash off (`noise` and `downwash` 0) a swarm flies as the numba one does, to rounding. Noise and downwash are drawn by a
torch generator that `reset` seeds: repeatable, but other numbers than the kernel's. On a CPU the numba back end is many times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.quadrotor import layout as at
from envs.quadrotor.airframes import AIRFRAMES, Airframe
from envs.quadrotor.kernel import touch_worlds
from envs.quadrotor.pairs import FAR_M
from envs.quadrotor.params import QuadrotorParams
from envs.quadrotor.swarm import Floats, Swarm, View
from envs.quadrotor.torch_judge import count_step, find_crashes, pay
from envs.quadrotor.torch_physics import THRUST_KEEP, THRUST_SIGMA, Flight, Room, aim, thrust_axis
from envs.quadrotor.torch_sense import Pairs, meet, observe, probe_grids, see_neighbours

_STILL = (at.HOVER_AT, at.GO_TO, at.SAME, at.SWAP, at.FORMATION)


def choose_device(wanted: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:1` into a device; `auto` is the first GPU or else the CPU.

    Raises `ValueError` with one line when a GPU is asked for and there is none.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ValueError(f"device {wanted!r} is unknown; use 'auto', 'cpu' or 'cuda'.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {wanted!r} is asked for, but torch sees no CUDA GPU here; use device 'auto' or 'cpu'."
        )
    return device


class TorchSwarm(Swarm):
    """A `Swarm` whose steps run in torch; float64 on a CPU, where the table is shared, float32 on a GPU, where it is copied when read."""

    def __init__(
        self,
        worlds: int,
        params: QuadrotorParams,
        horizon: int,
        view: View | None = None,
        airframes: Sequence[Airframe] = AIRFRAMES,
    ) -> None:
        self.device = choose_device((view or View()).device)
        self._shared = self.device.type == "cpu"
        self._host: Floats = np.zeros((0, 0))
        self._stale, self._read = False, True
        super().__init__(worlds, params, horizon, view, airframes)
        self._dtype = torch.float64 if self._shared else torch.float32
        self._t = torch.zeros((len(self._host), self.agents), dtype=self._dtype, device=self.device)
        if self._shared:
            self._t = torch.from_numpy(self._host)[:, : self.agents]
        self._generator = torch.Generator(self.device)

    @property
    def table(self) -> Floats:
        """Agent rows of `layout` on the host, fetched where the device has newer ones; whoever reads it may write to it."""
        self._fetch()
        self._read = True
        return self._host

    @table.setter
    def table(self, value: Floats) -> None:
        self._host = value

    def _fetch(self) -> None:
        if self._stale and not self._shared:
            self._host[:, : self.agents] = self._t.cpu().numpy()
        self._stale = False

    def _send(self) -> None:
        """Bring what the host may have written to the device."""
        if self._read and not self._shared:
            self._t.copy_(torch.from_numpy(self._host[:, : self.agents]))
        self._read = False

    def rows(self, first: int, count: int = 1) -> Floats:
        """Agent rows `first` to `first + count` as [agents, count], a copy."""
        source = self._t[first : first + count].cpu().numpy() if self._stale else self._host[first : first + count]
        return np.ascontiguousarray(source[:, : self.agents].T, dtype=np.float64)

    def reset(self, seed: int) -> NDArray[np.float32]:
        self._generator.manual_seed(seed)
        return super().reset(seed)

    def reset_each(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        self._generator.manual_seed(int(seeds[0]))
        return super().reset_each(seeds)

    def step(self, actions: NDArray[np.float32], *, restart: bool = True) -> int:
        """Advance by 0.01 s; see `Swarm.step`."""
        self._send()
        t, room = self._t, self._room()
        command = self._take_actions(t, room, actions)
        t[at.COMMAND : at.COMMAND + 4] = command
        self._fly(t, room)
        most = int(self.world_table[:, at.OBSTACLES].max())
        obstacles = torch.as_tensor(self.obstacles[:, :, :most], dtype=self._dtype, device=self.device)
        grid2 = probe_grids(t, room, obstacles, most, self.drones)
        pairs = meet(t, self.drones) if self.drones > 1 else None
        self._stale = True
        if self._touch(t, room, grid2, pairs):
            grid2 = probe_grids(t, room, obstacles, most, self.drones)
            pairs = meet(t, self.drones) if self.drones > 1 else None
        t[at.COMMAND : at.COMMAND + 4] = command
        room = self._room()
        paid = self._pay(t, room, pairs)
        self._judge(t, room, paid)
        self._observe(t, room, grid2, pairs)
        self._stale = True
        return self._restart_ended(restart)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.as_tensor(values, dtype=self._dtype, device=self.device)

    def _room(self) -> Room:
        """The world table as it stands, one column an agent."""
        return Room(columns=self._tensor(self.world_table.T.copy()).repeat_interleave(self.drones, dim=1))

    def _take_actions(self, t: Tensor, room: Room, actions: NDArray[np.float32]) -> Tensor:
        """Remember this step's clipped actions in the ring; return the commands [4, n] that latency lets through."""
        ring = t[at.PAST :].view(self.kept, 4, self.agents)
        step = room[at.STEP].long()
        now = step % self.kept
        late = (step - room[at.LATENCY].long().clamp(max=self.kept - 1) + self.kept) % self.kept
        drones = torch.arange(self.agents, device=self.device)
        ring[now, :, drones] = self._tensor(actions).clamp(-1.0, 1.0)
        return ring[late, :, drones].T

    def _fly(self, t: Tensor, room: Room) -> None:
        """Noise and downwash, then the sub-steps."""
        dt = at.CONTROL_S / self.view.substeps
        if self.world_table[:, at.NOISE].any():
            drawn = room[at.NOISE] * THRUST_SIGMA * self._draw(4)
            noise = t[at.THRUST_NOISE : at.THRUST_NOISE + 4]
            t[at.THRUST_NOISE : at.THRUST_NOISE + 4] = torch.where(
                room[at.NOISE] > 0, THRUST_KEEP * noise + drawn, noise
            )
        if self.drones > 1 and self.world_table[:, at.DOWNWASH].any():
            self._wash(t, room)
        flight, targets = Flight(t, room, dt), aim(t, room)
        for substep in range(self.view.substeps):
            if substep and bool((room[at.ACTION_MODE] > at.SPEED).any()):
                targets = aim(t, room)
            if self.view.integrator == "rk4":
                flight.rk4(targets)
            else:
                flight.euler(targets)
        t[at.PUSH : at.PUSH + 3] = 0.0

    def _draw(self, rows: int) -> Tensor:
        return torch.randn((rows, self.agents), generator=self._generator, dtype=self._dtype, device=self.device)

    def _wash(self, t: Tensor, room: Room) -> None:
        """Downwash of every drone on those below it: PUSH and small kicks of the rates (see `kernel.wash`)."""
        shape = (self.worlds, self.drones)
        p = t[at.POS : at.VEL].reshape(3, *shape)
        axis = thrust_axis(t[at.QUAT : at.RATE]).reshape(3, *shape)
        apart = p[:, :, None, :] - p[:, :, :, None]
        below = -(apart * axis[:, :, :, None]).sum(0)
        beside2 = (apart * apart).sum(0) - below * below
        hit = (below > 0.0) & (below < 0.7) & (beside2 < 0.01) & (room[at.DOWNWASH].view(*shape, 1) > 0)
        jitter = 0.2 * torch.rand(hit.shape, generator=self._generator, dtype=self._dtype, device=self.device) - 0.1
        push = torch.where(hit, 6.0 / 17.0 * (7.0 - 10.0 * below) + jitter, 0.0)
        t[at.PUSH : at.PUSH + 3] = -(push * axis[:, :, :, None]).sum(2).reshape(3, -1)
        kick = torch.where(hit, 0.3 * (below - 1.0) ** 2, 0.0)
        size = torch.sqrt((kick * kick).sum(1)).reshape(-1)  # independent normal kicks add up to one of this size
        t[at.RATE : at.ROTOR] = (t[at.RATE : at.ROTOR] + size * self._draw(3)).clamp(-at.MAX_RATE, at.MAX_RATE)

    def _touch(self, t: Tensor, room: Room, grid2: Tensor, pairs: Pairs | None) -> bool:
        """Contacts and moving goals of the rooms where there are any, on the host; return whether there was one."""
        radius, half, p = t[at.RADIUS], 0.5 * room[at.ROOM], t[at.POS : at.VEL]
        side = p[:2].abs().amax(0)
        outside = (side >= half - radius) | (p[2] >= 2.0 * half - radius) | (p[2] <= radius)
        gap = torch.sqrt(grid2[4]) - room[at.OBSTACLE_RADIUS] - radius
        event = (outside | (gap <= 0.0)).view(self.worlds, self.drones).any(1)
        if pairs is not None:
            event |= pairs.tight.any(1)
        t[at.NEW : at.NEW + 4] = 0.0
        t[at.TOUCH : at.TOUCH + 4] *= event.repeat_interleave(self.drones).to(self._dtype)
        t[at.OBSTACLE_GAP] = gap.clamp(min=0.0)
        moving = ~np.isin(self.world_table[:, at.GOAL_KIND], _STILL)
        which = np.flatnonzero(event.cpu().numpy() | moving)
        self.world_table[np.setdiff1d(np.arange(self.worlds), which), at.STEP] += 1.0
        if len(which):
            self._respond(t, which)
        return len(which) > 0

    def _respond(self, t: Tensor, which: NDArray[np.intp]) -> None:
        """Let the compiled kernel handle the rooms in `which`, each on its own stream."""
        agents = self._agents_of(which)
        if not self._shared:
            self._host[:, agents] = t[:, agents].cpu().numpy()
        touch_worlds(
            self._host,
            self.world_table,
            self.obstacles,
            self._streams,
            self._lanes,
            self._grid,
            which.astype(np.int64),
            self.drones,
            self.view.neighbours,
        )
        if not self._shared:
            t[:, agents] = self._tensor(self._host[:, agents])

    def _agents_of(self, worlds: Sequence[int] | NDArray[np.intp]) -> NDArray[np.int64]:
        first = np.array(worlds, np.int64)[:, None] * self.drones
        return (first + np.arange(self.drones)).reshape(-1)

    def restart(self, worlds: Sequence[int]) -> None:
        """Begin new episodes in `worlds` on the host; only their columns travel."""
        stale, read = self._stale, self._read
        self._stale = False
        super().restart(worlds)
        if not self._shared and len(worlds):
            agents = self._agents_of(worlds)
            self._t[:, agents] = self._tensor(self._host[:, agents])
        self._stale, self._read = stale, read

    def _pay(self, t: Tensor, room: Room, pairs: Pairs | None) -> Tensor:
        nearness = t.new_zeros(self.agents)
        if pairs is not None:
            d = torch.sqrt(pairs.distance2)
            t[at.NEAREST_DRONE] = d.amin(2).clamp(max=FAR_M).reshape(-1)
            reach = 4.0 * t[at.RADIUS].view(self.worlds, self.drones, 1)
            nearness = (1.0 - d / reach).clamp(min=0.0).sum(2).reshape(-1)
        find_crashes(t, room)
        return pay(t, room, self._tensor(self.weights), nearness)

    def _judge(self, t: Tensor, room: Room, paid: Tensor) -> None:
        count_step(t, room, paid)
        crashed = (t[at.CRASHED] > 0).cpu().numpy()
        over = self.world_table[:, at.STEP] >= self.world_table[:, at.HORIZON]
        over = over | crashed.reshape(self.worlds, self.drones).any(axis=1)
        self.reward[:] = paid.cpu().numpy()
        self.terminated[:] = crashed
        self.truncated[:] = np.repeat(over, self.drones) & ~crashed

    def _observe(self, t: Tensor, room: Room, grid2: Tensor, pairs: Pairs | None) -> None:
        noisy = bool(self.world_table[:, at.NOISE].any())
        noise = self._draw(9) if noisy else t.new_zeros((9, self.agents))
        ring, step = t[at.PAST :].view(self.kept, 4, self.agents), room[at.STEP].long()
        drones = torch.arange(self.agents, device=self.device)
        past = [ring[(step - 1 - back) % self.kept, :, drones].T for back in range(self.view.history)]
        seen = see_neighbours(t, pairs, self.view.neighbours)
        whole = observe(t, room, grid2, seen, noise, torch.cat([t.new_zeros((0, self.agents)), *past]))
        self.final_observation[:] = whole.float().cpu().numpy()
        self.observation[:] = self.final_observation

    def _restart_ended(self, restart: bool) -> int:
        done = (self.terminated | self.truncated).reshape(self.worlds, self.drones).any(axis=1)
        worlds = np.flatnonzero(done).tolist()
        self.world_table[worlds, at.ENDED_STEP] = self.world_table[worlds, at.STEP]
        if worlds and restart:
            agents = self._agents_of(worlds)
            self.ended[:, agents] = self._t[:, agents].cpu().numpy()
            self.restart(worlds)
        return len(worlds)
