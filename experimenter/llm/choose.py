"""Which model answers, and why: the one place that reads keys and looks for servers.

Order: what was asked for (`--model`), `EXPERIMENTER_MODEL`, a vendor's key in the environment, an OpenAI-compatible server that answers
on this machine, the embedded model whose weights are here, no model at all (the rules decide). An OPENAI_API_KEY is only ever sent
to OpenAI's own URL or the one in OPENAI_BASE_URL; any other URL gets EXPERIMENTER_API_KEY or none.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from experimenter.errors import EnvironmentNotReady, UsageError
from experimenter.llm.models import find_model, model_path
from experimenter.llm.prices import FREE, Prices, find_prices, parse_prices

log = logging.getLogger(__name__)

PROVIDERS = ("openai", "litellm", "embedded", "replay", "answers", "scripted", "none")
OPENAI_URL = "https://api.openai.com/v1"
EMBEDDED_ORDER = ("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b")
"""SmolLM2-135M is taken only when it is named: its answers are noise."""
_VENDORS = (
    ("OPENAI_API_KEY", "openai/gpt-5.4-mini"),
    ("ANTHROPIC_API_KEY", "litellm/anthropic/claude-sonnet-5"),
    ("GEMINI_API_KEY", "litellm/gemini/gemini-3.8-flash"),
    ("MISTRAL_API_KEY", "litellm/mistral/mistral-large-latest"),
    ("DEEPSEEK_API_KEY", "litellm/deepseek/deepseek-chat"),
    ("GROQ_API_KEY", "litellm/groq/openai/gpt-oss-120b"),
    ("XAI_API_KEY", "litellm/xai/grok-4.20-non-reasoning"),
)
_PROBE_S = 0.3


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """The model that will answer, and why it was chosen."""

    provider: str
    model: str
    """Provider and name, for example `openai/gpt-5.4-mini` or `embedded/qwen2.5-coder-1.5b`."""
    base_url: str | None = None
    api_key: SecretStr | None = None
    """Never printed, logged or stored."""
    key_name: str = "EXPERIMENTER_API_KEY"
    """Environment variable to check when the key is refused."""
    reason: str
    prices: Prices | None = None
    """None: price unknown."""

    @property
    def name(self) -> str:
        """The model's name without its provider."""
        return self.model.partition("/")[2]


def resolve_model(
    model: str | None,
    *,
    base_url: str | None = None,
    environment: Mapping[str, str],
    home: Path,
    probe_ports: Sequence[int] = (11434, 1234, 8000, 8080),
) -> ModelChoice:
    """Choose the model; raises `UsageError` or `EnvironmentNotReady` when the one that was asked for cannot be had."""
    if model:
        return _named(model, base_url, environment, home, f"--model {model}")
    if name := environment.get("EXPERIMENTER_MODEL"):
        return _named(name, base_url, environment, home, f"EXPERIMENTER_MODEL={name}")
    if base_url or environment.get("EXPERIMENTER_BASE_URL"):
        return _first_of_server(base_url or environment["EXPERIMENTER_BASE_URL"], environment)
    choice, passed = _by_vendor_key(environment, home)
    choice = choice or _by_local_server(probe_ports, environment) or _by_weights(home)
    if choice is None:
        reason = "no model: no key, no local server, no fetched weights (`experimenter model fetch`); the rules decide"
        choice = ModelChoice(provider="none", model="none", reason=reason, prices=FREE)
    return choice if not passed else _explain(choice, passed)


def list_served_models(base_url: str, api_key: SecretStr | None = None, timeout_s: float = 5.0) -> list[str]:
    """Names of the models that an OpenAI-compatible server offers; empty when it does not answer as one."""
    headers = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
    local = is_local(base_url)
    try:
        response = httpx.get(base_url.rstrip("/") + "/models", headers=headers, timeout=timeout_s, trust_env=not local)
        entries = response.json()["data"] if response.status_code == 200 else []
        return [str(entry["id"]) for entry in entries]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return []


