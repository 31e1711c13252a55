"""`experimenter session ...`: list, show, resume, answer, stop and watch sessions."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli.output import count, duration, home_option, json_option, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Look at sessions, resume, answer, stop or watch them.")
_POLL_S = 1.0


@app.command("list")
def list_(home: Annotated[Path | None, home_option()] = None, json: Annotated[bool, json_option()] = False) -> None:
    """List sessions, newest first.

    Example:  experimenter session list
    """
    from memory.queries import list_sessions

    with _reading(home) as (_, reading):
        rows = [_summary(row) for row in list_sessions(reading)]
    if json:
        print_json({"sessions": rows})
        return
    print_table(
        ["session", "state", "time", "began", "goal", "outcome"],
        [
            (r["id"], r["state"], duration(r["wall_s"]), r["created_at"][:16], r["goal"][:50], r["outcome"][:60])
            for r in rows
        ],
        empty='no session yet: start one with experimenter run "balance the pole".',
    )


@app.command()
def show(
    session: Annotated[str, typer.Argument(help="Session id or a unique beginning of one.")],
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Show one session: tasks, arms and their fates, verdicts, costs.

    Example:  experimenter session show 3f2a
    """
    from experimenter.journal import Journal
    from memory import queries

    with _reading(home) as (store, reading):
        row = queries.get_session(reading, session)
        facts: dict[str, Any] = {
            **_summary(row),
            "config": row.config,
            "spent": Journal(store, row.id).spent().model_dump(mode="json"),
            "tasks": [_task(task) for task in queries.list_tasks(reading, row.id)],
            "rewards": [_reward(reward) for reward in queries.list_rewards(reading, row.id)],
            "jobs": [_job(job) for job in queries.list_jobs(reading, row.id)],
            "verdicts": [
                {"task": v.task_digest, "generation": v.generation, **v.payload}
                for v in queries.list_verdicts(reading, row.id)
            ],
            "calls": [vars(total) for total in queries.sum_calls(reading, row.id)],
            "feedback": [_feedback(said) for said in queries.list_feedback(reading, row.id)],
        }
    if json:
        print_json(facts)
        return
    _print_session(facts)


