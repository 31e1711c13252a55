"""Demonstrations: solved episodes as a small file, played again in a browser before anyone learns from them.

JSON lines, the head first::

    {"format": "web-demonstrations-1"}
    {"params": {"task": 23}, "seed": 7, "instruction": "Click on the \\"ok\\" button.", "source": "embedded/qwen2.5-coder-1.5b",
     "actions": [{"verb": "click", "element": 3, "text": ""}]}

A file proves nothing: whoever wrote it (a model, an oracle, a stranger), `replay` takes its actions on the page of its seed, and
only an episode that the page itself judges solved becomes arrays to learn from. Observations are never stored, so a file outlives
a change of the encoding. `element` is the index into the elements of the page, as in `Action`. Where a task has a scripted oracle,
`demonstrate` lets it play instead, under the same conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.task import ParamValue
from envs.web.actions import Mask, encode, mask_of, shown
from envs.web.backend import Action, Browser, BrowserError, Snapshot, Verb
from envs.web.card import HORIZON
from envs.web.encoding import Float32, encode_page
from envs.web.miniwob import is_success
from envs.web.oracles import Oracle, OracleLost, Script
from envs.web.params import WebParams
from envs.web.parts import find_oracle_of
from envs.web.world import World

FORMAT = "web-demonstrations-1"
STEP_COST = 0.01
"""As in batch.py."""
_MOST_BYTES = 64 * 2**20
_MOST_ACTIONS = 200
_LONGEST_TEXT = 2000


class DemonstrationError(ValueError):
    """A file is not one of demonstrations; the message names file and line."""


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """One episode: where it begins and what is done."""

    params: Mapping[str, ParamValue]
    """Task parameters, as `WebParams` takes them."""
    seed: int
    """World seed."""
    instruction: str
    """What the page asked for; a page that asks for something else is another page, and the replay fails."""
    actions: tuple[Action, ...]
    source: str = ""
    """Who acted: `provider/model`, `oracle`, or a person."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstrated:
    """A demonstration that was played again and solved its page, as a policy would have seen it."""

    observations: Float32
    """[t, SIZE]"""
    masks: Mask
    """[t, COUNT]"""
    actions: NDArray[np.int64]
    """[t]"""
    rewards: NDArray[np.float64]
    """[t] native reward."""
    params: Mapping[str, ParamValue]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What came of a file."""

    episodes: tuple[Demonstrated, ...]
    rejected: tuple[str, ...]
    """One line for each demonstration that did not hold, saying why."""


def demonstrate(world: World, params: WebParams, seed: int, horizon: int = HORIZON) -> Demonstrated:
    """Let the oracle of a task play one page; raises `DemonstrationError` where it has none or does not solve the page as `replay` asks for."""
    script = find_oracle_of(params.task_names)
    if script is None:
        raise DemonstrationError(f"the task {params.task_name} has no oracle")
    return _play(world, world.begin(seed, params), lambda page: _until_the_end(script, page), horizon)


def write_demonstrations(path: Path, demonstrations: Iterable[Demonstration]) -> None:
    """Append to `path`, which is begun where there is none. Raises `OSError`."""
    lines = [json.dumps(_plain(one), ensure_ascii=False) for one in demonstrations]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines.insert(0, json.dumps({"format": FORMAT}))
    if lines:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def read_demonstrations(path: Path) -> tuple[Demonstration, ...]:
    """Read a file; raises `DemonstrationError` with one line that names what is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DemonstrationError(f"{path} is larger than {_MOST_BYTES // 2**20} MiB.")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DemonstrationError(f"cannot read the demonstrations {path}: {error}") from error
    told = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not told or _load(path, *told[0]).get("format") != FORMAT:
        raise DemonstrationError(f'{path} line 1: expected {{"format": "{FORMAT}"}}.')
    return tuple(_read(path, number, line) for number, line in told[1:])


def load_demonstrations(path: Path, browser: Browser, horizon: int = HORIZON) -> Loaded:
    """Read a file and play every demonstration again in `browser`, which stays open; raises `DemonstrationError`."""
    world = World(browser)
    held: list[Demonstrated] = []
    rejected: list[str] = []
    try:
        for number, one in enumerate(read_demonstrations(path), start=1):
            try:
                held.append(replay(world, one, horizon))
            except (DemonstrationError, BrowserError) as error:
                rejected.append(f"demonstration {number}: {error}")
    finally:
        world.close()
    return Loaded(episodes=tuple(held), rejected=tuple(rejected))


