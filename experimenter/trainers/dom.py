"""The trainer `dom`: a small pointer policy over the elements of a web page, without demonstrations unless it is given some.

Read `dom_settings.py`, `dom_network.py`, `dom_algorithm.py` (what an algorithm is), `dom_collect.py`, `dom_ppo.py`. On families without pages it is `ppo`.

It ends before its budget when the task is learnt: when `stop_at` of the last `stop_window` sampled episodes of the task itself succeeded, the greedy
policy sits an exam on fresh pages (its steps count), and only a pass ends the training; a policy may well succeed when sampled and fail when greedy.
On one thread the same seed gives the same weights, killed and resumed or not: pages start afresh at every checkpoint, checkpoints come at
step counts. Failures of the browser end no episode (`envs/web/world.py` replays them); they are counted in the progress reports, and
a step whose action the browser could not carry out enters no gradient.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from envs.family import EpisodeOutcome
from envs.task import ParamValue
from envs.web.actions import Mask
from experimenter.errors import JobError
from experimenter.trainers import dom_settings, ppo_settings
from experimenter.trainers.base import Listener, NonFinite, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import check_same, read_checkpoint, write_checkpoint
from experimenter.trainers.device import one_thread, resolve_device
from experimenter.trainers.dom_algorithm import make_algorithm
from experimenter.trainers.dom_collect import Pages
from experimenter.trainers.dom_demonstrations import WARM_UPDATES, begin_with_demonstrations
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_ppo import DomPpo
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.normalise import Float32
from experimenter.trainers.ppo import PpoTrainer
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.rollout import rollout_length
from experimenter.trainers.worlds import load_worlds, restart_seed, save_worlds
from skills.artifact import ArtifactError, read_policy

_LOG = logging.getLogger(__name__)
FAMILY = "web"
EXAM = 64
"""Greedy episodes of an exam."""


def make_trainer() -> DomTrainer:
    return DomTrainer()


class DomTrainer:
    """The trainer `dom`."""

    name = "dom"

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default for `family`; those of our PPO where there are no pages."""
        return dom_settings.default_settings(family) if family == FAMILY else ppo_settings.default_settings(family)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps`, a STOP or a passed exam; resumes from `problem.folder/checkpoint` when it exists.

        Raises `UsageError` for bad settings, `JobError` for a checkpoint or policy that does not fit, `NonFinite`.
        """
        if problem.family != FAMILY:
            return PpoTrainer().train(problem, budget, seed, listen)
        settings = dom_settings.make_settings(problem.family, problem.settings)
        with one_thread():
            run = _Run(problem, budget, seed, settings, Reporter(listen))
            try:
                run.open()
                run.train()
            finally:
                run.pages.env.close()
            spec, tensors = run.network.export(run.algorithm.head)
        return TrainedPolicy(spec=spec, tensors=tensors, steps=run.step)


class _Watch:
    """How recent episodes of the task itself went."""

    def __init__(self, settings: DomSettings, problem: Problem) -> None:
        self._target = dict(problem.task.params) if problem.task else None
        self._settings = settings
        self.recent: deque[bool] = deque(maxlen=settings.stop_window)
        self.episodes = 0
        self.next_exam = 0
        """Episodes before which no further exam is sat."""
        self.greedy = 0.0
        """Success of the last exam."""

    def counts(self, outcome: EpisodeOutcome) -> bool:
        """Whether the episode was one of the task itself, and not an easier one of a teacher's."""
        return self._target is None or dict(outcome.params) == self._target

    def hear(self, outcome: EpisodeOutcome) -> None:
        """Count a sampled episode."""
        if self.counts(outcome):
            self.recent.append(bool(outcome.success))
            self.episodes += 1

    @property
    def sampled(self) -> float:
        """Success of the recent sampled episodes."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it is time for an exam."""
        full = len(self.recent) == self._settings.stop_window and self.episodes >= self.next_exam
        return self._settings.stop_at > 0 and full and self.sampled >= self._settings.stop_at

    def judge(self, successes: list[bool]) -> bool:
        """Take the result of an exam; whether it is passed: at most as many failures as `exam_at` or `stop_at` allows."""
        self.next_exam = self.episodes + self._settings.stop_window // 2
        self.greedy = sum(successes) / max(1, len(successes))
        failed = len(successes) - sum(successes)
        wanted = self._settings.exam_at or self._settings.stop_at
        return len(successes) >= EXAM // 2 and failed <= (1.0 - wanted) * len(successes) + 1e-9

    def state(self) -> dict[str, Any]:
        """JSON-plain."""
        kept = {"recent": list(self.recent), "episodes": self.episodes}
        return {**kept, "next_exam": self.next_exam, "greedy": self.greedy}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.recent = deque(state["recent"], maxlen=self._settings.stop_window)
        self.episodes, self.next_exam, self.greedy = state["episodes"], state["next_exam"], state["greedy"]


class _Run:
    """One call of `train`: what its loop needs at hand."""

    def __init__(
        self, problem: Problem, budget: TrainBudget, seed: int, settings: DomSettings, reporter: Reporter
    ) -> None:
        self.problem, self.budget, self.seed, self.settings = problem, budget, seed, settings
        self.reporter = reporter
        seeds = np.random.SeedSequence(seed).generate_state(2)
        self.network = DomNetwork(settings, int(seeds[0])).to(resolve_device(problem.device, [settings.width]))
        self.algorithm = make_algorithm(settings, self.network, int(seeds[1]))
        self.watch = _Watch(settings, problem)
        self.pages = Pages(problem.make_vec(settings.num_envs), settings.timeout_cost)
        self.step, self.next_checkpoint, self.passed = 0, 0, False
        self.metrics: Mapping[str, float] = {}
        self._exam_memory: torch.Tensor | None = None

    def open(self) -> None:
        """Go on from the checkpoint, or start, warm where asked."""
        checkpoint = read_checkpoint(self.problem.folder)
        if checkpoint is None:
            self._warm_start()
            start = (self.network, self.algorithm, self.settings, self.problem.task)
            begin_with_demonstrations(*start, seed=self.seed, pulse=lambda: self.reporter.pulse(0, {}))
            return
        check_same(checkpoint, {"trainer": "dom", "settings": asdict(self.settings)})
        state, arrays = checkpoint.state, checkpoint.arrays
        try:
            weights = {name[2:]: torch.as_tensor(value) for name, value in arrays.items() if name.startswith("w.")}
            self.network.load_state_dict(weights)
            own = {name[2:]: value for name, value in arrays.items() if name.startswith("a.")}
            self.algorithm.load_state_dict(state["algorithm"], own)
            self.watch.load(state["watch"])
            self.step, self.passed = int(state["step"]), bool(state["passed"])
            load_worlds(self.pages.env, state["worlds"])
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise JobError(f"the checkpoint does not fit this job: {error}. Use another job folder.") from error
        _LOG.info("resumed at env step %d", self.step)

    def _warm_start(self) -> None:
        if self.problem.start is None:
            return
        try:
            spec, tensors = read_policy(self.problem.start)
        except ArtifactError as error:
            raise JobError(f"cannot warm-start: {error}.") from error
        self.network.adopt(spec, tensors)
        rest = getattr(self.algorithm, "rest", None)
        if rest is not None:
            rest(WARM_UPDATES)

    def train(self) -> None:
        """Roll out, update, report, checkpoint: until the budget is spent, the exam passed or a stop asked for."""
        self._restart()
        while self.step < self.budget.steps and not (self.passed or self.reporter.stop_asked):
            if not self._learn():
                break
            if self.watch.is_ready and self.step < self.budget.steps:
                self._sit_exam()
            due = self.step >= self.next_checkpoint or self.reporter.checkpoint_asked
            if due and self.step < self.budget.steps and not self.passed:
                self._checkpoint()
                self._restart()
        if self.step or not self.settings.demonstrations:  # stopped while it was shown some, it is shown them again
            self._checkpoint()
        self.reporter.pulse(self.step, self._report(), force=True)

    def _restart(self) -> None:
        """Start the pages afresh as a resumed run would."""
        self.next_checkpoint = self.step + self.settings.checkpoint_steps
        self.pages.restart(restart_seed(self.seed, self.step))

    def _learn(self) -> bool:
        """One rollout and its update; False when a stop came in between."""
        before, n = self.step, self.settings.num_envs
        length = rollout_length(self.budget.steps - before, n, self.settings.rollout_steps)
        rollout = self.pages.collect(
            self.algorithm, length, before, lambda taken: self.reporter.pulse(before + taken, self._report())
        )
        if rollout is None:
            return False
        self.step = before + length * n
        for item in rollout.finished:
            self.watch.hear(item.outcome)
        self.algorithm.observe(rollout)
        self._tell_expectations()
        if isinstance(self.algorithm, DomPpo):
            self.algorithm.failing = 1.0 - self.watch.sampled
        left = max(self.settings.final_learning_rate, 1.0 - before / self.budget.schedule_steps)
        self.metrics = self.algorithm.update(self.settings.learning_rate * left)
        self._check_finite()
        self.reporter.pulse(self.step, self._report())
        return True

    def _tell_expectations(self) -> None:
        """Let a listening teacher hear what the student expected of the episodes that have ended, where the algorithm says so."""
        hear = getattr(self.pages.env, "hear", None)
        if hear is not None:
            for params, value in getattr(self.algorithm, "expected", ()):
                hear(params, value)

    def _sit_exam(self) -> None:
        """Let the greedy policy play fresh episodes; its steps count."""
        self.pages.restart(restart_seed(self.seed, self.step))
        most = min(self.budget.steps - self.step, EXAM * 64)
        successes, steps = self.pages.examine(self._greedy, EXAM, most, self.watch.counts)
        self.step += steps
        self.passed = self.watch.judge(successes)
        _LOG.info("exam at env step %d: %d of %d", self.step, sum(successes), len(successes))
        self._restart()

    @torch.no_grad()
    def _greedy(self, observations: Float32, masks: Mask) -> NDArray[np.int64]:
        device = self.network.device
        pages, possible = (torch.as_tensor(array, device=device) for array in (observations, masks))
        told = self.network(pages, possible, self._exam_memory)
        self._exam_memory = told.memory
        scores = told.logits if self.algorithm.head == "policy" else told.q
        chosen: NDArray[np.int64] = scores.argmax(dim=1).cpu().numpy()
        return chosen

    def _report(self) -> dict[str, float]:
        watch, failures = self.watch, float(self.pages.failures)
        told = {"sampled_success": watch.sampled, "target_episodes": float(watch.episodes)}
        return {**self.metrics, **told, "greedy_success": watch.greedy, "browser_failures": failures}

    def _check_finite(self) -> None:
        for name, value in self.metrics.items():
            if not np.isfinite(value):
                raise NonFinite(f"the {name.replace('_', ' ')}", self.step, "lower the learning rate")
        for name, parameter in self.network.named_parameters():
            if not torch.isfinite(parameter).all():
                raise NonFinite(f"the network's {name}", self.step, "lower the learning rate")

    def _checkpoint(self) -> None:
        self.reporter.checkpoint_asked = False
        own_state, own = self.algorithm.state_dict()
        state = {
            "trainer": "dom",
            "settings": asdict(self.settings),
            "worlds": save_worlds(self.pages.env),
            "algorithm": own_state,
            "watch": self.watch.state(),
            "step": self.step,
            "passed": self.passed,
        }
        weights = {
            f"w.{name}": value.detach().cpu().numpy().copy() for name, value in self.network.state_dict().items()
        }
        write_checkpoint(self.problem.folder, state, {**weights, **{f"a.{name}": value for name, value in own.items()}})
