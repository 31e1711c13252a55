"""Checkpoints as plain data: `state.json` and `arrays.safetensors` in one folder that appears whole or not at all.

Never a pickle: a checkpoint may lie where generated code could write. The new folder is completed beside the old one,
which is kept until then; a kill between the two renames is mended by the next reader.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experimenter.errors import JobError

FOLDER = "checkpoint"
STATE_FILE = "state.json"
ARRAYS_FILE = "arrays.safetensors"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    state: dict[str, Any]
    """JSON-plain."""
    arrays: dict[str, NDArray[Any]]


def write_checkpoint(job_folder: Path, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Replace `job_folder/checkpoint` by one with this content, atomically."""
    from safetensors.numpy import save

    final, part, old = (job_folder / f"{FOLDER}{end}" for end in ("", ".part", ".old"))
    recover(job_folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    content = save({name: np.asarray(value, order="C") for name, value in arrays.items()})
    _write(part / ARRAYS_FILE, content)
    whole = {**state, "arrays_sha256": hashlib.sha256(content).hexdigest()}
    _write(part / STATE_FILE, json.dumps(whole, sort_keys=True, allow_nan=False).encode())
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)  # left by a kill after the new one stood: `final` is whole
        final.rename(old)
    part.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def read_checkpoint(job_folder: Path) -> Checkpoint | None:
    """Read `job_folder/checkpoint`; None when there is none. Raises `JobError` when it is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    recover(job_folder)
    folder = job_folder / FOLDER
    if not folder.exists():
        return None
    try:
        state = json.loads((folder / STATE_FILE).read_text())
        content = (folder / ARRAYS_FILE).read_bytes()
        if state["arrays_sha256"] != hashlib.sha256(content).hexdigest():
            raise ValueError("the weights do not match their checksum")
        return Checkpoint(state=state, arrays=load(content))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise JobError(f"the checkpoint {folder} is damaged ({error}): delete that folder to start afresh.") from error


def recover(job_folder: Path) -> None:
    """Put the old checkpoint back when a kill fell between the two renames."""
    final, old = job_folder / FOLDER, job_folder / f"{FOLDER}.old"
    if old.exists() and not final.exists():
        old.rename(final)


def check_same(checkpoint: Checkpoint, expected: Mapping[str, Any]) -> None:
    """Raise `JobError` naming the first entry in which the checkpoint differs from `expected`."""
    for name, value in expected.items():
        found = checkpoint.state.get(name)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            changed = sorted(key for key in {*value, *found} if value.get(key) != found.get(key))
            if changed:
                key = changed[0]
                raise JobError(
                    f"the checkpoint was written with {name} {key}={found.get(key)!r}, this job has "
                    f"{value.get(key)!r}: use the same {name} or another job folder."
                )
        elif found != value:
            raise JobError(
                f"the checkpoint was written with {name}={found!r}, this job has {value!r}: use another job folder."
            )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
