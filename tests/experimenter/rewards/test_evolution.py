"""The population: who has children, by hand-worked cases."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.evolution import Individual, Operator, choose_parent, novelty, parent_pool, plan_births, rank


def make_program(text: str, parents: tuple[str, ...] = ()) -> RewardProgram:
    return RewardProgram(kind=RewardKind.CODE, source=text, model="m", parents=parents)


def make_individual(text: str, fitness: float | None, **overrides: object) -> Individual:
    values = {"program": make_program(text), "fitness": fitness, "steps": 0 if fitness is None else 100, **overrides}
    return Individual.model_validate(values)


NATIVE = Individual(
    program=RewardProgram(kind=RewardKind.NATIVE), operator=Operator.BASELINE, fitness=9.0, steps=100, generation=0
)


def test_first_generation_is_fresh_and_spread_over_the_islands() -> None:
    births = plan_births([NATIVE], generation=0, k=4, islands=2)
    assert [birth.operator for birth in births] == [Operator.FRESH] * 4
    assert [birth.island for birth in births] == [0, 1, 0, 1]
    native = plan_births([NATIVE], generation=0, k=2, from_native=True)
    assert {birth.operator for birth in native} == {Operator.NATIVE}
    assert not any(birth.parents for birth in (*births, *native))


def test_one_candidate_makes_one_island() -> None:
    assert [birth.island for birth in plan_births([], generation=0, k=1, islands=5)] == [0]


def test_the_best_program_is_always_mutated_and_baselines_never_have_children() -> None:
    weak, best = make_individual("a b c d", 0.1), make_individual("e f g h", 0.8, island=1)
    for generation in range(1, 30):
        births = plan_births([NATIVE, weak, best], generation=generation, k=5, seed=generation)
        assert births[0].operator is Operator.MUTATE and births[0].parents == (best.digest,)
        assert births[0].island == 1, "the child of the best stays on its island"
        assert all(parent != NATIVE.digest for birth in births for parent in birth.parents)


def test_without_a_trained_program_everything_is_fresh() -> None:
    refused = make_individual("a b c", None)
    births = plan_births([NATIVE, refused], generation=2, k=3)
    assert {birth.operator for birth in births} == {Operator.FRESH}


def test_shares_of_the_operators() -> None:
    population = [make_individual(f"w{i} x{i} y{i} z{i}", i / 10, island=i % 2) for i in range(6)]
    drawn = Counter(
        birth.operator for seed in range(200) for birth in plan_births(population, generation=1, k=5, seed=seed)[1:]
    )
    total = sum(drawn.values())
    assert drawn[Operator.FRESH] / total == pytest.approx(0.2, abs=0.04)
    assert drawn[Operator.CROSSOVER] / total == pytest.approx(0.25, abs=0.05)
    crossovers = [
        birth
        for seed in range(50)
        for birth in plan_births(population, generation=1, k=5, seed=seed)
        if birth.operator is Operator.CROSSOVER
    ]
    assert all(len(set(birth.parents)) == 2 for birth in crossovers)


def test_births_are_repeatable() -> None:
    population = [make_individual(f"w{i} x{i} y{i}", i / 10) for i in range(4)]
    assert plan_births(population, generation=3, k=4, seed=5) == plan_births(population, generation=3, k=4, seed=5)


def test_islands_are_apart_until_migration_is_due() -> None:
    here, near, far = (
        make_individual(name * 4, value, island=i)
        for i, (name, value) in enumerate((("a ", 0.1), ("b ", 0.5), ("c ", 0.9)))
    )
    crowd = [here, near, far, make_individual("d d d d", 0.2, island=2)]
    assert parent_pool(crowd, 0, 3, generation=1, migrate_every=2) == [here]
    assert parent_pool(crowd, 0, 3, generation=2, migrate_every=2) == [here, far], (
        "the ring: island 2's best comes to 0"
    )
    assert parent_pool(crowd, 0, 3, generation=2, migrate_every=0) == [here]
    assert parent_pool([near], 0, 3, generation=1, migrate_every=2) == [near], "an empty island takes anybody"


def test_rank_puts_further_trained_before_fitter_and_suspected_last() -> None:
    early = make_individual("a", 0.9, steps=10)
    late = make_individual("b", 0.4, steps=100)
    suspected = make_individual("c", 0.99, steps=100, flagged=True)
    broken = make_individual("d", None)
    assert rank([broken, suspected, early, late]) == [late, early, suspected, broken]


def test_novelty_counts_shared_shingles() -> None:
    first, second = make_program("a b c d"), make_program("a b c e")
    # shingles {abc, bcd} and {abc, bce}: one of three shared
    assert novelty(first, [second]) == pytest.approx(1 - 1 / 3)
    assert novelty(first, [first]) == 0.0
    assert novelty(first, []) == 1.0
    assert novelty(make_program("a b c d # said twice"), [first]) == 0.0, "comments are not ideas"


def test_fitter_and_newer_parents_have_more_children() -> None:
    best, copy, other = (
        make_individual("a b c d e f", 0.9),
        make_individual("a b c d e g", 0.5),
        make_individual("q r s t u v", 0.4),
    )
    rng = np.random.default_rng(0)
    drawn = Counter(choose_parent([best, copy, other], rng).digest for _ in range(2000))
    assert drawn[best.digest] > drawn[copy.digest]
    assert drawn[other.digest] > 150, "the odd one out is drawn for its novelty, though its fitness is last"
