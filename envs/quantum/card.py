"""The quantum family's card: card.md and the typed tables of state, actions and task parameters."""

from __future__ import annotations

from importlib.resources import files

from envs.family import Card, Parameter, Variable
from envs.quantum.actions import STOP
from envs.quantum.measures import VARIABLES
from envs.quantum.params import SHIPPED_ONLY, QuantumParams
from envs.quantum.problems import PROBLEMS
from envs.quantum.stored import load_stored

HORIZON = 40
"""Steps of an episode in the published benchmark up to 4 qubits."""

_OPTIMISERS = (
    "who sets the angles: 0 exact gradients (L-BFGS), 1 Rotosolve, 2 Adam-SPSA, 3 COBYLA where it is installed; all but 0 see "
    "only measured energies and are slow"
)

_PARAMS = (
    ("problem", "1", 1.0, "number of the problem in the list above; more qubits are harder"),
    ("bond_length", "angstrom", 0.2, "bond length; the nearest prepared geometry is used; longer is harder"),
    ("field", "1", 0.2, "field of the spin chains in units of the coupling; no meaning for molecules"),
    (
        "noise_kind",
        "1",
        0.0,
        "0 depolarising, 1 bit flip, 2 phase flip, 3 amplitude damping, 4 thermal relaxation, 5 median of the device Mumbai, "
        "6 of Ourense (for 5 and 6 a noise level of 0.001 is the device as calibrated, 0.01 ten times as bad)",
    ),
    ("noise_level", "1", 0.001, "probability of a noise event after a rotation; 0 is noiseless"),
    ("noise_ratio", "1", 1.0, "how many times noisier a two-qubit gate is than a rotation"),
    ("readout_error", "1", 0.01, "probability of reading a qubit wrongly"),
    (
        "shots",
        "1",
        0.0,
        "shots that each energy measurement is estimated from, over all measurement bases; 0 is exact, few are harder",
    ),
    ("optimiser", "1", 0.0, _OPTIMISERS),
    ("gate_set", "1", 0.0, "0 RX RY RZ CNOT, 1 RY CNOT, 2 RX RY RZ CZ"),
    ("coupling", "1", 0.0, "qubits that two-qubit gates may join: 0 all pairs, 1 neighbours on a line, 2 on a ring"),
    ("max_gates", "1", 5.0, "most gates of a circuit; fewer is harder"),
    ("threshold", "mHa", 0.5, "accepted energy error; 1.6 is chemical accuracy; smaller is harder"),
    ("mask_rule", "1", 0.0, "0 forbids only immediate repeats, 1 also gates that provably change nothing"),
    ("start_state", "1", 0.0, "0 starts from all qubits in 0, 1 from the best state without entanglement"),
    ("halting", "1", 0.0, "1 draws a random, smaller limit of gates for each episode"),
    (
        "reward_kind",
        "1",
        0.0,
        "native reward: 0 incremental with fixed ends, 1 fixed ends, 2 gate-penalised, 3 oracle-free",
    ),
)
_DEVICES = {"mumbai": 0.001, "ourense": 0.001}
_WORDS: dict[str, dict[str, float]] = {
    "problem": {
        **{name: float(number) for number, name in enumerate(PROBLEMS)},
        "lih": PROBLEMS.index("lih-4"), "h2": PROBLEMS.index("h2-4"), "hydrogen": PROBLEMS.index("h2-4"),
        "h2o": PROBLEMS.index("h2o-8"), "water": PROBLEMS.index("h2o-8"),
        "ising": PROBLEMS.index("tfim-4"), "tfim": PROBLEMS.index("tfim-4"),
        "heisenberg": PROBLEMS.index("heisenberg-4"),
    },
    "noise_kind": {
        "depolarising": 0, "depolarizing": 0, "bit": 1, "phase": 2, "damping": 3, "thermal": 4, "relaxation": 4,
        "mumbai": 5, "ourense": 6,
    },
    "noise_level": {
        "noiseless": 0.0, "noise": 0.001, "noisy": 0.001, "depolarising": 0.001, "depolarizing": 0.001, **_DEVICES,
    },
    "reward_kind": {"oracle-free": 3},
}  # fmt: skip
"""Parameter -> words of a goal that ask for a value of it; 0.001 is the published depolarising, or a device as calibrated."""
_FITNESS = (
    "How far the energy without noise has come from that of the best state without entanglement to the accepted error, on a "
    "logarithmic scale from 0 to 1, and up to a half more for a circuit that is accurate and short. Higher is better. No unit."
)
_SUCCESS = (
    "At the end of the episode the energy without noise lies within the accepted error of the exact ground energy."
)
_HINTS = (
    "Reward a lower energy error on a logarithmic scale: most of the way is in the last millihartrees.",
    "A small cost for each two-qubit gate keeps circuits short; a large one teaches stopping at once.",
    "These Hamiltonians are real, so rotations about y and CNOT are enough.",
)


def make_card(name: str) -> Card:
    """Build the card of the family called `name`; that of a made problem says which and leaves the shipped ones out."""
    _, _, stored = name.partition(":")
    text = files("envs.quantum").joinpath("card.md").read_text(encoding="utf-8")
    if stored:
        problem = load_stored(stored)
        text = text.split("Problems by number:")[0]
        text += f"The problem is {problem.title}: {problem.geometry}, {problem.qubits} qubits, {len(problem.terms)} Pauli strings.\n"
    return Card(
        family=name,
        title="Quantum circuit search for ground states",
        text=text,
        state=VARIABLES,
        actions=(
            Variable(
                name="gate",
                low=0,
                high=STOP,
                meaning=(
                    "0 to 55: two-qubit gate, 7 targets for each of 8 controls; 56 to 79: rotation, qubit by qubit, about x, y, z; "
                    "80: stop"
                ),
            ),
        ),
        params=tuple(_parameter(*row) for row in _PARAMS if not stored or row[0] not in SHIPPED_ONLY),
        fitness=_FITNESS,
        success=_SUCCESS,
        horizon=HORIZON,
        hints=_HINTS,
    )


def _parameter(name: str, unit: str, step: float, meaning: str) -> Parameter:
    field = QuantumParams.model_fields[name]
    limits = {type(item).__name__: item for item in field.metadata}
    return Parameter(
        name=name,
        low=float(limits["Ge"].ge),
        high=float(limits["Le"].le),
        default=field.default,
        unit=unit,
        integer=isinstance(field.default, int),
        meaning=meaning,
        step=step,
        words=_WORDS.get(name, {}),
    )
