"""The trainer `qas`: masked double DQN over batched circuits, whose successes are pruned and made into a circuit.

Read `qas_settings.py`, `qas_returns.py` (n-step returns and replay), `qas_learner.py` (double DQN), `qas_circuits.py` (what is
done with successes), `qas_spec.py`. On families other than `quantum` it is a plain n-step double DQN for discrete actions,
and its policy the Q-network. Differences from the published agent (facts of CRLQAS): n-step windows end with episodes and
bootstrap by gamma^m, cuts by the horizon keep their value, and some episodes first follow a prefix of an own pruned success.

On one thread the same seed gives the same policy, whether or not the run was killed and resumed: worlds restart at every
checkpoint, which come at fixed step counts and hold the replay.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, StepBatch
from envs.task import ParamValue
from experimenter.errors import JobError, UsageError
from experimenter.trainers import qas_settings
from experimenter.trainers.base import Listener, NonFinite, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import Checkpoint, check_same, read_checkpoint, write_checkpoint
from experimenter.trainers.device import one_thread, resolve_device
from experimenter.trainers.qas_learner import QasLearner, legality
from experimenter.trainers.qas_returns import Float32, Replay, Windows
from experimenter.trainers.qas_settings import QasSettings
from experimenter.trainers.qas_watch import CircuitWatch, make_watch
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.worlds import load_worlds, resolve_shape, restart_seed, save_worlds

_LOG = logging.getLogger(__name__)


def make_trainer() -> QasTrainer:
    return QasTrainer()


class QasTrainer:
    """The trainer `qas`."""

    name = "qas"
    discrete_only = True

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default for `family`."""
        return qas_settings.default_settings(family)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps`, a STOP or the setting `max_evaluations`; resumes from a checkpoint.

        Raises `UsageError` for bad settings or spaces, `JobError` for a checkpoint that does not fit, `NonFinite`.
        """
        settings = qas_settings.make_settings(problem.family, problem.settings)
        if problem.start is not None:
            _LOG.info("qas starts from nothing: a circuit is no start for its network")
        with one_thread():
            run = _Run(problem, budget, seed, settings, Reporter(listen))
            try:
                run.open()
                run.train()
                spec, tensors = run.policy()
            finally:
                run.env.close()
        return TrainedPolicy(spec=spec, tensors=tensors, steps=run.step)


class _Run:
    """One call of `train`."""

    def __init__(
        self, problem: Problem, budget: TrainBudget, seed: int, settings: QasSettings, reporter: Reporter
    ) -> None:
        self.problem, self.budget, self.seed, self.settings, self.reporter = problem, budget, seed, settings, reporter
        shape = resolve_shape("qas", problem.observation_space, problem.action_space)
        if not shape.discrete:
            raise UsageError("the trainer qas needs discrete actions: use ppo or sb3 for continuous ones.")
        device = resolve_device(problem.device, settings.widths)
        self.learner = QasLearner(shape.observation, legality(problem.family, shape.action), settings, seed, device)
        self.replay = Replay(settings.buffer, shape.observation)
        self.rng = np.random.default_rng([seed, 7])
        self.env: BatchEnv = problem.make_vec(settings.num_envs)
        self.windows = Windows(settings.num_envs, settings.n_step, settings.gamma)
        self.watch: CircuitWatch | None = make_watch(problem, settings, seed, self.env.num_envs)
        self.step, self.next_checkpoint = 0, 0
        self.losses: dict[str, float] = {}

    @property
    def epsilon(self) -> float:
        """Share of random actions now."""
        done = self.step / max(1.0, self.settings.explore_share * self.budget.schedule_steps)
        return max(self.settings.final_epsilon, 1.0 - (1.0 - self.settings.final_epsilon) * done)

    @property
    def report(self) -> dict[str, float]:
        found = {} if self.watch is None else self.watch.circuits.measures
        return {"epsilon": self.epsilon, **self.losses, **found}

    def open(self) -> None:
        """Resume or begin."""
        checkpoint = read_checkpoint(self.problem.folder)
        if checkpoint is None:
            return
        check_same(checkpoint, {"trainer": "qas", "settings": asdict(self.settings)})
        try:
            self._load(checkpoint)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise JobError(f"the checkpoint does not fit this job: {error}. Use another job folder.") from error
        _LOG.info("resumed at env step %d", self.step)

    def _load(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        load_worlds(self.env, state["worlds"])
        self.learner.load(state["learner"], checkpoint.arrays)
        self.replay.load(state["replay"], checkpoint.arrays)
        self.rng.bit_generator.state = state["rng"]
        self.step, self.losses = int(state["step"]), dict(state["losses"])
        if self.watch is not None:
            self.watch.circuits.load(state["circuits"])

    def train(self) -> None:
        """Step, learn, report, checkpoint: until the budget is spent or a stop is asked for."""
        observation = self._restart()
        while self.step < self.budget.steps and not self.reporter.stop_asked and not self._spent_out():
            observation = self._advance(observation)
            if self.step >= self.settings.learning_starts:
                for _ in range(self.settings.updates):
                    self.losses = self.learner.update(self.replay.draw(self.settings.batch, self.rng), self.step)
            self.reporter.pulse(self.step, self.report)
            due = self.step >= self.next_checkpoint or self.reporter.checkpoint_asked
            if due and self.step < self.budget.steps and not self.reporter.stop_asked:
                self._checkpoint(observation)
                observation = self._restart()
        self._checkpoint(observation)
        self.reporter.pulse(self.step, self.report, force=True)

    def _spent_out(self) -> bool:
        return self.watch is not None and self.watch.circuits.spent_out

    def _advance(self, observation: Float32) -> Float32:
        """One step of all worlds, into the replay."""
        action = self.learner.act(observation, self.epsilon, self.rng)
        if self.watch is not None:
            action = self.watch.follow(action, self.learner.legal.of(observation))
        batch = self.env.step(action)
        self.step += self.env.num_envs
        self._check(batch)
        for world in range(self.env.num_envs):
            for window in self.windows.add(
                world,
                observation[world].copy(),
                int(action[world]),
                float(batch.reward[world]),
                np.array(batch.final_observation[world], np.float32),
                terminated=bool(batch.terminated[world]),
                truncated=bool(batch.truncated[world]),
            ):
                self.replay.add(window)
        if self.watch is not None:
            self.watch.take(batch, self.step, self.settings.return_share, self.rng)
        return np.array(batch.observation, np.float32)

    def _check(self, batch: StepBatch) -> None:
        if not np.isfinite(batch.reward).all():
            raise NonFinite("the reward", self.step, "look for a division, a logarithm or an overflow in its program")
        if not np.isfinite(batch.final_observation).all():
            raise NonFinite("the observation", self.step, "look at the environment's state and its task parameters")

    def _restart(self) -> Float32:
        """Restart every world as a resumed run would."""
        self.next_checkpoint = self.step + self.settings.checkpoint_steps
        if self.watch is not None:
            self.watch.restart()
        return np.array(self.env.reset(restart_seed(self.seed, self.step)), np.float32)

    def _checkpoint(self, observation: Float32) -> None:
        self.reporter.checkpoint_asked = False
        for window in self.windows.cut(observation):
            self.replay.add(window)
        learner, arrays = self.learner.save()
        replay, kept = self.replay.save()
        state: dict[str, Any] = {
            "trainer": "qas",
            "settings": asdict(self.settings),
            "worlds": save_worlds(self.env),
            "learner": learner,
            "replay": replay,
            "rng": dict(self.rng.bit_generator.state),
            "step": self.step,
            "losses": self.losses,
            "circuits": {} if self.watch is None else self.watch.circuits.save(),
        }
        write_checkpoint(self.problem.folder, state, {**arrays, **kept})

    def policy(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The circuit, or on other families the Q-network."""
        if self.watch is None:
            return self.learner.policy_files()
        return self.watch.finish(self.step, lambda: self.reporter.pulse(self.step, self.report))
