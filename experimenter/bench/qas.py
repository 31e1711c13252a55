"""What the trainer `qas` finds: chemical accuracy over seeds, and how short the circuits are, against the targets we set.

Every run trains through the `Trainer` contract on one task, saves the circuit, reads it back from its artifact and plays
it in held-out worlds. Each (task, seed) is stored as soon as it is done, so that a bench that was stopped goes on. Seconds
are CPU seconds of this process, compiling not counted. Targets: the shortest circuits known to us before this trainer.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.catalog import get_family
from envs.quantum.problems import PROBLEMS
from envs.task import ParamValue
from experimenter import registry
from experimenter.evaluation.rollout import evaluate
from experimenter.evaluation.seeds import race_seeds
from experimenter.trainers.base import Command, Problem, TrainBudget, Trainer
from skills.artifact import load_policy, save_policy

EPISODES = 20


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One task of the bench."""

    problem: str
    bond_length: float
    steps: int
    seeds: int
    target: int | None
    """Gates of the shortest circuit known before."""
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    settings: Mapping[str, ParamValue] = field(default_factory=dict)


_NOISE: Mapping[str, ParamValue] = {"noise_level": 0.001, "noise_ratio": 5.0}
_LONG: Mapping[str, ParamValue] = {"max_gates": 70}
ARMS: Mapping[str, Arm] = {
    "h2-2": Arm(problem="h2-2", bond_length=0.7414, steps=2000, seeds=10, target=2),
    "h2-3": Arm(problem="h2-3", bond_length=0.7414, steps=3000, seeds=10, target=4),
    "h2-4": Arm(problem="h2-4", bond_length=0.7, steps=4000, seeds=10, target=5),
    "lih-4 at 1.2": Arm(problem="lih-4", bond_length=1.2, steps=8000, seeds=3, target=9),
    "lih-4 at 2.2": Arm(problem="lih-4", bond_length=2.2, steps=8000, seeds=10, target=9),
    "lih-4 at 3.4": Arm(problem="lih-4", bond_length=3.4, steps=10_000, seeds=5, target=12),
    "lih-4 at 3.4, depolarising": Arm(
        problem="lih-4", bond_length=3.4, steps=3000, seeds=1, target=12, params=_NOISE,
    ),
    "lih-6 at 2.2": Arm(
        problem="lih-6", bond_length=2.2, steps=15_000, seeds=5, target=19, params=_LONG,
        settings={"search_evaluations": 1_500_000},
    ),
    "h2o-8 as published": Arm(
        problem="h2o-8-paper", bond_length=1.0, steps=3000, seeds=2, target=8, params={"max_gates": 60},
        settings={"search_evaluations": 400_000, "prune_every": 3000},
    ),
}  # fmt: skip


def measure(
    folder: Path | None = None,
    *,
    quick: bool = False,
    arms: Sequence[str] | None = None,
    seeds: int | None = None,
    trainer: str = "qas",
) -> dict[str, Any]:
    """Run the arms (all, or the named ones); finished (arm, seed) pairs in `folder` are read, not run again.

    `quick` takes the three H2 arms with two seeds. `seeds` caps the seeds of each arm.
    """
    chosen = list(arms or (list(ARMS)[:3] if quick else ARMS))
    most = seeds if seeds is not None else (2 if quick else 100)
    with tempfile.TemporaryDirectory() as spare:
        kept = folder or Path(spare)
        kept.mkdir(parents=True, exist_ok=True)
        rows = {
            name: [_run_once(kept, name, seed, trainer) for seed in range(min(ARMS[name].seeds, most))]
            for name in chosen
        }
    return {
        "trainer": trainer,
        "episodes": EPISODES,
        "arms": {name: {"target": ARMS[name].target, "summary": _summary(runs), "runs": runs} for name, runs in rows.items()},
    }  # fmt: skip


