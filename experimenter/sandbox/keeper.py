"""The process that has its imports done, and the keepers that it forks: one for each child, which is a fork of the keeper.

    python -m experimenter.sandbox.keeper SOCKET MODULE...      started by `nursery.py` with an environment made from nothing

The stem process imports the modules, prepares what it is asked to (a family, a trainer: trusted code only) and forks. It never
runs generated code, is never told a key and never learns what a child is to do: a child's errand goes to its own keeper,
over a socket of its own. The keeper joins the child's room, forks it, tells how it ended, and kills its group when it is told
to or when whoever started it is gone. The child confines itself before it looks at the errand.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, NoReturn

from experimenter.sandbox import kernel, room
from experimenter.sandbox.lockdown import EXIT_NOT_CONFINED, Plan, apply, parse_plan

MESSAGE_BYTES = 1 << 20
KILL = b"kill"
_STANDARD = 3
"""Standard input, output and error: the first handles of an errand."""


def main(arguments: Sequence[str]) -> int:
    """Import what is named, then prepare what each request asks for and fork a keeper for each that brings a link."""
    control = socket.socket(fileno=int(arguments[0]))
    for name in arguments[1:]:
        import_module(name)
    keepers: dict[int, int] = {}
    while True:
        ready = select.select([control.fileno(), *keepers], [], [])[0]
        for handle in keepers.keys() & ready:
            os.waitpid(keepers.pop(handle), 0)
            os.close(handle)
        if control.fileno() in ready:
            content, handles = receive(control)
            if not content:
                return 0
            _prepare(json.loads(content))
            if handles:
                keeper = _fork_keeper(control, handles[0])
                keepers[os.pidfd_open(keeper)] = keeper
                os.close(handles[0])


def receive(link: socket.socket, handles: int = 16) -> tuple[bytes, list[int]]:
    """Receive one message and its handles; empty at the end."""
    size = array.array("i").itemsize
    content, extra, _, _ = link.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(handles * size))
    found = array.array("i")
    for level, kind, values in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(values[: len(values) - len(values) % size])
    return content, list(found)


def _fork_keeper(control: socket.socket, link: int) -> int:
    """Fork a keeper that gets its errand over `link`; what is in memory by now is shared until somebody writes to it."""
    gc.collect()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        control.close()
        with contextlib.suppress(BaseException):
            _keep(socket.socket(fileno=link))
        os._exit(1)
    return pid


_prepared: set[str] = set()


def _prepare(wish: dict[str, Any]) -> None:
    """Call the wish's `prepare` once in this process. What fails here fails again, and is told, in the child."""
    key = json.dumps(wish, sort_keys=True)
    if wish.get("prepare") and key not in _prepared:
        _prepared.add(key)
        with contextlib.suppress(Exception):
            resolve(wish["prepare"])(*wish["arguments"])


def resolve(name: str) -> Callable[..., Any]:
    """Find `module:function`."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _keep(link: socket.socket) -> None:
    """Start the child of one errand and stay until it has ended."""
    content, handles = receive(link)
    if not content:
        return
    errand = json.loads(content)
    try:
        child, ready = _fork_child(errand, handles, link)
    except Exception as error:
        tell(link, {"error": f"{type(error).__name__}: {error}"})
        return
    for handle in handles[:_STANDARD]:
        os.close(handle)
    said = os.read(ready, 1)
    os.close(ready)
    watch = os.pidfd_open(child)
    if said:
        tell(link, {"pid": child})
    while watch not in select.select([link.fileno(), watch], [], [])[0]:
        _kill(child)  # told to, or nobody is there any more
        if link.recv(64) == b"":
            break
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    _kill(child)  # what it left in its group; a zombie still holds the group's number
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    tell(link, {"ended": code, "cpu_s": usage.ru_utime + usage.ru_stime} if said else {"error": f"exit code {code}"})


def tell(link: socket.socket, message: dict[str, Any], handles: Sequence[int] = ()) -> None:
    """Send one message; nothing when nobody listens any more."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handles))] if handles else []
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        link.sendmsg([json.dumps(message).encode()], rights)


def _kill(child: int) -> None:
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(child, signal.SIGKILL)


def _fork_child(errand: dict[str, Any], handles: Sequence[int], link: socket.socket) -> tuple[int, int]:
    """Fork the child, inside its room where it has one; returns its pid and a pipe that says when it is confined."""
    wanted: dict[str, str] = errand["namespaces"]
    if wanted:
        room.join(handles[_STANDARD], wanted)
    ready, tell_ready = os.pipe()
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        link.close()
        _be_child(errand, handles, tell_ready, parent=0 if wanted else keeper)
    os.close(tell_ready)
    return child, ready


def _be_child(errand: dict[str, Any], handles: Sequence[int], ready: int, *, parent: int) -> NoReturn:
    """Become what a fresh process would be, confine, then run the errand. A parent outside the namespace has number 0."""
    code = EXIT_NOT_CONFINED
    try:
        os.setsid()
        for number, handle in enumerate(handles[:_STANDARD]):
            os.dup2(handle, number)
        ready = _close_all_but(ready)
        if not _confine(errand, parent):
            os._exit(EXIT_NOT_CONFINED)
        os.write(ready, b"1")
        os.close(ready)
        code = 1
        code = _run(errand)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _close_all_but(handle: int) -> int:
    """Close every handle above standard error but this one, which becomes number 3."""
    if handle != _STANDARD:
        os.dup2(handle, _STANDARD, inheritable=False)
    os.closerange(_STANDARD + 1, os.sysconf("SC_OPEN_MAX"))
    return _STANDARD


def _confine(errand: dict[str, Any], parent: int) -> bool:
    """Apply the plan and the environment; False, with a word on standard error, when that cannot be."""
    os.environ.clear()
    os.environ.update(errand["environment"])
    tempfile.tempdir = None
    try:
        if errand["namespaces"] and room.namespaces("self") != errand["namespaces"]:
            raise OSError("this process is not in the room that was opened for it")
        plan: Plan | None = parse_plan(errand["plan"]) if errand["plan"] else None
        if plan is None or plan.own_namespace:
            kernel.die_with_parent(parent)
        if plan is not None:
            inside = bool(errand["namespaces"])
            # joining a user namespace gives the capabilities that bubblewrap would have dropped
            apply(replace(plan, parent=plan.parent and parent, drop_capabilities=inside or plan.drop_capabilities))
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"confinement failed: {error}\n")
        sys.stderr.flush()
        return False
    return True


def _run(errand: dict[str, Any]) -> int:
    try:
        code = resolve(errand["target"])(*errand["arguments"])
    except SystemExit as error:
        code = error.code
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
