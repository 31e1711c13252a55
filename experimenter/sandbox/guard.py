"""One checked call of a reward program: read-only arguments in, a finite reward and named terms out, or a `RewardFault`.

Nothing here knows whether the program is generated code, a compiled specification or a test's function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import FloatArray
from experimenter.sandbox.allowed import suggest

Rewards = NDArray[np.float64]
MAX_TERMS, MAX_TERM_NAME, MAX_MESSAGE = 32, 64, 400

_HINTS = (
    ("truth value of an array", "use np.where, np.maximum or & instead of if, max or `and` on arrays"),
    ("read-only", "the arguments must not be changed; copy the array first"),
    ("does not support item assignment", "the arguments must not be changed; build a new value"),
    ("only length-1 arrays", "use np functions instead of math or float() on arrays"),
    ("only 0-dimensional arrays", "use np functions instead of math or float() on arrays"),
    ("could not be broadcast", "every array has a leading batch axis: take components as x[:, 0], sum over axis=1"),
    ("out of bounds for axis", "every array has a leading batch axis: take components as x[:, 0]"),
    ("too many indices", "that variable is one number a world, shape [n]: do not index its components"),
)


class RewardFault(Exception):
    """What was wrong with one call of a reward program. It is stored as a failure of the job, never shown as our crash."""

    stage = "reward"

    def __init__(self, kind: str, message: str, term: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        """`exception`, `memory`, `shape`, `type`, `nan`; from the probes also `impure`, `random`, `batch`, `constant`, `slow`."""
        self.term = term
        """Name of the term at fault, where it is one."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, str(self), self.term)


class ReadOnlyState(Mapping[str, FloatArray]):
    """A named state whose arrays cannot be written. Views are made when they are asked for, and once."""

    def __init__(self, state: Mapping[str, FloatArray]) -> None:
        self._state = state
        self._views: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        found = self._views.get(name)
        if found is None:
            found = self._views[name] = read_only(self._find(name))
        return found

    def _find(self, name: str) -> FloatArray:
        try:
            return self._state[name]
        except KeyError:
            listed = ", ".join(sorted(self._state))
            raise KeyError(
                f"no state variable {name!r}.{suggest(str(name), self._state)} There are: {listed}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


def read_only(array: FloatArray) -> FloatArray:
    """Return a view of `array` that refuses writes."""
    view = array.view()
    view.flags.writeable = False
    return view


def call_program(
    function: Callable[..., Any],
    state: Mapping[str, FloatArray],
    action: FloatArray,
    next_state: Mapping[str, FloatArray],
) -> tuple[Rewards, dict[str, Rewards]]:
    """Call `function` on n worlds; return (reward [n], terms name -> [n]), all finite float64.

    `action` is [n, k]. Raises `RewardFault`.
    """
    with np.errstate(all="ignore"):  # what is not finite is reported by name, not as a warning
        try:
            answer = function(ReadOnlyState(state), read_only(action), ReadOnlyState(next_state))
        except Exception as error:  # the boundary to generated code: whatever it raises becomes a stored failure
            kind = "memory" if isinstance(error, MemoryError) else "exception"
            raise RewardFault(kind, f"line {line_of(error)}: {explain(error)}") from None
        return check_answer(answer, len(action))


def check_answer(answer: object, n: int) -> tuple[Rewards, dict[str, Rewards]]:
    """Check what a program returned for n worlds. Raises `RewardFault` naming the term."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise RewardFault("type", f"compute_reward must return (reward, terms), not {_name_of(answer)}.")
    reward, terms = answer
    if not isinstance(terms, dict):
        raise RewardFault("type", f"terms must be a dictionary name -> array, not {_name_of(terms)}.")
    if len(terms) > MAX_TERMS:
        raise RewardFault("type", f"{len(terms)} terms are too many; at most {MAX_TERMS}.")
    checked = {_term_name(name): _check_term(name, value, n) for name, value in terms.items()}
    return _check_array("the reward", reward, n, None), checked


def _term_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_TERM_NAME:
        raise RewardFault("type", f"a term's name must be text of 1 to {MAX_TERM_NAME} characters, not {name!r:.80}.")
    return name


def _check_term(name: str, value: object, n: int) -> Rewards:
    if isinstance(value, int | float) or getattr(value, "shape", None) == ():
        value = np.full(n, value)
    return _check_array(f"term {name!r}", value, n, name)


def _check_array(what: str, value: object, n: int, term: str | None) -> Rewards:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        raise RewardFault("type", f"{what} must be an array of numbers, not {_name_of(value)}.", term)
    if value.shape != (n,):
        raise RewardFault(
            "shape", f"{what} has shape {_shape(value.shape, n)}, expected [n], one number a world. " + _TIP, term
        )
    array: Rewards = np.ascontiguousarray(value, dtype=np.float64)
    if not math.isfinite(np.add.reduce(array)):
        bad = "NaN" if np.isnan(array).any() else "infinite"
        raise RewardFault("nan", f"{what} is {bad}; guard divisions, logarithms and roots, clip exponents.", term)
    return array


_TIP = "Take components as x[:, 0] and sum over axis=1, never over the batch axis."


def _shape(shape: tuple[int, ...], n: int) -> str:
    return "[" + ", ".join("n" if size == n else str(size) for size in shape) + "]"


def _name_of(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "None" if value is None else type(value).__name__


def explain(error: Exception) -> str:
    """Say what an exception of generated code means, in one short line with a hint where a common cause is known."""
    text = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())[:MAX_MESSAGE]
    if isinstance(error, MemoryError):
        return "out of memory: an array or number became too large."
    if isinstance(error, RecursionError):
        return "recursion is too deep."
    hint = next((hint for needle, hint in _HINTS if needle in text), "")
    return f"{type(error).__name__}: {text}" + (f" ({hint})" if hint else "")


def line_of(error: BaseException) -> int | str:
    """The last line of the program that an exception passed through."""
    line: int | str = "?"
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<reward>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
