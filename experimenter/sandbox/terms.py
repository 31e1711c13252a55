"""A reward specification as readable Python: the text that a report shows, and that the check runs like any other code.

`experimenter/rewards/specification.py` compiles the same specification directly; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

from prompts.specification import ACTION, Gate, RewardSpecification, RewardTerm

_FORMULA = {
    "linear": "{u}",
    "absolute": "np.abs({u})",
    "square": "np.square({u})",
    "gaussian": "np.exp(-0.5 * np.square({u}))",
    "bounded": "np.tanh({u})",
    "indicator": "np.where({value} > {target}, 1.0, 0.0)",
    "progress": "({value} - {before}) / {scale}",
}
_HELPER = '''def average(values):
    """One number a world: the mean over the components of a vector variable."""
    return np.mean(np.reshape(values, (len(values), -1)), axis=1)


'''


def term_names(specification: RewardSpecification) -> tuple[str, ...]:
    """Name each term after its variable and shape; a repeated name gets a number."""
    names: list[str] = []
    for term in specification.terms:
        component = "" if term.index is None else f"_{term.index}"
        plain = f"{term.variable}{component}_{term.shape}"[:56]
        names.append(plain if plain not in names else f"{plain}_{len(names) + 1}")
    return (*names, "alive") if specification.alive_bonus else tuple(names)


def to_code(specification: RewardSpecification) -> str:
    """Write the specification as a reward program that the screen accepts."""
    names = term_names(specification)
    lines = ["    terms = {}"]
    lines += [f"    terms[{name!r}] = {_term(term)}" for name, term in zip(names, specification.terms, strict=False)]
    if specification.alive_bonus:
        lines.append(f"    terms['alive'] = np.full(len(action), {specification.alive_bonus!r})")
    body = [*lines, f"    reward = {_total(names)}", "    return reward, terms", ""]
    helper = _HELPER if any("average(" in line for line in lines) else ""
    return f"import numpy as np\n\n\n{helper}def compute_reward(state, action, next_state):\n" + "\n".join(body)


def _total(names: Sequence[str]) -> str:
    return " + ".join(f"terms[{name!r}]" for name in names)


def _term(term: RewardTerm) -> str:
    value, before = _value(term.variable, term.index, "next_state"), _value(term.variable, term.index, "state")
    shifted = value if term.target == 0 else f"({value} - {term.target!r})"
    u = shifted if term.scale == 1 else f"({shifted} / {term.scale!r})"
    shaped = _FORMULA[term.shape].format(u=u, value=value, before=before, target=repr(term.target), scale=repr(term.scale))
    sign = "" if term.direction == "reward" else "-"
    text = f"{sign}{term.weight!r} * average({shaped})"
    return text if term.gate is None else f"np.where({_gate(term.gate)}, {text}, 0.0)"


def _gate(gate: Gate) -> str:
    sign = ">" if gate.side == "above" else "<"
    return f"average({_value(gate.variable, gate.index, 'next_state')}) {sign} {gate.threshold!r}"


def _value(variable: str, index: int | None, where: str) -> str:
    whole = "action" if variable == ACTION else f"{where}[{variable!r}]"
    return whole if index is None else f"{whole}[:, {index}]"
