"""`experimenter doctor`: what is here, which model answers, what can be confined, and what to do about what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import explain, home_option, json_option, print_json

DISTRIBUTION = "rl-experimenter"
_ROOMS = ("prompts", "memory", "envs", "skills", "experimenter")
_PACKAGES: tuple[tuple[str, str, str], ...] = (
    ("torch", "", "required"),
    ("stable-baselines3", "", "required"),
    ("sb3-contrib", "", "required"),
    ("gymnasium", "", "required"),
    ("box2d", "", "required for walker and LunarLander"),
    ("langgraph", "", "required"),
    ("openai", "", "required for any OpenAI-compatible server"),
    ("mujoco", "mujoco", "Hopper, HalfCheetah, Walker2d, Reacher"),
    ("minigrid", "grid", "MiniGrid environments"),
    ("xllamacpp", "local", "the embedded model"),
    ("onnxruntime", "embed", "skill search by meaning"),
    ("numba", "quadrotor", "the quadrotor and quantum families"),
    ("litellm", "litellm", "vendors without an OpenAI-compatible URL"),
    ("psycopg", "postgres", "PostgreSQL"),
    ("ray", "ray", "clusters"),
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    name: str
    state: str
    """ok, optional (missing but not needed), or problem."""
    what: str
    do: str = ""


def doctor(home: Annotated[Path | None, home_option()] = None, json: Annotated[bool, json_option()] = False) -> None:
    """Say what is installed, which model will answer and why, what the sandbox can confine, and what to do about what is missing.

    Example:  experimenter doctor
    """
    from experimenter.config import resolve_home

    folder = resolve_home(home)
    findings = [
        _try("python", _python),
        _try("distribution", _rooms),
        *[_package(*item) for item in _PACKAGES],
        _try("home", lambda: _home(folder)),
        _try("database", lambda: _database(folder)),
        _try("model", lambda: _model(folder)),
        _try("sandbox", _sandbox),
        _try("skill search", _embedder),
        _try("browser", _browser),
        _try("cores", _cores),
    ]
    problems = [finding for finding in findings if finding.state == "problem"]
    if json:
        print_json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            typer.echo(
                f"{finding.state:9} {finding.name:18} {finding.what}"
                + (f"\n{'':29}-> {finding.do}" if finding.do else "")
            )
    raise typer.Exit(3 if problems else 0)


def _try(name: str, look: Callable[[], Finding]) -> Finding:
    """A check that itself fails is a finding, not a crash."""
    try:
        return look()
    except Exception as error:  # the boundary of one check: the others must still be shown
        return Finding(
            name=name, state="problem", what=explain(error)[0], do="mend this, then run experimenter doctor again"
        )


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding(
        name="python",
        state="ok" if good else "problem",
        what=f"{version} at {sys.executable}",
        do="" if good else "use Python 3.11 to 3.13",
    )


def _rooms() -> Finding:
    """The five packages have common names: another distribution of that name would be imported in their place."""
    root = Path(__file__).resolve().parents[2]
    foreign = []
    for room in _ROOMS:
        spec = util.find_spec(room)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != root:
            foreign.append(f"{room} comes from {origin}")
    version = metadata.version(DISTRIBUTION)
    if foreign:
        return Finding(
            name="distribution",
            state="problem",
            what="; ".join(foreign),
            do=f"start from another folder, or reinstall {DISTRIBUTION} in a fresh .venv",
        )
    return Finding(
        name="distribution", state="ok", what=f"{DISTRIBUTION} {version}; its five packages resolve to {root}"
    )


def _package(name: str, extra: str, use: str) -> Finding:
    try:
        return Finding(name=name, state="ok", what=metadata.version(name))
    except metadata.PackageNotFoundError:
        wish = f'pip install "{DISTRIBUTION}[{extra}]"' if extra else f"pip install {DISTRIBUTION}"
        return Finding(name=name, state="optional" if extra else "problem", what=f"not installed ({use})", do=wish)


def _home(folder: Path) -> Finding:
    from experimenter.services import open_home

    open_home(folder)
    free = shutil.disk_usage(folder).free
    few = free < 2 * 1024**3
    do = "free at least 2 GB, or choose another folder with --home" if few else ""
    return Finding(name="home", state="problem" if few else "ok", what=f"{folder} ({free / 1e9:.0f} GB free)", do=do)


def _database(folder: Path) -> Finding:
    from experimenter.config import resolve_database
    from memory.store import open_store

    store = open_store(resolve_database(folder))
    damage = store.check()
    where = store.where
    store.close()
    state = "problem" if damage else "ok"
    return Finding(
        name="database",
        state=state,
        what=f"{where}: {'; '.join(damage) or 'sound'}",
        do="restore a backup" if damage else "",
    )


def _model(folder: Path) -> Finding:
    from experimenter.llm.choose import resolve_model

    choice = resolve_model(None, base_url=None, environment=os.environ, home=folder)
    do = (
        "experimenter model fetch brings the local model; a key or --base-url brings any other"
        if choice.provider == "none"
        else ""
    )
    return Finding(name="model", state="optional" if do else "ok", what=f"{choice.model}: {choice.reason}", do=do)


def _sandbox() -> Finding:
    from experimenter.sandbox.confine import Level, describe_confinement

    found = describe_confinement()
    what = f"{found.level}: {', '.join(found.mechanisms) or 'nothing can confine here'}"
    good = found.level is not Level.NONE
    notes = "; ".join(found.notes)
    do = "" if good else f"generated code is refused here unless --allow-unconfined is given ({notes})"
    return Finding(
        name="sandbox", state="ok" if good else "problem", what=what + (f" ({notes})" if good and notes else ""), do=do
    )


def _embedder() -> Finding:
    from skills.embedder import embedder_status

    status = embedder_status()
    return Finding(
        name="skill search",
        state="ok" if status.by_meaning else "optional",
        what=f"{status.name}: {status.reason}",
        do=status.fix,
    )


def _browser() -> Finding:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found:
        return Finding(name="browser", state="ok", what=found)
    return Finding(
        name="browser", state="optional", what="no Chromium (reports are plain HTML; any browser opens them)", do=""
    )


def _cores() -> Finding:
    import torch

    cuda = "a CUDA device" if torch.cuda.is_available() else "no CUDA device"
    return Finding(name="cores", state="ok", what=f"{len(os.sched_getaffinity(0))} usable cores, {cuda}")
