"""Warm starts: the same doors are shut as for a cold child, one process an errand, and nothing outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from test_confine_layer import ATTEMPTS, LEVELS, ONLY_ALONE, OPEN, SHUT, require

from experimenter.sandbox import room
from experimenter.sandbox.confine import STDERR_NAME, STDOUT_NAME, Level, Limits
from experimenter.sandbox.nursery import Errand, NotWarm, Nursery, WarmChild, start_warm, start_warm_trusted

pytestmark = pytest.mark.skipif(not room.can_join(), reason="this machine cannot join namespaces by pidfd")
LIMITS = Limits(memory_bytes=512 * 1024**2, cpu_s=5, wall_s=30.0, file_bytes=1024**2)
SECRET = "sk-" + "warm" * 6
PROGRAM = '''
import os, sys, time
held, prepared = [], []
def prepare(word):
    prepared.append((word, os.getpid()))
def attempt(given):
    sys.argv = ["hostile", given]
    exec(ATTEMPTS, {"__name__": "hostile"})
def leave_a_mark():
    held.append(os.getpid())
    print(len(held), [word for word, _ in prepared], {pid for _, pid in prepared} == {os.getpid()}, flush=True)
def echo_environment(name):
    print(os.environ[name], flush=True)
def search_memory(first, second):
    """Look for a word that is given in halves in all writable memory of this process."""
    wanted, found = (second + first)[::-1].encode(), 0
    try:
        memory = open("/proc/self/mem", "rb", 0)
    except OSError:
        print("shut", flush=True)
        return
    for line in open("/proc/self/maps"):
        span, access = line.split()[:2]
        begin, end = (int(number, 16) for number in span.split("-"))
        if "rw" in access:
            try:
                memory.seek(begin)
                found += memory.read(end - begin)[::-1].count(wanted)
            except (OSError, ValueError, OverflowError):
                continue
    print(found, flush=True)
def burn(seconds):
    while time.process_time() < float(seconds):
        pass
def beat():
    while True:
        open("beat", "a").write("x")
        time.sleep(0.02)
def leave(code):
    sys.exit(int(code))
def crash():
    raise RuntimeError("broken on purpose")
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "hostile.py").write_text(f"ATTEMPTS = {ATTEMPTS!r}\n{PROGRAM}")
    return folder


@pytest.fixture(scope="module")
def nursery(site: Path) -> Iterator[Nursery]:
    made = Nursery(["hostile"], {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"})
    yield made
    made.close()


def start(nursery: Nursery, site: Path, folder: Path, call: str, *words: str, level: Level | None = None) -> WarmChild:
    errand = Errand(
        target=f"hostile:{call}", arguments=words, prepare="hostile:prepare", prepare_arguments=("breakfast",)
    )
    return start_warm(
        nursery, errand, folder=folder, limits=LIMITS, readable=[site], environment={"GIVEN": "1"}, level=level
    )


def finish(child: WarmChild, seconds: float = 30.0) -> int:
    assert child.wait(seconds), "waited too long"
    child.kill()
    assert child.returncode is not None
    return child.returncode


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level.value)
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, site: Path
) -> dict[str, object]:
    """The confinement layer's attempts, made by a warm child."""
    level: Level = request.param
    require(level)
    folder, outside = tmp_path_factory.mktemp("job"), tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(outside / "door"))
        local.listen()
        server.settimeout(0.01)
        given = {
            "secret": str(outside / "secret.txt"), "target": str(outside / "written.txt"), "home": str(Path.home()),
            "library": os.__file__, "project": str(Path(__file__).parents[3] / "pyproject.toml"),
            "port": server.getsockname()[1], "unix": str(outside / "door"), "parent": os.getpid(),
            "readable": str(site / "hostile.py"), "lists": level is Level.NAMESPACES,
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PRETEND_API_KEY", SECRET)
            code = finish(start(nursery, site, folder, "attempt", json.dumps(given), level=level))
        with pytest.raises(TimeoutError):
            server.accept()
    assert code == 0, (folder / STDERR_NAME).read_text()
    assert not (outside / "written.txt").exists()
    assert (outside / "secret.txt").stat().st_mode & 0o777 != 0o777
    found: dict[str, object] = json.loads((folder / STDOUT_NAME).read_text())
    return found


@pytest.mark.parametrize("door", SHUT)
def test_a_warm_child_finds_the_door_shut(answers: dict[str, object], door: str) -> None:
    answer = str(answers[door])
    assert answer.startswith("shut") or (door in ONLY_ALONE and bool(answers["processes"])), answer


@pytest.mark.parametrize("door", OPEN)
def test_a_warm_child_has_what_a_job_needs(answers: dict[str, object], door: str) -> None:
    assert str(answers[door]).startswith("open"), answers[door]


def test_a_warm_child_has_no_rights_no_neighbours_and_nothing_inherited(answers: dict[str, object]) -> None:
    assert answers["capabilities"] == ["0" * 16] * 5
    assert answers["processes"] in ([], ["1", "2"])
    names = answers["environment"]
    assert isinstance(names, list)
    assert "GIVEN" in names and "PRETEND_API_KEY" not in names and "PYTHONPATH" not in names


def test_errands_share_the_preparation_and_nothing_else(nursery: Nursery, site: Path, tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert finish(start(nursery, site, folder, "leave_a_mark")) == 0
        # prepared once, in another process; never marked by an earlier errand
        assert (folder / STDOUT_NAME).read_text().split() == ["1", "['breakfast']", "False"]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.value)
def test_a_key_given_to_a_trusted_child_is_in_no_confined_one(
    nursery: Nursery, site: Path, tmp_path: Path, level: Level
) -> None:
    require(level)
    errand = Errand(target="hostile:echo_environment", arguments=("PRETEND_API_KEY",))
    with (tmp_path / "said").open("wb") as said:
        environment = {"PRETEND_API_KEY": SECRET}
        trusted = start_warm_trusted(nursery, errand, environment=environment, stdout=said.fileno())
        assert finish(trusted) == 0
    assert (tmp_path / "said").read_text().strip() == SECRET
    half = len(SECRET) // 2
    backwards = (SECRET[::-1][:half][::-1], SECRET[::-1][half:][::-1])
    child = start(nursery, site, tmp_path, "search_memory", *backwards, level=level)
    assert finish(child) == 0, (tmp_path / STDERR_NAME).read_text()
    assert (tmp_path / STDOUT_NAME).read_text().strip() in ("0", "shut")
    if level is Level.LANDLOCK:  # the search does find what is there: a word of the preparation, given in halves
        child = start(nursery, site, tmp_path, "search_memory", "fast", "break", level=level)
        assert finish(child) == 0
        assert int((tmp_path / STDOUT_NAME).read_text()) > 0


def test_endings_are_told_with_their_cpu_time(nursery: Nursery, site: Path, tmp_path: Path) -> None:
    assert finish(start(nursery, site, tmp_path, "leave", "7")) == 7
    assert finish(start(nursery, site, tmp_path, "crash")) == 1
    assert "RuntimeError: broken on purpose" in (tmp_path / STDERR_NAME).read_text()
    busy = start(nursery, site, tmp_path, "burn", "0.5")
    assert finish(busy) == 0
    assert 0.45 < busy.measure() < 1.5
    endless = start(nursery, site, tmp_path, "burn", "1000")  # the limit is 5 CPU seconds
    assert finish(endless, 60.0) in (-signal.SIGKILL, -signal.SIGXCPU)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.value)
