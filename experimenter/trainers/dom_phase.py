"""The algorithm `phase` of the trainer `dom`: WebRL's update against the last phase's actor.

Qi et al. 2025, "WebRL: Training LLM Web Agents via Self-Evolving Online Curriculum Reinforcement Learning" (ICLR 2025, arXiv:2411.02337).
A phase: roll out, keep successes, train the critic on outcomes, then pull beta log(pi / pi_ref) to the advantage for the phase's steps and for steps
replayed from old successes; the new actor is the next reference. Only such old steps are replayed as the last actor took with a
confidence between a half and 0.95: the easier teach nothing, the harder are unlikely to be right (its perplexity filter of 1/0.95 to 1/0.5).

Traps of beta, as published: 0.01 collapses (nothing holds the actor near what it knew); without replay 1 and more hold it too fast; with replay a large
one does no harm. The optimum is pi_ref exp(A / beta), so A in [-1, 1] and beta = 1 let a probability grow by at most e in a phase: a policy that starts
from nothing needs shorter phases or a smaller beta than a language model that was cloned first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_awr import outcome_loss
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_trajectories import (
    StepTable,
    Trajectory,
    TrajectoryReplay,
    tabulate,
)
from experimenter.trainers.dom_updates import (
    Arrays,
    Couple,
    mean_of,
    shuffled,
    taken_log_probabilities,
)


def phase_advantages(values: Tensor, rewards: Tensor, outcome: Tensor, last: Tensor, lam: float = 0.5) -> Tensor:
    """Advantages [m] of the steps of whole trajectories laid end to end: one-step and whole-episode estimates, mixed.

    `values` [m] are V(s) in [0, 1], `rewards` [m], `outcome` [m] r_T of the step's trajectory, `last` [m] true at its end, where V(s') is 0:

        A = lam (r_t + V(s') - V(s)) + (1 - lam) (r_T - V(s))

    Here r_t is the binary outcome at the last step and 0 before.
    """
    following = torch.cat([values[1:], values.new_zeros(1)]).masked_fill(last, 0.0)
    return lam * (rewards + following - values) + (1.0 - lam) * (outcome - values)


def phase_loss(log_probabilities: Tensor, reference: Tensor, advantages: Tensor, beta: float) -> Tensor:
    """Mean squared error [] between beta log(pi / pi_ref) and the advantages, over steps [m] (the paper's actor loss).

    Its gradient pushes a step's probability up exactly while beta log(pi / pi_ref) lies below its advantage, and down above it.
    """
    # (beta (log pi(a|s,c) - log pi_ref(a|s,c)) - A)^2
    return (beta * (log_probabilities - reference) - advantages).square().mean()


def in_confidence_band(reference: Tensor, low: float = 0.5, high: float = 0.95) -> Tensor:
    """Which steps [m] are replayed: those to which the last actor gave a probability from `low` to `high`.

    `reference` [m] are its log-probabilities; a perplexity between 1/high and 1/low is the same thing for an action that is one choice.
    """
    confidence = reference.exp()
    return (confidence >= low) & (confidence <= high)


def make(settings: DomSettings, network: DomNetwork, seed: int) -> Phase:
    return Phase(settings, network, seed)


@dataclass(frozen=True)
class _Lesson:
    """Steps of one phase, with what the last actor and the critic say of them."""

    table: StepTable
    reference: NDArray[np.float32]
    """[m] log probabilities under the last actor."""
    advantages: NDArray[np.float32]
    """[m]"""
    rows: NDArray[np.int64]
    """Those that are learnt from."""


class Phase(Couple):
    """The algorithm; see `dom_algorithm.Algorithm`. Nothing is learnt before a phase is full; teachers hear V(s_0)."""

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int) -> None:
        super().__init__(settings, network, seed, 3)
        self._replay = TrajectoryReplay(settings.phase_replay, successes_only=True)
        self._current = TrajectoryReplay(settings.phase_steps, successes_only=False)
        self._waiting, self._steps = 0, 0

    def observe(self, rollout: DomRollout) -> None:
        """Keep the episodes that ended."""
        self.expected = self._starts.read(rollout, partial(self._critic.success, of_start=False))
        self._current.add(self._episodes.read(rollout))
        self._waiting += rollout.actions.size
        self._steps += rollout.actions.size

    def add(self, trajectories: Sequence[Trajectory]) -> None:
        """Keep demonstrations whose success was verified: old successes to replay from."""
        self._replay.add(trajectories)

    def update(self, learning_rate: float) -> dict[str, float]:
        """At the end of a phase: critic, advantages, actor; the actor as it was until then is the reference."""
        if self._waiting < self._settings.phase_steps or not len(self._current):
            return {"replay": float(len(self._replay))}
        self._waiting = 0
        own = tabulate(self._current.newest(len(self._current)))
        epochs = range(self._settings.phase_epochs)
        critic = [self._fit_values(own, learning_rate) for _ in epochs]
        lessons = [self._prepare(own, None), *self._replayed()]
        actor = [self._pull(lesson, learning_rate) for _ in epochs for lesson in lessons]
        replayed = sum(len(lesson.rows) for lesson in lessons[1:])
        self._replay.add(self._current.newest(len(self._current)))
        self._current = TrajectoryReplay(self._settings.phase_steps, successes_only=False)
        return {
            "value_loss": mean_of(critic),
            "policy_loss": mean_of(actor),
            "advantage": float(lessons[0].advantages.mean()),
            "replayed": float(replayed),
            "replay": float(len(self._replay)),
        }

    def _fit_values(self, table: StepTable, learning_rate: float) -> float:
        losses = []
        for rows in shuffled(np.arange(len(table.action)), self._settings.minibatch, self._rng):
            told = self._critic.look(table.observation[rows], table.mask[rows])
            loss = outcome_loss(told.value, self._critic.tensor(table.outcome[rows]))
            losses.append(self._critic_descent.step(loss, learning_rate, self._steps))
        return mean_of(losses)

    def _prepare(self, table: StepTable, band: tuple[float, float] | None) -> _Lesson:
        """Advantages and reference of a table's steps; with `band`, only those in which the last actor was that confident."""
        tensor = self._critic.tensor
        values = self._critic.read(table, lambda told: torch.sigmoid(told.value))
        outcome, last = tensor(table.outcome), tensor(table.left == 0)
        advantages = phase_advantages(values, outcome * last, outcome, last, self._settings.phase_lam)
        logs = self._actor.read(table, lambda told: torch.log_softmax(told.logits, dim=1))
        reference = logs.gather(1, tensor(table.action)[:, None])[:, 0]
        kept = torch.ones_like(last) if band is None else in_confidence_band(reference, *band)
        rows = np.flatnonzero(kept.cpu().numpy())
        return _Lesson(table, reference.cpu().numpy(), advantages.cpu().numpy(), rows)

    def _replayed(self) -> list[_Lesson]:
        """Old successes, of which the steps in the band of confidence; none where there are none."""
        settings = self._settings
        drawn = self._replay.draw(settings.phase_draw, self._rng)
        if not drawn:
            return []
        lesson = self._prepare(tabulate(drawn), (settings.phase_low, settings.phase_high))
        return [lesson] if len(lesson.rows) else []

    def _pull(self, lesson: _Lesson, learning_rate: float) -> float:
        """One epoch of the actor's loss over a lesson."""
        losses, table, tensor = [], lesson.table, self._actor.tensor
        for rows in shuffled(lesson.rows, self._settings.minibatch, self._rng):
            told = self._actor.look(table.observation[rows], table.mask[rows])
            loss = phase_loss(
                taken_log_probabilities(told, tensor(table.action[rows])),
                tensor(lesson.reference[rows]),
                tensor(lesson.advantages[rows]),
                self._settings.phase_beta,
            )
            losses.append(self._actor_descent.step(loss, learning_rate, self._steps))
        return mean_of(losses)

    def state_dict(self) -> tuple[dict[str, Any], Arrays]:
        """Everything but the actor's weights."""
        (both, arrays), (replay, old), (current, own) = self._save_both(), self._replay.save(), self._current.save()
        arrays |= old | {f"current.{name}": array for name, array in own.items()}
        return {**both, "replay": replay, "current": current, "counters": [self._waiting, self._steps]}, arrays

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict`."""
        self._load_both(state, arrays)
        self._replay.load(state["replay"], arrays)
        own = {name.removeprefix("current."): array for name, array in arrays.items() if name.startswith("current.")}
        self._current.load(state["current"], own)
        self._waiting, self._steps = (int(each) for each in state["counters"])
