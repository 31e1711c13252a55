"""The trainer `sb3`: PPO, SAC, TD3 and DQN of Stable-Baselines3 and TQC of sb3-contrib, chosen by the setting `algorithm`.

Read `sb3_zoo.py` (settings), `sb3_models.py`, `sb3_worlds.py` (the VecEnv), `sb3_state.py` (checkpoints), `sb3_export.py` (artifacts).
Names of settings are SB3's. It leaves the algorithms as they are: the run is cut into pieces between which it reports,
checkpoints and restarts the worlds. On one thread the same seed gives the same weights, killed and resumed or not, for
all five algorithms; a checkpoint or stop that the listener asks for belongs to the run's history.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from envs.task import ParamValue
from experimenter.errors import JobError, UsageError
from experimenter.trainers.base import Listener, NonFinite, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import Checkpoint, check_same, read_checkpoint, write_checkpoint
from experimenter.trainers.device import one_thread, resolve_device
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.rollout import rollout_length
from experimenter.trainers.sb3_export import export_policy, import_policy
from experimenter.trainers.sb3_models import ACTIVATIONS, Clock, make_model, make_normaliser
from experimenter.trainers.sb3_state import isolated_randomness, load_model, save_model
from experimenter.trainers.sb3_worlds import Sb3Worlds
from experimenter.trainers.sb3_zoo import algorithm_settings
from experimenter.trainers.settings import parse_hidden, require, resolve_settings
from experimenter.trainers.worlds import Shape, load_worlds, resolve_shape, restart_seed, save_worlds
from skills.artifact import ArtifactError, read_policy

_LOG = logging.getLogger(__name__)
_PIECE = 256
"""Env steps between looks at a waiting checkpoint request, for algorithms with a replay buffer."""
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "n_envs": (1, 4096),
    "learning_rate": (1e-8, 1.0),
    "gamma": (0.0, 1.0),
    "n_steps": (1, 65536),
    "batch_size": (2, 10**7),
    "n_epochs": (1, 100),
    "buffer_size": (2, 10**8),
    "train_freq": (1, 10**6),
    "gradient_steps": (-1, 10**6),
    "checkpoint_steps": (1, 10**9),
}


def make_trainer() -> Sb3Trainer:
    return Sb3Trainer()


class Sb3Trainer:
    """The trainer `sb3`."""

    name = "sb3"

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting of the default algorithm, PPO, for `family`; `algorithm_settings` has the other algorithms'."""
        return algorithm_settings("ppo", family)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps` or a STOP; resumes from `problem.folder/checkpoint` when it exists.

        Raises `UsageError` for bad settings or spaces, `JobError` for a checkpoint or policy that does not fit, `NonFinite`.
        """
        settings = make_settings(problem.family, problem.settings)
        shape = resolve_shape("sb3", problem.observation_space, problem.action_space)
        _check_actions(str(settings["algorithm"]), shape)
        with one_thread(), isolated_randomness():
            run = _Run(problem, budget, seed, settings, shape, Reporter(listen))
            try:
                run.open()
                run.train()
            finally:
                run.worlds.close()
            spec, tensors = export_policy(run.model, run.algorithm, shape, run.normaliser)
        return TrainedPolicy(spec=spec, tensors=tensors, steps=run.step)


def make_settings(family: str, overrides: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Resolve `overrides` over the algorithm's defaults for `family`; raises `UsageError`."""
    defaults = algorithm_settings(str(overrides.get("algorithm", "ppo")), family)
    settings = resolve_settings("sb3", defaults, overrides)
    require("sb3", settings, _BOUNDS)
    parse_hidden(settings["hidden"])
    if settings.get("activation", "tanh") not in ACTIVATIONS:
        raise UsageError(f"unknown activation {settings['activation']!r}. Known: {', '.join(ACTIVATIONS)}.")
    return settings


def _check_actions(algorithm: str, shape: Shape) -> None:
    if shape.discrete and algorithm in ("sac", "td3", "tqc"):
        raise UsageError(f"the algorithm {algorithm} needs continuous actions: use ppo or dqn for discrete ones.")
    if not shape.discrete and algorithm == "dqn":
        raise UsageError("the algorithm dqn needs discrete actions: use ppo, sac, td3 or tqc for continuous ones.")


class _Run:
    """One call of `train`."""

    def __init__(
        self,
        problem: Problem,
        budget: TrainBudget,
        seed: int,
        settings: Mapping[str, ParamValue],
        shape: Shape,
        reporter: Reporter,
    ) -> None:
        self.problem, self.budget, self.seed, self.settings = problem, budget, seed, settings
        self.shape, self.reporter = shape, reporter
        self.algorithm = str(settings["algorithm"])
        device = resolve_device(problem.device, parse_hidden(settings["hidden"]))
        self.worlds = Sb3Worlds(problem.make_vec(int(settings["n_envs"])))
        self.normaliser = make_normaliser(self.worlds, settings)
        source = self.worlds if self.normaliser is None else self.normaliser
        self.model = make_model(settings, shape, source, Clock(budget.schedule_steps), seed, device)
        self.model.set_logger(Logger(folder=None, output_formats=[]))
        self.next_checkpoint = 0

    @property
    def step(self) -> int:
        return int(self.model.num_timesteps)

    @property
    def losses(self) -> dict[str, float]:
        """What SB3 logged at its last update."""
        logged: Mapping[str, Any] = self.model.logger.name_to_value
        return {name.removeprefix("train/"): float(v) for name, v in logged.items() if name.startswith("train/")}

    def open(self) -> None:
        """Resume, warm-start or begin."""
        checkpoint = read_checkpoint(self.problem.folder)
        if checkpoint is not None:
            self._resume(checkpoint)
        elif self.problem.start is not None:
            try:
                spec, tensors = read_policy(self.problem.start)
            except ArtifactError as error:
                raise JobError(f"cannot warm-start: {error}.") from error
            import_policy(self.model, self.algorithm, self.shape, self.normaliser, spec, tensors)
        self.restart_worlds()

    def _resume(self, checkpoint: Checkpoint) -> None:
        check_same(checkpoint, {"trainer": "sb3", "settings": dict(self.settings)})
        try:
            load_worlds(self.worlds.worlds, checkpoint.state["worlds"])
            load_model(self.model, self.normaliser, checkpoint.state["model"], checkpoint.arrays)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise JobError(f"the checkpoint does not fit this job: {error}. Use another job folder.") from error
        _LOG.info("resumed at env step %d", self.step)

    def restart_worlds(self) -> None:
        """Let the next piece reset every world as a resumed run would."""
        self.worlds.restart_with = restart_seed(self.seed, self.step)
        self.worlds.steps = self.step
        self.model._last_obs = None  # SB3 resets the worlds when it has no last observation
        self.next_checkpoint = self.step + int(self.settings["checkpoint_steps"])

    def train(self) -> None:
        """Learn piece by piece: until the budget is spent or a stop is asked for."""
        callback = _Pulse(self)
        while self.step < self.budget.steps and not self.reporter.stop_asked:
            self._learn_piece(callback)
            self._check_finite()
            due = self.step >= self.next_checkpoint or self.reporter.checkpoint_asked
            if due and self.step < self.budget.steps and not self.reporter.stop_asked:
                self.checkpoint()
                self.restart_worlds()
        self.checkpoint()
        self.reporter.pulse(self.step, self.losses, force=True)

    def _learn_piece(self, callback: BaseCallback) -> None:
        remaining = self.budget.steps - self.step
        if self.algorithm == "ppo":  # one rollout and its update
            usual = int(self.settings["n_steps"])
            length = max(2, rollout_length(remaining, self.worlds.num_envs, usual))
            self.model.n_steps = self.model.rollout_buffer.buffer_size = length
            remaining = 1
        piece = max(1, min(_PIECE, remaining, self.next_checkpoint - self.step))
        self.model.learn(piece, callback, log_interval=None, reset_num_timesteps=False)

    def _check_finite(self) -> None:
        for name, parameter in self.model.policy.named_parameters():
            if not torch.isfinite(parameter).all():
                raise NonFinite(f"the network's {name}", self.step, "lower the learning rate")

    def checkpoint(self) -> None:
        self.reporter.checkpoint_asked = False
        model, arrays = save_model(self.model, self.normaliser)
        state = {"trainer": "sb3", "settings": dict(self.settings), "worlds": save_worlds(self.worlds.worlds)}
        write_checkpoint(self.problem.folder, {**state, "step": self.step, "model": model}, arrays)


class _Pulse(BaseCallback):
    """Reports from inside a piece; False ends it at once."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run

    def _on_step(self) -> bool:
        return not self._run.reporter.pulse(self._run.step, self._run.losses)
