"""Animations and strips open again, keep their length in time, and stay small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from experimenter.evaluation.video import spaced, write_animation, write_strip


def make_frames(count: int, *, noisy: bool = False, width: int = 120) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    frames = []
    for i in range(count):
        frame = np.zeros((width // 2, width, 3), np.uint8)
        frame[:, i % width] = 255
        frames.append(rng.integers(0, 256, frame.shape).astype(np.uint8) if noisy else frame)
    return frames


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_animation_opens_again(tmp_path: Path, suffix: str) -> None:
    path = write_animation(tmp_path / f"run{suffix}", make_frames(10), frames_per_s=10)
    with Image.open(path) as image:
        assert (image.size, getattr(image, "n_frames", 1)) == ((120, 60), 10)


def test_large_animation_is_thinned_until_it_fits(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "run.webp", make_frames(80, noisy=True), max_bytes=60_000)
    assert path.stat().st_size <= 60_000
    with Image.open(path) as image:
        assert 2 <= getattr(image, "n_frames", 1) <= 40


def test_strip_is_a_grid_of_evenly_spaced_moments(tmp_path: Path) -> None:
    assert spaced(11, 3) == [0, 5, 10]
    assert spaced(2, 6) == [0, 1]
    path = write_strip(tmp_path / "strip.png", make_frames(11), count=5, columns=2)
    with Image.open(path) as image:
        assert image.size == (240, 180)
        # the first frame has its white line at x = 0, the last one, in row 3 column 1, at x = 10
        assert image.getpixel((0, 10)) == (255, 255, 255)
        assert image.getpixel((10, 130)) == (255, 255, 255)
        assert image.getpixel((60, 130)) == (0, 0, 0)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"use .webp or .gif"):
        write_animation(tmp_path / "run.mp4", make_frames(2))
    with pytest.raises(ValueError, match="at least one frame"):
        write_animation(tmp_path / "run.gif", [])
