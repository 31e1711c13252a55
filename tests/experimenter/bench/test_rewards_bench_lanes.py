"""Tasks side by side: real processes, their words, their failures, and their end with the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experimenter.bench.rewards.lanes import Relay, default_lanes, run_lanes
from experimenter.bench.rewards.options import BenchOptions, make_options
from experimenter.bench.rewards.progress import Progress
from experimenter.bench.rewards.state import TaskState, open_state, put_task
from experimenter.bench.rewards.tasks import BenchTask, find_tasks
from experimenter.errors import JobError, UsageError
from experimenter.llm.messages import Capabilities
from experimenter.llm.recorded import AnswerLog, RecordedAnswer, read_answers

OPTIONS = make_options("quick", model="none")
TASKS = find_tasks(["pendulum", "acrobot", "lander"])


def answers(
    options: BenchOptions, task: BenchTask, folder: Path, workers: int, record: Path | None, relay: Relay
) -> None:
    """Says something, writes its state and an answer, and notes when it ran."""
    started = time.monotonic()
    relay.tick(task.name, "searching", 10)
    put_task(folder, open_state(folder, options), task.name, TaskState(session=f"of {task.name}", done=True))
    assert record is not None
    log = AnswerLog(record, task.name)
    for sample in range(20):
        one = RecordedAnswer(role="reward_writer", step="s", sample=sample, answer="{}")
        log.write(one, model="m", capabilities=Capabilities())
    time.sleep(1.0)
    relay.say(f"{task.name} with {workers} workers")
    relay.finish(task.name)
    (folder / f"{task.name}.times").write_text(f"{started} {time.monotonic()}")


def refuses(
    options: BenchOptions, task: BenchTask, folder: Path, workers: int, record: Path | None, relay: Relay
) -> None:
    if task.name == "pendulum":
        raise UsageError("no such model: 'x'.")
    time.sleep(600)


def dies(options: BenchOptions, task: BenchTask, folder: Path, workers: int, record: Path | None, relay: Relay) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stays(
    options: BenchOptions, task: BenchTask, folder: Path, workers: int, record: Path | None, relay: Relay
) -> None:
    (folder / f"{task.name}.pid").write_text(str(os.getpid()))
    time.sleep(600)


def test_two_tasks_run_at_the_same_time_and_none_of_their_writing_is_lost(tmp_path: Path) -> None:
    said: list[str] = []
    open_state(tmp_path, OPTIONS)
    done: list[str] = []
    run_lanes(
        answers,
        OPTIONS,
        TASKS,
        tmp_path,
        lanes=2,
        workers=2,
        record=tmp_path / "answers.jsonl",
        progress=Progress(TASKS, OPTIONS, 2, said.append),
        on_done=lambda task: done.append(task.name),
    )
    assert sorted(done) == ["acrobot", "lander", "pendulum"] and done[-1] == "lander"
    spans = {name: [float(t) for t in (tmp_path / f"{name}.times").read_text().split()] for name in done}
    assert spans["acrobot"][0] < spans["pendulum"][1] and spans["pendulum"][0] < spans["acrobot"][1]
    assert spans["lander"][0] >= min(spans["acrobot"][1], spans["pendulum"][1])
    assert any(line.startswith("pendulum with 2 workers [") and "left]" in line for line in said)
    assert {name: state.done for name, state in open_state(tmp_path, OPTIONS).tasks.items()} == dict.fromkeys(
        done, True
    )
    _, _, held = read_answers(tmp_path / "answers.jsonl")
    assert len(held) == 60 and {answer.scope for answer in held} == set(done)


@pytest.mark.parametrize(
    ("work", "error", "told"), [(refuses, UsageError, "no such model: 'x'"), (dies, JobError, "ended with -9")]
)
def test_a_task_that_fails_stops_the_others(tmp_path: Path, work: object, error: type[Exception], told: str) -> None:
    started = time.monotonic()
    with pytest.raises(error, match=told):
        run_lanes(
            work,  # type: ignore[arg-type]
            OPTIONS,
            TASKS,
            tmp_path,
            lanes=2,
            workers=2,
            record=None,
            progress=Progress(TASKS, OPTIONS, 2, lambda text: None),
            on_done=lambda task: None,
        )
    assert time.monotonic() - started < 120  # not the ten minutes that the other one would sleep


def test_a_killed_bench_leaves_no_process_behind(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from tests.experimenter.bench.test_rewards_bench_lanes import *
if __name__ == "__main__":
    run_lanes(stays, OPTIONS, TASKS, Path({str(tmp_path)!r}), lanes=2, workers=2, record=None,
              progress=Progress(TASKS, OPTIONS, 2, print), on_done=print)
"""
    (tmp_path / "parent.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=environment)
    wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    children = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(runs(child) for child in children))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(done: object, timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if done():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize(
    ("options", "tasks", "workers", "lanes"),
    [
        ({"model": "openai/x", "base_url": "http://127.0.0.1:9/v1"}, 12, 2, 3),
        ({}, 12, 2, 3),
        ({"model": "openai/x"}, 1, 2, 1),
        ({"model": "openai/x"}, 12, 1, 1),
        ({"model": "none"}, 12, 2, 3),
        ({"answers": "a.jsonl"}, 12, 2, 3),
    ],
)
def test_three_lanes_where_there_are_several_tasks_and_workers(
    options: dict[str, str], tasks: int, workers: int, lanes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experimenter.llm.choose._by_local_server", lambda *given: None)
    for name in [name for name in os.environ if name.endswith("_API_KEY") or name.startswith("EXPERIMENTER_")]:
        monkeypatch.delenv(name)
    assert default_lanes(make_options("quick", **options), tmp_path, tasks, workers) == lanes
