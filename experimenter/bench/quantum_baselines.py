"""Baselines of circuit search at equal energy evaluations: Hartree-Fock floor, random search, greedy, ADAPT, and `qas`.

Every method works on the task's own machine (its optimiser, its noise) and stops when its energies are spent; what an exact
gradient would cost a quantum machine is not added. A method that knows no exact energy would stop elsewhere, so each tells
the best circuit that it saw by measured energy. `qas` is a row where that trainer is installed; it gets the same count.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from envs.catalog import get_family
from envs.quantum.actions import GATE_SETS, STOP, decode, encode
from envs.quantum.angles import optimise_grown
from envs.quantum.certificate import certificate_numbers
from envs.quantum.energies import gradients
from envs.quantum.gates import CNOT, NAMES, RY, Gate, empty_batch, pack
from envs.quantum.machine import Machine, make_machine
from envs.quantum.noise import Noise, noise_of
from envs.quantum.optimise import lbfgs
from envs.quantum.params import resolve_quantum
from envs.quantum.problems import PROBLEMS
from envs.task import ParamValue
from experimenter import registry
from experimenter.trainers.base import Command, Problem, TrainBudget, Trainer

METHODS = ("floor", "random", "greedy", "adapt")
_TINY = 1e-9


@dataclass
class Search:
    """What a method has spent and found. The only thing here that changes."""

    machine: Machine
    budget: int
    spent: int = 0
    first_success: int = 0
    """Evaluations at the first accurate circuit; 0 while there is none."""
    energy: float = math.inf
    circuit: tuple[Gate, ...] = field(default=())

    @property
    def is_over(self) -> bool:
        return self.spent >= self.budget

    def note(self, circuit: tuple[Gate, ...], energy: float, evaluations: float) -> None:
        """Count `evaluations` and keep the circuit when it is the best by measured energy and came within the budget."""
        self.spent += int(evaluations)
        if self.spent <= self.budget and energy < self.energy - _TINY:
            self.energy, self.circuit = energy, circuit
            error = self._true_error()
            if not self.first_success and abs(error) < self.machine.params.threshold_energy:
                self.first_success = self.spent

    def _true_error(self) -> float:
        return certificate_numbers(self.machine.problem, self.circuit, start=self.machine.true.start)["energy_error"]


def measure(
    problems: tuple[str, ...] = ("h2-4", "lih-4"), evaluations: int = 20_000, seeds: int = 3, **params: ParamValue
) -> dict[str, Any]:
    """Run every method on every problem; return rows of plain numbers. Task parameters beyond the problem by name."""
    rows = []
    for name in problems:
        machine = make_machine(resolve_quantum("quantum", {**params, "problem": PROBLEMS.index(name)}))
        for method in METHODS:
            runs = [run(method, machine, evaluations, seed) for seed in range(1 if method == "floor" else seeds)]
            rows.append({"problem": name, "method": method, **_summary(runs)})
        if trained := _train(machine, evaluations, seeds):
            rows.append({"problem": name, "method": "qas", **trained})
    return {"evaluations": evaluations, "seeds": seeds, "rows": rows}


def run(method: str, machine: Machine, evaluations: int, seed: int) -> dict[str, float]:
    """Run one method once; return the numbers of its best circuit, evaluations spent and those to the first success."""
    search = Search(machine, evaluations)
    search.note((), machine.energy_of((), np.random.default_rng(seed)), 1)
    rng = np.random.default_rng(seed)
    if method == "floor":
        search.note(floor_circuit(machine), machine.energy_of(floor_circuit(machine), rng), 1)
    else:
        {"random": _random, "greedy": _greedy, "adapt": _adapt}[method](search, rng)
    numbers = certificate_numbers(machine.problem, search.circuit, _noise_of(machine), start=machine.true.start)
    return {**numbers, "spent": float(search.spent), "first_success": float(search.first_success)}


def floor_circuit(machine: Machine) -> tuple[Gate, ...]:
    """The best basis state: one RX or RY by pi on every qubit that has to flip."""
    flipped = machine.problem.floor_state ^ machine.true.start
    return tuple(Gate(kind=RY, qubit=q, angle=math.pi) for q in range(machine.problem.qubits) if flipped >> q & 1)


def _legal(machine: Machine, circuit: tuple[Gate, ...]) -> list[int]:
    mask = machine.legal(pack([circuit]) if circuit else empty_batch(1, 1), 0)
    mask[STOP] = False
    return [int(action) for action in np.flatnonzero(mask)]


def _grow(
    search: Search, circuits: list[tuple[Gate, ...]], rng: np.random.Generator
) -> list[tuple[float, tuple[Gate, ...]]]:
    """Optimise circuits whose last gate is new; note each."""
    batch = pack(circuits)
    generators = [np.random.Generator(np.random.PCG64(int(s))) for s in rng.integers(2**31, size=len(circuits))]
    reached, spent = optimise_grown(search.machine, batch, generators)
    grown = [batch.circuit(index) for index in range(len(circuits))]
    for circuit, energy, count in zip(grown, reached.tolist(), spent.tolist(), strict=True):
        search.note(circuit, energy, count)
    return list(zip(reached.tolist(), grown, strict=True))


def _gate(machine: Machine, action: int) -> Gate:
    kind, qubit, control = decode(action, machine.two_qubit)
    return Gate(kind=kind, qubit=qubit, control=control)


def _random(search: Search, rng: np.random.Generator) -> None:
    """Episodes of random legal gates, all angles optimised after each, until the circuit is full."""
    circuit: tuple[Gate, ...] = ()
    while not search.is_over:
        actions = _legal(search.machine, circuit)
        if not actions or len(circuit) >= search.machine.params.max_gates:
            circuit = ()
            continue
        circuit = (*circuit, _gate(search.machine, int(rng.choice(actions))))
        circuit = _grow(search, [circuit], rng)[0][1]


def _greedy(search: Search, rng: np.random.Generator) -> None:
    """Try every legal gate, keep the best. Where none gains, keep a random one; start again when the circuit is full."""
    circuit: tuple[Gate, ...] = ()
    energy = math.inf
    while not search.is_over:
        actions = _legal(search.machine, circuit)
        if not actions or len(circuit) >= search.machine.params.max_gates:
            circuit, energy = (), math.inf
            continue
        tried = _grow(search, [(*circuit, _gate(search.machine, action)) for action in actions], rng)
        best = min(tried, key=lambda pair: pair[0])
        stuck = best[0] > energy - 1e-7
        energy, circuit = tried[int(rng.integers(len(tried)))] if stuck else best


def _adapt(search: Search, rng: np.random.Generator) -> None:
    """Qubit-ADAPT (arXiv:1911.10205): append the Pauli rotation of steepest slope, optimise all angles, repeat.

    The pool is all strings Y, YX, YXX, YXXX, which move a real state within the real ones; it starts from the best basis
    state, and again from kicked angles when no slope is left or the circuit is full.
    """
    machine, pool = search.machine, list(_pool(search.machine))
    circuit = floor_circuit(machine)
    while not search.is_over:
        trials = pack([(*circuit, *gates) for gates, _ in pool])
        _, slopes = gradients(machine.measured, trials)
        steep = [abs(slopes[index, len(circuit) + place]) for index, (_, place) in enumerate(pool)]
        search.spent += 2 * len(pool)
        chosen = int(np.argmax(steep))
        full = len(circuit) + len(pool[chosen][0]) > machine.params.max_gates
        if full or steep[chosen] < 1e-6:
            kicked = [g if not g.is_rotation else _kick(g, rng) for g in floor_circuit(machine)]
            circuit = tuple(kicked)
            continue
        found = lbfgs(machine.measured, (*circuit, *pool[chosen][0]))
        circuit = found.circuit
        search.note(circuit, found.energy, found.evaluations)


def _kick(gate: Gate, rng: np.random.Generator) -> Gate:
    return Gate(kind=gate.kind, qubit=gate.qubit, angle=gate.angle + float(rng.normal()))


def _pool(machine: Machine) -> Iterator[tuple[tuple[Gate, ...], int]]:
    """Gates of each pool rotation, and which of them carries its angle: RY of one qubit between pairs with up to three more.

    CNOTs from the qubit make RY a rotation about Y X.., CZs about Y Z..; only pairs that the machine couples.
    """
    pair, qubits = GATE_SETS[machine.params.gate_set][-1], range(machine.problem.qubits)
    for q in qubits:
        partners = [other for other in qubits if other != q and machine.allowed[encode(CNOT, other, q)]]
        for count in range(4):
            for chosen in itertools.combinations(partners, count):
                frame = tuple(Gate(kind=pair, qubit=other, control=q) for other in chosen)
                yield (*frame, Gate(kind=RY, qubit=q), *reversed(frame)), count


def _summary(runs: list[dict[str, float]]) -> dict[str, float]:
    """Means over runs of what matters, successes, and the worst."""
    solved = [one for one in runs if one["first_success"]]
    best = min(runs, key=lambda one: one["energy_error"])
    return {
        "successes": float(len(solved)),
        "runs": float(len(runs)),
        "error_mha_best": 1e3 * best["energy_error"],
        "error_mha_median": 1e3 * float(np.median([one["energy_error"] for one in runs])),
        "noisy_error_mha_median": 1e3 * float(np.median([one["noisy_error"] for one in runs])),
        "floor_error_mha": 1e3 * runs[0]["floor_error"],
        "gates_best": best["gates"],
        "two_qubit_gates_best": best["two_qubit_gates"],
        "evaluations_to_success_median": float(np.median([one["first_success"] for one in solved])) if solved else 0.0,
        "sector_error_best": best.get("sector_error", 0.0),
    }


def _train(machine: Machine, evaluations: int, seeds: int) -> dict[str, float] | None:
    """The trainer `qas` at the same evaluations; none where it is not installed."""
    if "qas" not in registry.list_names("trainers"):
        return None
    runs = []
    for seed in range(seeds):
        spec = _policy_of_qas(machine, evaluations, seed)
        numbers = certificate_numbers(
            machine.problem, _read_gates(spec["gates"]), _noise_of(machine), start=machine.true.start
        )
        success = abs(numbers["energy_error"]) < machine.params.threshold_energy
        first = (spec["search"].get("first_success") or [0, 0])[1] if success else 0
        runs.append({**numbers, "spent": float(spec["search"]["evaluations"]), "first_success": float(first)})
    return _summary(runs)


def _policy_of_qas(machine: Machine, evaluations: int, seed: int) -> Mapping[str, Any]:
    family = get_family("quantum")
    task = family.resolve_task(machine.params.model_dump(), horizon=machine.params.max_gates, seed=seed)
    probe = family.make_vec(task, 1)
    trainer: Trainer = registry.load("trainers", "qas")()
    with tempfile.TemporaryDirectory() as work:
        problem = Problem(
            make_vec=lambda n: family.make_vec(task, n),
            observation_space=probe.observation_space,
            action_space=probe.action_space,
            folder=Path(work),
            family="quantum",
            settings={"max_evaluations": evaluations, "search_evaluations": evaluations // 2},
            task=task,
        )
        budget = TrainBudget(steps=evaluations, schedule_steps=evaluations // 20)
        return trainer.train(problem, budget, seed, lambda progress: Command.CONTINUE).spec


def _read_gates(gates: list[dict[str, Any]]) -> tuple[Gate, ...]:
    return tuple(
        Gate(
            kind=NAMES.index(gate["gate"]),
            qubit=gate["qubit"],
            control=gate.get("control", -1),
            angle=gate.get("angle", 0.0),
        )
        for gate in gates
    )


def _noise_of(machine: Machine) -> Noise | None:
    p = machine.params
    if not p.is_noisy:
        return None
    return noise_of(p.noise_kind, p.noise_level, p.noise_ratio, p.readout_error, machine.problem.qubits)


def table(measured: dict[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    head = f"{'problem':<10}{'method':<9}{'solved':>8}{'error, mHa':>12}{'noisy':>9}{'floor':>9}{'gates':>7}{'CNOT':>6}{'first at':>10}"
    lines = [f"{measured['evaluations']:,} energy evaluations each", head]
    return "\n".join([*lines, *(_line(row) for row in measured["rows"])])


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['problem']:<10}{row['method']:<9}{row['successes']:>4.0f}/{row['runs']:<3.0f}{row['error_mha_median']:>12.4f}"
        f"{row['noisy_error_mha_median']:>9.3f}{row['floor_error_mha']:>9.2f}{row['gates_best']:>7.0f}"
        f"{row['two_qubit_gates_best']:>6.0f}{row['evaluations_to_success_median']:>10,.0f}"
    )
