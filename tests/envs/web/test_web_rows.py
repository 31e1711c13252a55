"""Rows of elements are remembered from step to step: what is remembered must be what a fresh encoding gives. No browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.web import encoding, instruction
from envs.web.actions import SLOTS
from envs.web.backend import Element, Snapshot, read_snapshot
from envs.web.encoding import PRESENT, encode_page, rows_of

ROWS = [
    ["span", "", "", "trash", "Corene Lorem. Reply", 1, 0, 0, 1, 2, 3, 4],
    ["div", "Corene", "", "email-sender", "Corene Lorem.", 0, 0, 0, 1, 20, 3, 4],
    ["input:text", "", "wV", "username", "User", 3, 0, 0, 1, 40, 3, 4],
    ["input:checkbox", "", "on", "ch0", "Lorem", 1, 0, 0, 1, 60, 3, 4],
    ["circle", "", "", "red", "", 1, 0, 0, 5, 5, 10, 10],
    ["td", "$12", "", "price", "12", 0, 0, 0, 1, 80, 3, 4],
    ["td", "$7", "", "price", "7", 0, 0, 0, 1, 90, 3, 4],
]
ASKED = (
    'Delete the email by Corene, then type "wV" into the username.',
    "Click the 2nd cheapest price and the red circle on 12/07/2016.",
)


def make_page(rows: list[list[object]], asked: str, clipboard: str = "") -> Snapshot:
    told = {"u": asked, "e": rows, "d": False, "r": 0, "t": 0, "c": clipboard, "y": True}
    return read_snapshot(told)


def vary(rng: np.random.Generator) -> list[list[object]]:
    """The page after something was done to it: flags, counts, values and order may all have changed."""
    rows: list[list[object]] = [list(ROWS[place]) for place in rng.permutation(len(ROWS))[: rng.integers(1, 8)]]
    for row in rows:
        row[5] = int(rng.integers(128))
        row[6], row[7] = int(rng.integers(5)), int(rng.integers(5))
        row[2] = str(rng.choice(["", "wV", "Corene"]))
    return rows


def forget() -> None:
    for module in (encoding, instruction):
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


def test_a_remembered_row_is_a_fresh_row() -> None:
    rng = np.random.default_rng(0)
    pages = [make_page(vary(rng), str(rng.choice(ASKED)), str(rng.choice(["", "wV", "Corene"]))) for _ in range(60)]
    warm = [encode_page(page, page.elements, 0.5) for page in pages]
    for page, seen in zip(pages, warm, strict=True):
        forget()
        np.testing.assert_array_equal(encode_page(page, page.elements, 0.5), seen)


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({"checked": True}, {13: 1.0}),
        ({"disabled": True}, {14: 1.0}),
        ({"focused": True}, {15: 1.0}),
        ({"scrollable": True}, {16: 1.0}),
        ({"last": True}, {17: 1.0}),
        ({"clicks": 2}, {18: 2 / 3, 20: 1.0}),
        ({"typed": 4}, {19: 1.0, 21: 1.0}),
        ({"index": 9}, {}),
    ],
)
def test_what_is_done_to_an_element_changes_its_own_columns_only(
    change: dict[str, int], columns: dict[int, float]
) -> None:
    page = make_page([list(ROWS[0])], ASKED[0])
    still = page.elements[0]
    still = replace(still, clicks=0, typed=0)
    before = rows_of(encode_page(page, (still,), 0.0))[0].copy()
    after = rows_of(encode_page(page, (replace(still, **change),), 0.0))[0]  # type: ignore[arg-type]  # whole numbers and flags
    assert {int(c): pytest.approx(float(after[c])) for c in np.flatnonzero(after != before)} == columns
    assert after[PRESENT] == 1.0


def test_an_element_that_stays_is_the_same_record() -> None:
    first, second = make_page([list(row) for row in ROWS], ASKED[0]), make_page([list(row) for row in ROWS], ASKED[1])
    assert all(one is other for one, other in zip(first.elements, second.elements, strict=True))
    moved: Element = make_page([["p", "x", "", "", "", 0, 0, 0, 0, 0, 0, 0], list(ROWS[0])], ASKED[0]).elements[1]
    assert moved.index == 1 and replace(moved, index=0) == first.elements[0]


def test_encoding_does_not_write_into_what_it_remembers() -> None:
    page = make_page([list(row) for row in ROWS], ASKED[0])
    first = encode_page(page, page.elements, 0.0)
    kept = first.copy()
    first[:] = -5.0
    np.testing.assert_array_equal(encode_page(page, page.elements, 0.0), kept)
    assert rows_of(kept)[len(ROWS) : SLOTS].sum() == 0.0
