"""One sample of a question on its way to an answer: its messages, its sampling, and its entry in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from envs.task import canonical_digest
from experimenter.llm.ledger import Entry, Held
from experimenter.llm.messages import Message, Reply
from experimenter.llm.replies import Unreadable, parse_reply

_SEED_STEP = 1_000_003
_TOKENS_PER_IMAGE = 1000
_CHARACTERS_PER_TOKEN = 3
"""A low guess, so that a reservation is rather too large."""
_CUT = "the answer was cut at its length limit"


@dataclass(frozen=True, kw_only=True)
class Sample:
    entry: Entry
    messages: tuple[Message, ...]
    seed: int
    temperature: float
    max_tokens: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the ledger now holds for a sample, and what it cost."""

    held: Held
    reply: Reply
    cost_usd: float | None = 0.0
    latency_s: float = 0.0
    cached: bool = False


def make_samples(first: Sample, model: str, schema: type[BaseModel], n: int) -> list[Sample]:
    """`first` and n - 1 more, each with a seed of its own."""
    return [_place(first, model, schema, place, first.seed + place * _SEED_STEP) for place in range(n)]


def make_sample(
    role: str,
    messages: tuple[Message, ...],
    schema: type[BaseModel],
    *,
    model: str,
    step: str,
    seed: int,
    temperature: float,
    max_tokens: int,
    place: int = 0,
    attempt: int = 0,
) -> Sample:
    """Build a sample; its digest names everything that the answer depends on."""
    sampling = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    shape = schema.model_json_schema()
    entry = make_entry(role, messages, shape, sampling, model=model, step=step, place=place, attempt=attempt)
    return Sample(entry=entry, messages=messages, seed=seed, temperature=temperature, max_tokens=max_tokens)


def make_repair(sample: Sample, held: Held, schema: type[BaseModel], model: str) -> Sample:
    """The same question with the invalid answer and its faults appended; an answer that was cut gets twice the room."""
    fault = f"That answer cannot be used: {held.error}. Answer again with one JSON object that mends this, and nothing else."
    messages = (*sample.messages, Message("assistant", held.text[:4000] or "(empty)"), Message("user", fault))
    entry = sample.entry
    return make_sample(
        entry.role,
        messages,
        schema,
        model=model,
        step=entry.step,
        seed=sample.seed,
        temperature=sample.temperature,
        max_tokens=sample.max_tokens * (2 if held.error.startswith(_CUT) else 1),
        place=entry.sample,
        attempt=1,
    )


def make_entry(
    role: str,
    messages: Sequence[Message],
    shape: object,
    sampling: Mapping[str, float],
    *,
    model: str,
    step: str,
    place: int = 0,
    attempt: int = 0,
) -> Entry:
    """Build the ledger's entry of a call; `shape` is the JSON form of what the answer must look like."""
    plain = [message.to_plain() for message in messages]
    prompt_tokens = sum(len(m.text) // _CHARACTERS_PER_TOKEN + _TOKENS_PER_IMAGE * len(m.images) for m in messages)
    return Entry(
        role=role,
        step=step,
        prompt_digest=canonical_digest([model, plain, shape, dict(sampling), place], length=32),
        sample=place,
        attempt=attempt,
        messages=plain,
        reserved_tokens=prompt_tokens + int(sampling["max_tokens"]),
    )


def add_instructions(messages: tuple[Message, ...], schema: type[BaseModel]) -> tuple[Message, ...]:
    """Tell a model whose server holds to no schema what the answer must look like."""
    shape = json.dumps(schema.model_json_schema(), separators=(",", ":"))
    form = f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{shape}"
    return (*messages[:-1], replace(messages[-1], text=f"{messages[-1].text}\n\n{form}"))


def find_fault(reply: Reply, schema: type[BaseModel]) -> str:
    """Why the reply cannot be used; empty when it can."""
    try:
        parse_reply(reply.text, schema)
    except Unreadable as error:
        return f"{_CUT} ({error})" if reply.cut else str(error)
    return ""


def _place(first: Sample, model: str, schema: type[BaseModel], place: int, seed: int) -> Sample:
    if place == 0:
        return first
    entry = first.entry
    return make_sample(
        entry.role,
        first.messages,
        schema,
        model=model,
        step=entry.step,
        seed=seed,
        temperature=first.temperature,
        max_tokens=first.max_tokens,
        place=place,
    )
