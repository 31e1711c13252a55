"""How much of a known solution a page shows: matched goal steps over goal steps, the potential of Gur et al. 2019 (arXiv 1812.09195).

The solution is an oracle's. A step of it is matched when everything that it added to the page then (a value typed, a box ticked,
text that appeared) is on the page now, or when a later step is matched after which, in the solution too, that had gone again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from envs.web.backend import Snapshot

Fact = tuple[str, ...]


class Solution:
    """The pages that a solution led through, the first before its first step. The last step, which ends the episode, has no page."""

    def __init__(self, pages: Sequence[Snapshot]) -> None:
        shown = [facts_of(page) for page in pages]
        self._added = [after - before for before, after in itertools.pairwise(shown)]
        self._gone = [
            [early for early in range(late) if not self._added[early] <= shown[late + 1]]
            for late in range(len(self._added))
        ]

    @property
    def steps(self) -> int:
        """Steps of the solution, the one that ends it included."""
        return len(self._added) + 1

    def share(self, page: Snapshot) -> float:
        """Part of the steps that `page` shows, 0 to below 1."""
        now = facts_of(page)
        matched = {place for place, added in enumerate(self._added) if added and added <= now}
        for late in tuple(matched):
            matched.update(self._gone[late])
        return len(matched) / self.steps


def facts_of(page: Snapshot) -> frozenset[Fact]:
    """What a page shows, without places and without what the agent did: texts, values, ticks, the clipboard."""
    facts: set[Fact] = {("clipboard", page.clipboard)} if page.clipboard else set()
    for element in page.elements:
        name = (element.tag, element.text, element.attributes)
        facts.add(("shown", *name))
        if element.value:
            facts.add(("value", element.tag, element.attributes, element.value))
        if element.checked:
            facts.add(("ticked", *name, element.around))
    for place, part in enumerate(page.parts):
        if part.ended:
            facts.add(("done", str(place)))
    return frozenset(facts)
