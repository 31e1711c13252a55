"""Policies as files: round trip, forward pass by hand, and every kind of damage refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skills.artifact import ArtifactError, Tensors, digest_folder, load_policy, make_policy, save_policy


def make_spec(**changes: Any) -> dict[str, Any]:
    spec = {
        "kind": "mlp",
        "activation": "tanh",
        "layers": 2,
        "head": "clip",
        "low": [-1.0],
        "high": [1.0],
        "normalise": False,
    }
    return {**spec, **changes}


def make_tensors(**changes: Any) -> Tensors:
    tensors = {"w0": [[1.0, 0.0], [0.0, 1.0]], "b0": [0.0, 1.0], "w1": [[2.0, -1.0]], "b1": [0.5]}
    return {name: np.asarray(value, dtype=np.float32) for name, value in {**tensors, **changes}.items()}


def test_the_forward_pass_by_hand() -> None:
    policy = make_policy(make_spec(low=[-9.0], high=[9.0]), make_tensors())
    # tanh(0.5) = 0.46212, tanh(-0.5 + 1) = 0.46212: 2 * 0.46212 - 0.46212 + 0.5
    assert policy.act(np.array([[0.5, -0.5]])) == pytest.approx(np.array([[0.96212]]), abs=1e-5)


def test_heads_and_normaliser_by_hand() -> None:
    obs = np.array([[0.5, -0.5]])
    assert make_policy(make_spec(high=[0.9]), make_tensors()).act(obs) == pytest.approx(0.9)
    squashed = make_policy(make_spec(head="tanh", low=[0.0], high=[10.0]), make_tensors()).act(obs)
    assert squashed == pytest.approx(5 * (np.tanh(0.96212) + 1), abs=1e-4)
    two = make_tensors(w1=[[2.0, -1.0], [0.0, 3.0]], b1=[0.5, 0.0])  # 0.96 against 1.39
    assert make_policy({**make_spec(head="argmax")}, two).act(obs).tolist() == [1]
    normed = make_tensors(obs_mean=[1.0, 1.0], obs_var=[4.0, 0.0])  # (0.5 - 1) / 2 and -1.5 / 1e-4, clipped to -10
    act = make_policy(make_spec(normalise=True, low=[-9.0], high=[9.0]), normed).act(obs)
    assert act == pytest.approx(2 * np.tanh(-0.25) - np.tanh(-9.0) + 0.5, abs=1e-5)


def test_a_policy_survives_the_files(tmp_path: Path) -> None:
    save_policy(tmp_path / "a", make_spec(), make_tensors())
    obs = np.random.default_rng(0).normal(size=(7, 2))
    assert np.array_equal(load_policy(tmp_path / "a").act(obs), make_policy(make_spec(), make_tensors()).act(obs))
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["policy.json", "policy.safetensors"]


def test_the_digest_sees_names_and_contents(tmp_path: Path) -> None:
    save_policy(tmp_path / "a", make_spec(), make_tensors())
    save_policy(tmp_path / "b", make_spec(), make_tensors())
    before = digest_folder(tmp_path / "a")
    assert before == digest_folder(tmp_path / "b")
    (tmp_path / "a" / "policy.json").rename(tmp_path / "a" / "other.json")
    assert digest_folder(tmp_path / "a") != before


@pytest.mark.parametrize(
    ("spec", "tensors", "part"),
    [
        ({"kind": "pickle"}, {}, "unknown policy kind 'pickle'"),
        ({"kind": ["mlp"]}, {}, "damaged"),
        ({"head": "softmax"}, {}, "unknown head"),
        ({"activation": "gelu"}, {}, "damaged"),
        ({"layers": 3}, {}, "w2"),
        ({"layers": 0}, {}, "0 layers"),
        ({"layers": 10**9}, {}, "layers"),
        ({"layers": float("inf")}, {}, "damaged"),
        ({"low": [-1.0, -1.0], "high": [1.0, 1.0]}, {}, "bounds do not fit 1 actions"),
        ({"low": None}, {}, "damaged"),
        ({}, {"w1": [[1.0, 2.0, 3.0]]}, "does not follow one of width 2"),
        ({}, {"b0": [1.0]}, "does not follow"),
        ({}, {"w0": 1.0}, "damaged"),
        ({"normalise": True}, {}, "obs_mean"),
        ({"normalise": True}, {"obs_mean": [0.0], "obs_var": [1.0]}, "normaliser does not fit"),
        ({"normalise": True}, {"obs_mean": [0.0, 0.0], "obs_var": [1.0, -1.0]}, "negative variance"),
    ],
)
def test_specs_and_weights_that_do_not_fit_are_refused(
    spec: dict[str, Any], tensors: dict[str, Any], part: str
) -> None:
    with pytest.raises(ArtifactError, match=part):
        make_policy(make_spec(**spec), make_tensors(**tensors))


def _cut(folder: Path) -> None:
    weights = folder / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])


def _poison(folder: Path) -> None:
    save_policy(folder, make_spec(), make_tensors(b1=[np.nan]))


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: (f / "policy.json").unlink(), "no file policy.json"),
    (lambda f: (f / "policy.safetensors").unlink(), "no file policy.safetensors"),
    (_cut, "damaged"),
    (_poison, "non-finite weights in b1"),
    (lambda f: (f / "policy.json").write_text("[" * 200_000), "damaged"),
    (lambda f: (f / "policy.json").write_text("{"), "damaged"),
    (lambda f: (f / "policy.json").write_bytes(b"\xff\xfe"), "damaged"),
    (lambda f: (f / "policy.json").write_text("[1]"), "not a JSON object"),
    (lambda f: (f / "policy.json").write_text(json.dumps("x" * 2_000_000)), "larger than"),
    (lambda f: (f / "policy.safetensors").write_bytes(b"\x80\x04\x95cos\nsystem\n."), "damaged"),
]


@pytest.mark.parametrize(("damage", "part"), DAMAGES)
def test_damaged_files_are_refused(tmp_path: Path, damage: Callable[[Path], object], part: str) -> None:
    save_policy(tmp_path, make_spec(), make_tensors())
    damage(tmp_path)
    with pytest.raises(ArtifactError, match=part) as caught:
        load_policy(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_link_is_no_artifact(tmp_path: Path) -> None:
    save_policy(tmp_path / "real", make_spec(), make_tensors())
    (tmp_path / "fake").mkdir()
    for name in ("policy.json", "policy.safetensors"):
        (tmp_path / "fake" / name).symlink_to(tmp_path / "real" / name)
    with pytest.raises(ArtifactError, match="no file"):
        load_policy(tmp_path / "fake")
