"""The model as web agent, measured on real pages: success with its interval, calls, tokens, and what it does wrong.

Three ways of acting on the same pages with the same budget of steps: `agent` (the model chooses each numbered action), `plan`
(the model writes a plan in the intermediate language, the rule grounder finds the elements), `rule` (the plan by rule, no model).
Success is the page's own. Solved episodes of `agent` and `plan` are kept as demonstrations, each only after it was played again. Beside it:
the rule grounder on the steps of oracles, and the outcome judge against true outcomes. Nothing measured here certifies anything.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envs.web.backend import Browser, BrowserMissing
from envs.web.browsers import open_browser
from envs.web.demonstrations import Demonstration, DemonstrationError, replay, write_demonstrations
from envs.web.world import Outcome, World
from experimenter.bench.web_choosers import Arm, Counts, make_arm
from experimenter.bench.web_judge import measure_judge
from experimenter.config import resolve_database
from experimenter.errors import BudgetSpent, EnvironmentNotReady, UsageError
from experimenter.evaluation.seeds import admission_seeds
from experimenter.evaluation.web_episodes import Episode, play, world_seed
from experimenter.evaluation.web_grounding import MANNERS, TaskGrounding, measure_grounding
from experimenter.evaluation.web_policy_grounder import ground_by_policy
from experimenter.evaluation.web_traces import params_of
from experimenter.evaluation.web_transfer import Scored
from experimenter.llm.choose import resolve_model
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.recorded import AnswerLog
from experimenter.records import Budget
from memory.store import open_store
from skills.artifact import load_policy
from skills.evidence import wilson_interval

log = logging.getLogger(__name__)

TASKS = ("click-test", "click-button", "enter-text")
ARMS = ("agent", "plan", "rule")
BROWSERS = ("chromium", "lightpanda", "auto", "trusted")
"""`trusted` is the full Chromium with its own mouse and keyboard."""
WAYS = (*ARMS, "grounder", "judge")
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured."""

    tasks: tuple[str, ...] = TASKS
    episodes: int = 10
    """Held-out pages a task."""
    ways: tuple[str, ...] = ("agent", "rule")
    browser: str = "chromium"
    model: str | None = None
    base_url: str | None = None
    answers: Path | None = None
    """Recorded answers instead of a model."""
    record: Path | None = None
    """Where the model's answers are written, for `answers`."""
    demonstrations: Path | None = None
    """Where solved episodes are written."""
    tokens: int | None = None
    """Most tokens of the whole run."""
    policy: Path | None = None
    """Folder of a trained policy, measured as grounder on `tasks` beside the rule."""

    def __post_init__(self) -> None:
        for task in self.tasks:
            try:
                params_of(task)
            except ValueError as error:
                raise UsageError(str(error)) from error
        if wrong := [way for way in self.ways if way not in WAYS]:
            raise UsageError(f"unknown way {wrong[0]!r}: choose among {', '.join(WAYS)}.")
        if self.browser not in BROWSERS:
            raise UsageError(f"unknown browser {self.browser!r}: choose among {', '.join(BROWSERS)}.")
        if not 1 <= self.episodes <= 1000:
            raise UsageError(f"{self.episodes} episodes a task cannot be: give 1 to 1000.")


def measure(options: Options, home: Path, say: Say = lambda text: None) -> dict[str, Any]:
    """Measure everything that `options` asks for; the ledger of `home` keeps the calls under a session name of its own."""
    store = open_store(resolve_database(home))
    try:
        gateway = _open(options, store.engine, home)
        browser = _open_browser(options.browser)
        try:
            return _measure(options, gateway, browser, say)
        finally:
            browser.close()
            if gateway is not None:
                gateway.close()
    finally:
        store.close()


