"""An SB3 run as plain arrays and JSON: weights, optimisers, replay buffer, VecNormalize, counters, random generators.

SB3's own zip holds pickles and is not used. The library draws from process-wide generators; `isolated_randomness` gives
them back as they were.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_n_calls", "exploration_rate")
_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


@contextmanager
def isolated_randomness() -> Iterator[None]:
    """Restore Python's, NumPy's and torch's process-wide generators afterwards."""
    before = _generators()
    try:
        yield
    finally:
        _set_generators(before)


def save_model(model: Any, normaliser: Any) -> tuple[dict[str, Any], Arrays]:
    """State and arrays of a checkpoint."""
    arrays: Arrays = {f"random.{name}": value for name, value in _generators().items()}
    for name, content in model.get_parameters().items():
        arrays |= _flat_optimizer(name, content) if name.endswith("optimizer") else _flat_weights(name, content)
    for name in ("log_ent_coef",):
        if getattr(model, name, None) is not None:
            arrays[f"tensor.{name}"] = _numpy(getattr(model, name))
    state: dict[str, Any] = {name: getattr(model, name) for name in _COUNTERS if hasattr(model, name)}
    state["action_rng"] = model.action_space.np_random.bit_generator.state
    if normaliser is not None:
        state["normaliser"] = {
            name: {"mean": rms.mean.tolist(), "var": rms.var.tolist(), "count": float(rms.count)}
            for name, rms in _statistics(normaliser).items()
        }
    if (buffer := getattr(model, "replay_buffer", None)) is not None:
        used = buffer.buffer_size if buffer.full else buffer.pos
        arrays |= {f"replay.{name}": getattr(buffer, name)[:used] for name in _REPLAY}
        state["replay"] = {"pos": buffer.pos, "full": bool(buffer.full)}
    return state, arrays


def load_model(model: Any, normaliser: Any, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give a fresh model what `save_model` returned; raises KeyError, ValueError or RuntimeError when it does not fit."""
    parameters = model.get_parameters()
    for name, content in parameters.items():
        if name.endswith("optimizer"):
            parameters[name] = _nested_optimizer(name, content, arrays)
        else:
            parameters[name] = {key: torch.as_tensor(arrays[f"weights.{name}.{key}"]) for key in content}
    model.set_parameters(parameters, exact_match=True, device=model.device)
    if getattr(model, "log_ent_coef", None) is not None:
        with torch.no_grad():
            model.log_ent_coef.copy_(torch.as_tensor(arrays["tensor.log_ent_coef"]))
    for name in _COUNTERS:
        if name in state:
            setattr(model, name, state[name])
    model.action_space.np_random.bit_generator.state = state["action_rng"]
    if normaliser is not None:
        for name, rms in _statistics(normaliser).items():
            saved = state["normaliser"][name]
            rms.mean, rms.var, rms.count = np.array(saved["mean"]), np.array(saved["var"]), saved["count"]
    if (buffer := getattr(model, "replay_buffer", None)) is not None:
        for name in _REPLAY:
            getattr(buffer, name)[: len(arrays[f"replay.{name}"])] = arrays[f"replay.{name}"]
        buffer.pos, buffer.full = state["replay"]["pos"], state["replay"]["full"]
    _set_generators({name.removeprefix("random."): a for name, a in arrays.items() if name.startswith("random.")})


def _statistics(normaliser: Any) -> dict[str, Any]:
    found = {"returns": normaliser.ret_rms}
    return {**found, "observations": normaliser.obs_rms} if normaliser.norm_obs else found


def _flat_weights(name: str, content: Mapping[str, torch.Tensor]) -> Arrays:
    return {f"weights.{name}.{key}": _numpy(value) for key, value in content.items()}


def _flat_optimizer(name: str, content: Mapping[str, Any]) -> Arrays:
    return {
        f"optimizer.{name}/{index}/{key}": _numpy(value)
        for index, entry in content["state"].items()
        for key, value in entry.items()
    }


def _nested_optimizer(name: str, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    entries: dict[int, dict[str, torch.Tensor]] = {}
    prefix = f"optimizer.{name}/"
    for full, value in arrays.items():
        if full.startswith(prefix):
            index, key = full.removeprefix(prefix).split("/")
            entries.setdefault(int(index), {})[key] = torch.as_tensor(value)
    return {**content, "state": entries}


def _generators() -> Arrays:
    version, words, _ = random.getstate()
    _, keys, pos, has_gauss, gauss = np.random.get_state(legacy=True)
    found: Arrays = {
        "python": np.array([version, *words], dtype=np.int64),
        "numpy_keys": np.array(keys, dtype=np.int64),
        "numpy_gauss": np.array([pos, has_gauss, gauss], dtype=np.float64),
        "torch": torch.get_rng_state().numpy().copy(),
    }
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_rng_state().numpy().copy()
    return found


def _set_generators(arrays: Mapping[str, NDArray[Any]]) -> None:
    version, *words = (int(word) for word in arrays["python"])
    random.setstate((version, tuple(words), None))
    pos, has_gauss, gauss = arrays["numpy_gauss"].tolist()
    np.random.set_state(("MT19937", arrays["numpy_keys"].astype(np.uint32), int(pos), int(has_gauss), gauss))
    torch.set_rng_state(torch.as_tensor(arrays["torch"].copy()))
    if "cuda" in arrays and torch.cuda.is_available():
        torch.cuda.set_rng_state(torch.as_tensor(arrays["cuda"].copy()))


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
