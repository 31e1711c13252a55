"""Our lean PPO for batched worlds (Schulman et al. 2017): small tanh networks, large minibatches, little Python a step.

Read `ppo_settings.py`, `rollout.py` (collect), `learner.py` (update), `gae.py`, `losses.py`, `network.py`.
It does not handle images, recurrent policies or several policies at once. `swarm` runs on the same loop with its own worlds and network.

On one thread the same seed gives the same weights, whether or not the run was killed and resumed: worlds restart at every
checkpoint, checkpoints come at fixed step counts. A checkpoint or stop that the listener asks for restarts the worlds too,
and so belongs to the run's history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from envs.family import BatchEnv
from envs.task import ParamValue
from experimenter.errors import JobError
from experimenter.trainers import ppo_settings
from experimenter.trainers.base import Listener, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import Checkpoint, check_same, read_checkpoint, write_checkpoint
from experimenter.trainers.device import one_thread, resolve_device
from experimenter.trainers.learner import Learner, MakeNetwork
from experimenter.trainers.ppo_settings import PpoSettings
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.rollout import Rollout, collect, rollout_length
from experimenter.trainers.warm_start import warm_start
from experimenter.trainers.worlds import Shape, load_worlds, resolve_shape, restart_seed, save_worlds

_LOG = logging.getLogger(__name__)


def make_trainer() -> PpoTrainer:
    return PpoTrainer()


class PpoTrainer:
    """The trainer `ppo`."""

    name = "ppo"

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default for `family`."""
        return ppo_settings.default_settings(family)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps` or a STOP; resumes from `problem.folder/checkpoint` when it exists.

        Raises `UsageError` for bad settings or spaces, `JobError` for a checkpoint or policy that does not fit, `NonFinite`.
        """
        settings = _settings_of(problem, budget)
        shape = resolve_shape("ppo", problem.observation_space, problem.action_space)
        return train_ppo(
            problem, budget, seed, listen, settings, lambda: Setup(problem.make_vec(settings.num_envs), shape)
        )


def _settings_of(problem: Problem, budget: TrainBudget) -> PpoSettings:
    """Defaults by the length of the schedule; a run that is trained on beyond it keeps those that it began with."""
    family, overrides = problem.family, problem.settings
    chosen = ppo_settings.make_settings(family, overrides, budget.schedule_steps)
    checkpoint = read_checkpoint(problem.folder)
    begun = checkpoint.state.get("settings") if checkpoint else None
    others = (ppo_settings.make_settings(family, overrides, steps) for steps in (1, ppo_settings.MIDDLE_STEPS, None))
    return next((known for known in others if asdict(known) == begun), chosen)


class Companion:
    """What a trainer that is built on this loop adds to it; here nothing."""

    def before_rollout(self, step: int, schedule_steps: int) -> None:
        """Called before each rollout with the env steps so far."""

    def losses(self) -> Mapping[str, float]:
        """Further numbers for the progress reports."""
        return {}

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays for checkpoints, under names of their own."""
        return {}, {}

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from what `save` gave; raises KeyError or ValueError when it does not fit."""


@dataclass(frozen=True)
class Setup:
    """Worlds and how they are learnt on."""

    env: BatchEnv
    shape: Shape
    make_network: MakeNetwork | None = None
    companion: Companion = field(default_factory=Companion)
    trainer: str = "ppo"


def train_ppo(
    problem: Problem,
    budget: TrainBudget,
    seed: int,
    listen: Listener,
    settings: PpoSettings,
    set_up: Callable[[], Setup],
) -> TrainedPolicy:
    """Run PPO on the worlds that `set_up` makes; errors as for `PpoTrainer.train`."""
    with one_thread():
        setup = set_up()
        try:
            learner, checkpoint = _open(problem, settings, seed, setup)
            load_worlds(setup.env, checkpoint.state["worlds"] if checkpoint else {})
            _run(_Run(problem, budget, seed, learner, setup, Reporter(listen)))
        finally:
            setup.env.close()
        spec, tensors = learner.policy_files()
    return TrainedPolicy(spec=spec, tensors=tensors, steps=learner.step)


class _Run:
    """One call of `train`: what its loop needs at hand."""

    def __init__(
        self, problem: Problem, budget: TrainBudget, seed: int, learner: Learner, setup: Setup, reporter: Reporter
    ) -> None:
        self.problem, self.budget, self.seed = problem, budget, seed
        self.learner, self.setup, self.env, self.reporter = learner, setup, setup.env, reporter
        self.losses: Mapping[str, float] = {}
        self.next_checkpoint = 0

    def restart_worlds(self) -> Any:
        """Restart every world as a resumed run would and return the observations [n, d]."""
        self.next_checkpoint = self.learner.step + self.learner.settings.checkpoint_steps
        self.learner.reward_scale.restart()
        return self.env.reset(restart_seed(self.seed, self.learner.step))

    def checkpoint(self) -> None:
        self.reporter.checkpoint_asked = False
        state, arrays = self.learner.save()
        more_state, more_arrays = self.setup.companion.save()
        identity = {
            "trainer": self.setup.trainer,
            "settings": asdict(self.learner.settings),
            "worlds": save_worlds(self.env),
        }
        write_checkpoint(self.problem.folder, {**identity, **more_state, **state}, {**more_arrays, **arrays})


def _open(problem: Problem, settings: PpoSettings, seed: int, setup: Setup) -> tuple[Learner, Checkpoint | None]:
    device = resolve_device(problem.device, settings.widths)
    learner = Learner(setup.shape, settings, seed, device, setup.make_network)
    checkpoint = read_checkpoint(problem.folder)
    if checkpoint is not None:
        check_same(checkpoint, {"trainer": setup.trainer, "settings": asdict(settings)})
        try:
            learner.load(checkpoint)
            setup.companion.load(checkpoint)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise JobError(f"the checkpoint does not fit this job: {error}. Use another job folder.") from error
        _LOG.info("resumed at env step %d", learner.step)
    elif problem.start is not None:
        warm_start(learner, problem.start)
    return learner, checkpoint


def _run(run: _Run) -> None:
    """Roll out, update, report, checkpoint: until the budget is spent or a stop is asked for."""
    learner, budget, reporter, n = run.learner, run.budget, run.reporter, run.env.num_envs
    rollout = Rollout(2 * learner.settings.rollout_steps, n, learner.shape)
    observation = run.restart_worlds()
    while learner.step < budget.steps and not reporter.stop_asked:
        before = learner.step
        run.setup.companion.before_rollout(before, budget.schedule_steps)
        after = collect(
            run.env,
            rollout,
            observation,
            length=rollout_length(budget.steps - before, n, learner.settings.rollout_steps),
            act=learner.make_act(),
            pulse=lambda taken, before=before: reporter.pulse(before + taken, run.losses),  # type: ignore[misc]
        )
        learner.step = before + rollout.length * n
        if after is None:
            break
        losses = learner.update(rollout, _learning_rate(learner, before, budget.schedule_steps))
        run.losses = {**losses, **run.setup.companion.losses()}
        observation = after
        reporter.pulse(learner.step, run.losses)
        if learner.step < budget.steps and (learner.step >= run.next_checkpoint or reporter.checkpoint_asked):
            run.checkpoint()
            observation = run.restart_worlds()
    run.checkpoint()
    reporter.pulse(learner.step, run.losses, force=True)


def _learning_rate(learner: Learner, step: int, schedule_steps: int) -> float:
    """Linear decay over the schedule, down to a floor."""
    settings = learner.settings
    left = max(settings.final_learning_rate, 1.0 - step / schedule_steps)
    return settings.learning_rate * left
