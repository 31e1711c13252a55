"""Bench: how fast a library of 10,000 skills answers, warm in a process and cold in a new one.

The skills are rows with real vectors: distinct sentences are embedded (a few hundred) and spread by noise over the others, because
the time of a search does not depend on what the numbers are. Admission is measured on real artifacts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlmodel import insert

from memory.store import Store, open_store
from memory.tables import SkillRow, SkillVectorRow
from skills.evidence import wilson_interval
from skills.library import Library
from skills.testing import make_policy_folder, make_request

_QUERIES = (
    "walk forward without falling",
    "get over tall stumps",
    "keep the pole upright",
    "climb the stairs quickly",
    "swing up and hold",
)
_VERBS = ("walk", "run", "jump", "climb", "balance", "swing", "hover", "turn", "stop", "land")
_PLACES = ("on flat ground", "over stumps", "up the stairs", "across pits", "on rough terrain", "at a fixed point")
_WAYS = ("without falling", "quickly", "with little energy", "in the wind", "from any start")
_COLD = """
import json, sys, time
start = time.process_time()
from pathlib import Path
from memory.store import open_store
from skills.library import Library
library = Library(open_store(sys.argv[1]), Path(sys.argv[2]))
found = len(library.find(sys.argv[3]))
print(json.dumps({"cpu_s": time.process_time() - start, "found": found, "torch": "torch" in sys.modules}))
"""


def measure(skills: int = 10_000, repeats: int = 30, seed: int = 0) -> dict[str, Any]:
    """Build a library of `skills` in a temporary folder and measure it; times in milliseconds unless the name says otherwise."""
    with TemporaryDirectory(prefix="bench-library-") as work:
        folder = Path(work)
        store = open_store(folder / "memory.db")
        library = Library(store, folder / "skills")
        library.embedder.embed(["warm up"])
        admission = _admissions(library, folder)
        _fill(store, library, skills, np.random.default_rng(seed))
        first = _milliseconds(partial(library.find, _QUERIES[0]))
        queries = [partial(library.find, _QUERIES[i % len(_QUERIES)]) for i in range(repeats)]
        plain = [_milliseconds(query) for query in queries]
        cpu = [_milliseconds(query, time.process_time) for query in queries]
        hard = partial(library.find, _QUERIES[1], family="walker", able_for={"stump_height": 0.3})
        able = [_milliseconds(hard) for _ in range(repeats)]
        store.close()
        return {
            "skills": skills,
            "embedder": library.embedder.name,
            "admit_median_ms": round(statistics.median(admission), 2),
            "first_query_ms": round(first, 1),
            "query_median_ms": round(statistics.median(plain), 1),
            "query_cpu_median_ms": round(statistics.median(cpu), 1),
            "query_max_ms": round(max(plain), 1),
            "query_with_ability_median_ms": round(statistics.median(able), 1),
            "database_mb": round((folder / "memory.db").stat().st_size / 1e6, 1),
            **_cold(folder),
        }


def table(measured: dict[str, Any]) -> str:
    """Lay the figures out for people, with the targets beside them."""
    lines = [f"library of {measured['skills']} skills, embedder {measured['embedder']}, {measured['database_mb']} MB"]
    rows = [
        ("query in a running process, median", f"{measured['query_median_ms']} ms", "under 300 ms"),
        ("  CPU time of it", f"{measured['query_cpu_median_ms']} ms", ""),
        ("query in a running process, slowest", f"{measured['query_max_ms']} ms", "under 300 ms"),
        ("query with family and ability, median", f"{measured['query_with_ability_median_ms']} ms", "under 300 ms"),
        ("first query (reads all rows)", f"{measured['first_query_ms']} ms", ""),
        ("cold: new process to answer", f"{measured['cold_wall_s']} s ({measured['cold_cpu_s']} s CPU)", "under 2 s"),
        ("torch imported when cold", "yes" if measured["cold_imports_torch"] else "no", "no"),
        ("admission (row, vector, artifact on disk)", f"{measured['admit_median_ms']} ms", ""),
    ]
    return "\n".join([*lines, *(f"  {what:<44}{figure:<24}{target}".rstrip() for what, figure, target in rows)])


def _admissions(library: Library, folder: Path) -> list[float]:
    policy = make_policy_folder(folder / "policy")
    requests = [make_request(folder, f"admitted-{i}", f"key {i}", policy_folder=policy) for i in range(10)]
    return [_milliseconds(partial(library.admit, request)) for request in requests]


def _fill(store: Store, library: Library, skills: int, rng: np.random.Generator) -> None:
    sentences = [f"{verb} {place} {way}" for verb in _VERBS for place in _PLACES for way in _WAYS]
    base = library.embedder.embed(sentences)
    with store.transaction() as session:
        for start in range(0, skills, 1000):
            chosen = range(start, min(start + 1000, skills))
            rows = [_row(i, sentences[i % len(sentences)], rng) for i in chosen]
            noisy = base[[i % len(base) for i in chosen]] + 0.02 * rng.normal(size=(len(rows), base.shape[1]))
            unit = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype("<f4")
            session.execute(insert(SkillRow), [row.model_dump() for row in rows])
            vectors = [
                {"skill_id": row.id, "embedder": library.embedder.name, "vector": vector.tobytes()}
                for row, vector in zip(rows, unit, strict=True)
            ]
            session.execute(insert(SkillVectorRow), vectors)


def _row(index: int, sentence: str, rng: np.random.Generator) -> SkillRow:
    wins = int(rng.integers(40, 51))
    low, high = wilson_interval(wins, 50)
    height = float(rng.uniform(0.0, 0.5))
    seeds = list(range(10**6, 10**6 + 50))
    return SkillRow(
        id=f"{index:012x}",
        name=f"bench-{index}",
        description=f"{sentence}, number {index}",
        family="walker" if index % 2 else "gym:CartPole-v1",
        task_digest=f"{index % 500:016x}",
        task={"family": "walker", "params": {"stump_height": height}, "horizon": 1600, "seed": 0},
        region={"stump_height": [0.0, height]},
        episodes=50,
        successes=wins,
        success_rate=wins / 50,
        success_low=low,
        success_high=high,
        evidence={
            "seeds": seeds,
            "fitness": [1.0] * 50,
            "success": [True] * 50,
            "native_return": [1.0] * 50,
            "length": [99] * 50,
        },
        artifact=f"{index:012x}",
        admission_key=f"bench {index}",
    )


def _cold(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _COLD, str(folder / "memory.db"), str(folder / "skills"), _QUERIES[1]]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - start
    told = json.loads(done.stdout)
    return {"cold_wall_s": round(wall, 2), "cold_cpu_s": round(told["cpu_s"], 2), "cold_imports_torch": told["torch"]}


def _milliseconds(act: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    act()
    return (clock() - start) * 1000
