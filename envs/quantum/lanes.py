"""Eight doubles at a time: how the simulators' inner steps are written as LLVM vector code. The steps are elsewhere.

numba's own vectoriser gives up on short strides, so amplitudes of qubits 0 to 2 (and Paulis of qubits 0 and 1) would be
worked on one by one. A step (amplitude_steps.py, pauli_steps.py) emits its body for whole vectors through a `Writer`; LLVM
lowers that to what the processor has. No index is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from envs.quantum.compiled import require_numba

require_numba()
ir: Any = import_module("llvmlite.ir")
types: Any = import_module("numba.core.types")
intrinsic: Any = import_module("numba.extending").intrinsic

LANES = 8
_FAST = ("contract", "reassoc", "nsz", "nnan")
Emit = Callable[..., Any]


class Writer:
    """Emits arithmetic on vectors of doubles through one LLVM builder."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> None:
        self._context, self._builder, self._signature, self._args = context, builder, signature, args

    def _at(self, array: int, index: Any, lanes: int) -> Any:
        kind = self._signature.args[array]
        data = self._context.make_array(kind)(self._context, self._builder, self._args[array]).data
        vector = ir.VectorType(ir.DoubleType(), lanes)
        return self._builder.bitcast(self._builder.gep(data, [index]), vector.as_pointer())

    def load(self, array: int, index: Any, lanes: int = LANES) -> Any:
        return self._builder.load(self._at(array, index, lanes), align=8)

    def load_one(self, array: int, index: Any) -> Any:
        return self._builder.extract_element(self.load(array, index, 1), ir.Constant(ir.IntType(32), 0))

    def store(self, array: int, index: Any, value: Any) -> None:
        self._builder.store(value, self._at(array, index, value.type.count), align=8)

    def shuffle(self, one: Any, places: Sequence[int], two: Any = None) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
        return self._builder.shuffle_vector(one, one if two is None else two, mask)

    def splat(self, scalar: Any, lanes: int = LANES) -> Any:
        empty = ir.Constant(ir.VectorType(ir.DoubleType(), lanes), ir.Undefined)
        first = self._builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, [0] * lanes)

    def constant(self, values: Sequence[float]) -> Any:
        return ir.Constant(ir.VectorType(ir.DoubleType(), len(values)), [float(value) for value in values])

    def add(self, one: Any, two: Any) -> Any:
        return self._builder.fadd(one, two, flags=_FAST)

    def sub(self, one: Any, two: Any) -> Any:
        return self._builder.fsub(one, two, flags=_FAST)

    def mul(self, one: Any, two: Any) -> Any:
        return self._builder.fmul(one, two, flags=_FAST)

    def offset(self, one: Any, two: Any) -> Any:
        return self._builder.add(one, two)

    def shift(self, index: Any, by: int) -> Any:
        return self._builder.add(index, ir.Constant(index.type, by))

    def total(self, vector: Any) -> Any:
        """Sum of the lanes."""
        while vector.type.count > 1:
            half = vector.type.count // 2
            low = self.shuffle(vector, range(half))
            vector = self.add(low, self.shuffle(vector, range(half, 2 * half)))
        return self._builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

    def zip_lanes(self, vectors: Sequence[Any]) -> Any:
        """One vector of all lanes, one after the other; the number of vectors is a power of two."""
        while len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self.shuffle(one, range(2 * one.type.count), two) for one, two in pairs]
        return vectors[0]


def make_step(arrays: int, wholes: int, reals: int, emit: Emit) -> Any:
    """Compile-time function of `arrays` arrays, `wholes` integers and `reals` doubles, its body from `emit`; gives a double.

    `emit` gets the writer and then all arguments but the arrays, which the writer knows by number.
    """
    kinds = (types.int64,) * wholes + (types.float64,) * reals

    def typed(*given: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            made = emit(Writer(context, builder, signature, args), *args[arrays:])
            return ir.Constant(ir.DoubleType(), 0.0) if made is None else made

        return types.float64(*given[:arrays], *kinds), codegen

    return intrinsic(_FORMS[arrays + wholes + reals](typed))


# numba wants to see every argument's name
_FORMS: dict[int, Callable[[Emit], Emit]] = {
    4: lambda typed: lambda context, a, b, c, d: typed(a, b, c, d),
    7: lambda typed: lambda context, a, b, c, d, e, f, g: typed(a, b, c, d, e, f, g),
    10: lambda typed: lambda context, a, b, c, d, e, f, g, h, i, j: typed(a, b, c, d, e, f, g, h, i, j),
}
