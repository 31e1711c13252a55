"""The catalog: unknown names, near matches, families that cannot be loaded."""

from __future__ import annotations

import pytest

from envs import catalog


def test_unknown_names_get_the_nearest_match() -> None:
    with pytest.raises(ValueError, match=r"unknown environment family 'waker'. Did you mean 'walker'\?"):
        catalog.get_family("waker")


def test_built_in_families_are_listed() -> None:
    assert {"walker", "gym"} <= set(catalog.list_families())


@pytest.mark.parametrize("target", ["no_such_module_here:make", "envs.task:no_such_function"])
def test_a_family_that_cannot_be_loaded_is_one_line(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog._BUILT_IN, "broken", target)
    with pytest.raises(ValueError, match="'broken' cannot be loaded from") as refusal:
        catalog.get_family("broken")
    assert "\n" not in str(refusal.value)
