"""The session's configuration: words, flags and TOML resolved into one frozen record that is stored with the session."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat, ValidationError

from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.records import Budget, Record

HOME_VARIABLE = "EXPERIMENTER_HOME"
DATABASE_VARIABLE = "EXPERIMENTER_DATABASE"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_MIN_WALL_S = 20.0


class SessionConfig(Record):
    """Everything that shapes a session; defaults live here and nowhere else. The goal's words are stored beside it."""

    family: str | None = None
    """Family named by the person (`--env`); None lets the goal's words decide."""
    params: dict[str, ParamValue] = Field(default_factory=dict)
    """Task parameters fixed by the person; they win over the goal's words."""
    budget: Budget = Budget(wall_s=1200.0)
    model: str | None = None
    """Model as the person named it; the gateway's choice and its reason are stored as an event."""
    base_url: str | None = None
    candidates: int = Field(default=3, ge=0, le=64)
    """Reward programs the model writes in a generation (0: baseline arms only)."""
    generations: int = Field(default=3, ge=1, le=100)
    """Most generations of reward programs for one task."""
    islands: int = Field(default=2, ge=1, le=16)
    """Populations of reward programs that are bred apart."""
    migrate_every: int = Field(default=2, ge=0, le=100)
    """Every so many generations each island's best may be a parent on the next island (0: never)."""
    from_native: bool = False
    """Human-initialised: the first generation begins from the environment's own reward in words; reported apart."""
    exhaust: bool = False
    """Go through all generations even when a policy could be certified before."""
    extensions: int = Field(default=2, ge=0, le=100)
    """How often a winner that still improves is given more steps than its race had."""
    overlap: bool = True
    """Write rewards while training runs; without it every step waits for the one before."""
    audit_screens: bool = False
    """Let programs race that a screen would refuse, to learn how often the screen is wrong (costs training)."""
    seeds: int = Field(default=3, ge=1, le=50)
    """Training seeds of the arms that reach the last rung of a race."""
    final_steps: int | None = Field(default=None, gt=0)
    """Env steps of the race's last rung; None takes what the family is known to need, or what the budget allows."""
    trainer: str | None = None
    """None takes the one that is made for the task's family (`registry.default_trainer`)."""
    trainer_settings: dict[str, ParamValue] = Field(default_factory=dict)
    teacher: str | None = None
    """None begins where the family says that the task is easy and goes on from there to the task (`widen`); `fixed` where it says nothing."""
    teacher_settings: dict[str, ParamValue] = Field(default_factory=dict)
    executor: str = "local"
    workers: int | None = Field(default=None, ge=1)
    """Training processes side by side; None takes the number of cores."""
    seed: int = Field(default=0, ge=0)
    """Base seed: training seeds are seed, seed + 1, ..."""
    min_success_rate: float | None = Field(default=None, gt=0, le=1)
    """Success rate that the certificate must show; None leaves it to the goal."""
    eval_episodes: int = Field(default=20, ge=5)
    """Held-out episodes behind each step of a race."""
    certificate_episodes: int = Field(default=60, ge=20)
    """Held-out episodes, on seeds that no race has seen, behind a certificate."""
    fresh: bool = False
    """Train even when the library already has a skill for the task."""
    feedback: str = Field(default="", max_length=1200)
    """What the person says about rewards before the start; told to whoever writes and reviews them, never counted."""
    fitness_weights: dict[str, FiniteFloat] = Field(default_factory=dict)
    """Further true measure of the family -> weight with which races count it beside the fitness. Only on the person's word."""
    ask: bool = False
    """Pause between generations of reward programs and wait for the person's answer."""
    allow_unconfined: bool = False
    """Run generated code where the operating system cannot confine it. Only on the person's word."""

    @classmethod
    def resolve(cls, flags: Mapping[str, Any], file: Path | None = None) -> SessionConfig:
        """Merge defaults, a TOML file and flags (None means not given); raises `UsageError` with one clear line."""
        values = {**(read_toml(file) if file else {}), **{k: v for k, v in flags.items() if v is not None}}
        if isinstance(values.get("budget"), str):
            values["budget"] = parse_budget(values["budget"])
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the configuration"
            raise UsageError(f"{where}: {first['msg']} (got {first.get('input')!r}).") from error


def read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise UsageError(f"cannot read the configuration file {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error


def parse_budget(text: str) -> Budget:
    """Read a budget such as `20m`, `1h30m`, `2M steps`, `500 calls`, `100k tokens`, `$2`; parts are joined by commas."""
    found: dict[str, float] = {}
    for part in (piece.strip() for piece in text.split(",")):
        name, value = _budget_part(part, text)
        if value <= 0 or (name == "wall_s" and value < _MIN_WALL_S):
            raise UsageError(
                f"the budget {part!r} is too small: give at least {_MIN_WALL_S:.0f}s, for example --budget 20m."
            )
        found[name] = value
    whole = {name: value if name in ("wall_s", "money_usd") else int(value) for name, value in found.items()}
    return Budget.model_validate(whole)


def _budget_part(part: str, text: str) -> tuple[str, float]:
    if part.startswith("$") and _number(part[1:]) is not None:
        return "money_usd", float(_number(part[1:]) or 0.0)
    durations = _DURATION.findall(part)
    if durations and _DURATION.sub("", part).strip() == "":
        return "wall_s", sum(float(value) * _SECONDS[unit] for value, unit in durations)
    words = part.split()
    names = {"steps": "env_steps", "calls": "calls", "tokens": "tokens"}
    if len(words) == 2 and words[1] in names and (value := _number(words[0])) is not None:
        return names[words[1]], value
    raise UsageError(
        f"cannot read the budget {text!r}: write a duration (20m, 1h30m), '2M steps', '500 calls', '100k tokens' or '$2'."
    )


def _number(text: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text.strip())
    return float(match[1]) * {"": 1.0, "k": 1e3, "M": 1e6}[match[2]] if match else None


def resolve_home(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds database, jobs, skills, models and reports: `--home`, EXPERIMENTER_HOME, or the user's data folder."""
    if given is not None:
        return given.expanduser().resolve()
    if value := environment.get(HOME_VARIABLE, "").strip():
        return Path(value).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_data_dir("experimenter", appauthor=False))


def resolve_database(home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Database URL: EXPERIMENTER_DATABASE (SQLite path or PostgreSQL URL), else `experimenter.db` in the home."""
    return environment.get(DATABASE_VARIABLE, "").strip() or str(home / "experimenter.db")
