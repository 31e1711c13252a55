"""The checks that every environment family must pass, ours and third parties'. Each raises `AssertionError` with one line.

`check_family(family, tasks)` runs them all; `CHECKS` lists them for a test that wants one case a check. They drive the
worlds with random actions only, so they prove bookkeeping, repeatability and honesty, not that a task can be learnt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, EpisodeOutcome, Family, FloatArray, Parameter, StepBatch, Variable
from envs.probing import equal, extreme_actions, opened, roll, same_steps
from envs.task import ParamValue, TaskSpec

Check = Callable[[Family, TaskSpec], None]

_STEPS = 60
_TOLERANCE = 1e-5
_CODE_SIGNS = ("==", ">=", "<=", "**", "()", "self.", "np.", "def ", "lambda", "return ", "`", "_")


def check_family(family: Family, tasks: Sequence[TaskSpec]) -> None:
    """Run every check on every task of `family`; raise `AssertionError` naming the first thing that is wrong."""
    for task in tasks:
        for check in CHECKS:
            check(family, task)


def check_card(family: Family, task: TaskSpec) -> None:
    """The card is complete, in words, and agrees with the parameter model."""
    card = family.card()
    _require(card.family == family.name, f"card is of {card.family!r}, family is {family.name!r}")
    _require(len(card.text) >= 40 and bool(card.title), "card has no title or hardly any text")
    _require(
        bool(card.state) and bool(card.actions) and card.horizon > 0, "card lists no state, no actions or no horizon"
    )
    names = [variable.name for variable in card.state]
    _require(len(set(names)) == len(names), f"state names repeat: {names}")
    entries: tuple[Variable | Parameter, ...] = (*card.state, *card.actions, *card.params)
    for entry in entries:
        _require(entry.name.isidentifier(), f"{entry.name!r} is not an identifier")
        _require(bool(entry.unit) and bool(entry.meaning), f"{entry.name} has no unit or no meaning")
        _require(entry.low < entry.high, f"{entry.name} has an empty range [{entry.low}, {entry.high}]")
    fields = family.params_model.model_fields
    _require([p.name for p in card.params] == list(fields), f"card parameters differ from the model's {list(fields)}")
    for p in card.params:
        _require(p.low <= p.default <= p.high, f"default of {p.name} lies outside its range")
        _require(fields[p.name].default == p.default, f"default of {p.name} differs between card and model")


def check_words(family: Family, task: TaskSpec) -> None:
    """Fitness and success are told in words: no code and no identifiers that would give the metric away."""
    card = family.card()
    for label, words in (("fitness", card.fitness), ("success", card.success)):
        _require(len(words.split()) >= 5, f"{label} is not told in words: {words!r}")
        found = [sign for sign in _CODE_SIGNS if sign in words]
        _require(not found, f"{label} reads like code, it contains {found}: {words!r}")
    listed = {variable.name for variable in card.state}
    leaked = {name for name in listed if re.search(r"(^|_)(fitness|success|score|reward|outcome|return)(_|$)", name)}
    _require(not leaked, f"state variables carry the hidden metric: {sorted(leaked)}")


def check_tasks(family: Family, task: TaskSpec) -> None:
    """Tasks resolve to the same digest whatever the order and number type, and defaults are filled in."""
    again = family.resolve_task(dict(reversed(task.params.items())), horizon=task.horizon, seed=task.seed)
    _require(again.digest == task.digest, "the digest changes with the order of parameters")
    _require(
        TaskSpec.model_validate_json(task.model_dump_json()).digest == task.digest, "the digest changes through JSON"
    )
    whole: dict[str, ParamValue] = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in task.params.items()
    }
    same = family.resolve_task(whole, horizon=task.horizon, seed=task.seed)
    _require(same.digest == task.digest, "the digest tells 1 from 1.0")
    default = family.resolve_task()
    _require(default.params == {p.name: p.default for p in family.card().params}, "defaults are not filled in")
    _require(default.horizon == family.card().horizon, "the default horizon is not the card's")


def check_refusals(family: Family, task: TaskSpec) -> None:
    """Wrong names and values are refused with one line that names them."""
    _refused(family, {"no_such_parameter": 1.0}, "no_such_parameter")
    for p in family.card().params:
        for bad in (p.low - 1.0 - abs(p.low), p.high + 1.0 + abs(p.high), math.nan, math.inf, "many"):
            _refused(family, {p.name: bad}, p.name)
    for horizon in (0, -5):
        _refused(family, {}, "horizon", horizon=horizon)


def check_sampling(family: Family, task: TaskSpec) -> None:
    """Sampled parameters are complete, within bounds and repeatable."""
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(20):
        drawn = family.sample_params(first)
        _require(drawn == family.sample_params(second), "sample_params is not repeatable")
        resolved = family.resolve_task(drawn)
        _require(dict(resolved.params) == drawn, "sample_params leaves parameters out or changes them")


def check_spaces(family: Family, task: TaskSpec) -> None:
    """Observations fit their space; actions of both ends and beyond are taken, beyond as if clipped."""
    with opened(family, task, 2) as env:
        observation = env.reset(1)
        space = env.observation_space
        _require(isinstance(space, gymnasium.spaces.Box), f"observation space is {space}, not a Box")
        _require(observation.shape == (2, *(space.shape or ())), f"observations have shape {observation.shape}")
        _require(observation.dtype == np.float32, f"observations are {observation.dtype}, not float32")
        _require(isinstance(env.action_space, gymnasium.spaces.Box | gymnasium.spaces.Discrete), "unknown action space")
        high, beyond = extreme_actions(env)
        env.reset(1)
        inside = env.step(high)
        env.reset(1)
        outside = env.step(beyond)
        _require(same_steps(inside, outside), "an action beyond the range is not clipped")


def check_seeds(family: Family, task: TaskSpec) -> None:
    """The same seed gives the same worlds bit by bit, also in a used environment; other seeds and slots differ."""
    with opened(family, task, 3) as env, opened(family, task, 3) as other:
        first = list(roll(env, seed=5, steps=_STEPS))
        for again, label in ((env, "after use"), (other, "in a new environment")):
            for one, two in zip(first, roll(again, seed=5, steps=_STEPS), strict=True):
                _require(same_steps(one, two), f"the same seed differs {label}")
        start, elsewhere = env.reset(5), env.reset(6)
        if not np.any(start != elsewhere) and not np.any(start[0] != start[1]):
            rolled = zip(first, roll(env, seed=6, steps=_STEPS), strict=True)
            differs = any(np.any(a.observation != b.observation) for a, b in rolled)
            _require(differs, "another seed gives the same worlds")


def check_episodes(family: Family, task: TaskSpec) -> None:
    """Horizon, auto-reset, final observations and outcomes agree with what was stepped."""
    short = family.resolve_task(task.params, horizon=7, seed=task.seed)
    with opened(family, short, 4) as env:
        observation = env.reset(2)
        state = env.named_state()
        lengths, returns = np.zeros(4, int), np.zeros(4)
        for step in roll(env, seed=2, steps=_STEPS):
            lengths += 1
            returns += step.reward
            done = step.terminated | step.truncated
            _require(not bool(np.any(step.terminated & step.truncated)), "a world is terminated and truncated at once")
            _require(bool(np.all(step.truncated <= (lengths <= 7))), "an episode outlives its horizon")
            _require(bool(np.all((lengths < 7) | done)), "an episode is not cut at its horizon")
            running = ~done
            _require(
                equal(step.final_observation[running], step.observation[running]),
                "final_observation differs in a running world",
            )
            _require(
                [o.slot for o in step.outcomes] == np.flatnonzero(done).tolist(), "outcomes and finished worlds differ"
            )
            for outcome in step.outcomes:
                _check_outcome(outcome, lengths[outcome.slot], returns[outcome.slot], short)
            lengths[done], returns[done] = 0, 0.0
            _check_reset_in_place(env, step, done)
        _require(
            observation.shape == step.observation.shape and set(state) == set(step.next_state),
            "shapes change between steps",
        )


def check_named_state(family: Family, task: TaskSpec) -> None:
    """Named state has the card's names, shapes and ranges, is finite, and is the caller's to keep."""
    variables = family.card().state
    with opened(family, task, 3) as env:
        env.reset(4)
        for index, step in enumerate(roll(env, seed=4, steps=3 * _STEPS, extreme=True)):
            states = (step.next_state, env.named_state()) if index % 10 == 0 else (step.next_state,)
            for state in states:
                _require(
                    list(state) == [v.name for v in variables], f"named state has names {list(state)}, not the card's"
                )
                for v in variables:
                    _check_variable(state[v.name], (3, *v.shape), v.name, v.low, v.high)
        kept = env.named_state()
        before = {name: array.copy() for name, array in kept.items()}
        for array in kept.values():
            array[...] = 123.0
        now = env.named_state()
        _require(all(equal(now[name], before[name]) for name in before), "writing to a named state changes the world")


def check_hidden_metric(family: Family, task: TaskSpec) -> None:
    """No state variable equals the fitness or the success flag at the end of every episode."""
    short = family.resolve_task(task.params, horizon=25, seed=task.seed)
    ends: dict[str, list[tuple[float, float]]] = {v.name: [] for v in family.card().state if v.shape == ()}
    with opened(family, short, 8) as env:
        for step in roll(env, seed=8, steps=100):
            for outcome in step.outcomes:
                for name, pairs in ends.items():
                    pairs.append((float(step.next_state[name][outcome.slot]), outcome.fitness))
    for name, pairs in ends.items():
        fitness = {value for _, value in pairs}
        leaks = len(fitness) > 2 and all(
            math.isclose(value, truth, rel_tol=1e-9, abs_tol=1e-12) for value, truth in pairs
        )
        _require(not leaks, f"state variable {name} is the fitness itself")


def check_params(family: Family, task: TaskSpec) -> None:
    """Each episode draws its own parameters once, reports them, and every parameter makes a difference."""
    short = family.resolve_task(task.params, horizon=5, seed=task.seed)
    rng = np.random.default_rng(9)
    drawn: list[Mapping[str, ParamValue]] = []

    def draw() -> dict[str, ParamValue]:
        params = family.sample_params(rng)
        drawn.append(params)
        return params

    env = family.make_vec(short, 3, draw)
    finished: list[Mapping[str, ParamValue]] = []
    for step in roll(env, seed=9, steps=30):
        finished += [dict(outcome.params) for outcome in step.outcomes]
    env.close()
    _require(
        len(drawn) == 3 + len(finished), f"{len(finished)} episodes ended and {len(drawn)} parameter sets were drawn"
    )
    _require(
        all(any(one == dict(given) for given in drawn) for one in finished),
        "an outcome reports parameters that were not drawn",
    )
    for p in family.card().params:
        _require(_matters(family, task, p), f"parameter {p.name} changes nothing")


def check_single(family: Family, task: TaskSpec) -> None:
    """The single world follows Gymnasium's interface, repeats per seed and ends with its outcome."""
    short = family.resolve_task(task.params, horizon=9, seed=task.seed)
    env = family.make(short)
    first = _roll_single(env, short)
    _require(first == _roll_single(env, short), "a single world does not repeat from one seed")
    _require(
        np.asarray(env.reset()[0]).shape == env.observation_space.shape, "a reset without seed gives another shape"
    )
    env.close()


