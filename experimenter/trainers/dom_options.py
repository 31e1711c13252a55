"""Settings of the algorithms `dqn`, `awr`, `phase` and `archer` of the trainer `dom`, with their defaults and where they come from.

Only numbers; no torch here. `DomSettings` inherits them, so that a job names them like any other setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DqnOptions:
    """Double n-step DQN. Published: DOM-Q-NET (Jia et al. 2019), its released settings; learning rate there 1e-4 to 2e-4."""

    dqn_n_step: int = 6
    """Rewards summed before the target network takes over (published: 6 to 8)."""
    dqn_batch: int = 128
    """Transitions a gradient step (published: 128)."""
    dqn_replay: int = 20_000
    """Transitions kept."""
    dqn_start: int = 256
    """Transitions before the first gradient step."""
    dqn_every: int = 4
    """Env steps a gradient step."""
    dqn_target_every: int = 125
    """Gradient steps between copies to the target network (published: 125 to 200)."""
    dqn_gamma: float = 0.99
    """Published: 0.99."""
    dqn_alpha: float = 0.6
    """Exponent of the priorities; 0 draws uniformly (Schaul et al. 2016: 0.6)."""
    dqn_beta: float = 0.4
    """Exponent of the importance weights at the start; it rises to 1 over ten times `dqn_explore` env steps."""
    dqn_exploration: str = "epsilon"
    """epsilon: now and then a random legal action; noisy: learned noise on the weights of the value head (published)."""
    dqn_epsilon: float = 0.01
    """Share of random actions after `dqn_explore` env steps; it falls linearly from 1."""
    dqn_explore: int = 2_000
    dqn_sigma: float = 0.5
    """First size of the noise on the weights, over the root of a layer's inputs (NoisyNet: 0.5)."""


@dataclass(frozen=True, kw_only=True)
class AwrOptions:
    """DigiRL's filtered cloning. Published: buffer 2,000, critic 5, actor 20 and instruction-value 5 epochs, top 10% of trajectories."""

    demonstrations: str = ""
    """What every algorithm with a policy begins with: a file of demonstrations (envs/web/demonstrations.py), or `oracle` (200 episodes of the
    task's scripted oracle, `oracle:300` for another number); empty: nothing."""
    clone_epochs: int = 10
    """Supervised epochs over the demonstrations before anything else."""
    awr_replay: int = 500
    """Trajectories kept (published: 2,000, of a slower environment)."""
    awr_top: float = 0.5
    """Share of the trajectories, best r_T - V(c) first, whose steps may be cloned (published code: 0.1)."""
    awr_lam: float = 0.9
    """Weight of the final outcome a step from the end."""
    awr_horizon: int = 15
    """H of the threshold 1 / H on the advantage: the longest episode."""
    awr_draw: int = 96
    """Trajectories drawn for an update, besides those just finished."""
    awr_epochs: int = 3
    awr_entropy: float = 0.01
    """Weight of the entropy bonus: a cloned policy must go on exploring what it has not solved (not in the paper)."""


@dataclass(frozen=True, kw_only=True)
class PhaseOptions:
    """WebRL's phases. Published: lam 0.5, confidence 0.5 to 0.95, beta 1 or 5 with a cloned language model, one epoch, thousands of steps."""

    phase_beta: float = 0.3
    """How firmly a phase holds to the last actor. See dom_phase.py for its traps."""
    phase_steps: int = 1_024
    """Env steps of a phase."""
    phase_lam: float = 0.5
    phase_low: float = 0.5
    phase_high: float = 0.95
    """Confidence of the last actor in the steps that are replayed."""
    phase_replay: int = 500
    """Successful trajectories kept."""
    phase_draw: int = 64
    """Successful trajectories looked through in a phase for steps to replay."""
    phase_epochs: int = 6


@dataclass(frozen=True, kw_only=True)
class ArcherOptions:
    """ArCHer's two levels. Published: gamma 0.95, tau 0.1, critics 50 and actor 3 epochs an iteration, 20 iterations of critics alone."""

    archer_gamma: float = 0.95
    archer_tau: float = 0.1
    """Share by which the target networks follow after each update."""
    archer_replay: int = 20_000
    archer_batch: int = 128
    archer_critic_updates: int = 16
    """Gradient steps on the critics a rollout."""
    archer_actor_updates: int = 32
    """Gradient steps on the actor a rollout."""
    archer_warm_up: int = 2
    """Rollouts with critic updates alone."""
    archer_entropy: float = 0.01
    archer_choices: bool = True
    """Pay each choice within an action (kind, element, field) its own part of the advantage, instead of all of them the whole."""


BOUNDS: Mapping[str, tuple[float, float]] = {
    "dqn_n_step": (1, 50),
    "dqn_batch": (2, 65_536),
    "dqn_replay": (256, 10**7),
    "dqn_start": (2, 10**7),
    "dqn_every": (1, 10**4),
    "dqn_target_every": (1, 10**6),
    "dqn_gamma": (0.0, 1.0),
    "dqn_alpha": (0.0, 1.0),
    "dqn_beta": (0.0, 1.0),
    "dqn_epsilon": (0.0, 1.0),
    "dqn_explore": (1, 10**9),
    "dqn_sigma": (0.0, 10.0),
    "clone_epochs": (0, 10_000),
    "awr_replay": (1, 10**6),
    "awr_top": (0.0, 1.0),
    "awr_lam": (0.0, 1.0),
    "awr_horizon": (1, 10**4),
    "awr_draw": (0, 10**5),
    "awr_epochs": (1, 100),
    "awr_entropy": (0.0, 10.0),
    "phase_beta": (1e-3, 100.0),
    "phase_steps": (1, 10**7),
    "phase_lam": (0.0, 1.0),
    "phase_low": (0.0, 1.0),
    "phase_high": (0.0, 1.0),
    "phase_replay": (1, 10**6),
    "phase_draw": (0, 10**5),
    "phase_epochs": (1, 100),
    "archer_gamma": (0.0, 1.0),
    "archer_tau": (1e-4, 1.0),
    "archer_replay": (256, 10**7),
    "archer_batch": (2, 65_536),
    "archer_critic_updates": (1, 10**4),
    "archer_actor_updates": (1, 10**4),
    "archer_warm_up": (0, 10**4),
    "archer_entropy": (0.0, 10.0),
}
"""Inclusive bounds of the numbers."""
