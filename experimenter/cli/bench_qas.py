"""`experimenter bench qas`: the circuit trainer's success over seeds and its gate counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import json_option, print_json
from experimenter.errors import UsageError


def qas(
    folder: Annotated[Path | None, typer.Option(help="Keeps each finished run, so that the bench can go on.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the H2 tasks, two seeds each (under a minute).")] = False,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Run only this task (repeatable).")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="At most this many seeds a task.")] = None,
    trainer: Annotated[str, typer.Option(help="qas or maskable_ppo.")] = "qas",
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Measure chemical accuracy over seeds and gate counts of what the trainer qas finds.

    Example:  experimenter bench qas --quick --json
    """
    from experimenter.bench import qas as bench

    if unknown := sorted(set(arm or ()) - set(bench.ARMS)):
        raise UsageError(f"unknown task {unknown[0]!r} of bench qas. Known: {', '.join(bench.ARMS)}.")
    measured = bench.measure(folder, quick=quick, arms=arm, seeds=seeds, trainer=trainer)
    if json:
        print_json({"bench": "qas", **measured})
        return
    typer.echo(bench.table(measured))
