"""Jobs with generated rewards: confined training, failures as values, and an evaluation that never meets the code."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from experimenter.execution.inline import InlineExecutor
from experimenter.execution.local import LocalExecutor
from experimenter.records import JobStatus, RewardKind, RewardProgram, TrainJob
from experimenter.sandbox.confine import Level, describe_confinement

MakeJob = Callable[..., TrainJob]
Living = Callable[[], set[psutil.Process]]
pytestmark = pytest.mark.skipif(
    describe_confinement().level is Level.NONE, reason="this machine cannot confine generated code"
)
GOOD = """
def compute_reward(state, action, next_state):
    near = np.exp(-np.abs(next_state["position"]))
    effort = -0.01 * action[:, 0] ** 2
    return near + effort, {"near": near, "effort": effort}
"""
ENDLESS = """
def compute_reward(state, action, next_state):
    reward = next_state["position"] * 0.0
    for i in range(10 ** 9):
        reward = np.sin(reward + i)
    return reward, {"wave": reward}
"""
NAN = """
def compute_reward(state, action, next_state):
    reward = np.sqrt(next_state["position"] - 100.0)
    return reward, {"root": reward}
"""


def make_reward(source: str) -> RewardProgram:
    return RewardProgram(kind=RewardKind.CODE, source=source, model="m")


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_generated_reward_trains_confined(tmp_path: Path, make_job: MakeJob, executor: str) -> None:
    job = make_job(reward=make_reward(GOOD))
    runner = InlineExecutor(tmp_path) if executor == "inline" else LocalExecutor(tmp_path, workers=1)
    (result,) = runner.run([job])
    assert result.failure is None and result.status is JobStatus.DONE and result.ok
    assert set(result.curve[-1].terms) == {"near", "effort"}
    assert 0.0 < result.curve[-1].terms["near"] < 1.0 and result.curve[-1].terms["effort"] <= 0.0
    # the mean return of 40 steps is 40 times the sum of the terms' means
    last = result.curve[-1]
    assert last.reward == pytest.approx(40 * (last.terms["near"] + last.terms["effort"]), rel=1e-6)


def test_endless_reward_is_killed_at_the_limit(tmp_path: Path, make_job: MakeJob, living_children: Living) -> None:
    before = living_children()
    job = make_job(reward=make_reward(ENDLESS), wall_limit_s=5.0)
    started, executor = time.monotonic(), LocalExecutor(tmp_path, workers=1)
    (result,) = executor.run([job])
    assert result.failure is not None
    assert (result.status, result.failure.kind) == (JobStatus.KILLED, "timeout")
    assert time.monotonic() - started < 25.0 and result.cpu_s > 1.0
    executor.close()
    assert living_children() <= before


@pytest.mark.parametrize(
    ("source", "kind"),
    [(NAN, "nan"), ("def compute_reward(state, action, next_state):\n    return open('x')", "screen")],
)
def test_faulty_reward_is_a_stored_failure(tmp_path: Path, make_job: MakeJob, source: str, kind: str) -> None:
    job = make_job(reward=make_reward(source))
    (result,) = LocalExecutor(tmp_path, workers=1).run([job])
    assert result.status is JobStatus.FAILED and result.failure is not None
    assert (result.failure.stage, result.failure.kind) == ("reward", kind)
    assert list(LocalExecutor(tmp_path, workers=1).run([job])) == [result]


def test_evaluation_process_never_holds_reward_code(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(reward=make_reward(GOOD), episodes=3)
    (result,) = LocalExecutor(tmp_path, workers=1).run([job])
    assert result.ok
    # what the evaluating worker does, in a process of its own that reports its modules
    script = (
        "import sys; from pathlib import Path; from experimenter.execution import worker;"
        "answer = worker.evaluate_folder(Path(sys.argv[1]));"
        "assert answer == {'ok': True}, answer;"
        "print(' '.join(sorted(sys.modules)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "jobs" / job.digest)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    modules = set(done.stdout.split())
    assert "experimenter.evaluation.rollout" in modules
    heavy = {name.split(".")[0] for name in modules} & {"torch", "stable_baselines3", "langgraph"}
    ours = {
        name
        for name in modules
        if name.startswith(("experimenter.rewards.", "experimenter.sandbox.", "experimenter.trainers."))
    }
    assert (heavy, ours) == (set(), set())


def test_a_confined_worker_dies_with_its_parent(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(reward=make_reward(GOOD), steps=10**6, settings={"pause_s": 0.05})
    (tmp_path / "job.json").write_text(job.model_dump_json())
    script = (
        "import sys; from pathlib import Path; from experimenter.records import TrainJob;"
        "from experimenter.execution.base import make_executor;"
        "home = Path(sys.argv[1]); job = TrainJob.model_validate_json((home / 'job.json').read_text());"
        "list(make_executor(home, workers=1).run([job]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    curve = tmp_path / "jobs" / job.digest / "work" / "curve.jsonl"
    deadline = time.monotonic() + 30
    while not curve.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    gone = threading.Event()
    while time.monotonic() < deadline and not gone.wait(0.05):
        if not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in workers):
            gone.set()
    assert workers and gone.is_set() and curve.exists()
