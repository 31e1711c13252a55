"""The provider for everything that speaks no OpenAI protocol, through the optional litellm package.

litellm is imported here only, with its price list local (its import would ask the network otherwise), its telemetry, retries, cache and
budgets off: those are the gateway's. It is heavy (about 3 s and 180 MB), so nothing else may import this module at start.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from experimenter.errors import EnvironmentNotReady, ModelRefused
from experimenter.llm.choose import ModelChoice
from experimenter.llm.messages import Reply, Request
from experimenter.llm.remote import make_body, read_completion
from experimenter.llm.retries import Transient, raise_for_status


def load_litellm() -> Any:
    """Import litellm without letting it use the network; raises `EnvironmentNotReady` naming the extra."""
    if importlib.util.find_spec("litellm") is None:
        raise EnvironmentNotReady("this model needs litellm: install the extra `litellm`")
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    return litellm


class ThroughLiteLLM:
    """Asks `choice.name` (litellm's spelling, for example `anthropic/NAME`)."""

    def __init__(self, choice: ModelChoice, timeout_s: float = 300.0) -> None:
        self._litellm = load_litellm()
        self._choice = choice
        self._timeout_s = timeout_s
        self._secret = choice.api_key.get_secret_value() if choice.api_key else None
        self._check_key()

    def complete(self, request: Request) -> list[Reply]:
        """Answer with as many samples as the vendor gives; raises `Transient` or `ModelRefused`."""
        body = make_body(self._choice.name, request)
        try:
            answer = self._litellm.completion(
                **body,
                api_base=self._choice.base_url,
                api_key=self._secret,
                timeout=self._timeout_s,
                num_retries=0,
                max_retries=0,
            )
        except self._litellm.exceptions.Timeout:
            raise Transient(f"{self._choice.name} gave no answer in time") from None
        except (self._litellm.exceptions.APIError, *self._litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
            self._refuse(error)
        return self._price(read_completion(answer.model_dump()), answer)

    def close(self) -> None:
        self._litellm.in_memory_llm_clients_cache.flush_cache()

    def _check_key(self) -> None:
        """Find a missing key before the call: litellm would report it as a server error."""
        if self._secret or self._choice.base_url:
            return
        missing = self._litellm.validate_environment(self._choice.name).get("missing_keys") or []
        if missing:
            raise ModelRefused(f"{self._choice.name} needs a key: set {' and '.join(missing)}")

    def _refuse(self, error: Any) -> None:
        text = str(error)
        for secret in filter(None, [self._secret, *self._secrets_in_environment()]):
            text = text.replace(secret, "***")
        headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", None) or {}
        where = self._choice.base_url or "the vendor"
        status = int(getattr(error, "status_code", None) or 500)
        raise_for_status(status, text, headers, model=self._choice.name, where=where, key_name=self._choice.key_name)

    def _secrets_in_environment(self) -> list[str]:
        return [value for name, value in os.environ.items() if name.endswith("_API_KEY") and len(value) > 6]

    def _price(self, replies: list[Reply], answer: Any) -> list[Reply]:
        """Put litellm's cost of the whole call on the first sample; unknown stays None."""
        cost = (getattr(answer, "_hidden_params", None) or {}).get("response_cost")
        if cost is None:
            return replies
        return [replace(reply, cost_usd=float(cost) if place == 0 else 0.0) for place, reply in enumerate(replies)]
