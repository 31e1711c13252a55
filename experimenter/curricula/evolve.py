"""The self-evolving teacher: tasks that fail, and those that are mastered, seed new ones; a new one is kept only if it is proven solvable.

After WebRL's curriculum (Qi et al. 2025, arXiv:2411.02337: failed instructions are rewritten "in breadth", filtered by value and by feasibility).
Here rules rewrite a failed task: one natural step back towards the easy end along one axis, or a task near to it where the family knows
such; a mastered one goes one step on. A model may write further ones, which come in as the setting `proposals`
(`experimenter/roles/task_evolver.py` asks it). Seeds of worlds are always new.

Proof: the family's scripted oracle solves it (web), or a run does: a task without proof is on trial and goes when no episode of so many succeeds.
Sampling prefers tasks in the band 0.05 < V < 0.75 and those not yet tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue, canonical_digest
from experimenter.curricula.base import Teacher
from experimenter.curricula.space import (
    Signal,
    TaskSpace,
    checked_value,
    dump_rng,
    load_rng,
    make_space,
    make_space_from,
    read_settings,
)
from experimenter.curricula.widen import parse_start
from experimenter.records import Record

Params = dict[str, ParamValue]
_STEPS_BACK = 3
_FAMILIES: Mapping[str, str] = {"web": "envs.web.evolve"}
"""Family -> module with `neighbours(params)` and `prove(tasks)`."""


class EvolveSettings(Record):
    start: str = ""
    """Easy end of the axes, `name=value` joined by commas (`prefilled=3`); empty: the card's defaults wherever the target differs, and three
    natural steps back where the default is the hard end already (`prefilled` of the web family)."""
    proposals: str = ""
    """Further tasks to prove, written by a model or a person: `task=3,page_size=5; task=4`."""
    neighbours: bool = True
    """Whether a failed task also seeds tasks near to it, where the family knows such."""
    signal: Signal = Signal.SUCCESS
    low: float = Field(default=0.05, ge=0, le=1)
    high: float = Field(default=0.75, ge=0, le=1)
    """Success at or below which a task has failed, and at or above which it is mastered."""
    episodes: int = Field(default=12, ge=1)
    """Episodes of a task before either is said."""
    evolve_every: int = Field(default=48, ge=1)
    """Episodes between generations of new tasks."""
    trial: int = Field(default=40, ge=1)
    """Episodes after which a task without proof goes, if none of them succeeded."""
    most: int = Field(default=64, ge=2)
    """Tasks kept; the target and the easy task always are."""
    value_weight: float = Field(default=0.1, gt=0, le=1)
    """Weight of a new episode in V."""
    target_share: float = Field(default=0.2, ge=0, le=1)
    """Share of episodes on the target itself."""


@dataclass
class Sprout:
    """One task of the pool."""

    params: Params
    source: str
    """`target`, `easy`, `proposal`, `back`, `on` or `near`: where it came from."""
    proof: str
    """`given`, `oracle`, `run` (an episode succeeded) or `` (on trial)."""
    value: float = 0.0
    seen: int = 0
    used: int = 0
    """Generations that it has seeded."""


Prove = Callable[[Sequence[Params]], list[bool | None]]


class EvolveTeacher:
    name = "evolve"

    def __init__(
        self,
        space: TaskSpace,
        proposals: Sequence[Params],
        settings: EvolveSettings,
        seed: int,
        *,
        near: Callable[[Params], list[Params]],
        prove: Prove,
    ) -> None:
        self._space, self._settings, self._near, self._prove = space, settings, near, prove
        self._rng = np.random.default_rng(seed)
        self.pool: dict[str, Sprout] = {}
        """Digest -> task."""
        self._refused: set[str] = set()
        """Digests of tasks that were refuted or retired: they are not proposed again."""
        self._episodes = 0
        self._target = space.params([1.0] * space.size)
        self._pending = [dict(one) for one in proposals]
        for source, params in (("target", self._target), ("easy", space.params([0.0] * space.size))):
            self.pool.setdefault(canonical_digest(params), Sprout(params, source, "given"))

    def sample(self) -> dict[str, ParamValue]:
        """Draw the target, or a task of the pool: those in the band or new four times as often as the others."""
        if self._rng.random() < self._settings.target_share:
            return dict(self._target)
        sprouts = list(self.pool.values())
        weights = np.array([4.0 if self._is_open(one) else 1.0 for one in sprouts])
        chosen = sprouts[int(self._rng.choice(len(sprouts), p=weights / weights.sum()))]
        return dict(chosen.params)

    def _is_open(self, one: Sprout) -> bool:
        return one.seen < self._settings.episodes or self._settings.low < one.value < self._settings.high

    def update(self, outcome: EpisodeOutcome) -> None:
        """Count an episode of a task in the pool; every so many, make new tasks."""
        self._episodes += 1
        digest = canonical_digest(dict(outcome.params))
        one = self.pool.get(digest)
        if one is not None:
            self._count(digest, one, outcome)
        if self._episodes % self._settings.evolve_every == 0:
            self._evolve()

    def _count(self, digest: str, one: Sprout, outcome: EpisodeOutcome) -> None:
        score = min(1.0, max(0.0, self._settings.signal.read(outcome)))
        one.seen += 1
        one.value += max(self._settings.value_weight, 1.0 / one.seen) * (score - one.value)
        if not one.proof and outcome.success:
            one.proof = "run"
        if not one.proof and one.seen >= self._settings.trial:
            self._retire(digest)

    def _retire(self, digest: str) -> None:
        del self.pool[digest]
        self._refused.add(digest)

    def _evolve(self) -> None:
        """Failed and mastered tasks seed new ones; those that are proven, or can only be tried, join the pool."""
        wanted = [(params, "proposal") for params in self._pending]
        self._pending = []
        for one in list(self.pool.values()):
            wanted += self._offspring(one)
        fresh: dict[str, tuple[Params, str]] = {}
        for params, source in wanted:
            digest = canonical_digest(params)
            if digest not in self.pool and digest not in self._refused:
                fresh.setdefault(digest, (params, source))
        if not fresh:
            return
        verdicts = self._prove([params for params, _ in fresh.values()])
        for (digest, (params, source)), verdict in zip(fresh.items(), verdicts, strict=True):
            if verdict is False:
                self._refused.add(digest)
            else:
                self.pool[digest] = Sprout(params, source, "oracle" if verdict else "")
        self._thin()

    def _offspring(self, one: Sprout) -> list[tuple[Params, str]]:
        """New tasks that a task seeds now: back and near where it failed, on where it is mastered, none in between."""
        settings = self._settings
        if one.seen < settings.episodes * (one.used + 1) or settings.low < one.value < settings.high:
            return []
        one.used += 1
        failed = one.value <= settings.low
        moved = [(params, "back" if failed else "on") for params in self._moves(one.params, -1 if failed else 1)]
        return moved + [
            (params, "near") for params in (self._near(one.params) if failed and settings.neighbours else [])
        ]

    def _moves(self, params: Params, direction: int) -> list[Params]:
        """One natural step along each axis, towards the easy end (-1) or the target (1), within their bounds."""
        moved: list[Params] = []
        unit = self._space.unit(params)
        for place, axis in enumerate(self._space.axes):
            length = abs(axis.step / (axis.end - axis.start)) if axis.step else 0.2
            at = unit.copy()
            at[place] = min(1.0, max(0.0, at[place] + direction * max(length, 1e-3)))
            value = axis.value(float(at[place]))
            if value != params[axis.name]:
                moved.append({**params, axis.name: value})
        return moved

    def _thin(self) -> None:
        """Keep at most `most` tasks: the longest mastered and hopeless ones go first."""
        spare = [digest for digest, one in self.pool.items() if one.source not in ("target", "easy")]
        spare.sort(key=lambda digest: (self._is_open(self.pool[digest]), -self.pool[digest].seen))
        for digest in spare[: max(0, len(self.pool) - self._settings.most)]:
            self._retire(digest)

    def state(self) -> dict[str, Any]:
        """Pool, refusals, proposals not yet proven, and random generator."""
        return {
            "pool": [asdict(one) for one in self.pool.values()],
            "refused": sorted(self._refused),
            "pending": [dict(one) for one in self._pending],
            "episodes": self._episodes,
            "rng": dump_rng(self._rng),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        sprouts = [Sprout(**{**one, "params": dict(one["params"])}) for one in state["pool"]]
        self.pool = {canonical_digest(one.params): one for one in sprouts}
        self._refused, self._pending = set(state["refused"]), [dict(one) for one in state["pending"]]
        self._episodes = int(state["episodes"])
        self._rng = load_rng(state["rng"])


def parse_proposals(card: Card, target: Mapping[str, ParamValue], text: str) -> list[Params]:
    """Read `task=3,page_size=5; task=4`: whole tasks, over the target's parameters. Raises `UsageError` on a name or value that the card refuses."""
    space = make_space(card, target)
    whole = space.params([1.0] * space.size)
    return [
        {**whole, **{name: checked_value(card, name, value) for name, value in parse_start(part).items()}}
        for part in filter(None, (piece.strip() for piece in text.split(";")))
    ]


