"""The artifacts' folder: one folder a skill, built beside its place, forced to disk, then renamed into place.

Files only; rows are `library.py`'s business. An artifact holds JSON and safetensors, never a pickle.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from skills.artifact import SPEC_FILE, WEIGHTS_FILE, ArtifactError, digest_folder, load_policy
from skills.skill import AdmissionRequest, SkillProblem

FILES = (SPEC_FILE, WEIGHTS_FILE, "card.json", "reward.json", "evidence.json", "provenance.json")
_STALE_S = 3600.0


@contextmanager
def staged_artifact(shelf: Path, request: AdmissionRequest) -> Iterator[tuple[Path, str]]:
    """Build the artifact in a hidden folder of `shelf` and give (folder, digest); what is not placed is removed.

    The same request gives the same bytes. Raises `SkillProblem` for a policy that does not load or a disk that is full.
    """
    part = shelf / f".part-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        try:
            load_policy(request.policy_folder)
            part.mkdir(parents=True)
            _fill(part, request)
            sync_folder(part)
        except ArtifactError as error:
            raise SkillProblem(f"{request.name} has no policy to admit: {error}") from error
        except OSError as error:
            raise SkillProblem(
                f"the artifact of {request.name} cannot be written to {shelf}: {error.strerror}"
            ) from error
        yield part, digest_folder(part)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def place(part: Path, target: Path) -> None:
    """Rename a staged artifact to its place; a leftover there (of a run killed before its row was written) is replaced."""
    if target.exists():
        aside = target.with_name(f".part-{os.getpid()}-{uuid4().hex[:8]}")
        target.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    part.rename(target)
    _sync(target.parent)


def check_artifact(folder: Path, digest: str, label: str) -> None:
    """Raise `SkillProblem` unless the artifact is there, complete and unchanged since its admission."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if not folder.is_dir():
        raise SkillProblem(
            f"the artifact of skill {label} is missing: no folder {folder}. Restore it, or revoke the skill"
        )
    if missing:
        raise SkillProblem(f"the artifact of skill {label} is incomplete: no {', '.join(missing)} in {folder}")
    if digest_folder(folder) != digest:
        raise SkillProblem(
            f"the artifact of skill {label} in {folder} was changed after its admission: restore it, or revoke the skill"
        )


def remove_stale_parts(shelf: Path) -> None:
    """Remove what killed runs left half-built more than an hour ago."""
    for part in shelf.glob(".part-*"):
        if time.time() - part.stat().st_mtime > _STALE_S:
            shutil.rmtree(part, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Force the folder's files and names to disk."""
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)


def _fill(part: Path, request: AdmissionRequest) -> None:
    for name in (SPEC_FILE, WEIGHTS_FILE):
        shutil.copyfile(request.policy_folder / name, part / name)
    _write_json(part / "card.json", make_card(request))
    _write_json(part / "reward.json", request.reward)
    _write_json(part / "evidence.json", evidence_json(request))
    _write_json(part / "provenance.json", request.provenance)


def make_card(request: AdmissionRequest) -> dict[str, Any]:
    """What the skill is and can do, JSON-plain."""
    evidence = request.evidence
    return {
        "format": 1,
        "name": request.name,
        "description": request.description,
        "family": request.family,
        "task": request.task,
        "task_digest": request.task_digest,
        "region": request.region,
        "episodes": evidence.episodes,
        "successes": evidence.successes,
        "success_interval": evidence.success_interval,
        "fitness_iqm": evidence.fitness_iqm,
        "fitness_interval": evidence.fitness_interval,
        "native_return_mean": evidence.native_return_mean,
    }


def evidence_json(request: AdmissionRequest) -> dict[str, Any]:
    """The certifying episodes, the rule they met and the probes around, JSON-plain."""
    return {
        **request.evidence.model_dump(mode="json"),
        "rule": {"min_success_rate": request.min_success_rate, "min_lower_bound": request.min_lower_bound},
        "probes": [probe.model_dump(mode="json") for probe in request.probes],
    }


def _write_json(path: Path, value: Any) -> None:
    try:
        text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SkillProblem(f"{path.name} of the artifact is not plain JSON: {error}") from error
    path.write_text(text + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
