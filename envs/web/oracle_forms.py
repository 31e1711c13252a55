"""Oracles of tasks that need typing."""

from __future__ import annotations

import re

from envs.web.backend import Action, Snapshot, Verb
from envs.web.oracle_tools import (
    button,
    click,
    copy,
    find,
    inputs,
    named,
    quoted,
    read,
    text_is,
    write,
)
from envs.web.oracles import OracleLost, Script, oracle


@oracle("enter-text", "enter-text-dynamic")
def enter_text(page: Snapshot) -> Script:
    page = yield write(inputs(page)[0], quoted(page)[0])
    yield click(button(page, "Submit"))


@oracle("enter-text-2")
def enter_text_2(page: Snapshot) -> Script:
    word, case = read(page, r'"(.*)" in all (upper|lower) case')
    page = yield write(inputs(page)[0], word.upper() if case == "upper" else word.lower())
    yield click(button(page, "Submit"))


@oracle("enter-password")
def enter_password(page: Snapshot) -> Script:
    word = quoted(page)[0]
    page = yield write(inputs(page)[0], word)
    page = yield write(inputs(page)[1], word)
    yield click(button(page, "Submit"))


@oracle("login-user")
def login_user(page: Snapshot) -> Script:
    user, password = quoted(page)[:2]
    page = yield write(named(page, "username"), user)
    page = yield write(named(page, "password"), password)
    yield click(named(page, "subbtn"))


@oracle("login-user-popup")
def login_user_popup(page: Snapshot) -> Script:
    """Fill what is not yet filled; cancel the popup whenever it stands in the way."""
    told = dict(zip(("username", "password"), quoted(page)[:2], strict=True))
    for _ in range(8):
        cancel = next((e for e in page.elements if "popup-cancel" in e.attributes.split()), None)
        empty = [name for name, text in told.items() if named(page, name).value != text]
        if cancel:
            page = yield click(cancel)
        elif empty:
            page = yield write(named(page, empty[0]), told[empty[0]])
        else:
            yield click(named(page, "subbtn"))
            return


@oracle("sign-agreement")
def sign_agreement(page: Snapshot) -> Script:
    """Scroll the text to its end, which wakes the form up."""
    if not quoted(page):
        yield click(named(page, "cancel"))
        return
    name, choice = quoted(page)
    for _ in range(12):
        if inputs(page):
            break
        page = yield Action(Verb.SCROLL, text="down")
    page = yield write(inputs(page)[0], name)
    yield click(button(page, choice))


@oracle("enter-date")
def enter_date(page: Snapshot) -> Script:
    (date,) = read(page, r"(\d+/\d+/\d+)")
    page = yield write(inputs(page)[0], date)
    yield click(button(page, "Submit"))


@oracle("enter-time")
def enter_time(page: Snapshot) -> Script:
    (time,) = read(page, r"(\d+:\d\d ?[AP]M)")
    page = yield write(inputs(page)[0], time)
    yield click(button(page, "Submit"))


@oracle("copy-paste")
def copy_paste(page: Snapshot) -> Script:
    page = yield copy(find(page, lambda e: e.tag == "textarea", "text area"))
    page = yield write(find(page, lambda e: e.tag == "input:text", "input"), page.clipboard)
    yield click(button(page, "Submit"))


@oracle("copy-paste-2")
def copy_paste_2(page: Snapshot) -> Script:
    (place,) = read(page, r"from the (\d)\w\w text ?area")
    areas = [e for e in page.elements if e.tag == "textarea"]
    page = yield copy(areas[int(place) - 1])
    page = yield write(find(page, lambda e: e.tag == "input:text", "input"), page.clipboard)
    yield click(button(page, "Submit"))


@oracle("read-table")
def read_table(page: Snapshot) -> Script:
    (key,) = read(page, r"Enter the value of (.*) into")
    cell = text_is(page, key)
    page = yield copy(page.elements[cell.index + 1])
    page = yield write(inputs(page)[0], page.clipboard)
    yield click(button(page, "Submit"))


@oracle("read-table-2")
def read_table_2(page: Snapshot) -> Script:
    keys = [e.text.rstrip(": ") for e in page.elements if e.tag == "label"]
    for place, key in enumerate(keys):
        cell = find(page, lambda e, key=key: e.tag == "td" and e.text == key, key)  # type: ignore[misc]  # bound at once
        page = yield copy(page.elements[cell.index + 1])
        page = yield write(inputs(page)[place], page.clipboard)
    yield click(button(page, "Submit"))


@oracle("search-engine")
def search_engine(page: Snapshot) -> Script:
    word, place = read(page, r'enter "(.*)" and press .* the (\d+)\w\w search result')
    page = yield write(inputs(page)[0], word)
    page = yield click(named(page, "search"))
    number = int(place) - 1
    if number >= 3:
        page = yield click(find(page, lambda e: e.tag == "a" and e.text == str(number // 3 + 1), "page"))
    links = [e for e in page.elements if "search-title" in e.around or "search-title" in e.attributes]
    links = links or [e for e in page.elements if e.tag == "a" and not re.fullmatch(r"[<>\d]+", e.text)]
    yield click(links[number % 3])


@oracle("simple-arithmetic")
def simple_arithmetic(page: Snapshot) -> Script:
    told = find(page, lambda e: bool(re.fullmatch(r"\d+ [-+x] \d+ =", e.text)), "sum").text
    left, sign, right, _ = told.split()
    one, two = int(left), int(right)
    total = one + two if sign == "+" else one - two if sign == "-" else one * two
    page = yield write(inputs(page)[0], str(total))
    yield click(button(page, "Submit"))


@oracle("find-word")
def find_word(page: Snapshot) -> Script:
    (place,) = read(page, r"the (\d+)\w\w word")
    text = max((e.text for e in page.elements if e.tag == "p"), key=len)
    page = yield write(inputs(page)[0], re.sub(r"[.,]", "", text.split()[int(place) - 1]))
    yield click(button(page, "Submit"))


@oracle("use-autocomplete", "use-autocomplete-nodelay")
def use_autocomplete(page: Snapshot) -> Script:
    first, *rest = quoted(page)
    last = rest[0] if rest else ""
    page = yield write(inputs(page)[0], first)
    for _ in range(6):
        offered = [e for e in page.elements if e.text.startswith(first) and e.text.endswith(last) and e.tag != "input"]
        if offered:
            page = yield click(offered[0])
            yield click(button(page, "Submit"))
            return
        page = yield Action(Verb.SCROLL, text="up")  # let time pass
    raise OracleLost("nothing is offered")
