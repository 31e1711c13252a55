"""Cells of a task space: written choices, cuts of axes, bands; and what is expected in each."""

from __future__ import annotations

import numpy as np
import pytest
from curriculum_toys import TARGET, make_card

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.curricula.cells import Bins, CellValues, make_cells, parse_choices
from experimenter.errors import UsageError

RNG = np.random.default_rng(0)


def test_axes_are_cut_into_equal_bins_and_whole_numbers_into_themselves() -> None:
    cells = make_cells(make_card(), {"height": 4.0, "count": 6}, "", 4)
    # height 0 to 4 in four bins, count 3 to 6 in its four values
    assert cells.axes == (Bins(4, exact=False), Bins(4, exact=True)) and len(cells) == 16
    assert cells.find({"height": 0.5, "count": 3, "spacing": 4.0}) == 0
    assert cells.find({"height": 3.2, "count": 4, "spacing": 4.0}) == 3 * 4 + 1
    assert cells.find({"height": 4.0, "count": 6, "spacing": 4.0}) == 15
    assert cells.target() == {"height": 4.0, "spacing": 4.0, "count": 6}


def test_a_draw_lies_in_its_cell() -> None:
    for cells in (make_cells(make_card(), TARGET, "", 5), make_cells(make_card(), TARGET, "count=1|2|9", 4)):
        for cell in range(len(cells)):
            assert {cells.find(cells.draw(cell, RNG)) for _ in range(5)} == {cell}


def test_choices_multiply_and_leave_the_axes() -> None:
    cells = make_cells(make_card(), {"height": 4.0, "count": 6}, "count=1|9;spacing=0|2", 3)
    assert len(cells) == 4 * 3 and [axis.name for axis in cells.space.axes] == ["height"]
    drawn = cells.draw(5, RNG)  # the second combination, its last bin
    assert (drawn["count"], drawn["spacing"]) == (1, 2.0) and 8 / 3 <= float(drawn["height"]) <= 4
    assert cells.find({"height": 0.0, "count": 5, "spacing": 0.0}) is None
    assert cells.target()["count"] == 6


def test_too_many_cells_become_bands_of_the_mean() -> None:
    cells = make_cells(make_card(), {"height": 4.0, "spacing": 0.0, "count": 9}, "", 16)
    assert len(cells) == 16 and cells.axes == ()
    for cell in (0, 7, 15):
        unit = cells.space.unit(cells.draw(cell, RNG))
        assert np.all((unit >= 0) & (unit <= 1)) and abs(float(unit.mean()) - (cell + 0.5) / 16) < 0.15


def test_words_of_the_card_name_choices() -> None:
    card = get_family("web").card()
    words = next(parameter.words for parameter in card.params if parameter.name == "task")
    parsed = parse_choices(card, "task=login-user|click-link; page_size=0|5")
    assert parsed == {"task": [words["login-user"], words["click-link"]], "page_size": [0, 5]}
    assert all(type(value) is int for value in parsed["task"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("count=one|2", "cannot read the choice count='one'; write numbers, or words of the card"),
        ("cuont=1", "Did you mean 'count'"),
        ("count=1|12", "count = 12.0 is not from 0 to 9"),
    ],
)
def test_bad_choices_are_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make_cells(make_card(), TARGET, text, 4)
    assert "\n" not in str(caught.value)


def test_values_start_as_plain_means_and_what_is_heard_goes_first() -> None:
    values = CellValues(2, 0.25)
    assert values.get(0) is None
    for score in (1.0, 0.0, 0.0, 1.0):
        values.update(0, score)
    assert values.get(0) == pytest.approx(0.5)
    values.update(0, 1.0)  # from the fourth on, a quarter of the way: 0.5 + 0.25 * 0.5
    assert values.get(0) == pytest.approx(0.625)
    values.hear(0, 0.9)
    values.hear(0, 1.7)  # clipped to 1: 0.9 + 0.25 * 0.1
    assert values.get(0) == pytest.approx(0.925) and values.get(1) is None


def test_constant_space_is_one_cell() -> None:
    params: dict[str, ParamValue] = {"height": 0.0, "spacing": 4.0, "count": 3}
    cells = make_cells(make_card(), {}, "", 6)
    assert len(cells) == 1 and cells.draw(0, RNG) == params and cells.find(params) == 0
