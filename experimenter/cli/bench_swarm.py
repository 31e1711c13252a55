"""`experimenter bench swarm`: what the trainer `swarm` learns over seeds, and the ablation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import json_option, print_json
from experimenter.errors import UsageError


def swarm(
    folder: Annotated[Path | None, typer.Option(help="Keeps each finished run, so that the bench can go on.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One drone, a short training, one seed (half a minute).")
    ] = False,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Run only this way to train (repeatable).")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of every arm.")] = 3,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Measure success and collisions of drones after minutes of training, and an ablation at equal steps.

    Example:  experimenter bench swarm --quick --json
    """
    from experimenter.bench import swarm as bench

    known = bench.list_arms(quick=quick)
    if unknown := sorted(set(arm or ()) - set(known)):
        raise UsageError(f"unknown arm {unknown[0]!r} of bench swarm. Known: {', '.join(known)}.")
    measured = bench.measure(folder, quick=quick, arms=arm, seeds=range(seeds))
    if json:
        print_json({"bench": "swarm", **measured})
        return
    typer.echo(bench.table(measured))
