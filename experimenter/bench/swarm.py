"""What the trainer `swarm` learns: one drone, eight in a crowded room, more drones and denser rooms, and an ablation at equal steps.

Every policy is trained through the `Trainer` contract, stored as an artifact, read back and flown by NumPy on rooms that training never saw. CPU-seconds
are of the training process alone. Runs are kept in a folder and found again: a killed bench goes on from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.catalog import get_family
from envs.task import ParamValue, canonical_digest
from experimenter.bench.metered import train_metered
from experimenter.evaluation.drones import MEANINGS, Figure, measure_flights
from experimenter.records import RewardKind, RewardProgram, TeacherSpec, TrainJob
from skills.artifact import load_policy

FAMILY = "quadrotor"
HELD_OUT_SEED = 10**6
SHOWN = ("success", "strict_success", "touched", "deadlock", "published_success", "published_collision", "room_success")
"""Columns of the table of means; all figures follow below it."""
Params = Mapping[str, ParamValue]
_EIGHT: Params = {"drones": 8, "density": 0.2}
_CROWDED: Params = {"drones": 8, "density": 0.8}


@dataclass(frozen=True, kw_only=True)
class Flight:
    """One evaluation: rooms x drones are drone-episodes."""

    params: Params
    rooms: int


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train."""

    params: Params
    steps: int
    settings: Params = field(default_factory=dict)
    teacher: str = "fixed"
    teacher_settings: Params = field(default_factory=dict)
    flights: Mapping[str, Flight]


_ONE = {"1_drone": Flight(params={"drones": 1}, rooms=200)}
_OWN = {"8_drones_20": Flight(params=_EIGHT, rooms=50)}
_ALL = {
    **_OWN,
    "32_drones_20": Flight(params={**_EIGHT, "drones": 32}, rooms=10),
    "8_drones_80": Flight(params=_CROWDED, rooms=50),
}
ARMS: Mapping[str, Arm] = {
    "one": Arm(params={"drones": 1}, steps=4_000_000, flights=_ONE),
    "eight": Arm(params=_EIGHT, steps=30_000_000, flights=_ALL),
    "crowded": Arm(
        params=_CROWDED,
        steps=14_000_000,
        settings={"contact_weight": 0.6},
        teacher="widen",
        teacher_settings={"start": "density=0.2", "pass_mark": 0.6, "steps": 6},
        flights=_ALL,
    ),
}
_TRIAL = 4_000_000
ABLATION: Mapping[str, Arm] = {
    "mlp": Arm(params=_EIGHT, steps=_TRIAL, flights=_OWN),
    "no_replay": Arm(params=_EIGHT, steps=_TRIAL, settings={"replay": 0.0}, flights=_OWN),
    "no_ramp": Arm(params=_EIGHT, steps=_TRIAL, settings={"ramp_start": 1.0}, flights=_OWN),
    "deep_set": Arm(params=_EIGHT, steps=_TRIAL, settings={"encoder": "deep_set"}, flights=_OWN),
    "attention": Arm(params=_EIGHT, steps=_TRIAL, settings={"encoder": "attention"}, flights=_OWN),
    "curriculum": Arm(
        params=_EIGHT,
        steps=_TRIAL,
        teacher="widen",
        teacher_settings={"start": "density=0,goal_distance=4"},
        flights=_OWN,
    ),
    "native_reward": Arm(
        params=_EIGHT,
        steps=_TRIAL,
        settings={"distance_weight": 1.0, "progress": 0.0, "goal_bonus": 0.0, "room_contact": 0.0},
        flights=_OWN,
    ),
}
QUICK: Mapping[str, Arm] = {
    "one": dataclasses.replace(ARMS["one"], steps=400_000, flights={"1_drone": Flight(params={"drones": 1}, rooms=20)})
}


