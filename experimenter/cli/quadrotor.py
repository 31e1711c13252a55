"""`experimenter env quadrotor ...`: the airframes that there are, and a check of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli.output import json_option, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Airframes of the quadrotor family: list them, check one of your own.")


@app.command()
def airframes(
    check: Annotated[
        Path | None, typer.Option(help="TOML file with an airframe's numbers, over those of its `base`.")
    ] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """List the airframes with their sources; with --check, test the numbers of one more before it is added.

    The file holds `base = "crazyflie-swarm"`, `name`, `source` and the numbers that differ, such as `mass_kg = 0.034`. A checked airframe is added
    by appending it to `AIRFRAMES` in `envs/quadrotor/airframes.py`; its position is the value of the task parameter `airframe`.

    Example:  experimenter env quadrotor airframes
    """
    from envs.quadrotor.airframes import AIRFRAMES

    frames = [read_airframe(check)] if check else list(AIRFRAMES)
    numbers = [None] if check else range(len(frames))
    facts = [airframe_facts(number, frame) for number, frame in zip(numbers, frames, strict=True)]
    if json:
        print_json({"airframes": facts})
        return
    for one in facts:
        print_table([one["name"], ""], [(name, _plain(value)) for name, value in one.items() if name != "name"])
        typer.echo("")
    if check:
        typer.echo("it can fly.")


def read_airframe(file: Path) -> Any:
    """The airframe of a TOML file; raises `UsageError` with one line for whatever cannot be."""
    from envs.quadrotor.airframes import AIRFRAMES, make_airframe
    from experimenter.config import read_toml
    from experimenter.errors import UsageError

    values = read_toml(file)
    base = str(values.pop("base", AIRFRAMES[0].name))
    try:
        return make_airframe(base, **values)
    except ValueError as error:
        raise UsageError(f"{file.name}: {error}") from error


def airframe_facts(number: int | None, frame: Any) -> dict[str, Any]:
    """The numbers of an airframe and what follows from them."""
    share = (1 / frame.thrust_to_weight) ** 0.5
    number_of = {} if number is None else {"number": number}
    derived = {"thrust_to_weight": frame.thrust_to_weight, "hover_rotor_speed": share}
    return {"name": frame.name, **number_of, **frame.model_dump(exclude={"name"}), **derived}


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{item:g}" for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
