"""`experimenter bench web-model`: a language model as web agent on real pages, its plans, its judgements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experimenter.cli.output import home_option, json_option, print_json

_HELP = """Measure a model acting on web pages, with the policy's observation, actions and budget of steps.

Ways: agent (the model chooses every action), plan (it writes a plan, the rule grounder finds the elements), rule (the same without a
model), grounder (the rule grounder on the steps of oracles), judge (YES or NO on solved and failed episodes).

Examples:

    experimenter bench web-model --tasks click-test,click-button,enter-text --model embedded/qwen2.5-coder-1.5b --episodes 5

    experimenter bench web-model --ways agent,plan,rule --demonstrations demos.jsonl --record answers.jsonl

    experimenter bench web-model --answers answers.jsonl --json

    experimenter bench web-model --ways rule,grounder
"""


def web_model(
    tasks: Annotated[str | None, typer.Option(help="Tasks by name, joined by commas.")] = None,
    episodes: Annotated[int, typer.Option(help="Held-out pages a task.")] = 10,
    ways: Annotated[str, typer.Option(help="What is measured: agent, plan, rule, grounder, judge.")] = "agent,rule",
    model: Annotated[str | None, typer.Option(help="The model, as in `experimenter run`.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL of an OpenAI-compatible server.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Replay recorded answers instead of asking a model.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write the model's answers to this file, for --answers.")] = None,
    demonstrations: Annotated[
        Path | None, typer.Option(help="Append solved episodes, each played again first, to this file.")
    ] = None,
    browser: Annotated[str, typer.Option(help="Browser: chromium, lightpanda, auto or trusted.")] = "chromium",
    policy: Annotated[
        Path | None, typer.Option(help="With the way grounder: folder of a trained policy, measured as grounder too.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Most tokens that may be spent.")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    from experimenter.bench.web_model import TASKS, Options, measure, table
    from experimenter.config import resolve_home
    from experimenter.errors import UsageError

    if answers is not None and not answers.is_file():
        raise UsageError(f"there is no file {answers}: --answers takes what --record wrote.")
    options = Options(
        tasks=tuple(name.strip() for name in tasks.split(",") if name.strip()) if tasks else TASKS,
        episodes=episodes,
        ways=tuple(name.strip() for name in ways.split(",") if name.strip()),
        browser=browser,
        model=model,
        base_url=base_url,
        answers=answers,
        record=record,
        demonstrations=demonstrations,
        tokens=tokens,
        policy=policy,
    )
    measured = measure(options, resolve_home(home), lambda text: typer.echo(text, err=True))
    if json:
        print_json({"bench": "web-model", **measured})
        return
    typer.echo(table(measured))


web_model.__doc__ = _HELP
