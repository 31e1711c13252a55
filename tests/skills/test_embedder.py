"""The sentence embedder as shipped, and the one that needs no weights."""

from __future__ import annotations

import builtins
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import skills.embedder
from skills.embedder import VOCABULARY, Embedder, HashEmbedder, MiniLmEmbedder, embedder_status, open_embedder

PAIRS = [
    ("walk forward on flat ground without falling", "move ahead steadily on even terrain and stay upright"),
    ("jump over tall obstacles", "leap across high stumps"),
    ("balance a pole on a cart", "keep the rod upright by moving the trolley"),
    ("climb stairs", "go up steps"),
    ("hover at a fixed point in the air", "stay still at a given position while flying"),
    ("land softly between the flags", "touch down gently on the pad"),
]


@pytest.fixture(autouse=True)
def fresh_choice() -> Iterator[None]:
    open_embedder.cache_clear()
    yield
    open_embedder.cache_clear()


@pytest.fixture(scope="module")
def minilm() -> MiniLmEmbedder:
    return MiniLmEmbedder()


def hits(embedder: Embedder) -> int:
    """How many of the sentences have their paraphrase as nearest neighbour."""
    vectors = embedder.embed([sentence for pair in PAIRS for sentence in pair])
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1.0)
    return sum(int(likeness[i].argmax()) == i ^ 1 for i in range(len(vectors)))


def test_minilm_finds_paraphrases(minilm: MiniLmEmbedder) -> None:
    assert hits(minilm) >= 9  # of 12; chance is about 1


def test_the_shipped_vocabulary_is_the_published_one() -> None:
    content = VOCABULARY.read_bytes()
    assert hashlib.sha256(content).hexdigest() == "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    assert content.decode().split("\n")[101:104] == ["[CLS]", "[SEP]", "[MASK]"]


@pytest.mark.parametrize("kind", ["minilm", "hash"])
def test_vectors_are_unit_rows_in_order_whatever_the_batch(kind: str, minilm: MiniLmEmbedder) -> None:
    embedder: Embedder = minilm if kind == "minilm" else HashEmbedder()
    texts = [f"{'very ' * (n % 7)}long sentence {n}" for n in range(40)]
    together = embedder.embed(texts)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)
    alone = embedder.embed([texts[33]])[0]
    assert float(alone @ together[33]) > 0.99  # int8 activations are scaled by batch: alike, not bitwise
    assert embedder.embed([]).shape[0] == 0


def test_strange_texts_are_embedded_too(minilm: MiniLmEmbedder) -> None:
    texts = ["", "\ud800", "🤸🏽 " * 50, "\x00", "word " * 5000]
    for embedder in (minilm, HashEmbedder()):
        assert np.all(np.isfinite(embedder.embed(texts)))


def test_hashed_words_know_shared_words_and_spellings() -> None:
    a, b, c = HashEmbedder().embed(["jumping over stumps", "jump over a stump", "balance the pole"])
    assert a @ b > 0.4 > 0.2 > a @ c


def test_hashed_words_are_the_same_in_every_process() -> None:
    code = "from skills.embedder import HashEmbedder as H; print(H().embed(['walk forward'])[0].tobytes().hex()[:64])"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == HashEmbedder().embed(["walk forward"])[0].tobytes().hex()[:64]


def test_the_status_says_what_answers() -> None:
    status = embedder_status()
    assert (status.by_meaning, status.fix) == (True, "")
    assert open_embedder().name == status.name


def test_without_its_packages_words_answer_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(skills.embedder, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name))
    status = embedder_status()
    assert (status.by_meaning, status.name) == (False, HashEmbedder.name)
    assert "missing: onnxruntime" in status.reason
    assert "pip install" in status.fix
    assert isinstance(open_embedder(), HashEmbedder)
    assert "searching by words" in caplog.text


def test_a_broken_package_does_not_break_the_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any, **more: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError("libgomp.so.1: cannot open shared object file")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    assert isinstance(open_embedder(), HashEmbedder)
    assert "libgomp" in caplog.text


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skills.embedder, "_weights_path", lambda: VOCABULARY)
    with pytest.raises(ValueError, match="not the published file"):
        MiniLmEmbedder()
    assert isinstance(open_embedder(), HashEmbedder)
