"""`experimenter report`: write a session's report again and say where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import home_option, json_option, print_json


def report(
    session: Annotated[
        str | None, typer.Argument(help="Session id or a unique beginning; the newest when left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Write one self-contained HTML page about a session.

    Example:  experimenter report 3f2a --out walker.html
    """
    from experimenter.cli.opened import reading_store
    from experimenter.config import resolve_home
    from experimenter.errors import UsageError
    from experimenter.reports.page import write_report
    from memory.queries import get_session, list_sessions

    with reading_store(home) as (store, reading):
        rows = [get_session(reading, session)] if session else list_sessions(reading, limit=1)
        if not rows:
            raise UsageError('there is no session to report on: start one with experimenter run "balance the pole".')
        path = write_report(store, resolve_home(home), rows[0].id, out)
    if json:
        print_json({"session": rows[0].id, "report": str(path)})
        return
    typer.echo(f"report: {path}")
