"""The confinement layer by itself: raw hostile Python, past no screen, at every level that this machine offers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experimenter.errors import SandboxError
from experimenter.sandbox.confine import (
    STDERR_NAME,
    STDOUT_NAME,
    TRAIN_LIMITS,
    Level,
    Limits,
    _try_level,
    describe_confinement,
    kill_group,
    read_untrusted,
    run_confined,
    start_confined,
)
from experimenter.sandbox.lockdown import EXIT_NOT_CONFINED, main
from experimenter.sandbox.view import visible_paths

LEVELS = [Level.NAMESPACES, Level.LANDLOCK]
LIMITS = Limits(memory_bytes=512 * 1024**2, cpu_s=5, wall_s=30.0, file_bytes=1024**2)

ATTEMPTS = r"""
import ctypes, json, os, pathlib, resource, socket, subprocess, sys, threading
given = json.loads(sys.argv[1])
answers = {}
def attempt(name, act):
    try:
        answers[name] = "open: " + repr(act())[:200]
    except (OSError, MemoryError, RuntimeError, ValueError) as error:
        answers[name] = "shut: " + type(error).__name__
def hog():
    return len(bytearray(2 * 1024**3))
def fork_bomb():
    made = 0
    for _ in range(50):
        if os.fork() == 0:
            os._exit(0)
        made += 1
    return made
def big_file():
    with open("big.bin", "wb") as file:
        for _ in range(64):
            file.write(b"x" * 65536)
            file.flush()
