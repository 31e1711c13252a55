"""Oracles of the tasks that look like applications: posts, menus, orders, tickets, forms in many layouts, mail in free words."""

from __future__ import annotations

import re
from collections.abc import Callable

from envs.web.backend import Action, Element, Snapshot, Verb
from envs.web.oracle_tools import all_named, button, click, find, inputs, named, press, read, text_is, write
from envs.web.oracles import OracleLost, Script, oracle


def _posts(page: Snapshot, user: str, icon: str) -> list[Element]:
    """The icons called `icon` of every post by `user`, in order."""
    found, mine = [], False
    for element in page.elements:
        if "username" in element.attributes.split():
            mine = element.text == user
        elif mine and icon in element.attributes.split():
            found.append(element)
    return found


@oracle("social-media")
def social_media(page: Snapshot) -> Script:
    user, action = read(page, r'For the user (@\S+), click on the "(.*)" button')
    short = {"Reply": "reply", "Retweet": "retweet", "Like": "like"}
    if action in short:
        yield click(_posts(page, user, short[action])[0])
        return
    page = yield click(_posts(page, user, "more")[0])
    yield click(find(page, lambda e: e.tag == "li" and e.text.startswith(action), action))


@oracle("social-media-all", "social-media-some")
def social_media_all(page: Snapshot) -> Script:
    action, count, user = read(page, r'Click the "(.*)" button on (all|\d+) posts? by (@\S+) and')
    icons = len(_posts(page, user, action.lower()))
    for place in range(icons if count == "all" else int(count)):
        page = yield click(_posts(page, user, action.lower())[place])
    yield click(button(page, "Submit"))


@oracle("order-food")
def order_food(page: Snapshot) -> Script:
    told = re.search(r"Order (\d+) items that are ([\w-]+)", page.instruction)
    fitting = [name for name, kinds in _dishes(page) if told and told[2] in kinds]
    wanted = fitting[:1] * int(told[1]) if told else read(page, r"each item: (.*)")[0].split(", ")
    for name in wanted:
        rest = page.elements[text_is(page, name).index :]
        page = yield click(next(e for e in rest if "add" in e.attributes.split()))
    yield click(find(page, lambda e: e.tag == "button", "button"))


def _dishes(page: Snapshot) -> list[tuple[str, set[str]]]:
    """Name and kinds of every dish on the menu."""
    found: list[tuple[str, set[str]]] = []
    for element in page.elements:
        if "item-name" in element.attributes.split():
            found.append((element.text, set()))
        elif found and element.tag == "img":
            found[-1][1].update(element.attributes.split())
    return found


@oracle("buy-ticket")
def buy_ticket(page: Snapshot) -> Script:
    (wish,) = read(page, r"ticket with the (.*)\.")
    buttons = [e for e in page.elements if e.tag == "button"]
    if "duration" in wish:
        values = [_minutes(e.text) for e in page.elements if "time-duration" in e.attributes.split()]
    else:
        values = [int(re.sub(r"\D", "", e.text)) for e in buttons]
    best: Callable[[list[int]], int] = max if wish.startswith(("longest", "most")) else min
    yield click(buttons[values.index(best(values))])


def _minutes(text: str) -> int:
    hours, minutes = re.search(r"(\d+)h", text), re.search(r"(\d+)m", text)
    return 60 * int(hours[1] if hours else 0) + int(minutes[1] if minutes else 0)


@oracle("multi-layouts", "multi-orderings")
def multi_layouts(page: Snapshot) -> Script:
    """Each input follows or precedes its label; the text around it names it."""
    genre = re.search(r"(?:for|the) (?:an? )?([\w-]+) movies?", page.instruction)
    year, director = re.search(r"\b(\d{4})\b", page.instruction), re.search(r"by ([A-Z]\w+)", page.instruction)
    if not (genre and year and director):
        raise OracleLost(f"not a search for a film: {page.instruction!r}")
    wanted = ((r"Genre", genre[1]), (r"Year|Date", year[1]), (r"Director", director[1]))
    for place in range(len(inputs(page))):
        field = inputs(page)[place]
        fitting = [text for label, text in wanted if re.search(label, field.around)]
        if len(fitting) != 1:
            raise OracleLost(f"the input says {field.around!r}")
        page = yield write(field, fitting[0])
    yield click(find(page, lambda e: e.text in ("Search", "Submit", "Go!"), "search"))


