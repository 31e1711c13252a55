"""What a hostile worker leaves in its folder is read with suspicion."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from envs.family import EpisodeOutcome
from experimenter.execution import folder as files
from experimenter.execution.curve import CurveTail, CurveWriter, parse_points, read_curve
from experimenter.execution.failures import StageError
from experimenter.execution.folder import JobFolder, Outcome
from experimenter.records import TrainJob
from skills.artifact import save_policy

MakeJob = Callable[..., TrainJob]
SPEC = {"kind": "mlp", "activation": "tanh", "layers": 1, "head": "clip", "low": [-1.0], "high": [1.0]}


def make_outcome(fitness: float) -> EpisodeOutcome:
    return EpisodeOutcome(slot=0, params={}, fitness=fitness, success=fitness > 0.5, native_return=1.0, length=10)


@pytest.fixture
def folder(tmp_path: Path, make_job: MakeJob) -> JobFolder:
    return files.open_folder(tmp_path, make_job())


def test_bad_lines_of_a_curve_are_dropped() -> None:
    lines = [
        b'{"step": 10, "fitness": 1.0}',
        b'{"step": 5, "fitness": 2.0}',  # goes back
        b'{"step": 20, "fitness": NaN}',
        b'{"step": 20, "terms": {"a": Infinity}}',
        b'{"step": 20, "unknown": 1}',
        b'{"step": 20, "terms": {"' + b"x" * 70_000 + b'": 1}}',
        b'{"step": 20, "episodes": -1}',
        b"garbage \xff",
        b'{"step": 30, "fitness": 3.0}',
        b'{"step": 101}',  # beyond the budget
    ]
    assert [(p.step, p.fitness) for p in parse_points(b"\n".join(lines), 100)] == [(10, 1.0), (30, 3.0)]


def test_links_pipes_and_large_files_are_not_read(folder: JobFolder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"state": "done", "steps": 5}')
    outcome = folder.work / "outcome.json"
    outcome.symlink_to(secret)
    assert files.read_outcome(folder) is None
    outcome.unlink()
    os.mkfifo(outcome)
    assert files.read_outcome(folder) is None  # and does not wait for a writer
    outcome.unlink()
    outcome.write_bytes(secret.read_bytes())
    assert files.read_outcome(folder) == Outcome(state="done", steps=5)
    outcome.write_bytes(b" " * 1_000_001)
    assert files.read_outcome(folder) is None
    (folder.work / "curve.jsonl").symlink_to(secret)
    assert CurveTail(folder.work / "curve.jsonl", 100).poll() == []


def test_requests_are_not_written_through_links(folder: JobFolder, tmp_path: Path, make_job: MakeJob) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("stop", "stdout.txt", "job.json.part", "job.json"):
        (folder.work / name).unlink(missing_ok=True)
        (folder.work / name).symlink_to(victim)
    files.request_stop(folder)
    files.open_folder(tmp_path, make_job())
    files.clear_requests(folder)
    assert victim.read_text() == "precious"
    assert not (folder.work / "stdout.txt").is_symlink() and not (folder.work / "job.json").is_symlink()


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "nan"), (float("inf"), "nan"), (None, "artifact")])
def test_unusable_policies_are_refused(folder: JobFolder, value: float | None, kind: str) -> None:
    if value is not None:
        tensors = {"w0": np.array([[value]], np.float32), "b0": np.zeros(1, np.float32)}
        save_policy(folder.work / "policy", SPEC, tensors)
    with pytest.raises(StageError) as caught:
        files.adopt_policy(folder)
    assert (caught.value.failure.stage, caught.value.failure.kind) == ("train", kind)
    assert not folder.policy.exists()


def test_a_linked_policy_folder_is_refused(folder: JobFolder, tmp_path: Path) -> None:
    save_policy(tmp_path / "elsewhere", SPEC, {"w0": np.ones((1, 1), np.float32), "b0": np.zeros(1, np.float32)})
    (folder.work / "policy").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StageError, match="a link instead of a policy"):
        files.adopt_policy(folder)


def test_copies_leave_links_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "state.json").write_text("{}")
    (source / "passwd").symlink_to("/etc/passwd")
    (source / "root").symlink_to("/")
    os.mkfifo(source / "pipe")
    files.copy_plain(source, tmp_path / "copy")
    assert sorted(p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").rglob("*")) == [
        "deep",
        "deep/state.json",
    ]


def test_a_result_of_another_job_or_a_damaged_one_is_not_found(folder: JobFolder, make_job: MakeJob) -> None:
    digest = make_job().digest
    for content in ("", "{", '{"job_digest": "0123456789abcdef", "status": "done"}'):
        (folder.root / "result.json").write_text(content)
        assert files.read_result(folder, digest) is None
    (folder.root / "result.json").write_text(f'{{"job_digest": "{digest}", "status": "done"}}')
    assert files.read_result(folder, digest) is not None


def test_curve_is_written_in_points_and_cut_on_resume(tmp_path: Path) -> None:
    writer = CurveWriter(tmp_path, budget_steps=2500)  # at most 250 points: one a 10 steps
    writer.add([make_outcome(0.0), make_outcome(1.0)])
    assert not writer.is_due(9) and writer.is_due(10)
    writer.close_point(10, {"return": 5.0, "near": 0.25, "bad": float("nan")}, {"loss": 2.0, "inf": float("inf")})
    assert not writer.is_due(30)  # no episode has ended
    writer.add([make_outcome(1.0)])
    writer.close_point(30, {}, {})
    first, second = read_curve(tmp_path / "curve.jsonl", 2500)
    assert (first.step, first.fitness, first.success, first.episodes, first.reward) == (10, 0.5, 0.5, 2, 5.0)
    assert (first.terms, first.losses) == ({"near": 0.25}, {"loss": 2.0})
    assert (second.step, second.fitness, second.reward) == (30, 1.0, None)
    resumed = CurveWriter(tmp_path, budget_steps=2500)
    resumed.cut(20)
    assert [p.step for p in read_curve(tmp_path / "curve.jsonl", 2500)] == [10]
    resumed.add([make_outcome(0.0)])
    resumed.close_point(40, {}, {})
    assert [p.step for p in read_curve(tmp_path / "curve.jsonl", 2500)] == [10, 40]
    assert resumed is not writer and read_curve(tmp_path / "curve.jsonl", 2500)[1].wall_s >= first.wall_s


def test_the_tail_follows_a_growing_file(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    tail = CurveTail(path, 100)
    assert tail.poll() == []
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert [p.step for p in tail.poll()] == [1, 2]
    with path.open("a") as file:
        file.write('ep": 3}\n')
    assert [p.step for p in tail.poll()] == [3]
    path.write_text('{"step": 1}\n')  # cut by a resumed worker
    assert tail.poll() == []
    with path.open("a") as file:
        file.write('{"step": 4}\n')
    assert [p.step for p in tail.poll()] == [4]
