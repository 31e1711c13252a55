"""What goes into the gateway and what comes out: messages, answers, failures, and what a model can do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    role: Role
    text: str
    images: tuple[bytes, ...] = ()
    """PNG files."""

    def to_plain(self) -> dict[str, Any]:
        """JSON form for digests and the ledger: an image is named by its SHA-256, not stored."""
        plain: dict[str, Any] = {"role": self.role, "text": self.text}
        if self.images:
            plain["images"] = [hashlib.sha256(image).hexdigest() for image in self.images]
        return plain


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[T]):
    """A validated answer and what it cost."""

    value: T
    text: str
    """Raw text of the answer."""
    model: str
    prompt_digest: str
    call_id: int
    """Row of the ledger."""
    cached: bool = False
    """True when nothing was called: the ledger already held the answer."""
    repaired: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    """None: price unknown."""
    latency_s: float = 0.0
    notes: tuple[str, ...] = ()
    """What the caller should know, for example that images were left out."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """An answer that does not fit its schema, also after repair."""

    error: str
    text: str
    """Raw text of the last answer."""
    model: str
    prompt_digest: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a model can do, as its probe found (see `probes`)."""

    code: bool = False
    """Writes a right, batched NumPy reward function."""
    schema: bool = False
    """The server holds answers to a JSON schema."""
    vision: bool = False
    n: bool = False
    """Several samples in one call."""
    logprobs: bool = False
    context_tokens: int = 8192
    images_note: str = ""
    """Why images are left out, when they are."""

    @property
    def writes_code(self) -> bool:
        return self.code

    @property
    def sees(self) -> bool:
        return self.vision


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call, as a provider gets it."""

    role: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    """JSON schema that the server shall hold the answer to; None leaves the answer free."""
    choices: tuple[str, ...] = ()
    """Words of which the answer must be one (used for scoring)."""
    n: int = 1
    temperature: float = 0.7
    seed: int = 0
    max_tokens: int = 1024
    top_logprobs: int = 0
    """How many alternatives of the first token are wanted with their log-probabilities."""
    digests: tuple[str, ...] = ()
    """Prompt digest of each of the n samples."""
    ordinal: int = 0
    """How many calls of this role the session's ledger already holds."""
    step: str = ""
    """Place in the session."""
    samples: tuple[int, ...] = ()
    """Which of the question's samples these n are."""
    attempt: int = 0
    """0 for the first try, 1 for the repair."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One sample, as a provider gives it."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """None: the provider knows no price; the gateway may."""
    cut: bool = False
    """The answer ended at max_tokens."""
    first_token: Mapping[str, float] = field(default_factory=dict)
    """Alternatives of the first token -> log-probability."""
