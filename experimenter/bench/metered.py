"""One training of a bench, as a job does it, with what it took over all attempts: a killed one goes on from its checkpoint and its count."""

from __future__ import annotations

import json
import time
from pathlib import Path

from experimenter.errors import JobError
from experimenter.execution.job import train_job
from experimenter.records import Record, TrainJob


class Metered(Record):
    """What a finished training took."""

    steps: int
    wall_s: float
    cpu_s: float
    """CPU-seconds of this process; a browser beside it is not in them."""


def train_metered(job: TrainJob, place: Path) -> Metered:
    """Train `job` in the folder `place`, or go on there. Raises `JobError` when the training failed."""
    file, wall, cpu = place / "spent.json", time.monotonic(), time.process_time()
    before: dict[str, float] = json.loads(file.read_text()) if file.exists() else {"wall": 0.0, "cpu": 0.0}

    def spent() -> dict[str, float]:
        return {"wall": before["wall"] + time.monotonic() - wall, "cpu": before["cpu"] + time.process_time() - cpu}

    def note() -> bool:
        file.write_text(json.dumps(spent()))
        return False

    outcome = train_job(job, place, note)
    if outcome.failure is not None:
        raise JobError(f"the bench's training in {place} failed: {outcome.failure.message}")
    took = spent()
    return Metered(steps=outcome.steps, wall_s=took["wall"], cpu_s=took["cpu"])