def check_render(family: Family, task: TaskSpec) -> None:
    """A frame is RGB, not blank, and there is one for every slot."""
    with opened(family, task, 2) as env:
        env.reset(1)
        before = env.named_state()
        for slot in (0, 1):
            frame = env.render(slot)
            _require(
                frame.ndim == 3 and frame.shape[2] == 3 and frame.dtype == np.uint8,
                f"frame is {frame.shape} {frame.dtype}",
            )
            _require(len(np.unique(frame)) > 1, "the frame is blank")
        after = env.named_state()
        _require(all(equal(before[name], after[name]) for name in before), "drawing changes the world")


CHECKS: tuple[Check, ...] = (
    check_card,
    check_words,
    check_tasks,
    check_refusals,
    check_sampling,
    check_spaces,
    check_seeds,
    check_episodes,
    check_named_state,
    check_hidden_metric,
    check_params,
    check_single,
    check_render,
)


def _refused(family: Family, params: dict[str, ParamValue], named: str, *, horizon: int | None = None) -> None:
    try:
        family.resolve_task(params, horizon=horizon)
    except ValueError as error:
        text = str(error)
        _require("\n" not in text and len(text) < 500, f"the refusal of {params or horizon} is not one line: {text!r}")
        _require(named in text, f"the refusal of {params or horizon} does not name it: {text!r}")
    else:
        _require(False, f"{params or horizon} was not refused")


