"""Frames as small files: an animation (WebP or GIF) and a strip of moments (PNG), by Pillow alone.

An animation that comes out too large is made again with every second frame, then at three quarters of the size, until it fits.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frame = NDArray[np.uint8]
MAX_BYTES = 1_500_000
_MAX_FRAMES = 400
_WIDTH = 480
_FORMATS = {".webp": "WEBP", ".gif": "GIF"}


def write_animation(
    path: Path, frames: Sequence[Frame], *, frames_per_s: float = 25.0, max_bytes: int = MAX_BYTES
) -> Path:
    """Write frames [height, width, 3] as an endless animation of at most `max_bytes`; the suffix .webp or .gif decides.

    Raises `ValueError` for an unknown suffix, for no frames, and when even two small frames do not fit.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"cannot write an animation as {path.suffix!r}: use .webp or .gif")
    step = max(1, -(-len(frames) // _MAX_FRAMES))
    images = [_image(frame, _WIDTH) for frame in frames[::step]]
    if not images:
        raise ValueError("an animation needs at least one frame")
    duration_ms = 1000.0 * step / frames_per_s
    content = _encode(images, kind, duration_ms)
    while len(content) > max_bytes:
        if len(images) > 60:
            images, duration_ms = images[::2], duration_ms * 2
        elif images[0].width > 80:
            images = [_image(np.asarray(image), image.width * 3 // 4) for image in images]
        elif len(images) > 2:
            images, duration_ms = images[::2], duration_ms * 2
        else:
            raise ValueError(f"an animation of at most {max_bytes} bytes cannot be made of these frames")
        content = _encode(images, kind, duration_ms)
    path.write_bytes(content)
    return path


def write_strip(path: Path, frames: Sequence[Frame], *, count: int = 6, columns: int = 3, width: int = 320) -> Path:
    """Write `count` evenly spaced frames, first and last included, as one PNG grid, for reports and for models that see."""
    if not frames or count < 1 or columns < 1:
        raise ValueError("a strip needs at least one frame, one picture and one column")
    chosen = [_image(frames[i], width) for i in spaced(len(frames), count)]
    columns = min(columns, len(chosen))
    wide, high = chosen[0].size
    sheet = Image.new("RGB", (columns * wide, -(-len(chosen) // columns) * high), "white")
    for number, image in enumerate(chosen):
        sheet.paste(image, (number % columns * wide, number // columns * high))
    sheet.save(path, "PNG", optimize=True)
    return path


def spaced(total: int, count: int) -> list[int]:
    """Evenly spaced indices of `total` things, ends included, at most `count` and none twice."""
    return sorted({round(i) for i in np.linspace(0, total - 1, min(count, total)).tolist()})


def _image(frame: Frame, max_width: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(frame, dtype=np.uint8))
    if image.width <= max_width:
        return image
    return image.resize((max_width, max(1, image.height * max_width // image.width)), Image.Resampling.LANCZOS)


def _encode(images: Sequence[Image.Image], kind: str, duration_ms: float) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, object] = {"quality": 60, "method": 3} if kind == "WEBP" else {"optimize": True}
    images[0].save(
        buffer,
        kind,
        save_all=True,
        append_images=list(images[1:]),
        duration=max(20, round(duration_ms)),
        loop=0,
        **options,
    )
    return buffer.getvalue()
