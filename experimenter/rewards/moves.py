"""Mutation and crossover of reward specifications: the operators of `evolution.py` for models that cannot write code.

A move changes one thing that a person would change: a weight by a factor, a shape, a term dropped, the bonus for staying.
No move turns a sign, because the signs are the one thing that a small model was asked about with care.
"""

from __future__ import annotations

import numpy as np

from envs.family import Card
from experimenter.sandbox.terms import parse_specification
from prompts.specification import RewardSpecification, RewardTerm

_FACTORS = (0.2, 0.4, 2.5, 5.0)
_SHAPES = {
    "linear": ("progress", "bounded"),
    "progress": ("linear",),
    "absolute": ("square", "gaussian_penalty"),
    "square": ("absolute",),
    "bounded": ("linear",),
}
_MOST_TERMS, _MAX_WEIGHT, _MIN_WEIGHT = 6, 100.0, 1e-3
_TRIES = 20


def mutate_specification(source: str, card: Card, rng: np.random.Generator, *, known: frozenset[str]) -> str | None:
    """One changed specification as canonical JSON, not among `known` texts; None when no try gave a new one."""
    parent = parse_specification(source, card)
    moves = (_scale_weight, _scale_weight, _change_shape, _drop_term, _change_bonus)
    for _ in range(_TRIES):
        child = moves[int(rng.integers(len(moves)))](parent, card, rng)
        if child is not None and (text := child.to_json()) not in known:
            return text
    return None


def cross_specifications(
    first: str, second: str, card: Card, rng: np.random.Generator, *, known: frozenset[str]
) -> str | None:
    """Join the terms of two specifications: what both have comes from either, what one has comes with probability one half."""
    one, two = parse_specification(first, card), parse_specification(second, card)
    left, right = ({(t.variable, t.index, t.direction): t for t in spec.terms} for spec in (one, two))
    for _ in range(_TRIES):
        terms: list[RewardTerm] = []
        for key in dict.fromkeys([*left, *right]):
            both = [side[key] for side in (left, right) if key in side]
            if len(both) == 2 or rng.random() < 0.5:
                terms.append(both[int(rng.integers(len(both)))])
        if not terms:
            continue
        bonus = (one, two)[int(rng.integers(2))].alive_bonus
        text = RewardSpecification(terms=tuple(terms[:_MOST_TERMS]), alive_bonus=bonus).to_json()
        if text not in known:
            return text
    return None


def _scale_weight(parent: RewardSpecification, card: Card, rng: np.random.Generator) -> RewardSpecification | None:
    place = int(rng.integers(len(parent.terms)))
    weight = parent.terms[place].weight * _FACTORS[int(rng.integers(len(_FACTORS)))]
    weight = float(f"{min(max(weight, _MIN_WEIGHT), _MAX_WEIGHT):.3g}")
    return _with_term(parent, place, parent.terms[place].model_copy(update={"weight": weight}))


def _change_shape(parent: RewardSpecification, card: Card, rng: np.random.Generator) -> RewardSpecification | None:
    place = int(rng.integers(len(parent.terms)))
    term = parent.terms[place]
    choices = _SHAPES.get(term.shape, ())
    if not choices:
        return None
    shape = choices[int(rng.integers(len(choices)))]
    if shape == "gaussian_penalty":
        # a penalty on distance becomes a bonus for nearness: the same wish, bounded
        if term.direction != "penalise":
            return None
        near = {"shape": "gaussian", "direction": "reward", "scale": term.scale / 4}
        return _with_term(parent, place, term.model_copy(update=near))
    # progress pays differences: the whole range in one episode comes to the weight times the horizon
    factor = {("linear", "progress"): 1 / card.horizon, ("progress", "linear"): card.horizon}.get(
        (term.shape, shape), 1
    )
    return _with_term(parent, place, term.model_copy(update={"shape": shape, "scale": term.scale * factor}))


def _drop_term(parent: RewardSpecification, card: Card, rng: np.random.Generator) -> RewardSpecification | None:
    if len(parent.terms) < 2:
        return None
    place = int(rng.integers(len(parent.terms)))
    rest = parent.terms[:place] + parent.terms[place + 1 :]
    if not any(term.direction == "reward" for term in rest) and not parent.alive_bonus:
        return None
    return parent.model_copy(update={"terms": rest})


def _change_bonus(parent: RewardSpecification, card: Card, rng: np.random.Generator) -> RewardSpecification | None:
    bonus = (0.0, 0.1, 0.5, 1.0)[int(rng.integers(4))]
    if bonus == parent.alive_bonus:
        return None
    return parent.model_copy(update={"alive_bonus": bonus})


def _with_term(parent: RewardSpecification, place: int, term: RewardTerm) -> RewardSpecification:
    terms = (*parent.terms[:place], term, *parent.terms[place + 1 :])
    return RewardSpecification.model_validate({**parent.model_dump(), "terms": [one.model_dump() for one in terms]})
