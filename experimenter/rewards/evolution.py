"""The population of a reward search: who has children, how, and on which island. Pure functions; nothing is asked or trained here.

A generation is a list of births. Each names an island, an operator and parents; the reward writer turns it into a program. Islands
keep different ideas apart; every `migrate_every` generations each island's best may also become a parent on the next one (ring).
Parents are drawn by rank of fitness plus novelty, the best program so far always has one child. Baselines race but never have
children, so that their code is never shown; with `from_native` the native reward's words are the first parent instead.
After Revolve (Hazra et al. 2025) for islands and operators and ShinkaEvolve (Lange et al. 2025) for novelty in the choice of parents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from pydantic import Field

from experimenter.records import Record, RewardProgram

_WORDS = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[^\s\w]")
_SHINGLE = 3
_NOVELTY_WEIGHT = 0.3
"""Share of novelty in a parent's weight; the rest is the rank of its fitness."""
_FRESH_SHARE, _CROSSOVER_SHARE = 0.2, 0.25


class Operator(StrEnum):
    FRESH = "fresh"
    """A new idea; told what failed, shown no parent."""
    MUTATE = "mutate"
    """One parent, improved by what its training showed."""
    CROSSOVER = "crossover"
    """Two parents, their best parts joined."""
    NATIVE = "native"
    """Human-initialised: begins from the words of the environment's own reward; reported apart."""
    BASELINE = "baseline"
    """Not born here: races, never has children."""


class Individual(Record):
    """A reward program with what is known of it."""

    program: RewardProgram
    island: int = Field(default=0, ge=0)
    generation: int = Field(default=0, ge=0)
    operator: Operator = Operator.FRESH
    steps: int = 0
    """Env steps of its longest training; an arm that got further beat those that stayed behind."""
    fitness: float | None = None
    """Interquartile mean of held-out fitness at `steps`; None: refused, failed, or not trained yet."""
    flagged: bool = False
    """The audit suspects that it is being farmed."""

    @property
    def digest(self) -> str:
        return self.program.digest

    @property
    def is_parent(self) -> bool:
        """True when it may have children: it was trained, was not written by a rule, and is not a baseline."""
        return self.fitness is not None and self.operator is not Operator.BASELINE and not self.program.is_baseline


class Birth(Record):
    """One candidate to be written."""

    slot: int = Field(ge=0)
    """Place in its generation, from 0."""
    island: int = Field(ge=0)
    operator: Operator
    parents: tuple[str, ...] = ()
    """Digests; none for a fresh start."""


def plan_births(
    population: Sequence[Individual],
    *,
    generation: int,
    k: int,
    islands: int = 2,
    migrate_every: int = 2,
    from_native: bool = False,
    seed: int = 0,
) -> tuple[Birth, ...]:
    """Plan the `k` births of `generation` (from 0): the same population and seed give the same births.

    Generation 0 is fresh (human-initialised with `from_native`). Later, slot 0 mutates the best program of all, and every other
    slot draws its operator: fresh 0.2, crossover 0.25 where two parents exist, else a mutation.
    """
    count = max(1, min(islands, k))
    if generation == 0:
        first = Operator.NATIVE if from_native else Operator.FRESH
        return tuple(Birth(slot=slot, island=slot % count, operator=first) for slot in range(k))
    rng = np.random.default_rng([seed, generation])
    births = []
    for slot in range(k):
        island = (slot + generation) % count
        pool = parent_pool(population, island, count, generation, migrate_every)
        births.append(_birth(slot, island, pool, population, rng))
    return tuple(births)


def parent_pool(
    population: Sequence[Individual], island: int, islands: int, generation: int, migrate_every: int
) -> list[Individual]:
    """Who may have children on `island`: its own, the neighbour's best when migration is due, anybody where it has none."""
    able = [one for one in population if one.is_parent]
    own = [one for one in able if one.island == island]
    if islands > 1 and migrate_every and generation % migrate_every == 0:
        neighbours = [one for one in able if one.island == (island - 1) % islands]
        own += rank(neighbours)[:1]
    return own or able


def rank(individuals: Sequence[Individual]) -> list[Individual]:
    """Best first: unsuspected before suspected, further trained before earlier eliminated, then by fitness; untrained last."""
    return sorted(
        individuals, key=lambda one: (one.fitness is None, one.flagged, -one.steps, -(one.fitness or 0.0), one.digest)
    )


def _birth(
    slot: int, island: int, pool: Sequence[Individual], population: Sequence[Individual], rng: np.random.Generator
) -> Birth:
    draw = float(rng.random())
    if not pool:
        return Birth(slot=slot, island=island, operator=Operator.FRESH)
    if slot == 0:
        best = rank([one for one in population if one.is_parent])[0]
        return Birth(slot=0, island=best.island, operator=Operator.MUTATE, parents=(best.digest,))
    if draw < _FRESH_SHARE:
        return Birth(slot=slot, island=island, operator=Operator.FRESH)
    first = choose_parent(pool, rng)
    others = [one for one in population if one.is_parent and one.digest != first.digest]
    if draw < _FRESH_SHARE + _CROSSOVER_SHARE and others:
        second = choose_parent(others, rng)
        return Birth(slot=slot, island=island, operator=Operator.CROSSOVER, parents=(first.digest, second.digest))
    return Birth(slot=slot, island=island, operator=Operator.MUTATE, parents=(first.digest,))


def choose_parent(pool: Sequence[Individual], rng: np.random.Generator) -> Individual:
    """Draw one of `pool`, with a weight of 0.7 for the rank of its fitness and 0.3 for its novelty in the pool."""
    ranked = rank(pool)
    count = len(ranked)
    # rank weight 1 for the best, 1/count for the last; squared, so that the better half has most children
    fit = np.array([((count - place) / count) ** 2 for place in range(count)])
    new = np.array([novelty(one.program, [other.program for other in ranked if other is not one]) for one in ranked])
    weights = (1 - _NOVELTY_WEIGHT) * fit / fit.sum() + _NOVELTY_WEIGHT * (
        new / new.sum() if new.sum() else np.full(count, 1 / count)
    )
    return ranked[int(rng.choice(count, p=weights / weights.sum()))]


def novelty(program: RewardProgram, others: Sequence[RewardProgram]) -> float:
    """1 minus the largest Jaccard similarity of three-token shingles with any of `others`; 1 without others."""
    own = _shingles(program.source)
    return 1.0 - max((_jaccard(own, _shingles(other.source)) for other in others), default=0.0)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    plain = "\n".join(line.split("#", 1)[0] for line in text.splitlines())
    words = _WORDS.findall(plain)
    return frozenset(tuple(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1)))


def _jaccard(first: frozenset[tuple[str, ...]], second: frozenset[tuple[str, ...]]) -> float:
    union = len(first | second)
    return len(first & second) / union if union else 1.0
