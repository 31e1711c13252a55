"""Action numbering and both legality rules, case by case."""

from __future__ import annotations

import numpy as np
import pytest

from envs.quantum.actions import COUNT, GATE_SETS, PAIRS, STOP, Mask, allowed, decode, encode
from envs.quantum.energies import make_model, state_of
from envs.quantum.gates import CNOT, CZ, RX, RY, RZ, Gate, pack
from envs.quantum.legality import published_rule, strong_rule
from envs.quantum.problems import load_problem

Step = tuple[int, ...]
"""Kind, qubit and, for two-qubit gates, control."""


def gate(step: Step, angle: float = 0.7) -> Gate:
    return Gate(
        kind=step[0], qubit=step[1], control=step[2] if len(step) > 2 else -1, angle=angle if len(step) < 3 else 0
    )


def masks(steps: list[Step], *, two_qubit: int = CNOT, start: int = 0) -> tuple[Mask, Mask]:
    batch = pack([[gate(step) for step in steps]])
    row = (batch.kinds[0], batch.qubits[0], batch.controls[0], len(steps))
    whole = allowed(3, 2 if two_qubit == CZ else 0, 0)
    published, strong = whole.copy(), whole.copy()
    published_rule(*row, published)
    strong_rule(*row, two_qubit, start, strong)
    return published, strong


def test_numbers_and_gates_map_both_ways() -> None:
    assert (COUNT, PAIRS, STOP) == (81, 56, 80)
    for action in range(STOP):
        kind, qubit, control = decode(action)
        assert encode(kind, qubit, control) == action
        assert qubit != control
    assert decode(0) == (CNOT, 1, 0)
    assert decode(7) == (CNOT, 0, 1)
    assert decode(57) == (RY, 0, -1)


@pytest.mark.parametrize(("qubits", "actions"), [(2, 8), (3, 15), (4, 24), (6, 48), (8, 80)])
def test_as_many_actions_as_published_and_stop(qubits: int, actions: int) -> None:
    assert allowed(qubits, 0, 0).sum() == actions + 1


def test_gate_sets_and_couplings() -> None:
    assert GATE_SETS[1] == (RY, CNOT)
    assert allowed(4, 1, 0).sum() == 12 + 4 + 1
    assert allowed(4, 0, 1).sum() == 2 * 3 + 12 + 1  # a line of 4 has 3 edges
    ring = allowed(4, 0, 2)
    assert ring.sum() == 2 * 4 + 12 + 1
    assert ring[encode(CNOT, 3, 0)]
    assert not ring[encode(CNOT, 2, 0)]


CASES: list[tuple[list[Step], Step, bool, bool]] = [
    # circuit, next gate, legal by the published rule, by the strong one
    ([(RX, 0)], (RX, 0), False, False),
    ([(RX, 0)], (RY, 0), True, True),
    ([(RX, 0), (RY, 0)], (RX, 0), True, True),
    ([(RX, 0), (RY, 1)], (RX, 0), False, False),
    ([], (RZ, 0), True, False),  # a phase on |0>
    ([(RX, 0)], (RZ, 0), True, True),
    ([], (CNOT, 1, 0), True, False),  # control |0>
    ([(RY, 0)], (CNOT, 1, 0), True, True),
    ([(RY, 0), (CNOT, 1, 0)], (CNOT, 1, 0), False, False),
    ([(RY, 0), (CNOT, 1, 0)], (CNOT, 0, 1), True, True),
    ([(RY, 0), (CNOT, 1, 0), (RY, 2)], (CNOT, 1, 0), False, False),
    ([(RY, 0), (CNOT, 1, 0), (RX, 1)], (CNOT, 1, 0), True, False),  # X on the target commutes
    ([(RY, 0), (CNOT, 1, 0), (RZ, 0)], (CNOT, 1, 0), True, False),  # Z on the control commutes
    ([(RY, 0), (CNOT, 1, 0), (RY, 1)], (CNOT, 1, 0), True, True),
    ([(RY, 0), (RX, 1), (CNOT, 1, 0)], (RX, 1), True, False),
    ([(RY, 0), (RZ, 0), (CNOT, 1, 0)], (RZ, 0), True, False),
    ([(RY, 0), (RY, 1), (CNOT, 1, 0)], (RY, 1), True, True),
    ([(RY, 0), (CNOT, 1, 0), (CNOT, 2, 0)], (CNOT, 1, 0), True, False),  # same control
    ([(RY, 0), (RY, 1), (CNOT, 2, 0), (CNOT, 2, 1)], (CNOT, 2, 0), True, False),  # same target
    ([(RY, 0), (RY, 1), (CNOT, 1, 0), (CNOT, 2, 1)], (CNOT, 1, 0), True, True),
]


