"""The algorithm `awr` of the trainer `dom`: clone the steps that were better than expected, with DigiRL's estimators.

Bai et al. 2024, "DigiRL: Training In-The-Wild Device-Control Agents with Autonomous Reinforcement Learning" (NeurIPS 2024,
arXiv:2406.11896), section 4: the instruction-level value V(c) and the score r_T - V(c) that picks trajectories, the step-level advantage that
picks steps, both values trained by cross-entropy on the outcome, and maximum likelihood on what passes both filters (hard-filtered
advantage-weighted regression, no temperature). It learns from successes, so it needs some: found by chance or demonstrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experimenter.trainers.dom_algorithm import DomRollout
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
    entropy_of,
    mean_of,
    shuffled,
    taken_log_probabilities,
)


def step_advantages(values: Tensor, rewards: Tensor, outcome: Tensor, left: Tensor, last: Tensor, lam: float) -> Tensor:
    """Step-level advantages [m] of the steps of whole trajectories laid end to end.

    `values` [m] are V(s_h) in [0, 1], `rewards` [m], `outcome` [m] r_T of the step's trajectory, `left` [m] the steps H - h after it, `last` [m] true
    at the end of a trajectory, where nothing follows and V(s') is 0. A success at the end of a long trajectory leaves early steps to the critic:

        A = lam^(H-h) r_T + (1 - lam^(H-h) r_T) (V(s') + r - V(s))
    """
    following = torch.cat([values[1:], values.new_zeros(1)]).masked_fill(last, 0.0)
    certain = lam**left * outcome
    return certain + (1.0 - certain) * (following + rewards - values)


def keep_steps(advantages: Tensor, horizon: int) -> Tensor:
    """Which steps [m] are cloned: those whose advantage exceeds 1 / H, H the longest episode."""
    return advantages > 1.0 / horizon


def rank_trajectories(outcome: Tensor, start_values: Tensor, share: float) -> Tensor:
    """Which trajectories [e] are cloned: the top `share` by r_T - V(c), rounded up, and of those only successes.

    A failure has a score of at most 0 and nothing that is worth cloning; the success on the instruction that was least expected to succeed
    comes first. Equal scores are taken in their order.
    """
    scores = outcome - start_values
    wanted = max(1, -(-round(1e6 * share * len(scores)) // 1_000_000))
    order = torch.argsort(-scores, stable=True)[:wanted]
    kept = torch.zeros_like(outcome, dtype=torch.bool)
    kept[order] = True
    return kept & (outcome > 0)


def outcome_loss(logits: Tensor, outcome: Tensor) -> Tensor:
    """Cross-entropy of values, given as logits [m], on the final outcome [m] in {0, 1}."""
    # -mean(r_T log V + (1 - r_T) log(1 - V))
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, outcome)


def cloning_loss(log_probabilities: Tensor, kept: Tensor) -> Tensor:
    """Negative mean log-likelihood of the kept ones among steps [m]; 0 when none is kept."""
    # -sum over kept of log pi(a | s, c) / |kept|
    weight = kept.to(log_probabilities.dtype)
    return -(log_probabilities * weight).sum() / weight.sum().clamp(min=1.0)


def make(settings: DomSettings, network: DomNetwork, seed: int) -> Awr:
    return Awr(settings, network, seed)


class Awr(Couple):
    """The algorithm; see `dom_algorithm.Algorithm`. Values come from a network of their own, as in the paper; teachers hear V(c)."""

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int) -> None:
        super().__init__(settings, network, seed, 2)
        self._replay = TrajectoryReplay(settings.awr_replay, successes_only=False)
        self._fresh, self._steps = 0, 0

    def observe(self, rollout: DomRollout) -> None:
        """Keep the episodes that ended."""
        self.expected = self._starts.read(rollout, partial(self._critic.success, of_start=True))
        self.add(self._episodes.read(rollout))
        self._steps += rollout.actions.size

    def add(self, trajectories: Sequence[Trajectory]) -> None:
        """Keep whole episodes: the student's own, or demonstrations whose success was verified."""
        self._replay.add(trajectories)
        self._fresh += len(trajectories)

    def update(self, learning_rate: float) -> dict[str, float]:
        """Train both values on what has just ended and on old episodes, then clone what passes both filters."""
        fresh = self._replay.newest(min(self._fresh, len(self._replay)))
        old = [one for one in self._replay.draw(self._settings.awr_draw, self._rng) if one not in fresh]
        self._fresh = 0
        if not fresh and not old:
            return {"cloned": 0.0}
        table = tabulate([*fresh, *old])
        critic = [self._fit_values(table, learning_rate) for _ in range(self._settings.awr_epochs)]
        kept = self._choose(table)
        actor = [self._clone(table, kept, learning_rate) for _ in range(self._settings.awr_epochs) if len(kept)]
        return {
            "value_loss": mean_of(critic),
            "policy_loss": mean_of(actor),
            "cloned": len(kept) / len(table.action),
        }

    def _fit_values(self, table: StepTable, learning_rate: float) -> float:
        """One epoch over all steps: V(s) of every page, V(c) of every first page."""
        losses, starts = [], set(table.first.tolist())
        for rows in shuffled(np.arange(len(table.action)), self._settings.minibatch, self._rng):
            told = self._critic.look(table.observation[rows], table.mask[rows])
            outcome = self._critic.tensor(table.outcome[rows])
            loss = outcome_loss(told.value, outcome)
            first = [place for place, row in enumerate(rows.tolist()) if row in starts]
            if first:
                loss = loss + outcome_loss(told.start_value[first], outcome[first])
            losses.append(self._critic_descent.step(loss, learning_rate, self._steps))
        return mean_of(losses)

    def _choose(self, table: StepTable) -> NDArray[np.int64]:
        """Rows that pass both filters."""
        settings, tensor = self._settings, self._critic.tensor
        values = self._critic.read(table, lambda told: torch.sigmoid(told.value))
        starts = self._critic.read(table, lambda told: torch.sigmoid(told.start_value))[tensor(table.first)]
        outcome, left = tensor(table.outcome), tensor(table.left)
        last = left == 0
        advantages = step_advantages(values, outcome * last, outcome, left, last, settings.awr_lam)
        chosen = rank_trajectories(outcome[tensor(table.first)], starts, settings.awr_top)[tensor(table.episode)]
        kept: NDArray[np.int64] = np.flatnonzero((chosen & keep_steps(advantages, settings.awr_horizon)).cpu().numpy())
        return kept

    def _clone(self, table: StepTable, kept: NDArray[np.int64], learning_rate: float) -> float:
        """One epoch of maximum likelihood over the kept steps, with an entropy bonus over all steps."""
        losses = []
        rest = np.setdiff1d(np.arange(len(table.action)), kept)
        for rows in shuffled(kept, self._settings.minibatch, self._rng):
            # as many of the other steps: what is not solved goes on being explored
            others = self._rng.choice(rest, min(len(rest), len(rows)), replace=False)
            both = np.concatenate((rows, others))
            told = self._actor.look(table.observation[both], table.mask[both])
            wanted = torch.arange(len(both), device=told.logits.device) < len(rows)
            loss = cloning_loss(taken_log_probabilities(told, self._actor.tensor(table.action[both])), wanted)
            loss = loss - self._settings.awr_entropy * entropy_of(told.logits).mean()
            losses.append(self._actor_descent.step(loss, learning_rate, self._steps))
        return mean_of(losses)

    def state_dict(self) -> tuple[dict[str, Any], Arrays]:
        """Everything but the actor's weights."""
        (both, arrays), (replay, more) = self._save_both(), self._replay.save()
        return {**both, "replay": replay, "counters": [self._fresh, self._steps]}, arrays | more

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict`."""
        self._load_both(state, arrays)
        self._replay.load(state["replay"], arrays)
        self._fresh, self._steps = (int(each) for each in state["counters"])
