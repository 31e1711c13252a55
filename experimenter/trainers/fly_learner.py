"""The learner of `fly`: actor, twin critics, their targets, input scales and counts; one TD3 update; checkpoint and artifact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experimenter.trainers.base import NonFinite
from experimenter.trainers.checkpoint import Checkpoint
from experimenter.trainers.fly_network import Adam, Float32, Stack, follow
from experimenter.trainers.fly_replay import Batch, Replay
from experimenter.trainers.fly_settings import FlySettings
from experimenter.trainers.normalise import CLIP, Moments
from experimenter.trainers.worlds import Shape


class FlyLearner:
    """Everything that a checkpoint holds except the replay."""

    def __init__(self, shape: Shape, state_size: int, settings: FlySettings, seed: int, n: int) -> None:
        self.shape, self.settings = shape, settings
        self.step, self.updates = 0, 0
        self.rng = np.random.default_rng(seed)
        actor, critic = (
            [shape.observation, *settings.widths, shape.action],
            [state_size + shape.action, *settings.widths, 1],
        )
        self.actor, self.actor_target = (Stack(actor, count=1, last_gain=0.1, rng=self.rng) for _ in range(2))
        self.critics, self.critic_targets = (Stack(critic, count=2, last_gain=1.0, rng=self.rng) for _ in range(2))
        follow(self.actor_target, self.actor, 1.0)
        follow(self.critic_targets, self.critics, 1.0)
        self.actor_adam, self.critic_adam = (Adam(stack, settings.weight_decay) for stack in (self.actor, self.critics))
        self.observations, self.states = Moments.zeros(shape.observation), Moments.zeros(state_size)
        self.noise = np.linspace(settings.noise_low, settings.noise_high, n, dtype=np.float32)[:, None]
        self._losses = {"critic_loss": 0.0, "value": 0.0}

    def learn_scales(self, observations: Float32, states: Float32) -> None:
        """Set the inputs' means and deviations from [m, d] and [m, s]."""
        self.observations.update(observations)
        self.states.update(states)

    def scale(self, observation: NDArray[Any], state: Float32) -> tuple[Float32, Float32]:
        """Normalise observations [n, d] and states [n, s]; as they are before the scales are learnt."""
        if self.observations.count == 0:
            return np.asarray(observation, np.float32), state
        return self.observations.frozen()(observation), self.states.frozen()(state)

    def act(self, observation: Float32) -> Float32:
        """Explore from normalised observations [n, d]: actions [n, k] in [-1, 1]."""
        action: Float32 = np.tanh(self.actor.forward(observation)[0])
        action += self.noise * self.rng.standard_normal(action.shape, dtype=np.float32)
        return np.clip(action, -1.0, 1.0, out=action)

    def learn(self, replay: Replay, weights: Float32, learning_rate: float) -> None:
        """One critic update, and an actor update where it is due. `weights` [p] are those of the replay's penalties."""
        settings = self.settings
        batch = replay.draw(settings.batch, settings.n_step, settings.gamma, weights, self.rng)
        if len(batch.reward) == 0:
            return
        self._improve_critics(batch, learning_rate)
        self.updates += 1
        if self.updates > settings.critic_first and self.updates % settings.actor_every == 0:
            self._improve_actor(batch, learning_rate)
            follow(self.actor_target, self.actor, settings.follow)
        follow(self.critic_targets, self.critics, settings.follow)

    def _improve_critics(self, batch: Batch, learning_rate: float) -> None:
        settings = self.settings
        action = np.tanh(self.actor_target.forward(batch.next_observation)[0])
        noise = settings.target_noise * self.rng.standard_normal(action.shape, dtype=np.float32)
        action += np.clip(noise, -settings.target_noise_limit, settings.target_noise_limit)
        np.clip(action, -1.0, 1.0, out=action)
        ahead = self.critic_targets.forward(np.concatenate([batch.next_state, action], axis=1))
        # y = r + gamma^n min(Q1', Q2')
        target = settings.reward_scale * batch.reward + batch.discount * ahead.min(axis=0)[:, 0]
        value = self.critics.forward(np.concatenate([batch.state, batch.action], axis=1), keep=True)
        error = value - target[:, None]
        self.critics.backward(error * np.float32(2.0 / len(target)))  # of the mean of (Q - y)^2
        self.critic_adam.step(learning_rate)
        if self.updates % 100 == 0:
            self._losses = {"critic_loss": float((error**2).mean()), "value": float(value.mean())}

    def _improve_actor(self, batch: Batch, learning_rate: float) -> None:
        wish = self.actor.forward(batch.observation, keep=True)[0]
        action = np.tanh(wish)
        value = self.critics.forward(np.concatenate([batch.state, action], axis=1), keep=True)
        slope = self.critics.backward(np.full_like(value, -0.5 / len(action)), weights=False, to_input=True)
        to_action = slope[:, :, -self.shape.action :].sum(axis=0)  # of -(Q1 + Q2) / 2 at the action
        slope_of_wish = to_action * (1.0 - action * action)
        slope_of_wish += np.float32(2.0 * self.settings.saturation / wish.size) * wish
        self.actor.backward(slope_of_wish[None])
        self.actor_adam.step(learning_rate)

    def losses(self) -> dict[str, float]:
        """Newest losses; raises `NonFinite` when one is not a number."""
        for name, value in self._losses.items():
            if not np.isfinite(value):
                raise NonFinite(f"the {name.replace('_', ' ')}", self.step, "lower the learning rate or reward_scale")
        return dict(self._losses)

    def check_finite(self) -> None:
        """Raise `NonFinite` when a weight is not a number."""
        for name, stack in (("actor", self.actor), ("critics", self.critics)):
            if not np.isfinite(stack.flat).all():
                raise NonFinite(f"the {name}", self.step, "lower the learning rate")

    def policy_files(self) -> tuple[dict[str, Any], dict[str, Float32]]:
        """Spec and tensors of the deterministic policy: what `skills.artifact.save_policy` writes."""
        shape, actor = self.shape, self.actor
        tensors = {f"w{i}": np.ascontiguousarray(w[0].T) for i, w in enumerate(actor.weights)}
        tensors |= {f"b{i}": b[0, 0].copy() for i, b in enumerate(actor.biases)}
        spec: dict[str, Any] = {"kind": "mlp", "activation": "tanh", "layers": len(actor.weights)}
        if shape.discrete:
            spec["head"] = "argmax"  # tanh keeps the order
        else:
            low, high = shape.middle - shape.scale, shape.middle + shape.scale
            spec |= {"head": "tanh", "low": low.tolist(), "high": high.tolist()}
        spec |= {"normalise": True, "clip_obs": CLIP}
        tensors |= {
            "obs_mean": self.observations.mean.astype(np.float32),
            "obs_var": self.observations.var.astype(np.float32),
        }
        return spec, tensors

    def _parts(self) -> dict[str, NDArray[Any]]:
        adams = {"actor_adam": self.actor_adam, "critic_adam": self.critic_adam}
        return {
            "actor": self.actor.flat,
            "actor_target": self.actor_target.flat,
            "critics": self.critics.flat,
            "critic_targets": self.critic_targets.flat,
            **{f"{name}_first": adam.first for name, adam in adams.items()},
            **{f"{name}_second": adam.second for name, adam in adams.items()},
            "observation_mean": self.observations.mean,
            "observation_var": self.observations.var,
            "state_mean": self.states.mean,
            "state_var": self.states.var,
        }

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint."""
        state = {
            "step": self.step,
            "updates": self.updates,
            "adam_steps": [self.actor_adam.steps, self.critic_adam.steps],
            "counts": [self.observations.count, self.states.count],
            "rng": self.rng.bit_generator.state,
        }
        return state, self._parts()

    def load(self, checkpoint: Checkpoint) -> None:
        """Become what `checkpoint` holds. Raises KeyError, ValueError or TypeError when it does not fit."""
        state = checkpoint.state
        for name, part in self._parts().items():
            if checkpoint.arrays[name].shape != part.shape:
                raise ValueError(f"{name} has shape {checkpoint.arrays[name].shape}, this job's is {part.shape}")
            part[:] = checkpoint.arrays[name]
        self.step, self.updates = int(state["step"]), int(state["updates"])
        self.actor_adam.steps, self.critic_adam.steps = state["adam_steps"]
        self.observations.count, self.states.count = state["counts"]
        self.rng.bit_generator.state = state["rng"]
