"""What can this model do? One short question for each capability, asked once for a model and a base URL, the outcome stored.

Each probe is an ordinary call with a row in the ledger (role `probe`). A question that the server refuses means that it cannot; a
server that is down or refuses the key is an error, not an answer, and nothing is stored. The weights in `models.CATALOG` are known
by their hash, so the outcome of their probe ships in `_EMBEDDED`; `probe_again` asks anew.
"""

from __future__ import annotations

import io
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import numpy as np
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from sqlmodel import Session, select

from experimenter.errors import ModelRefused
from experimenter.llm.arithmetic import NotStraight, work_out
from experimenter.llm.choose import ModelChoice
from experimenter.llm.messages import Capabilities, Message, Reply, Request
from experimenter.llm.models import CATALOG
from experimenter.llm.prices import find_context
from experimenter.llm.providers import NoModel, Provider
from experimenter.llm.replies import Unreadable, parse_reply
from experimenter.llm.scores import read_scores
from memory.tables import CapabilityRow, now

if TYPE_CHECKING:
    from experimenter.llm.gateway import Gateway

log = logging.getLogger(__name__)

_SYSTEM = Message("system", "You are a careful engineer. You answer exactly in the form that is asked for.")
_COLOURS = {"red": "#d62020", "green": "#1fa01f", "blue": "#2040d6", "yellow": "#f0d000"}
_SEEN = ("blue", "red")
_CODE_TRIES = 2
"""Right both times: a model that writes right code now and then is asked for specifications."""
_DEFAULT_CONTEXT = 8192
_FORM_KEY, _FORM = "form", 2
"""Which test stood behind a stored outcome. The first could not read `dtype=float` or `astype`, and its refusals are not believed."""


class _Code(BaseModel):
    code: str = Field(min_length=60, max_length=2000)


class _Bicycle(BaseModel):
    colour: Literal["red", "green", "blue", "yellow"]
    wheels: int = Field(ge=0, le=9)
    owner: str = Field(max_length=40)


NO_CAPABILITIES = Capabilities(context_tokens=0, images_note="there is no model")
_EMBEDDED: dict[str, Capabilities] = {
    f"embedded/{name}": Capabilities(
        schema=True, logprobs=True, context_tokens=4096, images_note=f"embedded/{name} cannot see: images were left out"
    )
    for name in CATALOG
}
"""What `probe_again` found for the weights of the catalogue; a slow test asks again."""


def find_capabilities(
    gateway: Gateway, engine: Engine, choice: ModelChoice, provider: Provider, model: str
) -> Capabilities:
    """What `model` can do: as scripted, as stored, as known for its weights, or as a probe finds now."""
    if isinstance(provider, NoModel):
        return NO_CAPABILITIES
    scripted = getattr(provider, "capabilities", None)
    if isinstance(scripted, Capabilities):
        return scripted
    stored = _load(engine, model, choice)
    if stored is not None:
        return stored
    if choice.provider == "replay":
        return _EMBEDDED.get(model, Capabilities(images_note=_note(model)))
    if model in _EMBEDDED:
        return _EMBEDDED[model]
    return probe_again(gateway, engine, choice, provider, model)


def probe_again(gateway: Gateway, engine: Engine, choice: ModelChoice, provider: Provider, model: str) -> Capabilities:
    """Probe the model and store the outcome, replacing an earlier one."""
    found = _Probe(gateway, provider, held_to_schema=choice.provider == "embedded").run(
        model, _find_context_tokens(choice)
    )
    with Session(engine) as session:
        session.merge(
            CapabilityRow(model=model, base_url=choice.base_url or "", payload=to_payload(found), probed_at=now())
        )
        session.commit()
    log.info(
        "probed %s: %s",
        model,
        ", ".join(name for name, able in asdict(found).items() if able is True) or "plain text only",
    )
    if not found.code:
        log.warning(
            "%s did not write right reward code in a first test: it is asked for reward specifications instead", model
        )
    return found


