"""The shop without a browser: catalogue, search, cart, escaped pages, and WebShop's reward worked out by hand."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envs.web.served import Wanted
from envs.web.shop.app import CATALOGUES, RESULTS, Shop
from envs.web.shop.catalogue import Item, load_words, make_items, write_catalogue
from envs.web.shop.goals import WAY, Goal, draw_goal, score
from envs.web.shop.store import Store
from envs.web.sites import Request
from envs.web.workplace import make_folder, remove_folder, sweep


def make_item(number: int, **overrides: object) -> Item:
    told: dict[str, object] = {
        "id": number, "title": "Norvik waterproof slim jacket", "kind": "jacket", "department": "clothing", "cents": 5000,
        "attributes": ("waterproof", "slim", "cotton"), "options": {"color": ["red", "blue"], "size": ["small", "large"]},
    }  # fmt: skip
    return Item(**{**told, **overrides})  # type: ignore[arg-type]  # any field may be given


ITEMS = [
    make_item(1),
    make_item(2, title="Ashby quilted jacket", attributes=("quilted", "cotton", "stretchy")),
    make_item(3, title="Calder waterproof shirt", kind="shirt", attributes=("waterproof", "cotton", "stretchy")),
    make_item(4, title="Tamsin waterproof tent", kind="tent", department="garden", attributes=("waterproof", "solar", "heavy")),
    make_item(5, title="Norvik steel kettle", kind="kettle", department="kitchen", attributes=("steel", "compact", "cordless")),
    make_item(6, cents=9000),
]  # fmt: skip
GOAL = Goal(
    kind="jacket", department="clothing", attributes=("waterproof", "slim"), options={"color": "blue"}, dollars=60
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    write_catalogue(tmp_path / "catalogue.db", ITEMS)
    opened = Store(tmp_path / "catalogue.db", tmp_path / "session.db")
    yield opened
    opened.close()


def buy(store: Store, *numbers: int, color: str = "blue") -> float | None:
    for number in numbers:
        item = store.item(number)
        assert item is not None and store.put(item, {"color": color, "size": "small"})
    store.buy()
    return score(store, GOAL)


def test_the_same_seed_gives_the_same_items_and_others_differ() -> None:
    assert make_items(50, 1) == make_items(50, 1) != make_items(50, 2)
    kinds = sum(len(told["kinds"]) for name, told in load_words().items() if name != "brands")
    assert len({item.kind for item in make_items(kinds, 3)}) == kinds == 41
    for item in make_items(200, 0):
        words = load_words()[item.department]
        assert set(item.attributes) <= set(words["attributes"]) and all(item.options.values())
        assert 60 <= item.cents / words["kinds"][item.kind] <= 160


def test_search_ranks_by_words_and_keeps_below_the_price(store: Store) -> None:
    found, total = store.search("waterproof slim jacket", None, 0, 10)
    assert [item.id for item in found][:2] == [1, 6] and total == 5  # the kettle has none of the words
    cheap, total = store.search("waterproof slim jacket", 60, 0, 10)
    assert cheap[0].id == 1 and 6 not in [item.id for item in cheap] and total == 4
    second, total = store.search("waterproof slim jacket", None, 2, 2)
    assert [item.id for item in second] == [item.id for item in found][2:4] and total == 5
    assert store.search('"; DROP TABLE item; -- * NEAR(', None, 0, 5)[1] == 0 and store.search("", None, 0, 5) == (
        [],
        0,
    )
    assert store.item(1) == ITEMS[0] and store.item(7) is None


def test_nothing_bought_has_no_reward_and_the_right_thing_has_one(store: Store) -> None:
    assert score(store, GOAL) is None
    item = store.item(1)
    assert item is not None and not store.put(item, {"color": "green", "size": "small"})
    assert not store.put(item, {"color": "blue"}) and store.cart() == [] and store.buy() is None
    assert score(store, GOAL) is None and buy(store, 1) == 1.0


@pytest.mark.parametrize(
    ("number", "color", "expected"),
    [
        (1, "red", 3 / 4),  # 2 attributes, no option, price: 1 * 3/4
        (2, "blue", 2 / 4),  # another jacket: no attribute, option, price
        (3, "blue", 0.5 * 3 / 4),  # the department only: 1 attribute, option, price
        (4, "blue", 0.1 * 3 / 4),  # a word of the title only: 1 attribute, option, price
        (5, "blue", 0.0),  # nothing in common
        (6, "blue", 3 / 4),  # too dear: 2 attributes, option
    ],
)
def test_the_reward_is_webshop_s(store: Store, number: int, color: str, expected: float) -> None:
    assert buy(store, number, color=color) == pytest.approx(expected)


def test_buying_more_than_was_asked_for_halves_the_reward_and_only_the_first_purchase_counts(store: Store) -> None:
    assert buy(store, 1, 5) == pytest.approx(1 / 2)
    assert buy(store, 1) == pytest.approx(1 / 2)


def test_lines_can_be_taken_out_of_the_cart(store: Store) -> None:
    item = store.item(5)
    assert item is not None and store.put(item, {"color": "red", "size": "small"})
    (line,) = store.cart()
    assert line.item == item and line.choices == {"color": "red", "size": "small"}
    store.remove(line.id)
    assert store.cart() == []


def test_the_catalogue_is_read_only_to_a_store(tmp_path: Path, store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.ask("DELETE FROM shop.item RETURNING id", {})


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
def test_a_wish_asks_for_as_much_as_it_shall_and_its_item_fulfils_it(tmp_path: Path, asked: int) -> None:
    write_catalogue(tmp_path / "c.db", make_items(80, 0))
    for seed in range(8):
        store = Store(tmp_path / "c.db", tmp_path / f"{asked}-{seed}.db")
        goal = draw_goal(store, asked, np.random.default_rng(seed))
        assert (len(goal.attributes), len(goal.options)) == ((asked + 1) // 2, asked // 2)
        fitting = [
            item for item in make_items(80, 0)
            if item.kind == goal.kind and set(goal.attributes) <= set(item.attributes) and item.cents < 100 * goal.dollars
            and all(value in item.options[name] for name, value in goal.options.items())
        ]  # fmt: skip
        assert fitting and f'"{" ".join((*goal.attributes, goal.kind))}"' in goal.instruction
        assert store.put(
            fitting[0], {name: goal.options.get(name, values[0]) for name, values in fitting[0].options.items()}
        )
        store.buy()
        assert score(store, goal) == 1.0
        store.close()


def wanted(seed: int = 0, **overrides: int) -> Wanted:
    return Wanted(task="shop-buy", seed=seed, **{"catalogue": 60, "asked": 2, "page_size": 0, **overrides})


def body(shop: Shop, path: str, form: str | None = None) -> str:
    method = "GET" if form is None else "POST"
    return shop.reply(Request(method=method, path=path, body=(form or "").encode())).body.decode()


def test_pages_escape_what_they_repeat_and_unknown_pages_are_missing() -> None:
    shop = Shop()
    assert shop.reply(Request(path="/")).status == 404  # no episode yet
    opening = shop.begin(wanted())
    assert opening == shop.begin(wanted()) != shop.begin(wanted(1))
    assert opening.instruction == shop.begin(wanted(guidance=0)).instruction + " " + WAY
    page = body(shop, "/search?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert "<script>" not in page and "&lt;script&gt;" in page
    for path in ("/item/99999", "/nothing", "/item/1/../..", "/removal/1"):
        assert shop.reply(Request(path=path)).status == 404
    assert "no such page" in body(shop, "/item/99999")
    shop.close()


def test_results_turn_pages_and_a_page_size_adds_results() -> None:
    shop = Shop()
    shop.begin(wanted(catalogue=400))
    words = "clothing"
    first, second = body(shop, f"/search?q={words}"), body(shop, f"/search?q={words}&page=2")
    assert first.count('class="result"') == RESULTS == second.count('class="result"')
    assert "Next page" in first and "Previous page" not in first and "Previous page" in second
    shop.begin(wanted(catalogue=400, page_size=30))
    assert body(shop, f"/search?q={words}").count('class="result"') == RESULTS + 10
    assert body(shop, "/search?q=clothing&below=0.01").count('class="result"') == 0
    assert body(shop, "/search?q=clothing&below=nan&page=-3").count('class="result"') == RESULTS + 10
    shop.close()


def test_two_shops_share_nothing_and_an_episode_forgets_the_one_before() -> None:
    one, two = Shop(), Shop()
    for shop in (one, two):
        shop.begin(wanted())
    item = make_items(60, 0 % CATALOGUES)[0]
    form = "&".join(f"{name}={values[0]}" for name, values in item.options.items())
    reply = one.reply(Request(method="POST", path=f"/item/{item.id}", body=form.encode()))
    assert (reply.status, dict(reply.headers)["Location"]) == (303, "/cart")
    assert item.title in body(one, "/cart") and item.title not in body(two, "/cart")
    assert not one.judge().ended
    one.reply(Request(method="POST", path="/purchase"))
    assert one.judge().ended and not two.judge().ended
    one.begin(wanted())
    assert not one.judge().ended and "Nothing yet" in body(one, "/cart")
    one.close()
    two.close()
    two.close()


def test_folders_of_dead_processes_are_swept_and_held_ones_stay() -> None:
    mine = make_folder("test")
    (mine / "session.db").write_text("x")
    left = mine.with_name(mine.name + "-left")
    left.mkdir()
    (left / "held").touch()
    assert left in sweep() and not left.exists() and mine.exists()
    remove_folder(mine)
    remove_folder(mine)
    assert not mine.exists()


def test_a_killed_process_leaves_a_folder_that_the_next_one_sweeps() -> None:
    from multiprocessing import get_context

    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_make_and_die, args=(theirs,))
    child.start()
    folder = Path(ours.recv())
    child.join()
    assert child.exitcode == -9 and folder.exists()
    assert folder in sweep() and not folder.exists()


def _make_and_die(end: object) -> None:
    end.send(str(make_folder("dying")))  # type: ignore[attr-defined]  # a connection
    os.kill(os.getpid(), 9)


def test_catalogues_are_plain_sqlite_files(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "c.db", ITEMS)
    with sqlite3.connect(tmp_path / "c.db") as db:
        (options,) = db.execute("SELECT options FROM item WHERE id = 1").fetchone()
    db.close()
    assert json.loads(options) == {"color": ["red", "blue"], "size": ["small", "large"]}
