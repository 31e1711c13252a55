"""The trainer `maskable_ppo`: MaskablePPO of sb3-contrib (Huang and Ontanon 2022), with the circuit search of `qas` behind it.

The alternative to double DQN on `quantum`; on other families with discrete actions nothing is masked and it is SB3's PPO.
Masks come from the observation, as in `qas`. Pieces, checkpoints and restarts are those of the trainer `sb3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from envs.task import ParamValue
from experimenter.errors import JobError, UsageError
from experimenter.trainers.base import Listener, NonFinite, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import check_same, read_checkpoint, write_checkpoint
from experimenter.trainers.device import one_thread, resolve_device
from experimenter.trainers.qas_learner import legality
from experimenter.trainers.qas_settings import BOUNDS, SearchSettings
from experimenter.trainers.qas_watch import make_watch
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.rollout import rollout_length
from experimenter.trainers.sb3_state import isolated_randomness, load_model, save_model
from experimenter.trainers.sb3_worlds import Sb3Worlds
from experimenter.trainers.settings import parse_hidden, require, resolve_settings
from experimenter.trainers.worlds import load_worlds, resolve_shape, restart_seed, save_worlds

_DEFAULTS: Mapping[str, ParamValue] = {
    "n_envs": 16,
    "n_steps": 64,
    "batch_size": 256,
    "n_epochs": 6,
    "learning_rate": 7e-4,
    "gamma": 0.93,
    "gae_lambda": 0.95,
    "ent_coef": 0.02,
    "hidden": "128x128",
    "checkpoint_steps": 10_000,
    **{field.name: field.default for field in fields(SearchSettings)},  # type: ignore[misc]  # dataclass defaults are Any
}
_BOUNDS: Mapping[str, tuple[float, float]] = {
    **BOUNDS,
    "n_envs": (1, 4096),
    "n_steps": (2, 65536),
    "batch_size": (2, 10**7),
    "n_epochs": (1, 100),
    "gae_lambda": (0.0, 1.0),
    "ent_coef": (0.0, 10.0),
}


def make_trainer() -> MaskablePpoTrainer:
    return MaskablePpoTrainer()


class MaskablePpoTrainer:
    """The trainer `maskable_ppo`."""

    name = "maskable_ppo"
    discrete_only = True

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default; names of the learner's are SB3's."""
        return dict(_DEFAULTS)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps`, a STOP or the setting `max_evaluations`; resumes from a checkpoint.

        Raises `UsageError` for bad settings or spaces, `JobError` for a checkpoint that does not fit, `NonFinite`.
        """
        settings = resolve_settings(self.name, _DEFAULTS, problem.settings)
        require(self.name, settings, _BOUNDS)
        if not resolve_shape(self.name, problem.observation_space, problem.action_space).discrete:
            raise UsageError("the trainer maskable_ppo needs discrete actions: use ppo or sb3 for continuous ones.")
        with one_thread(), isolated_randomness():
            run = _Run(problem, budget, seed, settings, Reporter(listen))
            try:
                run.open()
                run.train()
                spec, tensors = run.policy()
            finally:
                run.worlds.close()
        return TrainedPolicy(spec=spec, tensors=tensors, steps=run.step)


class MaskedWorlds(Sb3Worlds):
    """A `VecEnv` that answers `action_masks` from its last observation and shows its steps to a watch."""

    def __init__(self, problem: Problem, settings: Mapping[str, ParamValue], seed: int) -> None:
        super().__init__(problem.make_vec(int(settings["n_envs"])))
        self._legal = legality(problem.family, int(self.worlds.action_space.n))  # type: ignore[attr-defined]  # Discrete
        names = [field.name for field in fields(SearchSettings)]
        search = SearchSettings(**{name: settings[name] for name in names})  # type: ignore[arg-type]
        self.watch = make_watch(problem, search, seed, self.num_envs)
        self._rng = np.random.default_rng(seed)
        self._seen: NDArray[np.float32] = np.zeros((self.num_envs, 1), np.float32)

    def reset(self) -> NDArray[np.float32]:
        self._seen = super().reset()
        if self.watch is not None:
            self.watch.restart()
        return self._seen

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        if self.watch is not None:
            self.watch.follow(np.asarray(self._actions), self._legal.of(self._seen))
        result = super().step_wait()
        self._seen = result[0]
        if self.watch is not None and self.last is not None:
            self.watch.take(self.last, self.steps, 0.0, self._rng)
        return result

    def has_attr(self, attr_name: str) -> bool:
        return attr_name == "action_masks" or super().has_attr(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        if method_name != "action_masks":
            return super().env_method(method_name, *args, indices=indices, **kwargs)
        return list(self._legal.of(self._seen))


class _Run:
    """One call of `train`."""

    def __init__(
        self, problem: Problem, budget: TrainBudget, seed: int, settings: Mapping[str, ParamValue], reporter: Reporter
    ) -> None:
        from sb3_contrib import MaskablePPO

        self.problem, self.budget, self.seed, self.settings = problem, budget, seed, settings
        self.reporter = reporter
        self.worlds = MaskedWorlds(problem, settings, seed)
        hidden = parse_hidden(settings["hidden"])
        names = ("batch_size", "n_epochs", "learning_rate", "gamma", "gae_lambda", "ent_coef")
        chosen: dict[str, Any] = {name: settings[name] for name in names}
        self.model: Any = MaskablePPO(
            "MlpPolicy",
            self.worlds,
            n_steps=int(settings["n_steps"]),
            seed=seed % 2**32,
            device=resolve_device(problem.device, hidden),
            policy_kwargs={"net_arch": {"pi": hidden, "vf": hidden}, "activation_fn": torch.nn.Tanh},
            **chosen,
        )
        self.model.set_logger(Logger(folder=None, output_formats=[]))
        self.next_checkpoint = 0

    @property
    def step(self) -> int:
        return int(self.model.num_timesteps)

    @property
    def report(self) -> dict[str, float]:
        """What SB3 logged at its last update, and what was found."""
        logged: Mapping[str, Any] = self.model.logger.name_to_value
        losses = {name.removeprefix("train/"): float(v) for name, v in logged.items() if name.startswith("train/")}
        return losses if self.worlds.watch is None else {**losses, **self.worlds.watch.circuits.measures}

    def open(self) -> None:
        """Resume or begin."""
        checkpoint = read_checkpoint(self.problem.folder)
        if checkpoint is not None:
            check_same(checkpoint, {"trainer": "maskable_ppo", "settings": dict(self.settings)})
            try:
                load_worlds(self.worlds.worlds, checkpoint.state["worlds"])
                load_model(self.model, None, checkpoint.state["model"], checkpoint.arrays)
                if self.worlds.watch is not None:
                    self.worlds.watch.circuits.load(checkpoint.state["circuits"])
            except (KeyError, ValueError, RuntimeError, TypeError) as error:
                raise JobError(f"the checkpoint does not fit this job: {error}. Use another job folder.") from error
        self._restart()

    def _restart(self) -> None:
        self.worlds.restart_with = restart_seed(self.seed, self.step)
        self.worlds.steps = self.step
        self.model._last_obs = None  # SB3 resets the worlds when it has no last observation
        self.next_checkpoint = self.step + int(self.settings["checkpoint_steps"])

    def train(self) -> None:
        """One rollout and its update after the other: until the budget is spent or a stop is asked for."""
        callback = _Pulse(self)
        while self.step < self.budget.steps and not self.reporter.stop_asked and not self._spent_out():
            usual = int(self.settings["n_steps"])
            length = max(2, rollout_length(self.budget.steps - self.step, self.worlds.num_envs, usual))
            self.model.n_steps = self.model.rollout_buffer.buffer_size = length
            self.model.learn(1, callback, log_interval=None, reset_num_timesteps=False)
            for name, parameter in self.model.policy.named_parameters():
                if not torch.isfinite(parameter).all():
                    raise NonFinite(f"the network's {name}", self.step, "lower the learning rate")
            due = self.step >= self.next_checkpoint or self.reporter.checkpoint_asked
            if due and self.step < self.budget.steps and not self.reporter.stop_asked:
                self.checkpoint()
                self._restart()
        self.checkpoint()
        self.reporter.pulse(self.step, self.report, force=True)

    def _spent_out(self) -> bool:
        return self.worlds.watch is not None and self.worlds.watch.circuits.spent_out

    def checkpoint(self) -> None:
        self.reporter.checkpoint_asked = False
        model, arrays = save_model(self.model, None)
        circuits = {} if self.worlds.watch is None else self.worlds.watch.circuits.save()
        state = {"trainer": "maskable_ppo", "settings": dict(self.settings), "worlds": save_worlds(self.worlds.worlds)}
        write_checkpoint(self.problem.folder, {**state, "model": model, "circuits": circuits}, arrays)

    def policy(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The circuit, or on other families the actor's network."""
        if self.worlds.watch is not None:
            return self.worlds.watch.finish(self.step, lambda: self.reporter.pulse(self.step, self.report))
        actor = [*self.model.policy.mlp_extractor.policy_net, self.model.policy.action_net]
        layers = [module for module in actor if isinstance(module, torch.nn.Linear)]
        tensors = {
            f"{letter}{index}": part.detach().cpu().numpy().copy()
            for index, layer in enumerate(layers)
            for letter, part in (("w", layer.weight), ("b", layer.bias))
        }
        spec = {"kind": "mlp", "activation": "tanh", "layers": len(layers), "head": "argmax", "normalise": False}
        return spec, tensors


class _Pulse(BaseCallback):
    """Reports from inside a rollout; False ends it at once."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run

    def _on_step(self) -> bool:
        return not self._run.reporter.pulse(self._run.step, self._run.report)
