"""The Linux calls that shrink a process from inside: no_new_privs, capabilities, Landlock, seccomp. Standard library only.

Each function changes the calling process (and what it forks or executes later) and cannot be undone. Sources: the man pages
prctl(2), capset(2), landlock(7), seccomp(2), and the kernel's `include/uapi` headers for the numbers.
It decides no policy beyond the system-call list below; `lockdown.py` says what a confined child gets.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LAST_CAPABILITY = 63
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446

_FS_EXECUTE, _FS_WRITE, _FS_READ, _FS_READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FS_TRUNCATE, _FS_IOCTL_DEV = 1 << 14, 1 << 15
_FS_ON_FILES = _FS_EXECUTE | _FS_WRITE | _FS_READ | _FS_TRUNCATE | _FS_IOCTL_DEV
_FS_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
"""Number of file-system access bits that a Landlock ABI knows; 16 from ABI 5 on."""

_CLONE_THREAD = 0x00010000
_CLONE_NEW_ANY = 0x7E020080
"""CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET | NEWTIME."""

_ARCHITECTURES: dict[str, tuple[int, int]] = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Machine -> (AUDIT_ARCH value, column of the table below)."""

_NUMBERS: dict[str, tuple[int, int]] = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "fsopen": (430, 430),
    "fsmount": (432, 432), "move_mount": (429, 429), "open_tree": (428, 428), "mount_setattr": (442, 442),
    "reboot": (169, 142), "swapon": (167, 224), "personality": (135, 92), "acct": (163, 89), "quotactl": (179, 60),
    "clone": (56, 220), "clone3": (435, 435), "fork": (57, -1), "vfork": (58, -1),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "prlimit64": (302, 261), "setsid": (112, 157), "setpgid": (109, 154),
    "execve": (59, 221), "execveat": (322, 281),
    "chmod": (90, -1), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1), "lchown": (94, -1),
    "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14),
    "utime": (132, -1), "utimes": (235, -1), "utimensat": (280, 88), "futimesat": (261, -1),
}  # fmt: skip
"""System call -> (x86_64, aarch64) number; -1 where the architecture has none."""

_NEVER = (
    "socket", "connect", "bind", "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root",
    "chroot", "unshare", "setns", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key",
    "kexec_load", "init_module", "finit_module", "delete_module", "open_by_handle_at", "name_to_handle_at",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "pidfd_open", "pidfd_getfd", "pidfd_send_signal",
    "fsopen", "fsmount", "move_mount", "open_tree", "mount_setattr", "reboot", "swapon", "personality", "acct",
    "quotactl", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tkill",
)  # fmt: skip
_SIGNALS = ("kill", "tgkill", "prlimit64")
METADATA_CALLS = (
    "chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "setxattr", "lsetxattr", "removexattr",
    "utime", "utimes", "utimensat", "futimesat",
)  # fmt: skip
"""Calls that change a file by its path without opening it, which Landlock does not see."""
PROGRAM_CALLS = ("execve", "execveat", "setsid", "setpgid", "kill", "tgkill")
"""Calls that a reward program under check has no use for at all."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(*arguments: int, required: bool = True) -> None:
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:5]]
    if _libc().prctl(*padded) != 0 and required:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({arguments[0]}): {os.strerror(code)}")


def set_no_new_privileges() -> None:
    """Make every later exec keep at most today's rights."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int, signal: int = 9) -> None:
    """Ask the kernel to send `signal` when the parent thread ends; exit at once if `parent` is already gone."""
    _prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        os._exit(137)


def drop_capabilities() -> None:
    """Give up every capability, for good (root then owns its files but rules nothing)."""
    for capability in range(_LAST_CAPABILITY + 1):
        _prctl(_PR_CAPBSET_DROP, capability, required=False)
    _prctl(_PR_CAP_AMBIENT, 4, required=False)
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    if _libc().capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"capset: {os.strerror(code)}")


def landlock_abi() -> int:
    """Return the kernel's Landlock ABI, 0 where there is none."""
    try:
        version = int(_libc().syscall(_LANDLOCK_CREATE, None, 0, 1))
    except (OSError, AttributeError):
        return 0
    return max(version, 0)


