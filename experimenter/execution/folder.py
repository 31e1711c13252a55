"""Where a job lives on disk, and who may write what.

    jobs/<digest>/              written by the parent and the evaluation process only
        job.json  result.json  evaluation.json  usage.json  lock
        policy/                 copied from work/ after checks
        work/                   the training worker's own folder, all that a confined one may write
            job.json  stop      written by the parent
            curve.jsonl  heartbeat.json  outcome.json  stdout.txt  stderr.txt  checkpoint/  policy/  start/

What lies in work/ is untrusted: it is read without following links, only as regular files, up to a size.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from experimenter.execution.failures import fail
from experimenter.records import Evaluation, Failure, JobResult, JobStatus, Record, TrainJob
from skills.artifact import SPEC_FILE, WEIGHTS_FILE, ArtifactError, read_policy

_SMALL = 1_000_000
_RESULT = 64_000_000
_CHECKPOINT = 4_000_000_000
CHECKPOINT = "checkpoint"
RecordType = TypeVar("RecordType", bound=BaseModel)


class Outcome(Record):
    """What a training worker says of its own end."""

    state: str
    """`done`, `stopped` or `failed`."""
    steps: int = 0
    failure: Failure | None = None
    train_s: float = 0.0
    """Wall seconds inside the trainer, this attempt only; for `experimenter bench generation`, nothing is decided on it."""
    train_cpu_s: float = 0.0
    """CPU seconds of the same span."""


class Usage(Record):
    """What a job has cost over all its attempts, kept by the parent."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    attempts: int = 0


class Heartbeat(Record):
    """A sign of life of the training worker."""

    step: int = 0
    beats: int = 0


@dataclass(frozen=True)
class JobFolder:
    """Paths of one job."""

    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def policy(self) -> Path:
        return self.root / "policy"


def open_folder(home: Path, job: TrainJob) -> JobFolder:
    """Make the job's folder under `home`/jobs and write down the job. Raises `OSError` when the disk does not let it."""
    folder = JobFolder(home / "jobs" / job.digest)
    folder.work.mkdir(parents=True, exist_ok=True)
    write_record(folder.root / "job.json", job)
    # written again by whoever opens the folder again, so it need not survive a power cut
    _write_fresh(folder.work / "job.json", job.model_dump_json().encode(), durable=False)
    return folder


