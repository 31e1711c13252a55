"""A reward specification as readable Python: the text that a report shows, and that the check runs like any other code.

`experimenter/rewards/specification.py` compiles the same specification directly; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from pydantic import ValidationError

from envs.family import Card
from experimenter.errors import ProgramRefused
from experimenter.sandbox.allowed import suggest
from prompts.specification import ACTION, Gate, RewardSpecification, RewardTerm

_FORMULA = {
    "linear": "{u}",
    "absolute": "np.abs({inner})",
    "square": "np.square({inner})",
    "gaussian": "np.exp(-0.5 * np.square({inner}))",
    "bounded": "np.tanh({inner})",
    "indicator": "np.where({value} > {target}, 1.0, 0.0)",
    "progress": "({value} - {before}) / {scale}",
}
_HELPER = '''def average(values):
    """One number a world: the mean over the components of a vector variable."""
    return np.mean(np.reshape(values, (len(values), -1)), axis=1)


'''


def parse_specification(source: str, card: Card) -> RewardSpecification:
    """Read a specification and hold it against `card`.

    Raises `ProgramRefused`: not valid JSON or out of bounds, an unknown variable (with the nearest match), or an index
    that the variable does not have.
    """
    try:
        specification = RewardSpecification.from_json(source)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the specification"
        raise ProgramRefused(f"not a valid reward specification: {place}: {first['msg']}.") from None
    check_against_card(specification, card)
    return specification


def check_against_card(specification: RewardSpecification, card: Card) -> None:
    """Raise `ProgramRefused` when a term or gate names a variable or component that `card` does not have."""
    sizes = {variable.name: variable.shape for variable in card.state}
    sizes[ACTION] = (action_size(card),)
    for number, term in enumerate(specification.terms, 1):
        _check_variable(f"term {number}", term.variable, term.index, sizes)
        if term.variable == ACTION and term.shape == "progress":
            raise ProgramRefused(f"term {number}: progress needs a state variable, not the action.")
        if term.gate is not None:
            _check_variable(f"the gate of term {number}", term.gate.variable, term.gate.index, sizes)


def action_size(card: Card) -> int:
    """Number of action components k."""
    return sum(prod(variable.shape) for variable in card.actions)


def _check_variable(where: str, name: str, index: int | None, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if name not in shapes:
        raise ProgramRefused(
            f"{where}: no variable {name!r}.{suggest(name, shapes)} There are: {', '.join(sorted(shapes))}."
        )
    shape = shapes[name]
    if index is not None and (len(shape) != 1 or index >= shape[0]):
        right = f"0 to {shape[0] - 1}" if len(shape) == 1 else "null, it is not a vector"
        raise ProgramRefused(f"{where}: {name!r} has no component {index}; the index can be {right}.")


def term_names(specification: RewardSpecification) -> tuple[str, ...]:
    """Name each term after its variable and shape; a repeated name gets a number."""
    names: list[str] = []
    for term in specification.terms:
        component = "" if term.index is None else f"_{term.index}"
        plain = f"{term.variable}{component}_{term.shape}"[:56]
        names.append(plain if plain not in names else f"{plain}_{len(names) + 1}")
    return (*names, "alive") if specification.alive_bonus else tuple(names)


def to_code(specification: RewardSpecification, card: Card | None = None) -> str:
    """Write the specification as a reward program that the screen accepts.

    With `card` only vector variables are averaged, which reads better; without it every term is.
    """
    vectors = None if card is None else _vectors(card)
    names = term_names(specification)
    lines = ["    terms = {}"]
    lines += [
        f"    terms[{name!r}] = {_term(term, vectors)}" for name, term in zip(names, specification.terms, strict=False)
    ]
    if specification.alive_bonus:
        lines.append(f"    terms['alive'] = np.full(len(action), {specification.alive_bonus!r})")
    body = [*lines, f"    reward = {_total(names)}", "    return reward, terms", ""]
    helper = _HELPER if any("average(" in line for line in lines) else ""
    return f"import numpy as np\n\n\n{helper}def compute_reward(state, action, next_state):\n" + "\n".join(body)


def _vectors(card: Card) -> frozenset[str]:
    return frozenset({ACTION, *(variable.name for variable in card.state if variable.shape)})


def _total(names: Sequence[str]) -> str:
    return " + ".join(f"terms[{name!r}]" for name in names)


def _term(term: RewardTerm, vectors: frozenset[str] | None) -> str:
    value, before = _value(term.variable, term.index, "next_state"), _value(term.variable, term.index, "state")
    shifted = value if term.target == 0 else f"({value} - {term.target!r})"
    u = shifted if term.scale == 1 else f"({shifted} / {term.scale!r})"
    inner = u[1:-1] if u.startswith("(") else u
    shaped = _FORMULA[term.shape].format(
        u=u, inner=inner, value=value, before=before, target=repr(term.target), scale=repr(term.scale)
    )
    sign = "" if term.direction == "reward" else "-"
    text = f"{sign}{term.weight!r} * {_average(shaped, term.variable, term.index, vectors)}"
    return text if term.gate is None else f"np.where({_gate(term.gate, vectors)}, {text}, 0.0)"


def _gate(gate: Gate, vectors: frozenset[str] | None) -> str:
    sign = ">" if gate.side == "above" else "<"
    value = _value(gate.variable, gate.index, "next_state")
    return f"{_average(value, gate.variable, gate.index, vectors)} {sign} {gate.threshold!r}"


def _average(text: str, variable: str, index: int | None, vectors: frozenset[str] | None) -> str:
    return text if index is not None or (vectors is not None and variable not in vectors) else f"average({text})"


def _value(variable: str, index: int | None, where: str) -> str:
    whole = "action" if variable == ACTION else f"{where}[{variable!r}]"
    return whole if index is None else f"{whole}[:, {index}]"
