"""Full-text search over skills, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.search import search_words, split_words
from memory.store import Store
from memory.tables import SkillRow

DESCRIPTIONS = {
    "walk-flat": "walk forward on flat ground without falling",
    "jump-stumps": "jump over tall stumps",
    "pole": "balance the pole on the cart",
    "walk-stairs": "walk up the stairs",
}


@pytest.fixture
def filled(store: Store) -> Store:
    with store.transaction() as session:
        for name, description in DESCRIPTIONS.items():
            session.add(make_skill(name, description))
    return store


def make_skill(name: str, description: str, family: str = "walker") -> SkillRow:
    return SkillRow(
        id=f"id-{name}", name=name, description=description, family=family, task_digest="t", admission_key=name
    )


def find(store: Store, text: str, limit: int = 50) -> list[str]:
    with store.read() as session:
        return [skill_id.removeprefix("id-") for skill_id, _ in search_words(session, text, limit)]


def test_words_find_skills_best_first(filled: Store) -> None:
    assert find(filled, "stairs to walk up")[0] == "walk-stairs"
    assert set(find(filled, "stairs walk")) == {"walk-stairs", "walk-flat"}
    assert find(filled, "swim") == []


def test_other_forms_of_a_word_are_found(filled: Store) -> None:
    assert find(filled, "jumping stump") == ["jump-stumps"]
    assert find(filled, "Balancing POLES") == ["pole"]


def test_names_and_families_are_searched_too(filled: Store) -> None:
    with filled.transaction() as session:
        session.add(make_skill("swing", "hold the weight at the top", "gym:Pendulum-v1"))
    assert find(filled, "pendulum") == ["swing"]
    assert find(filled, "walk-flat")[0] == "walk-flat"


def test_scores_fall_and_the_limit_holds(filled: Store) -> None:
    with filled.read() as session:
        found = search_words(session, "walk flat ground stairs", 2)
    assert len(found) == 2
    assert found[0][1] >= found[1][1] > 0
    assert find(filled, "walk", limit=0) == []


def test_the_words_follow_changes_and_rollbacks(filled: Store) -> None:
    with filled.transaction() as session:
        session.get_one(SkillRow, "id-pole").description = "steer a boat"
    assert (find(filled, "boat"), find(filled, "balance")) == (["pole"], [])
    with pytest.raises(ZeroDivisionError), filled.transaction() as session:
        session.add(make_skill("ghost", "a ghost that never was"))
        session.flush()
        _ = 1 / 0
    assert find(filled, "ghost") == []
    with filled.transaction() as session:
        session.delete(session.get_one(SkillRow, "id-pole"))
    assert find(filled, "boat") == []


HOSTILE = [
    '"',
    "'",
    "walk AND",
    "NOT walk",
    "NEAR(walk)",
    "walk*",
    "name:walk",
    "^walk",
    "(",
    "'; DROP TABLE skill; --",
    "🤸🏽",
    "\x00",
    "\ud800",
    "%",
    "-",
    "",
    " ",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_operators_quotes_and_signs_are_only_words(filled: Store, text: str) -> None:
    expected = {"walk-flat", "walk-stairs"} if "walk" in text else set()
    assert set(find(filled, text)) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_is_safe(filled: Store, text: str) -> None:
    find(filled, text)


def test_words_are_split_once_each_and_capped() -> None:
    assert split_words("Walk walk, the_WALKER (v2)! 🤖") == ["walk", "the", "walker", "v2"]
    assert len(split_words(" ".join(f"w{n}" for n in range(100)))) == 32
