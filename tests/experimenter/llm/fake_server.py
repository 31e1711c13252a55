"""A real HTTP server that speaks the OpenAI chat protocol on loopback, misbehaves on demand and counts its calls.

Each chat request takes the next behaviour from `plan`; when the plan is empty the last answer is given again. Behaviours are made by the
functions below: `say`, `refuse`, `drop`, `stall`, `raw`.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Body = dict[str, Any]
Behaviour = Callable[["_Handler", Body], None]


class FakeServer:
    """Use as a context manager; `url` is the base URL to give to a client."""

    def __init__(self, *plan: Behaviour, models: tuple[Body, ...] = ({"id": "fake-1"},)) -> None:
        self.plan: deque[Behaviour] = deque(plan)
        self.default: Behaviour = say("hello")
        self.models = models
        self.bodies: list[Body] = []
        """Every chat request so far."""
        self.headers: list[Mapping[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.owner = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def calls(self) -> int:
        return len(self.bodies)

    def __enter__(self) -> FakeServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_behaviour(self) -> Behaviour:
        if self.plan:
            self.default = self.plan.popleft()
        return self.default


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> FakeServer:
        owner: FakeServer = self.server.owner  # type: ignore[attr-defined]
        return owner

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.reply(200, {"object": "list", "data": list(self.owner.models)})
        else:
            self.reply(404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        body: Body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.bodies.append(body)
        self.owner.headers.append(dict(self.headers.items()))
        self.owner.next_behaviour()(self, body)

    def reply(self, status: int, content: Body | bytes, headers: Mapping[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def say(
    *texts: str, finish: str = "stop", logprobs: Mapping[str, float] | None = None, prompt_tokens: int = 10
) -> Behaviour:
    """Answer; with `n` in the request the texts are given in turn. 10 prompt tokens, 5 answer tokens a sample."""

    def behave(handler: _Handler, body: Body) -> None:
        count = int(body.get("n") or 1)
        choices = [
            _choice(texts[place % len(texts)], place, finish, logprobs if body.get("logprobs") else None)
            for place in range(count)
        ]
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": 5 * count,
            "total_tokens": prompt_tokens + 5 * count,
        }
        answer = {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": choices,
            "usage": usage,
        }
        handler.reply(200, answer)

    return behave


def decide(choose: Callable[[Body], Behaviour]) -> Behaviour:
    """Choose the behaviour by the request."""
    return lambda handler, body: choose(body)(handler, body)


def refuse(
    status: int, message: str = "refused", *, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Behaviour:
    """Answer with an error status."""
    error = {"error": {"message": message, "type": "error", "param": param, "code": None}}
    return lambda handler, body: handler.reply(status, error, headers)


def drop() -> Behaviour:
    """Close the connection without an answer."""

    def behave(handler: _Handler, body: Body) -> None:
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    return behave


def stall(seconds: float, then: Behaviour | None = None) -> Behaviour:
    """Wait before answering."""

    def behave(handler: _Handler, body: Body) -> None:
        time.sleep(seconds)
        try:
            (then or say("late"))(handler, body)
        except OSError:
            handler.close_connection = True  # the caller has gone

    return behave


def raw(content: bytes) -> Behaviour:
    """Answer 200 with these bytes, protocol or not."""
    return lambda handler, body: handler.reply(200, content)


def _choice(text: str, place: int, finish: str, logprobs: Mapping[str, float] | None) -> Body:
    choice: Body = {"index": place, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    if logprobs is not None:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs.items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}], "refusal": None}
    return choice
