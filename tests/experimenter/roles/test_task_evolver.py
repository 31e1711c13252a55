"""Failed tasks seed new ones through the proposer: the text that it writes is what the teacher `evolve` reads."""

from __future__ import annotations

from roles_helpers import Speak, full, make_card, make_goal, params_list, text_of

from experimenter.curricula.evolve import parse_proposals
from experimenter.roles.task_evolver import propose_tasks

CARD, GOAL = make_card(), make_goal()
FAILED = [(full(slope=8.0), 0.0)]


def test_a_model_rewrites_failed_tasks_and_the_teacher_reads_them(speak: Speak) -> None:
    tasks = [
        {"reason": "half the slope", "params": params_list(slope=4)},
        {"reason": "the same again", "params": params_list(slope=8)},
        {"reason": "out of range", "params": params_list(slope=99, ice=0.5)},
    ]
    gateway, model = speak({"tasks": tasks})
    text = propose_tasks(gateway, GOAL, CARD, FAILED, n=3, step="evolve")
    # what failed is not proposed again, what lies outside is brought inside
    assert parse_proposals(CARD, full(slope=8.0), text) == [full(slope=4.0), full(slope=10.0, ice=0.5)]
    assert "failed; propose a task that leads to it" in text_of(model) or "0.00" in text_of(model)


def test_without_a_model_the_rule_proposes() -> None:
    text = propose_tasks(None, GOAL, CARD, FAILED, n=2, step="evolve")
    assert parse_proposals(CARD, full(slope=8.0), text) == [full(slope=0.0), full(slope=2.0)]
