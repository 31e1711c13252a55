"""A wider search for shorter circuits than pruning: fewer two-qubit gates first, then fewer gates of any kind.

Each cycle makes three attempts from an accurate circuit: take one two-qubit gate out of its skeleton (all rotations
present) and change the others until it is accurate again; prune the filled skeleton in random orders; take any one gate
out of the shortest circuit and move and replace gates until it is accurate again. Both changes are simulated annealing
on the energy (Kirkpatrick, Gelatt and Vecchi 1983), a batch of changes at a time, all angles set anew. It proves nothing
about minimality.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from envs.quantum.gates import RY, Gate
from envs.quantum.prune import prune_accurate
from envs.quantum.settle import Machines, Settled, accurate, settle
from envs.quantum.simplify import is_simple
from envs.quantum.skeleton import Circuit, change_skeleton, fill, saturate, skeleton_of

BATCH = 32
"""Changed circuits that are compared in one step."""
PATIENCE = 24
"""Steps of the first attempt; later ones get longer."""
_ROUGH, _POLISHED = 20, 6
"""Descent iterations for all of a batch; how many of the lowest are then descended to the end."""
_PRUNINGS = 6
"""Random prunings a cycle."""

Pulse = Callable[[int], bool]
"""Told the evaluations spent so far; True asks for an end."""


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """Gates that a search may put in."""

    qubits: int
    turn: int
    """Kind of its rotations: RY where the gate set has it, since the Hamiltonians are real."""
    pairs: tuple[Gate, ...]
    """Two-qubit gates."""

    @property
    def gates(self) -> tuple[Gate, ...]:
        return (*(Gate(kind=self.turn, qubit=qubit) for qubit in range(self.qubits)), *self.pairs)


def make_alphabet(kinds: Sequence[int], pairs: Sequence[tuple[int, int]], qubits: int) -> Alphabet:
    """The alphabet of a gate set whose last kind is the two-qubit one, over `pairs` of (control, target)."""
    turn = RY if RY in kinds else kinds[0]
    gates = tuple(Gate(kind=kinds[-1], qubit=target, control=control) for control, target in pairs)
    return Alphabet(qubits=qubits, turn=turn, pairs=gates)


@dataclass(frozen=True, kw_only=True)
class Minimised:
    """What a search found."""

    circuit: Circuit
    evaluations: int
    lengths: tuple[tuple[int, int], ...]
    """(evaluations, gates) at every improvement."""
    trail: tuple[Circuit, ...]
    """The circuit at every improvement, shortest last."""


def minimise(
    machines: Machines,
    circuit: Sequence[Gate],
    alphabet: Alphabet,
    rng: np.random.Generator,
    *,
    evaluations: int,
    pulse: Pulse = lambda spent: False,
) -> Minimised:
    """Shorten a circuit that is accurate on `machines`, for about `evaluations` energy evaluations.

    Repeatable for a generator; never returns a longer circuit.
    """
    search = _Search(machines, alphabet, rng, evaluations, pulse)
    search.keep(search.prune(tuple(circuit)))
    search.refill(search.best)
    cycle = 0
    while not search.over and search.best:
        patience = PATIENCE * (1 + cycle // 2)
        _thin(search, patience)
        _prune_filled(search)
        _shorten(search, patience)
        cycle += 1
    return Minimised(
        circuit=search.best, evaluations=search.spent, lengths=tuple(search.lengths), trail=tuple(search.trail)
    )


class _Search:
    """Budget, generator, the shortest circuit and the filled skeleton so far."""

    def __init__(
        self, machines: Machines, alphabet: Alphabet, rng: np.random.Generator, budget: int, pulse: Pulse
    ) -> None:
        self.machines, self.alphabet, self.rng = machines, alphabet, rng
        self.best: Circuit = ()
        self.base: Circuit = ()
        """Accurate and as short as the best: where shortening starts."""
        self.filled: Circuit | None = None
        """Accurate, with all rotations: where thinning and random pruning start."""
        self.spent, self.lengths, self.trail = 0, list[tuple[int, int]](), list[Circuit]()
        self._budget, self._pulse, self._asked = budget, pulse, False

    @property
    def over(self) -> bool:
        self._asked = self._asked or self._pulse(self.spent)
        return self._asked or self.spent >= self._budget

    def keep(self, circuit: Circuit) -> None:
        """Take an accurate circuit where it is no longer than the best."""
        if not self.lengths or len(circuit) < len(self.best):
            self.best = circuit
            self.lengths.append((self.spent, len(circuit)))
            self.trail.append(circuit)
        if len(circuit) == len(self.best):
            self.base = circuit

    def refill(self, circuit: Circuit) -> None:
        """Fill a circuit's skeleton, and go on from it where it has no more two-qubit gates than the one before."""
        if self.filled is None or len(skeleton_of(circuit)) <= len(skeleton_of(self.filled)):
            filled, spent = fill(self.machines, circuit, self.alphabet.qubits, self.alphabet.turn, self.rng)
            self.filled = filled or self.filled
            self.spent += spent

    def prune(self, circuit: Circuit, *, greedy: bool = True) -> Circuit:
        shorter, spent = prune_accurate(self.machines, circuit, self.rng, greedy=greedy)
        self.spent += spent
        return shorter

    def settle(self, circuits: Sequence[Circuit]) -> Settled:
        """Angles of a batch: roughly for all, to the end for the lowest few, which are returned."""
        limit = self.machines.limit
        rough = settle(self.machines.true, circuits, self.rng, enough=limit, iterations=_ROUGH)
        lowest = np.argsort(rough.energies, kind="stable")[:_POLISHED]
        fine = settle(self.machines.true, [rough.circuit(int(i)) for i in lowest], self.rng, enough=limit)
        self.spent += rough.evaluations + fine.evaluations
        return fine

    def accurate(self, settled: Settled) -> list[Circuit]:
        found, spent = accurate(self.machines, settled, self.rng)
        self.spent += spent
        return found

    def anneal(self, trials: Sequence[Circuit], change: Callable[[Circuit], Circuit], patience: int) -> Circuit | None:
        """Change one of `trials` until a batch holds an accurate circuit, or for `patience` steps."""
        limit, rng = self.machines.limit, self.rng
        settled = settle(self.machines.true, trials, rng, enough=limit)
        self.spent += settled.evaluations
        if found := self.accurate(settled):
            return found[int(rng.integers(len(found)))]
        chosen = int(settled.energies.argmin()) if rng.random() < 0.3 else int(rng.integers(len(trials)))
        current, energy = settled.circuit(chosen), float(settled.energies[chosen])
        warmth = 0.3 * max(energy - limit, 1e-4)
        for step in range(patience):
            if not current or self.over:
                return None
            settled = self.settle([change(current) for _ in range(BATCH)])
            if found := self.accurate(settled):
                return found[0]
            best = int(settled.energies.argmin())
            rise = float(settled.energies[best]) - energy
            if rise < 0.0 or rng.random() < math.exp(-rise / (warmth * (1.0 - step / patience) + 1e-6)):
                current, energy = settled.circuit(best), float(settled.energies[best])
        return None