def _check_outcome(outcome: EpisodeOutcome, length: int, total: float, task: TaskSpec) -> None:
    _require(outcome.length == length, f"outcome says {outcome.length} steps, {length} were made")
    _require(
        math.isclose(outcome.native_return, total, rel_tol=1e-9, abs_tol=1e-9),
        "native_return is not the sum of rewards",
    )
    _require(dict(outcome.params) == dict(task.params), "the outcome's parameters are not the task's")
    plain = (outcome.fitness, outcome.native_return, *outcome.extras.values())
    _require(
        all(type(value) is float and math.isfinite(value) for value in plain),
        f"outcome holds no plain finite floats: {outcome}",
    )
    _require(type(outcome.success) is bool and type(outcome.length) is int, "success or length is not plain Python")


def _check_reset_in_place(env: BatchEnv, step: StepBatch, done: NDArray[np.bool_]) -> None:
    now = env.named_state()
    for name, array in step.next_state.items():
        _require(
            equal(array[~done], now[name][~done]), f"{name} of a running world changes between step and named_state"
        )
    if done.any():
        moved = any(not equal(array[done], now[name][done]) for name, array in step.next_state.items())
        seen = not equal(step.observation[done], step.final_observation[done])
        _require(moved or seen, "a finished world was not restarted")


