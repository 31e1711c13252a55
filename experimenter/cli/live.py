"""The live view of a running session: a rich panel on a terminal, plain lines elsewhere, nothing with `--json`."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from experimenter.cli.output import count, duration, sparkline

if TYPE_CHECKING:
    from experimenter.execution.base import JobUpdate
    from experimenter.journal import Event
    from experimenter.services import Services

_PLAIN_EVERY_S = 15.0


@dataclass
class JobView:
    """One training run as the view knows it."""

    label: str
    seed: int
    budget: int
    state: str = "waiting"
    step: int = 0
    fitness: list[float] = field(default_factory=list)
    success: float | None = None
    began: float = field(default_factory=time.monotonic)
    first_step: int | None = None


class LiveView:
    """Collects events and job updates; subclasses show them."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.jobs: dict[str, JobView] = {}
        self.task = ""
        self.lines: deque[str] = deque(maxlen=8)
        self.services: Services | None = None
        self._lock = threading.RLock()

    def on_event(self, event: Event) -> None:
        with self._lock:
            if event.kind == "task":
                self.task = event.text
            if event.kind == "rung":
                self.jobs = {
                    digest: JobView(label=job["label"], seed=job["seed"], budget=job["budget"])
                    for digest, job in event.data.get("jobs", {}).items()
                }
        self.say(event.text)

    def on_update(self, update: JobUpdate) -> None:
        with self._lock:
            job = self.jobs.get(update.job_digest)
            if job is None:
                return
            job.state = update.state
            if update.point is not None:
                job.step = update.point.step
                job.first_step = job.step if job.first_step is None else job.first_step
                if update.point.fitness is not None:
                    job.fitness.append(update.point.fitness)
                job.success = update.point.success if update.point.success is not None else job.success

    def say(self, text: str) -> None: ...

    @contextmanager
    def shown(self, services: Services) -> Iterator[None]:
        self.services = services
        yield

    def header(self) -> str:
        """Spent against budget, and the estimated time to the end of the rung."""
        assert self.services is not None
        clock, budget = self.services.clock, self.services.config.budget
        limit = f" of {duration(budget.wall_s)}" if budget.wall_s else ""
        return f"session {self.session_id}   time {duration(clock.wall_s())}{limit}   rung ETA {duration(self.eta_s())}"

    def eta_s(self) -> float:
        with self._lock:
            jobs = list(self.jobs.values())
        left = sum(
            max(0, job.budget - job.step) for job in jobs if job.state not in ("done", "failed", "killed", "stopped")
        )
        running = [job for job in jobs if job.first_step is not None and job.step > job.first_step]
        rate = sum(
            (job.step - (job.first_step or 0)) / max(0.1, time.monotonic() - job.began)
            for job in running
            if job.state == "running"
        )
        return left / rate if rate > 0 else float("inf")

    def job_rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """(arm, seed, steps, fitness curve, last fitness, state) of each job of the rung."""
        with self._lock:
            return [
                (
                    job.label,
                    str(job.seed),
                    f"{count(job.step)}/{count(job.budget)}",
                    sparkline(job.fitness),
                    f"{job.fitness[-1]:.3g}" if job.fitness else "-",
                    job.state,
                )
                for job in self.jobs.values()
            ]


class QuietView(LiveView):
    """For machines: shows nothing."""


class PlainView(LiveView):
    """For pipes and logs: one line an event, one line a quarter of a minute."""

    def say(self, text: str) -> None:
        typer.echo(text)
        sys.stdout.flush()

    @contextmanager
    def shown(self, services: Services) -> Iterator[None]:
        self.services = services
        stop = threading.Event()
        thread = threading.Thread(target=self._tick, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=1.0)

    def _tick(self, stop: threading.Event) -> None:
        while not stop.wait(_PLAIN_EVERY_S):
            running = [row for row in self.job_rows() if row[5] == "running"]
            jobs = "; ".join(
                f"{arm} s{seed} {steps} fitness {fitness} {curve}" for arm, seed, steps, curve, fitness, _ in running
            )
            self.say(f"  [{self.header()}] {jobs}".rstrip())


class RichView(LiveView):
    """For terminals: a panel with the task, the racing arms, curves, budget and the last lines of the diary."""

    def say(self, text: str) -> None:
        with self._lock:
            self.lines.append(text)
            live = getattr(self, "_live", None)
        if live is None:
            typer.echo(text)

    @contextmanager
    def shown(self, services: Services) -> Iterator[None]:
        from rich.live import Live

        self.services = services
        with Live(get_renderable=self._picture, refresh_per_second=4, transient=True) as live:
            self._live: Any = live
            try:
                yield
            finally:
                self._live = None
        for line in self.lines:
            typer.echo(line)

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        table = Table(expand=True, box=None, pad_edge=False)
        for name in ("arm", "seed", "steps", "fitness over training", "now", "state"):
            table.add_column(name, no_wrap=True)
        for row in self.job_rows():
            table.add_row(*row, style="dim" if row[5] == "waiting" else None)
        with self._lock:
            diary = Text("\n".join(self.lines), style="dim")
        return Panel(Group(Text(self.task or "thinking ...", style="bold"), table, diary), title=self.header())


def make_view(session_id: str, *, quiet: bool) -> LiveView:
    """Pick the view that fits where the output goes."""
    if quiet:
        return QuietView(session_id)
    return RichView(session_id) if sys.stdout.isatty() else PlainView(session_id)
