"""The report's web section: the element that is acted on is framed, words of pages stay text, other families have none."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from types import SimpleNamespace

import jinja2
import numpy as np
import pytest
from PIL import Image

import experimenter.reports.web_section as section
from envs.catalog import get_family
from envs.web.backend import Action, Verb
from envs.web.chromium import is_installed
from envs.web.tasks import ALL_TASKS
from envs.web.testing import button, field, make_page
from envs.web.world import Outcome
from experimenter.evaluation.web_episodes import Episode
from experimenter.evaluation.web_traces import WebStep, WebTrace
from experimenter.evaluation.web_transfer import Filmed, Rate, TransferRow
from experimenter.reports.page import TaskView
from experimenter.reports.web_section import WebView, draw_trace, mark, png_uri, tell, web_view
from skills.artifact import save_policy

EVIL = "<script>document.title='hacked'</script>"
ORANGE = (0xD5, 0x5E, 0x00)


def blank() -> np.ndarray:
    return np.full((60, 80, 3), 200, np.uint8)


def test_the_frame_stands_around_the_box_and_only_there() -> None:
    page = make_page(button("ok", box=(10.0, 20.0, 30.0, 15.0)))
    marked = mark(blank(), page.elements[0])
    assert tuple(marked[19, 20]) == ORANGE, "above the box's upper edge"
    assert tuple(marked[27, 9]) == ORANGE, "left of its left edge"
    assert tuple(marked[35, 20]) == ORANGE, "below its lower edge"
    assert (marked[20:35, 10:40] == 200).all(), "what is inside stays as it is"
    assert (marked[:16] == 200).all() and (marked[:, 45:] == 200).all()


@pytest.mark.parametrize(
    "more",
    [
        {"box": (0.0, 0.0, 0.0, 0.0)},
        {"tag": "circle", "box": (1.0, 1.0, 9.0, 9.0)},
        {"box": (10.0, 500.0, 9.0, 9.0)},
    ],
)
def test_what_has_no_place_on_the_picture_is_not_framed(more: dict[str, object]) -> None:
    page = make_page(button("ok", **more))
    assert (mark(blank(), page.elements[0]) == blank()).all()
    assert (mark(blank(), None) == blank()).all()


def test_pictures_are_png_inside_the_page() -> None:
    uri = png_uri(blank())
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (80, 60)


def make_film(steps: int, text: str = "ok") -> Filmed:
    page = make_page(button(text, box=(10.0, 20.0, 30.0, 15.0)), field("tt"), instruction=f"Click {text}.")
    taken = tuple(WebStep(page=page, action=Action(Verb.CLICK, 0)) for _ in range(steps))
    trace = WebTrace(task="click-test", seed=1, kind="policy", steps=taken, last=page, success=True)
    episode = Episode(trace=trace, end=Outcome.SUCCESS, length=steps, idle=0, failures=0)
    return Filmed(episode=episode, pictures=tuple(blank() for _ in range(steps + 1)))


def test_a_trace_has_a_picture_a_step_and_one_afterwards() -> None:
    view = draw_trace(make_film(2))
    assert [shot.words for shot in view.shots] == ["click button “ok”", "click button “ok”", "afterwards: success"]
    assert view.left_out == 0
    long = draw_trace(make_film(20))
    assert len(long.shots) == 9 and long.left_out == 12


def test_words_of_actions() -> None:
    page = make_page(field("user name"), {"tag": "circle", "attributes": "red"})
    assert tell(Action(Verb.TYPE, 0, "bob"), page) == "type “bob” into input:text “user name”"
    assert tell(Action(Verb.CLICK, 1), page) == "click circle “red” (drawn, not marked)"
    assert tell(Action(Verb.PRESS, text="Enter"), page) == "press Enter"


def test_words_of_a_page_are_escaped() -> None:
    rate = Rate(successes=3, episodes=4)
    row = TransferRow(browser="chromium", greedy=rate, sampled=None, failures=0)
    view = WebView(traces=(draw_trace(make_film(1, EVIL)),), rows=(row,))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(section.__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("web_section.html.j2").render(web=view)
    assert EVIL not in page and "&lt;script&gt;" in page
    assert "3 of 4 [0.30, 0.95]" in page


def test_another_family_has_no_section(tmp_path: Path) -> None:
    assert web_view(get_family("gym:CartPole-v1").resolve_task(), tmp_path) is None


@pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")
def test_a_policy_is_filmed(tmp_path: Path) -> None:
    """A network without training: what it does is of no matter, that it is shown is."""
    from experimenter.trainers.dom_network import DomNetwork
    from experimenter.trainers.dom_settings import make_settings

    spec, tensors = DomNetwork(make_settings("web", {}), 0).export("policy")
    save_policy(tmp_path, spec, tensors)
    task = get_family("web").resolve_task({"task": ALL_TASKS.index("click-test")}, horizon=3)
    view = web_view(task, tmp_path, episodes=0, filmed=1)
    assert view is not None and len(view.traces) == 1
    assert view.traces[0].end in {end.value for end in Outcome}
    assert view.rows == () and len(view.traces[0].shots) == view.traces[0].steps + 1


def test_the_page_asks_for_the_section_only_where_there_is_a_web_policy(tmp_path: Path) -> None:
    def view(family: str) -> TaskView:
        task = get_family(family).resolve_task()
        row = SimpleNamespace(payload=task.model_dump(mode="json"), task_digest="t")
        verdict = SimpleNamespace(payload={"best_job": "j"})
        return TaskView(SimpleNamespace(row=row, skill=None, verdicts=[verdict]), tmp_path)  # type: ignore[arg-type]

    assert view("web").web is None, "no policy was kept"
    folder = tmp_path / "jobs" / "j" / "policy"
    folder.mkdir(parents=True)
    (folder / "policy.json").write_text("{}")
    assert view("web").web is None, "a damaged policy is said in the log, not in the reader's face"
    assert view("gym:CartPole-v1").web is None