def lock_folder(folder: JobFolder, is_stopped: Callable[[], bool]) -> int | None:
    """Wait for and take the job's lock; returns its file descriptor, to be closed in the end, or None when stopped first.

    The descriptor is inherited by a training worker: after a kill of the parent the lock is free when the worker is gone too.
    """
    handle = os.open(folder.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if is_stopped():
                os.close(handle)
                return None
            time.sleep(0.1)


def read_job(path: Path) -> TrainJob:
    """Read the job that lies in a folder as `job.json`."""
    return TrainJob.model_validate_json((path / "job.json").read_bytes())


def read_result(folder: JobFolder, digest: str) -> JobResult | None:
    """Read the stored result; None when there is none, when it is damaged or when it is of another job."""
    result = read_record(folder.root / "result.json", JobResult, _RESULT)
    return result if result is not None and result.job_digest == digest else None


def find_result(folder: JobFolder, digest: str) -> JobResult | None:
    """The stored result of a job that ran to its end, well or badly.

    One that a budget stopped or killed early is not the job's result for a later session: it goes on from its checkpoint.
    """
    result = read_result(folder, digest)
    return result if result is not None and result.status in (JobStatus.DONE, JobStatus.FAILED) else None


def read_evaluation(folder: JobFolder) -> Evaluation | None:
    return read_record(folder.root / "evaluation.json", Evaluation, _RESULT)


def read_usage(folder: JobFolder) -> Usage:
    return read_record(folder.root / "usage.json", Usage, _SMALL) or Usage()


def read_outcome(folder: JobFolder) -> Outcome | None:
    return read_record(folder.work / "outcome.json", Outcome, _SMALL)


def read_heartbeat(folder: JobFolder) -> Heartbeat:
    return read_record(folder.work / "heartbeat.json", Heartbeat, _SMALL) or Heartbeat()


def clear_requests(folder: JobFolder) -> None:
    """Remove what an earlier attempt left, links that would be written through included."""
    for name in ("stop", "outcome.json", "heartbeat.json", "stdout.txt", "stderr.txt"):
        with suppress(FileNotFoundError, IsADirectoryError):
            (folder.work / name).unlink()


def request_stop(folder: JobFolder) -> None:
    """Ask the training worker to write a checkpoint and end."""
    with suppress(FileExistsError):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
        os.close(os.open(folder.work / "stop", flags, 0o644))


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as JSON, whole or not at all, safe against a power cut."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(record.model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_record(path: Path, model: type[RecordType], max_bytes: int) -> RecordType | None:
    """Read a record from a possibly hostile file; None when it is missing, not a plain file, too large or not valid."""
    content = read_plain(path, max_bytes)
    if content is None:
        return None
    try:
        return model.model_validate_json(content)
    except ValidationError:
        return None


def read_plain(path: Path, max_bytes: int, offset: int = 0) -> bytes | None:
    """Read at most `max_bytes` of a regular file from `offset`, without following a link or waiting for a pipe.

    Returns None when it is missing, something else than a file, or (with offset 0) larger than `max_bytes`.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or (offset == 0 and found.st_size > max_bytes):
            return None
        file.seek(offset)
        return file.read(max_bytes)


def adopt_policy(folder: JobFolder) -> None:
    """Check the worker's policy and copy it to the parent's side. Raises `StageError` when it is missing or unusable."""
    source = folder.work / "policy"
    if source.is_symlink():
        raise fail("train", "artifact", "the worker left a link instead of a policy folder")
    try:
        read_policy(source)
    except ArtifactError as error:
        kind = "nan" if "non-finite" in str(error) else "artifact"
        raise fail("train", kind, f"training left no usable policy: {error}") from error
    folder.policy.mkdir(exist_ok=True)
    for name in (WEIGHTS_FILE, SPEC_FILE):
        _write_fresh(folder.policy / name, (source / name).read_bytes())


def adopt_checkpoint(home: Path, job: TrainJob, folder: JobFolder) -> int:
    """Copy checkpoint and curve of the job that `job` continues, unless it has its own; returns the parent's env steps.

    Raises `StageError` when the parent is not the same arm and seed with fewer steps, or left no checkpoint.
    """
    if job.continues is None:
        return 0
    parent = JobFolder(home / "jobs" / job.continues)
    origin = read_record(parent.root / "job.json", TrainJob, _SMALL)
    if origin is None or origin.digest != job.continues:
        raise fail(
            "worker", "no_checkpoint", f"the job {job.continues} that this one continues is not in {parent.root.parent}"
        )
    same = (origin.reward.digest, origin.seed, origin.trainer, origin.task.digest)
    if same != (job.reward.digest, job.seed, job.trainer, job.task.digest) or origin.budget_steps >= job.budget_steps:
        raise fail("worker", "no_checkpoint", f"the job {job.continues} is not the same arm and seed with fewer steps")
    result = read_result(parent, job.continues)
    if result is None:
        raise fail("worker", "no_checkpoint", f"the job {job.continues} that this one continues has not ended")
    if not any((folder.work / f"{CHECKPOINT}{end}").exists() for end in ("", ".old")):
        source = parent.work / CHECKPOINT
        if source.is_symlink() or not source.is_dir():
            raise fail("worker", "no_checkpoint", f"the job {job.continues} that this one continues left no checkpoint")
        curve = read_plain(parent.work / "curve.jsonl", _RESULT)
        if curve is not None:
            _write_fresh(folder.work / "curve.jsonl", curve)
        copy_plain(source, folder.work / CHECKPOINT)
    return min(result.steps, job.budget_steps)


def copy_plain(source: Path, target: Path, max_bytes: int = _CHECKPOINT) -> None:
    """Copy a folder's regular files, whole or not at all; links, pipes and devices are left behind."""
    part = target.with_name(target.name + ".copy")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    left = max_bytes
    for base, _, names in os.walk(source, followlinks=False):
        place = part / Path(base).relative_to(source)
        place.mkdir(exist_ok=True)
        for name in names:
            content = read_plain(Path(base) / name, left)
            if content is not None:
                left -= len(content)
                (place / name).write_bytes(content)
    part.replace(target)


def _write_fresh(path: Path, content: bytes, *, durable: bool = True) -> None:
    # rename replaces a link, it never writes through one
    part = path.with_name(path.name + ".part")
    with suppress(FileNotFoundError):
        part.unlink()
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(part, flags, 0o644), "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)
