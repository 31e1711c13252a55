"""The child process that holds the embedded model: loads the weights, serves them on loopback, ends when its parent does.

Started as `python -m experimenter.llm.embedded_child` with one JSON line on standard input; answers one JSON line on standard output.
The OpenMP variables are set by the parent before this process starts: spinning threads beside a training run cost a factor of 28.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any


def main() -> None:
    """Serve until the parent closes the pipe or dies."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the engine's own prints must not mix with the answer line
    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=leave_with_parent, args=(os.getppid(),), daemon=True).start()
    threading.Thread(target=_leave_with_pipe, daemon=True).start()
    server = _serve(settings)
    answers.write(json.dumps({"url": server.listening_address}) + "\n")
    answers.flush()
    threading.Event().wait()


def _serve(settings: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_ctx = settings["context_tokens"]
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = 0
    params.ui = False
    params.api_keys = [settings["token"]]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    return xllamacpp.Server(params)


def leave_with_parent(parent: int) -> None:
    """Watch the parent's id: a pipe end that leaked into another child would hide the parent's death."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _leave_with_pipe() -> None:
    while sys.stdin.read(1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
