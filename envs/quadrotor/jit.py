"""The one way a kernel function is compiled: numba, no Python division check, relaxed float order, cached by content.

numba notices a change in a function's own file only, not in the functions it calls. The cache folder is therefore named
by a digest of every file of this package that holds compiled code or the layout, so that a stale kernel cannot be loaded after an
edit or an upgrade.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
_MISSING = "the quadrotor family needs numba: pip install 'rl-experimenter[quadrotor]'."


def jit(function: Kernel) -> Kernel:
    """Compile `function` at its first call. Raises `ImportError` naming the extra when numba is absent."""
    return _compile(function, counting=False)


def jit_allocating(function: Kernel) -> Kernel:
    """Compile a `function` that makes arrays of its own; only there does numba count references, which is slow."""
    return _compile(function, counting=True)


def _compile(function: Kernel, *, counting: bool) -> Kernel:
    numba = load_numba()
    config: Any = importlib.import_module("numba.core.config")
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())  # read once by the decorator, then put back
    try:
        # infinities must keep their meaning; NaN never enters (actions are checked), so `nnan` is safe
        flags = {"nnan", "nsz", "arcp", "contract", "reassoc"}
        compiled: Kernel = numba.njit(cache=True, fastmath=flags, error_model="numpy", _nrt=counting)(function)
    finally:
        config.CACHE_DIR = before
    return compiled


def load_numba() -> Any:
    """Import numba; raises `ImportError` with one line when it is not installed."""
    try:
        return importlib.import_module("numba")
    except ImportError:
        raise ImportError(_MISSING) from None


@cache
def cache_folder() -> Path:
    """Folder of the compiled kernels of exactly this source."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        content = path.read_bytes()
        if path.stem == "layout" or b"quadrotor.jit import" in content:
            digest.update(content)
    return user_cache_path("rl-experimenter") / "kernels" / digest.hexdigest()[:16]
