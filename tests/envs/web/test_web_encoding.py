"""Instruction fields, numbered actions, masks and the observation, on pages made by hand. No browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.web import actions
from envs.web.actions import COUNT, KEYS, SLOTS, decode, encode, mask_of, shown
from envs.web.backend import Action, BrowserError, Element, Snapshot, Verb, read_snapshot
from envs.web.clutter import clutter_words
from envs.web.encoding import (
    FIELD,
    INSTRUCTION,
    IS_ASKED,
    IS_PHRASE,
    IS_SAID,
    NAMED,
    PAIR,
    PAIRS,
    PLAIN,
    SIZE,
    SPENT,
    TAIL,
    WIDTH,
    Float32,
    encode_page,
    hashed,
    masks_of,
    rows_of,
)
from envs.web.instruction import FIELDS, amount_of, day_of, fields_of, marks_of, ordinal_of, template_of, tokens_of
from envs.web.measures import VARIABLES, measure
from envs.web.miniwob import TASKS, is_fresh, is_success, page_of

BUTTON = Element(
    index=0, tag="button", text="Login", value="", attributes="subbtn", around="", interactive=True, editable=False,
    checked=False, disabled=False, focused=False, scrollable=False, clicks=0, typed=0, last=False, box=(1.0, 2.0, 3.0, 4.0),
)  # fmt: skip
INPUT = replace(BUTTON, index=1, tag="input:text", text="", attributes="username", editable=True)
TEXT = replace(BUTTON, index=2, tag="td", text="cierra", interactive=False)
LOGIN = 'Enter the username "cierra" and the password "wV" into the text fields and press login.'


def make_page(*elements: Element, **overrides: object) -> Snapshot:
    page = Snapshot(LOGIN, elements or (BUTTON, INPUT, TEXT), ended=False, raw_reward=0.0, clock_ms=0.0)
    return replace(page, **overrides)  # type: ignore[arg-type]  # any field may be given


@pytest.mark.parametrize(
    ("instruction", "first"),
    [
        (LOGIN, ("cierra", "wV")),
        ("Book the cheapest one-way flight from: Anvik, AK to: NYC on 12/23/2016.", ("12/23/2016", "Anvik, AK", "NYC")),
        ("Find the email by Trixi and forward that email to Brit.", ("Trixi", "Brit")),
        ('Enter the value "a" at 3:30 PM.', ("a", "3:30 PM")),
    ],
)
def test_fields_are_what_may_have_to_be_typed(instruction: str, first: tuple[str, ...]) -> None:
    fields = fields_of(instruction)
    assert set(first) <= set(fields) and fields[0] == first[0] and len(fields) <= FIELDS


def test_actions_are_laid_out_as_documented() -> None:
    assert (48, 96, 96 + 9 * 48, 96 + 9 * 48 + 2 + len(KEYS) + 1) == (actions.COPY, actions.TYPE, actions.SCROLL, COUNT)
    page = make_page(clipboard="kept")
    slots = shown(page)
    assert decode(0, page, slots) == Action(Verb.CLICK, 0)
    assert decode(SLOTS + 2, page, slots) == Action(Verb.COPY, 2)
    assert decode(96 + 1, page, slots) == Action(Verb.TYPE, 1, "cierra")
    assert decode(96 + 48 + 1, page, slots) == Action(Verb.TYPE, 1, "wV")
    assert decode(96 + 8 * 48 + 1, page, slots) == Action(Verb.TYPE, 1, "kept")
    assert decode(96 + 0, page, slots) is None  # a button takes no text
    assert decode(3, page, slots) is None  # an empty slot
    assert decode(COUNT - 1, page, slots) == Action(Verb.DONE)


def test_every_allowed_number_survives_the_way_there_and_back() -> None:
    page = make_page(clipboard="kept")
    slots = shown(page)
    for number in np.flatnonzero(mask_of(page, slots, may_declare=True)).tolist():
        action = decode(number, page, slots)
        assert action is not None and encode(action, page, slots) == number


def test_masks_allow_exactly_what_can_change_something() -> None:
    page = make_page(BUTTON, replace(INPUT, value="x"), replace(TEXT, disabled=True))
    mask = mask_of(page, shown(page), may_declare=False)
    assert np.flatnonzero(mask[:SLOTS]).tolist() == [0, 1]
    assert np.flatnonzero(mask[SLOTS : 2 * SLOTS]).tolist() == [0, 1, 2]
    typed = mask[2 * SLOTS : 2 * SLOTS + 9 * SLOTS].reshape(9, SLOTS)
    assert typed[: len(fields_of(LOGIN)), 1].all() and typed.sum() == len(fields_of(LOGIN)) and not typed[8].any()
    assert not mask[-1] and mask_of(page, shown(page), may_declare=True)[-1]


def test_large_pages_show_what_can_be_acted_on_in_the_page_s_order() -> None:
    plain = [replace(TEXT, index=place, text="lorem") for place in range(60)]
    plain[59] = replace(BUTTON, index=59)
    plain[58] = replace(TEXT, index=58, text="cierra")
    chosen = shown(make_page(*plain))
    assert len(chosen) == SLOTS and [e.index for e in chosen][-2:] == [58, 59]
    assert [e.index for e in chosen] == sorted(e.index for e in chosen)


@pytest.mark.parametrize("told", ["29h 58m", "$1,049", "November"])
def test_large_pages_show_the_measures_that_a_page_is_compared_or_steered_by(told: str) -> None:
    """A calendar's month and a flight's duration are neither pressed nor named by the instruction, and decide all the same."""
    plain = [replace(BUTTON, index=place, tag="a", text="", attributes="") for place in range(60)]
    for place in range(0, 60, 3):
        plain[place] = replace(TEXT, index=place, text="lorem")
    plain[57] = replace(TEXT, index=57, text=told)
    assert plain[57] in shown(make_page(*plain))
    beside = [replace(TEXT, index=place, text="lorem", around="lorem cierra ipsum") for place in range(60)]
    beside[57] = replace(TEXT, index=57, text=told)
    assert beside[57] in shown(make_page(*beside))


def test_the_observation_has_a_row_an_element_and_zeros_elsewhere() -> None:
    page = make_page()
    flat = encode_page(page, shown(page), 0.5)
    rows = rows_of(flat)
    assert flat.shape == (SIZE,) == (SLOTS * WIDTH + TAIL,) and flat.dtype == np.float32 and np.abs(flat).max() <= 10
    assert rows[:3, 0].tolist() == [1.0, 1.0, 1.0] and not rows[3:].any()
    assert flat[SLOTS * WIDTH + SPENT] == 0.5
    moved = make_page(*(replace(e, box=(9.0, 9.0, 9.0, 9.0)) for e in page.elements))
    assert np.array_equal(flat, encode_page(moved, shown(moved), 0.5)), "places of plain elements depend on the layout"


def pairs_of(page: Snapshot) -> Float32:
    """[SLOTS, PAIRS, PAIR]."""
    flat = encode_page(page, shown(page), 0.0)
    return rows_of(flat)[:, PLAIN:].reshape(SLOTS, PAIRS, PAIR)


def test_pairs_tell_which_field_belongs_to_which_element() -> None:
    password = replace(INPUT, index=3, attributes="password", value="cierra")
    pairs = pairs_of(make_page(BUTTON, INPUT, TEXT, password, clipboard="cierra"))
    assert [mark.context[-1] for mark in marks_of(LOGIN)] == ["username", "password"]
    assert pairs[1, :2, NAMED].tolist() == [1.0, 0.0] and pairs[3, :2, NAMED].tolist() == [0.0, 1.0]
    assert pairs[2, 0, 0] == 1.0, "the text is the first field"
    assert pairs[3, :2, 1].tolist() == [1.0, 0.0], "the first field stands in it"
    assert pairs[3, 0, 5] == 1.0, "next to the element that says the first field"
    assert pairs[2, FIELDS, 0] == 1.0 and not pairs[:, 2:FIELDS].any(), "the clipboard is the last"


def test_the_tail_tells_the_fields_and_what_became_of_them() -> None:
    page = make_page(BUTTON, replace(INPUT, value="cierra"))
    fields = encode_page(page, shown(page), 0.0)[SLOTS * WIDTH + INSTRUCTION :].reshape(PAIRS, FIELD)
    assert fields[:, 0].tolist() == [1.0, 1.0] + [0.0] * 7 and fields[:2, -3].tolist() == [1.0, 0.0]
    copied = make_page(clipboard="wV")
    fields = encode_page(copied, shown(copied), 0.0)[SLOTS * WIDTH + INSTRUCTION :].reshape(PAIRS, FIELD)
    assert fields[FIELDS, 0] == 1.0 and fields[:2, -1].tolist() == [0.0, 1.0]


def test_masks_can_be_read_from_observations_alone() -> None:
    pages = [
        make_page(),
        make_page(clipboard="kept"),
        make_page(BUTTON, replace(INPUT, value="x", disabled=True, editable=False), replace(TEXT, disabled=True)),
        make_page(BUTTON, INPUT, instruction="Find the email by Trixi and forward that email to Brit."),
        make_page(*(replace(TEXT, index=place, text="lorem") for place in range(60))),
    ]
    for declares in (False, True):
        flat = np.stack([encode_page(page, shown(page), 0.3, may_declare=declares) for page in pages])
        expected = np.stack([mask_of(page, shown(page), may_declare=declares) for page in pages])
        assert np.array_equal(masks_of(flat), expected)


def test_an_instruction_that_quotes_has_no_other_words_to_type() -> None:
    assert fields_of(LOGIN) == ("cierra", "wV")
    assert fields_of('Type "Ab" in all upper case letters.') == ("Ab", "AB")
    assert "delete" in fields_of("Find the email by Trixi and delete it.")


def test_what_else_an_instruction_says() -> None:
    assert ordinal_of("click the 7th search result") == 7 and ordinal_of('type "2nd"') == 0
    assert day_of("on 12/03/2016.") == (12, 3) and day_of("today") == (0, 0)
    assert tokens_of(template_of(LOGIN)) == tokens_of(
        "Enter the username and the password into the text fields and press login"
    )
    other = LOGIN.replace("cierra", "bo").replace("wV", "zz")
    assert template_of(other) == template_of(LOGIN)


def test_a_lookalike_of_what_is_quoted_is_not_named() -> None:
    texts = ("sed", "Sed.", "sed.", "tabs")
    page = make_page(
        *(replace(BUTTON, index=place, text=text) for place, text in enumerate(texts)),
        instruction='Switch between the tabs to find and click on the link "sed.".',
    )
    assert rows_of(encode_page(page, shown(page), 0.0))[:4, IS_PHRASE].tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("instruction", "tag", "attributes", "said"),
    [
        ("Find the email by Ella and click the star icon.", "span", "star", True),
        ("Find the email by Ella and click the star icon.", "span", "trash", False),
        ('Click on a "textarea" widget.', "textarea", "", True),
        ('Click on a "textarea" widget.', "input:text", "", False),
        ("Click on a link.", "a", "", False),
        ("Click on the grid coordinate (1,-2).", "circle", "(1,-2) blue", True),
        ("Click on the grid coordinate (1,-2).", "circle", "(1,2) blue", False),
        ("Click on the grid coordinate (1,-2).", "circle", "(-1,-2) blue", False),
    ],
)
def test_an_element_whose_attributes_or_tag_the_instruction_says_is_marked(
    instruction: str, tag: str, attributes: str, said: bool
) -> None:
    page = make_page(replace(BUTTON, tag=tag, text="", attributes=attributes), instruction=instruction)
    assert bool(rows_of(encode_page(page, shown(page), 0.0))[0, IS_SAID]) is said


def test_amounts_are_read_from_texts() -> None:
    told = {"Book flight for $1,220": 1220.0, "5h 20m": 320.0, "45m": 45.0, "12": 12.0, "3 of 4": None, "lorem": None}
    assert {text: amount_of(text) for text in told} == told


def test_the_least_and_greatest_of_a_sort_and_the_calendar_are_marked() -> None:
    prices = [replace(BUTTON, index=place, text=f"Book for ${price}") for place, price in enumerate((220, 482, 65))]
    page = make_page(*prices, instruction="Book the cheapest flight on 12/23/2016.")
    rows = rows_of(encode_page(page, shown(page), 0.0))
    least, greatest = rows[:3, PLAIN - 4], rows[:3, PLAIN - 3]
    assert least.tolist() == [0.0, 0.0, 1.0] and greatest.tolist() == [0.0, 1.0, 0.0]
    # what follows an extreme is told so: the button beside the longest duration
    assert rows[:3, PLAIN - 2].tolist() == [0.0, 0.0, 0.0] and rows[:3, PLAIN - 1].tolist() == [0.0, 0.0, 1.0]
    calendar = [replace(TEXT, index=place, text=text) for place, text in enumerate(("23", "October", "December 2016"))]
    page = make_page(*calendar, instruction="Book the cheapest flight on 12/23/2016.")
    seen = rows_of(encode_page(page, shown(page), 0.0))[:3, 39:43]
    assert seen.tolist() == [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("instruction", "asked"),
    [
        ("Book the cheapest flight.", [2]),  # the price is on the button itself
        ("Book the shortest flight.", [4, 5]),  # the duration, and the button behind it
        ("Book the longest flight.", [1, 2]),
        (
            "Pick the card with the greatest number.",
            [1, 2, 5],
        ),  # of every sort: the first duration, the second price
        ("Pick the 2nd button.", [3, 4, 5]),  # the second of every sort
        ('Enter "the cheapest" into the field.', []),
        ("Book a flight.", []),
    ],
)
def test_the_extreme_that_the_instruction_asks_for_is_marked(instruction: str, asked: list[int]) -> None:
    told = (
        ("note", "lorem"), ("time", "9h 5m"), ("price", "Book for $65"), ("note", "ipsum"), ("time", "2h"), ("price", "Book for $80"),
    )  # fmt: skip
    elements = [
        replace(TEXT, index=place, tag="button" if sort == "price" else "div", text=text, attributes=sort)
        for place, (sort, text) in enumerate(told)
    ]
    page = make_page(*elements, instruction=instruction)
    rows = rows_of(encode_page(page, shown(page), 0.0))
    assert np.flatnonzero(rows[:6, IS_ASKED]).tolist() == asked


def test_hashes_are_the_same_in_every_process() -> None:
    import zlib

    code = zlib.crc32(b"cierra")
    expected = [0.0] * 8
    expected[code % 8] = 1.0 if code >> 16 & 1 else -1.0
    assert list(hashed("Cierra!", 8)) == expected and tokens_of("It's 3.5") == ("it's", "3", "5")


def test_measures_tell_what_was_done() -> None:
    before = make_page()
    after = make_page(BUTTON, replace(INPUT, value="cierra"), TEXT)
    told = measure(after, before, Action(Verb.TYPE, 1, "cierra"), 1)
    assert [told[name] for name in ("fields_entered", "inputs_filled", "typed", "clicked", "idle")] == [0.5, 1, 1, 0, 0]
    idle = measure(before, before, Action(Verb.CLICK, 2), 2)
    assert (idle["idle"], idle["words_touched"], idle["steps"]) == (1.0, 1.0, 2.0)
    assert list(told) == [variable.name for variable in VARIABLES]


def test_an_answer_in_no_known_form_is_a_failure_of_the_browser() -> None:
    with pytest.raises(BrowserError, match="no known form"):
        read_snapshot({"u": "x", "e": [[1, 2]]})


def test_tasks_and_their_judgement() -> None:
    assert len(TASKS) == 125 and list(TASKS) == sorted(TASKS) and page_of("a-b") == "/miniwob/a-b.html"
    assert is_success("click-test", 1.0) and not is_success("click-test", 0.95) and is_success("bisect-angle", 0.95)
    assert is_fresh("click-pie") and not is_fresh("login-user")


def test_clutter_is_seeded_and_meaningless() -> None:
    assert clutter_words(1, 3) == clutter_words(1, 3) != clutter_words(2, 3)
    assert clutter_words(1, 5)[:3] == clutter_words(1, 3) and clutter_words(1, 0) == []
