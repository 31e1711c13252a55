from __future__ import annotations

import pytest
from curriculum_toys import TARGET, make_card

from experimenter.curricula.space import Span, make_space
from experimenter.errors import UsageError


def test_zero_is_easy_and_one_the_target_whichever_way_that_runs() -> None:
    space = make_space(make_card(), TARGET)
    assert [axis.name for axis in space.axes] == ["height", "spacing"]
    assert space.params([0.0, 0.0]) == {"height": 0.0, "spacing": 4.0, "count": 3}
    assert space.params([1.0, 1.0]) == {"height": 4.0, "spacing": 0.0, "count": 3}
    assert space.params([0.25, 0.25]) == {"height": 1.0, "spacing": 3.0, "count": 3}


def test_unit_is_the_inverse_of_params() -> None:
    space = make_space(make_card(), TARGET)
    assert space.unit(space.params([0.3, 0.8])) == pytest.approx([0.3, 0.8])


def test_whole_numbers_stay_whole() -> None:
    space = make_space(make_card(), {"count": 6})
    assert [space.params([unit])["count"] for unit in (0.0, 0.4, 0.6, 1.0)] == [3, 4, 5, 6]
    assert type(space.params([0.4])["count"]) is int


def test_full_span_takes_the_cards_bounds_of_its_difficulty_axes() -> None:
    space = make_space(make_card(), {"height": 2.0}, Span.FULL)
    assert [(axis.name, axis.start, axis.end) for axis in space.axes] == [("height", 0.0, 4.0)]
    assert [axis.name for axis in make_space(make_card(), {"spacing": 2.0}, Span.FULL).axes] == ["height", "spacing"]


def test_an_outcome_that_lacks_an_axis_is_refused() -> None:
    with pytest.raises(UsageError, match="without 'spacing'"):
        make_space(make_card(), TARGET).unit({"height": 1.0})
