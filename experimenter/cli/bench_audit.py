"""`experimenter bench audit`: how well planted reward exploits are told from honest rewards, and how to make new cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import json_option, print_json


def audit(
    cases: Annotated[
        Path | None, typer.Option(help="Folder of labelled cases to measure on, instead of those in tests/data/audit.")
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option(help="Train on planted rewards and write labelled cases here; goes on where it stopped."),
    ] = None,
    plants: Annotated[
        Path | None, typer.Option(help="File of planted rewards (TOML) for --make; its programs run unconfined.")
    ] = None,
    only: Annotated[str, typer.Option(help="With --make: only plants whose family/name holds this text.")] = "",
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Measure precision and recall of the reward audit on labelled training runs.

    Example:  experimenter bench audit --json
    Example:  experimenter bench audit --make cases --only CartPole
    """
    from experimenter.bench import audit as bench

    if make is not None:
        count = bench.make(make, plants, only)
        typer.echo(f"{count} labelled cases in {make}")
        cases = make
    measured = bench.measure(cases)
    if json:
        print_json({"bench": "audit", **measured})
        return
    typer.echo(bench.table(measured))