def restrict_files(
    readable: Iterable[str], writable: Iterable[str], devices: Iterable[str] = (), listable: Iterable[str] = ()
) -> None:
    """Leave only these of the file system: `readable` (read, execute), `writable` (everything), `devices` (read, write) and
    `listable` (names of files only).

    Also refuses TCP (ABI 4) and signals or abstract sockets to the outside (ABI 6). Missing paths are passed over.
    Raises `OSError` where the kernel has no Landlock.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    known = (1 << _FS_BITS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("=Q", known)
    if abi >= 4:
        attributes += struct.pack("=Q", 0b11)  # bind and connect TCP
    if abi >= 6:
        attributes += struct.pack("=Q", 0b11)  # abstract UNIX sockets and signals
    ruleset = _syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    try:
        for paths, access in (
            (readable, _FS_EXECUTE | _FS_READ | _FS_READ_DIR),
            (writable, known & ~_FS_IOCTL_DEV),
            (devices, _FS_READ | _FS_WRITE),
            (listable, _FS_READ_DIR),
        ):
            for path in paths:
                _allow_path(ruleset, path, access & known)
        _syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_path(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if Path(path).is_dir() else access & _FS_ON_FILES
        _syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", allowed, handle), 0)
    finally:
        os.close(handle)


def _syscall(number: int, *arguments: int | bytes) -> int:
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_libc().syscall(ctypes.c_long(number), *values))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"system call {number}: {os.strerror(code)}")
    return result


def can_filter_calls() -> bool:
    """Say whether `filter_calls` knows this machine's system-call numbers."""
    return platform.machine() in _ARCHITECTURES and os.name == "posix" and platform.system() == "Linux"


def filter_calls(*, allow_processes: bool, extra: Sequence[str] = ()) -> None:
    """Install a seccomp filter: no sockets, no namespaces, no tracing, no kernel doors; signals to oneself only.

    Without `allow_processes` only threads can be started. `extra` names further calls to refuse (`METADATA_CALLS`,
    `PROGRAM_CALLS`). Refused calls fail with EPERM. Needs `set_no_new_privileges` first.
    """
    program = _assemble(allow_processes=allow_processes, extra=extra)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(header, len(header))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(holder))


def filter_program(*, allow_processes: bool = False, extra: Sequence[str] = ()) -> bytes:
    """The filter of `filter_calls` as classic BPF bytes, for a tool that installs it (bubblewrap's --seccomp)."""
    return _assemble(allow_processes=allow_processes, extra=extra)


_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _ABSENT, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS, 0x80000000
_NUMBER_OFFSET, _ARCH_OFFSET, _FIRST_ARGUMENT_OFFSET = 0, 4, 16


def _line(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _assemble(*, allow_processes: bool, extra: Sequence[str]) -> bytes:
    """Write the filter in classic BPF: one jump-and-return pair a call, so that no jump is longer than a few lines."""
    architecture, column = _ARCHITECTURES[platform.machine()]
    lines = [_line(_LOAD, _ARCH_OFFSET), _line(_JUMP_EQUAL, architecture, 1, 0), _line(_RETURN, _KILL)]
    lines.append(_line(_LOAD, _NUMBER_OFFSET))
    if column == 0:  # the x32 interface renumbers every call
        lines += [_line(_JUMP_AT_LEAST, 0x40000000, 0, 1), _line(_RETURN, _ABSENT)]
    refused = [*_NEVER, *extra, *(() if allow_processes else ("fork", "vfork"))]
    for name in refused:
        if (number := _NUMBERS[name][column]) >= 0:
            lines += [_line(_JUMP_EQUAL, number, 0, 1), _line(_RETURN, _REFUSE)]
    lines += [_line(_JUMP_EQUAL, _NUMBERS["clone3"][column], 0, 1), _line(_RETURN, _ABSENT)]
    lines += _clone_rule(_NUMBERS["clone"][column], allow_processes)
    if not allow_processes:
        for name in _SIGNALS:
            lines += _self_only_rule(_NUMBERS[name][column])
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _clone_rule(number: int, allow_processes: bool) -> list[bytes]:
    """No new namespaces; without processes, threads only."""
    body = [_line(_LOAD, _FIRST_ARGUMENT_OFFSET), _line(_JUMP_BITS, _CLONE_NEW_ANY, 0, 1), _line(_RETURN, _REFUSE)]
    if not allow_processes:
        body += [_line(_JUMP_BITS, _CLONE_THREAD, 1, 0), _line(_RETURN, _REFUSE)]
    body.append(_line(_RETURN, _ALLOW))
    return [_line(_JUMP_EQUAL, number, 0, len(body)), *body]


def _self_only_rule(number: int) -> list[bytes]:
    """The first argument must be 0 or this process."""
    body = [
        _line(_LOAD, _FIRST_ARGUMENT_OFFSET),
        _line(_JUMP_EQUAL, os.getpid(), 2, 0),
        _line(_JUMP_EQUAL, 0, 1, 0),
        _line(_RETURN, _REFUSE),
        _line(_RETURN, _ALLOW),
    ]
    return [_line(_JUMP_EQUAL, number, 0, len(body)), *body]
