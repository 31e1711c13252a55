"""Words that mean nothing, for the further elements of a larger page. Drawn from a seed; never a word of a task."""

from __future__ import annotations

import numpy as np

_FIRST = ("bl", "cr", "dw", "fl", "gn", "kl", "pl", "qu", "sk", "thr", "vr", "zw")
_MIDDLE = ("oo", "ee", "au", "ou", "ay")
_LAST = ("mf", "nk", "xt", "rp", "zz", "gg")


def clutter_words(seed: int, count: int) -> list[str]:
    """`count` made-up words, the same for the same seed."""
    rng = np.random.default_rng([seed, 7])
    return [
        "".join(part[int(rng.integers(len(part)))] for part in (_FIRST, _MIDDLE, _LAST, _MIDDLE, _LAST))
        for _ in range(count)
    ]
