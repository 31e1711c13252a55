"""Made problems: stored by digest, read back, refused when changed, and usable as a family; facts of all problems."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from envs.catalog import get_family
from envs.quantum.actions import encode
from envs.quantum.batch import QuantumBatch
from envs.quantum.gates import RY
from envs.quantum.listing import count_electrons, list_problems
from envs.quantum.problems import Problem, load_problem, make_problem
from envs.quantum.stored import list_stored, load_stored, name_stored, problems_folder, store_problem

TERMS = [("ZZ", 0.5), ("ZI", -0.25), ("XX", 0.1)]


def made(name: str = "My Pair") -> Problem:
    return make_problem(name, TERMS, title="a pair", geometry="two spins", sectors={"spin_z": (("ZZ", 0.5),)})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPERIMENTER_HOME", str(tmp_path))
    load_stored.cache_clear()
    return tmp_path


def test_a_problem_comes_back_as_it_was(home: Path) -> None:
    path = store_problem(made())
    assert path == problems_folder() / f"my-pair-{made().digest[:12]}.json"
    back = load_stored(path.stem)
    assert (back.terms, back.floor, back.sectors) == (made().terms, made().floor, made().sectors)
    assert back.exact == pytest.approx(made().exact)
    assert list_stored() == [path.stem]
    assert store_problem(made()) == path


def test_a_changed_file_is_refused(home: Path) -> None:
    path = store_problem(made())
    document = json.loads(path.read_text())
    document["points"][0]["terms"][0][1] = 0.51
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="damaged"):
        load_stored(path.stem)
    path.write_text("{}")
    with pytest.raises(ValueError, match="damaged"):
        load_stored(path.stem)
    other = store_problem(made("other"))
    other.rename(path)
    with pytest.raises(ValueError, match="its Hamiltonian is other"):
        load_stored(path.stem)


def test_what_is_not_there_is_one_line(home: Path) -> None:
    with pytest.raises(ValueError, match="experimenter env quantum make") as caught:
        get_family("quantum:benzene-0123456789ab")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="no made problem"):
        load_stored("../h2-2")


def test_a_made_problem_is_a_family_whose_task_names_its_digest(home: Path) -> None:
    name = store_problem(made()).stem
    family = get_family(f"quantum:{name}")
    task = family.resolve_task({"threshold": 0.1})
    assert task.family == f"quantum:{name}"
    assert name == name_stored(made())
    assert list(task.params) == [p.name for p in family.card().params]
    assert family.resolve_task(task.params) == task
    assert "problem" not in [p.name for p in family.card().params]
    assert "a pair" in family.card().text
    world = family.make_vec(task, 2)
    assert isinstance(world, QuantumBatch)
    world.reset(0)
    assert world.machine().problem.terms == made().terms
    state = world.step(np.full(2, encode(RY, 0))).next_state
    # RY on |00> turns Z of qubit 0 to -1 at most: 0.5 z - 0.25 z = 0.25 z, from 0.25 down to -0.25
    assert state["energy"].tolist() == pytest.approx([-0.25, -0.25], abs=1e-9)
    with pytest.raises(ValueError, match="another problem"):
        family.resolve_task({"molecule": "other-0123456789ab"})


def test_a_problem_beyond_the_worlds_is_refused(home: Path) -> None:
    name = store_problem(make_problem("long", [("Z" * 9, 1.0)])).stem
    with pytest.raises(ValueError, match="worlds take at most 8"):
        get_family(f"quantum:{name}")


def test_facts_of_every_problem(home: Path) -> None:
    store_problem(made())
    rows = list_problems()
    by_place = {(row["name"], row["setting"]): row for row in rows}
    lih = by_place["lih-4", 2.2]
    assert lih["exact"] == pytest.approx(-7.8448791504, abs=1e-6)
    assert lih["floor_error_mha"] == pytest.approx(36.88, abs=0.006)
    assert (lih["qubits"], lih["electrons"], lih["terms"], lih["problem"]) == (4, 2, 100, 3)
    assert by_place["h2o-8", 0.9689]["electrons"] == 4
    assert by_place["tfim-4", 1.0]["electrons"] is None
    assert rows[-1]["family"] == f"quantum:{name_stored(made())}"
    assert count_electrons(load_problem("h2-2")) == 2