def raw(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return "done"
def packet():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", given["port"]))
def unix():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(given["unix"])
def set_limit():
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
answers["environment"] = sorted(os.environ)
answers["processes"] = sorted(name for name in os.listdir("/proc") if name.isdigit()) if given["lists"] else []
answers["capabilities"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")]
attempt("read secret", lambda: open(given["secret"]).read())
attempt("read shadow", lambda: open("/etc/shadow").read())
attempt("read passwd", lambda: open("/etc/passwd").read())
attempt("home", lambda: ",".join(os.listdir(given["home"])))
attempt("read package data", lambda: open(given["project"]).read())
attempt("write outside", lambda: open(given["target"], "w").write("x"))
attempt("write library", lambda: open(given["library"], "w").write("x"))
attempt("write root", lambda: open("/owned", "w").write("x"))
attempt("write etc", lambda: os.mkdir("/etc/owned"))
attempt("write kernel setting", lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
attempt("press system request", lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY))
attempt("write own process file", lambda: open("/proc/self/oom_score_adj", "w").write("1000"))
attempt("link out", lambda: (os.symlink(given["secret"], "link"), open("link").read())[1])
attempt("hard link", lambda: os.link(given["secret"], "hard"))
attempt("chmod outside", lambda: os.chmod(given["secret"], 0o777))
attempt("rename outside", lambda: os.rename(given["secret"], "stolen"))
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", given["port"]), 2))
attempt("udp", packet)
attempt("unix socket", unix)
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("parent environment", lambda: open("/proc/%d/environ" % given["parent"], "rb").read())
attempt("parent memory", lambda: open("/proc/%d/mem" % given["parent"], "rb").read(1))
attempt("signal parent", lambda: os.kill(given["parent"], 0))
attempt("signal everybody", lambda: os.kill(-1, 0))
attempt("fork", fork_bomb)
attempt("subprocess", lambda: subprocess.run(["/bin/true"], check=True))
attempt("unshare", lambda: raw(272, 0x10000000))
attempt("mount", lambda: raw(165, b"none", b"/tmp", b"tmpfs", 0, 0))
attempt("ptrace", lambda: raw(101, 16, given["parent"], 0, 0))
attempt("io_uring", lambda: raw(425, 8, 0))
attempt("keyring", lambda: raw(250, 0, -3, 0))
attempt("memory", hog)
attempt("raise limit", set_limit)
attempt("big file", big_file)
attempt("thread", lambda: (lambda t: (t.start(), t.join()))(threading.Thread(target=int)))
attempt("own folder", lambda: open("mine.txt", "w").write("x"))
attempt("temporary file", lambda: __import__("tempfile").TemporaryFile().write(b"x"))
attempt("random numbers", lambda: open("/dev/urandom", "rb").read(4))
attempt("readable file", lambda: open(given["readable"]).read())
attempt("write readable", lambda: open(given["readable"], "a").write("x"))
print(json.dumps(answers))
"""
SHUT = [
    "read secret", "read shadow", "read passwd", "read package data", "write outside", "write library",
    "write root", "write etc", "write kernel setting", "press system request", "write own process file",
    "link out", "hard link", "chmod outside", "rename outside",
    "tcp", "udp", "unix socket", "raw socket", "parent environment", "parent memory", "signal parent", "signal everybody",
    "fork", "subprocess", "unshare", "mount", "ptrace", "io_uring", "keyring", "memory", "raise limit", "big file",
    "write readable",
]  # fmt: skip
OPEN = ["thread", "own folder", "temporary file", "random numbers", "readable file"]
ONLY_ALONE = {"signal parent", "signal everybody", "parent environment", "parent memory"}
"""Doors behind which a namespace has nobody but the child itself: its own process numbers may coincide with ours."""


class Outcome:
    """What the attempts of one level came to."""

    def __init__(self, answers: dict[str, object], hits: int, folder: Path) -> None:
        self.answers, self.hits, self.folder = answers, hits, folder


def require(level: Level) -> None:
    leak = _try_level(level)
    if leak is not None:
        pytest.skip(f"{level.value} does not work here: {leak}")


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level.value)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    level: Level = request.param
    require(level)
    folder, outside = tmp_path_factory.mktemp("job"), tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    readable = tmp_path_factory.mktemp("readable") / "data.txt"
    readable.write_text("data")
    hits: list[bytes] = []
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_UNIX) as local,
    ):
        port = server.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        local.bind(str(outside / "door"))
        local.listen()
        for listener in (server, datagrams, local):
            listener.settimeout(0.01)
        given = {
            "secret": str(outside / "secret.txt"), "target": str(outside / "written.txt"), "home": str(Path.home()),
            "library": os.__file__, "project": str(Path(__file__).parents[3] / "pyproject.toml"), "port": port,
            "unix": str(outside / "door"), "parent": os.getpid(), "readable": str(readable),
            "lists": level is Level.NAMESPACES,
        }  # fmt: skip
        os.environ["PRETEND_API_KEY"] = "sk-secret"
        try:
            ended = run_confined(
                [sys.executable, "-c", ATTEMPTS, json.dumps(given)],
                folder=folder, limits=LIMITS, readable=[readable.parent], level=level, environment={"GIVEN": "1"},
            )  # fmt: skip
        finally:
            del os.environ["PRETEND_API_KEY"]
        for accept in (lambda: server.accept(), lambda: datagrams.recvfrom(1), lambda: local.accept()):
            try:
                accept()
                hits.append(b"hit")
            except TimeoutError:
                continue
    assert ended.returncode == 0, ended.stderr.decode()
    assert not (outside / "written.txt").exists()
    assert (outside / "secret.txt").read_text() == "secret"
    assert (outside / "secret.txt").stat().st_mode & 0o777 != 0o777
    assert readable.read_text() == "data"
    yield Outcome(json.loads(ended.stdout), len(hits), folder)


@pytest.mark.parametrize("door", SHUT)
def test_door_is_shut(outcome: Outcome, door: str) -> None:
    answer = str(outcome.answers[door])
    alone = door in ONLY_ALONE and bool(outcome.answers["processes"])
    assert answer.startswith("shut") or alone, answer


@pytest.mark.parametrize("door", OPEN)
def test_what_a_job_needs_stays_open(outcome: Outcome, door: str) -> None:
    assert str(outcome.answers[door]).startswith("open"), outcome.answers[door]


def test_home_holds_nothing_but_the_way_to_the_interpreter(outcome: Outcome) -> None:
    answer = str(outcome.answers["home"])
    home = str(Path.home().resolve()) + "/"
    on_the_way = {path[len(home) :].split("/")[0] for path in visible_paths() if path.startswith(home)}
    assert answer.startswith("shut") or set(answer.removeprefix("open: ").strip("'").split(",")) <= on_the_way


def test_nothing_reached_the_network(outcome: Outcome) -> None:
    assert outcome.hits == 0


def test_environment_is_made_from_nothing(outcome: Outcome) -> None:
    names = outcome.answers["environment"]
    assert isinstance(names, list)
    assert "GIVEN" in names
    inherited = set(names) & (set(os.environ) | {"PRETEND_API_KEY"})
    assert inherited <= {"PATH", "HOME", "TMPDIR", "LANG", "USER", "PWD", "LC_CTYPE", "OMP_NUM_THREADS"} | {
        "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "MALLOC_ARENA_MAX", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "MPLCONFIGDIR",
    }  # fmt: skip


def test_no_capability_is_left(outcome: Outcome) -> None:
    assert outcome.answers["capabilities"] == ["0" * 16] * 5


def test_other_processes_are_invisible(outcome: Outcome) -> None:
    assert outcome.answers["processes"] in ([], ["1", "2"])


def test_big_file_stopped_at_the_limit(outcome: Outcome) -> None:
    assert (outcome.folder / "big.bin").stat().st_size <= 1024**2


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.value)
def test_endless_loop_and_sleep_are_killed(level: Level, tmp_path: Path) -> None:
    require(level)
    busy = Limits(memory_bytes=512 * 1024**2, cpu_s=1, wall_s=30.0)
    ended = run_confined([sys.executable, "-c", "while True: pass"], folder=tmp_path, limits=busy, level=level)
    assert ended.returncode != 0
    assert not ended.timed_out
    asleep = Limits(memory_bytes=512 * 1024**2, cpu_s=5, wall_s=1.0)
    program = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    ended = run_confined([sys.executable, "-c", program], folder=tmp_path, limits=asleep, level=level)
    assert ended.timed_out
    assert ended.seconds < 20


PARENT = """
import sys
from pathlib import Path
from experimenter.sandbox.confine import Level, Limits, start_confined
beat = "import time\\nwhile True:\\n    open('beat', 'a').write('x')\\n    time.sleep(0.02)"
limits = Limits(memory_bytes=512 * 1024**2, cpu_s=60)
process = start_confined([sys.executable, "-c", beat], folder=Path(sys.argv[1]), limits=limits, level=Level(sys.argv[2]))
process.wait()
"""


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.value)
def test_child_does_not_outlive_a_killed_parent(level: Level, tmp_path: Path) -> None:
    require(level)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), level.value], start_new_session=True)
    beat = tmp_path / "beat"
    wait_until(beat.exists)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    time.sleep(0.3)
    size = beat.stat().st_size
    time.sleep(0.5)
    assert beat.stat().st_size == size


def wait_until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_kill_group_ends_the_whole_tree(tmp_path: Path) -> None:
    program = "import time\nwhile True:\n    open('beat', 'a').write('x')\n    time.sleep(0.02)"
    process = start_confined([sys.executable, "-c", program], folder=tmp_path, limits=LIMITS)
    wait_until((tmp_path / "beat").exists)
    kill_group(process)
    size = (tmp_path / "beat").stat().st_size
    time.sleep(0.3)
    assert (tmp_path / "beat").stat().st_size == size
    assert process.returncode == -signal.SIGKILL
    kill_group(process)  # harmless the second time


def test_trainer_can_import_torch_and_this_distribution(tmp_path: Path) -> None:
    program = "import torch, envs.family, experimenter.records; print(float((torch.ones(4) @ torch.ones(4))))"
    process = start_confined([sys.executable, "-c", program], folder=tmp_path, limits=TRAIN_LIMITS)
    assert process.wait(120) == 0, (tmp_path / STDERR_NAME).read_text()
    assert (tmp_path / STDOUT_NAME).read_text().strip() == "4.0"


def test_description_is_a_real_trial() -> None:
    found = describe_confinement()
    assert found.level in (Level.NAMESPACES, Level.LANDLOCK)
    assert any("seccomp" in mechanism for mechanism in found.mechanisms)
    assert describe_confinement() is found


def test_it_can_be_asked_from_a_thread_that_lives_on(tmp_path: Path) -> None:
    codes: list[int] = []

    def work() -> None:
        ended = run_confined([sys.executable, "-c", "print(1)"], folder=tmp_path, limits=LIMITS)
        codes.append(ended.returncode)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [0]


def test_unconfinable_machines_are_refused_unless_allowed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import os; print(os.environ['EXPERIMENTER_CONFINED'], 'PATH' in os.environ)"]
    with pytest.raises(SandboxError, match="cannot confine generated code"):
        run_confined(argv, folder=tmp_path, limits=LIMITS, level=Level.NONE)
    ended = run_confined(argv, folder=tmp_path, limits=LIMITS, level=Level.NONE, allow_unconfined=True)
    assert ended.stdout.split() == [b"none", b"True"]


def test_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="must exist"):
        start_confined([sys.executable], folder=tmp_path / "missing", limits=LIMITS)


def test_lockdown_runs_nothing_when_it_cannot_confine(tmp_path: Path) -> None:
    plan = {
        "memory_bytes": None, "cpu_s": None, "file_bytes": None, "processes": 0, "own_namespace": False,
        "files": None, "folder": str(tmp_path / "missing"), "parent": None,
    }  # fmt: skip
    argv = [
        sys.executable,
        "-I",
        "-m",
        "experimenter.sandbox.lockdown",
        json.dumps(plan),
        sys.executable,
        "-c",
        "print(1)",
    ]
    ended = subprocess.run(argv, capture_output=True, check=False)
    assert ended.returncode == EXIT_NOT_CONFINED
    assert ended.stdout == b""
    assert b"confinement failed" in ended.stderr
    assert callable(main)


def test_untrusted_files_are_read_with_suspicion(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"12345")
    assert read_untrusted(tmp_path / "good", 5) == b"12345"
    with pytest.raises(SandboxError, match="more than 4"):
        read_untrusted(tmp_path / "good", 4)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(SandboxError, match="not trusted"):
        read_untrusted(tmp_path / "link", 100_000)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SandboxError, match="not a plain file"):
        read_untrusted(tmp_path / "pipe", 100)
    with pytest.raises(FileNotFoundError):
        read_untrusted(tmp_path / "none", 100)
