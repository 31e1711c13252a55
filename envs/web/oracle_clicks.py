"""Oracles of tasks that are solved by clicking alone."""

from __future__ import annotations

from envs.web.backend import Element, Snapshot
from envs.web.oracle_tools import all_named, button, click, find, named, quoted, read, text_is
from envs.web.oracles import OracleLost, Script, oracle


@oracle("click-test", "click-test-2", "click-test-transfer")
def click_test(page: Snapshot) -> Script:
    yield click(find(page, lambda e: e.tag == "button" and e.text in ("Click Me!", "ONE"), "button"))


@oracle("click-button", "unicode-test")
def click_button(page: Snapshot) -> Script:
    yield click(text_is(page, quoted(page)[0], tags=("button",)))


@oracle("click-button-sequence")
def click_button_sequence(page: Snapshot) -> Script:
    page = yield click(text_is(page, "ONE"))
    yield click(text_is(page, "TWO"))


@oracle("click-dialog", "click-dialog-2")
def click_dialog(page: Snapshot) -> Script:
    text = quoted(page)[0]
    if text == "x":
        yield click(find(page, lambda e: "ui-dialog-titlebar-close" in e.attributes, "cross"))
    else:
        yield click(text_is(page, text, tags=("button",)))


@oracle("click-link")
def click_link(page: Snapshot) -> Script:
    link = quoted(page)[0]
    yield click(find(page, lambda e: e.text == link and "alink" in e.attributes.split(), "link"))


@oracle("click-tab")
def click_tab(page: Snapshot) -> Script:
    (number,) = read(page, r"Tab #(\d+)")
    yield click(find(page, lambda e: e.tag == "a" and e.text in (f"Tab #{number}", number), "tab"))


@oracle("click-tab-2", "click-tab-2-easy", "click-tab-2-medium", "click-tab-2-hard")
def click_tab_2(page: Snapshot) -> Script:
    """Open one tab after the other until the link shows."""
    wanted, tabs = quoted(page)[0], len([e for e in page.elements if e.tag == "a"])
    for place in range(tabs):
        link = _link(page, wanted)
        if link:
            break
        page = yield click([e for e in page.elements if e.tag == "a"][place])
    yield click(find(page, lambda e: e.text == wanted and "alink" in e.attributes, "link"))


@oracle("click-collapsible-2", "click-collapsible-2-nodelay")
def click_collapsible_2(page: Snapshot) -> Script:
    wanted = quoted(page)[0]
    for place in range(len(_headers(page))):
        if _link(page, wanted):
            break
        page = yield click(_headers(page)[place])
    yield click(find(page, lambda e: e.text == wanted and "alink" in e.attributes, "link"))


@oracle("click-collapsible", "click-collapsible-nodelay")
def click_collapsible(page: Snapshot) -> Script:
    page = yield click(_headers(page)[0])
    yield click(button(page, "Submit"))


def _headers(page: Snapshot) -> list[Element]:
    found = [e for e in page.elements if e.tag == "h3"]
    if not found:
        raise OracleLost("no section on the page")
    return found


def _link(page: Snapshot, text: str) -> Element | None:
    return next((e for e in page.elements if e.text == text and "alink" in e.attributes.split()), None)


@oracle("click-checkboxes", "click-checkboxes-large", "click-checkboxes-transfer")
def click_checkboxes(page: Snapshot) -> Script:
    (listed,) = read(page, r"Select (.*) and click")
    for name in [] if listed == "nothing" else listed.split(", "):
        box = find(page, lambda e, name=name: e.tag == "input:checkbox" and e.around == name, f"box {name!r}")  # type: ignore[misc]  # bound at once
        page = yield click(box)
    yield click(button(page, "Submit"))


@oracle("click-option")
def click_option(page: Snapshot) -> Script:
    (name,) = read(page, r"Select (.*) and click")
    page = yield click(find(page, lambda e: e.tag == "input:radio" and e.around == name, f"option {name!r}"))
    yield click(button(page, "Submit"))


@oracle("choose-list")
def choose_list(page: Snapshot) -> Script:
    (name,) = read(page, r"Select (.*) from the list")
    page = yield click(text_is(page, name, tags=("option",)))
    yield click(button(page, "Submit"))


@oracle("click-scroll-list")
def click_scroll_list(page: Snapshot) -> Script:
    (listed,) = read(page, r"Select (.*) from the scroll list")
    for name in listed.split(", "):
        page = yield click(text_is(page, name, tags=("option",)))
    yield click(button(page, "Submit"))