class _Probe:
    """The questions, each one method."""

    def __init__(self, gateway: Gateway, provider: Provider, *, held_to_schema: bool) -> None:
        self._gateway = gateway
        self._provider = provider
        self._held_to_schema = held_to_schema

    def run(self, model: str, context_tokens: int) -> Capabilities:
        """Ask everything. The first question must be answered: what it raises (a wrong key, a dead server) goes to the caller."""
        first = self._asks_code(0)
        code = first and all(self._asks_code(number) for number in range(1, _CODE_TRIES))
        vision = all(self._asks_colour(colour) for colour in _SEEN)
        return Capabilities(
            code=code,
            schema=self._asks_schema(),
            vision=vision,
            n=self._asks_two(),
            logprobs=self._asks_logprobs(),
            context_tokens=context_tokens,
            images_note="" if vision else _note(model),
        )

    def _asks_code(self, number: int) -> bool:
        text = Path(__file__).with_name("probe_code.md").read_text(encoding="utf-8")
        schema = _Code.model_json_schema() if self._held_to_schema else None
        (reply, *_) = self._ask("code", text, schema=schema, seed=number, max_tokens=700)
        try:
            return is_right_reward(parse_reply(reply.text, _Code).code)
        except Unreadable:
            return False

    def _asks_schema(self) -> bool:
        replies = self._try(
            "schema", "Describe a bicycle that you like.", schema=_Bicycle.model_json_schema(), max_tokens=200
        )
        if not replies or "response_format" in self._lacks:
            return False
        try:
            parse_reply(replies[0].text, _Bicycle)
        except Unreadable:
            return False
        return True

    def _asks_colour(self, colour: str) -> bool:
        question = f"Which colour has the shape in the picture? Answer with one word of: {', '.join(_COLOURS)}."
        replies = self._try(f"vision-{colour}", question, images=(draw_shape(_COLOURS[colour]),), max_tokens=16)
        named = [name for name in _COLOURS if replies and name in replies[0].text.lower()]
        return named == [colour]

    def _asks_two(self) -> bool:
        replies = self._try("n", "Name a colour. Answer with one word.", n=2, max_tokens=8)
        return len(replies) == 2 and "n" not in self._lacks

    def _asks_logprobs(self) -> bool:
        replies = self._try(
            "logprobs", "Is falling good for a robot? Answer with one word: good or bad.", top_logprobs=20, max_tokens=8
        )
        return bool(replies and len(replies[0].first_token) > 1 and read_scores(replies[0], ("good", "bad")))

    def _try(self, name: str, text: str, **wishes: Any) -> list[Reply]:
        """Ask; a refusal of this form of question is no reply."""
        try:
            return self._ask(name, text, **wishes)
        except ModelRefused as error:
            log.info("probe %s: %s", name, error)
            return []

    def _ask(self, name: str, text: str, images: tuple[bytes, ...] = (), **wishes: Any) -> list[Reply]:
        request = Request(role="probe", messages=(_SYSTEM, Message("user", text, images)), temperature=0.2, **wishes)
        return self._gateway.call_raw("probe", request, step=f"probe:{name}:{request.seed}")

    @property
    def _lacks(self) -> set[str]:
        """Parameters that the server refused and the provider left out."""
        return getattr(self._provider, "lacks", set())


def is_right_reward(code: str) -> bool:
    """Does the answer to `probe_code.md` compute a batched reward that pays for speed and charges for tilt and torque?"""
    worlds = {"speed": [0.0, 1.0, 2.0, 2.0, 2.0, 2.0], "tilt": [0.0, 0.0, 0.0, 0.7, -0.7, 0.0]}
    state: dict[str, Any] = {name: np.array(values) for name, values in worlds.items()} | {"wheels": np.zeros((6, 2))}
    action = np.zeros((6, 2))
    action[5] = 1.0
    before = {name: np.zeros_like(values) for name, values in state.items()}
    try:
        reward, terms = work_out(code, "compute_reward", {"state": before, "action": action, "next_state": state})
        values = np.asarray(reward, dtype=float)
        parts = np.sum([np.asarray(part, dtype=float) for part in terms.values()], axis=0)
    except (NotStraight, ValueError, TypeError, AttributeError):
        return False
    if values.shape != (6,) or parts.shape != (6,) or not np.all(np.isfinite(values)) or not np.allclose(parts, values):
        return False
    stands, slow, best, leans, leans_back, pushes = values
    return bool(stands < slow < best and leans < best and leans_back < best and pushes < best)


def draw_shape(colour: str, size: int = 96) -> bytes:
    """Draw a filled disc of `colour` on white, as a PNG file."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (size, size), "white")
    ImageDraw.Draw(image).ellipse((size // 6, size // 6, size - size // 6, size - size // 6), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _note(model: str) -> str:
    return f"{model} cannot see: images were left out"


def to_payload(found: Capabilities) -> dict[str, Any]:
    """What a row stores of `found`."""
    return {**asdict(found), _FORM_KEY: _FORM}


def _load(engine: Engine, model: str, choice: ModelChoice) -> Capabilities | None:
    query = select(CapabilityRow).where(CapabilityRow.model == model)
    if choice.provider != "replay":
        query = query.where(CapabilityRow.base_url == (choice.base_url or ""))
    with Session(engine) as session:
        row = session.exec(query).first()
    if row is None:
        return None
    payload = dict(row.payload)
    if payload.pop(_FORM_KEY, 1) != _FORM and not payload.get("code"):
        return None  # refused by a test that took right code for wrong: ask again
    try:
        return Capabilities(**payload)
    except TypeError:  # stored by another version
        return None


def _find_context_tokens(choice: ModelChoice) -> int:
    """Longest prompt, by the server's own word, the price list, or a careful default."""
    if choice.provider == "embedded":
        from experimenter.llm.embedded import CONTEXT_TOKENS

        return CONTEXT_TOKENS
    if choice.provider == "openai" and choice.base_url:
        headers = {"Authorization": f"Bearer {choice.api_key.get_secret_value()}"} if choice.api_key else {}
        try:
            entries = httpx.get(f"{choice.base_url}/models", headers=headers, timeout=5.0).json()["data"]
            for entry in entries:
                if entry.get("id") == choice.name and (
                    tokens := entry.get("max_model_len") or entry.get("context_length")
                ):
                    return int(tokens)
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            pass
    return find_context(choice.name) or _DEFAULT_CONTEXT
