"""From a learner's successes to a circuit: keep what it found, prune it, search further at the end, make it the policy.

Works on any learner's worlds: an episode's actions and outcome are enough. Angles are set anew here. Everything is counted
in energy evaluations, those of the worlds included. Runs only for the family `quantum` and its made problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome
from envs.quantum.actions import GATE_SETS, PAIRS, STOP, decode, encode
from envs.quantum.energies import energies
from envs.quantum.gates import CircuitBatch, Gate, pack
from envs.quantum.machine import Machine, make_machine
from envs.quantum.minimise import Alphabet, make_alphabet, minimise
from envs.quantum.optimise import grow_batch, with_angles
from envs.quantum.params import QuantumParams, dump_params, resolve_quantum
from envs.quantum.prune import prune_accurate
from envs.quantum.settle import Machines, accurate, settle
from envs.quantum.skeleton import saturate
from envs.task import TaskSpec
from experimenter.trainers.qas_settings import SearchSettings

Circuit = tuple[Gate, ...]
_FREE = ("threshold", "halting", "reward_kind")
"""Task parameters in which an episode may differ from the target and still count for it."""
_KEPT = 12
_MISSES = 5
_STARTS = 8
_GROWN = 4


@dataclass(frozen=True, kw_only=True)
class Found:
    """An accurate circuit, with when it was found."""

    circuit: Circuit
    step: int
    evaluations: int
    stage: str
    """`training`: pruned from a success; `mended`: pruned from a near miss with other angles; `search`: of the search at the end."""


class Circuits:
    """What a training found so far for its target task."""

    def __init__(self, settings: SearchSettings, task: TaskSpec | None, seed: int, family: str = "quantum") -> None:
        self._settings, self._seed = settings, seed
        self._family = family if task is None else task.family
        self._machine: Machine | None = None if task is None else self._make_machine(task.params)
        self.evaluations, self.successes, self.episodes = 0, 0, 0
        self.first: list[int] | None = None
        """[env step, evaluations] of the first success."""
        self.found: list[Found] = []
        """Shortest first."""
        self.misses: list[tuple[float, list[int]]] = []
        """Smallest errors of episodes that did not succeed, with their actions."""
        self._next_prune = 0
        self._seen: set[tuple[int, ...]] = set()

    @property
    def spent_out(self) -> bool:
        """Whether the energy evaluations are used up."""
        return 0 < self._settings.max_evaluations <= self.evaluations

    @property
    def measures(self) -> dict[str, float]:
        """What a progress report says."""
        shortest = float(len(self.found[0].circuit)) if self.found else -1.0
        return {"evaluations": float(self.evaluations), "successes": float(self.successes), "shortest": shortest}

    def take(self, outcome: EpisodeOutcome, actions: list[int], step: int) -> None:
        """Take in a finished episode: its outcome and its legal actions."""
        self.episodes += 1
        self.evaluations += int(outcome.extras["evaluations"])
        if self._machine is None:
            self._machine = self._make_machine(outcome.params)
        if not _same_task(outcome.params, self._machine.params):
            return
        error = abs(outcome.extras["energy_error"])
        if error >= self._machine.params.threshold_energy:
            self.misses = sorted([*self.misses, (error, list(actions))])[:_MISSES]
            return
        self.successes += 1
        self.first = self.first or [step, self.evaluations]
        if step >= self._next_prune and tuple(actions) not in self._seen:
            self._seen.add(tuple(actions))
            self._next_prune = step + self._settings.prune_every
            self._prune(actions, step)

    def _prune(self, actions: list[int], step: int) -> None:
        machine = self._opened()
        rng = np.random.default_rng([self._seed, step, self.successes])
        circuit = self._angles(gates_of(actions, machine), rng)
        if circuit is not None:
            shorter, spent = prune_accurate(self._machines(), circuit, rng)
            self.evaluations += spent
            self._keep(shorter, step, "training")

    def _keep(self, circuit: Circuit, step: int, stage: str) -> None:
        fits = len(circuit) <= self._opened().params.max_gates
        if fits and all(_actions_of(circuit) != _actions_of(known.circuit) for known in self.found):
            self.found.append(Found(circuit=circuit, step=step, evaluations=self.evaluations, stage=stage))
            self.found = sorted(self.found, key=lambda known: len(known.circuit))[:_KEPT]

    def _angles(self, circuit: Circuit, rng: np.random.Generator) -> Circuit | None:
        """Angles that make the circuit accurate: from random ones, else grown gate by gate as the worlds do."""
        machines = self._machines()
        settled = settle(machines.true, [circuit] * _STARTS, rng, spread=2.0, iterations=200, enough=machines.limit)
        found, more = accurate(machines, settled, rng)
        self.evaluations += settled.evaluations + more
        if found:
            return found[0]
        grown = self._grow(circuit, rng)
        right = np.flatnonzero(energies(machines.true, grown) < machines.limit)
        return grown.circuit(int(right[0])) if len(right) else None

    def _grow(self, circuit: Circuit, rng: np.random.Generator) -> CircuitBatch:
        """Build the circuit gate by gate, a few times side by side, with the worlds' optimiser."""
        grown = pack([()] * _GROWN)
        for count in range(1, len(circuit) + 1):
            longer = pack([circuit[:count]] * _GROWN)
            longer.angles[:, : count - 1] = grown.angles
            kicks = 0.5 * rng.standard_normal(longer.angles.shape)
            kicks[longer.kinds > 2] = 0.0
            _, spent = grow_batch(self._machines().measured, longer, kicks, iterations=50)
            self.evaluations += int(spent.sum())
            grown = longer
        return grown

    def search(self, step: int, pulse: Callable[[], bool]) -> None:
        """Search for shorter circuits from the shortest ones found, with the evaluations that the settings grant.

        Where nothing was found, the nearest misses get further starts for their angles first.
        """
        if self._settings.search_evaluations == 0:
            return
        rng = np.random.default_rng([self._seed, step, self.successes, 1])
        self._mend(step, rng)
        if not self.found:
            return
        starts = [known.circuit for known in self.found[:3]]
        share = self._settings.search_evaluations // len(starts)
        for start in starts:
            result = minimise(
                self._machines(), start, self._alphabet(), rng, evaluations=share, pulse=lambda spent: pulse()
            )
            self.evaluations += result.evaluations
            for circuit in result.trail:
                self._keep(circuit, step, "search")
            if pulse():
                break

    def _mend(self, step: int, rng: np.random.Generator) -> None:
        """Look for angles that make a near miss accurate, with all rotations put in between where that helps."""
        alphabet = self._alphabet()
        for _, actions in self.misses:
            if self.found:
                break
            circuit = gates_of(actions, self._opened())
            for longer in (circuit, saturate(circuit, alphabet.qubits, alphabet.turn)):
                right = self._angles(longer, rng)
                if right is not None:
                    shorter, spent = prune_accurate(self._machines(), right, rng)
                    self.evaluations += spent
                    self._keep(shorter, step, "mended")
                    break

    def replay_actions(self) -> list[int]:
        """Actions of the shortest circuit pruned in training; empty when there is none."""
        own = [known for known in self.found if known.stage == "training"]
        return _actions_of(own[0].circuit) if own else []

    def policy(self, step: int, play: Callable[[list[int]], float]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Spec and tensors of the circuit that plays best; `play(actions)` gives the mean fitness over fresh worlds.

        Among circuits that play equally well the shortest; without any success the nearest miss.
        """
        if not self.found:
            nearest = self.misses[0][1] if self.misses else []
            return self._spec(gates_of(nearest, self._opened()), step, None, None)
        rng = np.random.default_rng([self._seed, step, 2])
        best: tuple[float, Circuit, Found] | None = None
        for known in self.found[:6]:
            for order in (known.circuit, *(reorder(known.circuit, rng) for _ in range(2))):
                score = play(_actions_of(order))
                if best is None or score > best[0] + 1e-9:
                    best = (score, order, known)
            if best is not None and best[0] > 1.0:  # every replay succeeds, and longer circuits can only score less
                break
        assert best is not None
        return self._spec(best[1], step, best[2], best[0])

    def _spec(
        self, circuit: Circuit, step: int, known: Found | None, score: float | None
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        from experimenter.trainers.qas_spec import make_spec

        search = {
            "env_steps": step,
            "episodes": self.episodes,
            "successes": self.successes,
            "evaluations": self.evaluations,
            "first_success": self.first,
            "found_at": None if known is None else [known.step, known.evaluations],
            "stage": None if known is None else known.stage,
            "shortest": [len(each.circuit) for each in self.found],
            "replay_fitness": score,
        }
        return make_spec(self._opened(), circuit, _actions_of(circuit), search)

    def _machines(self) -> Machines:
        machine = self._opened()
        return Machines(machine.measured, machine.true, machine.problem.exact + machine.params.threshold_energy)

    def _opened(self) -> Machine:
        if self._machine is None:
            self._machine = self._make_machine({})
        return self._machine

    def _make_machine(self, params: Mapping[str, Any]) -> Machine:
        return make_machine(resolve_quantum(self._family, params))

    def _alphabet(self) -> Alphabet:
        machine = self._opened()
        usable = [decode(action, machine.two_qubit) for action in np.flatnonzero(machine.allowed[:PAIRS]).tolist()]
        pairs = [(control, target) for _, target, control in usable]
        return make_alphabet(GATE_SETS[machine.params.gate_set], pairs, machine.problem.qubits)

    def save(self) -> dict[str, Any]:
        """JSON-plain state."""
        return {
            "counts": [self.evaluations, self.successes, self.episodes, self._next_prune],
            "first": self.first,
            "misses": [[error, actions] for error, actions in self.misses],
            "seen": sorted(self._seen),
            "found": [
                [_actions_of(known.circuit), [gate.angle for gate in known.circuit], known.step, known.evaluations, known.stage]
                for known in self.found
            ],
        }  # fmt: skip

    def load(self, state: Mapping[str, Any]) -> None:
        """Become what `save` gave."""
        self.evaluations, self.successes, self.episodes, self._next_prune = state["counts"]
        self.first, self._seen = state["first"], {tuple(actions) for actions in state["seen"]}
        self.misses = [(float(error), list(actions)) for error, actions in state["misses"]]
        self.found = [
            Found(circuit=_turn(gates_of(actions, self._opened()), angles), step=step, evaluations=spent, stage=stage)
            for actions, angles, step, spent, stage in state["found"]
        ]


def _same_task(params: Mapping[str, Any], target: QuantumParams) -> bool:
    wanted = dump_params(target)
    return all(params[name] == wanted[name] for name in wanted if name not in _FREE)


def gates_of(actions: list[int], machine: Machine) -> Circuit:
    """The gates that actions add, at angle 0; STOP adds none."""
    rows = [decode(action, machine.two_qubit) for action in actions if action != STOP]
    return tuple(Gate(kind=kind, qubit=qubit, control=control) for kind, qubit, control in rows)


def _actions_of(circuit: Circuit) -> list[int]:
    return [encode(gate.kind, gate.qubit, gate.control) for gate in circuit]


def _turn(circuit: Circuit, angles: list[float]) -> Circuit:
    return with_angles(circuit, np.array(angles))


def reorder(circuit: Circuit, rng: np.random.Generator) -> Circuit:
    """The same circuit with gates on different wires in another order."""
    left, ordered = list(circuit), []
    while left:
        ready = [
            place
            for place, gate in enumerate(left)
            if not any(set(gate.wires) & set(old.wires) for old in left[:place])
        ]
        ordered.append(left.pop(ready[int(rng.integers(len(ready)))]))
    return tuple(ordered)
