"""Pages in a replay: observations without their empty slots in half precision, and masks as bits. A small page takes a tenth of its
observation; the features are shares, flags and hashes of at most ten, so that half precision loses a thousandth at most.

Read before dom_replay.py (single steps) and dom_trajectories.py (whole episodes). Nothing here knows an algorithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.web.actions import COUNT, SLOTS
from envs.web.encoding import WIDTH

Float32 = NDArray[np.float32]
Float16 = NDArray[np.float16]
Mask = NDArray[np.bool_]
_ROWS = SLOTS * WIDTH


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One observation and what was legal there. Compared by identity: consecutive steps share their pages."""

    rows: Float16
    """[k, WIDTH] the slots up to the last one that is not empty."""
    tail: Float16
    """[t] what follows the slots."""
    bits: NDArray[np.uint8]
    """The mask [COUNT], eight to a byte."""


def pack_page(observation: Float32, mask: Mask) -> Page:
    """Pack an observation [SLOTS * WIDTH + t] and its mask [COUNT]."""
    flat = np.asarray(observation, np.float32)
    rows = flat[:_ROWS].reshape(SLOTS, WIDTH)
    used = np.flatnonzero(rows.any(axis=1))
    count = int(used[-1]) + 1 if len(used) else 0
    return Page(rows[:count].astype(np.float16), flat[_ROWS:].astype(np.float16), np.packbits(mask))


def stack_pages(pages: Sequence[Page]) -> tuple[Float32, Mask]:
    """Unpack m pages to observations [m, SLOTS * WIDTH + t] and masks [m, COUNT]."""
    tail = len(pages[0].tail)
    flat = np.zeros((len(pages), _ROWS + tail), np.float32)
    for place, page in enumerate(pages):
        flat[place, : page.rows.size] = page.rows.ravel()
        flat[place, _ROWS:] = page.tail
    masks = np.unpackbits(np.stack([page.bits for page in pages]), axis=1, count=COUNT).astype(np.bool_)
    return flat, masks


def dump_pages(pages: Sequence[Page]) -> dict[str, NDArray[Any]]:
    """Arrays of a checkpoint for m pages."""
    return {
        "page_counts": np.array([len(page.rows) for page in pages], np.int64),
        "page_rows": np.concatenate([np.zeros((0, WIDTH), np.float16), *(page.rows for page in pages)]),
        "page_tails": np.stack([page.tail for page in pages]) if pages else np.zeros((0, 0), np.float16),
        "page_bits": np.stack([page.bits for page in pages]) if pages else np.zeros((0, 0), np.uint8),
    }


def load_pages(arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> list[Page]:
    """Pages that `dump_pages` turned into arrays; raises `KeyError` or `ValueError` where they do not fit."""
    counts = arrays[f"{prefix}page_counts"]
    rows = arrays[f"{prefix}page_rows"]
    if int(counts.sum()) != len(rows):
        raise ValueError(f"pages of {int(counts.sum())} elements in all, {len(rows)} are stored")
    parts = np.split(rows, np.cumsum(counts)[:-1]) if len(counts) else []
    tails, bits = arrays[f"{prefix}page_tails"], arrays[f"{prefix}page_bits"]
    return [Page(part, tail, bit) for part, tail, bit in zip(parts, tails, bits, strict=True)]


def number_pages(pages: Iterable[Page]) -> dict[int, tuple[int, Page]]:
    """Give every different page a number in the order of first sight: identity -> (number, page)."""
    numbers: dict[int, tuple[int, Page]] = {}
    for page in pages:
        if id(page) not in numbers:
            numbers[id(page)] = (len(numbers), page)
    return numbers
