"""The small real model for the embedded path: fetched once, then found; workers that want it at the same time wait for one another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experimenter.llm.models import fetch_model


@pytest.fixture(scope="session")
def model_home() -> Path:
    """A home whose models folder holds SmolLM2-135M (94 MB, fetched when missing)."""
    named = os.environ.get("EXPERIMENTER_TEST_MODELS")
    home = Path(named) if named else Path.home() / ".cache" / "experimenter-test-models"
    fetch_model("smollm2-135m", home=home)
    return home
