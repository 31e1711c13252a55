"""`experimenter skill ...`: query the library, play and export what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experimenter.cli.output import count, home_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from skills.skill import Skill

app = typer.Typer(no_args_is_help=True, help="Search, show, play and export certified skills.")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What the skill should do, in plain words.")],
    env: Annotated[str | None, typer.Option("--env", help="Only this family.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", help="Must be able at NAME=VALUE (repeatable).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most matches.")] = 5,
    min_success: Annotated[float | None, typer.Option(help="Lowest success rate, by the interval's lower end.")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Find skills by meaning and by measured ability.

    Example:  experimenter skill search "walk over low obstacles" --param stump_height=0.5
    """
    from experimenter.cli.opened import open_library
    from experimenter.cli.run import pairs

    wanted = {name: float(value) for name, value in (pairs(param, "--param") or {}).items()}
    with open_library(home) as library:
        matches = library.find(text, family=env, limit=limit, min_success=min_success, able_for=wanted or None)
    if json:
        print_json(
            {
                "query": text,
                "matches": [
                    {**_facts(m.skill), "meaning": m.meaning, "ability": m.ability, "score": m.score} for m in matches
                ],
            }
        )
        return
    rows = [
        (m.skill.id, m.skill.label, _rate(m.skill), f"{m.meaning:.2f}", f"{m.ability:.2f}", m.skill.description[:60])
        for m in matches
    ]
    print_table(["skill", "name", "success", "meaning", "ability", "what it does"], rows, empty="no skill matches.")