def replay(world: World, one: Demonstration, horizon: int = HORIZON) -> Demonstrated:
    """Play one again; raises `DemonstrationError` where it does not solve its page with legal actions within `horizon`."""
    try:
        params = WebParams.model_validate(dict(one.params))
    except ValueError as error:
        raise DemonstrationError(f"no such task: {' '.join(str(error).split())[:200]}") from error
    page = world.begin(one.seed, params)
    if page.instruction != one.instruction:
        raise DemonstrationError(f"the page asks for {page.instruction[:80]!r}, not for {one.instruction[:80]!r}")
    return _play(world, page, lambda first: _as_written(one.actions), horizon)


def _play(world: World, page: Snapshot, script: Oracle, horizon: int) -> Demonstrated:
    """Take the actions of a script from the first page on, as a policy would, as long as it has some and `horizon` allows."""
    steps: list[tuple[Float32, Mask, int, float]] = []
    given_up, running = world.abandoned, script(page)
    action = next(running, None)
    while action is not None and len(steps) < horizon:
        slots = shown(page)
        mask, number = mask_of(page, slots, may_declare=False), encode(action, page, slots)
        if page.ended or number is None or not mask[number]:
            raise DemonstrationError(f"step {len(steps) + 1}, {action.verb.value}, is not possible there")
        observation = encode_page(page, slots, len(steps) / horizon)
        page = world.step(action)
        steps.append((observation, mask, number, (page.raw_reward if page.ended else 0.0) - STEP_COST))
        try:
            action = running.send(page)
        except StopIteration:
            action = None
    if world.abandoned != given_up:
        raise DemonstrationError("the browser failed on one of its steps")
    if not (page.ended and is_success(world.params.task_name, page.raw_reward)):
        raise DemonstrationError(f"its {len(steps)} step(s) do not solve the page")
    observations, masks, numbers, rewards = zip(*steps, strict=True)
    return Demonstrated(
        observations=np.stack(observations),
        masks=np.stack(masks),
        actions=np.array(numbers, np.int64),
        rewards=np.array(rewards),
        params=world.params.model_dump(),
    )


def _as_written(actions: Sequence[Action]) -> Script:
    """The actions of a file, whatever the page."""
    for action in actions:  # noqa: UP028  # `yield from` cannot be sent pages
        yield action


def _until_the_end(script: Oracle, page: Snapshot) -> Script:
    """What an oracle does until its episode has ended; raises `DemonstrationError` where it is lost."""
    running = script(page)
    try:
        action = next(running)
        while True:
            page = yield action
            if page.ended:
                return
            action = running.send(page)
    except StopIteration:
        return
    except OracleLost as error:
        raise DemonstrationError(f"the oracle is lost: {error}") from error


def stack(episodes: Sequence[Demonstrated]) -> tuple[Float32, Mask, NDArray[np.int64]]:
    """All steps of some episodes for cloning: observations [t, SIZE], masks [t, COUNT], actions [t]."""
    return (
        np.concatenate([one.observations for one in episodes]),
        np.concatenate([one.masks for one in episodes]),
        np.concatenate([one.actions for one in episodes]),
    )


def _plain(one: Demonstration) -> dict[str, object]:
    actions = [{"verb": a.verb.value, "element": a.element, "text": a.text} for a in one.actions]
    return {
        "params": dict(one.params),
        "seed": one.seed,
        "instruction": one.instruction,
        "source": one.source,
        "actions": actions,
    }


def _load(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DemonstrationError(f"{path} line {number}: not JSON ({error}).") from error
    if not isinstance(told, dict):
        raise DemonstrationError(f"{path} line {number}: expected a JSON object.")
    return told


def _read(path: Path, number: int, line: str) -> Demonstration:
    told = _load(path, number, line)
    try:
        params = {str(name): value for name, value in told["params"].items()}
        if not all(isinstance(value, int | float | str | bool) for value in params.values()):
            raise ValueError("a task parameter is neither number nor text")
        actions = tuple(_actions(told["actions"]))
        if not 1 <= len(actions) <= _MOST_ACTIONS:
            raise ValueError(f"{len(actions)} actions: expected 1 to {_MOST_ACTIONS}")
        seed = int(told["seed"])
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed {seed} is not between 0 and 2**32")
        return Demonstration(
            params=params,
            seed=seed,
            instruction=str(told["instruction"]),
            actions=actions,
            source=str(told.get("source", ""))[:200],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DemonstrationError(f"{path} line {number}: {error}.") from error


def _actions(told: Sequence[Mapping[str, Any]]) -> Iterator[Action]:
    for row in told:
        text = str(row.get("text", ""))
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"a text of {len(text)} characters")
        yield Action(Verb(row["verb"]), int(row.get("element", -1)), text)