@app.command()
def resume(
    session: Annotated[str, typer.Argument(help="Session id or a unique beginning of one.")],
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Go on with a session that was stopped, drained or killed: nothing finished is repeated, budgets continue.

    A session that waits for an answer goes on without one.

    Example:  experimenter session resume 3f2a
    """
    from experimenter.cli.launch import launch_resume

    raise typer.Exit(launch_resume(session, home, as_json=json))


@app.command()
def answer(
    session: Annotated[str, typer.Argument(help="Session id or a unique beginning of one.")],
    text: Annotated[str, typer.Argument(help="What to mind in rewards, in words; never changes the fitness.")] = "",
    fitness: Annotated[
        list[str] | None,
        typer.Option("--fitness", help="Count a further measure in the fitness: NAME=WEIGHT, 0 to stop (repeatable)."),
    ] = None,
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Only store the answer.")] = False,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Tell a session what its next generation of reward programs should mind, then go on with it.

    Also for one that isn't waiting: its next generation is told. A session that a process is running is not started again.

    Example:  experimenter session answer 3f2a "less energy, keep the torso upright" --fitness effort=-0.1
    """
    from experimenter.cli.launch import launch_answer
    from experimenter.cli.run import pairs

    weights = pairs(fitness, "--fitness") or {}
    raise typer.Exit(launch_answer(session, text, weights, home, resume=not no_resume, as_json=json))


@app.command()
def stop(
    session: Annotated[str, typer.Argument(help="Session id or a unique beginning of one.")],
    home: Annotated[Path | None, home_option()] = None,
) -> None:
    """Ask the process that runs a session to stop at its next boundary; it can be resumed.

    Example:  experimenter session stop 3f2a
    """
    from experimenter.errors import UsageError
    from experimenter.services import living_process
    from memory.queries import get_session

    with _reading(home) as (_, reading):
        row = get_session(reading, session)
    pid = living_process(row)
    if pid is None:
        raise UsageError(
            f"session {row.id} is not running (state: {row.state}); resume it with experimenter session resume {row.id}."
        )
    os.kill(pid, signal.SIGTERM)
    typer.echo(f"asked session {row.id} (process {pid}) to stop at its next boundary.")


@app.command()
def watch(
    session: Annotated[str, typer.Argument(help="Session id or a unique beginning of one.")],
    home: Annotated[Path | None, home_option()] = None,
    once: Annotated[bool, typer.Option("--once", help="Print what there is and leave.")] = False,
) -> None:
    """Follow a session's diary from another terminal.

    Example:  experimenter session watch 3f2a
    """
    from memory.queries import get_session, list_events

    last = 0
    while True:
        with _reading(home) as (_, reading):
            row = get_session(reading, session)
            events = list_events(reading, row.id, last)
        for event in events:
            typer.echo(f"{event.created_at:%H:%M:%S}  {event.text}")
            last = event.id or last
        if once or row.state != "running":
            typer.echo(f"session {row.id} is {row.state}. {row.outcome}")
            return
        time.sleep(_POLL_S)


def _reading(home: Path | None) -> Any:
    from experimenter.cli.opened import reading_store

    return reading_store(home)


def _summary(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "goal": row.goal_text,
        "state": row.state,
        "outcome": row.outcome,
        "wall_s": float(row.spent.get("wall_s", 0.0)),
        "created_at": row.created_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "reading": row.goal,
    }


def _task(row: Any) -> dict[str, Any]:
    return {
        "digest": row.task_digest,
        "kind": row.kind,
        "state": row.state,
        "text": row.text,
        "reason": row.reason,
        "params": row.payload.get("params", {}),
        "skill": row.skill_id,
    }


def _reward(row: Any) -> dict[str, Any]:
    from experimenter.records import RewardProgram

    program = RewardProgram.model_validate(row.payload)
    return {
        "digest": row.reward_digest,
        "label": program.label,
        "task": row.task_digest,
        "generation": row.generation,
        "fate": row.fate,
        "reason": row.reason,
        "model": program.model,
        "source": program.source,
    }


def _job(row: Any) -> dict[str, Any]:
    result = row.result or {}
    return {
        "digest": row.job_digest,
        "task": row.task_digest,
        "reward": row.reward_digest,
        "seed": row.seed,
        "rung": row.rung,
        "state": row.state,
        "budget_steps": row.payload.get("budget_steps"),
        "new_steps": row.new_steps,
        "wall_s": row.wall_s,
        "failure": result.get("failure"),
    }


def _feedback(row: Any) -> dict[str, Any]:
    names = ("task_digest", "generation", "text", "fitness_weights", "source")
    return {**{name: getattr(row, name) for name in names}, "created_at": row.created_at.isoformat()}


def _print_session(facts: dict[str, Any]) -> None:
    spent = facts["spent"]
    typer.echo(f"session {facts['id']}: {facts['goal']}")
    typer.echo(f"state {facts['state']}. {facts['outcome']}")
    typer.echo(
        f"spent {duration(spent['wall_s'])}, {count(spent['env_steps'])} env steps, {spent['calls']} model calls, {spent['tokens']} tokens\n"
    )
    print_table(
        ["task", "kind", "state", "what", "why"],
        [(t["digest"][:6], t["kind"], t["state"], t["text"][:50], t["reason"][:80]) for t in facts["tasks"]],
    )
    typer.echo("")
    print_table(
        ["arm", "task", "generation", "fate", "why"],
        [(r["label"], r["task"][:6], r["generation"], r["fate"], r["reason"][:90]) for r in facts["rewards"]],
        empty="no reward programs yet.",
    )
    typer.echo("")
    for said in facts["feedback"]:
        weights = ", ".join(f"{name} x {value:g}" for name, value in said["fitness_weights"].items())
        typer.echo(f"feedback ({said['source']}): {said['text']}" + (f" [fitness: {weights}]" if weights else ""))
    for verdict in facts["verdicts"]:
        typer.echo(
            f"verdict on {verdict['task'][:6]}: {verdict['state']}, {verdict['decision']}: {'; '.join(verdict['reasons'])}"
        )
