"""What a reward program may name: built-ins, NumPy and math functions, methods. Everything else is refused.

Every NumPy function here is pure: no files, no callables as arguments, no views of raw memory, no randomness.
"""

from __future__ import annotations

import builtins
import difflib
import math
from collections.abc import Iterable
from importlib import import_module
from types import SimpleNamespace

import numpy as np


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


BUILTINS = _names(
    "abs all any bool dict enumerate float int isinstance len list max min range reversed round set sorted str sum tuple zip"
)
NUMPY = _names(
    """abs absolute add all allclose amax amin any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin
    argsort around array array_equal asarray atleast_1d atleast_2d bool_ broadcast_to cbrt ceil clip column_stack
    concatenate copysign cos cosh count_nonzero cross cumprod cumsum deg2rad degrees diff divide dot e einsum empty
    empty_like equal exp exp2 expand_dims expm1 eye fabs flip float32 float64 floor floor_divide fmax fmin fmod full
    full_like greater greater_equal heaviside hstack hypot identity inf inner int32 int64 interp isclose isfinite isinf
    isnan less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor matmul
    max maximum mean median min minimum mod moveaxis multiply nan nan_to_num nanmax nanmean nanmin nansum ndim negative
    newaxis nonzero not_equal ones ones_like outer percentile pi positive power prod ptp quantile rad2deg radians
    ravel reciprocal remainder repeat reshape roll round select shape sign sin sinc sinh size sort sqrt square squeeze
    stack std subtract sum swapaxes take tan tanh tensordot tile trace transpose trapezoid true_divide trunc unwrap var
    vstack where zeros zeros_like errstate"""
)
LINALG = frozenset({"norm"})
MATH = _names(
    """acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh degrees e erf exp expm1 fabs floor fmod hypot inf
    isfinite isinf isnan log log10 log1p log2 nan pi radians sin sinh sqrt tan tanh tau trunc"""
)
METHODS = _names(
    """T all any append argmax argmin astype clip copy cumsum dot dtype extend fill flatten get item items keys max mean
    min ndim prod ravel reduce repeat reshape round setdefault shape size squeeze std sum swapaxes take tolist transpose
    update values var"""
)
"""Attributes of values: methods and properties of arrays, dictionaries and lists."""
MODULES = frozenset({"np", "numpy", "math"})

_INSTEAD = {
    "random": "randomness is not allowed: the reward must be a pure function of its arguments",
    "vectorize": "write whole-array expressions instead",
    "apply_along_axis": "write whole-array expressions instead",
    "piecewise": "use np.where or np.select",
    "ndarray": "only functions of arrays are available, not the array type",
}


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest to `name`, as a sentence, or nothing."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def why_not_numpy(name: str) -> str:
    """Explain that `np.<name>` is not available."""
    if name in _INSTEAD:
        return f"np.{name} is not available: {_INSTEAD[name]}."
    if name == "norm":
        return "np.norm does not exist: use np.linalg.norm."
    return f"np.{name} is not among the NumPy functions that a reward program may use.{suggest(name, NUMPY)}"


def make_namespace() -> dict[str, object]:
    """Make the global names of one program: chosen built-ins, a NumPy facade and a math facade; nothing shared by two."""
    linalg = SimpleNamespace(**{name: getattr(np.linalg, name) for name in LINALG})
    replaced = {"empty": np.zeros, "empty_like": np.zeros_like, "linalg": linalg}  # no uninitialised memory
    numpy = SimpleNamespace(**{**{name: getattr(np, name) for name in NUMPY}, **replaced})
    return {
        "__builtins__": {**{name: getattr(builtins, name) for name in BUILTINS}, "__import__": _import_for_numpy},
        "np": numpy,
        "numpy": numpy,
        "math": SimpleNamespace(**{name: getattr(math, name) for name in MATH}),
    }


def _import_for_numpy(name: str, *_: object) -> None:
    """Let NumPy's own C code load its lazy parts, which it does through the caller's built-ins. Gives nothing back."""
    if name.split(".")[0] != "numpy":
        raise ImportError(f"import of {name!r} is not allowed")
    import_module(name)
