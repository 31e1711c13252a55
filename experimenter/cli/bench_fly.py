"""`experimenter bench fly` and `experimenter bench quadrotor-peer`: drones that learn rotor control, and drones against quad-swarm-rl."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import json_option, print_json


def fly(
    folder: Annotated[Path | None, typer.Option(help="Keeps each finished run, so that the bench can go on.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One seed, too short to learn (some seconds).")] = False,
    seed: Annotated[list[int] | None, typer.Option("--seed", min=0, help="Train this seed (repeatable).")] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Measure how many drones survive 5 s from tilts up to 90 degrees after a short training on rotor speeds.

    Example:  experimenter bench fly --quick --json
    """
    from experimenter.bench import fly as bench

    measured = bench.measure(folder, quick=quick, seeds=tuple(seed or bench.SEEDS))
    if json:
        print_json({"bench": "fly", **measured})
        return
    typer.echo(bench.table(measured))


def quadrotor_peer(
    python: Annotated[
        str | None,
        typer.Option(help="Interpreter that has quad-swarm-rl; else the variable QUAD_SWARM_PYTHON, else our own."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="CPU-seconds for each side.")] = 20.0,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Measure agent-steps per CPU-second of our drones against quad-swarm-rl's, at 8 and 32 drones, in one run.

    Example:  experimenter bench quadrotor-peer --python ~/quad-swarm/bin/python --json
    """
    from experimenter.bench import quadrotor_peer as bench

    measured = bench.measure(python, seconds)
    if json:
        print_json({"bench": "quadrotor-peer", **measured})
        return
    typer.echo(bench.table(measured))
