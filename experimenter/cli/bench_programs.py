"""`experimenter bench reward-programs`: reward programs of a file, trained beside the native reward on the tasks of `bench rewards`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import home_option, json_option, print_json

_HELP = """Train reward programs of a file on fresh seeds beside the native reward, at equal env steps; no model, no search.

FILE is TOML with tables [[program]]: name, tasks (of `bench rewards`), code. Without FILE: the programs behind what the reward
writer is told about forms (products without a penalty for falling, heavy tails, looking ahead). Finished runs are found again.

Examples:

    experimenter bench reward-programs --tasks hopper,walker2d

    experimenter bench reward-programs mine.toml --seeds 8 --json
"""


def reward_programs(
    file: Annotated[Path | None, typer.Argument(help="TOML file of programs (default: the shipped forms).")] = None,
    tasks: Annotated[str | None, typer.Option(help="Tasks by name, joined by commas (default: all of FILE).")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Training seeds of every program.")] = 4,
    steps_scale: Annotated[float, typer.Option(help="Factor on every step budget, for a trial run.")] = 1.0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Training processes side by side (default: cores).")
    ] = None,
    allow_unconfined: Annotated[
        bool, typer.Option("--allow-unconfined", help="Run the programs without confinement.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of this run (default: below the home).")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    from experimenter.bench.reward_programs import FORMS, measure, table
    from experimenter.config import resolve_home

    result = measure(
        file or FORMS,
        (out or resolve_home(home) / "benches" / "reward-programs").expanduser().resolve(),
        tasks=[name.strip() for name in tasks.split(",") if name.strip()] if tasks else (),
        seeds=seeds,
        steps_scale=steps_scale,
        workers=workers,
        allow_unconfined=allow_unconfined,
        say=lambda text: typer.echo(text, err=True),
    )
    if json:
        print_json({"bench": "reward-programs", **result})
        return
    typer.echo(table(result))


reward_programs.__doc__ = _HELP
