"""The trainer `fly`: asymmetric off-policy actor-critic for direct rotor control, after Learning to Fly in Seconds (arXiv 2311.13081).

The actor sees the observation (give it past actions: task parameter `history`), the critics the worlds' named state, which no drone
senses. A curriculum raises the weights of distance, speed and action; the replay's rewards are computed anew with the weights of the
day. Read `fly_settings.py`, `fly_network.py`, `fly_replay.py`, `fly_learner.py`. Differences from the paper: many worlds at once with
graded exploration noise, and gradients by hand in NumPy. Discrete actions are chosen as the largest of k continuous outputs.

On one thread the same seed gives the same weights, whether or not the run was killed and resumed: worlds restart at every checkpoint,
which come at fixed step counts and hold the replay.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, FloatArray, NamedState, StepBatch
from envs.task import ParamValue
from experimenter.errors import JobError
from experimenter.trainers import fly_settings
from experimenter.trainers.base import Listener, NonFinite, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import Checkpoint, check_same, read_checkpoint, write_checkpoint
from experimenter.trainers.fly_learner import FlyLearner
from experimenter.trainers.fly_replay import Replay
from experimenter.trainers.fly_settings import FlySettings
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.worlds import load_worlds, resolve_shape, restart_seed, save_worlds

_LOG = logging.getLogger(__name__)
_WARM_HOLD = 50
"""Steps for which a world's random action keeps its middle while warming up."""
_PENALISED = ("to_goal", "velocity")
_FAR = 1.0
"""Penalties count at most one squared metre, or metre a second: the curriculum sharpens what is near."""
Float32 = NDArray[np.float32]


def make_trainer() -> FlyTrainer:
    return FlyTrainer()


class FlyTrainer:
    """The trainer `fly`."""

    name = "fly"

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default for `family`."""
        return fly_settings.default_settings(family)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps` or a STOP; resumes from `problem.folder/checkpoint` when it exists.

        Raises `UsageError` for bad settings or spaces, `JobError` for a checkpoint that does not fit or a warm start, `NonFinite`.
        """
        settings = fly_settings.make_settings(problem.family, problem.settings)
        if problem.start is not None and not (problem.folder / "checkpoint").exists():
            raise JobError("the trainer fly cannot continue another policy: use ppo, or start afresh.")
        env = problem.make_vec(settings.num_envs)
        try:
            run = _Run(problem, budget, seed, settings, env, Reporter(listen))
            run.loop()
        finally:
            env.close()
        spec, tensors = run.learner.policy_files()
        return TrainedPolicy(spec=spec, tensors=tensors, steps=run.learner.step)


