"""What a customer is asked to buy: drawn from a seed so that some item of the catalogue is right, said in words, judged by SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from envs.web.shop.store import Store

WAY = "Add it to the cart, go to the checkout and place the order."
"""What an instruction with guidance says beside the wish."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A wish: a kind with attributes, in options, cheaper than a price."""

    kind: str
    department: str
    attributes: tuple[str, ...]
    options: dict[str, str]
    dollars: int
    """The price has to be lower than this."""

    @property
    def instruction(self) -> str:
        """The wish in words; what to search for stands in quotes."""
        options = "".join(f", with {name}: {value}" for name, value in self.options.items())
        return f'Find me a "{" ".join((*self.attributes, self.kind))}"{options}, with a price lower than {self.dollars} dollars, and buy it.'


def draw_goal(store: Store, asked: int, rng: np.random.Generator) -> Goal:
    """A wish with `asked` (1 to 4) attributes and options, attributes first; one item at least fulfils it."""
    item = store.pick(int(rng.integers(1 << 30)))
    names = rng.permutation(sorted(item.options))[: asked // 2].tolist()
    return Goal(
        kind=item.kind,
        department=item.department,
        attributes=tuple(sorted(item.attributes[:2][: (asked + 1) // 2], key=item.attributes.index)),
        options={name: str(rng.choice(item.options[name])) for name in sorted(names)},
        dollars=10 * (item.cents // 1000 + 1),
    )


def score(store: Store, goal: Goal) -> float | None:
    """WebShop's reward of what was bought, 0 to 1, by reward.sql; None while nothing has been bought."""
    row = store.ask(
        _load_sql(),
        {
            "kind": goal.kind,
            "department": goal.department,
            "attributes": json.dumps(goal.attributes),
            "options": json.dumps(goal.options),
            "cents": 100 * goal.dollars,
        },
    )
    return None if row is None else float(str(row[0]))


@lru_cache(maxsize=1)
def _load_sql() -> str:
    return files("envs.web.shop").joinpath("reward.sql").read_text()
