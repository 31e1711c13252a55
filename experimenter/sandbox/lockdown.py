"""The first thing that runs inside a confined child: apply the limits, close the doors, become the real command.

Run as `python -I -m experimenter.sandbox.lockdown PLAN COMMAND...`, PLAN being a `Plan` as JSON. Standard library only.
It runs no generated code itself; what it execs inherits every restriction.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict, dataclass

from experimenter.sandbox import kernel

EXIT_NOT_CONFINED = 91
"""Exit code of a child that could not confine itself; nothing of its command has run."""
THREADS = 128
"""Tasks (threads and processes) that a confined child may have at once, where the kernel counts them for this user."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `lockdown` applies. Bytes and seconds; None leaves that limit open."""

    memory_bytes: int | None
    cpu_s: int | None
    file_bytes: int | None
    processes: int
    """Child processes that the command may start; 0 refuses fork altogether."""
    own_namespace: bool
    """True inside bubblewrap, where the task limit counts this child's tasks only."""
    files: tuple[tuple[str, ...], ...] | None = None
    """Readable, writable, device and listable paths for Landlock; None where bubblewrap has already made the view."""
    folder: str
    parent: int | None = None
    """Process id that must stay alive; None where bubblewrap watches it."""
    filter_calls: bool = True
    drop_capabilities: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def parse_plan(text: str) -> Plan:
    """Build a plan again from `Plan.to_json`. Raises `ValueError` or `TypeError` when it is not one."""
    values = json.loads(text)
    if values["files"] is not None:
        values["files"] = tuple(tuple(paths) for paths in values["files"])
    return Plan(**values)


def apply(plan: Plan) -> None:
    """Apply every restriction of `plan` to this process. Raises `OSError` when one cannot be applied."""
    if plan.parent is not None:
        kernel.die_with_parent(plan.parent)
    set_limits(plan)
    os.chdir(plan.folder)
    if sys.platform != "linux":
        return
    kernel.set_no_new_privileges()
    if plan.drop_capabilities:
        kernel.drop_capabilities()
    if plan.files is not None:
        kernel.restrict_files(*plan.files)
    if plan.filter_calls:
        extra = () if plan.own_namespace else kernel.METADATA_CALLS
        kernel.filter_calls(allow_processes=plan.processes > 0, extra=extra)


def set_limits(plan: Plan) -> None:
    """Set the resource limits of `plan`, hard and soft alike; no core dumps, at most 256 open files."""
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 256)]
    if plan.memory_bytes is not None:
        wanted.append((resource.RLIMIT_AS, plan.memory_bytes))
    if plan.cpu_s is not None:
        wanted.append((resource.RLIMIT_CPU, plan.cpu_s))
    if plan.file_bytes is not None:
        wanted.append((resource.RLIMIT_FSIZE, plan.file_bytes))
    if plan.own_namespace:
        wanted.append((resource.RLIMIT_NPROC, THREADS + plan.processes))
    for kind, value in wanted:
        ceiling = resource.getrlimit(kind)[1]
        limit = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        resource.setrlimit(kind, (limit, limit))


def main(arguments: list[str]) -> int:
    """Apply the plan and exec the command; returns an exit code only when that fails."""
    try:
        apply(parse_plan(arguments[0]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"confinement failed: {error}\n")
        return EXIT_NOT_CONFINED
    try:
        os.execv(arguments[1], arguments[1:])
    except OSError as error:
        sys.stderr.write(f"cannot start {arguments[1]}: {error}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
