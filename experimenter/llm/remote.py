"""The provider for any OpenAI-compatible URL: vendors, vLLM, Ollama, LM Studio.

The SDK's own retries are off. A server that refuses one parameter (newer models want `max_completion_tokens`, some know no `seed` or
no `response_format`) is asked again without it, and the provider remembers; `lacks` tells the probe.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from experimenter.errors import ModelRefused
from experimenter.llm.choose import ModelChoice
from experimenter.llm.messages import Message, Reply, Request
from experimenter.llm.retries import Transient, raise_for_status

_OPTIONAL = ("response_format", "seed", "temperature", "top_logprobs", "logprobs", "n", "max_tokens")
_RENAMED = {"max_tokens": "max_completion_tokens"}


class OpenAICompatible:
    """Talks to `choice.base_url`."""

    def __init__(self, choice: ModelChoice, timeout_s: float = 300.0) -> None:
        import openai

        self._openai = openai
        self._choice = choice
        self._secret = choice.api_key.get_secret_value() if choice.api_key else "none"
        self._client = openai.OpenAI(api_key=self._secret, base_url=choice.base_url, max_retries=0, timeout=timeout_s)
        self.lacks: set[str] = set()
        """Parameters that this server refused."""

    def complete(self, request: Request) -> list[Reply]:
        """Answer with as many samples as the server gives; raises `Transient` or `ModelRefused`."""
        for _ in range(len(_OPTIONAL) + 1):
            body = make_body(self._choice.name, request)
            try:
                return read_completion(self._send(body).model_dump())
            except self._openai.BadRequestError as error:
                if not self._learn(body, error):
                    self._refuse(error)
        raise ModelRefused(f"{self._where} refuses every form of the request for {self._choice.name}")

    def close(self) -> None:
        self._client.close()

    @property
    def _where(self) -> str:
        return self._choice.base_url or "the model's server"

    def _send(self, body: dict[str, Any]) -> Any:
        kept = {
            _RENAMED.get(name, name) if name in self.lacks else name: value
            for name, value in body.items()
            if not self._drops(name)
        }
        try:
            return self._client.chat.completions.create(**kept)
        except self._openai.BadRequestError:
            raise
        except self._openai.APIStatusError as error:
            self._refuse(error)
        except self._openai.APITimeoutError:
            raise Transient(f"{self._choice.name} at {self._where} gave no answer in time") from None
        except self._openai.APIConnectionError as error:
            reason = self._hide(str(error.__cause__ or error))
            raise Transient(
                f"no connection to {self._where} for {self._choice.name}: is the server running? ({reason})"
            ) from None
        except ValueError as error:  # the body was not JSON, or not of the protocol
            raise Transient(
                f"{self._where} sent an answer that is not of the OpenAI protocol ({type(error).__name__})"
            ) from None
        raise AssertionError("unreachable")

    def _drops(self, name: str) -> bool:
        return name in self.lacks and name not in _RENAMED

    def _learn(self, body: Mapping[str, Any], error: Any) -> bool:
        """Remember the parameter that the server refused; False when the refusal is about something else."""
        text = str(error)
        for name in _OPTIONAL:
            if (
                name in body
                and name not in self.lacks
                and (error.param == name or f"'{name}'" in text or f'"{name}"' in text)
            ):
                self.lacks.add(name)
                return True
        return False

    def _refuse(self, error: Any) -> None:
        raise_for_status(
            error.status_code,
            self._hide(str(error)),
            error.response.headers,
            model=self._choice.name,
            where=self._where,
            key_name=self._choice.key_name,
        )

    def _hide(self, text: str) -> str:
        return text.replace(self._secret, "***") if len(self._secret) > 6 else text


def make_body(model: str, request: Request) -> dict[str, Any]:
    """Spell a request in the chat-completions protocol; images travel as data URLs."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [plain_message(message) for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed % 2**31,
    }
    if request.n > 1:
        body["n"] = request.n
    if request.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict(request.schema)},
        }
    if request.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": min(request.top_logprobs, 20)}
    return body


def plain_message(message: Message) -> dict[str, Any]:
    """Spell one message; without images its content is a plain string, which every server takes."""
    if not message.images:
        return {"role": message.role, "content": message.text}
    content: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
    for image in message.images:
        url = "data:image/png;base64," + base64.b64encode(image).decode()
        content.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": message.role, "content": content}


def read_completion(answer: Mapping[str, Any]) -> list[Reply]:
    """Read the samples of a chat completion; its prompt tokens stand with the first one. Raises `Transient` when there is none."""
    choices: Sequence[Mapping[str, Any]] = answer.get("choices") or []
    if not choices:
        raise Transient("the server sent an answer without choices")
    usage = answer.get("usage") or {}
    spent = int(usage.get("completion_tokens") or 0)
    share, rest = divmod(spent, len(choices))
    return [
        Reply(
            text=(choice.get("message") or {}).get("content") or "",
            prompt_tokens=int(usage.get("prompt_tokens") or 0) if place == 0 else 0,
            completion_tokens=share + (1 if place < rest else 0),
            cut=choice.get("finish_reason") == "length",
            first_token=_read_first_token(choice),
        )
        for place, choice in enumerate(choices)
    ]


def _read_first_token(choice: Mapping[str, Any]) -> dict[str, float]:
    tokens = (choice.get("logprobs") or {}).get("content") or []
    if not tokens:
        return {}
    return {entry["token"]: float(entry["logprob"]) for entry in tokens[0].get("top_logprobs") or [tokens[0]]}
