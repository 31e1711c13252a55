"""Compile a reward specification to a vectorised reward function, and say in words what it pays for.

A compiled specification runs no generated text, so it is safe in any process. Formulas: `prompts/specification.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from envs.family import Card, FloatArray
from experimenter.rewards.rule import rule_specification
from experimenter.sandbox.terms import check_against_card, parse_specification, term_names, to_code
from prompts.specification import ACTION, Gate, RewardSpecification, RewardTerm

__all__ = ["compile_specification", "describe", "parse_specification", "rule_specification", "to_code"]

State = Mapping[str, FloatArray]
Read = Callable[[State, FloatArray], FloatArray]
"""Reads one variable from (state, action): [n] or [n, ...]."""
TermFunction = Callable[[State, FloatArray, State], FloatArray]
RewardFunction = Callable[[State, FloatArray, State], tuple[FloatArray, dict[str, FloatArray]]]


def compile_specification(specification: RewardSpecification, card: Card) -> RewardFunction:
    """Compile to `(state, action, next_state) -> (reward [n], terms name -> [n])`.

    Raises `ProgramRefused` with the nearest match when the card has no such variable or component.
    """
    check_against_card(specification, card)
    names = term_names(specification)
    functions = [_compile_term(term) for term in specification.terms]
    alive = specification.alive_bonus

    def compute_reward(state: State, action: FloatArray, next_state: State) -> tuple[FloatArray, dict[str, FloatArray]]:
        terms = {name: function(state, action, next_state) for name, function in zip(names, functions, strict=False)}
        if alive:
            terms["alive"] = np.full(len(action), alive)
        values = iter(terms.values())
        reward = next(values).copy()
        for value in values:
            reward += value
        return reward, terms

    return compute_reward


def _compile_term(term: RewardTerm) -> TermFunction:
    read = _reader(term.variable, term.index)
    weight = term.weight if term.direction == "reward" else -term.weight
    shape = _SHAPES.get(term.shape)
    target, scale = term.target, term.scale

    def plain(state: State, action: FloatArray, next_state: State) -> FloatArray:
        value = read(next_state, action)
        if shape is None:  # progress
            return _average((value - read(state, action)) * (weight / scale))
        return _average(shape(value, target, scale)) * weight

    if term.gate is None:
        return plain
    is_open = _compile_gate(term.gate)
    return lambda state, action, next_state: np.where(
        is_open(next_state, action), plain(state, action, next_state), 0.0
    )


def _compile_gate(gate: Gate) -> Read:
    read, above, threshold = _reader(gate.variable, gate.index), gate.side == "above", gate.threshold

    def is_open(state: State, action: FloatArray) -> FloatArray:
        value = _average(read(state, action))
        return np.asarray(value > threshold if above else value < threshold)

    return is_open


def _reader(variable: str, index: int | None) -> Read:
    if variable == ACTION:
        return (lambda state, action: action) if index is None else (lambda state, action: action[:, index])
    if index is None:
        return lambda state, action: state[variable]
    return lambda state, action: state[variable][:, index]


def _average(values: FloatArray) -> FloatArray:
    """One number a world, float64: the mean over the components of a vector variable."""
    values = values.astype(np.float64, copy=False)
    return values if values.ndim == 1 else values.reshape(len(values), -1).mean(axis=1)


def _unit(value: FloatArray, target: float, scale: float) -> FloatArray:
    shifted = value if target == 0 else value - target
    return shifted if scale == 1 else shifted / scale


_SHAPES: dict[str, Callable[[FloatArray, float, float], FloatArray]] = {
    "linear": _unit,
    "absolute": lambda value, target, scale: np.abs(_unit(value, target, scale)),
    "square": lambda value, target, scale: np.square(_unit(value, target, scale)),
    "gaussian": lambda value, target, scale: np.exp(-0.5 * np.square(_unit(value, target, scale))),
    "bounded": lambda value, target, scale: np.tanh(_unit(value, target, scale)),
    "indicator": lambda value, target, scale: (value > target).astype(np.float64),
}

_IN_WORDS = {
    "linear": "{name}",
    "absolute": "the distance of {name} from {target:g}",
    "square": "the squared distance of {name} from {target:g}",
    "gaussian": "{name} near {target:g} (within about {scale:g})",
    "bounded": "{name} above {target:g}, levelling off at about {scale:g}",
    "indicator": "every step with {name} above {target:g}",
    "progress": "every step's increase of {name}",
}


def describe(specification: RewardSpecification) -> str:
    """Say in one sentence a term what the specification pays for."""
    lines = [_describe_term(term) for term in specification.terms]
    if specification.alive_bonus:
        lines.append(f"Pays {specification.alive_bonus:g} for every step in the episode.")
    return " ".join(lines)


def _describe_term(term: RewardTerm) -> str:
    name = term.variable if term.index is None else f"{term.variable}[{term.index}]"
    what = _IN_WORDS[term.shape].format(name=name, target=term.target, scale=term.scale)
    verb = "Rewards" if term.direction == "reward" else "Penalises"
    gate = term.gate
    when = "" if gate is None else f", only while {gate.variable} is {gate.side} {gate.threshold:g}"
    return f"{verb} {what} (weight {term.weight:g}){when}."
