"""`experimenter bench dom`: what the trainer `dom` learns on web pages, judged in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import json_option, print_json


def dom(
    tasks: Annotated[
        str, typer.Option(help="Tasks, joined by commas; empty: those that the documentation claims.")
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of every task.")] = 3,
    steps: Annotated[int, typer.Option(min=0, help="Env steps of every training; 0: each task's own.")] = 0,
    prior: Annotated[
        float,
        typer.Option(min=0.0, help="How much the untrained policy prefers what the instruction names; 0: not at all."),
    ] = 1.0,
    pages: Annotated[int, typer.Option(min=1, help="Held-out pages of every judgement.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, max=2, help="Trainings side by side.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keeps each finished seed, so that the bench can go on.")] = None,
    multi: Annotated[
        bool, typer.Option(help="One policy for many tasks instead; --tasks names those that it is trained on.")
    ] = False,
    exam: Annotated[
        bool, typer.Option(help="With --multi: judge in the full Chromium with trusted input, not where it is trained.")
    ] = False,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Measure steps to 95 %, then greedy and sampled success on held-out pages in Chromium, task by task.

    Example:  experimenter bench dom --tasks click-button --seeds 1 --json
    """
    import platformdirs

    from experimenter.bench import dom as bench

    place = out or Path(platformdirs.user_cache_dir("rl-experimenter")) / "bench" / "dom"
    named = [task.strip() for task in tasks.split(",") if task.strip()]
    if multi:
        from experimenter.bench import dom_multi

        together = dom_multi.measure(dom_multi.make_course(named, steps), range(seeds), place, pages=pages, exam=exam)
        if json:
            print_json({"bench": "dom-multi", **together})
        else:
            typer.echo(dom_multi.table(together))
        return
    courses = bench.list_courses(named, steps, prior)
    measured = bench.measure(courses, range(seeds), place, pages=pages, jobs=jobs)
    if json:
        print_json({"bench": "dom", **measured})
        return
    typer.echo(bench.table(measured))
