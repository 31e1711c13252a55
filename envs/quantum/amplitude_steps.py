"""One gate on eight amplitudes, forwards and backwards, and eight rows of a Hamiltonian: the steps of statevector.py.

A state is one flat array: real parts, then imaginary parts `size` further on, `size` a power of two of at least 8. A gate's
step takes (psi, lam, low, high, size, cosine, sine, x, y, z): cosine and sine of half the angle, and 1 for the rotation's
axis, 0 for the others. All axes share one step, because a wrongly guessed branch costs more than the idle multiplications.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envs.quantum.lanes import LANES, Writer, make_step


class _Axis:
    """The axis (x, y, z) for eight amplitudes whose qubit is 0 where `signs` has -1, and 1 where it has 1."""

    def __init__(self, writer: Writer, x: Any, y: Any, z: Any, signs: Sequence[float]) -> None:
        sign, minus = writer.constant(signs), writer.constant([-1.0] * LANES)
        self._x, self._y, self._z = (
            writer.splat(x),
            writer.mul(sign, writer.splat(y)),
            writer.mul(sign, writer.splat(z)),
        )
        self._minus_x, self._minus_z = writer.mul(minus, self._x), writer.mul(minus, self._z)
        self._writer = writer

    def act(self, own: tuple[Any, Any], partner: tuple[Any, Any]) -> tuple[Any, Any]:
        """-i times the axis' Pauli matrix, on (real, imaginary) `own` with the other value of the qubit in `partner`."""
        w = self._writer
        real = w.add(w.add(w.mul(self._x, partner[1]), w.mul(self._y, partner[0])), w.mul(self._minus_z, own[1]))
        imag = w.add(w.add(w.mul(self._minus_x, partner[0]), w.mul(self._y, partner[1])), w.mul(self._z, own[0]))
        return real, imag

    def turn(self, cosine: Any, sine: Any, own: tuple[Any, Any], partner: tuple[Any, Any]) -> tuple[Any, Any]:
        w, moved = self._writer, self.act(own, partner)
        real, imag = (w.add(w.mul(cosine, old), w.mul(sine, new)) for old, new in zip(own, moved, strict=True))
        return real, imag

    def slope(self, left: tuple[Any, Any], own: tuple[Any, Any], partner: tuple[Any, Any]) -> Any:
        """Lanes of Im <left| P |own> = Re <left| -i P |own>."""
        w, moved = self._writer, self.act(own, partner)
        return w.add(w.mul(left[0], moved[0]), w.mul(left[1], moved[1]))


def _complex(writer: Writer, array: int, at: Any, size: Any) -> tuple[Any, Any]:
    return writer.load(array, at), writer.load(array, writer.offset(at, size))


def _keep(writer: Writer, array: int, at: Any, size: Any, value: tuple[Any, Any]) -> None:
    writer.store(array, at, value[0])
    writer.store(array, writer.offset(at, size), value[1])


def _swapped(writer: Writer, value: tuple[Any, Any], places: Sequence[int]) -> tuple[Any, Any]:
    return writer.shuffle(value[0], places), writer.shuffle(value[1], places)


def _near(step: int, backward: bool) -> Any:
    """Rotate within the vector at `low`; backward also `lam`, returning the derivative by the angle before."""
    places = [lane ^ step for lane in range(LANES)]
    signs = [1.0 if lane & step else -1.0 for lane in range(LANES)]

    def emit(writer: Writer, low: Any, _: Any, size: Any, cosine: Any, sine: Any, x: Any, y: Any, z: Any) -> Any:
        c, s, axis = writer.splat(cosine), writer.splat(sine), _Axis(writer, x, y, z, signs)
        states = [_complex(writer, array, low, size) for array in range(1 + backward)]
        partners = [_swapped(writer, own, places) for own in states]
        for array, (own, partner) in enumerate(zip(states, partners, strict=True)):
            _keep(writer, array, low, size, axis.turn(c, s, own, partner))
        return writer.total(axis.slope(states[1], states[0], partners[0])) if backward else None

    return make_step(2, 3, 5, emit)


def _far(backward: bool) -> Any:
    """The same between the vectors at `low` and `high`."""

    def emit(writer: Writer, low: Any, high: Any, size: Any, cosine: Any, sine: Any, x: Any, y: Any, z: Any) -> Any:
        c, s = writer.splat(cosine), writer.splat(sine)
        zero, one = (_Axis(writer, x, y, z, [sign] * LANES) for sign in (-1.0, 1.0))
        states = [[_complex(writer, i, at, size) for at in (low, high)] for i in range(1 + backward)]
        for array, (down, up) in enumerate(states):
            _keep(writer, array, low, size, zero.turn(c, s, down, up))
            _keep(writer, array, high, size, one.turn(c, s, up, down))
        if not backward:
            return None
        (down, up), (left, right) = states
        return writer.total(writer.add(zero.slope(left, down, up), one.slope(right, up, down)))

    return make_step(2, 3, 5, emit)


def _permute(places: Sequence[int]) -> Any:
    """Permute the lanes of the vector at `low`."""

    def emit(writer: Writer, low: Any, _: Any, size: Any) -> None:
        _keep(writer, 0, low, size, _swapped(writer, _complex(writer, 0, low, size), places))

    return make_step(1, 3, 0, emit)


def _exchange(step: int) -> Any:
    """Exchange the lanes with bit `step` (all of them for 0) between the vectors at `low` and `high`."""
    first = [lane + LANES if lane & step or not step else lane for lane in range(LANES)]
    second = [place ^ LANES for place in first]

    def emit(writer: Writer, low: Any, high: Any, size: Any) -> None:
        pairs = list(zip(_complex(writer, 0, low, size), _complex(writer, 0, high, size), strict=True))
        for at, places in ((low, first), (high, second)):
            real, imag = (writer.shuffle(down, places, up) for down, up in pairs)
            _keep(writer, 0, at, size, (real, imag))

    return make_step(1, 3, 0, emit)


TURN = (_near(1, False), _near(2, False), _near(4, False), _far(False))
"""By qubit; the last for any from 3 on."""
UNDO = (_near(1, True), _near(2, True), _near(4, True), _far(True))
FLIP = tuple(
    tuple(_permute([lane ^ (target if lane & control else 0) for lane in range(LANES)]) for target in (1, 2, 4))
    for control in (1, 2, 4)
)
"""[control][target] CNOT within a vector."""
NOT = tuple(_permute([lane ^ target for lane in range(LANES)]) for target in (1, 2, 4))
EXCHANGE = tuple(_exchange(step) for step in (1, 2, 4, 0))


def _accumulate(writer: Writer, at: Any, row: Any, column: Any, size: Any) -> None:
    """Add the 8 by 8 block that starts at `at`, times eight amplitudes at `column` of psi, to those at `row` of lam."""
    sums = list(_complex(writer, 2, row, size))
    for part in range(2):
        base = writer.offset(column, size) if part else column
        halves = [sums[part], None]
        for lane in range(LANES):
            weights = writer.load(0, writer.shift(at, LANES * lane))
            product = writer.mul(weights, writer.splat(writer.load_one(1, writer.shift(base, lane))))
            held = halves[lane % 2]
            halves[lane % 2] = product if held is None else writer.add(held, product)
        sums[part] = writer.add(halves[0], halves[1])
    _keep(writer, 2, row, size, (sums[0], sums[1]))


ACCUMULATE = make_step(3, 4, 0, _accumulate)