def _wide_space(card: Card, target: Mapping[str, ParamValue]) -> TaskSpace:
    """The space between the card's defaults and the target, with the axes that only lead back from a default."""
    direct = make_space(card, target)
    eased = {
        parameter.name: min(parameter.high, max(parameter.low, parameter.default - _STEPS_BACK * parameter.step))
        for parameter in card.params
        if parameter.step < 0 and not parameter.fixed and parameter.name in direct.rest
    }
    back = make_space_from(card, target, eased).axes
    names = {axis.name for axis in back}
    return TaskSpace((*direct.axes, *back), {name: value for name, value in direct.rest.items() if name not in names})


def _alone(params: Params) -> list[Params]:
    return []


def _unproven(tasks: Sequence[Params]) -> list[bool | None]:
    return [None] * len(tasks)


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target, start, proposal or setting."""
    checked = read_settings(EvolveSettings, "evolve", settings)
    start = parse_start(checked.start)
    space = make_space_from(card, target, start) if start else _wide_space(card, target)
    proposals = parse_proposals(card, target, checked.proposals)
    module = _FAMILIES.get(card.family.split(":", 1)[0])
    near, prove = _alone, _unproven
    if module is not None:
        known = import_module(module)
        near, prove = known.neighbours, known.prove
    return EvolveTeacher(space, proposals, checked, seed, near=near, prove=prove)
