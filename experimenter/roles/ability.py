"""Where the agent stands in a family's parameter space: what is certified, how far a task is, what lies a step further.

Distances are counted in the card's natural steps. Pure functions; no model and no opinion.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from envs.family import Card, Parameter
from envs.task import ParamValue, canonical_digest
from experimenter.records import SkillBrief, SuccessRule
from experimenter.roles.common import default_params, take_params

Params = dict[str, ParamValue]


def fill(card: Card, params: Mapping[str, ParamValue]) -> Params:
    """Every parameter of the card, the defaults where `params` says nothing."""
    known, _ = take_params(card, params)
    return {**default_params(card), **known}


def plain_of(card: Card, target: Mapping[str, ParamValue]) -> Params:
    """The plain task of the target's kind: defaults, but what is fixed in a training (`Parameter.fixed`) as in the target.

    What the target makes easier than by default is as in the target too: the way to a near goal does not begin at far ones.
    """
    end, plain = fill(card, target), default_params(card)
    easier = [param for param in axes(card) if (float(end[param.name]) - float(plain[param.name])) * param.step < 0]
    fixed = [param for param in card.params if param.fixed]
    return {**plain, **{param.name: end[param.name] for param in (*fixed, *easier)}}


def same(a: Mapping[str, ParamValue], b: Mapping[str, ParamValue]) -> bool:
    return canonical_digest(dict(a)) == canonical_digest(dict(b))


def distance(card: Card, a: Mapping[str, ParamValue], b: Mapping[str, ParamValue]) -> float:
    """Natural steps between two tasks, along the parameter in which they differ most."""
    start, end = fill(card, a), fill(card, b)
    gaps = [abs(float(end[param.name]) - float(start[param.name])) / _unit(param) for param in card.params]
    return max(gaps, default=0.0)


def toward(card: Card, start: Mapping[str, ParamValue], target: Mapping[str, ParamValue], share: float) -> Params:
    """The task at `share` (0 to 1) of the way from `start` to `target`, along every parameter at once.

    There is no way between kinds and shapes (`Parameter.fixed`): those are the target's from the start.
    """
    a, b = fill(card, start), fill(card, target)
    mixed = {name: float(a[name]) + share * (float(b[name]) - float(a[name])) for name in a}
    return fill(card, {**mixed, **{param.name: b[param.name] for param in card.params if param.fixed}})


def beyond(card: Card, start: Mapping[str, ParamValue], param: Parameter, steps: float = 1.0) -> Params:
    """The task `steps` natural steps harder than `start` along one parameter, as far as its range goes."""
    here = fill(card, start)
    return fill(card, {**here, param.name: float(here[param.name]) + steps * param.step})


def axes(card: Card) -> list[Parameter]:
    """The parameters along which tasks get harder."""
    return [param for param in card.params if param.step != 0.0]


def proven(skills: Iterable[SkillBrief], card: Card, rule: SuccessRule) -> list[Params]:
    """Tasks that certified skills of the family do, by evidence."""
    return [fill(card, skill.params) for skill in skills if skill.family == card.family and is_able(skill, rule)]


def is_able(skill: SkillBrief, rule: SuccessRule) -> bool:
    return skill.success_rate >= rule.min_success_rate and skill.success_low >= rule.min_lower_bound


def covers(skill: SkillBrief, card: Card, params: Mapping[str, ParamValue]) -> bool:
    """True when every value lies in the region that the skill's evidence spans, or equals the skill's own."""
    wanted, own = fill(card, params), fill(card, skill.params)
    return skill.family == card.family and all(
        wanted[name] == own[name] or _within(skill.region.get(name), wanted[name]) for name in wanted
    )


def find_able(
    skills: Iterable[SkillBrief], card: Card, params: Mapping[str, ParamValue], rule: SuccessRule
) -> SkillBrief | None:
    """The skill that does the task by evidence, the surest first, or None."""
    able = [skill for skill in skills if is_able(skill, rule) and covers(skill, card, params)]
    return max(able, key=lambda skill: (skill.success_low, skill.fitness_iqm), default=None)


def nearest(card: Card, points: Sequence[Params], target: Mapping[str, ParamValue]) -> Params | None:
    """The point with the fewest natural steps to `target`."""
    return min(points, key=lambda point: distance(card, point, target), default=None)


def _within(span: tuple[float, float] | None, value: ParamValue) -> bool:
    return span is not None and not isinstance(value, str) and span[0] <= value <= span[1]


def _unit(param: Parameter) -> float:
    """One natural step; a quarter of the range where the parameter is no axis of difficulty."""
    if param.step:
        return abs(param.step)
    quarter = (param.high - param.low) / 4.0
    return quarter if math.isfinite(quarter) and quarter > 0 else 1.0
