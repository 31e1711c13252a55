"""`experimenter reward ...`: the reward programs of all sessions, what each came to, and how two of them differ."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli.output import count, home_option, json_option, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="List, show and compare reward programs.")
_Digest = Annotated[str, typer.Argument(help="Digest or label of a reward program, or a unique beginning.")]
_SessionOption = Annotated[str | None, typer.Option("--session", help="Only this session (a unique beginning).")]
_TaskOption = Annotated[str | None, typer.Option("--task", help="Only this task (a beginning of its digest).")]


@app.command("list")
def list_(
    family: Annotated[str | None, typer.Option("--family", help="Only this environment family.")] = None,
    task: _TaskOption = None,
    session: _SessionOption = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="What it is (code, specification, native, fitness) or why it is remembered (winner, instructive, failure).",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most programs, newest first.")] = 50,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """List reward programs, newest first: who wrote them, how they were bred, and what training showed.

    Example:  experimenter reward list --family gym:CartPole-v1 --kind winner
    """
    from experimenter.cli.opened import reading_store
    from experimenter.errors import UsageError
    from experimenter.research.programs import KINDS, list_programs

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind {kind!r} is none of {', '.join(KINDS)}.")
    with reading_store(home) as (_, reading):
        facts = list_programs(reading, family=family, task=task, session=session, kind=kind, limit=limit)
    if json:
        print_json({"rewards": facts})
        return
    head = ["reward", "family", "task", "author", "gen", "island", "operator", "fitness IQM", "over native", "fate"]
    print_table(
        head, [_row(one) for one in facts], empty="no reward program fits: experimenter reward list shows all of them."
    )


@app.command()
def show(
    digest: _Digest,
    task: _TaskOption = None,
    session: _SessionOption = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Show a reward program: its text, why it was written so, its ancestors, and what training and the audit showed.

    A program that raced in several tasks is shown in the newest; --task and --session choose another.

    Example:  experimenter reward show code-3f2a1c
    """
    from experimenter.cli.opened import reading_store
    from experimenter.research.programs import look_up

    with reading_store(home) as (_, reading):
        found, lineage = look_up(reading, digest, task=task, session=session)
    if json:
        print_json({**found, "lineage": lineage})
        return
    _print_head(found)
    _print_text(_readable(found), found["kind"])
    typer.echo("\nlineage:")
    _print_tree(lineage)


