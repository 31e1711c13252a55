"""Composition: play an ordered list of skills, handing over from one to the next when its switch fires.

`SequencePolicy` is a policy for n worlds at once, each at its own place in the list; the caller tells it after every step what
came of it (`observe`). `play_sequence` does so over a batch of worlds and reports every episode with its handovers.
Imports no environment: worlds are whatever has the shape of `Worlds`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skills.artifact import Policy

State = Mapping[str, NDArray[Any]]
_RELATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Switch:
    """When to hand over to the next skill: as soon as any of the parts that are set is true. Nothing set: never."""

    after_steps: int | None = None
    """This many steps under the present skill."""
    variable: str | None = None
    """Named state variable that is compared with `value`."""
    relation: str = ">="
    """`>=`, `>`, `<=` or `<`."""
    value: float = 0.0
    component: int | None = None
    """Component of a variable that is a vector."""
    on_event: bool = False
    """The caller's event, such as the success of the present subgoal."""

    def __post_init__(self) -> None:
        if self.relation not in _RELATIONS:
            raise ValueError(f"unknown relation {self.relation!r}: expected one of {', '.join(_RELATIONS)}")
        if self.after_steps is not None and self.after_steps < 1:
            raise ValueError(f"a switch after {self.after_steps} steps cannot be: expected at least 1")

    def fires(self, state: State, steps: NDArray[np.int64], event: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return [n] bool from the named state [n, ...], steps under the present skill [n] and events [n]."""
        fired = np.zeros(len(steps), dtype=np.bool_)
        if self.after_steps is not None:
            fired |= steps >= self.after_steps
        if self.variable is not None:
            fired |= _RELATIONS[self.relation](self._measure(state, self.variable, len(steps)), self.value)
        if self.on_event:
            fired |= event
        return fired

    def _measure(self, state: State, variable: str, n: int) -> NDArray[Any]:
        if variable not in state:
            raise ValueError(f"no state variable {variable!r} to switch on: expected one of {', '.join(sorted(state))}")
        measured = np.asarray(state[variable])
        if self.component is not None:
            measured = measured[:, self.component]
        if measured.shape != (n,):
            raise ValueError(f"{variable!r} has shape {measured.shape[1:]} a world: say which component to compare")
        return measured


@dataclass(frozen=True, kw_only=True)
class Option:
    """One skill of a sequence, and when it is over. The last one's switch is ignored: it plays to the end."""

    name: str
    policy: Policy
    until: Switch = Switch()


class SequencePolicy:
    """Plays options in order, in n worlds, each at its own place."""

    def __init__(self, options: Sequence[Option]) -> None:
        if not options:
            raise ValueError("a sequence needs at least one option")
        self.options = tuple(options)
        self.reset(0)

    def reset(self, n: int) -> None:
        """Start n worlds at the first option."""
        self.place: NDArray[np.int64] = np.zeros(n, dtype=np.int64)
        """[n] index of each world's present option."""
        self._steps: NDArray[np.int64] = np.zeros(n, dtype=np.int64)

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Map observations [n, d] to actions, each world by its present option."""
        if len(observation) != len(self.place):
            self.reset(len(observation))
        actions: NDArray[Any] | None = None
        for index in np.unique(self.place).tolist():
            rows = self.place == index
            chosen = np.asarray(self.options[index].policy.act(observation[rows]))
            if actions is None:
                actions = np.empty((len(rows), *chosen.shape[1:]), dtype=chosen.dtype)
            if chosen.shape[1:] != actions.shape[1:]:
                raise ValueError(f"{self.options[index].name} acts in another space than the options beside it")
            actions[rows] = chosen
        assert actions is not None
        return actions

    def observe(
        self, state: State, *, ended: NDArray[np.bool_] | None = None, event: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Take in what one step led to: named state [n, ...] before any reset, worlds that ended, events.

        Moves worlds whose switch fires to their next option, ended worlds back to the first; returns the [n] that moved on.
        """
        n = len(self.place)
        self._steps += 1
        event = np.zeros(n, dtype=np.bool_) if event is None else event
        moved = np.zeros(n, dtype=np.bool_)
        for index in np.unique(self.place).tolist():
            if index < len(self.options) - 1:
                moved |= (self.place == index) & self.options[index].until.fires(state, self._steps, event)
        if ended is not None:
            moved &= ~ended
            self.place[ended] = 0
            self._steps[ended] = 0
        self.place[moved] += 1
        self._steps[moved] = 0
        return moved


class Step(Protocol):
    """What a step of n worlds gives: the fields of a family's `StepBatch` that matter here."""

    @property
    def observation(self) -> NDArray[Any]: ...
    @property
    def terminated(self) -> NDArray[np.bool_]: ...
    @property
    def truncated(self) -> NDArray[np.bool_]: ...
    @property
    def next_state(self) -> Mapping[str, NDArray[Any]]: ...
    @property
    def outcomes(self) -> Sequence[Any]: ...


class Worlds(Protocol):
    """n worlds stepped together: what a family's `BatchEnv` offers."""

    num_envs: int

    def reset(self, seed: int) -> NDArray[Any]: ...
    def step(self, actions: NDArray[Any]) -> Step: ...


@dataclass(frozen=True, kw_only=True)
class SequenceEpisode:
    """One finished episode of a sequence."""

    slot: int
    handovers: tuple[int, ...]
    """Control step after which each further option took over."""
    reached: str
    """Name of the option that was playing at the end."""
    outcome: Any
    """The family's own outcome: fitness, success, native return, length."""


Event = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.bool_]]


def play_sequence(
    worlds: Worlds, policy: SequencePolicy, *, seed: int, max_steps: int, event: Event | None = None
) -> list[SequenceEpisode]:
    """Play until every world has finished one episode, or for `max_steps`; return the first episode of each world.

    `event` maps the named state [n, ...] after a step to the [n] worlds in which a subgoal was just reached.
    """
    observation = worlds.reset(seed)
    policy.reset(worlds.num_envs)
    handovers: list[list[int]] = [[] for _ in range(worlds.num_envs)]
    episodes: dict[int, SequenceEpisode] = {}
    for step in range(1, max_steps + 1):
        before = policy.place.copy()
        batch = worlds.step(policy.act(observation))
        happened = None if event is None else event(batch.next_state)
        moved = policy.observe(batch.next_state, ended=batch.terminated | batch.truncated, event=happened)
        for slot in np.flatnonzero(moved).tolist():
            handovers[slot].append(step)
        for outcome in batch.outcomes:
            reached = policy.options[int(before[outcome.slot])].name
            entry = SequenceEpisode(
                slot=outcome.slot, handovers=tuple(handovers[outcome.slot]), reached=reached, outcome=outcome
            )
            episodes.setdefault(outcome.slot, entry)
        if len(episodes) == worlds.num_envs:
            break
        observation = batch.observation
    return [episodes[slot] for slot in sorted(episodes)]
