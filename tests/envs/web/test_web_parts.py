"""Several tasks on one page: order, instruction, oracle, isolation; and progress along a solution. In Chromium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.web.backend import Action, Element, Part, Snapshot, Verb
from envs.web.batch import WebBatch
from envs.web.chromium import Chromium
from envs.web.family import WebFamily
from envs.web.miniwob import TASKS, frames_of, miniwob_site, path_of
from envs.web.oracles import OracleLost
from envs.web.params import WebParams
from envs.web.parts import find_oracle_of, part_of, tell
from envs.web.progress import Solution
from envs.web.world import World

TWO = WebParams(task=TASKS.index("click-test"), depth=2, second=TASKS.index("enter-text"))


def play(world: World, seed: int, params: WebParams) -> list[Snapshot]:
    """The pages of the oracle's way."""
    pages = [world.begin(seed, params)]
    script = find_oracle_of(params.task_names)
    assert script is not None
    running = script(pages[0])
    action = next(running)
    while not pages[-1].ended:
        pages.append(world.step(action))
        if not pages[-1].ended:
            action = running.send(pages[-1])
    return pages


def test_names_and_paths_of_several_tasks() -> None:
    assert TWO.task_names == ("click-test", "enter-text")
    assert WebParams(depth=3).task_names == ("click-button", "click-test", "enter-text")
    assert path_of(("a",)) == "/miniwob/a.html" and frames_of("/miniwob/a.html") == ()
    assert frames_of(path_of(("a", "b"))) == ("/miniwob/a.html", "/miniwob/b.html")
    status, _, body = miniwob_site().answer(path_of(TWO.task_names))
    assert status == 200 and b"enter-text.html" in body
    assert miniwob_site().answer("/parts/click-test+nothing.html")[0] == 404


def test_the_instruction_is_told_forwards_or_backwards() -> None:
    page = Snapshot(
        "", (), ended=False, raw_reward=0.0, clock_ms=0.0, parts=(Part("Do a.", False, 0), Part("Do b", False, 0))
    )
    assert tell(page, 4).instruction == "Do a. Then: Do b."
    assert tell(page, 5).instruction == "Do b. Before that: Do a."


def test_all_in_order_succeeds(chromium: Chromium) -> None:
    world = World(chromium)
    for seed in (4, 5):
        pages = play(world, seed, TWO)
        assert (pages[-1].raw_reward, len(pages)) == (1.0, 4)
        assert [part.ended for part in pages[1].parts] == [True, False] and pages[1].parts[0].elements == 0
    assert ("Before that" in pages[0].instruction) and pages[0].instruction.endswith("Click the button.")
    world.close()


def test_out_of_order_and_wrong_are_wrong(chromium: Chromium) -> None:
    world = World(chromium)
    page = world.begin(4, TWO)
    second = part_of(page, 1)
    text = page.instruction.split('"')[1]
    world.step(Action(Verb.TYPE, 1 + next(e.index for e in second.elements if e.editable), text))
    page = world.step(Action(Verb.CLICK, 1 + next(e.index for e in second.elements if e.text == "Submit")))
    assert (page.ended, page.raw_reward) == (True, -1.0), "right, but before the first was done"
    world.begin(4, TWO)
    page = world.step(Action(Verb.CLICK, 0))
    assert (page.ended, page.raw_reward) == (False, 0.0)
    page = world.step(Action(Verb.CLICK, next(e.index for e in page.elements if e.text == "Submit")))
    assert (page.ended, page.raw_reward) == (True, -1.0)
    world.close()


def test_the_same_seed_gives_the_same_parts_after_use(chromium: Chromium) -> None:
    world = World(chromium)
    first = world.begin(8, TWO)
    world.step(Action(Verb.TYPE, 1, "left behind"))
    world.begin(9, TWO)
    again = world.begin(8, TWO)
    assert [(e.text, e.value, e.attributes) for e in first.elements] == [
        (e.text, e.value, e.attributes) for e in again.elements
    ]
    assert first.parts == again.parts and not any(e.value for e in again.elements)
    world.close()


def test_copies_go_from_part_to_part_and_trusted_hands_reach_all(chromium: Chromium) -> None:
    browser = Chromium([miniwob_site()], trusted=True)
    try:
        names = ("choose-list", "click-checkboxes", "login-user")
        params = WebParams(depth=3, **dict(zip(("task", "second", "third"), map(TASKS.index, names), strict=True)))
        assert play(World(browser), 3, params)[-1].raw_reward == 1.0
    finally:
        browser.close()
    world = World(chromium)
    page = world.begin(2, TWO)
    page = world.step(Action(Verb.COPY, 0))
    assert page.clipboard == "Click Me!"
    world.close()