def _thin(search: _Search, patience: int) -> None:
    """Look for a filled skeleton with one two-qubit gate less; else walk to another with as many."""
    if search.filled is None or not skeleton_of(search.filled):
        return
    qubits, turn, pairs = search.alphabet.qubits, search.alphabet.turn, search.alphabet.pairs

    def change(full: Circuit) -> Circuit:
        return change_skeleton(full, pairs, qubits, search.rng)

    while not search.over:
        full = search.filled
        places = [place for place, gate in enumerate(full) if not gate.is_rotation]
        trials = [saturate(full[:place] + full[place + 1 :], qubits, turn) for place in places]
        thinner = search.anneal(trials, change, patience) if len(places) > 1 else None
        if thinner is None:
            break
        search.filled = thinner
    found = search.accurate(search.settle([change(search.filled) for _ in range(BATCH)]))
    if found:
        search.filled = found[int(search.rng.integers(len(found)))]


def _prune_filled(search: _Search) -> None:
    """Prune the filled skeleton in random orders and keep what is short."""
    for _ in range(_PRUNINGS):
        if search.filled is None or search.over:
            return
        search.keep(search.prune(search.filled, greedy=False))


def _shorten(search: _Search, patience: int) -> None:
    """Look for a circuit with one gate less than the shortest, until an attempt fails."""

    def change(circuit: Circuit) -> Circuit:
        return _change_gates(circuit, search.alphabet.gates, search.rng, search.machines.true.start)

    while not search.over and search.best:
        trials = [search.base[:place] + search.base[place + 1 :] for place in range(len(search.base))]
        shorter = search.anneal(trials, change, patience)
        if shorter is None:
            found = search.accurate(search.settle([change(search.base) for _ in range(BATCH)]))
            if found:  # walk on over circuits of the same length
                search.base = found[int(search.rng.integers(len(found)))]
            return
        search.keep(search.prune(shorter))
        search.refill(search.best)


def _change_gates(circuit: Circuit, letters: Sequence[Gate], rng: np.random.Generator, start: int) -> Circuit:
    """Another circuit of the same length: one or two gates moved or replaced, none of them idle."""
    for _ in range(50):
        changed = list(circuit)
        for _ in range(2 if rng.random() < 0.3 else 1):
            _change_one(changed, letters, rng)
        if is_simple(changed, start):
            break
    return tuple(changed)


def _change_one(gates: list[Gate], letters: Sequence[Gate], rng: np.random.Generator) -> None:
    """Take a random gate out and put it, or half the time another, back in at a random place."""
    place = int(rng.integers(len(gates)))
    gate = gates.pop(place)
    where = int(rng.integers(len(gates) + 1))
    if rng.random() < 0.5:
        gate = letters[int(rng.integers(len(letters)))]
        gate = replace(gate, angle=float(0.5 * rng.standard_normal())) if gate.is_rotation else gate
        where = place if rng.random() < 0.5 else where
    gates.insert(where, gate)
