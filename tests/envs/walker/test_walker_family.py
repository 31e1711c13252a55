from __future__ import annotations

import re
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.catalog import get_family
from envs.family import Parameter, Variable
from envs.task import ParamValue

FAMILY = get_family("walker")
CARD = FAMILY.card()


def test_defaults_are_plain_ground() -> None:
    task = FAMILY.resolve_task()
    assert task.horizon == CARD.horizon == 1600
    assert task.params == {parameter.name: parameter.default for parameter in CARD.params}
    assert task.params["stump_height"] == task.params["pit_gap"] == task.params["stair_height"] == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"stump_hight": 1}, r"no task parameter 'stump_hight'\. Did you mean 'stump_height'\?"),
        ({"stump_height": 4}, r"stump_height = 4 is not a number from 0 to 3\."),
        ({"stump_height": -0.1}, r"stump_height = -0\.1 is not a number from 0 to 3\."),
        ({"pit_gap": "wide"}, r"pit_gap = 'wide' is not a number from 0 to 10\."),
        ({"roughness": float("nan")}, r"roughness = nan is not a number from 0 to 10\."),
        ({"stair_steps": 2.5}, r"stair_steps = 2\.5 is not a whole number from 0 to 9\."),
    ],
)
def test_a_bad_parameter_is_one_clear_line(params: dict[str, ParamValue], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        FAMILY.resolve_task(params)
    assert "\n" not in str(caught.value)


def test_bad_horizon_seed_name_and_count() -> None:
    with pytest.raises(ValueError, match="horizon = 0"):
        FAMILY.resolve_task(horizon=0)
    with pytest.raises(ValueError, match="seed = -1"):
        FAMILY.resolve_task(seed=-1)
    with pytest.raises(ValueError, match="Did you mean 'walker'"):
        get_family("walker:hard")
    with pytest.raises(ValueError, match="n = 0"):
        FAMILY.make_vec(FAMILY.resolve_task(), 0)


def test_sampled_parameters_are_valid_and_spread() -> None:
    rng = np.random.default_rng(0)
    drawn = [FAMILY.resolve_task(FAMILY.sample_params(rng)).params for _ in range(200)]
    for parameter in CARD.params:
        values = [float(params[parameter.name]) for params in drawn]
        assert max(values) - min(values) > 0.9 * (parameter.high - parameter.low)
    assert {type(params["stair_steps"]) for params in drawn} == {int}


def test_card_is_compact_and_says_nothing_of_the_formula() -> None:
    words = " ".join([CARD.text, CARD.fitness, CARD.success, *CARD.hints])
    assert len(words.split()) < 650
    assert len(CARD.text.split()) < 600
    # no code: neither the family's identifiers nor arithmetic on the metric, nor its weight
    for leak in (
        "def ",
        "import ",
        "return ",
        "FINISH_M",
        "START_M",
        "native_return",
        "np.",
        "0.2 *",
        "* effort",
        "fitness =",
    ):
        assert leak not in words
    assert not re.search(r"progress\s*[-+*/]", words)
    names = {variable.name for variable in CARD.state}
    assert not names & {"fitness", "success", "score", "reward", "native_return"}


def test_card_explains_every_entry() -> None:
    entries: list[Variable | Parameter] = [*CARD.state, *CARD.actions, *CARD.params]
    for entry in entries:
        assert entry.meaning
        assert entry.low < entry.high
    for name in ("forward", "fall", "m/s", "horizon"):
        assert name in CARD.text.lower()
    axes = {parameter.name for parameter in CARD.params if parameter.step > 0}
    assert axes == {"stump_height", "roughness", "pit_gap", "stair_height"}


def test_gymnasium_accepts_the_single_walker() -> None:
    env = FAMILY.make(FAMILY.resolve_task())
    with pytest.warns(UserWarning, match=r"spec|specification"):
        check_env(env, skip_render_check=False)


def test_single_walker_reports_the_outcome() -> None:
    env = FAMILY.make(FAMILY.resolve_task({"stump_height": 1.0}, horizon=3))
    env.reset(seed=1)
    infos = []
    for _ in range(3):
        *_, truncated, info = env.step(np.zeros(4, dtype=np.float32))
        infos.append(info)
    assert truncated
    assert infos[:2] == [{}, {}]
    assert infos[2]["outcome"].length == 3
    assert infos[2]["outcome"].params["stump_height"] == 1.0
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(4, dtype=np.float32))


def test_single_walker_repeats_by_seed_and_defaults_to_the_tasks() -> None:
    env = FAMILY.make(FAMILY.resolve_task(seed=7))
    runs = []
    for seed in (None, 3, 7):
        rng = np.random.default_rng(0)
        start = env.reset(seed=seed)[0]
        runs.append([start, *(env.step(rng.uniform(-1, 1, 4).astype(np.float32))[0] for _ in range(50))])
    assert np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0], runs[1])


def test_card_needs_no_physics() -> None:
    code = "import sys; from envs.catalog import get_family; get_family('walker').card(); print('Box2D' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
