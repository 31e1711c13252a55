"""Oracles of tasks with a calendar, and of the flight form."""

from __future__ import annotations

import re

from envs.web.backend import Element, Snapshot
from envs.web.oracle_tools import button, click, find, named, read, write
from envs.web.oracles import OracleLost, Script, oracle

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905  # shorter so
)


def _turn(page: Snapshot, month: int) -> Element | None:
    """What to click to get the open calendar nearer to `month`; None when it shows it. All tasks stay in one year."""
    shown = find(page, lambda e: e.text in _MONTHS, "calendar").text
    now = _MONTHS.index(shown) + 1
    if now == month:
        return None
    return named(page, "ui-datepicker-next" if now < month else "ui-datepicker-prev")


def _day(page: Snapshot, day: int) -> Element:
    return find(
        page, lambda e: e.tag == "a" and e.text == str(day) and "ui-state-default" in e.attributes, f"day {day}"
    )


@oracle("choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay")
def choose_date(page: Snapshot) -> Script:
    month, day = (int(part) for part in read(page, r"(\d+)/(\d+)/\d+"))
    page = yield click(named(page, "datepicker"))
    while (arrow := _turn(page, month)) is not None:
        page = yield click(arrow)
    page = yield click(_day(page, day))
    yield click(button(page, "Submit"))


@oracle("book-flight", "book-flight-nodelay")
def book_flight(page: Snapshot) -> Script:
    """Both airports from their lists, the date from the calendar, then the best flight that is offered."""
    wish, start, goal, month, day = read(page, r"Book the (\w+) .*from: (.*) to: (.*) on (\d+)/(\d+)/")
    for name, place in (("flight-from", start), ("flight-to", goal)):
        page = yield write(named(page, name), place)
        for _ in range(4):
            offered = [e for e in page.elements if place in e.text and "ui-menu-item" in e.attributes]
            if offered:
                break
            page = yield click(named(page, name))  # the list comes a moment later
        if not offered:
            raise OracleLost(f"{place!r} is not offered")
        page = yield click(offered[0])
    page = yield click(named(page, "datepicker"))
    while (arrow := _turn(page, int(month))) is not None:
        page = yield click(arrow)
    page = yield click(_day(page, int(day)))
    page = yield click(named(page, "search"))
    buttons = [e for e in page.elements if "flight-price" in e.attributes.split()]
    if not buttons:
        raise OracleLost("no flight is offered")
    costs = [_price(e) for e in buttons] if wish == "cheapest" else _durations(page)
    yield click(buttons[costs.index(min(costs))])


def _price(element: Element) -> int:
    return int(re.sub(r"\D", "", element.text or element.around))


def _durations(page: Snapshot) -> list[int]:
    """Minutes of each flight, in order."""
    found = [e for e in page.elements if "time-duration" in e.attributes.split()]
    return [
        60 * int((re.search(r"(\d+)h", e.text) or ["", "0"])[1]) + int((re.search(r"(\d+)m", e.text) or ["", "0"])[1])
        for e in found
    ]
