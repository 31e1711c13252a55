"""`experimenter bench ...`: measure what we claim, against the peer in the same run."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer

from experimenter.cli.bench_audit import audit
from experimenter.cli.bench_dom import dom
from experimenter.cli.bench_fly import fly, quadrotor_peer
from experimenter.cli.bench_programs import reward_programs
from experimenter.cli.bench_qas import qas
from experimenter.cli.bench_rewards import rewards
from experimenter.cli.bench_swarm import swarm
from experimenter.cli.bench_web_model import web_model
from experimenter.cli.output import json_option, print_json

app = typer.Typer(
    no_args_is_help=True, help="Measure what docs/benchmarks.md claims, each against its peer in the same run."
)

_BENCHES: dict[str, tuple[str, str]] = {
    "walker": ("experimenter.bench.walker:measure", "walker env steps per CPU-second against Gymnasium's"),
    "trainers": ("experimenter.bench.trainers:measure", "our PPO's end-to-end steps per CPU-second against SB3's"),
    "learning": (
        "experimenter.bench.trainers:measure_learning",
        "return on stock BipedalWalker-v3 after 2.5M steps, 3 seeds (about 15 minutes)",
    ),
    "quadrotor": ("experimenter.bench.quadrotor:measure", "quadrotor agent-steps per CPU-second"),
    "quantum": ("experimenter.bench.quantum:measure", "quantum circuit simulation against its peers"),
    "quantum-baselines": (
        "experimenter.bench.quantum_baselines:measure",
        "circuit search by floor, random, greedy, ADAPT and qas at equal energy evaluations (a few minutes)",
    ),
    "web": ("experimenter.bench.web:measure", "web env steps per second in each browser that is installed"),
    "library": ("experimenter.bench.library:measure", "query time of a library of 10,000 skills"),
    "generation": ("experimenter.bench.generation:measure", "wall time of a generation of jobs beyond its training"),
    "rewards-overhead": ("experimenter.bench.rewards_overhead:measure", "cost of a reward program per env step"),
}


@app.command("list")
def list_() -> None:
    """List the benchmarks."""
    for name, (_, what) in _BENCHES.items():
        typer.echo(f"{name:18} {what}")
    typer.echo(f"{'audit':18} precision and recall of the reward audit on labelled runs (--make trains new ones)")
    typer.echo(
        f"{'fly':18} what the trainer fly learns: hover by rotor speeds, 4 seeds (about 3 CPU-minutes, or --quick)"
    )
    typer.echo(f"{'quadrotor-peer':18} quadrotor agent-steps against quad-swarm-rl's, where that is installed")
    typer.echo(f"{'qas':18} what the trainer qas finds: success over seeds, gate counts (about 20 minutes, or --quick)")
    typer.echo(f"{'swarm':18} what the trainer swarm learns, and an ablation (about 40 CPU-minutes, or --quick)")
    typer.echo(
        f"{'dom':18} what the trainer dom learns on web pages, judged in Chromium (an hour, or --tasks and --seeds)"
    )
    typer.echo(f"{'web-model':18} a language model as web agent, planner and judge of outcomes")
    typer.echo(f"{'reward-programs':18} reward programs of a file beside the native reward, without a search (minutes)")
    typer.echo(f"{'rewards':18} reward search against the hand-written rewards of twelve tasks (an hour, or a night)")


def _run(name: str, json: bool) -> None:
    target, _ = _BENCHES[name]
    module_name, _, function = target.partition(":")
    module: Any = import_module(module_name)
    result = getattr(module, function)()
    if json:
        print_json({"bench": name, **result})
        return
    typer.echo(module.table(result))


def _add(name: str, what: str) -> None:
    def command(json: Annotated[bool, json_option()] = False) -> None:
        _run(name, json)

    command.__doc__ = f"Measure {what}.\n\nExample:  experimenter bench {name} --json"
    app.command(name)(command)


for _name, (_, _what) in _BENCHES.items():
    _add(_name, _what)
app.command("audit")(audit)
app.command("reward-programs")(reward_programs)
app.command("rewards")(rewards)
app.command("fly")(fly)
app.command("quadrotor-peer")(quadrotor_peer)
app.command("qas")(qas)
app.command("swarm")(swarm)
app.command("dom")(dom)
app.command("web-model")(web_model)


@app.command("all")
def all_() -> None:
    """Run every benchmark but `rewards`, `reward-programs`, `qas`, `swarm`, `fly`, `quadrotor-peer`, `dom` and `web-model`, one after another.

    Example:  experimenter bench all
    """
    for name in _BENCHES:
        typer.echo(f"\n== {name}")
        _run(name, json=False)
