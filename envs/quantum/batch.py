"""Many circuits grown together: the `BatchEnv` of the quantum family.

A step adds one gate to every circuit, optimises all its angles, and measures. Worlds with the same machine share one
compiled call. The gate is added first and its angles optimised after. An action that is not legal adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, NamedState, ParamSource, StepBatch
from envs.quantum.actions import COUNT, PAIRS, QUBITS, STOP, Mask, decode
from envs.quantum.angles import optimise_grown
from envs.quantum.certificate import sector_numbers
from envs.quantum.drawing import draw_circuit
from envs.quantum.encoding import SIZE, TOTALS, reactions
from envs.quantum.energies import state_of
from envs.quantum.gates import CircuitBatch, Gate, count_gates, depth, empty_batch
from envs.quantum.machine import Machine, make_machine
from envs.quantum.params import dump_params, resolve_quantum
from envs.quantum.paulis import Float64
from envs.quantum.problems import PROBLEMS
from envs.quantum.rewards import Change, pay
from envs.task import TaskSpec

Float32 = NDArray[np.float32]
MOST_GATES = 100


def observation_space() -> gymnasium.spaces.Box:
    """Box [SIZE] float32; see encoding.py."""
    return gymnasium.spaces.Box(-100.0, 100.0, (SIZE,), np.float32)


def action_space() -> gymnasium.spaces.Discrete:
    """Discrete [81]; see actions.py."""
    return gymnasium.spaces.Discrete(COUNT)


class QuantumBatch:
    """n circuits; `params` gives each new episode its task parameters, over the task's own."""

    def __init__(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> None:
        self.num_envs = n
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._source = task, params
        self._machines: list[Machine] = []
        self._circuits = empty_batch(n, MOST_GATES)
        self._measured, self._true, self._returns = np.zeros(n), np.zeros(n), np.zeros(n)
        self._lengths, self._limits, self._evaluations = np.zeros(n, int), np.zeros(n, int), np.zeros(n)
        self._reactions, self._used = np.zeros((n, STOP)), np.zeros((n, STOP), int)
        self._masks, self._entangled = np.zeros((n, COUNT), bool), np.zeros(n)
        self._illegal = np.zeros(n, bool)

    def reset(self, seed: int) -> Float32:
        """Start new circuits, each world on its own stream derived from `seed`; return observations [n, SIZE]."""
        streams = np.random.SeedSequence(seed).spawn(self.num_envs)
        self._generators = [np.random.Generator(np.random.PCG64(stream)) for stream in streams]
        self._machines = [self._next_machine() for _ in streams]
        self._begin(range(self.num_envs))
        return self._observe()

    def _next_machine(self) -> Machine:
        given = self._task.params if self._source is None else {**self._task.params, **self._source()}
        return make_machine(resolve_quantum(self._task.family, given))

    def _begin(self, slots: Iterable[int]) -> None:
        """Start episodes in `slots` on the machines that are set."""
        started = list(slots)
        for slot in started:
            self._circuits.lengths[slot] = 0
            self._circuits.angles[slot] = 0.0
            self._limits[slot] = self._machines[slot].draw_limit(self._generators[slot])
            self._lengths[slot], self._evaluations[slot], self._returns[slot] = 0, 1.0, 0.0
            self._illegal[slot] = False
            self._used[slot] = -1
        for slot in started:
            self._measured[slot] = self._machines[slot].energy_of((), self._generators[slot])
        self._look(started)

    def _groups(self, slots: list[int]) -> list[tuple[Machine, list[int]]]:
        """`slots` by machine."""
        groups: dict[int, list[int]] = {}
        for slot in slots:
            groups.setdefault(id(self._machines[slot]), []).append(slot)
        return [(self._machines[group[0]], group) for group in groups.values()]

    def _look(self, slots: list[int]) -> None:
        """Refresh true energies, reactions and masks of `slots`."""
        batch = self._circuits
        for slot in slots:
            machine = self._machines[slot]
            row = (batch.kinds[slot], batch.qubits[slot], batch.controls[slot], batch.angles[slot])
            count = int(batch.lengths[slot])
            found = reactions(machine.true, *row, count, machine.two_qubit, self._reactions[slot])
            self._true[slot], self._entangled[slot] = found
            self._masks[slot] = machine.legal(batch, slot)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Add one gate to every circuit (or stop), optimise, measure. `actions` [n] int, clipped to the last one."""
        self._started()
        chosen = np.asarray(actions).reshape(self.num_envs).astype(int).clip(0, STOP)
        before = self._measured.copy()
        self._illegal = ~self._masks[np.arange(self.num_envs), chosen]
        grown = [slot for slot in range(self.num_envs) if chosen[slot] != STOP and not self._illegal[slot]]
        for slot in grown:
            self._append(slot, int(chosen[slot]))
        self._optimise(grown)
        self._look(grown)
        self._lengths += 1
        return self._finish(chosen, before)

    def _append(self, slot: int, action: int) -> None:
        batch = self._circuits
        place = int(batch.lengths[slot])
        kind, qubit, control = decode(action, self._machines[slot].two_qubit)
        batch.kinds[slot, place], batch.qubits[slot, place], batch.controls[slot, place] = kind, qubit, control
        batch.angles[slot, place] = 0.0
        batch.lengths[slot] = place + 1
        self._used[slot, action] = place

    def _optimise(self, slots: list[int]) -> None:
        for machine, group in self._groups(slots):
            rows = _rows(self._circuits, group)
            reached, spent = optimise_grown(machine, rows, [self._generators[slot] for slot in group])
            self._circuits.angles[group] = rows.angles
            self._measured[group] = reached
            self._evaluations[group] += spent

    def _finish(self, chosen: NDArray[Any], before: Float64) -> StepBatch:
        n = self.num_envs
        full = self._circuits.lengths >= self._limits
        solved = np.array([self._solved(slot) for slot in range(n)])
        oracle = np.array([machine.params.reward_kind != 3 for machine in self._machines])
        stopped = (chosen == STOP) & ~self._illegal
        terminated = (solved & oracle) | full | stopped
        truncated = (self._lengths >= self._task.horizon) & ~terminated
        over = terminated | truncated
        reward = np.array([self._pay(slot, chosen, before, solved, over) for slot in range(n)])
        self._returns += reward
        final, next_state = self._observe(), self.named_state()
        finished = np.flatnonzero(over).tolist()
        outcomes = tuple(self._outcome(slot, bool(solved[slot])) for slot in finished)
        for slot in finished:
            self._machines[slot] = self._next_machine() if self._source else self._machines[slot]
        self._begin(finished)
        observation = self._observe() if finished else final.copy()
        return StepBatch(
            observation=observation,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state=next_state,
            outcomes=outcomes,
        )

    def _solved(self, slot: int) -> bool:
        machine = self._machines[slot]
        return abs(machine.error_of(float(self._true[slot]))) < machine.params.threshold_energy

    def _pay(self, slot: int, chosen: NDArray[Any], before: Float64, solved: Mask, over: Mask) -> float:
        machine, action, legal = self._machines[slot], int(chosen[slot]), not bool(self._illegal[slot])
        change = Change(
            before=float(before[slot]),
            after=float(self._measured[slot]),
            exact=machine.problem.exact,
            legal=legal,
            added_gate=legal and action != STOP,
            added_pair=legal and action < PAIRS,
            solved=bool(solved[slot]),
            over=bool(over[slot]),
        )
        return pay(machine.params.reward_kind, change)

    def _outcome(self, slot: int, solved: bool) -> EpisodeOutcome:
        machine, circuit = self._machines[slot], self.circuit(slot)
        pairs, rotations = count_gates(circuit)
        true, measured = float(self._true[slot]), float(self._measured[slot])
        return EpisodeOutcome(
            slot=slot,
            params=dump_params(machine.params),
            fitness=machine.fitness_of(true, len(circuit)),
            success=solved,
            native_return=float(self._returns[slot]),
            length=int(self._lengths[slot]),
            extras={
                "energy_error": machine.error_of(true),
                "measured_error": machine.error_of(measured),
                "noise_error": measured - true,
                "oracle": float(machine.params.reward_kind != 3),
                "entanglement": float(self._entangled[slot]),
                **sector_numbers(machine.problem, state_of(machine.true, circuit)),
                "floor_error": machine.problem.floor_error,
                "gates": float(len(circuit)),
                "two_qubit_gates": float(pairs),
                "rotations": float(rotations),
                "depth": float(depth(circuit)),
                "evaluations": float(self._evaluations[slot]),
            },
        )

    def circuit(self, slot: int = 0) -> tuple[Gate, ...]:
        """The circuit of one world now, with its angles."""
        return self._circuits.circuit(slot)

    def machine(self, slot: int = 0) -> Machine:
        """Hamiltonian and noise of one world now."""
        return self._started()[slot]

    def action_masks(self) -> Mask:
        """[n, 81] legal actions of every world now, as copies."""
        self._started()
        return self._masks.copy()

    def _observe(self) -> Float32:
        """Compact observations [n, SIZE] float32."""
        n = self.num_envs
        lengths = self._circuits.lengths[:, None]
        recent = np.where(self._used >= 0, 1.0 / (lengths - np.maximum(self._used, 0) + (self._used < 0)), 0.0)
        totals = np.zeros((n, TOTALS))
        for slot, machine in enumerate(self._machines):
            p = machine.params
            totals[slot] = (
                (self._measured[slot] - machine.problem.floor) * 10.0,
                lengths[slot, 0] / p.max_gates,
                (self._limits[slot] - lengths[slot, 0]) / MOST_GATES,
                1.0 - self._lengths[slot] / self._task.horizon,
                machine.problem.qubits / QUBITS,
                p.problem / len(PROBLEMS),
                p.bond_length if machine.problem.geometry else p.field,
                p.noise_level * 100.0,
                np.log10(p.threshold),
                float(self._illegal[slot]),
            )
        whole = np.concatenate([self._masks, 10.0 * self._reactions, recent, totals], axis=1)
        return np.asarray(whole.clip(-100.0, 100.0), dtype=np.float32)

    def named_state(self) -> NamedState:
        """Named state of every world now, as copies."""
        from envs.quantum.measures import name_state

        machines = self._started()
        return name_state(
            machines,
            [self.circuit(slot) for slot in range(self.num_envs)],
            measured=self._measured,
            true=self._true,
            reactions=self._reactions,
            entanglement=self._entangled,
            limits=self._limits,
            illegal=self._illegal,
            evaluations=self._evaluations,
        )

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB frame [height, width, 3] of one circuit, headless."""
        machine, circuit = self._started()[slot], self.circuit(slot)
        pairs, rotations = count_gates(circuit)
        caption = (
            f"{machine.problem.name} at {machine.problem.setting:g}: E = {self._true[slot]:.6f}, "
            f"error {machine.error_of(float(self._true[slot])) * 1e3:.3f} mHa (floor "
            f"{machine.problem.floor_error * 1e3:.3f}), {pairs} two-qubit, {rotations} rotations"
        )
        return draw_circuit(circuit, machine.problem.qubits, machine.true.start, caption)

    def close(self) -> None:
        """Let go of the worlds."""
        self._machines = []

    def _started(self) -> list[Machine]:
        if not self._machines:
            raise RuntimeError("the circuits have not started: call reset(seed) first")
        return self._machines


def _rows(batch: CircuitBatch, slots: list[int]) -> CircuitBatch:
    """Copies of some circuits of a batch."""
    return CircuitBatch(
        batch.kinds[slots], batch.qubits[slots], batch.controls[slots], batch.angles[slots], batch.lengths[slots]
    )
