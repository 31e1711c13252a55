"""The algorithm `archer` of the trainer `dom`: a two-level critic for long tasks.

Zhou et al. 2024, "ArCHer: Training Language Model Agents via Hierarchical Multi-Turn RL" (ICML 2024, arXiv:2402.19446). The high level is
off-policy over whole steps: two Q and two V, each with a target that follows slowly, by mean squared error,

    Q(s, a) -> r + gamma (1 - done) V_target(s')        V(s) -> Q_target(s, a'), a' freshly drawn from the actor

and the low level is the actor, trained by REINFORCE on pages of the replay with the advantage min(Q1, Q2) - min(V1, V2) of a freshly drawn action.

What the paper calls tokens are here the choices within an action: its kind, the element, the field (dom_factors.py); the policy over numbered
actions is their product. The paper credits every token with the whole advantage; with `archer_choices` (default) each choice gets what it added to the
expectation of min(Q1, Q2), computed exactly because the actions can be counted; the parts sum to the action's advantage over that expectation.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_factors import choice_log_probabilities, choice_values, masked_log_softmax
from experimenter.trainers.dom_network import DomNetwork, DomOutput
from experimenter.trainers.dom_ppo import sample
from experimenter.trainers.dom_replay import NStep, PrioritisedReplay, StepSample
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_updates import Arrays, Descent, Pupil, entropy_of, load_network, mean_of, save_network
from experimenter.trainers.normalise import Float32


def q_targets(reward: Tensor, discount: Tensor, next_value: Tensor) -> Tensor:
    """Targets [m] of Q: r + gamma (1 - done) V_target(s'); `discount` is 0 where the episode is over."""
    return reward + torch.where(discount > 0, discount * next_value, 0.0)


def action_advantages(q: tuple[Tensor, Tensor], values: tuple[Tensor, Tensor]) -> Tensor:
    """Advantages [m] of drawn actions: min(Q1, Q2) - min(V1, V2)."""
    return torch.minimum(*q) - torch.minimum(*values)


def action_loss(log_probabilities: Tensor, advantages: Tensor) -> Tensor:
    """REINFORCE [] with the whole advantage [m] for the whole action: -mean(log pi(a) A)."""
    return -(log_probabilities * advantages.detach()).mean()


def choice_loss(log_probabilities: Tensor, expected: Tensor) -> Tensor:
    """REINFORCE [] choice by choice: -mean over steps of sum_k log p_k (E_k - E_{k-1}).

    `log_probabilities` [m, 3] of the choices, `expected` [m, 4] what was expected before any and after each (`choice_values`).
    """
    gained = (expected[:, 1:] - expected[:, :-1]).detach()
    return -(log_probabilities * gained).sum(dim=1).mean()


def make(settings: DomSettings, network: DomNetwork, seed: int) -> Archer:
    return Archer(settings, network, seed)


class Archer:
    """The algorithm; see `dom_algorithm.Algorithm`. Both critics are networks of their own, with a Q and a V head each."""

    head = "policy"

    def __init__(self, settings: DomSettings, network: DomNetwork, seed: int) -> None:
        self._settings, self._actor = settings, Pupil(network)
        self._rng = np.random.default_rng([seed, 4])
        self._critics = [Pupil(DomNetwork(settings, seed + place).to(network.device)) for place in range(2)]
        self._targets = [Pupil(deepcopy(critic.network)) for critic in self._critics]
        weights = [weight for critic in self._critics for weight in critic.network.parameters()]
        self._critic_descent = Descent("critic", weights, settings.max_gradient_norm)
        self._actor_descent = Descent("actor", network.parameters(), settings.max_gradient_norm)
        self._replay = PrioritisedReplay(settings.archer_replay, 0.0)
        self._n_step = NStep(1, settings.archer_gamma)
        self._rollouts, self._steps = 0, 0

    def act(self, observations: Float32, masks: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Float32]:
        """Sample from the policy."""
        return self._actor.act(observations, masks, self._rng)

    def observe(self, rollout: DomRollout) -> None:
        """Store the rollout's steps."""
        self._replay.add(self._n_step.read(rollout))
        self._rollouts += 1
        self._steps += rollout.actions.size

    def update(self, learning_rate: float) -> dict[str, float]:
        """Train the critics; after the warm-up the actor too."""
        settings = self._settings
        if len(self._replay) < settings.archer_batch:
            return {"replay": float(len(self._replay))}
        critic = [self._learn_values(learning_rate) for _ in range(settings.archer_critic_updates)]
        warm = self._rollouts <= settings.archer_warm_up
        actor = [self._learn_policy(learning_rate) for _ in range(0 if warm else settings.archer_actor_updates)]
        return {"value_loss": mean_of(critic), "policy_loss": mean_of(actor), "replay": float(len(self._replay))}

    def _draw(self) -> StepSample:
        return self._replay.draw(self._settings.archer_batch, 0.0, self._rng)

    def _fresh_actions(self, told: DomOutput) -> Tensor:
        """Actions [m] drawn from the actor's policy now."""
        return self._actor.tensor(sample(told.logits.detach().cpu().numpy(), self._rng)[0])

    def _learn_values(self, learning_rate: float) -> float:
        drawn, tensor = self._draw(), self._actor.tensor
        with torch.no_grad():
            fresh = self._fresh_actions(self._actor.look(drawn.observation, drawn.mask))
        loss = torch.zeros((), device=fresh.device)
        for critic, target in zip(self._critics, self._targets, strict=True):
            told = critic.look(drawn.observation, drawn.mask)
            with torch.no_grad():
                next_value = target.look(drawn.next_observation, drawn.next_mask).value
                wanted_q = q_targets(tensor(drawn.reward), tensor(drawn.discount), next_value)
                wanted_v = target.look(drawn.observation, drawn.mask).q.gather(1, fresh[:, None])[:, 0]
            q = told.q.gather(1, tensor(drawn.action)[:, None])[:, 0]
            loss = loss + (q - wanted_q).square().mean() + (told.value - wanted_v).square().mean()
        told_loss = self._critic_descent.step(loss, learning_rate, self._steps)
        self._follow()
        return told_loss

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the targets a share of the way to the critics."""
        for critic, target in zip(self._critics, self._targets, strict=True):
            own = target.network.state_dict()
            for name, weight in critic.network.state_dict().items():
                own[name].lerp_(weight, self._settings.archer_tau)

    def _learn_policy(self, learning_rate: float) -> float:
        settings, drawn = self._settings, self._draw()
        told, mask = self._actor.look(drawn.observation, drawn.mask), self._actor.tensor(drawn.mask)
        action = self._fresh_actions(told)
        log_probabilities = masked_log_softmax(told.logits, mask)
        with torch.no_grad():
            said = [critic.look(drawn.observation, drawn.mask) for critic in self._critics]
            q = torch.minimum(said[0].q, said[1].q).masked_fill(~mask, 0.0)
        if settings.archer_choices:
            expected = choice_values(q, log_probabilities.detach().exp(), action)
            loss = choice_loss(choice_log_probabilities(log_probabilities, action), expected)
        else:
            at = action[:, None]
            pair = (said[0].q.gather(1, at)[:, 0], said[1].q.gather(1, at)[:, 0])
            advantages = action_advantages(pair, (said[0].value, said[1].value))
            loss = action_loss(log_probabilities.gather(1, at)[:, 0], advantages)
        loss = loss - settings.archer_entropy * entropy_of(told.logits).mean()
        return self._actor_descent.step(loss, learning_rate, self._steps)

    def state_dict(self) -> tuple[dict[str, Any], Arrays]:
        """Everything but the actor's weights."""
        replay, arrays = self._replay.save()
        arrays |= self._actor_descent.save() | self._critic_descent.save()
        for place in range(2):
            arrays |= save_network(f"critic{place}", self._critics[place].network)
            arrays |= save_network(f"target{place}", self._targets[place].network)
        counters = [self._rollouts, self._steps]
        return {"replay": replay, "counters": counters, "rng": dict(self._rng.bit_generator.state)}, arrays

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict`."""
        self._replay.load(state["replay"], arrays)
        self._actor_descent.load(arrays)
        self._critic_descent.load(arrays)
        for place in range(2):
            load_network(f"critic{place}", self._critics[place].network, arrays)
            load_network(f"target{place}", self._targets[place].network, arrays)
        self._rollouts, self._steps = (int(each) for each in state["counters"])
        self._rng.bit_generator.state = dict(state["rng"])
