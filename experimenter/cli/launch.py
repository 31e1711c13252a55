"""Start or resume a session in the foreground: signals, live view, and the closing lines."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from experimenter.cli.live import LiveView, make_view
from experimenter.cli.output import duration, print_json
from experimenter.config import SessionConfig, resolve_home
from experimenter.errors import ExperimenterError, UsageError
from experimenter.records import Budget

EXIT_NOT_CERTIFIED = 10
"""The session ended within its budget rules, but no skill met the admission test."""
EXIT_DRAINED = 11
"""The session was stopped on request and can be resumed."""
EXIT_WAITING = 12
"""The session waits between two generations for the person's answer."""
_EXIT = {"done": 0, "drained": EXIT_DRAINED, "stopped": EXIT_DRAINED, "waiting": EXIT_WAITING}


def launch_new(goal: str, config: SessionConfig, home: Path | None, *, as_json: bool) -> int:
    """Start a session for `goal` and run it; returns the exit code."""
    text = " ".join(goal.split())
    if not text:
        raise UsageError('the goal is empty: say what to learn, for example experimenter run "balance the pole".')
    check_task(config)
    if config.budget == SessionConfig().budget:
        config = config.evolve(budget=budget_in_words(text, config.budget).model_dump())
    from experimenter.graph.build import GRAPH_VERSION
    from experimenter.journal import start_session
    from experimenter.services import open_memory

    folder = resolve_home(home)
    store = open_memory(folder)
    try:
        session_id = start_session(store, text, config, GRAPH_VERSION)
    finally:
        store.close()
    return _run(session_id, folder, as_json=as_json)


def launch_resume(session: str, home: Path | None, *, as_json: bool) -> int:
    """Resume a session by id or unique prefix; one that is done only prints how it ended, one that waits goes on unanswered."""
    from experimenter.journal import Journal
    from experimenter.research.feedback import go_on
    from experimenter.services import open_memory

    folder = resolve_home(home)
    store = open_memory(folder)
    try:
        row = _find(store, session)
        if row.state == "done":
            typer.echo(f"session {row.id} is done: {row.outcome}")
            return 0
        go_on(Journal(store, row.id))
    finally:
        store.close()
    return _run(row.id, folder, as_json=as_json)


def launch_answer(
    session: str, text: str, weights: dict[str, Any], home: Path | None, *, resume: bool, as_json: bool
) -> int:
    """Store a person's answer and, unless a process runs the session or it shall not, go on with it."""
    from experimenter.journal import Journal
    from experimenter.research.feedback import answer
    from experimenter.services import living_process, open_memory

    folder = resolve_home(home)
    store = open_memory(folder)
    try:
        row = _find(store, session)
        if row.state in ("done", "failed"):
            raise UsageError(
                f"session {row.id} is {row.state}: there is nothing left to answer. Start a new one with experimenter run ... --feedback."
            )
        if weights:
            _check_measures(row, weights)
        generation = answer(Journal(store, row.id), text, weights)
        alive = living_process(row) is not None
    finally:
        store.close()
    if resume and not alive:
        return _run(row.id, folder, as_json=as_json)
    if as_json:
        print_json({"session": row.id, "generation": generation, "state": row.state, "exit_code": 0})
        return 0
    told = f"generation {generation} of its reward programs" if generation else "its next reward programs"
    typer.echo(f"stored: session {row.id} is told of it for {told}.")
    if not alive:
        typer.echo(f"go on with: experimenter session resume {row.id}")
    return 0


def _find(store: Any, session: str) -> Any:
    from memory.queries import get_session

    with store.read() as reading:
        return get_session(reading, session)


def _check_measures(row: Any, weights: dict[str, Any]) -> None:
    """Refuse weights on measures that the session's family does not have."""
    from envs.catalog import get_family
    from experimenter.evaluation.weights import check_weights, family_measures

    name = row.goal.get("family") or row.config.get("family")
    if name is None:
        raise UsageError(f"session {row.id} has not read its goal yet: resume it first, then answer with --fitness.")
    family = get_family(name)
    check_weights(weights, family_measures(family, family.resolve_task()), name)


def budget_in_words(goal: str, default: Budget) -> Budget:
    """The limits that the goal itself sets ("in five minutes"), where no flag and no file set any."""
    from experimenter.roles.words import read_budget

    said = read_budget(goal)
    return said if said != Budget() else default


def check_task(config: SessionConfig) -> None:
    """Refuse an unknown family, a task parameter out of its range or a bad trainer setting before anything is written."""
    from envs.catalog import get_family
    from experimenter import registry

    if config.trainer is not None:
        registry.load("trainers", config.trainer)
    registry.load("teachers", config.teacher or "fixed")
    if config.teacher_settings and config.teacher is None:
        known = ", ".join(name for name in registry.list_names("teachers") if name != "fixed")
        raise UsageError(f"--teacher-set needs --teacher: name the teacher whose settings these are ({known}).")
    registry.load("executors", config.executor)
    if config.family is None:
        for flag, given in (("--param", config.params), ("--fitness", config.fitness_weights)):
            if given:
                what = "parameters" if flag == "--param" else "measures"
                raise UsageError(f"{flag} needs --env: name the environment family whose {what} these are.")
        return
    try:
        family = get_family(config.family)
        task = family.resolve_task(config.params)
    except ValueError as error:
        raise UsageError(str(error)) from error
    # built to be checked: it names a bad setting, and a teacher that cannot move along this family's parameters
    registry.load("teachers", config.teacher or "fixed")(
        family.card(), dict(task.params), dict(config.teacher_settings), 0
    )
    if config.trainer_settings:
        _check_settings(config, config.family)
    if config.fitness_weights:
        from experimenter.evaluation.weights import check_weights, family_measures

        check_weights(config.fitness_weights, family_measures(family, task), config.family)


