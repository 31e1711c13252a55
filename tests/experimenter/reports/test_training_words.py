"""What the words about a skill's training must never leave out."""

from __future__ import annotations

import pytest

from envs.catalog import get_family
from experimenter.reports.training import training_words


def test_a_teacher_that_plays_part_of_the_task_is_told_with_what_that_means() -> None:
    provenance = {
        "trainer": "dom",
        "settings": {"demonstrations": "oracle:150", "kind_entropy": 0.03},
        "teacher": {"name": "widen", "settings": {"start": "prefilled=8"}},
    }
    words = training_words(provenance, get_family("web").card())
    assert words.startswith(
        "dom; demonstrations=oracle:150; kind_entropy=0.03; led by teacher widen (start prefilled=8); "
    )
    assert "prefilled: steps of a solution that are already taken" in words


@pytest.mark.parametrize(
    "provenance",
    [
        {"trainer": "ppo", "settings": {}, "teacher": {"name": "fixed", "settings": {}}},
        {"trainer": "ppo"},
        {"trainer": "ppo", "teacher": 3},
    ],
)
def test_training_on_the_task_itself_needs_no_more_words(provenance: dict[str, object]) -> None:
    assert training_words(provenance, get_family("walker").card()) == "ppo"
