"""The ways to a model. A provider turns one request into replies; everything else (ledger, budget, cache, retries) is the gateway's.

`openai` speaks to any OpenAI-compatible URL, `litellm` to the rest, `embedded` to the local default, `replay` answers from the ledger,
`answers` from a file of recorded answers, `scripted` from a script, `none` not at all. A provider raises `Transient` for what may
pass and `ModelRefused` for what will not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from experimenter.errors import ModelUnavailable, UsageError
from experimenter.llm.choose import ModelChoice
from experimenter.llm.messages import Reply, Request
from memory.tables import CallRow


class Provider(Protocol):
    """A way to a model."""

    def complete(self, request: Request) -> list[Reply]:
        """Answer with up to `request.n` samples."""
        ...

    def close(self) -> None:
        """Let go of connections and processes."""
        ...


def open_provider(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    """Build the provider that `choice` names; nothing heavy is imported for another one."""
    if choice.provider not in _OPENERS:
        raise UsageError(f"unknown model provider {choice.provider!r}; known: {', '.join(_OPENERS)}")
    return _OPENERS[choice.provider](choice, engine, home)


class NoModel:
    """Answers nothing: the roles fall back to their rules."""

    def complete(self, request: Request) -> list[Reply]:
        raise ModelUnavailable("no model: the rules decide (choose one with --model or `experimenter model fetch`)")

    def close(self) -> None:
        pass


class Replay:
    """Answers from the ledger of an earlier session by prompt digest; asked for anything else it is unavailable."""

    def __init__(self, engine: Engine, session_id: str) -> None:
        self._engine = engine
        self._session_id = session_id

    def complete(self, request: Request) -> list[Reply]:
        return [Reply(text=self._look_up(digest, request.role), cost_usd=0.0) for digest in request.digests]

    def close(self) -> None:
        pass

    def _look_up(self, digest: str, role: str) -> str:
        query = select(CallRow.answer).where(
            CallRow.session_id == self._session_id,
            CallRow.prompt_digest == digest,
            col(CallRow.state).in_(("ok", "invalid")),
        )
        with Session(self._engine) as session:
            answer = session.exec(query.order_by(col(CallRow.id)).limit(1)).first()
        if answer is None:
            raise ModelUnavailable(
                f"replay: session {self._session_id} holds no answer to this prompt of {role} (digest {digest})"
            )
        return answer


def find_recorded_model(engine: Engine, session_id: str) -> str:
    """Name of the model that answered most of a session's calls; raises `UsageError` for a session without calls."""
    with Session(engine) as session:
        names = session.exec(
            select(CallRow.model).where(CallRow.session_id == session_id, col(CallRow.state).in_(("ok", "invalid")))
        ).all()
    if not names:
        raise UsageError(f"replay/{session_id}: the ledger holds no answered model call of a session {session_id!r}")
    return Counter(names).most_common(1)[0][0]


def _open_openai(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    from experimenter.llm.remote import OpenAICompatible

    return OpenAICompatible(choice)


def _open_litellm(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    from experimenter.llm.litellm_bridge import ThroughLiteLLM

    return ThroughLiteLLM(choice)


def _open_embedded(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    from experimenter.llm.embedded import Embedded

    return Embedded(choice.name, home)


def _open_replay(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    return Replay(engine, choice.name)


def _open_answers(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    from experimenter.llm.recorded import Recorded

    return Recorded.from_file(choice.name)


def _open_scripted(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    from experimenter.llm.scripted import Scripted

    return Scripted.from_file(Path(choice.name))


def _open_none(choice: ModelChoice, engine: Engine, home: Path) -> Provider:
    return NoModel()


_OPENERS: Mapping[str, Callable[[ModelChoice, Engine, Path], Provider]] = {
    "openai": _open_openai,
    "litellm": _open_litellm,
    "embedded": _open_embedded,
    "replay": _open_replay,
    "answers": _open_answers,
    "scripted": _open_scripted,
    "none": _open_none,
}
