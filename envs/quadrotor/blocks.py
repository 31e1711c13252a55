"""Vector moves that a compiler does not find by itself: eight lanes copied, eight lanes turned into eight rows, actions turned into lanes.

Each is a numba intrinsic written in LLVM's own language, without a loop. Arrays are addressed flat, so they must be C-contiguous. No
arithmetic here, and nothing that depends on what the numbers mean.
"""

from __future__ import annotations

import importlib
from typing import Any

from envs.quadrotor.jit import load_numba

LANES = 8


def _parts() -> tuple[Any, Any, Any]:
    """numba's `intrinsic` and types, and LLVM's language."""
    load_numba()
    extending: Any = importlib.import_module("numba.extending")
    return extending.intrinsic, importlib.import_module("numba.core.types"), importlib.import_module("llvmlite.ir")


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, vector: Any) -> Any:
    """Address of a vector that begins at flat `index` of an array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _check_contiguous(*arrays: Any) -> None:
    for array in arrays:
        if array.layout != "C":
            raise ValueError(f"{array} is not C-contiguous; flat addresses would be wrong.")


def _make_copy() -> Any:
    intrinsic, types, ir = _parts()

    def copy_block(context: Any, target: Any, to: Any, source: Any, at: Any) -> Any:
        _check_contiguous(target, source)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(ir.DoubleType(), LANES)
            moved = builder.load(_pointer(context, builder, signature.args[2], args[2], args[3], vector), align=8)
            builder.store(moved, _pointer(context, builder, signature.args[0], args[0], args[1], vector), align=8)
            return context.get_dummy_value()

        return types.void(target, types.intp, source, types.intp), generate

    return intrinsic(copy_block)


def _shuffle(builder: Any, ir: Any, one: Any, other: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(one, other, mask)


def _transpose(builder: Any, ir: Any, rows: list[Any]) -> list[Any]:
    """Transpose 8 vectors of 8: single numbers change places first, then pairs, then halves."""
    for low, high, apart in (
        ([0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15], 1),
        ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15], 2),
        ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15], 4),
    ):
        turned = list(rows)
        for place in range(LANES):
            if not place & apart:
                pair = rows[place], rows[place + apart]
                turned[place] = _shuffle(builder, ir, *pair, low)
                turned[place + apart] = _shuffle(builder, ir, *pair, high)
        rows = turned
    # column i now stands at the place whose two lower bits are those of i, swapped
    return [rows[place] for place in (0, 2, 1, 3, 4, 6, 5, 7)]


def _make_turn() -> Any:
    intrinsic, types, ir = _parts()

    def turn_block(context: Any, one: Any, other: Any, to: Any, width: Any, source: Any, at: Any, stride: Any) -> Any:
        _check_contiguous(one, other, source)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            wide, narrow = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.FloatType(), LANES)
            rows, index = [], args[5]
            for _ in range(LANES):
                row = builder.load(_pointer(context, builder, signature.args[4], args[4], index, wide), align=8)
                rows.append(builder.fptrunc(row, narrow))
                index = builder.add(index, args[6])
            index = args[2]
            for column in _transpose(builder, ir, rows):
                for place in (0, 1):
                    target = _pointer(context, builder, signature.args[place], args[place], index, narrow)
                    builder.store(column, target, align=4)
                index = builder.add(index, args[3])
            return context.get_dummy_value()

        return types.void(one, other, types.intp, types.intp, source, types.intp, types.intp), generate

    return intrinsic(turn_block)


def _make_part() -> Any:
    intrinsic, types, ir = _parts()

    def part_block(context: Any, target: Any, to: Any, stride: Any, source: Any, at: Any) -> Any:
        _check_contiguous(target, source)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            half, wide = ir.VectorType(ir.FloatType(), 2 * LANES), ir.VectorType(ir.DoubleType(), LANES)
            middle = builder.add(args[4], ir.Constant(args[4].type, 2 * LANES))
            one, other = (
                builder.load(_pointer(context, builder, signature.args[3], args[3], index, half), align=4)
                for index in (args[4], middle)
            )
            index = args[1]
            for k in range(4):
                row = _shuffle(builder, ir, one, other, list(range(k, 4 * LANES, 4)))
                place = _pointer(context, builder, signature.args[0], args[0], index, wide)
                builder.store(builder.fpext(row, wide), place, align=8)
                index = builder.add(index, args[2])
            return context.get_dummy_value()

        return types.void(target, types.intp, types.intp, source, types.intp), generate

    return intrinsic(part_block)


def _make_wide() -> Any:
    intrinsic, types, _ = _parts()

    def use_wide_vectors(context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            # past llvmlite's list of known attributes; without effect where a processor has no such registers
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
            return context.get_dummy_value()

        return types.void(), generate

    return intrinsic(use_wide_vectors)


copy_block = _make_copy()
"""copy_block(target, to, source, at): 8 numbers of one float64 array to another."""
turn_block = _make_turn()
"""turn_block(one, other, to, width, source, at, stride): 8 rows of 8 float64 lanes, `stride` apart from flat index `at` of `source`, become
8 float32 columns of 8 rows, `width` apart from index `to` of both float32 arrays."""
part_block = _make_part()
"""part_block(target, to, stride, source, at): 8 rows of 4 float32 numbers, one after another from index `at`, become 4 rows of 8 float64 lanes,
`stride` apart from index `to`."""
use_wide_vectors = _make_wide()
"""use_wide_vectors(): let the loops of this function fill 512-bit registers, which compilers avoid on processors that have them."""
