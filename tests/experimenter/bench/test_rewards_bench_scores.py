"""The bench's statistics, by hand; its table, pages and figure; its forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experimenter.bench.rewards.arms import Arms
from experimenter.bench.rewards.finals import ArmRuns, FinalRuns
from experimenter.bench.rewards.options import choose_tasks, make_options
from experimenter.bench.rewards.progress import Progress, forecast_s, search_steps
from experimenter.bench.rewards.report import markdown, page, table, write_results
from experimenter.bench.rewards.results import TaskResult, summarise, summarise_task
from experimenter.bench.rewards.scores import CLIP, Duel, Overall, duel, score_arm, score_task, sign_test
from experimenter.bench.rewards.screens import ScreenVerdict
from experimenter.bench.rewards.search import Found
from experimenter.records import RewardKind, RewardProgram, Spent


def test_the_score_is_eurekas() -> None:
    arms = {"native": [0.5, 0.7], "sparse": [0.1, 0.3], "search": [0.9, 1.1]}  # means 0.6, 0.2, 1.0
    by_arm = {score.arm: score for score in score_task("t", arms, scale=1.0)}
    assert by_arm["search"].raw == pytest.approx(2.0)  # (1.0 - 0.2) / |0.6 - 0.2|
    assert by_arm["native"].raw == pytest.approx(1.0)
    assert by_arm["sparse"].raw == pytest.approx(0.0)
    assert by_arm["search"].score == pytest.approx(2.0) and not by_arm["search"].floored
    assert by_arm["search"].fitness.low == pytest.approx(0.9) and by_arm["search"].fitness.high == pytest.approx(1.1)


def test_a_human_reward_below_the_sparse_one_scores_minus_one() -> None:
    arms = {"native": [0.2], "sparse": [0.6], "search": [0.8]}
    by_arm = {score.arm: score.raw for score in score_task("t", arms, scale=1.0)}
    assert by_arm == {"native": pytest.approx(-1.0), "sparse": pytest.approx(0.0), "search": pytest.approx(0.5)}


def test_a_tiny_denominator_is_floored_clipped_and_reported_raw() -> None:
    arms = {"native": [0.201], "sparse": [0.2], "search": [0.21]}
    (score,) = [score for score in score_task("t", arms, scale=1.0) if score.arm == "search"]
    assert score.raw == pytest.approx(10.0)
    assert score.score == pytest.approx(0.01 / 0.02) and score.floored
    far = {"native": [0.25], "sparse": [0.2], "search": [0.9]}
    (score,) = [score for score in score_task("t", far, scale=1.0) if score.arm == "search"]
    assert score.raw == pytest.approx(14.0) and score.score == CLIP
    none = {"native": [0.2], "sparse": [0.2], "search": [0.2]}
    assert {score.raw for score in score_task("t", none, scale=1.0)} == {None}


def test_a_duel_counts_pairs_of_seeds() -> None:
    arms = {"native": [0.1, 0.2, 0.3], "search": [0.2, 0.4, 0.5]}
    fought = duel("t", "search", arms, same=False)
    # of nine pairs: 0.2 beats one and ties one, 0.4 and 0.5 beat three each
    assert fought.improvement.value == pytest.approx((1 + 0.5 + 6) / 9)
    assert (fought.outcome, fought.clear) == ("win", False)
    assert duel("t", "search", {"native": [0.1] * 3, "search": [0.9] * 3}, same=False).clear
    assert duel("t", "search", {"native": [0.1], "search": [0.1]}, same=True).outcome == "tie"
    assert duel("t", "search", {"native": [0.4], "search": [0.1]}, same=False).outcome == "loss"


@pytest.mark.parametrize(("wins", "losses", "p"), [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 2 / 32), (10, 2, 2 * 79 / 4096)])
def test_the_sign_test(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p)  # 79 = C(12, 10) + C(12, 11) + C(12, 12)


def overall(arm: str, fitness: dict[str, dict[str, list[float]]]) -> Overall:
    duels = [duel(task, arm, arms, same=False) for task, arms in fitness.items() if arm in arms and arm != "native"]
    summed = score_arm(arm, fitness, dict.fromkeys(fitness, 1.0), duels)
    assert summed is not None
    return summed


def test_an_arm_over_all_tasks() -> None:
    fitness = {
        "one": {"native": [0.5, 0.5], "sparse": [0.0, 0.0], "search": [1.0, 1.0]},  # scores 2, 2
        "two": {"native": [0.5, 0.5], "sparse": [0.0, 0.0], "search": [0.25, 0.25]},  # scores 0.5, 0.5
    }
    summed = overall("search", fitness)
    assert summed.iqm.value == pytest.approx(1.25)  # the middle two of 0.5, 0.5, 2, 2
    assert (summed.iqm.low, summed.iqm.high) == pytest.approx((1.25, 1.25))  # seeds agree: nothing to resample
    assert (summed.wins, summed.losses, summed.ties, summed.clear_wins, summed.clear_losses) == (1, 1, 0, 1, 1)
    assert summed.improvement.value == pytest.approx(0.5)
    assert overall("native", fitness).iqm.value == pytest.approx(1.0)
    assert overall("sparse", fitness).iqm.value == pytest.approx(0.0)
    assert score_arm("one_shot", fitness, {"one": 1.0, "two": 1.0}, []) is None


def test_the_interval_knows_that_the_denominator_is_uncertain() -> None:
    sure = {"t": {"native": [0.5] * 4, "sparse": [0.0] * 4, "search": [1.0] * 4}}
    unsure = {"t": {"native": [0.3, 0.4, 0.6, 0.7], "sparse": [0.0] * 4, "search": [1.0] * 4}}
    assert overall("search", sure).iqm.high == pytest.approx(2.0)
    assert overall("search", unsure).iqm.value == pytest.approx(2.0)
    assert overall("search", unsure).iqm.low < 1.8 < 2.2 < overall("search", unsure).iqm.high


NATIVE, SPARSE = RewardProgram(kind=RewardKind.NATIVE), RewardProgram(kind=RewardKind.FITNESS)
WRITTEN = RewardProgram(kind=RewardKind.CODE, source="# written <b>\n", model="openai/strong")


def make_task(name: str, native: float, sparse: float, search: float | None) -> TaskResult:
    (task,), options = choose_tasks(name), make_options("quick", model="openai/strong")
    programs = {"native": NATIVE, "sparse": SPARSE, "search": NATIVE if search is None else WRITTEN}
    fitness = {"native": native, "sparse": sparse, "search": native if search is None else search}
    if search is not None:
        programs["one_shot"], fitness["one_shot"] = WRITTEN, search
    runs = [
        ArmRuns(
            arm=arm, program=programs[arm].digest, fitness=(value,) * 3, success=(1.0,) * 3, native_return=(9.0,) * 3
        )
        for arm, value in fitness.items()
    ]
    verdict = ScreenVerdict(task=name, digest=WRITTEN.digest, screen="preference", passed=search is None, cost_s=0.25)
    found = Found(
        session="s",
        outcome="",
        model="model: openai/strong",
        candidates=(),
        finished=(),
        screens=(verdict,),
        spent=Spent(wall_s=60.0, env_steps=1000, calls=4, tokens=5000, money_usd=0.5),
        cpu_s=100.0,
    )
    missing = {} if search is not None else dict.fromkeys(("one_shot", "best_of_k", "best_model"), "no model")
    finals = FinalRuns(arms=tuple(runs), steps=60_000, env_steps=2000, cpu_s=20.0)
    return summarise_task(task, options, found, Arms(programs=programs, missing=missing), finals, 120.0)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = [make_task("pendulum", 0.5, 0.1, 0.9), make_task("acrobot", 0.4, 0.4, None)]
    folder = tmp_path_factory.mktemp("bench")
    found = summarise(make_options("quick", model="openai/strong"), done, folder, 360.0)
    write_results(folder, found)
    return found


def test_the_result_is_one_plain_object(result: dict[str, Any]) -> None:
    folder = Path(result["folder"])
    assert json.loads((folder / "results.json").read_text()) == result
    pendulum, acrobot = result["tasks"]
    arms = {arm["arm"]: arm for arm in pendulum["arms"]}
    assert arms["search"]["raw_score"] == pytest.approx(2.0)
    assert arms["search"]["against_native"]["outcome"] == "win"
    assert {arm["arm"]: arm["against_native"] for arm in acrobot["arms"]}["search"]["outcome"] == "tie"
    assert acrobot["no_model"] and not pendulum["no_model"]
    assert result["spent"]["tokens"] == 10_000 and result["spent"]["search_minutes"] == pytest.approx(2.0)
    (screen,) = result["screens"]
    assert (screen["winners"], screen["winners_refused"], screen["programs"]) == (1, 1, 2)


def test_people_get_a_table_pages_and_a_figure(result: dict[str, Any]) -> None:
    shown = table(result)
    assert "full search" in shown and "1 (1 clear)" in shown
    assert "pendulum" in shown and "0.9 [0.9, 0.9] ++" in shown
    assert "no model-written arm on acrobot" in shown
    assert "preference" in shown and "1 of 1" in shown
    assert "| pendulum |" in markdown(result)
    assert "<td>pendulum</td>" in page(result)
    folder = Path(result["folder"])
    assert (folder / "figure.png").read_bytes()[:4] == b"\x89PNG"
    assert "human-normalised" in (folder / "results.md").read_text() + (folder / "figure.svg").read_text()


def test_the_forecast_shrinks_as_steps_are_done() -> None:
    tasks, options = choose_tasks("pendulum,acrobot"), make_options("quick")
    said: list[str] = []
    progress = Progress(tasks, options, 2, said.append)
    whole = progress.left_s()
    assert whole == pytest.approx(sum(forecast_s(task, options, 2) for task in tasks), rel=0.05)  # the clock runs
    progress.tick("pendulum", "searching", search_steps(tasks[0], options)[0])
    assert "pendulum: searching" in said[0] and "left]" in said[0]
    assert progress.left_s() < whole
    progress.finish("pendulum")
    progress.skip("acrobot")
    assert progress.left_s() == pytest.approx(0.0)


def test_a_quick_bench_fits_an_hour_on_two_cores() -> None:
    options = make_options("quick")
    assert sum(forecast_s(task, options, 2) for task in choose_tasks(None)) < 3600


def test_a_duel_is_a_record() -> None:
    assert Duel.model_validate(duel("t", "search", {"native": [0.1], "search": [0.2]}, same=False).model_dump())
