"""A circuit as a picture: wires, boxes and controls, with one line of text below."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from envs.quantum.gates import CZ, NAMES, Gate, moments

_CELL, _ROW, _LEFT, _TOP = 46, 36, 40, 24
_MOST_COLUMNS = 14
_INK, _PAPER, _BOX, _LINK = (30, 30, 40), (255, 255, 255), (214, 232, 250), (170, 60, 60)


def draw_circuit(circuit: Sequence[Gate], qubits: int, start: int, caption: str) -> NDArray[np.uint8]:
    """RGB frame [height, width, 3] of the newest 14 moments; rotations show their angle in units of pi."""
    placed = moments(circuit)
    first = max(0, max(placed, default=0) + 1 - _MOST_COLUMNS)
    width, height = _LEFT + _CELL * _MOST_COLUMNS + 10, _TOP + _ROW * qubits + 30
    image = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(image)
    for qubit in range(qubits):
        y = _TOP + _ROW * qubit
        pen.line((_LEFT - 8, y, width - 8, y), fill=_INK)
        label = f"q{qubit}" if first else f"|{start >> qubit & 1}>"
        pen.text((8, y - 6), label, fill=_INK)
    for gate, moment in zip(circuit, placed, strict=True):
        if moment >= first:
            _draw_gate(pen, gate, _LEFT + _CELL * (moment - first) + _CELL // 2)
    pen.text((8, height - 20), caption, fill=_INK)
    return np.asarray(image, dtype=np.uint8)


def _draw_gate(pen: ImageDraw.ImageDraw, gate: Gate, x: int) -> None:
    y = _TOP + _ROW * gate.qubit
    if gate.is_rotation:
        pen.rectangle((x - 20, y - 13, x + 20, y + 13), fill=_BOX, outline=_INK)
        pen.text((x - 7, y - 12), NAMES[gate.kind], fill=_INK)
        pen.text((x - 13, y), f"{gate.angle / math.pi:+.2f}", fill=_INK)
        return
    other = _TOP + _ROW * gate.control
    pen.line((x, other, x, y), fill=_LINK, width=2)
    pen.ellipse((x - 4, other - 4, x + 4, other + 4), fill=_LINK)
    if gate.kind == CZ:
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=_LINK)
        return
    pen.ellipse((x - 9, y - 9, x + 9, y + 9), outline=_LINK, width=2)
    pen.line((x - 9, y, x + 9, y), fill=_LINK, width=2)
    pen.line((x, y - 9, x, y + 9), fill=_LINK, width=2)