@oracle("email-inbox-forward-nl", "email-inbox-forward-nl-turk")
def email_forward(page: Snapshot) -> Script:
    """Of the names in the instruction, the one said to have written is the sender, the other gets the mail."""
    said = re.findall(r"\b([A-Z][a-z]+)(?:'s)?\b", page.instruction)
    known = {e.text for e in page.elements if "email-sender" in e.attributes.split()}
    wrote = re.search(r"(?:\bby|\bfrom) ([A-Z][a-z]+)|([A-Z][a-z]+)(?:'s\b| sent\b| wrote\b)", page.instruction)
    source = (
        next(word for word in wrote.groups() if word) if wrote else next((word for word in said if word in known), "")
    )
    others = [word for word in said if word != source and (word in known or said.index(word) > 0)] or said
    page = yield click(text_is(page, source))
    page = yield click(text_is(page, "Forward"))
    page = yield write(named(page, "forward-sender"), next((word for word in others if word in known), others[-1]))
    yield click(named(page, "send-forward"))


@oracle("terminal")
def terminal(page: Snapshot) -> Script:
    """List the files, then remove one that ends as asked."""
    ending = re.search(r"extension (\.\S+\w)", page.instruction)
    page = yield write(inputs(page)[0], "ls")
    page = yield press("Enter")
    listed = [word for e in all_named(page, "output") for word in e.text.split()]
    files = [word for word in listed if (word.endswith(ending[1]) if ending else re.fullmatch(r"[a-z]\w*", word))]
    if not files:
        raise OracleLost("no such file is listed")
    page = yield write(inputs(page)[0], f"rm {files[-1]}")
    yield press("Enter")


@oracle("stock-market")
def stock_market(page: Snapshot) -> Script:
    (limit,) = read(page, r"less than \$([\d.]+\d)")
    for _ in range(60):
        price = named(page, "stock-price").text
        if price and float(price.strip("$")) <= float(limit):
            yield click(named(page, "buy"))
            return
        page = yield press("Escape")


_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


@oracle("tic-tac-toe")
def tic_tac_toe(page: Snapshot) -> Script:
    """Win, else block, else fork, else the middle, a corner, a side. Not every game can be won."""
    for _ in range(5):
        cells = [find(page, lambda e, n=n: f"ttt-{n}" in e.attributes.split(), f"cell {n}") for n in range(9)]  # type: ignore[misc]
        marks = ["x" if "mark-x" in e.attributes else "o" if "mark-o" in e.attributes else "" for e in cells]
        page = yield click(cells[_best_cell(marks)])


def _best_cell(marks: list[str]) -> int:
    def completing(sign: str) -> list[int]:
        return [
            n
            for n in range(9)
            if not marks[n] and any(n in line and all(marks[m] == sign for m in line if m != n) for line in _LINES)
        ]

    def forks(n: int) -> int:
        return sum(
            n in line and "o" not in [marks[m] for m in line] and "x" in [marks[m] for m in line] for line in _LINES
        )

    free = [n for n in range(9) if not marks[n]]
    for ready in (completing("x"), completing("o")):
        if ready:
            return ready[0]
    return max(free, key=lambda n: (forks(n) >= 2, n == 4, n % 2 == 0, forks(n), -n))


@oracle("guess-number")
def guess_number(page: Snapshot) -> Script:
    low, high = 0, 9
    for _ in range(5):
        guess = (low + high) // 2
        page = yield write(inputs(page)[0], str(guess))
        page = yield click(button(page, "Submit"))
        told = " ".join(e.text for e in page.elements)
        lower, higher = "number is lower" in told, "number is higher" in told
        low, high = (low, guess - 1) if lower else (guess + 1, high) if higher else (low, high)


@oracle("scroll-text-2")
def scroll_text_2(page: Snapshot) -> Script:
    for _ in range(8):
        page = yield Action(Verb.SCROLL, text="down")
    yield click(button(page, "Submit"))


@oracle("form-sequence-2")
def form_sequence_2(page: Snapshot) -> Script:
    radio, number, place = read(page, r'the (\d)\w\w radio button and enter the number "(-?\d+)" into the (\d)\w\w')
    page = yield click([e for e in page.elements if e.tag == "input:radio"][int(radio) - 1])
    page = yield write(inputs(page)[int(place) - 1], number)
    yield click(button(page, "Submit"))


@oracle("form-sequence-3")
def form_sequence_3(page: Snapshot) -> Script:
    choice, label = read(page, r'Choose (.*) from the dropdown, then click the button labeled "(.*)"')
    page = yield click(named(page, "label"))
    page = yield click(find(page, lambda e: e.tag == "li" and e.text == choice, f"choice {choice!r}"))
    yield click(button(page, label))