def measure(
    folder: Path | None = None,
    *,
    quick: bool = False,
    seeds: Sequence[int] = (0, 1, 2),
    arms: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Train and fly every arm with every seed (`quick`: one short arm, one seed) and return all figures.

    Runs live under `folder` (default: the user's cache folder); what is there already is not run again.
    """
    known = list_arms(quick=quick)
    runs = [
        run_arm(name, known[name], seed, folder or _default_folder())
        for name in (arms or known)
        for seed in (seeds[:1] if quick else seeds)
    ]
    return {"runs": runs, "summary": summarise(runs)}


def list_arms(*, quick: bool = False) -> dict[str, Arm]:
    """Every arm by name."""
    return dict(QUICK) if quick else {**ARMS, **{f"ablation_{name}": arm for name, arm in ABLATION.items()}}


def run_arm(name: str, arm: Arm, seed: int, folder: Path) -> dict[str, Any]:
    """Train one arm with one seed and fly it, or read how that went; returns name, seed, steps, CPU-seconds and figures by flight."""
    digest = canonical_digest([dataclasses.asdict(arm), seed])
    place = folder / f"{name}-{seed}-{digest}"
    stored = place / "result.json"
    if stored.exists():
        found: dict[str, Any] = json.loads(stored.read_text())
        return found
    place.mkdir(parents=True, exist_ok=True)
    seconds = train_arm(arm, seed, place)
    policy, family = load_policy(place / "policy"), get_family(FAMILY)
    flights = {}
    for label, flight in arm.flights.items():
        task = family.resolve_task(flight.params)
        flights[label] = _plain(measure_flights(family, task, policy, rooms=flight.rooms, seed=HELD_OUT_SEED))
    result = {"arm": name, "seed": seed, "steps": arm.steps, "cpu_s": seconds, "flights": flights}
    part = stored.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1))
    part.replace(stored)
    return result


def train_arm(arm: Arm, seed: int, place: Path) -> float:
    """Train in `place` as a job does, from its checkpoint on where there is one; returns CPU-seconds over all attempts.

    Raises `JobError` when the training failed.
    """
    task = get_family(FAMILY).resolve_task(arm.params)
    job = TrainJob(
        task=task,
        reward=RewardProgram(kind=RewardKind.NATIVE),
        trainer="swarm",
        settings=dict(arm.settings),
        teacher=TeacherSpec(name=arm.teacher, settings=dict(arm.teacher_settings)),
        seed=seed,
        budget_steps=arm.steps,
        schedule_steps=arm.steps,
    )
    return train_metered(job, place).cpu_s


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per arm and flight: seeds, steps, mean CPU-seconds, the worst seed's success, and every figure.

    A figure is its mean over seeds, and from the lowest to the highest end of the seeds' 95% intervals (`low`, `high`).
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        for label in run["flights"]:
            groups.setdefault(f"{run['arm']} -> {label}", []).append({**run, "figures": run["flights"][label]})
    return {label: _summary(items) for label, items in groups.items()}


def _summary(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shared = [name for name in MEANINGS if all(name in item["figures"] for item in items)]
    figures = {}
    for name in shared:
        found = [item["figures"][name] for item in items]
        figures[name] = {
            "mean": sum(one["value"] for one in found) / len(found),
            "low": min(one["low"] for one in found),
            "high": max(one["high"] for one in found),
        }
    return {
        "seeds": len(items),
        "steps": items[0]["steps"],
        "cpu_s": sum(item["cpu_s"] for item in items) / len(items),
        "worst_success": min(item["figures"]["success"]["value"] for item in items),
        "figures": figures,
    }


def table(measured: Mapping[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal: means of the main figures, then all figures with what they mean."""
    summary = measured["summary"]
    head = f"{'trained as -> flown as':<40}{'seeds':>6}{'steps':>12}{'cpu_s':>8}{'worst':>7}"
    lines = [head + "".join(f"{name:>21}" for name in SHOWN)]
    for label, row in summary.items():
        facts = f"{label:<40}{row['seeds']:>6}{row['steps']:>12,}{row['cpu_s']:>8.0f}{row['worst_success']:>7.3f}"
        lines.append(facts + "".join(f"{row['figures'][name]['mean']:>21.3f}" for name in SHOWN))
    for label, row in summary.items():
        lines += ["", f"{label}: mean over {row['seeds']} seeds, ends of the seeds' 95% intervals"]
        for name, one in row["figures"].items():
            span = f"{one['mean']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
            lines.append(f"  {name:<30}{span:<26}{MEANINGS[name]}")
    return "\n".join(lines)


def _plain(figures: Mapping[str, Figure]) -> dict[str, dict[str, float]]:
    return {name: dataclasses.asdict(figure) for name, figure in figures.items()}


def _default_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("rl-experimenter")) / "bench" / "swarm"
