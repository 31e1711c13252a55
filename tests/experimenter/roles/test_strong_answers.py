"""Recorded first tries of a strong model that saw only the prompts: at least nine of ten must pass every screen."""

from __future__ import annotations

import json
from pathlib import Path

from envs.catalog import get_family
from experimenter.records import RewardKind, RewardProgram
from experimenter.roles.reward_writer import strip_fences
from experimenter.sandbox.check import check_program
from prompts.answers import CodeAnswer

ANSWERS = Path(__file__).parents[2] / "data" / "strong_answers" / "reward_writer.jsonl"


def test_nine_of_ten_first_tries_are_valid_programs() -> None:
    rows = [json.loads(line) for line in ANSWERS.read_text().splitlines()]
    refusals = []
    for row in rows:
        answer = CodeAnswer.model_validate_json(row["answer"])
        program = RewardProgram(kind=RewardKind.CODE, source=strip_fences(answer.code), rationale=answer.rationale)
        report = check_program(program, get_family(row["family"]).card())
        if not report.ok:
            refusals.append(f"{row['family']}: {report.reason}")
    assert len(rows) == 10
    assert len(refusals) <= 1, refusals