@app.command("list")
def list_(
    env: Annotated[str | None, typer.Option("--env", help="Only this family.")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """List certified skills, newest first.

    Example:  experimenter skill list --env walker
    """
    from experimenter.cli.opened import open_library

    with open_library(home) as library:
        skills = library.list_skills(family=env)
    if json:
        print_json({"skills": [_facts(skill) for skill in skills]})
        return
    rows = [
        (s.id, s.label, s.family, _rate(s), f"{s.fitness_iqm:.3g}", f"{s.native_return_mean:.4g}", s.description[:50])
        for s in skills
    ]
    print_table(
        ["skill", "name", "family", "success", "fitness", "native return", "what it does"],
        rows,
        empty="no skill yet: train one with experimenter run.",
    )


@app.command()
def show(
    skill: Annotated[str, typer.Argument(help="Skill id, name, or a unique beginning.")],
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Show a skill: what it does, its evidence, the region where it holds, and where it came from.

    Example:  experimenter skill show walker
    """
    from envs.catalog import get_family
    from experimenter.cli.opened import open_library
    from experimenter.reports.training import training_words

    with open_library(home) as library:
        found = library.get(skill)
    if json:
        print_json(
            {**_facts(found), "evidence": found.evidence, "reward": found.reward, "provenance": found.provenance}
        )
        return
    typer.echo(f"{found.label} ({found.id}), {found.state}\n{found.description}\n")
    rows = [
        ("family", found.family),
        (
            "task",
            ", ".join(f"{name}={value}" for name, value in sorted(found.params.items())) or "the family's one task",
        ),
        (
            "holds for",
            ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in sorted(found.region.items()))
            or "its own task",
        ),
        ("success", f"{_rate(found)} over {found.episodes} held-out episodes"),
        ("fitness IQM", f"{found.fitness_iqm:.4g} [{found.fitness_low:.4g}, {found.fitness_high:.4g}]"),
        ("native return", f"{found.native_return_mean:.4g} (mean)"),
        ("env steps", count(float(found.provenance.get("env_steps", 0)))),
        ("trained with", training_words(found.provenance, get_family(found.family).card())),
        ("reward", str(found.provenance.get("reward_arm", "-"))),
        ("session", str(found.provenance.get("session", "-"))),
    ]
    print_table(["", ""], rows)


@app.command()
def play(
    skill: Annotated[str, typer.Argument(help="Skill id, name, or a unique beginning.")],
    episodes: Annotated[int, typer.Option(min=1, max=1000, help="Episodes to play, on new worlds.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first world.")] = 3_000_000,
    out: Annotated[Path | None, typer.Option(help="Write the first episode as an animated WebP here.")] = None,
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Play a skill and say how each episode went.

    Example:  experimenter skill play walker --episodes 3 --out walk.webp
    """
    from envs.catalog import get_family
    from envs.task import TaskSpec
    from experimenter.cli.opened import open_library
    from experimenter.evaluation.rollout import evaluate, record_rollout
    from experimenter.evaluation.video import write_animation
    from skills.artifact import read_policy
    from skills.circuit_export import circuit_files

    with open_library(home) as library:
        found = library.get(skill)
        policy = library.load_policy(found)
        spec, _ = read_policy(library.artifact_folder(found))
    circuit = circuit_files(spec)
    task = TaskSpec.model_validate(found.task)
    family = get_family(task.family)
    done = evaluate(family, task, policy, range(seed, seed + episodes))
    if out is not None:
        write_animation(out, record_rollout(family, task, policy, seed).frames)
    if json:
        told = {"circuit": {**spec, "openqasm": circuit["circuit.qasm"]}} if circuit else {}
        print_json({"skill": found.id, "film": str(out) if out else None, **done.model_dump(mode="json"), **told})
        return
    if circuit:
        typer.echo(circuit["circuit.txt"])
    rows = zip(done.seeds, done.fitness, done.success, done.native_return, done.length, strict=True)
    print_table(
        ["world", "fitness", "success", "native return", "steps"],
        [(s, f"{f:.3f}", "yes" if ok else "no", f"{r:.1f}", n) for s, f, ok, r, n in rows],
    )
    typer.echo(f"\nsuccess {sum(done.success)} of {episodes}" + (f"; film: {out}" if out else ""))


@app.command()
def export(
    skill: Annotated[str, typer.Argument(help="Skill id, name, or a unique beginning.")],
    out: Annotated[Path, typer.Argument(help="Folder, .zip file or network file to write.")],
    form: Annotated[
        str, typer.Option("--format", help="folder (or .zip), onnx, or c for a plain C function.")
    ] = "folder",
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Write a skill as a self-contained folder or .zip: weights, card, reward, evidence, and how to play it.

    `--format onnx` and `--format c` write the network alone, for other runtimes and for microcontrollers.

    Example:  experimenter skill export walker walker.zip
    """
    from experimenter.cli.opened import open_library

    with open_library(home) as library:
        found = library.get(skill)
        path = library.export(found, out) if form == "folder" else library.export_network(found, out, form)
    if json:
        print_json({"skill": found.id, "path": str(path)})
        return
    typer.echo(f"exported {found.label} to {path}")


@app.command()
def revoke(
    skill: Annotated[str, typer.Argument(help="Skill id, name, or a unique beginning.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "revoked by hand",
    home: Annotated[Path | None, home_option()] = None,
) -> None:
    """Take a certificate back: the skill stays on record but is no longer found or used.

    Example:  experimenter skill revoke walker@1
    """
    from experimenter.cli.opened import open_library

    with open_library(home) as library:
        found = library.get(skill)
        library.revoke(found, reason)
    typer.echo(f"revoked {found.label} ({found.id}).")


def _rate(skill: Skill) -> str:
    return f"{skill.success_rate:.2f} [{skill.success_low:.2f}, {skill.success_high:.2f}]"


def _facts(skill: Skill) -> dict[str, Any]:
    names = (
        "id name version description family task region episodes successes success_rate success_low success_high "
        "fitness_iqm fitness_low fitness_high native_return_mean artifact artifact_digest state"
    )
    return {**{name: getattr(skill, name) for name in names.split()}, "created_at": skill.created_at.isoformat()}
