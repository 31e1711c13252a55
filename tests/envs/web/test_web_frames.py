"""Web-socket frames: written so that a server reads them, read however they are cut, and what the connection says between them."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from pathlib import Path

import pytest

from envs.web.backend import BrowserError
from envs.web.transport import CLOSE, PING, TEXT, Frames, SocketTransport, frame

GREETING = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455, section 1.3


def told(kind: int, payload: bytes, *, last: bool = True) -> bytes:
    """An unmasked frame, as a server sends it."""
    size = len(payload)
    head = bytes([(0x80 if last else 0) | kind])
    if size < 126:
        return head + bytes([size]) + payload
    return head + (b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")) + payload


def unmasked(data: bytes) -> tuple[int, bytes]:
    """Kind and content of a client's frame, worked out byte by byte as the standard says."""
    size, start = data[1] & 0x7F, 2
    assert data[0] & 0x80 and data[1] & 0x80
    if size >= 126:
        start = 4 if size == 126 else 10
        size = int.from_bytes(data[2:start], "big")
    key, hidden = data[start : start + 4], data[start + 4 :]
    assert len(hidden) == size
    return data[0] & 0x0F, bytes(byte ^ key[place % 4] for place, byte in enumerate(hidden))


@pytest.mark.parametrize("size", [0, 1, 5, 125, 126, 65_535, 65_536, 70_003])
def test_what_is_written_can_be_read(size: int) -> None:
    payload = bytes(place * 7 % 256 for place in range(size))
    assert unmasked(frame(TEXT, payload)) == (TEXT, payload)


@pytest.mark.parametrize("cut", [1, 3, 1000, 10**6])
def test_frames_are_read_however_they_are_cut(cut: int) -> None:
    long = bytes(range(256)) * 300
    stream = told(TEXT, b"one") + told(TEXT, b"two-", last=False) + told(PING, b"?") + told(0, b"parts")
    stream += told(TEXT, long) + told(TEXT, b"") + told(CLOSE, b"")
    frames, found = Frames(), []
    for start in range(0, len(stream), cut):
        frames.feed(stream[start : start + cut])
        found += list(frames.take())
    assert found == [(TEXT, b"one"), (PING, b"?"), (TEXT, b"two-parts"), (TEXT, long), (TEXT, b""), (CLOSE, b"")]


class Server(threading.Thread):
    """A web-socket server of one connection: answers the greeting, sends `stream` in pieces and keeps what it hears."""

    def __init__(self, path: Path, stream: bytes) -> None:
        super().__init__(daemon=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(1)
        self._stream, self.heard = stream, b""

    def run(self) -> None:
        with self._listening, self._listening.accept()[0] as client:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += client.recv(4096)
            key = next(
                line.split(b": ")[1] for line in asked.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
            )
            accepted = base64.b64encode(hashlib.sha1(key + GREETING.encode()).digest())
            client.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                + accepted
                + b"\r\n\r\n"
            )
            self.heard += client.recv(4096)
            for start in range(0, len(self._stream), 7):
                client.sendall(self._stream[start : start + 7])
            if b"?" in self._stream:
                self.heard += client.recv(4096)


def test_messages_cross_a_socket_and_a_ping_is_answered(tmp_path: Path) -> None:
    server = Server(tmp_path / "cdp", told(PING, b"?") + told(TEXT, "größer".encode()))
    server.start()
    transport = SocketTransport(tmp_path / "cdp")
    transport.send(b'{"id": 1}')
    assert transport.receive(5.0).decode() == "größer"
    server.join(5.0)
    assert server.heard[:1] == bytes([0x80 | TEXT]) and unmasked(server.heard[: 6 + 9]) == (TEXT, b'{"id": 1}')
    assert unmasked(server.heard[6 + 9 :]) == (0xA, b"?")
    with pytest.raises(BrowserError, match="closed the connection"):
        transport.receive(5.0)
    transport.close()


def test_a_server_that_says_nothing_or_good_bye_is_a_browser_error(tmp_path: Path) -> None:
    server = Server(tmp_path / "cdp", told(CLOSE, b"\x03\xe8"))
    server.start()
    transport = SocketTransport(tmp_path / "cdp")
    with pytest.raises(BrowserError, match="did not answer"):
        transport.receive(0.05)
    transport.send(b"x")
    with pytest.raises(BrowserError, match="closed the connection"):
        transport.receive(5.0)
    transport.close()
