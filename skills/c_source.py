"""Pieces of C99 that every exported policy uses: arrays of constants and one dense layer."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

_ROW = 8
DENSE = """static void NAME_dense(const float *w, const float *b, const float *x, float *y, int wide, int narrow, int active) {
    for (int i = 0; i < narrow; i++) {
        float sum = b[i];
        for (int j = 0; j < wide; j++) sum += w[i * wide + j] * x[j];
        y[i] = active ? NAME_activate(sum) : sum;
    }
}
"""
"""Needs `NAME_activate(float)`; NAME is to be replaced."""


def array(name: str, values: NDArray[Any]) -> str:
    """A constant float array, row after row, to the last bit."""
    flat = [f"{float(value):.9g}" for value in values.ravel()]
    numbers = [text + ("f" if "." in text or "e" in text else ".0f") for text in flat]
    rows = [", ".join(numbers[i : i + _ROW]) for i in range(0, len(numbers), _ROW)]
    return f"static const float {name}[{len(flat)}] = {{\n    " + ",\n    ".join(rows) + "\n};\n"
