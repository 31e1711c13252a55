"""How far the bench is and about how long it still takes: a forecast from env steps, corrected by what the clock says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from experimenter.bench.rewards.options import BenchOptions
from experimenter.bench.rewards.tasks import BenchTask
from experimenter.evaluation.race import FINALISTS, LEAST_SHARE, fit_race, race_cost
from experimenter.execution.pace import known_pace

Say = Callable[[str], None]
_JOB_S = 1.5
"""CPU-seconds that a training run brings with it beside its steps: start, evaluation, its part of screens, audits and certificates.
From whole runs on two cores, at the machine's pace that `BenchTask.steps_per_s` tells; twice that when it is half as fast."""
_BASELINES = 3
_FINAL_ARMS = 5
"""Programs that a task's final training has when a model writes, about."""
_EVERY_S = 30.0
_BELIEVED = 0.1
"""How long the forecast is believed, as a share of it."""


def search_steps(task: BenchTask, options: BenchOptions) -> tuple[int, int]:
    """Forecast of a search: env steps, training runs."""
    steps = runs = 0
    for generation in range(options.generations if options.candidates else 1):
        known = 2 if generation else 0  # the native reward and the best so far race again, but have their runs
        arms = known + options.candidates_for(task) + (0 if generation else _BASELINES)
        rungs = fit_race(
            arms,
            total_steps=2**62,
            final_steps=options.search_steps(task),
            seeds_final=options.search_seeds_for(task),
            finalists=FINALISTS,
            least_steps=int(LEAST_SHARE * known_pace(task.family).needed_steps),
            control=True,
        )
        whole = race_cost(rungs, 1)
        # of the second and later generations' races, those two have run to the end
        steps += race_cost(rungs, arms, control=True) - known * whole
        alive = arms
        for rung in rungs:
            runs += (alive - known) * len(rung.seeds)
            alive = min(alive, rung.keep + 1)
    return steps, runs


def final_runs(options: BenchOptions) -> int:
    """Forecast of the number of final training runs of a task."""
    return options.seeds * (_FINAL_ARMS if options.candidates else 3)


def forecast_s(task: BenchTask, options: BenchOptions, workers: int) -> float:
    """Wall seconds that a task takes, as its measured rate says."""
    steps, runs = search_steps(task, options)
    finals = final_runs(options)
    cpu_s = (steps + finals * options.final_steps(task)) / task.steps_per_s + (runs + finals) * _JOB_S
    return cpu_s / workers


class Progress:
    """Says what happens, with the time left."""

    def __init__(self, tasks: Sequence[BenchTask], options: BenchOptions, workers: int, say: Say) -> None:
        self._say = say
        self._forecast = {task.name: forecast_s(task, options, workers) for task in tasks}
        self._left = dict(self._forecast)
        self._expected = {
            task.name: search_steps(task, options)[0] + final_runs(options) * options.final_steps(task)
            for task in tasks
        }
        self._started = time.monotonic()
        self._worked = 0.0
        self._next = 0.0

    def forecast_of(self, task: BenchTask) -> float:
        """Wall seconds that the task takes on all workers, as forecast."""
        return self._forecast[task.name]

    def skip(self, name: str) -> None:
        """The task was done before this process began."""
        self._left[name] = 0.0

    def finish(self, name: str) -> None:
        self._worked += self._left[name]
        self._left[name] = 0.0

    def say(self, text: str) -> None:
        self._next = time.monotonic() + _EVERY_S
        self._say(f"{text} [{_minutes(self.elapsed_s)} so far, about {_minutes(self.left_s())} left]")

    def tick(self, name: str, phase: str, steps: int) -> None:
        """Called often; says something every half minute. `steps`: env steps of the task so far."""
        expected = self._expected[name]
        share = min(0.98, steps / expected)
        whole = self._forecast[name]
        self._worked += self._left[name] - whole * (1 - share)
        self._left[name] = whole * (1 - share)
        if time.monotonic() >= self._next:
            self.say(f"{name}: {phase}, {steps:,} of about {expected:,} env steps")

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def left_s(self) -> float:
        """Forecast of what is left, times how much slower or faster than forecast this run has been.

        Training runs count when they end, so little is known in the first minutes: the forecast weighs as much as a tenth of the run.
        """
        believed = _BELIEVED * sum(self._forecast.values())
        pace = (self.elapsed_s + believed) / (self._worked + believed) if believed else 1.0
        return sum(self._left.values()) * min(5.0, max(0.2, pace))


def _minutes(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"
