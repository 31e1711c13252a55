"""`experimenter`: the command tree and the one place where an error becomes one line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

import experimenter
from experimenter.cli import bench, doctor, env, model, report, reward, run, session, skill

app = typer.Typer(
    name="experimenter",
    help="An autonomous RL experimenter: a goal in plain words in, certified skills with evidence out.\n\n"
    'Start with:  experimenter run "teach the walker to walk"\n\nThen:  experimenter skill list   |   experimenter report',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(run.run)
app.add_typer(session.app, name="session")
app.add_typer(skill.app, name="skill")
app.add_typer(reward.app, name="reward")
app.add_typer(env.app, name="env")
app.add_typer(model.app, name="model")
app.add_typer(bench.app, name="bench")
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"experimenter {experimenter.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """An autonomous RL experimenter: a goal in plain words in, certified skills with evidence out."""
    # Third-party telemetry and network look-ups stay off, whatever is imported later.
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        os.environ[name] = "false"
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def main() -> None:
    """Run the command line; domain errors become one line on standard error and their exit code."""
    from experimenter.cli.output import explain

    try:
        app()
    except KeyboardInterrupt:
        typer.echo("interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # the outermost boundary: every error ends as one line and an exit code
        line, code = explain(error)
        typer.echo(f"error: {line}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
