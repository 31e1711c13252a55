"""Which reward programs the rows of a search name: the bench's arms. Pure functions of rows and results.

`native`, `sparse` (fitness at the episode's end) and, where a model wrote programs, `one_shot` (its first usable program), `best_of_k`
(the best of its first generation: no reflection), `best_model` (the best that it ever wrote) and `search` (the search's winner,
baselines included: what the product would have given).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pydantic import Field

from experimenter.evaluation.statistics import pooled_iqm
from experimenter.records import JobResult, Record, RewardKind, RewardProgram, TrainJob

ARMS = ("native", "sparse", "one_shot", "best_of_k", "best_model", "search")
LABELS: Mapping[str, str] = {
    "native": "native reward (human)",
    "sparse": "fitness as reward (sparse)",
    "one_shot": "one-shot model reward",
    "best_of_k": "best of K, no reflection",
    "best_model": "best model-written of the search",
    "search": "full search",
}
MODEL_ARMS = ("one_shot", "best_of_k", "best_model")


class Candidate(Record):
    """One row of a search's table of reward programs."""

    program: RewardProgram
    generation: int
    fate: str


class Finished(Record):
    """One training run of a search with its result."""

    job: TrainJob
    result: JobResult
    generation: int


class Arms(Record):
    """The arms of one task; equal programs under two names are trained once."""

    programs: dict[str, RewardProgram]
    missing: dict[str, str] = Field(default_factory=dict)
    """Arm -> why there is none."""

    @property
    def distinct(self) -> tuple[RewardProgram, ...]:
        return tuple({program.digest: program for program in self.programs.values()}.values())


def find_arms(
    candidates: Sequence[Candidate], finished: Sequence[Finished], sound: Collection[str] = frozenset()
) -> Arms:
    """Name the arms from a search's rows, in the order in which they were written.

    `sound` are digests of programs that run (they passed the static screen): a one-shot reward knows no further screen, so that one
    which a later screen refused is usable all the same.
    """
    written = [
        row
        for row in candidates
        if is_model_written(row.program) and (row.fate != "refused" or row.program.digest in sound)
    ]
    first = [row for row in written if row.generation == 0]
    programs = {
        "native": RewardProgram(kind=RewardKind.NATIVE),
        "sparse": RewardProgram(kind=RewardKind.FITNESS),
    }
    missing: dict[str, str] = {}
    if first:
        programs["one_shot"] = first[0].program
    early = [run for run in finished if run.generation == 0]
    for name, chosen, runs in (("best_of_k", first, early), ("best_model", written, finished)):
        if (best := best_program([row.program for row in chosen], runs)) is not None:
            programs[name] = best
    if won := [row.program for row in candidates if row.fate == "won"]:
        programs["search"] = won[-1]
    for name in ARMS:
        if name not in programs:
            missing[name] = _why(name, bool(written), bool(first))
    return Arms(programs=programs, missing=missing)


def best_program(programs: Iterable[RewardProgram], finished: Sequence[Finished]) -> RewardProgram | None:
    """The program whose runs got furthest in their races, then have the highest held-out fitness (interquartile mean over seeds).

    None when none of them has a good run. Races end arms early, so that an arm with more steps, or as many on more seeds, beat one with fewer.
    """
    best: tuple[tuple[int, int, float], RewardProgram] | None = None
    for program in programs:
        runs = [run for run in finished if run.job.reward.digest == program.digest and run.result.ok]
        if not runs:
            continue
        most = max(run.job.budget_steps for run in runs)
        groups = {
            run.job.seed: run.result.evaluation.fitness
            for run in runs
            if run.job.budget_steps == most and run.result.evaluation is not None
        }
        rank = (most, len(groups), pooled_iqm(groups).value)
        if best is None or rank > best[0]:
            best = (rank, program)
    return best[1] if best else None


def is_model_written(program: RewardProgram) -> bool:
    """True for code or a specification that a model gave; the rule's specification is a baseline."""
    return not program.is_baseline


def _why(name: str, written: bool, first: bool) -> str:
    if name == "search":
        return "the search ended without a winner: no training run gave a policy"
    if not written:
        return "no model wrote a usable reward program"
    if name in ("one_shot", "best_of_k") and not first:
        return "no usable reward program in the first generation"
    return "none of the model's programs ended a training run"