def _check_variable(array: FloatArray, shape: tuple[int, ...], name: str, low: float, high: float) -> None:
    _require(array.shape == shape, f"{name} has shape {array.shape}, the card says {shape}")
    _require(np.issubdtype(array.dtype, np.floating), f"{name} is {array.dtype}, not float")
    _require(bool(np.isfinite(array).all()), f"{name} is not finite")
    least, most = float(array.min()), float(array.max())
    inside = least >= low - _TOLERANCE and most <= high + _TOLERANCE
    _require(inside, f"{name} reaches [{least:g}, {most:g}], the card says [{low:g}, {high:g}]")


def _matters(family: Family, task: TaskSpec, p: Parameter) -> bool:
    """Whether the two ends of a parameter differ at the task's values or, failing that, with one other one at its upper end."""
    ends = [_end(p, p.low), _end(p, p.high)]
    others = [dict(task.params), *({**task.params, q.name: _end(q, q.high)} for q in family.card().params if q != p)]
    return any(len({_trace(family, task, {**rest, p.name: end}) for end in ends}) == 2 for rest in others)


def _end(p: Parameter, value: float) -> ParamValue:
    return int(value) if p.integer else float(value)


def _trace(family: Family, task: TaskSpec, params: Mapping[str, ParamValue]) -> tuple[object, ...]:
    """Everything that a parameter can change: observation size, named state, rewards and outcomes of a short run, and the picture."""
    short = family.resolve_task(params, horizon=40, seed=task.seed)
    with opened(family, short, 1) as env:
        env.reset(13)
        frame = env.render(0).tobytes()
        steps = list(roll(env, seed=13, steps=80))
    told = [(o.fitness, o.success, tuple(sorted(o.extras.items()))) for step in steps for o in step.outcomes]
    return (
        frame,
        env.observation_space.shape,
        *told,
        *(array.tobytes() for step in steps for array in (*step.next_state.values(), step.reward)),
    )


def _roll_single(env: gymnasium.Env[Any, Any], task: TaskSpec) -> list[object]:
    """One episode of random actions; checks types on the way and the outcome at the end."""
    observation, info = env.reset(seed=11)
    env.action_space.seed(11)
    _require(env.observation_space.contains(observation), f"the first observation {observation!r} is not in its space")
    told: list[object] = [np.asarray(observation).tobytes()]
    total = 0.0
    for length in range(1, task.horizon + 1):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        total += float(reward)
        told.append((np.asarray(observation).tobytes(), float(reward)))
        if terminated or truncated:
            outcome = info.get("outcome")
            _require(isinstance(outcome, EpisodeOutcome), 'info["outcome"] is missing at the end of an episode')
            assert isinstance(outcome, EpisodeOutcome)
            _check_outcome(outcome, length, total, task)
            return [*told, outcome]
    raise AssertionError("a single world passed its horizon without an end")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