@oracle("click-widget")
def click_widget(page: Snapshot) -> Script:
    kind = quoted(page)[0]
    tags = {"text": "input:text", "radio": "input:radio", "checkbox": "input:checkbox"}
    tag = tags.get(kind, kind)
    yield click(find(page, lambda e: e.tag == tag, f"widget {kind!r}"))


@oracle("focus-text")
def focus_text(page: Snapshot) -> Script:
    yield click(find(page, lambda e: e.editable, "input"))


@oracle("focus-text-2")
def focus_text_2(page: Snapshot) -> Script:
    (place,) = read(page, r"the (\d)\w\w input")
    yield click([e for e in page.elements if e.editable][int(place) - 1])


@oracle("click-color")
def click_color(page: Snapshot) -> Script:
    (colour,) = read(page, r"Click on the (\w+) colored box")
    yield click(find(page, lambda e: colour in e.attributes.split(), f"colour {colour}"))


@oracle("identify-shape")
def identify_shape(page: Snapshot) -> Script:
    kinds = {"circle": "Circle", "text": "Letter", "rect": "Rectangle", "polygon": "Triangle"}
    shape = find(page, lambda e: e.tag in kinds, "shape")
    name = kinds[shape.tag]
    if shape.tag == "text":
        name = "Number" if shape.text.isdigit() else "Letter"
    yield click(button(page, name))


@oracle("grid-coordinate")
def grid_coordinate(page: Snapshot) -> Script:
    (place,) = read(page, r"coordinate (\(.*\))")
    yield click(find(page, lambda e: e.tag == "circle" and e.attributes.split()[0] == place, f"point {place}"))


@oracle("navigate-tree")
def navigate_tree(page: Snapshot) -> Script:
    """Open folders from top to bottom until the name shows."""
    name, opened = quoted(page)[0], set[str]()
    for _ in range(12):
        found = next((e for e in page.elements if e.text == name), None)
        if found:
            yield click(found)
            return
        folders = [e for e in page.elements if "folder" in e.attributes.split() and e.text not in opened]
        if not folders:
            raise OracleLost(f"{name!r} is in no folder")
        opened.add(folders[0].text)
        page = yield click(folders[0])


@oracle("ascending-numbers")
def ascending_numbers(page: Snapshot) -> Script:
    """Remember where the numbers stood: they hide behind squares after the first click."""
    numbers = sorted((e for e in page.elements if e.text.isdigit()), key=lambda e: int(e.text))
    page = yield click(numbers[0])
    for number in numbers[1:]:
        squares = [e for e in page.elements if e.tag == "rect"]
        if not squares:
            raise OracleLost("no squares on the page")
        page = yield click(min(squares, key=lambda e, n=number: _apart(e, n)))  # type: ignore[misc]  # bound at once


def _apart(one: Element, two: Element) -> float:
    """Squared distance of two boxes' centres, in pixels."""
    mine, other = ((e.box[0] + e.box[2] / 2, e.box[1] + e.box[3] / 2) for e in (one, two))
    return (mine[0] - other[0]) ** 2 + (mine[1] - other[1]) ** 2


@oracle("odd-or-even")
def odd_or_even(page: Snapshot) -> Script:
    rows = [e.index for e in page.elements if "display-number" in e.attributes.split()]
    for place in range(len(rows)):
        number = all_named(page, "display-number")[place]
        word = "even" if int(number.text) % 2 == 0 else "odd"
        page = yield click([e for e in page.elements if word in e.attributes.split()][place])
    yield click(button(page, "Submit"))


@oracle("use-spinner")
def use_spinner(page: Snapshot) -> Script:
    (number,) = read(page, r"Select (-?\d+)")
    way = "ui-spinner-up" if int(number) > 0 else "ui-spinner-down"
    for _ in range(abs(int(number))):
        page = yield click(named(page, way))
    yield click(button(page, "Submit"))


@oracle("phone-book")
def phone_book(page: Snapshot) -> Script:
    name, thing = read(page, r"Find (.*) in the contact book and click on their (\w+)")
    for _ in range(6):
        if any(e.text == name for e in page.elements):
            yield click(named(page, thing))
            return
        page = yield click(text_is(page, ">"))


@oracle("email-inbox-important")
def email_inbox_important(page: Snapshot) -> Script:
    (name,) = read(page, r"Find the email by (\w+)")
    sender = text_is(page, name)
    yield click(find(page, lambda e: "star" in e.attributes.split() and e.index > sender.index, "star"))


@oracle("email-inbox-delete")
def email_inbox_delete(page: Snapshot) -> Script:
    (name,) = read(page, r"Find the email by (\w+)")
    sender = text_is(page, name)
    yield click(find(page, lambda e: "trash" in e.attributes.split() and e.index > sender.index, "bin"))
