"""How long a browser is waited for: the time in which it waits for us is not counted, and there is an end to that too. No browser."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator

import pytest

from envs.web.backend import BrowserError
from envs.web.cdp import MOST_SERVED, Connection, Message
from envs.web.transport import PipeTransport


class Peer:
    """The browser's ends of two pipes."""

    def __init__(self) -> None:
        from_us, self._to_peer = os.pipe()
        self._from_peer, to_us = os.pipe()
        self.transport = PipeTransport(self._from_peer, self._to_peer)
        self._in, self._out = os.fdopen(from_us, "rb"), os.fdopen(to_us, "wb")

    def hear(self) -> Message:
        """The next message that was sent to it."""
        text = b""
        while not text.endswith(b"\0"):
            text += self._in.read(1)
        told: Message = json.loads(text[:-1])
        return told

    def say(self, **message: object) -> None:
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()

    def close(self) -> None:
        for end in (self._from_peer, self._to_peer):
            os.close(end)
        self._in.close()
        self._out.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


def answer_after_a_request(peer: Peer) -> None:
    call = peer.hear()
    peer.say(method="asks", params={})
    peer.hear()  # what we serve it
    time.sleep(0.1)  # its own work
    peer.say(id=call["id"], result={"done": True})


def test_what_we_are_slow_to_serve_is_not_counted_against_the_browser(peer: Peer) -> None:
    connection = Connection(peer.transport, timeout_s=0.4)

    def serve(_: Message) -> None:
        time.sleep(0.6)  # a busy site: longer than the browser may take itself
        connection.post("serve", drop=True)

    connection.on("asks", serve)
    browser = threading.Thread(target=answer_after_a_request, args=(peer,))
    browser.start()
    try:
        assert connection.call("go") == {"done": True}
    finally:
        browser.join()


def test_a_browser_that_says_nothing_is_given_up_in_its_time(peer: Peer) -> None:
    connection, began = Connection(peer.transport, timeout_s=0.2), time.monotonic()
    with pytest.raises(BrowserError, match="did not answer"):
        connection.call("go")
    assert 0.2 <= time.monotonic() - began < 2.0


def test_a_page_that_asks_for_ever_is_given_up_too(peer: Peer) -> None:
    connection = Connection(peer.transport, timeout_s=0.05)
    served: list[Message] = []

    def serve(event: Message) -> None:
        served.append(event)
        time.sleep(0.05)
        peer.say(method="asks", params={})

    connection.on("asks", serve)
    peer.say(method="asks", params={})
    with pytest.raises(BrowserError, match="did not happen in time"):
        connection.wait(lambda: False, "a page")
    assert MOST_SERVED / 2 <= len(served) <= MOST_SERVED + 1