def is_local(base_url: str) -> bool:
    """True when the URL names this machine or its private network, where calls cost nothing."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))


def _named(text: str, base_url: str | None, environment: Mapping[str, str], home: Path, reason: str) -> ModelChoice:
    provider, _, name = text.partition("/")
    url = base_url or environment.get("EXPERIMENTER_BASE_URL")
    if text == "none":
        return ModelChoice(provider="none", model="none", reason=f"{reason}: the rules decide", prices=FREE)
    if provider not in PROVIDERS or not name:
        if not url:
            raise UsageError(
                f"unknown model {text!r}: write openai/NAME, litellm/VENDOR/NAME, embedded/{EMBEDDED_ORDER[0]}, replay/SESSION, "
                "answers/FILE, scripted/FILE or none, or give a base URL with a plain name"
            )
        provider, name = "openai", text
    if provider == "openai":
        return _openai(name, url, environment, reason)
    if provider == "litellm":
        return _litellm(name, url, environment, reason)
    if provider == "embedded":
        return _embedded(name, home, reason)
    return ModelChoice(provider=provider, model=f"{provider}/{name}", reason=reason, prices=FREE)


def _openai(name: str, url: str | None, environment: Mapping[str, str], reason: str) -> ModelChoice:
    own_url = (environment.get("OPENAI_BASE_URL") or OPENAI_URL).rstrip("/")
    url = (url or own_url).rstrip("/")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise UsageError(f"the base URL {url!r} is not one: expected http(s)://host[:port]/v1")
    names = ["EXPERIMENTER_API_KEY"] + (["OPENAI_API_KEY"] if url in (own_url, OPENAI_URL) else [])
    key_name = next((key for key in names if environment.get(key)), names[-1])
    if url == OPENAI_URL and not environment.get(key_name):
        raise EnvironmentNotReady(f"openai/{name} needs a key: set OPENAI_API_KEY (or a base URL of another server)")
    return ModelChoice(
        provider="openai",
        model=f"openai/{name}",
        base_url=url,
        api_key=_secret(environment, key_name),
        key_name=key_name,
        reason=reason,
        prices=_prices(name, url, environment),
    )


def _litellm(name: str, url: str | None, environment: Mapping[str, str], reason: str) -> ModelChoice:
    if importlib.util.find_spec("litellm") is None:
        raise EnvironmentNotReady(f"litellm/{name} needs litellm: install the extra `litellm`")
    vendor = next((key for key, model in _VENDORS if model.split("/")[1] == name.split("/")[0]), None)
    names = ["EXPERIMENTER_API_KEY"] + ([vendor] if vendor and not url else [])
    key_name = next((key for key in names if environment.get(key)), names[-1])
    return ModelChoice(
        provider="litellm",
        model=f"litellm/{name}",
        base_url=url,
        api_key=_secret(environment, key_name),
        key_name=key_name,
        reason=reason,
        prices=_prices(name, url, environment),
    )


def _embedded(name: str, home: Path, reason: str) -> ModelChoice:
    find_model(name)
    if importlib.util.find_spec("xllamacpp") is None:
        raise EnvironmentNotReady(f"embedded/{name} needs xllamacpp: install the extra `local`")
    if model_path(name, home) is None:
        raise EnvironmentNotReady(
            f"the weights of {name} are not in {home / 'models'}: run `experimenter model fetch {name}`"
        )
    return ModelChoice(provider="embedded", model=f"embedded/{name}", reason=reason, prices=FREE)


def _first_of_server(url: str, environment: Mapping[str, str]) -> ModelChoice:
    names = list_served_models(url, _secret(environment, "EXPERIMENTER_API_KEY"))
    if not names:
        raise EnvironmentNotReady(f"{url} does not list its models: is the server running? Name one with --model NAME")
    return _openai(names[0], url, environment, f"the first model of the server at {url}")


def _by_vendor_key(environment: Mapping[str, str], home: Path) -> tuple[ModelChoice | None, list[str]]:
    """The model of the first vendor whose key is set; beside it the keys that could not be used."""
    passed = []
    for key, model in _VENDORS:
        if not environment.get(key):
            continue
        if model.startswith("litellm/") and importlib.util.find_spec("litellm") is None:
            passed.append(f"{key} is set, but the extra `litellm` is not installed")
            continue
        return _named(model, None, environment, home, f"{key} is set"), passed
    return None, passed


def _by_local_server(ports: Sequence[int], environment: Mapping[str, str]) -> ModelChoice | None:
    for port in ports:
        url = f"http://127.0.0.1:{port}/v1"
        names = [name for name in list_served_models(url, timeout_s=_PROBE_S) if "embed" not in name.lower()]
        if names:
            return _openai(names[0], url, environment, f"a server on this machine answers at {url}")
    return None


def _by_weights(home: Path) -> ModelChoice | None:
    if importlib.util.find_spec("xllamacpp") is None:
        return None
    for name in EMBEDDED_ORDER:
        if model_path(name, home) is not None:
            why = "" if name == EMBEDDED_ORDER[0] else f"; {EMBEDDED_ORDER[0]} is better, but not fetched"
            return _embedded(name, home, f"no key and no local server; its weights are here{why}")
    return None


def _prices(name: str, url: str | None, environment: Mapping[str, str]) -> Prices | None:
    if text := environment.get("EXPERIMENTER_PRICES"):
        return parse_prices(text)
    if url and is_local(url):
        return FREE
    return find_prices(name) if url in (None, OPENAI_URL) else None


def _secret(environment: Mapping[str, str], name: str) -> SecretStr | None:
    value = environment.get(name)
    return SecretStr(value) if value else None


def _explain(choice: ModelChoice, passed: Sequence[str]) -> ModelChoice:
    return replace(choice, reason=f"{choice.reason} ({'; '.join(passed)})")
