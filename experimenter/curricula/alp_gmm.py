"""The ALP-GMM teacher: samples where the student's score changes fastest, whether it rises or falls.

Portelas et al., "Teacher algorithms for curriculum learning of deep RL in continuously parameterized environments"
(CoRL 2019, algorithm 1). Absolute learning progress (ALP) of an episode is the difference of its score from that of the nearest
task tried before; a Gaussian mixture over (task, ALP) of the last episodes says where it is high. Tasks and ALP are both
brought to [0, 1] first, because the clusters form in their joint space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.gmm import Floats, Mixture, fit_best
from experimenter.curricula.space import Signal, Span, TaskSpace, dump_rng, load_rng, make_space, read_settings
from experimenter.records import Record

WARM_UP = 6
"""First episodes, whose ALP is taken as 0: their nearest neighbours are far away."""


class AlpGmmSettings(Record):
    """Defaults from the paper's released settings, the random share between its 0.2 and TeachMyAgent's tuned 0.05."""

    span: Span = Span.TARGET
    signal: Signal = Signal.FITNESS
    fit_every: int = Field(default=150, ge=20)
    """Episodes between fits, also the window that is fitted and the random start."""
    random_share: float = Field(default=0.1, ge=0, le=1)
    """Share of uniformly drawn tasks, which also find new ground."""
    min_components: int = Field(default=2, ge=1)
    max_components: int = Field(default=10, ge=1, le=30)
    history: int = Field(default=5000, ge=100)
    """Episodes remembered for nearest neighbours; older ones are dropped."""


class AlpGmmTeacher:
    name = "alp_gmm"

    def __init__(self, space: TaskSpace, settings: AlpGmmSettings, seed: int) -> None:
        self._space, self._settings = space, settings
        self._rng = np.random.default_rng(seed)
        self._tasks: list[list[float]] = []
        self._scores: list[float] = []
        self._progress: list[float] = []
        self._seen = 0
        self._mixture: Mixture | None = None
        self._table = np.empty((0, space.size))

    def sample(self) -> dict[str, ParamValue]:
        """Draw a task from a component chosen in proportion to its mean ALP, or uniformly."""
        explore = self._rng.random() < self._settings.random_share
        if self._mixture is None or explore or self._space.size == 0:
            return self._space.params(self._rng.random(self._space.size))
        progress = self._mixture.means[:, -1].clip(0.0)
        total = progress.sum()
        component = int(self._rng.choice(len(progress), p=progress / total if total > 0 else None))
        drawn = self._rng.multivariate_normal(
            self._mixture.means[component], self._mixture.covariances[component], method="cholesky"
        )
        return self._space.params(drawn[:-1].clip(0.0, 1.0))

    def update(self, outcome: EpisodeOutcome) -> None:
        """Add an episode; every `fit_every` of them, fit the mixture anew."""
        task, score = self._space.unit(outcome.params), self._settings.signal.read(outcome)
        self._progress.append(abs(score - self._nearest_score(task)) if self._seen >= WARM_UP else 0.0)
        self._remember(task, score)
        self._seen += 1
        if self._space.size and self._seen % self._settings.fit_every == 0:
            self._mixture = self._fit()

    def _nearest_score(self, task: Floats) -> float:
        known = self._table[: len(self._scores)]
        # the latest of equally near tasks: a repeated task is compared with its last score
        distance = ((known - task) ** 2).sum(axis=1)[::-1]
        return self._scores[len(known) - 1 - int(distance.argmin())]

    def _remember(self, task: Floats, score: float) -> None:
        keep = self._settings.history
        if len(self._scores) >= 2 * keep:
            self._tasks, self._scores, self._progress = (
                self._tasks[-keep:],
                self._scores[-keep:],
                self._progress[-keep - 1 :],
            )
            self._table = np.empty((0, self._space.size))
        self._tasks.append(task.tolist())
        self._scores.append(score)
        if len(self._tasks) > len(self._table):
            self._table = np.empty((2 * len(self._tasks) + 64, self._space.size))
            self._table[: len(self._tasks)] = self._tasks
        else:
            self._table[len(self._tasks) - 1] = task

    def _fit(self) -> Mixture:
        window = self._settings.fit_every
        tasks, progress = np.array(self._tasks[-window:]), np.array(self._progress[-window:])
        spread = max(self._scores) - min(self._scores)
        rows = np.column_stack((tasks, progress / spread if spread > 0 else progress))
        low, high = self._settings.min_components, self._settings.max_components
        return fit_best(rows, range(min(low, high), high + 1), self._rng)

    def state(self) -> dict[str, Any]:
        """Memory, mixture and random generator, as JSON-plain values."""
        mixture = self._mixture
        return {
            "tasks": [list(task) for task in self._tasks],
            "scores": list(self._scores),
            "progress": list(self._progress),
            "seen": self._seen,
            "mixture": None if mixture is None else {name: value.tolist() for name, value in vars(mixture).items()},
            "rng": dump_rng(self._rng),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would, bit for bit."""
        self._tasks = [list(task) for task in state["tasks"]]
        self._scores, self._progress = list(state["scores"]), list(state["progress"])
        self._seen = int(state["seen"])
        kept = state["mixture"]
        self._mixture = None if kept is None else Mixture(**{name: np.array(value) for name, value in kept.items()})
        self._rng = load_rng(state["rng"])
        self._table = np.array(self._tasks, dtype=np.float64).reshape(len(self._tasks), self._space.size)


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target or setting."""
    checked = read_settings(AlpGmmSettings, "alp_gmm", settings)
    return AlpGmmTeacher(make_space(card, target, checked.span), checked, seed)
