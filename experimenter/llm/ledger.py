"""The ledger: one row a model call, unique by its key, so that a call repeated after a kill is the same row.

It is the budget's truth: calls, tokens and money of this session, with what is in flight counted at its reservation. A row left in
flight by a killed process goes on counting until the call is made again. Answers taken from the ledger cost nothing and are not counted.
The reservation is one transaction that writes first, so that two processes cannot both take the last of a budget.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Table, func, insert, text, update
from sqlmodel import Session, col, select

from envs.task import canonical_digest
from experimenter.errors import BudgetSpent
from experimenter.llm.messages import Reply
from experimenter.llm.prices import Prices
from experimenter.records import Budget, Spent
from memory.tables import CallRow

log = logging.getLogger(__name__)

ANSWERED = ("ok", "invalid")
_FINISHED = ("ok", "invalid", "failed")
_CALLS: Table = CallRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of a call before it is made."""

    role: str
    step: str
    prompt_digest: str
    sample: int
    attempt: int
    """0 for the first try, 1 for the repair."""
    messages: list[dict[str, Any]]
    reserved_tokens: int

    @property
    def key(self) -> str:
        identity = [self.role, self.step, self.prompt_digest, self.sample, self.attempt]
        return canonical_digest(identity, length=32)


@dataclass(frozen=True, kw_only=True)
class Held:
    """An answer that the ledger holds."""

    call_id: int
    text: str
    valid: bool
    error: str


