"""Messages to and from a browser: one JSON text each way, over a pair of pipes or a web socket. No meaning is given to them."""

from __future__ import annotations

import os
import select
import socket
import time
from pathlib import Path
from typing import Any, Protocol

from envs.web.backend import BrowserError

_TEXT, _CLOSE = 0x1, 0x8
"""Kinds of web-socket messages."""


class Transport(Protocol):
    def send(self, message: bytes) -> None:
        """Send one message; raises `BrowserError` when the other end is gone."""
        ...

    def receive(self, timeout_s: float) -> bytes:
        """Wait for one message; raises `BrowserError` when there is none in time or the other end is gone."""
        ...

    def close(self) -> None: ...


class PipeTransport:
    """Messages ended by a zero byte, as Chromium's remote-debugging pipe speaks."""

    def __init__(self, read_end: int, write_end: int) -> None:
        self._read, self._write = read_end, write_end
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        self._waiting = select.poll()
        self._waiting.register(read_end, select.POLLIN)
        self._parts: list[bytes] = []
        self._ready: list[bytes] = []

    def send(self, message: bytes) -> None:
        data = memoryview(message + b"\0")
        deadline = time.monotonic() + 20.0
        while data:
            try:
                data = data[os.write(self._write, data) :]
            except BlockingIOError:
                _, free, _ = select.select([], [self._write], [], max(0.0, deadline - time.monotonic()))
                if not free:
                    raise BrowserError("the browser takes no messages any more") from None
            except OSError as error:
                raise BrowserError(f"the browser is gone: {error}") from error

    def receive(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            left = deadline - time.monotonic()
            if left <= 0 or not self._waiting.poll(left * 1000):
                raise BrowserError(f"the browser did not answer within {timeout_s:g} s")
            self._take()
        return self._ready.pop(0)

    def _take(self) -> None:
        try:
            data = os.read(self._read, 1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            raise BrowserError(f"the browser is gone: {error}") from error
        if not data:
            raise BrowserError("the browser is gone: it closed its pipe")
        *whole, rest = data.split(b"\0")
        for part in whole:
            self._ready.append(b"".join([*self._parts, part]))
            self._parts = []
        if rest:
            self._parts.append(rest)

    def close(self) -> None:
        """The pipes belong to the process that they lead to, see launch.py."""


class SocketTransport:
    """Messages over a web socket on a Unix socket that only this user can open."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        from websocket import WebSocketException, create_connection

        self._errors: tuple[type[Exception], ...] = (WebSocketException, OSError)
        raw = _connect(path, timeout_s)
        try:
            # the messages are JSON, which is checked when it is read: no need to look at every byte in Python before
            self._socket: Any = create_connection(
                "ws://127.0.0.1/", socket=raw, timeout=timeout_s, suppress_origin=True, skip_utf8_validation=True
            )
        except self._errors as error:
            raw.close()
            raise BrowserError(f"the browser refuses connections: {error}") from error

    def send(self, message: bytes) -> None:
        try:
            self._socket.send(message, _TEXT)
        except self._errors as error:
            raise BrowserError(f"the browser is gone: {error}") from error

    def receive(self, timeout_s: float) -> bytes:
        try:
            self._socket.settimeout(timeout_s)
            kind, data = self._socket.recv_data()
        except self._errors as error:
            raise BrowserError(f"the browser did not answer: {error}") from error
        if kind == _CLOSE or not data:
            raise BrowserError("the browser closed the connection")
        return bytes(data)

    def close(self) -> None:
        try:
            self._socket.close(timeout=1)
        except self._errors:
            return


def _connect(path: Path, timeout_s: float) -> socket.socket:
    deadline = time.monotonic() + timeout_s
    while True:
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            raw.connect(str(path))
            return raw
        except OSError as error:
            raw.close()
            if time.monotonic() > deadline:
                raise BrowserError(f"the browser did not open its socket within {timeout_s:g} s") from error
            time.sleep(0.01)
