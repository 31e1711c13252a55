"""New web tasks from old ones: which are near, and proofs by the oracle in a real browser."""

from __future__ import annotations

from envs.task import ParamValue
from envs.web.evolve import neighbours, prove
from envs.web.oracles import find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS


def task(name: str, **more: ParamValue) -> dict[str, ParamValue]:
    return {**WebParams(task=ALL_TASKS.index(name)).model_dump(), **more}


def test_neighbours_share_the_beginning_of_the_name_and_have_an_oracle() -> None:
    near = [ALL_TASKS[int(one["task"])] for one in neighbours(task("click-tab-2-hard", page_size=5))]
    assert near[:3] == ["click-tab-2-easy", "click-tab-2-medium", "click-tab-2"]
    assert "click-tab-2-hard" not in near and len(near) <= 4
    assert all(name.startswith("click-tab") and find_oracle(name) is not None for name in near)
    assert all(one["page_size"] == 5 for one in neighbours(task("click-tab-2-hard", page_size=5)))
    assert neighbours(task("read-table")) != [] and neighbours(task("read-table"))[0]["task"] != ALL_TASKS.index(
        "read-table"
    )


def test_the_oracle_proves_solvable_tasks_and_refutes_others() -> None:
    without = next(name for name in ALL_TASKS if find_oracle(name) is None)
    verdicts = prove(
        [
            task("click-button"),
            task("click-button", page_size=10, prefilled=2),
            task("click-link", depth=2),
            task("click-button", depth=99),
            task(without),
        ],
        seeds=(3, 4),
    )
    assert verdicts == [True, True, True, False, None]
