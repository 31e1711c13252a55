"""What an open list of suggestions lies over cannot be reached, neither by a hand nor by a script, in a browser with a layout or without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envs.web.backend import Action, Browser, Snapshot, Verb
from envs.web.browsers import list_installed
from envs.web.chromium import Chromium, is_installed
from envs.web.lightpanda import Lightpanda
from envs.web.miniwob import miniwob_site
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS
from envs.web.world import World


@pytest.fixture(scope="module", params=["scripted", "trusted", "lightpanda"])
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    if request.param == "lightpanda":
        if "lightpanda" not in list_installed():
            pytest.skip("needs pip install 'rl-experimenter[lightpanda]'")
        found: Browser = Lightpanda([miniwob_site()])
    else:
        if not is_installed():
            pytest.skip("no Chromium here: apt-get install chromium")
        found = Chromium([miniwob_site()], trusted=request.param == "trusted")
    yield found
    found.close()


def find(page: Snapshot, name: str, text: str = "") -> int:
    return next(e.index for e in page.elements if name in e.attributes.split() and text in e.text)


def test_an_open_list_lies_over_the_next_field(browser: Browser) -> None:
    world = World(browser)
    page = world.begin(0, WebParams(task=ALL_TASKS.index("book-flight-nodelay")))

    def write(name: str, text: str) -> Snapshot:
        return world.step(Action(verb=Verb.TYPE, element=find(page, name), text=text))

    page = write("flight-from", "New York")
    assert any("ui-menu-item-wrapper" in e.attributes for e in page.elements)
    page = write("flight-to", "Boston")
    values = {e.attributes.split()[0]: e.value for e in page.elements if e.tag == "input:text"}
    assert (values["flight-from"], values["flight-to"]) == ("New York", "")
    page = world.step(Action(verb=Verb.CLICK, element=find(page, "ui-menu-item-wrapper")))
    page = write("flight-to", "Boston")
    assert page.elements[find(page, "flight-to")].value == "Boston"


def test_a_calendar_closes_when_something_else_is_clicked(browser: Browser) -> None:
    world = World(browser)
    page = world.begin(0, WebParams(task=ALL_TASKS.index("book-flight-nodelay")))
    for other in ("search", "flight-from"):
        page = world.step(Action(verb=Verb.CLICK, element=find(page, "datepicker")))
        assert any("ui-datepicker-next" in e.attributes for e in page.elements)
        page = world.step(Action(verb=Verb.CLICK, element=find(page, other)))
        assert not any("ui-datepicker-next" in e.attributes for e in page.elements)
