"""`experimenter run GOAL`: a goal in, a session in the foreground with live progress."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli.output import home_option, json_option

_EXAMPLES = """Pursue GOAL until a skill is certified or the budget is spent.

Examples:

    experimenter run "teach the walker to walk"

    experimenter run "balance the pole" --env gym:CartPole-v1 --budget 3m

    experimenter run "cross stumps up to its knees" --env walker --param stump_height=1.0 --budget 2h

    experimenter run "learn to land softly" --env gym:LunarLanderContinuous-v3 --model openai/my-model --base-url http://127.0.0.1:8000/v1

    experimenter run "buy a red cotton shirt in the shop" --set demonstrations=oracle:150 --model none

    experimenter run "walk" --env walker --feedback "less energy, keep the hull level" --fitness effort=-0.1 --ask

Ctrl-C stops at the next boundary and says how to resume; after a kill, `experimenter session resume` goes on. With --ask the session
pauses between generations of reward programs; `experimenter session answer` or `session resume` goes on.

Exit codes: 0 a skill is certified, 10 none met the admission test, 11 stopped and can be resumed, 12 waits for your answer.
"""


def run(
    goal: Annotated[str, typer.Argument(help="What to learn, in plain words.", show_default=False)],
    env: Annotated[
        str | None, typer.Option("--env", help="Environment family, such as walker or gym:CartPole-v1.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option("--param", help="Task parameter NAME=VALUE (repeatable).")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Such as 20m, 1h30m, '2M steps', '100k tokens', '$2'; commas join.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model, such as openai/NAME, embedded/qwen2.5-coder-1.5b, none.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL of an OpenAI-compatible server.")] = None,
    candidates: Annotated[int | None, typer.Option(help="Reward programs a generation (0: baselines only).")] = None,
    generations: Annotated[int | None, typer.Option(help="Most generations of reward programs a task.")] = None,
    islands: Annotated[int | None, typer.Option(help="Populations of reward programs that are bred apart.")] = None,
    migrate_every: Annotated[
        int | None, typer.Option(help="Generations between visits of the islands' best to the next one (0: never).")
    ] = None,
    from_native: Annotated[
        bool, typer.Option("--from-native", help="Let the search begin from the environment's own reward, in words.")
    ] = False,
    exhaust: Annotated[
        bool, typer.Option("--exhaust", help="Go through all generations even when a skill could be certified before.")
    ] = False,
    no_overlap: Annotated[
        bool, typer.Option("--no-overlap", help="Do not write rewards while training runs: one step after the other.")
    ] = False,
    audit_screens: Annotated[
        bool, typer.Option("--audit-screens", help="Train what a screen refuses too, to learn how often it is wrong.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="Training seeds in the last rung of a race.")] = None,
    steps: Annotated[int | None, typer.Option(help="Env steps of the last rung, for each seed.")] = None,
    trainer: Annotated[
        str | None, typer.Option(help="ppo, swarm, fly, sb3, ...; default: the one made for the family.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Trainer setting NAME=VALUE (repeatable).")] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="fixed, uniform, ladder, widen, alp_gmm, ...; default: widen from an easy start where the family knows one, else fixed."
        ),
    ] = None,
    teacher_set: Annotated[
        list[str] | None,
        typer.Option("--teacher-set", help="Teacher setting NAME=VALUE, such as start=density=0.2 (repeatable)."),
    ] = None,
    executor: Annotated[str | None, typer.Option(help="local, inline or ray.")] = None,
    workers: Annotated[int | None, typer.Option(help="Training processes side by side (default: cores).")] = None,
    seed: Annotated[int | None, typer.Option(help="Base seed.")] = None,
    success: Annotated[float | None, typer.Option(help="Success rate that the certificate must show, 0 to 1.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train even when a certified skill already does it.")] = False,
    feedback: Annotated[
        str | None, typer.Option(help="What to mind in rewards, in words; never changes the fitness.")
    ] = None,
    fitness: Annotated[
        list[str] | None,
        typer.Option("--fitness", help="Count a further measure in the fitness: NAME=WEIGHT (repeatable)."),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Pause between generations and wait for your answer.")] = False,
    allow_unconfined: Annotated[
        bool, typer.Option("--allow-unconfined", help="Run generated code without confinement.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file with the same settings.")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    from experimenter.cli.launch import launch_new
    from experimenter.config import SessionConfig

    flags: dict[str, Any] = {
        "family": env,
        "params": pairs(param, "--param"),
        "budget": budget,
        "model": model,
        "base_url": base_url,
        "candidates": candidates,
        "generations": generations,
        "islands": islands,
        "migrate_every": migrate_every,
        "from_native": from_native or None,
        "exhaust": exhaust or None,
        "overlap": False if no_overlap else None,
        "audit_screens": audit_screens or None,
        "seeds": seeds,
        "final_steps": steps,
        "trainer": trainer,
        "trainer_settings": pairs(set_, "--set"),
        "teacher": teacher,
        "teacher_settings": pairs(teacher_set, "--teacher-set"),
        "executor": executor,
        "workers": workers,
        "seed": seed,
        "min_success_rate": success,
        "fresh": fresh or None,
        "feedback": " ".join(feedback.split()) if feedback else None,
        "fitness_weights": pairs(fitness, "--fitness"),
        "ask": ask or None,
        "allow_unconfined": allow_unconfined or None,
    }
    raise typer.Exit(launch_new(goal, SessionConfig.resolve(flags, config), home, as_json=json))


run.__doc__ = _EXAMPLES


def pairs(items: list[str] | None, flag: str) -> dict[str, Any] | None:
    """Read NAME=VALUE items; numbers and true/false are typed."""
    from experimenter.errors import UsageError

    if not items:
        return None
    found: dict[str, Any] = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"{flag} {item!r} is not NAME=VALUE, such as {flag} stump_height=1.0.")
        found[name.strip()] = _typed(value.strip())
    return found


def _typed(value: str) -> Any:
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