class Ledger:
    """The calls of one session."""

    def __init__(
        self, engine: Engine, session_id: str, budget: Budget, *, model: str, provider: str, prices: Prices | None
    ) -> None:
        self._engine = engine
        self._session_id = session_id
        self._budget = budget
        self._model = model
        self._provider = provider
        self._prices = prices
        self._lock = threading.Lock()
        self._warned = False

    def find(self, entry: Entry) -> Held | None:
        """The answer that this session already has for exactly this call."""
        query = select(CallRow).where(CallRow.session_id == self._session_id, CallRow.key == entry.key)
        with Session(self._engine) as session:
            return _hold(session.exec(query.where(col(CallRow.state).in_(ANSWERED))).first())

    def copy_cached(self, entry: Entry) -> Held | None:
        """The valid answer of any session to the same prompt, entered here as a call that cost nothing."""
        query = select(CallRow.answer).where(CallRow.prompt_digest == entry.prompt_digest, CallRow.state == "ok")
        with Session(self._engine) as session:
            answer = session.exec(query.order_by(col(CallRow.id)).limit(1)).first()
        if answer is None:
            return None
        call_id = self._take_row(entry, reserved_tokens=0, check=False)
        self._write(call_id, state="ok", answer=answer, cached=True, reserved_tokens=0, cost_usd=0.0)
        return Held(call_id=call_id, text=answer, valid=True, error="")

    def reserve(self, entry: Entry) -> int:
        """Enter the call as in flight and return its row; raises `BudgetSpent` when the session's budget has no room for it."""
        self._warn_about_price()
        return self._take_row(entry, reserved_tokens=entry.reserved_tokens, check=True)

    def count_try(self, call_ids: Sequence[int]) -> None:
        """Count one HTTP try of the calls."""
        with self._engine.begin() as connection:
            connection.execute(update(_CALLS).where(_CALLS.c.id.in_(call_ids)).values(tries=_CALLS.c.tries + 1))

    def settle(
        self, call_id: int, reply: Reply, *, error: str, latency_s: float, replayed: bool = False
    ) -> float | None:
        """Write down the answer of a call (`error` says why it is invalid); returns its cost in US dollars, None when unknown."""
        cost = reply.cost_usd
        if cost is None and self._prices is not None:
            cost = self._prices.cost(reply.prompt_tokens, reply.completion_tokens)
        self._write(
            call_id,
            state="invalid" if error else "ok",
            answer=reply.text,
            error=error[:2000],
            cached=replayed,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            reserved_tokens=0,
            cost_usd=cost,
            latency_s=latency_s,
        )
        return cost

    def fail(self, call_ids: Sequence[int], error: str, *, called: bool = True) -> None:
        """Write down that the calls got no answer; a repetition takes the same rows. `called=False` makes them cost nothing."""
        for call_id in call_ids:
            self._write(call_id, state="failed", error=error[:2000], reserved_tokens=0, cost_usd=0.0, cached=not called)

    def count_answers(self, role: str) -> int:
        """How many calls of `role` this session made and got answered."""
        query = select(func.count()).where(
            CallRow.session_id == self._session_id,
            CallRow.role == role,
            col(CallRow.state).in_(ANSWERED),
            col(CallRow.cached).is_(False),
        )
        with Session(self._engine) as session:
            return int(session.exec(query).one())

    def spent(self) -> Spent:
        """Calls, tokens and money of this session's finished calls; answers taken from the ledger are not counted."""
        with Session(self._engine) as session:
            return _sum_spent(session, self._session_id)

    def _take_row(self, entry: Entry, *, reserved_tokens: int, check: bool) -> int:
        with self._lock, Session(self._engine) as session:
            self._lock_budget(session)
            call_id = self._upsert(session, entry, reserved_tokens)
            if check:
                self._check_budget(session, entry)
            session.commit()
        return call_id

    def _lock_budget(self, session: Session) -> None:
        """PostgreSQL lets two transactions insert side by side; SQLite's first write already keeps others out."""
        if self._engine.dialect.name == "postgresql":
            session.connection().execute(
                text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"ledger:{self._session_id}"}
            )

    def _upsert(self, session: Session, entry: Entry, reserved_tokens: int) -> int:
        """Take the row of a call that got no answer before, or write a new one. The update comes first: it takes the write lock."""
        values = self._opening_values(entry, reserved_tokens)
        same = (_CALLS.c.session_id == self._session_id) & (_CALLS.c.key == entry.key)
        connection = session.connection()
        if connection.execute(update(_CALLS).where(same).values(**values)).rowcount == 0:
            fresh = {**values, "session_id": self._session_id, "key": entry.key, "tries": 0, "answer": ""}
            connection.execute(insert(_CALLS).values(**fresh))
        return int(
            session.exec(
                select(CallRow.id).where(CallRow.session_id == self._session_id, CallRow.key == entry.key)
            ).one()
            or 0
        )

    def _opening_values(self, entry: Entry, reserved_tokens: int) -> dict[str, Any]:
        return {
            "role": entry.role,
            "model": self._model,
            "provider": self._provider,
            "prompt_digest": entry.prompt_digest,
            "messages": entry.messages,
            "state": "in_flight",
            "error": "",
            "attempt": entry.attempt,
            "cached": False,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "reserved_tokens": reserved_tokens,
            "cost_usd": None,
            "latency_s": 0.0,
            "created_at": datetime.now(UTC),
        }

    def _check_budget(self, session: Session, entry: Entry) -> None:
        """Raise `BudgetSpent` when finished calls and calls in flight, this one among them, pass a limit (and so undo the reservation)."""
        budget = self._budget
        spent = _sum_spent(session, self._session_id)
        calls, tokens = _sum_in_flight(session, self._session_id)
        if budget.calls is not None and spent.calls + calls > budget.calls:
            raise BudgetSpent(
                f"the budget of {budget.calls} model calls is spent ({spent.calls} made, {calls - 1} in flight)"
            )
        if budget.tokens is not None and spent.tokens + tokens > budget.tokens:
            raise BudgetSpent(
                f"the budget of {budget.tokens} tokens has no room for a call of up to {entry.reserved_tokens} "
                f"({spent.tokens} spent, {tokens - entry.reserved_tokens} in flight)"
            )
        if budget.money_usd is not None and self._prices is not None:
            at_most = tokens * max(self._prices.prompt, self._prices.completion) / 1e6
            if spent.money_usd + at_most > budget.money_usd:
                raise BudgetSpent(
                    f"the budget of {budget.money_usd:.2f} USD has no room for this call "
                    f"({spent.money_usd:.4f} USD spent, up to {at_most:.4f} USD in flight)"
                )

    def _warn_about_price(self) -> None:
        if self._prices is None and not self._warned:
            self._warned = True
            limit = "; the money budget cannot hold it back" if self._budget.money_usd is not None else ""
            log.warning(
                "the price of %s is unknown%s: set EXPERIMENTER_PRICES=PROMPT,ANSWER (USD per million tokens)",
                self._model,
                limit,
            )

    def _write(self, call_id: int, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(_CALLS).where(_CALLS.c.id == call_id).values(**values))


def _hold(row: CallRow | None) -> Held | None:
    if row is None:
        return None
    return Held(call_id=row.id or 0, text=row.answer, valid=row.state == "ok", error=row.error)


def _sum_spent(session: Session, session_id: str) -> Spent:
    mine = (CallRow.session_id == session_id, col(CallRow.state).in_(_FINISHED), col(CallRow.cached).is_(False))
    tokens = func.coalesce(func.sum(CallRow.prompt_tokens + CallRow.completion_tokens), 0)
    money = func.coalesce(func.sum(CallRow.cost_usd), 0.0)
    calls, all_tokens, all_money = session.exec(select(func.count(), tokens, money).where(*mine)).one()
    unpriced = session.exec(select(func.count()).where(*mine, col(CallRow.cost_usd).is_(None))).one()
    return Spent(
        calls=int(calls), tokens=int(all_tokens), money_usd=float(all_money or 0.0), unpriced_calls=int(unpriced)
    )


def _sum_in_flight(session: Session, session_id: str) -> tuple[int, int]:
    reserved = func.coalesce(func.sum(CallRow.reserved_tokens), 0)
    query = select(func.count(), reserved).where(CallRow.session_id == session_id, CallRow.state == "in_flight")
    calls, tokens = session.exec(query).one()
    return int(calls), int(tokens)
