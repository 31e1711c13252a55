"""`experimenter bench rewards`: reward search against the hand-written rewards of twelve tasks, at equal env steps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import home_option, json_option

_HELP = """Measure reward search against native, sparse, one-shot and best-of-K rewards on twelve tasks, at equal env steps.

Each task is searched by one ordinary session; then every arm is retrained on fresh seeds and played on unseen worlds.
A run that was stopped or killed goes on with the same command. Every file of it lies in one folder (--out).

Examples:

    experimenter bench rewards --quick --model openai/my-model --base-url http://127.0.0.1:8000/v1 --record answers.jsonl

    experimenter bench rewards --quick --answers answers.jsonl

    experimenter bench rewards --full --tasks lander,acrobot

    experimenter bench rewards --quick --model none
"""


def rewards(
    tasks: Annotated[str | None, typer.Option(help="Tasks by name, joined by commas (default: all twelve).")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short budgets, 3 seeds (the default).")] = False,
    full: Annotated[bool, typer.Option("--full", help="Budgets of the known levels, 5 seeds: a night.")] = False,
    model: Annotated[str | None, typer.Option(help="Model that writes the rewards, as in `experimenter run`.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL of an OpenAI-compatible server.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Replay recorded answers instead of asking a model.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write the model's answers to this file, for --answers.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Fresh training seeds of every arm.")] = None,
    candidates: Annotated[
        int | None, typer.Option(help="K: reward programs a generation (quick: 3, 6 where a training takes seconds).")
    ] = None,
    generations: Annotated[int | None, typer.Option(help="G: generations of a search.")] = None,
    from_native: Annotated[
        bool, typer.Option("--from-native", help="Searches begin from the environment's own reward.")
    ] = False,
    audit_screens: Annotated[
        bool, typer.Option("--audit-screens", help="Let programs race that a screen would refuse, to judge the screen.")
    ] = False,
    steps_scale: Annotated[float | None, typer.Option(help="Factor on every step budget, for a trial run.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Training processes side by side, about (default: cores).")
    ] = None,
    lanes: Annotated[
        int | None,
        typer.Option(min=1, help="Tasks at the same time (default: 3, with the embedded model 1)."),
    ] = None,
    allow_unconfined: Annotated[
        bool, typer.Option("--allow-unconfined", help="Run generated code without confinement.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of this run (default: below the home, by mode and model).")
    ] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    from experimenter.bench.rewards import make_options, measure, table
    from experimenter.bench.rewards.options import choose_tasks
    from experimenter.cli.output import print_json
    from experimenter.config import resolve_home
    from experimenter.errors import UsageError

    if quick and full:
        raise UsageError("--quick and --full exclude each other: give one of them.")
    if answers is not None and not answers.is_file():
        raise UsageError(f"there is no file {answers}: --answers takes what --record wrote.")
    options = make_options(
        "full" if full else "quick",
        model=model,
        base_url=base_url,
        answers=str(answers.resolve()) if answers else None,
        seeds=seeds,
        candidates=candidates,
        generations=generations,
        steps_scale=steps_scale,
        from_native=from_native or None,
        audit_screens=audit_screens or None,
        allow_unconfined=allow_unconfined or None,
    )
    chosen, house = choose_tasks(tasks), resolve_home(home)
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"rewards-{options.mode}-{options.model_name}").strip("-")
    result = measure(
        options,
        chosen,
        (out or house / "benches" / name).expanduser().resolve(),
        workers=workers,
        lanes=lanes,
        record=record.expanduser().resolve() if record else None,
        models=house / "models",
        say=lambda text: typer.echo(text, err=True),
    )
    if json:
        print_json(result)
        return
    typer.echo(table(result))


rewards.__doc__ = _HELP