def table(measured: Mapping[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    head = f"{'task':<28}{'accurate':>10}{'gates':>7}{'median':>8}{'known':>7}{'CNOT':>6}{'error mHa':>11}{'played':>8}"
    lines = [head + f"{'evaluations':>13}{'CPU-s':>8}"]
    for name, arm in measured["arms"].items():
        s = arm["summary"]
        accurate = f"{s['accurate']}/{s['seeds']}"
        gates = "-" if s["gates"] is None else f"{s['gates']}"
        median = "-" if s["median_gates"] is None else f"{s['median_gates']:g}"
        lines.append(
            f"{name:<28}{accurate:>10}{gates:>7}{median:>8}{arm['target'] or '-':>7}{s['two_qubit_gates'] or '-':>6}"
            f"{s['error_mha']:>11.3f}{s['played']:>8.2f}{s['evaluations']:>13,.0f}{s['cpu_s']:>8.1f}"
        )
    return "\n".join(
        [
            *lines,
            f"gates, CNOT, error: the shortest accurate circuit of all seeds; median over accurate seeds; played: success rate of "
            f"{measured['episodes']} held-out episodes a seed; evaluations and CPU-s: mean a seed.",
        ]
    )


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    accurate = sorted((run for run in runs if run["accurate"]), key=lambda run: (run["gates"], run["error"]))
    best = accurate[0] if accurate else min(runs, key=lambda run: abs(run["error"]))
    return {
        "seeds": len(runs),
        "accurate": len(accurate),
        "gates": best["gates"] if accurate else None,
        "median_gates": accurate[(len(accurate) - 1) // 2]["gates"] if accurate else None,
        "two_qubit_gates": best["two_qubit_gates"] if accurate else None,
        "error_mha": 1e3 * best["error"],
        "played": sum(run["success_rate"] for run in runs) / len(runs),
        "evaluations": sum(run["evaluations"] for run in runs) / len(runs),
        "cpu_s": sum(run["cpu_s"] for run in runs) / len(runs),
    }


def _run_once(folder: Path, name: str, seed: int, trainer: str) -> dict[str, Any]:
    """One training, from its stored file where there is one."""
    arm = ARMS[name]
    identity = {"arm": name, "seed": seed, "trainer": trainer, "steps": arm.steps, "settings": dict(arm.settings)}
    path = folder / f"{trainer}-{name.replace(' ', '_').replace(',', '')}-{seed}.json"
    if path.is_file():
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if {key: stored.get(key) for key in identity} == identity:
            return stored
    row = {**identity, **_train(arm, seed, trainer)}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return row


def _train(arm: Arm, seed: int, name: str) -> dict[str, Any]:
    family = get_family("quantum")
    given: dict[str, ParamValue] = {
        "problem": PROBLEMS.index(arm.problem),
        "bond_length": arm.bond_length,
        **arm.params,
    }
    task = family.resolve_task(given, horizon=int(arm.params.get("max_gates", 40)))
    probe = family.make_vec(task, 1)
    probe.reset(0)
    probe.step(probe.action_masks().argmax(axis=1))  # type: ignore[attr-defined]  # compiles: not counted
    trainer: Trainer = registry.load("trainers", name)()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        problem = Problem(
            make_vec=lambda n: family.make_vec(task, n),
            observation_space=probe.observation_space,
            action_space=probe.action_space,
            folder=Path(work),
            family="quantum",
            settings=arm.settings,
            task=task,
        )
        budget = TrainBudget(steps=arm.steps, schedule_steps=arm.steps)
        policy = trainer.train(problem, budget, seed, lambda progress: Command.CONTINUE)
        cpu_s = time.process_time() - started
        save_policy(Path(work) / "policy", policy.spec, policy.tensors)
        played = evaluate(family, task, load_policy(Path(work) / "policy"), race_seeds(EPISODES))
    spec = policy.spec
    return {
        "accurate": bool(spec["is_accurate"]),
        **{key: spec[key] for key in ("error", "energy", "noisy_energy", "exact", "floor", "sector", "search")},
        **spec["counts"],
        "circuit": spec["gates"],
        "success_rate": sum(played.success) / len(played.success),
        "evaluations": spec["search"]["evaluations"],
        "cpu_s": cpu_s,
    }