def _check_settings(config: SessionConfig, family: str) -> None:
    """Check names and types of the trainer's settings, and their ranges where the trainer has a `check_settings`."""
    from experimenter import registry
    from experimenter.trainers.settings import resolve_settings

    trainer = registry.load("trainers", config.trainer or registry.default_trainer(family))()
    resolve_settings(trainer.name, trainer.default_settings(family), config.trainer_settings)
    if check := getattr(trainer, "check_settings", None):
        check(family, config.trainer_settings)


def _run(session_id: str, home: Path, *, as_json: bool) -> int:
    from langgraph.runtime import RunControl

    from experimenter.graph.build import run_session
    from experimenter.services import open_memory, open_services

    store = open_memory(home)
    view = make_view(session_id, quiet=as_json)
    services = open_services(
        home=home, store=store, session_id=session_id, listen=view.on_event, on_update=view.on_update
    )
    control = RunControl()

    def drain(number: int, frame: FrameType | None) -> None:
        if services.drain.is_set():
            raise KeyboardInterrupt
        services.drain.set()
        control.request_drain("asked by the person")
        view.say("stopping at the next boundary; press Ctrl-C again to leave at once. Nothing is lost either way.")
        threading.Thread(target=services.executor.stop, args=("asked by the person",), daemon=True).start()

    before = {number: signal.signal(number, drain) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        meet_model(services)
        with view.shown(services):
            if run_session(services, control) == "done":
                _write_report(services, view)
    except ExperimenterError as error:
        services.journal.set_state("drained", f"stopped by an error: {error}")
        view.say(f"the session stopped; when the cause is mended, go on with: experimenter session resume {session_id}")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        summary = summarise(services, home)
        services.close()
    return _close(summary, view, as_json=as_json)


def meet_model(services: Any) -> None:
    """Ask a model behind a URL what it can do before the session begins: a dead server or a wrong key is said at once.

    Later in the session a server that goes away is bridged by the rules; one that was never there is the person's mistake.
    """
    if services.gateway.provider in ("openai", "litellm"):
        _ = services.gateway.capabilities


def summarise(services: Any, home: Path) -> dict[str, Any]:
    """The documented object of `run --json`: session, state, outcome, skills, spent, report, question (while it waits)."""
    from experimenter.research.feedback import open_question_of

    row = services.journal.session()
    skills = [task.skill_id for task in services.journal.tasks() if task.skill_id]
    report = home / "reports" / f"{row.id}.html"
    return {
        "session": row.id,
        "goal": row.goal_text,
        "state": row.state,
        "outcome": row.outcome,
        "skills": sorted(set(skills)),
        "spent": services.journal.spent().model_dump(mode="json"),
        "report": str(report) if report.exists() else None,
        "question": open_question_of(services.journal),
    }


def _write_report(services: Any, view: LiveView) -> None:
    from experimenter.reports.page import write_report

    try:
        write_report(services.store, services.home, services.journal.session_id)
    except OSError as error:
        view.say(
            f"the report could not be written ({error.strerror}); try: experimenter report {services.journal.session_id}"
        )


def _close(summary: dict[str, Any], view: LiveView, *, as_json: bool) -> int:
    code = _EXIT.get(summary["state"], 1)
    if code == 0 and not summary["skills"]:
        code = EXIT_NOT_CERTIFIED
    if as_json:
        print_json({**summary, "exit_code": code})
        return code
    spent = summary["spent"]
    view.say(summary["outcome"])
    view.say(
        f"spent: {duration(spent['wall_s'])}, {spent['env_steps']:,} env steps, {spent['calls']} model calls, "
        f"{spent['tokens']:,} tokens, ${spent['money_usd']:.2f}"
        + (f" (price unknown for {spent['unpriced_calls']} calls)" if spent["unpriced_calls"] else "")
    )
    for line in question_lines(summary["question"], summary["session"]):
        view.say(line)
    if summary["report"]:
        view.say(f"report: {summary['report']}")
    for skill in summary["skills"]:
        view.say(f"skill:  experimenter skill show {skill}")
    if code == EXIT_DRAINED:
        view.say(f"go on with: experimenter session resume {summary['session']}")
    return code


def question_lines(question: dict[str, Any] | None, session: str) -> list[str]:
    """What was found so far and how to answer, for people; nothing when the session waits for nobody."""
    if question is None:
        return []
    lines = [f"found so far on task {question['task'][:6]}, before generation {question['generation']}:"]
    for arm in question["arms"]:
        span = f"{arm['fitness_iqm']:.3g} [{arm['fitness_low']:.3g}, {arm['fitness_high']:.3g}]"
        lift = f", {arm['lift']:+.3g} against native" if arm["lift"] is not None else ""
        lines.append(f"  {arm['label']}: fitness {span}, success {arm['success_rate']:.0%}{lift} ({arm['fate']})")
    if question["measures"]:
        measures = ", ".join(f"{name} {value:.3g}" for name, value in question["measures"].items())
        lines.append(f"  further measures of the first: {measures}")
    if question["reflection"]:
        lines.append(f"  {question['reflection']}")
    lines.append(f'answer:  experimenter session answer {session} "less energy, keep the torso upright"')
    lines.append("         with --fitness NAME=WEIGHT a further measure counts in the fitness; words alone never do")
    lines.append(f"or go on without an answer:  experimenter session resume {session}")
    return lines
