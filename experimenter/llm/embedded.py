"""The embedded provider: a small instruct model under llama.cpp in a child process, held to a grammar.

The child has its own process group and dies with its parent. One thread is left to training. It is asked over loopback HTTP, which
also lets llama.cpp keep the prompt's prefix between calls: put the long, constant system message first. The same seed gives the
same text. A child that crashes is started again once per call; the second crash is `ModelUnavailable`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import secrets
import selectors
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import httpx

from experimenter.errors import EnvironmentNotReady, ModelRefused, ModelUnavailable
from experimenter.llm.grammar import UnsupportedSchema, make_choice_grammar, make_grammar
from experimenter.llm.messages import Reply, Request
from experimenter.llm.models import find_model, model_path

log = logging.getLogger(__name__)

CONTEXT_TOKENS = 4096
_START_S = 120.0
_ANSWER_S = 900.0
_SCORE_ALTERNATIVES = 2000
_LEAST_ANSWER_TOKENS = 32


class Embedded:
    """A lazily started child that answers one request at a time."""

    def __init__(self, name: str, home: Path, *, threads: int | None = None) -> None:
        self._name = name
        self._path = _find_weights(name, home)
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._child: _Child | None = None
        self._lock = threading.Lock()

    def complete(self, request: Request) -> list[Reply]:
        """Answer with one sample; raises `ModelRefused` for a prompt that does not fit and `ModelUnavailable` after a second crash."""
        if any(message.images for message in request.messages):
            raise ModelRefused(f"embedded {self._name} cannot see images")
        with self._lock:
            for last in (False, True):
                try:
                    return [self._ask(request)]
                except httpx.TimeoutException as error:
                    self._stop()
                    raise ModelUnavailable(f"embedded {self._name} gave no answer in {_ANSWER_S:.0f} s") from error
                except httpx.TransportError as error:
                    reason = self._stop()
                    if last:
                        raise ModelUnavailable(
                            f"embedded {self._name} crashed twice on one call ({reason or error})"
                        ) from error
                    log.warning("embedded %s crashed (%s): starting it again", self._name, reason or error)
        raise AssertionError("unreachable")

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while it is not running."""
        return self._child.process.pid if self._child else None

    def close(self) -> None:
        """End the child; a later call starts it again."""
        with self._lock:
            self._stop()

    def _ask(self, request: Request) -> Reply:
        if self._child is None:
            self._child = _Child(self._name, self._path, self._threads)
        room = CONTEXT_TOKENS - self._child.count_tokens(request)
        if room < _LEAST_ANSWER_TOKENS:
            raise ModelRefused(
                f"the prompt of {request.role} has {CONTEXT_TOKENS - room} tokens; embedded {self._name} takes "
                f"{CONTEXT_TOKENS - _LEAST_ANSWER_TOKENS}: shorten it or choose a larger model"
            )
        answer = self._child.post("/v1/chat/completions", _make_body(request, min(request.max_tokens, room)))
        return _read_answer(answer)

    def _stop(self) -> str:
        child, self._child = self._child, None
        return child.close() if child else ""


class _Child:
    """One running child process and its HTTP client."""

    def __init__(self, name: str, path: Path, threads: int) -> None:
        self._name = name
        token = secrets.token_hex(16)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experimenter.llm.embedded_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_child_environment(),
            start_new_session=True,
        )
        self._errors = _Tail(self.process.stderr)
        self._finalizer = weakref.finalize(self, _end, self.process)
        settings = {"path": str(path), "context_tokens": CONTEXT_TOKENS, "threads": threads, "token": token}
        url = self._await_url(settings)
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_ANSWER_S, connect=10.0),
            trust_env=False,
        )
        log.info("embedded %s runs with %d thread(s) as process %d", name, threads, self.process.pid)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self._client.post(path, json=body)
        if response.status_code != 200:
            raise ModelRefused(
                f"embedded {self._name} refused the request ({response.status_code}): {response.text[:300]}"
            )
        answer: dict[str, Any] = response.json()
        return answer

    def count_tokens(self, request: Request) -> int:
        """Tokens of the prompt as the model's chat template spells it."""
        prompt = self.post("/apply-template", {"messages": _plain_messages(request)})["prompt"]
        return len(self.post("/tokenize", {"content": prompt, "parse_special": True})["tokens"])

    def close(self) -> str:
        """End the process; return the last line that it wrote to standard error."""
        self._finalizer()
        if hasattr(self, "_client"):
            self._client.close()
        return self._errors.last_line()

    def _await_url(self, settings: Mapping[str, Any]) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(settings).encode() + b"\n")
            self.process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self.process.stdout, selectors.EVENT_READ)
                ready = selector.select(_START_S)
            line = self.process.stdout.readline() if ready else b""
            return str(json.loads(line)["url"])
        except (OSError, ValueError, KeyError) as error:
            reason = self.close()
            raise ModelUnavailable(f"embedded {self._name} did not start: {reason or 'no sign of life'}") from error


class _Tail:
    """Reads a pipe so that it never fills, and keeps its last lines."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes] | None) -> None:
        if pipe is None:
            return
        with pipe:
            for line in pipe:
                self._lines = [*self._lines[-4:], line.decode(errors="replace").strip()]

    def last_line(self) -> str:
        self._thread.join(timeout=2.0)
        return next((line for line in reversed(self._lines) if line), "")[:300]


def _find_weights(name: str, home: Path) -> Path:
    if importlib.util.find_spec("xllamacpp") is None:
        raise EnvironmentNotReady("the embedded model needs xllamacpp: install the extra `local`")
    path = model_path(find_model(name).name, home)
    if path is None:
        raise EnvironmentNotReady(
            f"the weights of {name} are not in {home / 'models'}: run `experimenter model fetch {name}`"
        )
    return path


def _child_environment() -> dict[str, str]:
    """The parent's environment with passive OpenMP waiting and without anything that looks like a key."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith(("_KEY", "_TOKEN", "_SECRET", "PASSWORD"))
    }
    return {**kept, "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "1"}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _plain_messages(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in request.messages]


def _make_body(request: Request, max_tokens: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": _plain_messages(request),
        "temperature": request.temperature,
        "seed": request.seed % 2**32,
        "max_tokens": max_tokens,
        "cache_prompt": True,
    }
    if request.choices:
        body["grammar"] = make_choice_grammar(request.choices)
    elif request.schema is not None:
        try:
            body["grammar"] = make_grammar(request.schema)
        except UnsupportedSchema as error:
            raise ModelRefused(
                f"the answer schema of {request.role} cannot be held to by the embedded model: {error}"
            ) from error
    if request.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": _SCORE_ALTERNATIVES}
    return body


def _read_answer(answer: Mapping[str, Any]) -> Reply:
    choice = answer["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content") or []
    return Reply(
        text=choice["message"].get("content") or "",
        prompt_tokens=int(answer["usage"]["prompt_tokens"]),
        completion_tokens=int(answer["usage"]["completion_tokens"]),
        cost_usd=0.0,
        cut=choice.get("finish_reason") == "length",
        first_token={entry["token"]: entry["logprob"] for entry in tokens[0]["top_logprobs"]} if tokens else {},
    )
