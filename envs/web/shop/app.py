"""The shop as an application: its pages, and a `Venue` of the task `shop-buy`. Rendered by Jinja2 with everything escaped."""

from __future__ import annotations

import math
import re
import sqlite3
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
import numpy as np

from envs.web.backend import BrowserError
from envs.web.served import Opening, Verdict, Wanted
from envs.web.shop.catalogue import make_items, write_catalogue
from envs.web.shop.goals import WAY, Goal, draw_goal, score
from envs.web.shop.store import Store
from envs.web.sites import Reply, Request
from envs.web.workplace import make_folder, remove_folder

SHOP_TASKS = ("shop-buy",)
RESULTS = 6
"""Results on a page of the smallest size; a third of `page_size` comes on top."""
CATALOGUES = 4
"""Different catalogues of each size; the seed of an episode says which."""
_PATH = re.compile(r"/(item|removal)/(\d{1,9})")


class Shop:
    """The shop of one world: a `Venue`. Episodes share nothing but the catalogue, which is read only."""

    name = "shop"

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._store: Store | None = None
        self._goal: Goal | None = None
        self._results = RESULTS

    def begin(self, wanted: Wanted) -> Opening:
        """Open a fresh session of the shop and draw what shall be bought."""
        self._forget()
        try:
            self._folder = self._folder or make_folder("shop")
            catalogue = _catalogue(wanted.catalogue, wanted.seed % CATALOGUES)
            self._store = Store(catalogue, self._folder / "session.db")
        except (OSError, sqlite3.Error) as error:
            raise BrowserError(f"the shop could not be set up: {error}") from error
        self._results = RESULTS + wanted.page_size // 3
        self._goal = draw_goal(self._store, wanted.asked, np.random.default_rng([wanted.seed, 11]))
        return Opening(
            path="/", instruction=f"{self._goal.instruction} {WAY}" if wanted.guidance else self._goal.instruction
        )

    def judge(self) -> Verdict:
        """The episode ends with the first purchase, and is worth WebShop's reward of it."""
        if self._store is None or self._goal is None:
            return Verdict()
        reward = score(self._store, self._goal)
        return Verdict() if reward is None else Verdict(ended=True, reward=reward)

    def close(self) -> None:
        """Remove the session."""
        self._forget()
        folder, self._folder = self._folder, None
        if folder is not None:
            remove_folder(folder)

    def _forget(self) -> None:
        store, self._store, self._goal = self._store, None, None
        if store is not None:
            store.close()

    def __del__(self) -> None:
        self.close()

    def reply(self, request: Request) -> Reply:
        """Answer one request of the shop's own pages; 404 for what is none of them."""
        if self._store is None:
            return _page("missing", 404)
        try:
            return self._route(self._store, request)
        except sqlite3.Error as error:
            raise BrowserError(f"the shop's database failed: {error}") from error

    def _route(self, store: Store, request: Request) -> Reply:
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        form = dict(parse_qsl(request.body.decode(errors="replace"))) if request.method == "POST" else {}
        numbered = _PATH.fullmatch(parts.path)
        kind = numbered[1] if numbered else parts.path
        number = int(numbered[2]) if numbered else 0
        match request.method, kind:
            case "GET", "/":
                return _page("home")
            case "GET", "/search":
                return self._search(store, query)
            case "GET", "item":
                return _item(store, number, {}, "")
            case "POST", "item":
                return _add(store, number, form)
            case "GET", "/cart":
                return _page("cart", lines=store.cart())
            case "POST", "removal":
                store.remove(number)
                return _go("/cart")
            case "GET", "/checkout":
                return _page("checkout", lines=store.cart())
            case "POST", "/purchase":
                bought = store.buy()
                return _go("/cart" if bought is None else "/thanks")
            case "GET", "/thanks":
                return _page("thanks")
        return _page("missing", 404)

    def _search(self, store: Store, query: dict[str, str]) -> Reply:
        below, number = _dollars(query.get("below", "")), _whole(query.get("page", ""))
        words = query.get("q", "")[:200]
        found, total = store.search(words, below, self._results * (number - 1), self._results)
        pages = max(1, math.ceil(total / self._results))
        given = {"q": words, "below": query.get("below", "")}
        return _page("results", found=found, total=total, number=number, pages=pages, given=given)


def _item(store: Store, number: int, chosen: dict[str, str], told: str) -> Reply:
    item = store.item(number)
    return _page("missing", 404) if item is None else _page("item", item=item, chosen=chosen, told=told)


def _add(store: Store, number: int, form: dict[str, str]) -> Reply:
    item = store.item(number)
    if item is None:
        return _page("missing", 404)
    if store.put(item, form):
        return _go("/cart")
    missing = next((name for name in item.options if form.get(name) not in item.options[name]), "options")
    return _item(store, number, form, f"Please choose the {missing}.")


def _dollars(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def _whole(text: str) -> int:
    return min(max(1, int(text)), 10_000) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _go(path: str) -> Reply:
    """Send the browser on, so that loading the next page again repeats nothing."""
    return Reply(status=303, headers=(("Location", path),))


def _page(template: str, status: int = 200, **values: Any) -> Reply:
    text = _templates().get_template(f"{template}.html").render(**values)
    return Reply(status=status, body=text.encode())


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    folder = str(files("envs.web.shop").joinpath("pages"))
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


@lru_cache(maxsize=1)
def _shelf() -> Path:
    """Folder of the catalogues that this process has made."""
    return make_folder("catalogues")


def _catalogue(size: int, seed: int) -> Path:
    """The file of a catalogue; made once a process."""
    path = _shelf() / f"{size}-{seed}.db"
    if not path.exists():
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        write_catalogue(part, make_items(size, seed))
        part.rename(path)
    return path
