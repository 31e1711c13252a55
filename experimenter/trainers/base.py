"""The contract of a trainer: `train(problem, budget, seed, listen) -> TrainedPolicy`.

Every trainer checkpoints and resumes in the middle of a job, and on one thread the same seed gives the same weights,
interrupted or not. To make that true without cloning simulators, a trainer restarts its worlds at every checkpoint with
a seed derived from (seed, step): an interrupted run and an uninterrupted one then see the same worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv
from envs.task import ParamValue, TaskSpec
from experimenter.errors import JobError


class NonFinite(JobError):
    """Training produced a NaN or an infinity; `component` says where it was first seen."""

    def __init__(self, component: str, step: int, advice: str) -> None:
        super().__init__(f"{component} became NaN or infinite at env step {step}: {advice}.")
        self.component = component


@runtime_checkable
class StatefulWorlds(Protocol):
    """Optional side of a `BatchEnv`: what lives in the worlds beyond an episode (a teacher) goes into checkpoints too."""

    def save_state(self) -> dict[str, Any]:
        """JSON-plain state, asked for at a checkpoint."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Called after a resume, before the worlds are reset."""
        ...


class Command(Enum):
    """What the listener asks of the trainer."""

    CONTINUE = "continue"
    CHECKPOINT = "checkpoint"
    """Write a checkpoint now, then go on."""
    STOP = "stop"
    """Write a checkpoint and return the policy as it is."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of a trainer: about every second or every update, whichever is longer."""

    step: int
    """Env steps of the policy's whole life."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Plain floats: policy and value loss, entropy, approximate KL, learning rate, and so on."""


Listener = Callable[[Progress], Command]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a trainer gets to work on."""

    make_vec: Callable[[int], BatchEnv]
    """Make n wrapped worlds (reward and teacher inside). The trainer calls `reset(seed)` itself."""
    observation_space: gymnasium.spaces.Space[Any]
    action_space: gymnasium.spaces.Space[Any]
    folder: Path
    """Job folder. Checkpoints go to `folder/checkpoint` (written beside it, then renamed), found there on resume."""
    family: str
    settings: Mapping[str, ParamValue] = field(default_factory=dict)
    """Overrides of the trainer's defaults for this family; unknown names are a `UsageError`."""
    start: Path | None = None
    """Folder of a policy artifact to warm-start from, when there is no checkpoint."""
    device: str = "auto"
    task: TaskSpec | None = None
    """The task that the policy is for, whatever a teacher trains on; None where the caller does not say."""


@dataclass(frozen=True, kw_only=True)
class TrainBudget:
    steps: int
    """Env steps of the policy's whole life at which to end."""
    schedule_steps: int
    """Horizon of learning-rate and other schedules; at least `steps`."""
    checkpoint_every_s: float = 30.0
    """Upper bound of work lost to a kill. For bitwise repeatability the trainer checkpoints at step counts, not times."""


@dataclass(frozen=True, kw_only=True)
class TrainedPolicy:
    """A policy as plain data: what `skills.artifact.save_policy` writes as JSON and safetensors."""

    spec: dict[str, Any]
    """JSON-plain description: see `skills/artifact.py`."""
    tensors: dict[str, NDArray[np.float32]]
    steps: int
    """Env steps of its whole life."""


class Trainer(Protocol):
    """A trainer that takes only discrete actions says so with `discrete_only = True` and refuses others with a `UsageError`."""

    name: str

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default for `family` (for example `gym:CartPole-v1`), source cited in the module."""
        ...

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps` or a STOP. Resumes from `problem.folder/checkpoint` when it exists."""
        ...
