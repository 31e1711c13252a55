"""The reward search as a reader follows it: who was bred from whom, what it reached, and what the screens said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experimenter.records import JobResult, RewardProgram
from experimenter.reports import figures
from experimenter.rewards.screens import ScreenReport
from memory.tables import EventRow, RewardRow


@dataclass(frozen=True, kw_only=True)
class Born:
    """One program in the lineage."""

    label: str
    generation: int
    operator: str
    island: int
    parents: tuple[str, ...]
    """Labels."""
    fate: str
    steps: int
    fitness: float | None
    screens: tuple[ScreenReport, ...]


def read_lineage(
    rows: Sequence[RewardRow], results: dict[str, Sequence[JobResult]], events: Sequence[EventRow]
) -> tuple[Born, ...]:
    """Every program of a task in the order of its birth. `results`: reward digest -> its good results at the most steps."""
    labels = {row.reward_digest: RewardProgram.model_validate(row.payload).label for row in rows}
    screens = [ScreenReport.model_validate(event.data) for event in events if event.kind == "screen" and event.data]
    born = [
        Born(
            label=labels[row.reward_digest],
            generation=row.generation,
            operator=row.operator,
            island=row.island,
            parents=tuple(labels[p] for p in row.payload.get("parents", ()) if p in labels),
            fate=row.fate,
            steps=max((result.steps for result in results.get(row.reward_digest, ())), default=0),
            fitness=_fitness(results.get(row.reward_digest, ())),
            screens=tuple(report for report in screens if report.digest == row.reward_digest),
        )
        for row in rows
    ]
    return tuple(sorted(born, key=lambda one: (one.generation, one.operator != "baseline")))


def draw_lineage(born: Sequence[Born]) -> str:
    """Fitness by generation, a line from parent to child, the baselines as level lines; "" with fewer than two programs."""
    trained = [one for one in born if one.fitness is not None]
    bred = [one for one in trained if one.operator != "baseline"]
    return figures.draw_tree(
        points={one.label: (one.generation, float(one.fitness or 0.0), one.fate == "won") for one in bred},
        lines=[(parent, one.label) for one in bred for parent in one.parents],
        levels={one.label: float(one.fitness or 0.0) for one in trained if one.operator == "baseline"},
    ) if len(bred) > 1 else ""  # fmt: skip


def _fitness(results: Sequence[JobResult]) -> float | None:
    from experimenter.evaluation.statistics import pooled_iqm

    groups = {i: result.evaluation.fitness for i, result in enumerate(results) if result.evaluation is not None}
    return pooled_iqm(groups).value if groups else None
