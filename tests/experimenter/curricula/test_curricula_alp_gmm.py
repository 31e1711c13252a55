from __future__ import annotations

import json

import numpy as np
import pytest
from curriculum_toys import TARGET, ToyStudent, make_card, make_outcome

from envs.task import ParamValue
from experimenter import registry
from experimenter.curricula.alp_gmm import AlpGmmTeacher, make_teacher
from experimenter.curricula.base import Teacher


def make_alp(seed: int = 0, **settings: ParamValue) -> AlpGmmTeacher:
    teacher = make_teacher(make_card(), TARGET, settings, seed)
    assert isinstance(teacher, AlpGmmTeacher)
    return teacher


def study(teacher: Teacher, episodes: int) -> ToyStudent:
    student = ToyStudent()
    for _ in range(episodes):
        teacher.update(student.attempt(teacher.sample()))
    return student


def test_it_beats_uniform_where_most_tasks_cannot_be_learnt() -> None:
    mastered: dict[str, list[int]] = {"uniform": [], "alp_gmm": []}
    for name, counts in mastered.items():
        for seed in range(4):
            teacher = registry.load("teachers", name)(card=make_card(), target=TARGET, settings={}, seed=seed)
            counts.append(study(teacher, 3000).mastered)
    assert np.mean(mastered["alp_gmm"]) >= 1.5 * np.mean(mastered["uniform"])
    wins = sum(ours > theirs for ours, theirs in zip(mastered["alp_gmm"], mastered["uniform"], strict=True))
    assert wins >= 3


def test_progress_is_the_change_against_the_nearest_task() -> None:
    teacher = make_alp()
    places = [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 0.1, 1.9, 1.9]
    scores = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.1, 0.4]
    for height, score in zip(places, scores, strict=True):
        teacher.update(make_outcome({"height": height, "spacing": 4.0, "count": 3}, score))
    # six to warm up; then 0.1 against 0.0 (0.6 - 0.0), 1.9 against 2.0 (|0.1 - 0.5|), 1.9 against its own last try
    assert teacher.state()["progress"] == pytest.approx([0.0] * 6 + [0.6, 0.4, 0.3])


def test_it_samples_where_the_score_moves() -> None:
    teacher, rng = make_alp(random_share=0.1), np.random.default_rng(0)
    for _ in range(300):
        params = teacher.sample()
        moving = float(params["height"]) > 3
        teacher.update(make_outcome(params, float(rng.random()) if moving else 0.5))
    heights = np.array([float(teacher.sample()["height"]) for _ in range(500)])
    assert (heights > 2.5).mean() > 0.7  # 0.375 under uniform sampling


def test_the_scale_of_the_score_does_not_matter() -> None:
    samples = []
    for scale in (1.0, 1024.0):
        teacher = make_alp(seed=4)
        for _ in range(300):
            params = teacher.sample()
            teacher.update(make_outcome(params, scale * float(params["height"])))
        samples.append([teacher.sample() for _ in range(50)])
    assert samples[0] == samples[1]


def test_old_episodes_are_forgotten_and_the_state_stays_bounded() -> None:
    teacher = make_alp(history=100, fit_every=50)
    study(teacher, 450)
    state = teacher.state()
    assert 100 <= len(state["tasks"]) == len(state["scores"]) == len(state["progress"]) <= 200
    assert state["seen"] == 450


def test_saving_midway_changes_nothing() -> None:
    straight, first = make_alp(seed=2, history=100), make_alp(seed=2, history=100)
    student, other = study(straight, 333), study(first, 333)
    second = make_alp(seed=99, history=100)
    second.load_state(json.loads(json.dumps(first.state())))
    for _ in range(400):
        ours, theirs = straight.sample(), second.sample()
        assert ours == theirs
        straight.update(student.attempt(ours))
        second.update(other.attempt(theirs))
    assert straight.state() == second.state()
