"""Messages to and from a browser: one JSON text each way, over a pair of pipes or a web socket. No meaning is given to them."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from envs.web.backend import BrowserError

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
"""Kinds of web-socket frames."""
_WRITE_S = 20.0
"""Longest wait for a browser that takes no messages."""


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
    """Messages over a web socket on a Unix socket that only this user can open.

    The handshake is the library's. Frames are read and written here: one system call each way for most messages, where the library
    takes four and looks at every byte in Python.
    """

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        from websocket import WebSocketException, create_connection

        raw = _connect(path, timeout_s)
        try:
            self._web: Any = create_connection("ws://127.0.0.1/", socket=raw, timeout=timeout_s, suppress_origin=True)
        except (WebSocketException, OSError) as error:
            raw.close()
            raise BrowserError(f"the browser refuses connections: {error}") from error
        self._socket = raw
        self._frames = Frames()

    def send(self, message: bytes) -> None:
        self._write(TEXT, message)

    def _write(self, kind: int, payload: bytes) -> None:
        try:
            self._socket.settimeout(_WRITE_S)
            self._socket.sendall(frame(kind, payload))
        except OSError as error:
            raise BrowserError(f"the browser is gone: {error}") from error

    def receive(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while True:
            for kind, payload in self._frames.take():
                if kind == CLOSE:
                    raise BrowserError("the browser closed the connection")
                if kind == PING:
                    self._write(PONG, payload)
                elif kind == TEXT:
                    return payload
            try:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                data = self._socket.recv(1 << 18)
            except OSError as error:
                raise BrowserError(f"the browser did not answer: {error}") from error
            if not data:
                raise BrowserError("the browser closed the connection")
            self._frames.feed(data)

    def close(self) -> None:
        from websocket import WebSocketException

        try:
            self._web.close(timeout=1)
        except (WebSocketException, OSError):
            return


def frame(kind: int, payload: bytes) -> bytes:
    """One whole masked frame, as a client sends it (RFC 6455, section 5.2)."""
    size, key = len(payload), os.urandom(4)
    head = bytes((0x80 | kind, 0x80 | (size if size < 126 else 126 if size < 1 << 16 else 127)))
    if size >= 126:
        head += size.to_bytes(2 if size < 1 << 16 else 8, "big")
    mask = (key * (size // 4 + 1))[:size]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + hidden.to_bytes(size, "big")


class Frames:
    """Frames of a server out of the bytes as they come: whole messages, their pieces put together, and what lies between them."""

    def __init__(self) -> None:
        self._bytes = b""
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        self._bytes = self._bytes + data if self._bytes else data

    def take(self) -> Iterator[tuple[int, bytes]]:
        """Kind and content of each whole message that has come and was not taken yet; a caller may stop in between."""
        while (found := self._next()) is not None:
            first, payload = found
            if first & 0x0F > 0x07:  # of the connection itself, even between the pieces of a message
                yield first & 0x0F, payload
                continue
            self._pieces.append(payload)
            if first & 0x80:
                whole, self._pieces = b"".join(self._pieces), []
                yield TEXT, whole

    def _next(self) -> tuple[int, bytes] | None:
        """First byte and content of the next frame, None where not all of it is there."""
        data = self._bytes
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        self._bytes = data[start + size :]
        return data[0], data[start : start + size]


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
