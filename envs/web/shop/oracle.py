"""The oracle of the shop: search, turn pages until a result fits, choose, buy. It sees what an agent sees and nothing else."""

from __future__ import annotations

import re

from envs.web.backend import Element, Snapshot
from envs.web.oracle_tools import all_named, click, named, quoted, read, text_is, write
from envs.web.oracles import OracleLost, Script, oracle

_OPTION = re.compile(r"with (\w+): (\w+)")


@oracle("shop-buy")
def buy(page: Snapshot) -> Script:
    """Find an item that fits, and order it in the options that are asked for."""
    words = quoted(page)[0]
    (dollars,) = read(page, r"lower than (\d+) dollars")
    options = dict(_OPTION.findall(page.instruction))
    page = yield write(named(page, "q"), words)
    page = yield write(named(page, "below"), dollars)
    page = yield click(named(page, "find"))
    while (result := _find_result(page, words, options)) is None:
        page = yield click(text_is(page, "Next page", tags=("a",)))
    page = yield click(result)
    for name, value in options.items():
        if not _is_chosen(page, name, value):
            page = yield click(_label(page, name, value))
    page = yield click(named(page, "add"))
    page = yield click(named(page, "checkout"))
    yield click(named(page, "buy"))


def _find_result(page: Snapshot, words: str, options: dict[str, str]) -> Element | None:
    for result in all_named(page, "result"):
        fits = set(words.split()) <= set(result.text.split())
        if fits and all(re.search(rf"{name}: [\w, ]*\b{value}\b", result.around) for name, value in options.items()):
            return result
    return None


def _is_chosen(page: Snapshot, name: str, value: str) -> bool:
    return any(
        e.checked and e.tag == "input:radio" and name in e.attributes.split() and e.value == value
        for e in page.elements
    )


def _label(page: Snapshot, name: str, value: str) -> Element:
    """The label that says `value` right before a choice called `name`."""
    for one, after in zip(page.elements, page.elements[1:], strict=False):
        if one.tag == "label" and one.text == value and name in after.attributes.split():
            return one
    raise OracleLost(f"no choice {name}: {value} on the page")