def test_kill_ends_a_warm_child(nursery: Nursery, site: Path, tmp_path: Path, level: Level) -> None:
    require(level)
    child = start(nursery, site, tmp_path, "beat", level=level)
    wait_until((tmp_path / "beat").exists)
    child.kill()
    size = (tmp_path / "beat").stat().st_size
    time.sleep(0.2)
    assert (tmp_path / "beat").stat().st_size == size
    assert child.returncode == -signal.SIGKILL
    child.kill()  # harmless the second time


OWNER = """
import sys
from pathlib import Path
from experimenter.sandbox.confine import Level, Limits
from experimenter.sandbox.nursery import Errand, Nursery, start_warm, start_warm_trusted
site, folder, level = sys.argv[1:]
nursery = Nursery(["hostile"], {"PYTHONPATH": site})
if level == "trusted":
    import os
    os.chdir(folder)
    errand = Errand(target="hostile:beat_in", arguments=(folder,))
    child = start_warm_trusted(nursery, errand, environment={})
else:
    limits = Limits(memory_bytes=512 * 1024**2, cpu_s=60)
    errand = Errand(target="hostile:beat")
    child = start_warm(nursery, errand, folder=Path(folder), limits=limits, readable=[Path(site)], level=Level(level))
child.wait(60)
"""


@pytest.mark.parametrize("kind", ["namespaces", "landlock", "trusted"])
def test_nothing_outlives_a_killed_owner(site: Path, tmp_path: Path, kind: str) -> None:
    if kind != "trusted":
        require(Level(kind))
    more = "\ndef beat_in(folder):\n    os.chdir(folder)\n    beat()\n"
    (tmp_path / "hostile.py").write_text((site / "hostile.py").read_text() + more)
    work = tmp_path / "work"
    work.mkdir()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), str(work), kind], start_new_session=True)
    wait_until((work / "beat").exists)
    family = psutil.Process(owner.pid).children(recursive=True)
    assert len(family) >= 3  # stem, keeper, child
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    wait_until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))


@pytest.mark.parametrize("victim", ["child", "keeper"])
def test_a_child_killed_by_somebody_else_has_ended(nursery: Nursery, site: Path, tmp_path: Path, victim: str) -> None:
    child = start(nursery, site, tmp_path, "beat")
    wait_until((tmp_path / "beat").exists)
    keeper = psutil.Process(child.pid).ppid()
    os.kill(child.pid if victim == "child" else keeper, signal.SIGKILL)
    assert finish(child) == -signal.SIGKILL
    size = (tmp_path / "beat").stat().st_size
    time.sleep(0.2)
    assert (tmp_path / "beat").stat().st_size == size


def test_what_cannot_be_warm_says_so_and_runs_nothing(site: Path, tmp_path: Path) -> None:
    broken = Nursery(["no_such_module_anywhere"], {"PYTHONPATH": str(site)})
    for _ in range(4):
        with pytest.raises(NotWarm):
            start(broken, site, tmp_path, "beat")
    broken.close()
    assert not (tmp_path / "beat").exists()


def wait_until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
