"""The one door to numba: `njit` with the settings of all kernels, and one clear line when the package is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

MISSING = "the quantum family needs numba: install the extra with pip install 'rl-experimenter[quantum]'."


def drop_stale(folder: Path) -> None:
    """Delete compiled files older than the newest source: numba looks at a function's own file, not at those it calls."""
    newest = max(path.stat().st_mtime for path in folder.glob("*.py"))
    for path in (folder / "__pycache__").glob("*.nb?"):
        with contextlib.suppress(OSError):  # another process may have done so already
            if path.stat().st_mtime < newest:
                path.unlink()


def require_numba() -> None:
    """Raise `ImportError` naming the extra when numba is not installed."""
    if find_spec("numba") is None:
        raise ImportError(MISSING)


def kernel(function: Function) -> Function:
    """Compile `function` to machine code at its first call; the result is kept on disk."""
    require_numba()
    from numba import njit

    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


def quick(function: Function) -> Function:
    """The same for plain sums, whose order the compiler may change."""
    require_numba()
    from numba import njit

    reordered = {"contract", "reassoc", "nsz"}
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", fastmath=reordered)(function))


def inlined(function: Function) -> Function:
    """The same for a function that is always written into its callers, so that their constants are known in it."""
    require_numba()
    from numba import njit

    return cast(Function, njit(nogil=True, error_model="numpy", forceinline=True)(function))


drop_stale(Path(__file__).parent)
