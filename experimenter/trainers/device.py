"""Where a trainer computes: one torch thread, and a GPU only where it pays."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from experimenter.errors import EnvironmentNotReady, UsageError

_LARGE_WIDTH = 1024
"""Hidden width from which a GPU pays: below it, launching kernels costs more than the arithmetic."""
_LOG = logging.getLogger(__name__)


def resolve_device(name: str, hidden: list[int]) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:<n>` into a device.

    `auto` is cuda where it is available and the network is wide; small networks stay on the CPU.
    Raises `UsageError` for an unknown name and `EnvironmentNotReady` for a device that is not there.
    """
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        if max(hidden) >= _LARGE_WIDTH:
            return torch.device("cuda")
        _LOG.info("a GPU is there, but networks of width %d train faster on the CPU: using it", max(hidden))
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise UsageError(f"unknown device {name!r}. Known: auto, cpu, cuda, cuda:<number>.")
    if kind == "cuda" and (not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count()):
        raise EnvironmentNotReady(f"the device {name!r} is not available on this machine: use auto or cpu.")
    return torch.device(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: small networks are faster so, and sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