class _Run:
    """One call of `train`: the loop and what it needs at hand. `num_envs` counts the slots that the worlds really have."""

    def __init__(
        self, problem: Problem, budget: TrainBudget, seed: int, settings: FlySettings, env: BatchEnv, reporter: Reporter
    ) -> None:
        self.problem, self.budget, self.seed, self.env, self.reporter = problem, budget, seed, env, reporter
        self.settings = settings
        shape = resolve_shape("fly", problem.observation_space, problem.action_space)
        observation = env.reset(restart_seed(seed, 0))
        state = self._state(env.named_state(), observation)
        self.learner = FlyLearner(shape, state.shape[1], settings, seed, env.num_envs)
        self.curriculum = settings.curriculum_every > 0 and set(_PENALISED) <= set(env.named_state())
        rows = settings.replay_steps // env.num_envs
        self.replay = Replay(rows, env.num_envs, shape.observation, state.shape[1], shape.action, 3 * self.curriculum)
        self.next_checkpoint = 0
        checkpoint = read_checkpoint(problem.folder)
        if checkpoint is not None:
            self._resume(checkpoint)

    def _resume(self, checkpoint: Checkpoint) -> None:
        check_same(checkpoint, {"trainer": "fly", "settings": asdict(self.settings)})
        try:
            self.learner.load(checkpoint)
            self.replay.load(checkpoint.state["replay"], checkpoint.arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise JobError(f"the checkpoint does not fit this job: {error}. Use another job folder.") from error
        load_worlds(self.env, checkpoint.state["worlds"])
        _LOG.info("resumed at env step %d", self.learner.step)

    def _state(self, named: NamedState, observation: FloatArray) -> Float32:
        """What the critics see, [n, s] before scaling."""
        if not self.settings.privileged:
            return np.asarray(observation, np.float32)
        n = len(observation)
        return np.concatenate([np.reshape(named[name], (n, -1)) for name in sorted(named)], axis=1).astype(np.float32)

    def loop(self) -> None:
        """Warm up, then step and learn until the budget is spent or a stop is asked for."""
        learner, budget, reporter = self.learner, self.budget, self.reporter
        observation, state = self._restart()
        if learner.step == 0:
            observation, state = self._warm_up(observation, state)
        while learner.step < budget.steps and not reporter.stop_asked:
            action = learner.act(observation)
            observation, state = self._advance(observation, state, action)
            if self.replay.filled > self.settings.n_step:
                weights, rate = self._weights(), self._learning_rate()
                for _ in range(self.settings.updates):
                    learner.learn(self.replay, weights, rate)
            reporter.pulse(learner.step, learner.losses())
            asked = learner.step >= self.next_checkpoint or reporter.checkpoint_asked
            if asked and learner.step < budget.steps:
                self._checkpoint()
                observation, state = self._restart()
        learner.check_finite()
        self._checkpoint()
        reporter.pulse(learner.step, learner.losses(), force=True)

    def _restart(self) -> tuple[Float32, Float32]:
        """Restart every world as a resumed run would; return scaled observations and states."""
        self.next_checkpoint = self.learner.step + self.settings.checkpoint_steps
        self.replay.break_off()
        observation = self.env.reset(restart_seed(self.seed, self.learner.step))
        return self._scaled(observation, self._state(self.env.named_state(), observation))

    def _scaled(self, observation: FloatArray, state: Float32) -> tuple[Float32, Float32]:
        if not np.isfinite(observation).all():
            raise NonFinite(
                "the observation", self.learner.step, "look at the environment's state and its task parameters"
            )
        return self.learner.scale(observation, state)

    def _warm_up(self, observation: Float32, state: Float32) -> tuple[Float32, Float32]:
        """Fly at random; the inputs' scales come from here and stay. The first rows are stored unscaled, then scaled in place."""
        learner, replay = self.learner, self.replay
        n, k = self.env.num_envs, learner.shape.action
        steps = min(self.settings.warm_steps // n + 1, replay.rows)
        middle = np.zeros((n, k), np.float32)
        for step in range(steps):
            if step % _WARM_HOLD == 0:
                middle = learner.rng.uniform(-0.5, 0.5, (n, k)).astype(np.float32)
            action = middle + 0.3 * learner.rng.standard_normal((n, k), dtype=np.float32)
            observation, state = self._advance(observation, state, np.clip(action, -1.0, 1.0))
        seen, true = replay.arrays["observation"][:steps], replay.arrays["state"][:steps]
        learner.learn_scales(seen.reshape(-1, seen.shape[2]), true.reshape(-1, true.shape[2]))
        for row in range(steps):
            seen[row], true[row] = learner.scale(seen[row], true[row])
        return learner.scale(observation, state)

    def _advance(self, observation: Float32, state: Float32, action: Float32) -> tuple[Float32, Float32]:
        """Step the worlds, store the transition, return the next scaled observations and states."""
        shape = self.learner.shape
        batch = self.env.step(action.argmax(axis=1) if shape.discrete else shape.middle + shape.scale * action)
        if not np.isfinite(batch.reward).all():
            raise NonFinite("the reward", self.learner.step, "look for a division or an overflow in the reward program")
        self.replay.add(
            observation=observation,
            state=state,
            action=action,
            reward=batch.reward,
            penalty=self._penalties(batch, action),
            terminated=batch.terminated,
            cut=batch.truncated,
        )
        self.learner.step += self.env.num_envs
        ended = (batch.terminated | batch.truncated).any()
        named = self.env.named_state() if ended else batch.next_state
        return self._scaled(batch.observation, self._state(named, batch.observation))

    def _penalties(self, batch: StepBatch, action: Float32) -> FloatArray:
        """Half of |to goal|^2, |velocity|^2 and |action - hover|^2, [n, 3]; [n, 0] without a curriculum."""
        if not self.curriculum:
            return np.empty((len(action), 0))
        parts = [np.minimum((batch.next_state[name] ** 2).sum(axis=1), _FAR) for name in _PENALISED]
        return 0.5 * np.stack([*parts, ((action - self.settings.hover_action) ** 2).sum(axis=1)], axis=1)

    def _weights(self) -> Float32:
        """What the curriculum has added by now to the first weights, which the worlds pay themselves."""
        if not self.curriculum:
            return np.empty(0, np.float32)
        settings, raised = self.settings, self.learner.step // self.settings.curriculum_every
        rules = (
            (settings.position_weight, settings.position_growth, settings.position_limit),
            (settings.velocity_weight, settings.velocity_growth, settings.velocity_limit),
            (settings.action_weight, settings.action_growth, settings.action_limit),
        )
        return np.array([min(first * growth**raised, most) - first for first, growth, most in rules], np.float32)

    def _learning_rate(self) -> float:
        """Linear decay over the schedule, down to a floor."""
        left = 1.0 - self.learner.step / self.budget.schedule_steps
        return self.settings.learning_rate * max(self.settings.final_learning_rate, left)

    def _checkpoint(self) -> None:
        self.reporter.checkpoint_asked = False
        state, arrays = self.learner.save()
        replay, rows = self.replay.save()
        whole: dict[str, Any] = {"trainer": "fly", "settings": asdict(self.settings), "worlds": save_worlds(self.env)}
        write_checkpoint(self.problem.folder, {**whole, **state, "replay": replay}, {**arrays, **rows})
