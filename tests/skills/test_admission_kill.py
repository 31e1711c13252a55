"""kill -9 in the midst of admissions, and two processes that admit the same skills: rows and artifacts agree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlmodel import func, select

from memory.store import Store
from memory.tables import SkillRow, SkillVectorRow
from skills.embedder import HashEmbedder
from skills.library import Library

ADMIT = """
import sys
from pathlib import Path
from memory.store import open_store
from skills.embedder import HashEmbedder
from skills.library import Library
from skills.testing import make_policy_folder, make_request
database, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
library = Library(open_store(database), folder / "skills", HashEmbedder())
policy = make_policy_folder(folder / f"policy-{sys.argv[4]}")
print("ready", flush=True)
for i in range(count):
    skill = library.admit(make_request(folder, f"skill-{i % 7}", f"key {i}", policy_folder=policy))
    print(i, skill.id, flush=True)
"""


def start(database: str, folder: Path, count: int, tag: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ADMIT, database, str(folder), str(count), tag]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    return lines


def url_of(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def test_kill_9_then_admit_again_gives_every_skill_once(sqlite_store: Store, tmp_path: Path) -> None:
    store = sqlite_store
    process = start(url_of(store), tmp_path, 1000, "a")
    time.sleep(0.07)
    os.kill(process.pid, signal.SIGKILL)
    admitted = finish(process)
    library = Library(store, tmp_path / "skills", HashEmbedder())
    report = library.verify()
    assert (report.damaged, report.without_vector) == ({}, 0)  # never a row without its artifact or vector
    assert report.checked >= len(admitted)
    assert len(report.orphans) <= 1

    again = finish(start(url_of(store), tmp_path, report.checked + 2, "b"))
    assert again[: len(admitted)] == admitted
    report = library.verify()
    assert (report.checked, report.damaged, report.orphans) == (len(again), {}, ())


def test_two_processes_admitting_the_same_skills_make_each_once(store: Store, tmp_path: Path) -> None:
    first, second = (start(url_of(store), tmp_path, 15, tag) for tag in "ab")
    assert finish(first) == finish(second)
    report = Library(store, tmp_path / "skills", HashEmbedder()).verify()
    assert (report.checked, report.damaged, report.orphans) == (15, {}, ())
    with store.read() as session:
        versions = session.exec(select(SkillRow.name, func.max(SkillRow.version)).group_by(SkillRow.name)).all()
        vectors = session.exec(select(func.count()).select_from(SkillVectorRow)).one()
    assert dict(versions) == {f"skill-{i}": 3 if i == 0 else 2 for i in range(7)}  # 15 = 2 * 7 + 1
    assert vectors == 15
    assert not list((tmp_path / "skills").glob(".part-*"))