BUTTON = Element(
    index=0, tag="button", text="", value="", attributes="", around="", interactive=True, editable=False, checked=False,
    disabled=False, focused=False, scrollable=False, clicks=0, typed=0, last=False, box=(0.0, 0.0, 0.0, 0.0),
)  # fmt: skip


def page_of_texts(*texts: str) -> Snapshot:
    return Snapshot("", tuple(replace(BUTTON, text=text) for text in texts), ended=False, raw_reward=0.0, clock_ms=0.0)


def test_progress_counts_steps_whose_traces_show() -> None:
    """A solution of three steps: `a` appears, then `b`, then the end. Two of the three leave a trace."""
    solution = Solution([page_of_texts("x"), page_of_texts("x", "a"), page_of_texts("x", "a", "b")])
    shares = [solution.share(page_of_texts(*words)) for words in ("x", "xa", "xb", "xab", "xcab")]
    assert shares == [0.0, 1 / 3, 1 / 3, 2 / 3, 2 / 3]


def test_progress_keeps_what_the_solution_itself_left_behind() -> None:
    """After its second step the solution's page shows `b` alone: then `a` counts as done."""
    solution = Solution([page_of_texts("x"), page_of_texts("a"), page_of_texts("b")])
    assert [solution.share(page_of_texts(*words)) for words in ("x", "a", "b")] == [0.0, 1 / 3, 2 / 3]


def test_progress_along_the_oracle_and_back(chromium: Chromium) -> None:
    world = World(chromium)
    login = WebParams(task=TASKS.index("login-user"), shaping=0.5)
    assert [page.progress for page in play(world, 7, login)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    page = world.begin(7, login.model_copy(update={"prefilled": 2}))
    field = next(e for e in page.elements if e.editable)
    assert page.progress == pytest.approx(2 / 3)
    assert world.step(Action(Verb.TYPE, field.index, "other")).progress == pytest.approx(1 / 3)
    assert [page.progress for page in play(world, 7, login.model_copy(update={"shaping": 0.0}))] == [0, 0, 0, 0]
    world.close()


def test_shaping_pays_progress_and_a_wrong_end_takes_it_back(chromium: Chromium) -> None:
    """Weight 0.6, three steps: 0.2 for a right one; at a wrong end all that was gained is lost."""
    task = WebFamily().resolve_task({"task": TASKS.index("login-user"), "shaping": 0.6})
    batch = WebBatch(task, 1, browser=chromium)
    batch.reset(3)
    page = batch.page()
    fields = [e for e in page.elements if e.editable]
    user = page.instruction.split('"')[1]
    from envs.web.actions import encode

    typed = encode(Action(Verb.TYPE, fields[0].index, user), page, batch.elements())
    step = batch.step(np.array([typed]))
    assert step.reward[0] == pytest.approx(0.2 - 0.01) and step.next_state["progress"][0] == pytest.approx(1 / 3)
    login = next(e.index for e in batch.page().elements if "subbtn" in e.attributes)
    step = batch.step(np.array([login]))
    assert step.terminated[0] and step.reward[0] == pytest.approx(-1 - 0.01 - 0.2)
    assert step.outcomes[0].native_return == pytest.approx(-1 - 0.02)


@pytest.mark.parametrize(
    "task", ["login-user", "enter-text", "book-flight-nodelay", "search-engine", "email-inbox", "click-checkboxes"]
)
def test_prefilled_begins_that_many_steps_into_the_solution(chromium: Chromium, task: str) -> None:
    world = World(chromium)
    params = WebParams(task=TASKS.index(task), shaping=1.0)
    way = [page.progress for page in play(world, 12, params)]
    for prefilled in (1, 3, 12):
        steps = min(prefilled, len(way) - 2)
        assert world.begin(12, params.model_copy(update={"prefilled": prefilled})).progress == pytest.approx(way[steps])
    world.close()


def test_an_oracle_of_parts_that_ends_early_is_lost() -> None:
    script = find_oracle_of(("click-test", "click-test"))
    assert script is not None and find_oracle_of(("click-test", "drag-box")) is None
    one = replace(BUTTON, text="Click Me!")
    page = replace(
        page_of_texts(), elements=(one, replace(one, index=1)), parts=(Part("", False, 1), Part("", False, 1))
    )
    running = script(page)
    next(running)
    with pytest.raises(OracleLost, match="not over"):
        running.send(page)
