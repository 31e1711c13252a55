"""Carries progress out and commands in, about once a second."""

from __future__ import annotations

import time
from collections.abc import Mapping

from experimenter.trainers.base import Command, Listener, Progress

INTERVAL_S = 1.0


class Reporter:
    """Calls the listener when a second has passed and remembers what it asked for."""

    def __init__(self, listen: Listener) -> None:
        self._listen = listen
        self._last = time.monotonic()
        self.stop_asked = False
        self.checkpoint_asked = False

    def pulse(self, step: int, losses: Mapping[str, float], *, force: bool = False) -> bool:
        """Report `step` and `losses` when it is time (or `force`); return True once a STOP was asked for."""
        now = time.monotonic()
        if force or now - self._last >= INTERVAL_S:
            self._last = now
            command = self._listen(Progress(step=step, losses=losses))
            self.stop_asked |= command is Command.STOP
            self.checkpoint_asked |= command is Command.CHECKPOINT
        return self.stop_asked
