"""The contract of an environment family: card, task parameters, batched worlds, fitness, named state.

Everything that trains or judges goes through `BatchEnv`: many worlds stepped together, reset in place, each episode
closed by an `EpisodeOutcome` whose fitness and success come from the true state. A family that is natively batched
implements `BatchEnv` directly; one that is not loops over single worlds.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from envs.task import ParamValue, TaskSpec

FloatArray = NDArray[np.floating[Any]]
NamedState = dict[str, FloatArray]
"""Name -> float array with a leading batch axis [n, ...]; all that a reward program ever sees."""
ParamSource = Callable[[], Mapping[str, ParamValue]]
"""Called once for each new episode; gives its task parameters (a teacher, or a constant)."""


class Params(BaseModel):
    """Base of a family's task parameters: frozen, bounded by `Field(ge=, le=)`, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One named state variable or action component, as the card's typed table lists it."""

    name: str
    shape: tuple[int, ...] = ()
    """Shape without the batch axis; `()` is one number a world."""
    unit: str = "1"
    low: float = float("-inf")
    high: float = float("inf")
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One task parameter with its range: the axis along which teachers and the proposer move."""

    name: str
    low: float
    high: float
    default: float
    unit: str = "1"
    integer: bool = False
    meaning: str = ""
    step: float = 0.0
    """The family's natural next step of difficulty along this axis (0: not a difficulty axis)."""
    fixed: bool = False
    """The same in every episode of a training, so no axis of a teacher: a kind (of goal, of action) or the shape of a batch."""
    words: Mapping[str, float] = field(default_factory=dict)
    """Words of a goal (lower case, singular) that ask for a value without naming the parameter: `crowded` for a density."""
    values: tuple[str, ...] = ()
    """What the numbers from 0 on stand for, where the parameter is a choice; people read these in place of the numbers."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Parameters by which a family does several things one after the other: what each is, and how many there are."""

    steps: tuple[str, ...]
    """Names of the parameters that say what is done first, second and so on; the goal's words are those of the first."""
    count: str
    """Name of the parameter that says how many of them there are."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model is told about a family: words and a typed table. Never code, never how fitness is computed."""

    family: str
    title: str
    text: str
    """Markdown for a reader who has never seen the code: body, world, episode end, what good behaviour looks like."""
    state: tuple[Variable, ...]
    actions: tuple[Variable, ...]
    params: tuple[Parameter, ...]
    fitness: str
    """The task metric in words, with its unit and range; never as code."""
    success: str
    """The success rule in words."""
    horizon: int
    """Default horizon in control steps."""
    hints: tuple[str, ...] = ()
    chain: Chain | None = None

    def say(self, name: str, value: ParamValue) -> str:
        """A parameter's value as people read it: the name of a choice, a number otherwise."""
        values = next((param.values for param in self.params if param.name == name), ())
        if values and not isinstance(value, str) and float(value).is_integer() and 0 <= value < len(values):
            return values[int(value)]
        return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class EpisodeOutcome:
    """How one finished episode went, by ground truth."""

    slot: int
    """Index of the world in the batch."""
    params: Mapping[str, ParamValue]
    fitness: float
    success: bool
    native_return: float
    """Undiscounted sum of the native (human-written) reward."""
    length: int
    """Control steps."""
    extras: Mapping[str, float] = field(default_factory=dict)
    """Further true measures of the family (distance, energy, contacts), for reports; JSON-plain floats."""


@dataclass(frozen=True, kw_only=True)
class StepBatch:
    """One step of n worlds. Finished worlds have already been reset in place."""

    observation: FloatArray
    """[n, d] float32, after the reset where a world finished."""
    reward: FloatArray
    """[n] float64 native reward of this step."""
    terminated: NDArray[np.bool_]
    """[n] the episode ended by the task's own rule (no bootstrapping)."""
    truncated: NDArray[np.bool_]
    """[n] the episode was cut by the horizon (bootstrap from `final_observation`)."""
    final_observation: FloatArray
    """[n, d] float32: the true successor of each world, before any reset. Equals `observation` where not done."""
    next_state: NamedState
    """Named state of the true successor, before any reset."""
    outcomes: tuple[EpisodeOutcome, ...]
    """One for every world that finished in this step."""


@runtime_checkable
class BatchEnv(Protocol):
    """Many worlds of one task family stepped together. Bitwise repeatable per seed."""

    num_envs: int
    observation_space: gymnasium.spaces.Space[Any]
    """Space of one world: a flat Box [d] (discrete observations are one-hot, images stay images)."""
    action_space: gymnasium.spaces.Space[Any]
    """Space of one world: Box [k] or Discrete."""

    def reset(self, seed: int) -> FloatArray:
        """Reseed and restart every world (one stream a world derived from `seed`); return observations [n, d]."""
        ...

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Advance every world by one control step. `actions` is [n, k] float or [n] int; out-of-range is clipped."""
        ...

    def named_state(self) -> NamedState:
        """Named state of every world now (after resets), copies that a caller may keep."""
        ...

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB frame [height, width, 3] of one world, headless."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Family(Protocol):
    """One environment family. Stateless and cheap to build: heavy imports happen inside `make` and `make_vec`."""

    name: str
    params_model: type[Params]

    def card(self) -> Card: ...

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Validate `params`, fill in defaults and return the task.

        Raises `ValueError` with one clear line: the name or value that was wrong, the valid range or names, the nearest match.
        """
        ...

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One world as a Gymnasium environment with the native reward; `info["outcome"]` carries the EpisodeOutcome at the end."""
        ...

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n worlds stepped together; with `params`, each new episode draws its task parameters from it."""
        ...

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw task parameters uniformly from the family's bounds."""
        ...


@runtime_checkable
class ExaminedFamily(Protocol):
    """Optional side of a family that is trained in fast worlds and examined in worlds that are nearer to the real thing."""

    def make_exam(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """Worlds for held-out evaluation: the same tasks and spaces as `make_vec`."""
        ...


def make_exam(family: Family, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
    """Worlds for held-out evaluation: those of `ExaminedFamily` where the family has them, else those that it trains in."""
    return family.make_exam(task, n, params) if isinstance(family, ExaminedFamily) else family.make_vec(task, n, params)


@runtime_checkable
class GradedFamily(Protocol):
    """Optional side of a family that knows where a hard task is easy: a curriculum can lead from there to the task."""

    def easy_start(self, task: TaskSpec) -> Mapping[str, ParamValue]:
        """Task parameters to begin with in place of the task's own; empty where the task needs no curriculum."""
        ...


def easy_start(family: Family, task: TaskSpec) -> Mapping[str, ParamValue]:
    """Where a curriculum for `task` may begin; empty where the family knows of none."""
    return family.easy_start(task) if isinstance(family, GradedFamily) else {}


def resolve_params(family: str, model: type[Params], params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Validate `params` against `model` and fill in its defaults, in the model's field order.

    Raises `ValueError` with one line: the unknown name and its nearest match, or the value and its valid range.
    """
    known = list(model.model_fields)
    for name, value in params.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            listed = ", ".join(known) or "none, this family takes no parameters"
            raise ValueError(f"{family} has no task parameter {name!r}. {hint}Known: {listed}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{family}: task parameter {name} is {value!r}; give a finite number.")
    try:
        filled = model.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "params"
        raise ValueError(f"{family}: task parameter {name} = {first['input']!r} is refused: {first['msg']}.") from None
    return dict(filled.model_dump())
