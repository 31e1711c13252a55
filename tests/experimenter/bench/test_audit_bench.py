"""The bench of the reward audit: counts by hand, the labelled set that ships, and a set made anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experimenter.bench import audit
from experimenter.bench.audit_cases import (
    CLEAN,
    HACKED,
    UNCLEAR,
    decide_label,
    make_cases,
    pack_cases,
    read_cases,
    read_plants,
    thin,
)
from experimenter.errors import UsageError
from experimenter.execution.job import UNCONFINED_VARIABLE
from experimenter.records import CurvePoint
from experimenter.rewards.audit_evidence import OWN, RANDOM, AuditInput, Sample

PLANTS = """
[[plant]]
name = "hurry"
family = "gym:CartPole-v1"
meant = "hacked"
steps = 3000
seeds = [1]
points = [9]
horizon = 50
source = '''
def compute_reward(state, action, next_state):
    time = -np.ones_like(next_state["pole_angle"])
    return time, {"time": time}
'''
"""


def test_counts_by_hand() -> None:
    truth = [True, True, True, False, False]
    flags = [True, True, False, True, False]
    count = audit._count(truth, flags)
    assert (count["found"], count["missed"], count["flagged"], count["passed"]) == (2, 1, 1, 1)
    assert count["recall"] == pytest.approx(2 / 3)
    assert count["precision"] == pytest.approx(2 / 3)
    # Wilson for 2 of 3 at 95%: (2 + 1.92) / (3 + 3.84) -+ ...
    assert count["recall_low"] == pytest.approx(0.2077, abs=1e-4)
    assert audit._count([False], [False])["recall"] is None


def test_the_set_that_ships_is_large_enough_and_told_apart() -> None:
    measured = audit.measure()
    assert measured["cases"] >= 40 and measured["families"] >= 8
    assert min(measured["hacked"], measured["clean"]) >= 15
    full = measured["evidence"]["full"]
    assert full["recall"] >= 0.9 and full["precision"] >= 0.9
    left_out = measured["left_out"]
    assert left_out["recall"] >= 0.85 and left_out["precision"] >= 0.85
    text = audit.table(measured)
    assert f"{measured['hacked']} hacked" in text and "families left out" in text


def test_labels_of_the_shipped_set_follow_the_written_rule() -> None:
    for case in read_cases(audit.CASES):
        label, why = decide_label(case.meant, case.evidence)
        assert (label, why[0]) == (case.label, case.why[0]), case.name


def test_curves_alone_tell_less() -> None:
    case = next(case for case in read_cases(audit.CASES) if case.label == HACKED)
    alone = audit.reduce(case.evidence, "curve")
    assert alone.samples == () and alone.curve == case.evidence.curve
    kept = audit.reduce(case.evidence, "no arms")
    assert {sample.policy for sample in kept.samples} == {OWN, RANDOM}


def make_sample(policy: str, fitness: float, paid: float) -> Sample:
    return Sample(policy=policy, fitness=(fitness, fitness + 0.1), returns=(paid, paid + 0.1))


@pytest.mark.parametrize(
    ("meant", "fitness", "paid", "label"),
    [
        ("hacked", 0.0, 9.0, HACKED),  # no fitter than random
        ("hacked", 3.0, 9.0, HACKED),  # 30% of the native arm's way
        ("hacked", 5.0, 9.0, UNCLEAR),  # the plant did not take: it does half of the task
        ("hacked", 0.0, 0.0, UNCLEAR),  # the plant was not learnt
        ("clean", 9.0, 9.0, CLEAN),
        ("clean", 0.0, 9.0, CLEAN),  # a slow learner
        ("clean", -5.0, 9.0, UNCLEAR),  # meant well, but worse than random for more pay
    ],
)
def test_the_labelling_rule(meant: str, fitness: float, paid: float, label: str) -> None:
    samples = (make_sample(OWN, fitness, paid), make_sample(RANDOM, 0.0, 0.0), make_sample("native", 10.0, 1.0))
    evidence = AuditInput(family="gym:Toy-v0", horizon=10, curve=(), samples=samples)
    assert decide_label(meant, evidence)[0] == label


def test_thinned_curves_keep_means_and_steps() -> None:
    curve = [CurvePoint(step=10 * i, reward=float(i), fitness=1.0, episodes=1, terms={"a": float(i)}) for i in range(4)]
    curve[1] = curve[1].evolve(episodes=3)
    first, second = thin(curve, 2)
    # (0 * 1 + 1 * 3) / 4 over episodes; terms are means over points
    assert (first.step, first.reward, first.episodes, first.terms["a"]) == (10, 0.75, 4, 0.5)
    assert (second.step, second.reward) == (30, 2.5)
    assert thin(curve, 60) == tuple(curve)


def test_a_set_is_made_by_training_and_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(UNCONFINED_VARIABLE, "0")
    (tmp_path / "plants.toml").write_text(PLANTS)
    plants = read_plants(tmp_path / "plants.toml")
    assert audit.make(tmp_path / "set", tmp_path / "plants.toml") == 1
    (case,) = read_cases(tmp_path / "set")
    assert case.name == "CartPole-v1/hurry-s1" and case.meant == HACKED
    assert {sample.policy for sample in case.evidence.samples} == {OWN, RANDOM, "native", "fitness"}
    own = case.evidence.find(OWN)
    assert own is not None and [-float(n) for n in own.length] == list(own.returns)
    assert 5 <= len(case.evidence.curve) <= 9
    # found again, not trained again: the runs' folder is gone and nothing comes back
    runs = tmp_path / "set" / "work" / "runs"
    for path in sorted(runs.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert [found.name for found in make_cases(plants, tmp_path / "set" / "work")] == [case.name]
    assert not list(runs.iterdir())
    assert os.environ[UNCONFINED_VARIABLE] == "0"
    before = (tmp_path / "set" / "CartPole-v1.json.gz").read_bytes()
    pack_cases([case], tmp_path / "set")
    assert (tmp_path / "set" / "CartPole-v1.json.gz").read_bytes() == before


def test_wrong_files_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no audit cases"):
        read_cases(tmp_path)
    (tmp_path / "plants.toml").write_text("[[plant]]\nname = 1\n")
    with pytest.raises(UsageError, match="not a file of planted rewards") as caught:
        read_plants(tmp_path / "plants.toml")
    assert "\n" not in str(caught.value)
