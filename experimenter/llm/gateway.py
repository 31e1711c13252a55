"""The gateway: one typed call to the model, step by step.

    ask: fit the messages to the model -> a digest for each sample -> look in the ledger (this session, then any) -> reserve the budget
         -> call with retries -> settle -> validate -> repair once -> `Answer` or `Failed`

A provider only turns a request into text; what may be spent, what is written down and what counts as an answer is decided here.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Engine

from experimenter.errors import AnswerInvalid, ModelError, ModelUnavailable, UsageError
from experimenter.llm.choose import ModelChoice
from experimenter.llm.ledger import Entry, Held, Ledger
from experimenter.llm.messages import Answer, Capabilities, Failed, Message, Reply, Request
from experimenter.llm.probes import find_capabilities, probe_again
from experimenter.llm.providers import Provider, find_recorded_model, open_provider
from experimenter.llm.recorded import AnswerLog, Recorded, RecordedAnswer
from experimenter.llm.replies import Unreadable, parse_reply
from experimenter.llm.retries import RetryPolicy, call_with_retries
from experimenter.llm.samples import (
    Outcome,
    Sample,
    add_instructions,
    find_fault,
    make_entry,
    make_repair,
    make_sample,
    make_samples,
)
from experimenter.llm.scores import read_scores
from experimenter.records import Budget, Spent

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
_SCORE_SAMPLING = {"temperature": 0.0, "max_tokens": 8}
CALLS_AT_ONCE = 4
"""Calls to a remote model at the same time, from one place; its retries wait when the server asks for it."""


def open_gateway(
    engine: Engine,
    *,
    session_id: str,
    choice: ModelChoice,
    budget: Budget,
    home: Path,
    cache: bool = True,
    provider: Provider | None = None,
    retries: RetryPolicy | None = None,
) -> Gateway:
    """Open the door to the chosen model. Nothing is called, loaded or probed before the first question.

    `provider` replaces the one that `choice` names (a `Scripted` in a test); `cache=False` never answers from other sessions.
    """
    way = provider or open_provider(choice, engine, home)
    model = find_recorded_model(engine, choice.name) if choice.provider == "replay" else choice.model
    model = way.model if isinstance(way, Recorded) else model
    ledger = Ledger(engine, session_id, budget, model=model, provider=choice.provider, prices=choice.prices)
    return Gateway(engine, ledger, way, choice, model, cache=cache, retries=retries or RetryPolicy())


class Gateway:
    """One session's door to one model."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        provider: Provider,
        choice: ModelChoice,
        model: str,
        *,
        cache: bool,
        retries: RetryPolicy,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._provider = provider
        self._choice = choice
        self._model = model
        self._replays = choice.provider == "replay"
        self._scored = choice.provider in ("replay", "answers")
        self._cache = cache and choice.provider not in ("scripted", "replay", "answers")
        self._retries = retries
        self._log: AnswerLog | None = None
        self._capabilities: Capabilities | None = None

    @property
    def model(self) -> str:
        """Provider and name, for example `embedded/qwen2.5-coder-1.5b`."""
        return self._choice.model

    @property
    def provider(self) -> str:
        return self._choice.provider

    @property
    def remote(self) -> bool:
        """True when calls go to a server that can answer several at the same time."""
        return self.provider in ("openai", "litellm")

    @property
    def reason(self) -> str:
        """Why this model was chosen."""
        return self._choice.reason

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do: probed at the first question and stored for this model and base URL."""
        if self._capabilities is None:
            self._capabilities = find_capabilities(self, self._engine, self._choice, self._provider, self._model)
        return self._capabilities

    @property
    def sees(self) -> bool:
        return self.capabilities.vision

    def probe(self) -> Capabilities:
        """Probe the model anew and store what is found."""
        self._check_model()
        self._capabilities = probe_again(self, self._engine, self._choice, self._provider, self._model)
        return self._capabilities

    def spent(self) -> Spent:
        """Calls, tokens and money of this session, earlier processes included."""
        return self._ledger.spent()

    def record(self, answers: AnswerLog) -> None:
        """Write every answer from now on to `answers` as well, whether a call or the ledger gave it."""
        self._log = answers

    def close(self) -> None:
        """End the provider's connections and processes."""
        self._provider.close()

    def ask(
        self,
        role: str,
        messages: Sequence[Message],
        schema: type[M],
        *,
        step: str,
        n: int = 1,
        temperature: float = 0.7,
        seed: int = 0,
        max_tokens: int = 1024,
    ) -> list[Answer[M] | Failed]:
        """Ask for `n` samples of an answer in `schema`.

        `step` names the place in the session: the same question at the same step is answered from the ledger. Each answer is validated
        and repaired once; what stays invalid is a `Failed`. Raises `ModelRefused`, `ModelUnavailable` or `BudgetSpent`.
        """
        self._check_model()
        fitted, notes = self._fit(messages)
        first = make_sample(
            role,
            fitted,
            schema,
            model=self._model,
            step=step,
            seed=seed,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        samples = make_samples(first, self._model, schema, n)
        outcomes = self._answer(samples, schema)
        return [self._finish(sample, outcome, schema, notes) for sample, outcome in zip(samples, outcomes, strict=True)]

    def ask_one(
        self,
        role: str,
        messages: Sequence[Message],
        schema: type[M],
        *,
        step: str,
        temperature: float = 0.7,
        seed: int = 0,
        max_tokens: int = 1024,
    ) -> Answer[M]:
        """Ask for one answer; raises `AnswerInvalid` where `ask` would give a `Failed`."""
        answers = self.ask(role, messages, schema, step=step, temperature=temperature, seed=seed, max_tokens=max_tokens)
        if isinstance(answers[0], Failed):
            raise AnswerInvalid(f"{self.model} gave no usable answer to {role}: {answers[0].error}")
        return answers[0]

    def score(self, role: str, messages: Sequence[Message], choices: Sequence[str], *, step: str) -> dict[str, float]:
        """Log-probability of each one-word choice as the answer; raises `UsageError` for a model that tells none.

        A choice's probability is that of all first tokens that begin it (any case, with or without a space) and no other choice.
        """
        self._check_model()
        if not self.capabilities.logprobs:
            raise UsageError(f"{self.model} tells no log-probabilities: ask for an answer instead of scoring")
        fitted, _ = self._fit(messages)
        entry = make_entry(role, fitted, list(choices), _SCORE_SAMPLING, model=self._model, step=step)
        held = self._look_up(entry) or self._score_now(entry, fitted, choices)
        self._note(entry, Reply(text=held.text))
        if not held.valid:
            raise AnswerInvalid(f"{self.model} did not answer {role} with one of {', '.join(choices)}: {held.error}")
        return {name: float(value) for name, value in json.loads(held.text).items()}

    def call_raw(self, role: str, request: Request, *, step: str) -> list[Reply]:
        """Send `request` as it is and enter it in the ledger as one call; for probes. Raises like `ask`."""
        shape = {"schema": request.schema, "n": request.n, "logprobs": request.top_logprobs}
        sampling = {"max_tokens": request.max_tokens * request.n, "seed": request.seed}
        entry = make_entry(role, request.messages, shape, sampling, model=self._model, step=step)
        call_id = self._ledger.reserve(entry)
        replies, latency = self._call(replace(request, digests=(entry.prompt_digest,)), [call_id])
        whole = replace(
            replies[0],
            text="\n---\n".join(reply.text for reply in replies),
            completion_tokens=sum(reply.completion_tokens for reply in replies),
        )
        self._ledger.settle(call_id, whole, error="", latency_s=latency)
        return replies

    def _check_model(self) -> None:
        if self.provider == "none":
            raise ModelUnavailable(self.reason if self.reason.startswith("no model") else f"no model: {self.reason}")

    def _fit(self, messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
        """Leave images out where the model cannot see; the second part says so."""
        if self.capabilities.vision or not any(message.images for message in messages):
            return tuple(messages), ()
        log.info(self.capabilities.images_note)
        return tuple(replace(message, images=()) for message in messages), (self.capabilities.images_note,)

    def _look_up(self, entry: Entry) -> Held | None:
        held = self._ledger.find(entry)
        if held is None and self._cache:
            held = self._ledger.copy_cached(entry)
        return held

    def _answer(self, samples: Sequence[Sample], schema: type[BaseModel]) -> list[Outcome]:
        """Bring every sample to an answer in the ledger: from the ledger, or by one call for all where the server can, else one each,
        side by side where it is remote."""
        outcomes: dict[int, Outcome] = {}
        missing: list[int] = []
        for place, sample in enumerate(samples):
            if (held := self._look_up(sample.entry)) is not None:
                outcomes[place] = Outcome(held=held, reply=Reply(text=held.text), cached=True)
            else:
                missing.append(place)
        groups = [missing] if self.capabilities.n and len(missing) > 1 else [[place] for place in missing]
        while groups:
            left: list[list[int]] = []
            for group, answered in zip(groups, self._call_groups(groups, samples, schema), strict=True):
                outcomes.update(zip(group, answered, strict=False))
                left += [[place] for place in group[len(answered) :]]
            groups = left
        for place, sample in enumerate(samples):
            self._note(sample.entry, outcomes[place].reply)
        return [outcomes[place] for place in range(len(samples))]

    def _note(self, entry: Entry, reply: Reply) -> None:
        if self._log is None:
            return
        answer = RecordedAnswer(
            role=entry.role,
            step=entry.step,
            sample=entry.sample,
            attempt=entry.attempt,
            prompt_digest=entry.prompt_digest,
            answer=reply.text,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost_usd=reply.cost_usd,
        )
        self._log.write(answer, model=self._model, capabilities=self.capabilities)

    def _call_groups(
        self, groups: Sequence[Sequence[int]], samples: Sequence[Sample], schema: type[BaseModel]
    ) -> list[list[Outcome]]:
        """One call for each group of places; an error is raised when those beside it have ended and are in the ledger."""

        def call(group: Sequence[int]) -> list[Outcome]:
            return self._call_group([samples[place] for place in group], schema)

        if not self.remote or len(groups) < 2:
            return [call(group) for group in groups]
        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            return list(pool.map(call, groups))

    def _call_group(self, group: Sequence[Sample], schema: type[BaseModel]) -> list[Outcome]:
        """Make one call for the samples; a server that gives fewer than asked leaves the rest to further calls."""
        first, held_to = group[0], self.capabilities.schema
        request = Request(
            role=first.entry.role,
            messages=first.messages if held_to else add_instructions(first.messages, schema),
            schema=schema.model_json_schema() if held_to else None,
            n=len(group),
            temperature=first.temperature,
            seed=first.seed,
            max_tokens=first.max_tokens,
            digests=tuple(sample.entry.prompt_digest for sample in group),
            ordinal=self._ledger.count_answers(first.entry.role),
            step=first.entry.step,
            samples=tuple(sample.entry.sample for sample in group),
            attempt=first.entry.attempt,
        )
        call_ids = self._reserve(group)
        replies, latency = self._call(request, call_ids)
        self._ledger.fail(call_ids[len(replies) :], "the server gave fewer samples than asked", called=False)
        return [
            self._settle(call_id, reply, schema, latency) for call_id, reply in zip(call_ids, replies, strict=False)
        ]

    def _reserve(self, group: Sequence[Sample]) -> list[int]:
        """Reserve the budget for all samples or for none."""
        call_ids: list[int] = []
        try:
            for sample in group:
                call_ids.append(self._ledger.reserve(sample.entry))  # noqa: PERF401 - those taken so far are given back below
        except ModelError as error:
            self._ledger.fail(call_ids, str(error), called=False)
            raise
        return call_ids

    def _call(self, request: Request, call_ids: Sequence[int]) -> tuple[list[Reply], float]:
        """Call with retries; a call that gets no answer is entered as failed."""
        started = time.monotonic()
        try:
            replies = call_with_retries(
                lambda: self._provider.complete(request),
                self._retries,
                on_try=lambda number: self._ledger.count_try(call_ids),
            )
        except ModelError as error:
            self._ledger.fail(call_ids, str(error))
            raise
        return replies[: request.n], time.monotonic() - started

    def _settle(self, call_id: int, reply: Reply, schema: type[BaseModel], latency: float) -> Outcome:
        error = find_fault(reply, schema)
        cost = self._ledger.settle(call_id, reply, error=error, latency_s=latency, replayed=self._replays)
        held = Held(call_id=call_id, text=reply.text, valid=not error, error=error)
        return Outcome(held=held, reply=reply, cost_usd=cost, latency_s=latency, cached=self._replays)

    def _finish(self, sample: Sample, outcome: Outcome, schema: type[M], notes: tuple[str, ...]) -> Answer[M] | Failed:
        held = outcome.held
        if not held.valid and sample.entry.attempt == 0:
            repair = make_repair(sample, held, schema, self._model)
            (second,) = self._answer([repair], schema)
            return self._finish(repair, second, schema, notes)
        digest = sample.entry.prompt_digest
        try:
            value = parse_reply(held.text, schema)
        except Unreadable as error:
            return Failed(
                error=held.error or str(error), text=held.text, model=self.model, prompt_digest=digest, notes=notes
            )
        return Answer(
            value=value,
            text=held.text,
            model=self.model,
            prompt_digest=digest,
            call_id=held.call_id,
            cached=outcome.cached,
            repaired=sample.entry.attempt > 0,
            prompt_tokens=outcome.reply.prompt_tokens,
            completion_tokens=outcome.reply.completion_tokens,
            cost_usd=outcome.cost_usd,
            latency_s=outcome.latency_s,
            notes=notes,
        )

    def _score_now(self, entry: Entry, messages: tuple[Message, ...], choices: Sequence[str]) -> Held:
        request = Request(
            role=entry.role,
            messages=messages,
            choices=tuple(choices),
            temperature=0.0,
            max_tokens=8,
            top_logprobs=20,
            digests=(entry.prompt_digest,),
            ordinal=self._ledger.count_answers(entry.role),
            step=entry.step,
            samples=(entry.sample,),
        )
        call_id = self._ledger.reserve(entry)
        (reply, *_), latency = self._call(request, [call_id])
        if not self._scored:
            scores = read_scores(reply, choices)
            reply = replace(reply, text=json.dumps(scores) if scores else reply.text)
        error = "" if self._scored or scores else "no choice is among the alternatives of the first token"
        self._ledger.settle(call_id, reply, error=error, latency_s=latency, replayed=self._replays)
        return Held(call_id=call_id, text=reply.text, valid=not error, error=error)
