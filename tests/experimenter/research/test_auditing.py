"""The audit of finished jobs, end to end: policies on disk, real worlds, the program asked in a confined process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import FloatArray
from experimenter.execution.folder import JobFolder
from experimenter.records import (
    CurvePoint,
    CurveState,
    Evaluation,
    JobResult,
    JobStatus,
    RewardKind,
    RewardProgram,
    TrainJob,
)
from experimenter.research.auditing import audit_result, choose_rivals
from skills.artifact import save_policy

TASK = get_family("gym:CartPole-v1").resolve_task(horizon=100)
NATIVE = RewardProgram(kind=RewardKind.NATIVE)
TO_THE_RIGHT = """
def compute_reward(state, action, next_state):
    right = action[:, 0] * 10.0
    upright = 0.01 * np.cos(next_state['pole_angle'])
    return right + upright, {'right': right, 'upright': upright}
"""
LONG = """
def compute_reward(state, action, next_state):
    alive = np.ones_like(next_state['pole_angle'])
    centre = -0.01 * next_state['cart_position']**2
    return alive + centre, {'alive': alive, 'centre': centre}
"""
BALANCE = np.array([[0.0, 0.0, -1.0, -0.5], [0.0, 0.0, 1.0, 0.5]])
"""Push to the side to which the pole leans or falls: it stands for the whole horizon."""
RIGHT = np.zeros((2, 4))


def make_job(program: RewardProgram, **changes: object) -> TrainJob:
    return TrainJob(task=TASK, reward=program, trainer="ppo", seed=0, budget_steps=1000, schedule_steps=1000).evolve(
        **changes
    )


def make_result(job: TrainJob, fitness: float, trend: float = 1.0, **changes: object) -> JobResult:
    curve = [CurvePoint(step=i, reward=float(i), fitness=trend * i, success=0.0) for i in range(12)]
    evaluation = Evaluation(seeds=(0,), fitness=(fitness,), success=(False,), native_return=(0.0,), length=(10,))
    return JobResult(job_digest=job.digest, status=JobStatus.DONE, evaluation=evaluation, curve=tuple(curve)).evolve(
        **changes
    )


def leave_policy(home: Path, job: TrainJob, weights: FloatArray, bias: tuple[float, float] = (0.0, 0.0)) -> None:
    spec = {"kind": "mlp", "layers": 1, "activation": "tanh", "head": "argmax"}
    save_policy(JobFolder(home / "jobs" / job.digest).policy, spec, {"w0": weights, "b0": np.array(bias)})


def code(source: str) -> RewardProgram:
    return RewardProgram(kind=RewardKind.CODE, source=source)


def test_a_planted_exploit_is_found_against_the_native_arm(tmp_path: Path) -> None:
    job, native = make_job(code(TO_THE_RIGHT)), make_job(NATIVE)
    leave_policy(tmp_path, job, RIGHT, (0.0, 1.0))
    leave_policy(tmp_path, native, BALANCE)
    result, rival = make_result(job, 0.1), (native, make_result(native, 1.0))
    found = audit_result(tmp_path, job, result, [rival])
    # ten pushes to the right of 10 each end the episode; the balancer stands 100 steps and pushes right on half of them
    assert "the program pays the fitter arm native more" in found.cleared
    assert not found.hacked
    greedy = code(TO_THE_RIGHT.replace("* 10.0", "* 10.0 - 6.0"))
    job = make_job(greedy)
    leave_policy(tmp_path, job, RIGHT, (0.0, 1.0))
    found = audit_result(tmp_path, job, make_result(job, 0.1), [rival])
    # now each right push pays 4 and each left push costs 6: the balancer's 100 steps cost, the ten pushes pay
    assert found.hacked
    assert {"inversion", "worse_than_random"} & {suspicion.rule for suspicion in found.suspicions}
    assert any("native" in words for words in found.words)


def test_an_honest_program_with_a_bad_looking_curve_is_cleared(tmp_path: Path) -> None:
    job = make_job(code(LONG))
    leave_policy(tmp_path, job, BALANCE)
    result = make_result(job, 1.0, trend=0.0)
    native = make_job(NATIVE)
    leave_policy(tmp_path, native, BALANCE)
    found = audit_result(tmp_path, job, result, [(native, make_result(native, 1.0))])
    assert not found.hacked and "no other arm is far ahead" in found.cleared


@pytest.mark.parametrize("broken", ["no policy", "bad program", "failed"])
def test_what_cannot_be_had_leaves_the_curve(tmp_path: Path, broken: str) -> None:
    job = make_job(code("def compute_reward(:" if broken == "bad program" else LONG))
    if broken != "no policy":
        leave_policy(tmp_path, job, BALANCE)
    result = make_result(job, 0.1, trend=-1.0)
    if broken == "failed":
        result = result.evolve(status=JobStatus.FAILED)
    found = audit_result(tmp_path, job, result)
    assert [suspicion.rule for suspicion in found.suspicions] == ["divergence"] and found.hacked


def test_judges_that_disagree_are_heard(tmp_path: Path) -> None:
    job = make_job(NATIVE)
    found = audit_result(
        tmp_path, job, make_result(job, 0.1), code_state=CurveState.IMPROVING, picture_state=CurveState.HACKING
    )
    assert [suspicion.rule for suspicion in found.suspicions] == ["judges"]
    assert not found.hacked


def test_rivals_are_other_programs_at_equal_steps_with_the_native_arm_first() -> None:
    job = make_job(code(LONG))
    arms = {
        "native": (make_job(NATIVE), 0.2),
        "fit": (make_job(code(LONG + "\n# b")), 0.9),
        "fit again": (make_job(code(LONG + "\n# b"), seed=1), 0.8),
        "good": (make_job(code(LONG + "\n# c")), 0.7),
        "poor": (make_job(code(LONG + "\n# d")), 0.1),
        "shorter": (make_job(code(LONG + "\n# e"), budget_steps=500), 1.0),
        "itself": (make_job(code(LONG), seed=3), 1.0),
    }
    rivals = [(arm, make_result(arm, fitness)) for arm, fitness in arms.values()]
    chosen = choose_rivals(job, rivals)
    assert chosen == [arms["native"][0], arms["fit"][0], arms["good"][0]]
    failed = arms["fit"][0]
    assert choose_rivals(job, [(failed, make_result(failed, 0.9, status=JobStatus.KILLED))]) == []
