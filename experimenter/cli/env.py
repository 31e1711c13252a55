"""`experimenter env ...`: list and show environment families."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli import quadrotor, quantum, web
from experimenter.cli.output import home_option, json_option, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Look at the environment families.")
app.add_typer(quantum.app, name="quantum")
app.add_typer(quadrotor.app, name="quadrotor")


@app.command("list")
def list_(json: Annotated[bool, json_option()] = False) -> None:
    """List the families, and the gym environments that have hand-checked cards.

    Example:  experimenter env list
    """
    from envs.catalog import get_family, list_carded

    cards = [get_family(name).card() for name in list_carded()]
    if json:
        print_json(
            {
                "families": [
                    {"name": card.family, "title": card.title, "params": [p.name for p in card.params]}
                    for card in cards
                ]
            }
        )
        return
    print_table(
        ["family", "what", "task parameters"],
        [(card.family, card.title, ", ".join(p.name for p in card.params) or "-") for card in cards],
    )
    typer.echo("\nAny other registered Gymnasium id works as gym:<id>, with a card made from its docstring and spaces.")


@app.command()
def show(
    family: Annotated[str, typer.Argument(help="Family, such as walker or gym:CartPole-v1.")],
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Show a family's card: what a model is told about it, and nothing else.

    Example:  experimenter env show walker
    """
    from envs.catalog import get_family
    from experimenter.errors import EnvironmentNotReady, UsageError

    try:
        card = get_family(family).card()
    except ValueError as error:
        raise UsageError(str(error)) from error
    except ImportError as error:
        raise EnvironmentNotReady(str(error)) from error
    problems = {"problems": quantum.list_rows(home)} if card.family == "quantum" else {}
    tasks = {"tasks": web.web_tasks()} if card.family == "web" else {}
    if json:
        print_json({**dataclasses.asdict(card), **problems, **tasks})
        return
    typer.echo(f"# {card.title} ({card.family})\n\n{card.text.strip()}\n")
    typer.echo(f"Fitness: {card.fitness}\nSuccess: {card.success}\nHorizon: {card.horizon} control steps\n")
    _variables("state", card.state)
    _variables("action", card.actions)
    print_table(
        ["task parameter", "range", "default", "unit", "meaning"],
        [(p.name, f"{p.low:g} to {p.high:g}", f"{p.default:g}", p.unit, p.meaning) for p in card.params],
        empty="no task parameters.",
    )
    if problems:
        typer.echo("")
        quantum.print_problems(problems["problems"])
    if tasks:
        typer.echo("")
        web.print_tasks(tasks["tasks"])


def _variables(head: str, variables: Any) -> None:
    rows = [
        (v.name, "x".join(map(str, v.shape)) or "1", f"{v.low:g} to {v.high:g}", v.unit, v.meaning) for v in variables
    ]
    print_table([head, "shape", "range", "unit", "meaning"], rows)
    typer.echo("")
