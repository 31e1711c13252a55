"""What is known of one trained (or failed) reward program, as the reflector and the reward writer are told it.

The statistics of a term are Eureka's (Ma et al. 2023, section 3.3): values at about ten points of training, with mean, largest and
smallest; its share of all terms' size is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pydantic import Field

from experimenter.records import Record
from prompts.templates import number

MAX_CANDIDATES = 5
POINTS = 10
"""Values of a curve that are shown."""


class TermTrack(Record):
    """One reward term over training."""

    points: tuple[float, ...]
    """Mean per step at up to ten places of training, first to last."""
    mean: float
    largest: float
    smallest: float
    share: float = 0.0
    """Its part of the sum of all terms' mean sizes, 0 to 1."""

    @classmethod
    def of(cls, values: Sequence[float], share: float = 0.0) -> TermTrack:
        """Make the track of the values of all curve points."""
        return cls(points=spread(values), mean=fmean(values), largest=max(values), smallest=min(values), share=share)

    @property
    def moves(self) -> float:
        """How far the mean moves over training, as a share of its largest size; 0 for a term that is always zero."""
        size = max(abs(self.largest), abs(self.smallest))
        return (max(self.points) - min(self.points)) / size if size else 0.0


class CandidateReport(Record):
    """What is known of one candidate."""

    label: str
    digest: str = ""
    source: str = ""
    """Program text; empty for the baselines, whose code is never shown."""
    fate: str
    """`won`, `eliminated`, `refused`, ..."""
    operator: str = ""
    """How it was born: fresh, mutate, crossover, native; empty for the baselines."""
    generation: int = 0
    parents: tuple[str, ...] = ()
    """Labels of the programs it came from."""
    versus_parent: str = ""
    """How its fitness compares with its parents', in words."""
    steps: int = 0
    """Env steps of its longest training."""
    race_steps: int = 0
    """Those of the task's longest training of all; with fewer, the race threw this program out early, or still runs."""
    seeds: int = 0
    """Training seeds behind `fitness_iqm`."""
    fitness_iqm: float | None = None
    fitness_low: float | None = None
    """Ends of the bootstrap interval of the interquartile mean."""
    fitness_high: float | None = None
    success_rate: float | None = None
    fitness_track: tuple[float, ...] = ()
    """Fitness of training episodes at up to ten places of training."""
    success_track: tuple[float, ...] = ()
    length_track: tuple[float, ...] = ()
    """Mean episode length, in control steps."""
    terms: dict[str, TermTrack] = Field(default_factory=dict)
    correlation: float | None = None
    """Spearman's, of training reward with fitness over the curve."""
    suspicions: tuple[str, ...] = ()
    """What the audit for reward hacking says."""
    failure: str = ""

    @property
    def numbers(self) -> str:
        """Everything measured, in words."""
        return describe(self)


def rank(candidates: Sequence[CandidateReport], limit: int = MAX_CANDIDATES) -> list[CandidateReport]:
    """Best fitness first, failures last; those that trained longer stand before those that were eliminated earlier."""
    return sorted(candidates, key=lambda one: (one.fitness_iqm is None, -one.steps, -(one.fitness_iqm or 0.0)))[:limit]


def spread(values: Sequence[float], count: int = POINTS) -> tuple[float, ...]:
    """Up to `count` values, evenly spaced, the first and the last among them; rounded to four digits."""
    last = min(count, len(values)) - 1
    places = [round(place * (len(values) - 1) / last) for place in range(last + 1)] if last > 0 else range(len(values))
    return tuple(float(f"{values[place]:.4g}") for place in places)


def describe(candidate: CandidateReport) -> str:
    """The candidate's numbers in one paragraph."""
    parts = [*_result(candidate), *_tracks(candidate)]
    if candidate.correlation is not None:
        parts.append(f"rank correlation of reward with fitness over training {number(candidate.correlation)}")
    parts += [
        f"term {name}: {_row(track.points)} (mean {number(track.mean)}, max {number(track.largest)}, "
        f"min {number(track.smallest)}, {100 * track.share:.0f}% of all terms' size)"
        for name, track in candidate.terms.items()
    ]
    parts += [f"suspicion: {text}" for text in candidate.suspicions]
    if candidate.failure:
        parts.append(f"failed: {candidate.failure[:600]}")
    return "; ".join(parts) + "." if parts else "Nothing was measured."


def one_line(candidate: CandidateReport) -> str:
    """The candidate in a line of the lineage: who it came from and what it reached."""
    born = candidate.operator or "baseline"
    source = f" of {' and '.join(candidate.parents)}" if candidate.parents else ""
    reached = "; ".join(_result(candidate)) or (
        f"failed: {candidate.failure[:160]}" if candidate.failure else "not trained"
    )
    return f"generation {candidate.generation}, {candidate.label} ({born}{source}): {reached}"


def _result(candidate: CandidateReport) -> list[str]:
    parts = []
    if candidate.fitness_iqm is not None:
        low, high = candidate.fitness_low, candidate.fitness_high
        span = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
        parts.append(f"held-out fitness {number(candidate.fitness_iqm)}{span}{_training(candidate)}")
    if candidate.success_rate is not None:
        parts.append(f"held-out success {100 * candidate.success_rate:.0f}%")
    if candidate.versus_parent:
        parts.append(candidate.versus_parent)
    return parts


def _training(candidate: CandidateReport) -> str:
    """After how much training, and whether that was all that others had."""
    if not candidate.steps:
        return ""
    seeds = "" if not candidate.seeds else " on 1 seed" if candidate.seeds == 1 else f" on {candidate.seeds} seeds"
    if candidate.steps >= candidate.race_steps:
        return f" after {candidate.steps:,} steps{seeds}"
    # the next generation may be written while a race's last rung still runs
    place = "where the race dropped it" if candidate.fate == "eliminated" else "still racing"
    return (
        f" after {candidate.steps:,} of {candidate.race_steps:,} steps{seeds}, {place} "
        "(longer trainings reach more: not comparable)"
    )


def _tracks(candidate: CandidateReport) -> list[str]:
    tracks = {
        "fitness of training's own, exploring episodes": candidate.fitness_track,
        "success of those": candidate.success_track,
        "episode length": candidate.length_track,
    }
    return [f"{name} {_row(values)}" for name, values in tracks.items() if values]


def _row(values: Sequence[float]) -> str:
    return " -> ".join(number(value) for value in values)
