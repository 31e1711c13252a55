"""The local executor with real processes: done, found, resumed, stopped, killed at the limit, and every way to die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from experimenter.execution.base import JobState, JobUpdate
from experimenter.execution.inline import InlineExecutor
from experimenter.execution.local import LocalExecutor, count_cores
from experimenter.records import JobResult, JobStatus, RewardKind, RewardProgram, TrainJob

MakeJob = Callable[..., TrainJob]
Living = Callable[[], set[psutil.Process]]


def make_local(home: Path, workers: int = 1, grace_s: float = 5.0, stall_s: float = 30.0) -> LocalExecutor:
    return LocalExecutor(home, workers=workers, grace_s=grace_s, stall_s=stall_s)


def run_one(home: Path, job: TrainJob) -> JobResult:
    (result,) = make_local(home).run([job])
    return result


def run_whole(home: Path, job: TrainJob) -> JobResult:
    """The uninterrupted run to compare with, in this process (a test below shows that it is the same)."""
    (result,) = InlineExecutor(home).run([job])
    return result


def wait_for(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_jobs_end_with_policy_curve_and_evaluation_and_are_found_the_second_time(
    tmp_path: Path, make_job: MakeJob
) -> None:
    jobs = [make_job(seed=0), make_job(seed=1), make_job(seed=0)]
    updates: list[JobUpdate] = []
    results = {r.job_digest: r for r in make_local(tmp_path, workers=2).run(jobs, updates.append)}
    assert set(results) == {jobs[0].digest, jobs[1].digest}  # the repeated job is one job
    for result in results.values():
        assert (result.status, result.steps, result.new_steps) == (JobStatus.DONE, 1600, 1600)
        assert result.evaluation is not None and result.evaluation.seeds == tuple(range(10**6, 10**6 + 5))
        assert [p.step for p in result.curve] == list(range(160, 1601, 160))  # one point a round of 4 worlds x 40 steps
        assert all(p.fitness is not None and p.episodes == 4 and p.reward is not None for p in result.curve)
        assert result.wall_s > 0 and result.cpu_s > 0
        assert (tmp_path / "jobs" / result.artifact / "policy" / "policy.safetensors").is_file()
    assert {u.point.step for u in updates if u.point} == set(range(160, 1601, 160))
    again: list[JobUpdate] = []
    assert {r.job_digest: r for r in make_local(tmp_path).run(jobs, again.append)} == results
    assert {u.state for u in again} == {JobState.FOUND}


def test_local_result_equals_inline_result(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(seed=3)
    local, inline = run_one(tmp_path / "a", job), run_whole(tmp_path / "b", job)
    assert local.evaluation == inline.evaluation
    assert [p.fitness for p in local.curve] == [p.fitness for p in inline.curve]


@pytest.mark.parametrize(
    ("how", "status", "stage", "kind"),
    [
        ("nan_weights", JobStatus.FAILED, "train", "nan"),
        ("exit", JobStatus.FAILED, "worker", "crash"),
        ("segfault", JobStatus.FAILED, "worker", "killed"),
        ("killed", JobStatus.FAILED, "worker", "killed"),
        ("memory", JobStatus.FAILED, "train", "memory"),
        ("raise", JobStatus.FAILED, "train", "RuntimeError"),
    ],
)
def test_every_death_is_a_stored_failure(
    tmp_path: Path, make_job: MakeJob, how: str, status: JobStatus, stage: str, kind: str
) -> None:
    job = make_job(settings={"misbehave": how, "after": 2})
    result = run_one(tmp_path, job)
    assert result.failure is not None and result.evaluation is None and not result.ok
    assert (result.status, result.failure.stage, result.failure.kind) == (status, stage, kind)
    if how == "raise":
        assert result.failure.message == "the toy is broken" and "RuntimeError" in result.failure.traceback
    assert list(make_local(tmp_path).run([job])) == [result]


@pytest.mark.parametrize(
    ("changes", "stage", "message"),
    [
        ({"trainer": "toj"}, "train", "unknown trainer 'toj'. Did you mean 'toy'?"),
        ({"continues": "0123456789abcdef"}, "worker", "the job 0123456789abcdef that this one continues is not in"),
    ],
)
def test_a_job_that_cannot_start_is_a_failure(
    tmp_path: Path, make_job: MakeJob, changes: dict[str, str], stage: str, message: str
) -> None:
    result = run_one(tmp_path, make_job(**changes))
    assert result.failure is not None and result.failure.stage == stage
    assert result.failure.message.startswith(message)


def test_a_worker_killed_once_is_resumed_and_ends_as_if_nothing_had_happened(tmp_path: Path, make_job: MakeJob) -> None:
    killed = run_one(tmp_path, make_job(settings={"misbehave": "killed_once", "after": 4}))
    plain = run_whole(tmp_path, make_job())
    assert killed.status is JobStatus.DONE
    assert killed.evaluation == plain.evaluation
    assert [p.fitness for p in killed.curve] == [p.fitness for p in plain.curve]


def test_wall_limit_kills_the_whole_group(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(settings={"misbehave": "grandchild", "after": 1}, wall_limit_s=4.0)
    result = run_one(tmp_path, job)
    assert result.status is JobStatus.KILLED
    assert result.failure is not None and result.failure.kind == "timeout"
    assert 3.9 < result.wall_s < 15.0
    pid = int((tmp_path / "jobs" / job.digest / "work" / "grandchild").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_slow_job_is_asked_to_stop_before_its_limit_and_keeps_its_policy(tmp_path: Path, make_job: MakeJob) -> None:
    result = run_one(tmp_path, make_job(steps=10**6, settings={"pause_s": 0.05}, wall_limit_s=10.0))
    assert result.status is JobStatus.STOPPED and result.ok
    assert 0 < result.steps < 10**6 and result.wall_s < 10.0


def test_a_silent_worker_is_killed(tmp_path: Path, make_job: MakeJob) -> None:
    (result,) = make_local(tmp_path, stall_s=2.0).run([make_job(settings={"misbehave": "hang", "after": 1})])
    assert result.status is JobStatus.KILLED
    assert result.failure is not None and result.failure.kind == "stalled"


@pytest.mark.parametrize("keep", [False, True])
def test_stop_leaves_a_checkpoint_and_a_later_run_goes_on(tmp_path: Path, make_job: MakeJob, keep: bool) -> None:
    job, never = make_job(settings={"pause_s": 0.12}, teacher="uniform"), make_job(seed=9)
    executor = make_local(tmp_path)

    def on_update(update: JobUpdate) -> None:
        if update.point is not None and update.point.step >= 480:
            executor.stop("enough", keep=keep)

    results = list(executor.run([job, never], on_update))
    folder = tmp_path / "jobs" / job.digest
    assert (folder / "work" / "checkpoint").is_dir()
    assert not (tmp_path / "jobs" / never.digest).exists()
    if keep:
        assert [r.status for r in results] == [JobStatus.STOPPED]
        assert results[0].ok and results[0].steps < 1600
        return
    assert results == [] and not (folder / "result.json").exists()
    resumed, whole = run_one(tmp_path, job), run_whole(tmp_path / "other", job)
    assert resumed.evaluation == whole.evaluation
    assert [p.fitness for p in resumed.curve] == [p.fitness for p in whole.curve]


def test_continued_job_starts_from_its_parents_checkpoint(tmp_path: Path, make_job: MakeJob) -> None:
    parent = make_job(steps=640)
    child = make_job(steps=1600, continues=parent.digest)
    first, second = run_whole(tmp_path, parent), run_one(tmp_path, child)
    assert (first.steps, second.steps, second.new_steps) == (640, 1600, 960)
    whole = run_whole(tmp_path / "other", make_job(steps=1600))
    assert second.evaluation == whole.evaluation
    assert [(p.step, p.fitness) for p in second.curve] == [(p.step, p.fitness) for p in whole.curve]


def test_a_checkpoint_is_never_taken_over_from_another_reward(tmp_path: Path, make_job: MakeJob) -> None:
    parent = make_job(steps=640)
    run_whole(tmp_path, parent)
    other = make_job(steps=1600, continues=parent.digest, reward=RewardProgram(kind=RewardKind.FITNESS))
    result = run_one(tmp_path, other)
    assert result.failure is not None and result.failure.kind == "no_checkpoint"


def test_an_unwritable_home_is_a_failure_that_is_not_stored(tmp_path: Path, make_job: MakeJob) -> None:
    (tmp_path / "jobs").write_text("a file where the folder should be")
    result = run_one(tmp_path, make_job())
    assert result.status is JobStatus.FAILED and result.failure is not None
    assert (result.failure.stage, result.failure.kind) == ("worker", "disk")
    assert "choose another home folder" in result.failure.message


def test_a_full_disk_is_a_failure_that_is_not_stored(tmp_path: Path, make_job: MakeJob) -> None:
    home, job = tmp_path / "small", make_job()
    home.mkdir()
    (tmp_path / "job.json").write_text(job.model_dump_json())
    script = (
        "import sys; from pathlib import Path; from experimenter.records import TrainJob;"
        "from experimenter.execution.base import make_executor; home = Path(sys.argv[1]);"
        "job = TrainJob.model_validate_json((home.parent / 'job.json').read_text());"
        "r, = make_executor(home, workers=1).run([job]);"
        "print(r.failure.kind, (home / 'jobs' / job.digest / 'result.json').exists(), r.failure.message)"
    )
    mount = f'mount -t tmpfs -o size=16k none {home} && exec {sys.executable} -c "$0" {home}'
    done = subprocess.run(["unshare", "-rm", "sh", "-c", mount, script], capture_output=True, text=True)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine does not let us mount a small disk")
    kind, stored, message = done.stdout.split(" ", 2)
    assert (kind, stored) == ("disk", "False")
    assert "the disk is full" in message and "free space" in message


def test_kill_of_the_parent_takes_the_workers_along_and_a_new_run_finishes(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(settings={"pause_s": 0.05})
    (tmp_path / "job.json").write_text(job.model_dump_json())
    script = (
        "import sys; from pathlib import Path; from experimenter.records import TrainJob;"
        "from experimenter.execution.base import make_executor;"
        "home = Path(sys.argv[1]); job = TrainJob.model_validate_json((home / 'job.json').read_text());"
        "list(make_executor(home, workers=1).run([job]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    work = tmp_path / "jobs" / job.digest / "work"
    wait_for(lambda: (work / "curve.jsonl").exists() and (work / "curve.jsonl").read_text().count("\n") >= 3)
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert workers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers), timeout_s=3.0)
    assert not (work.parent / "result.json").exists()
    resumed = run_one(tmp_path, job)
    whole = run_whole(tmp_path / "other", job)
    assert resumed.status is JobStatus.DONE and resumed.steps == 1600
    assert resumed.evaluation == whole.evaluation
    assert [p.fitness for p in resumed.curve] == [p.fitness for p in whole.curve]


def test_closing_the_iterator_leaves_no_processes(tmp_path: Path, make_job: MakeJob, living_children: Living) -> None:
    before = living_children()
    jobs = [make_job(seed=0, steps=160), make_job(seed=1, steps=10**6, settings={"pause_s": 0.02})]
    executor = make_local(tmp_path, workers=2)
    results = executor.run(jobs)
    assert next(iter(results)).job_digest == jobs[0].digest
    results.close()  # type: ignore[attr-defined]  # run is a generator
    executor.close()
    assert living_children() <= before
    assert (tmp_path / "jobs" / jobs[1].digest / "work" / "checkpoint").is_dir()


def test_workers_default_to_the_usable_cores() -> None:
    assert count_cores() == len(os.sched_getaffinity(0))
    with pytest.raises(ValueError, match="0 workers"):
        LocalExecutor(Path("nowhere"), workers=0)
