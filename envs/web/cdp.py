"""A client of the Chrome DevTools Protocol: calls, answers and events over one transport. It knows no page and no site."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from envs.web.backend import BrowserError, BrowserRefused
from envs.web.transport import Transport

Message = dict[str, Any]
Handler = Callable[[Message], None]
MOST_SERVED = 10.0
"""How many times its time limit a call may take in all, with what it waits for us."""


class Connection:
    """One connection to one browser; single-threaded: events are handled while an answer is waited for.

    A browser waits for what we serve it, so the time that handlers take is ours and not counted against it: a site that is slow on a
    busy machine is no browser that hangs.
    """

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._transport = transport
        self._next = 1
        self._answers: dict[int, Message] = {}
        self._dropped: set[int] = set()
        self._handlers: dict[tuple[str, str], Handler] = {}

    def on(self, method: str, handler: Handler, session: str = "") -> None:
        """Call `handler(params)` for every event `method` of `session` (empty: the browser itself)."""
        self._handlers[session, method] = handler

    def forget(self, session: str) -> None:
        """Drop the handlers of a session that has ended."""
        self._handlers = {key: handler for key, handler in self._handlers.items() if key[0] != session}

    def post(
        self, method: str, params: Mapping[str, Any] | None = None, session: str = "", *, drop: bool = False
    ) -> int:
        """Send a call and return its number for `take`; with `drop` its answer is thrown away."""
        number, self._next = self._next, self._next + 1
        message: Message = {"id": number, "method": method, "params": dict(params or {})}
        if session:
            message["sessionId"] = session
        if drop:
            self._dropped.add(number)
        self._transport.send(json.dumps(message).encode())
        return number

    def take(self, number: int, timeout_s: float | None = None) -> Message:
        """Wait for the answer of call `number`; raises `BrowserError` on none in time or an error in it."""
        patience = _Patience(timeout_s or self.timeout_s)
        while number not in self._answers:
            self._read(patience)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserRefused(f"the browser refused: {answer['error'].get('message', answer['error'])}")
        result: Message = answer.get("result", {})
        return result

    def call(self, method: str, params: Mapping[str, Any] | None = None, session: str = "") -> Message:
        """Send a call and wait for its answer."""
        return self.take(self.post(method, params, session))

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float | None = None) -> None:
        """Handle events until `condition()` holds; raises `BrowserError` naming `what` when it does not in time."""
        patience = _Patience(timeout_s or self.timeout_s)
        while not condition():
            if patience.left <= 0:
                raise BrowserError(f"{what} did not happen in time")
            self._read(patience)

    def close(self) -> None:
        self._transport.close()

    def _read(self, patience: _Patience) -> None:
        message: Message = json.loads(self._transport.receive(max(0.001, patience.left)))
        number = message.get("id")
        if number is not None:
            if number in self._dropped:
                self._dropped.discard(number)
            else:
                self._answers[number] = message
            return
        handler = self._handlers.get((message.get("sessionId", ""), message.get("method", "")))
        if handler:
            began = time.monotonic()
            handler(message.get("params", {}))
            patience.extend(time.monotonic() - began)


class _Patience:
    """How long an answer is still waited for."""

    def __init__(self, limit_s: float) -> None:
        self._deadline = time.monotonic() + limit_s
        self._last = self._deadline + (MOST_SERVED - 1.0) * limit_s

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return self._deadline - time.monotonic()

    def extend(self, served_s: float) -> None:
        """Do not count `served_s` that the other side waited for us."""
        self._deadline = min(self._deadline + served_s, self._last)