def table(measured: dict[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [
        f"model {measured['model']}, browser {measured['browser']}, at most {measured['horizon']} steps an episode"
    ]
    for way, rows in measured["ways"].items():
        lines.append(
            f"{way:<22}{'success':>9}{'95%':>15}{'wrong':>7}{'time out':>10}{'steps':>7}{'calls':>7}{'tokens':>8}"
            f"{'unreadable':>12}{'illegal':>9}{'unclear':>9}{'s':>7}"
        )
        lines += [_row(row) for row in rows]
    if told := measured.get("demonstrations"):
        lines.append(f"demonstrations: {told['written']} written to {told['file']}, {told['rejected']} did not hold")
    for key, name in (("grounder", "rule grounder"), ("policy_grounder", "policy as grounder")):
        if told := measured.get(key):
            parts = ", ".join(
                f"{m} words {told['right'][m]:.1%} right, {told['refused'][m]:.1%} refused" for m in MANNERS
            )
            lines.append(f"{name} on {told['steps']} steps of {told['tasks']} oracles: {parts}")
    for name, row in measured.get("judge", {}).get("judges", {}).items():
        lines.append(
            f"outcome judge, {name}: {row['right']} of {row['traces']} right; solved: {row['yes_solved']} YES, "
            f"{row['no_solved']} NO; not solved: {row['yes_failed']} YES, {row['no_failed']} NO"
        )
    return "\n".join(lines)


def _open_browser(name: str) -> Browser:
    try:
        return open_browser(mode="certify") if name == "trusted" else open_browser(name)
    except BrowserMissing as error:
        raise EnvironmentNotReady(str(error)) from error


def _open(options: Options, engine: Any, home: Path) -> Gateway | None:
    if not {"agent", "plan", "judge"} & set(options.ways):
        return None
    name = f"answers/{options.answers}" if options.answers else options.model
    choice = resolve_model(name, base_url=options.base_url, environment=os.environ, home=home)
    if choice.provider == "none":
        if {"agent", "plan"} & set(options.ways):
            raise UsageError(f"the ways agent and plan need a model: {choice.reason}")
        return None
    session = f"bench-web-model-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    budget = Budget(tokens=options.tokens)
    gateway = open_gateway(engine, session_id=session, choice=choice, budget=budget, home=home, cache=False)
    if options.record:
        gateway.record(AnswerLog(options.record))
    return gateway


def _measure(options: Options, gateway: Gateway | None, browser: Browser, say: Say) -> dict[str, Any]:
    from envs.web.card import HORIZON

    told: dict[str, Any] = {
        "model": gateway.model if gateway else "none",
        "browser": options.browser,
        "horizon": HORIZON,
        "ways": {},
    }
    solved: list[Episode] = []
    for way in (way for way in ARMS if way in options.ways):
        arm = make_arm(way, gateway)
        rows = []
        for task in options.tasks:
            row, episodes = _run_task(options, arm, browser, task)
            rows.append(row)
            solved += [one for one in episodes if one.success and way != "rule"]
            say(f"{way} {_row(row).strip()}")
        told["ways"][way] = rows
    if options.demonstrations:
        told["demonstrations"] = _keep(options.demonstrations, solved, browser, told["model"])
    if "grounder" in options.ways:
        told["grounder"] = _grounder(browser)
        if options.policy is not None:
            told["policy_grounder"] = _policy_grounder(browser, options)
    if "judge" in options.ways:
        told["judge"] = measure_judge(gateway, browser, options.tasks, options.episodes, say)
    return told


def _run_task(options: Options, arm: Arm, browser: Browser, task: str) -> tuple[dict[str, Any], list[Episode]]:
    """One row of the table and its episodes. Pages are those of a certificate's first attempt."""
    world, episodes, counts = World(browser), [], Counts()
    before, started = arm.spent(), time.monotonic()
    try:
        for seed in admission_seeds(options.episodes):
            chooser = arm.begin(f"{task}:{seed}", counts)
            episodes.append(play(world, params_of(task), world_seed(seed), chooser, kind=arm.name))
    except BudgetSpent as error:
        log.warning("%s on %s ended after %d episodes: %s", arm.name, task, len(episodes), error)
    finally:
        world.close()
    after = arm.spent()
    won = sum(one.success for one in episodes)
    low, high = wilson_interval(won, len(episodes))
    return {
        "task": task,
        "episodes": len(episodes),
        "successes": won,
        "rate": won / len(episodes) if episodes else None,
        "low": low,
        "high": high,
        "wrong": sum(one.end is Outcome.WRONG for one in episodes),
        "timeout": sum(one.end is Outcome.TIMEOUT for one in episodes),
        "steps": sum(one.length for one in episodes),
        "idle": sum(one.idle for one in episodes),
        "browser_failures": sum(one.failures for one in episodes),
        "calls": after.calls - before.calls,
        "tokens": after.tokens - before.tokens,
        "unparsable": counts.unparsable,
        "illegal": counts.illegal,
        "ungrounded": counts.ungrounded,
        "seconds": time.monotonic() - started,
    }, episodes


def _keep(path: Path, solved: Sequence[Episode], browser: Browser, model: str) -> dict[str, Any]:
    """Write the solved episodes that solve their page again."""
    world, kept, rejected = World(browser), [], 0
    try:
        for episode in solved:
            trace = episode.trace
            one = Demonstration(
                params=params_of(trace.task).model_dump(),
                seed=trace.seed,
                instruction=trace.instruction,
                actions=tuple(step.action for step in trace.steps),
                source=f"{trace.kind} {model}",
            )
            try:
                replay(world, one)
                kept.append(one)
            except DemonstrationError as error:
                rejected += 1
                log.warning("a solved episode of %s is no demonstration: %s", trace.task, error)
    finally:
        world.close()
    write_demonstrations(path, kept)
    return {"file": str(path), "written": len(kept), "rejected": rejected}


def _grounder(browser: Browser) -> dict[str, Any]:
    return _sum_grounding(measure_grounding(browser, (0, 1)))


def _policy_grounder(browser: Browser, options: Options) -> dict[str, Any]:
    assert options.policy is not None
    policy = load_policy(options.policy)
    if not isinstance(policy, Scored):
        raise UsageError(f"{options.policy} holds a policy that tells no scores: one of the trainer dom is needed.")
    scored: Scored = policy
    rows = measure_grounding(browser, (0, 1), options.tasks, lambda line, page: ground_by_policy(scored, line, page))
    return _sum_grounding(rows)


def _sum_grounding(rows: Sequence[TaskGrounding]) -> dict[str, Any]:
    steps = sum(row.steps for row in rows)
    return {
        "tasks": len(rows),
        "steps": steps,
        "right": {m: sum(row.right[m] for row in rows) / max(1, steps) for m in MANNERS},
        "refused": {m: sum(row.refused[m] for row in rows) / max(1, steps) for m in MANNERS},
        "worst": [{"task": row.task, "steps": row.steps, "why": row.wrong} for row in rows if row.wrong],
    }


def _row(row: dict[str, Any]) -> str:
    interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
    return (
        f"{row['task']:<22}{row['successes']:>5}/{row['episodes']:<3}{interval:>15}{row['wrong']:>7}{row['timeout']:>10}"
        f"{row['steps']:>7}{row['calls']:>7}{row['tokens']:>8}{row['unparsable']:>12}{row['illegal']:>9}"
        f"{row['ungrounded']:>9}{row['seconds']:>7.0f}"
    )