@app.command()
def diff(
    first: _Digest,
    second: _Digest,
    task: _TaskOption = None,
    session: _SessionOption = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Compare two reward programs: a unified diff of their texts, and the difference in what training showed.

    Example:  experimenter reward diff code-3f2a1c code-91bb02
    """
    import difflib

    from experimenter.cli.opened import reading_store
    from experimenter.research.programs import look_up

    with reading_store(home) as (_, reading):
        a, b = (look_up(reading, one, task=task, session=session)[0] for one in (first, second))
    before, after = (_readable(one).splitlines() for one in (a, b))
    lines = list(difflib.unified_diff(before, after, a["label"], b["label"], lineterm=""))
    if json:
        print_json({"first": a, "second": b, "diff": "\n".join(lines)})
        return
    _print_text("\n".join(lines) or "the texts are equal.", "diff")
    typer.echo("")
    print_table(["", a["label"], b["label"], "change"], _differences(a["evidence"], b["evidence"]))
    if a["task"] != b["task"]:
        typer.echo(
            f"\nthey were trained on different tasks ({a['task'][:6]}, {b['task'][:6]}): their fitness does not compare."
        )


def _row(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    place = (facts["label"], facts["family"], facts["task"][:6], facts["author"] or "-")
    birth = (facts["generation"], facts["island"], facts["operator"] or "-")
    return (*place, *birth, _fitness(facts["evidence"]), _lift(facts["evidence"]), facts["fate"])


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    names = ("fitness_iqm", "fitness_low", "fitness_high", "success_rate", "lift", "steps", "episodes")
    pairs = [(name, a[name], b[name]) for name in names]
    terms = sorted({*a["shares"], *b["shares"]})
    pairs += [(f"share of {name}", a["shares"].get(name), b["shares"].get(name)) for name in terms]
    return [(name, _number(x), _number(y), _change(x, y)) for name, x, y in pairs]


def _print_head(facts: Mapping[str, Any]) -> None:
    evidence = facts["evidence"]
    params = ", ".join(f"{name}={value}" for name, value in sorted(facts["params"].items()))
    bred = f"generation {facts['generation']}, island {facts['island']}, {facts['operator']}"
    rows = [
        ("task", f"{facts['task'][:6]} ({facts['family']}{': ' * bool(params)}{params}) in session {facts['session']}"),
        ("written by", f"{facts['author'] or 'nobody'}; {bred}"),
        ("fate", f"{facts['fate']}: {facts['reason']}" if facts["reason"] else facts["fate"]),
        ("remembered as", facts["remembered"] or "-"),
        ("fitness IQM", f"{_fitness(evidence)} over {evidence['episodes']} held-out episodes, {len(evidence['seeds'])} training seeds"),
        ("success", "-" if evidence["success_rate"] is None else f"{evidence['success_rate']:.0%}"),
        ("over native", f"{_lift(evidence)} at {count(evidence['lift_steps'])} steps" if evidence["lift"] is not None else "-"),
        ("env steps", count(evidence["steps"])),
        ("terms' shares", ", ".join(f"{name} {share:.0%}" for name, share in evidence["shares"].items()) or "-"),
        ("measures", ", ".join(f"{name} {value:.3g}" for name, value in evidence["measures"].items()) or "-"),
        ("audit", "; ".join(evidence["suspicions"]) or ("no suspicion" if evidence["steps"] else "-")),
        ("failures", "; ".join(evidence["failures"]) or "none"),
        ("also in", ", ".join(f"task {one['task'][:6]} of session {one['session']}" for one in facts["also_in"]) or "-"),
    ]  # fmt: skip
    typer.echo(f"{facts['label']} ({facts['digest']})\n")
    for name, value in rows:
        typer.echo(f"{name:<14} {value}")
    if facts["rationale"]:
        typer.echo(f"\n{facts['rationale']}")
    typer.echo("")


def _readable(facts: Mapping[str, Any]) -> str:
    """The program's text as people read it; a specification is indented, a baseline says what it is."""
    import json

    if facts["kind"] == "specification":
        try:
            return json.dumps(json.loads(facts["source"]), indent=2, ensure_ascii=False)
        except ValueError:
            return str(facts["source"])
    says = {
        "native": "(the family's own reward: no text)",
        "fitness": "(the episode's fitness, paid at its end: no text)",
    }
    return says.get(facts["kind"], str(facts["source"]))


def _print_text(text: str, kind: str) -> None:
    """Print program text, in colours on a terminal."""
    lexer = {"code": "python", "specification": "json", "diff": "diff"}.get(kind)
    if lexer is None or not sys.stdout.isatty():
        typer.echo(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, lexer, background_color="default", word_wrap=True))


def _print_tree(node: Mapping[str, Any], before: str = "", branch: str = "") -> None:
    born = ""
    if "generation" in node:
        bred = node["operator"] or "-"
        born = f"  generation {node['generation']}, {bred}, fitness {_fitness(node['evidence'])}, {node['fate']}"
    typer.echo(f"{before}{branch}{node['label']}{born}")
    below = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    for index, parent in enumerate(node["parents"]):
        _print_tree(parent, below, "└─ " if index == len(node["parents"]) - 1 else "├─ ")


def _fitness(evidence: Mapping[str, Any]) -> str:
    if evidence["fitness_iqm"] is None:
        return "-"
    return f"{evidence['fitness_iqm']:.3g} [{evidence['fitness_low']:.3g}, {evidence['fitness_high']:.3g}]"


def _lift(evidence: Mapping[str, Any]) -> str:
    if evidence["lift"] is None:
        return "-"
    return f"{evidence['lift']:+.3g} [{evidence['lift_low']:+.3g}, {evidence['lift_high']:+.3g}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _change(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{after - before:+.4g}"
