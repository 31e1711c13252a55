"""Builders for the gateway's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fake_server import FakeServer
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, create_engine, select

from experimenter.llm.choose import ModelChoice
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.messages import Capabilities, Message
from experimenter.llm.prices import FREE, Prices
from experimenter.llm.probes import to_payload
from experimenter.llm.retries import RetryPolicy
from experimenter.records import Budget
from memory.tables import CallRow, CapabilityRow

KEY = "sk-very-secret-1234567890"
ASK = (Message("system", "You are terse."), Message("user", "Which way?"))
GOOD = '{"way": "left", "steps": 3}'


class Way(BaseModel):
    way: Literal["left", "right"]
    steps: int = Field(ge=1, le=5)


def make_engine(folder: Path) -> Engine:
    engine = create_engine(f"sqlite:///{folder / 'ledger.db'}", connect_args={"timeout": 30})
    SQLModel.metadata.create_all(engine)
    return engine


def make_choice(server: FakeServer | str, *, prices: Prices | None = FREE, model: str = "openai/fake-1") -> ModelChoice:
    url = server if isinstance(server, str) else server.url
    return ModelChoice(
        provider="openai", model=model, base_url=url, api_key=SecretStr(KEY), reason="a test", prices=prices
    )


def store_capabilities(engine: Engine, choice: ModelChoice, **able: object) -> None:
    """Say what the model can do, so that no probe is made."""
    found = Capabilities(**{"schema": True, "n": True, "images_note": "fake-1 cannot see", **able})  # type: ignore[arg-type]
    with Session(engine) as session:
        session.merge(CapabilityRow(model=choice.model, base_url=choice.base_url or "", payload=to_payload(found)))
        session.commit()


class Waits:
    """A sleep that only remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def make_gateway(
    folder: Path,
    server: FakeServer | str,
    *,
    budget: Budget | None = None,
    session_id: str = "s1",
    prices: Prices | None = FREE,
    cache: bool = True,
    waits: Waits | None = None,
    tries: int = 4,
    **able: object,
) -> Gateway:
    engine, choice = make_engine(folder), make_choice(server, prices=prices)
    store_capabilities(engine, choice, **able)
    retries = RetryPolicy(sleep=waits or Waits(), tries=tries)
    return open_gateway(
        engine,
        session_id=session_id,
        choice=choice,
        budget=budget or Budget(),
        home=folder,
        cache=cache,
        retries=retries,
    )


def read_calls(folder: Path) -> list[CallRow]:
    engine = make_engine(folder)
    with Session(engine, expire_on_commit=False) as session:
        rows = list(session.exec(select(CallRow)).all())
    engine.dispose()
    return sorted(rows, key=lambda row: row.id or 0)
