"""The recipe of any other Gymnasium id: a card from its docstring and spaces; the native return is the fitness.

Success is the return reaching the id's registered reward threshold. Where none is registered: for grid worlds that pay
only at the goal (MiniGrid, BabyAI) a return above 0; otherwise a return clearly above chance, that is, above the mean plus
three standard deviations of ten random-action episodes with fixed seeds. The card says which rule holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from envs.family import Card, NamedState, Variable
from envs.gym.docstring import clean_docstring, read_observation_table
from envs.gym.lookup import find_spec, open_env
from envs.gym.loop import LoopSimulator, World
from envs.gym.mujoco import send_warnings_to_log
from envs.gym.recipe import Ending, Recipe, Score, make_params_model
from envs.gym.spaces import ActionCodec, ObservationCodec
from envs.task import ParamValue

_DEFAULT_HORIZON = 1000
_CHANCE_EPISODES = 10
_GOAL_PAID = ("MiniGrid-", "BabyAI-")


def make_recipe(gym_id: str) -> Recipe:
    """Probe one world of `gym_id` and derive its recipe.

    Raises `ValueError` with one line when its spaces are not supported or a package is missing.
    """
    spec = find_spec(gym_id)
    family = f"gym:{gym_id}"
    probe = _GenericWorld(spec)
    table = _read_table(probe)
    names = [row[0] for row in table] if table else None
    observations = ObservationCodec(family, probe.env.observation_space, names)
    actions = ActionCodec(family, probe.env.action_space)
    state = observations.variables([(unit, meaning) for _, unit, meaning in table] if table else None)
    horizon = spec.max_episode_steps or getattr(probe.core, "max_steps", None) or _DEFAULT_HORIZON
    card = _card(spec, probe, state, actions.variables(), int(horizon), observations.dropped)
    probe.env.close()

    def open_simulator(n: int) -> LoopSimulator:
        return LoopSimulator([_GenericWorld(spec) for _ in range(n)], observations, actions)

    return Recipe(
        card=card,
        params_model=make_params_model("GymParams", ()),
        open_simulator=open_simulator,
        open_scorer=lambda n, steps: NativeReturn(_success_rule(spec, steps)),
    )


class NativeReturn:
    """Fitness is the native return; the rule says which returns count as success."""

    def __init__(self, reached: Callable[[float], bool]) -> None:
        self.reached = reached

    def begin(self, slot: int, truth: NamedState) -> None: ...

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None: ...

    def close(self, ending: Ending, truth: NamedState) -> Score:
        """Score one episode by its native return alone."""
        return Score(fitness=ending.native_return, success=self.reached(ending.native_return))


class _GenericWorld(World):
    """Opened anew at every seeded reset: some environments (BipedalWalker) carry traces of earlier episodes in their engine."""

    def __init__(self, spec: EnvSpec) -> None:
        if isinstance(spec.entry_point, str) and spec.entry_point.startswith("gymnasium.envs.mujoco"):
            send_warnings_to_log()
        super().__init__(open_env(spec))
        self._spec, self._used = spec, False

    def reset(self, seed: int | None, params: Mapping[str, ParamValue]) -> Any:
        if seed is not None and self._used:
            self.env.close()
            super().__init__(open_env(self._spec))
        self._used = True
        return super().reset(seed, params)


def _read_table(world: World) -> list[tuple[str, str, str]] | None:
    shape = world.env.observation_space.shape or ()
    return read_observation_table(type(world.core).__doc__, shape[0]) if len(shape) == 1 else None


def _card(
    spec: EnvSpec,
    world: World,
    state: tuple[Variable, ...],
    actions: tuple[Variable, ...],
    horizon: int,
    dropped: list[str],
) -> Card:
    words = clean_docstring(type(world.core).__doc__)
    left_out = f"\n\nLeft out of the state because they are words: {', '.join(dropped)}." if dropped else ""
    return Card(
        family=f"gym:{spec.id}",
        title=f"{spec.id}, as Gymnasium describes it",
        text=(
            f"{words or 'Its authors give no description.'}{left_out}\n\nThis card was derived from the environment's own "
            "documentation and has not been checked by hand. The environment has no task parameters here."
        ),
        state=state,
        actions=actions,
        params=(),
        fitness="The sum over the episode of the points that the environment itself gives; more is better. It has no other measure.",
        success=_success_words(spec),
        horizon=horizon,
    )


def _success_words(spec: EnvSpec) -> str:
    if spec.reward_threshold is not None:
        return f"The environment's own points sum to at least {spec.reward_threshold:g}, the mark that its authors registered."
    if spec.id.startswith(_GOAL_PAID):
        return "The environment's own points sum to more than 0, which means that the mission was completed."
    return (
        "The environment's own points sum to clearly more than chance: more than the mean plus three standard deviations of ten "
        "episodes of random actions. Its authors registered no mark."
    )


def _success_rule(spec: EnvSpec, horizon: int) -> Callable[[float], bool]:
    if spec.reward_threshold is not None:
        threshold = float(spec.reward_threshold)
        return lambda total: total >= threshold
    if spec.id.startswith(_GOAL_PAID):
        return lambda total: total > 0
    bar = _chance_bar(spec.id, horizon)
    return lambda total: total > bar


@cache
def _chance_bar(gym_id: str, horizon: int) -> float:
    """Mean plus three standard deviations of the returns of ten random-action episodes, seeds 0 to 9."""
    env = _GenericWorld(find_spec(gym_id)).env
    env.action_space.seed(0)
    returns = np.zeros(_CHANCE_EPISODES)
    for seed in range(_CHANCE_EPISODES):
        env.reset(seed=seed)
        for _ in range(horizon):
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            returns[seed] += float(reward)
            if terminated or truncated:
                break
    env.close()
    return float(returns.mean() + 3 * returns.std())
