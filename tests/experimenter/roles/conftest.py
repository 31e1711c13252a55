"""Gateways of the roles' tests, closed after each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import roles_helpers
from roles_helpers import Speak, Talker

from experimenter.llm.gateway import Gateway


@pytest.fixture
def speak(tmp_path: Path) -> Iterator[Speak]:
    """Open a gateway on a scripted model: `speak(*answers, able=..., margins=...)`."""
    opened: list[Gateway] = []

    def start(*answers: Any, **settings: Any) -> tuple[Gateway, Talker]:
        gateway, model = roles_helpers.speak(tmp_path, *answers, **settings)
        opened.append(gateway)
        return gateway, model

    yield start
    for gateway in opened:
        gateway.close()
        gateway._engine.dispose()