@pytest.mark.parametrize(("steps", "following", "published", "strong"), CASES)
def test_legality(steps: list[Step], following: Step, published: bool, strong: bool) -> None:
    by_published, by_strong = masks(steps)
    action = encode(*following)
    assert (bool(by_published[action]), bool(by_strong[action])) == (published, strong)
    assert by_published[STOP]
    assert by_strong[STOP]


def test_a_control_that_starts_in_one_flips_its_target() -> None:
    _, strong = masks([], start=0b001)
    assert strong[encode(CNOT, 1, 0)]
    assert not strong[encode(CNOT, 0, 1)]
    _, after = masks([(CNOT, 1, 0)], start=0b001)
    assert after[encode(CNOT, 2, 1)]  # qubit 1 is in |1> now


def test_controlled_z_needs_two_open_qubits_and_is_symmetric() -> None:
    _, strong = masks([(RY, 0)], two_qubit=CZ)
    assert not strong[encode(CZ, 1, 0)]
    _, strong = masks([(RY, 0), (RY, 1)], two_qubit=CZ)
    assert strong[encode(CZ, 1, 0)]
    _, strong = masks([(RY, 0), (RY, 1), (CZ, 1, 0)], two_qubit=CZ)
    assert not strong[encode(CZ, 0, 1)]


def test_a_controlled_z_beside_a_qubit_in_one_is_a_z_on_the_other() -> None:
    # qubit 0 in |1>, qubit 1 open, qubit 2 in |0>
    _, strong = masks([(RY, 1)], two_qubit=CZ, start=0b001)
    assert strong[encode(CZ, 1, 0)]
    assert strong[encode(CZ, 0, 1)]
    assert not strong[encode(CZ, 2, 1)]
    assert not strong[encode(CZ, 2, 0)]
    model = make_model(load_problem("h2-3"), start=0b001)
    flipped, turned = (
        state_of(model, [gate((RY, 1)), added]) for added in (gate((CZ, 1, 0)), gate((RZ, 1), angle=np.pi))
    )
    assert abs(np.vdot(flipped, turned)) == pytest.approx(1.0, abs=1e-12)


def test_what_the_strong_rule_forbids_reaches_no_new_state() -> None:
    """Any forbidden gate is undone or absorbed: appending it at angle 0.4 equals some circuit that is no longer."""
    rng = np.random.default_rng(0)
    model = make_model(load_problem("h2-3"))
    checked = 0
    for _ in range(60):
        steps: list[Step] = []
        for _ in range(6):
            legal = np.flatnonzero(masks(steps)[1][:STOP])
            kind, qubit, control = decode(int(rng.choice(legal)))
            steps.append((kind, qubit) if control < 0 else (kind, qubit, control))
        circuit = [gate(step) for step in steps]
        for action in np.flatnonzero(allowed(3, 0, 0)[:STOP] & ~masks(steps)[1][:STOP]).tolist():
            kind, qubit, control = decode(action)
            extended = [*circuit, Gate(kind=kind, qubit=qubit, control=control, angle=0.4 if control < 0 else 0.0)]
            target = state_of(model, extended)
            shorter = [extended[:-1]]
            for place, old in enumerate(circuit):
                if (old.kind, old.qubit, old.control) == (kind, qubit, control):
                    rest = circuit[:place] + circuit[place + 1 :]
                    shorter.append(rest)
                    if old.is_rotation:
                        turned = Gate(kind=kind, qubit=qubit, angle=old.angle + 0.4)
                        shorter.append([*circuit[:place], turned, *circuit[place + 1 :]])
            overlaps = [abs(np.vdot(state_of(model, other), target)) for other in shorter]
            assert max(overlaps) == pytest.approx(1.0, abs=1e-9)
            checked += 1
    assert checked > 60
