"""Checkpoints appear whole or not at all, and say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experimenter.errors import JobError
from experimenter.trainers.checkpoint import check_same, read_checkpoint, write_checkpoint


def write(folder: Path, step: int) -> None:
    arrays = {"a": np.full(3, step, np.float32), "scalar": np.array(2.5), "bytes": np.arange(4, dtype=np.uint8)}
    write_checkpoint(folder, {"step": step, "big": 2**100}, arrays)


def test_round_trip_keeps_types_shapes_and_big_numbers(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    write(tmp_path, 1)
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.state["step"] == 1 and found.state["big"] == 2**100
    assert found.arrays["a"].tolist() == [1.0, 1.0, 1.0] and found.arrays["a"].dtype == np.float32
    assert found.arrays["scalar"].shape == () and found.arrays["scalar"].dtype == np.float64
    assert found.arrays["bytes"].tolist() == [0, 1, 2, 3]


def test_a_second_write_replaces_the_first_and_leaves_nothing_beside(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    found = read_checkpoint(tmp_path)
    assert found is not None and found.state["step"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_killed_while_writing_the_new_one_keeps_the_old(tmp_path: Path) -> None:
    write(tmp_path, 1)
    part = tmp_path / "checkpoint.part"
    part.mkdir()
    (part / "arrays.safetensors").write_bytes(b"half")
    found = read_checkpoint(tmp_path)
    assert found is not None and found.state["step"] == 1
    write(tmp_path, 2)
    assert not part.exists()


def test_killed_between_the_two_renames_gets_the_old_one_back(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    found = read_checkpoint(tmp_path)
    assert found is not None and found.state["step"] == 1


def test_killed_before_the_old_one_was_removed_keeps_the_new(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", 2)
    (tmp_path / "other" / "checkpoint").rename(tmp_path / "checkpoint")
    found = read_checkpoint(tmp_path)
    assert found is not None and found.state["step"] == 2
    write(tmp_path, 3)
    assert not (tmp_path / "checkpoint.old").exists()


@pytest.mark.parametrize("name", ["state.json", "arrays.safetensors"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoint" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(JobError, match=r"checkpoint.*damaged.*delete that folder"):
        read_checkpoint(tmp_path)


def test_a_difference_names_the_setting(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"trainer": "ppo", "settings": {"gamma": 0.9, "clip": 0.2}}, {"a": np.zeros(1)})
    found = read_checkpoint(tmp_path)
    assert found is not None
    check_same(found, {"trainer": "ppo", "settings": {"gamma": 0.9, "clip": 0.2}})
    with pytest.raises(JobError, match=r"settings clip=0\.2, this job has 0\.3"):
        check_same(found, {"settings": {"gamma": 0.9, "clip": 0.3}})
    with pytest.raises(JobError, match="trainer='ppo', this job has 'sb3'"):
        check_same(found, {"trainer": "sb3"})
