"""Policies of web pages, played by NumPy: a set transformer over a page's elements with pointer heads. Kind `dom`.

The observation is that of the web family (`envs/web/encoding.py`): rows of elements, each with what it is (`plain`) and how it belongs to every
field of the instruction and to the clipboard (`pair`), then a tail that tells the instruction and its fields. The network is
equivariant to the order of the rows: nothing of a page but its features tells elements apart.

    x_e = R plain_e + P sum_j (A pair_ej) * tanh(B f_j)         an element, and the fields that it has to do with
    i   = T instruction + sum_j F f_j                           one token for the instruction
    y   = transformer(i, x_1 .. x_n)                            pre-norm, masked
    click, copy (e) = w h_e + s plain_e,                        h_e = relu(H y_e + G y_i)
    type (j, e)     = k_j . Q h_e / sqrt(d) + pair_ej . U f_j + v f_j,    k_j = K relu(F' f_j + G' y_i)
    keys            = W relu(V y_i)

Spec: {"kind": "dom", "head": "policy" | "q", "layout": sizes and columns of the observation, "layers", "heads", "recurrent"}; tensors by the
names of `experimenter/trainers/dom_network.py`. Impossible actions are masked by what the observation itself says. A recurrent policy adds what a
gated unit remembers of earlier pages to the instruction's token, and forgets on the first page of an episode.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.float32]]

HEADS = ("policy", "q")
NEVER = -1e9
"""Logit of an action that is impossible."""
_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class DomLayout:
    """Sizes and columns of an observation and of the numbered actions."""

    slots: int
    plain: int
    pair: int
    pairs: int
    """Fields and the clipboard."""
    instruction: int
    field: int
    keys: int
    """Actions that point at nothing: scroll, keys, done (the last)."""
    present: int
    editable: int
    disabled: int
    has_text: int
    has_value: int
    may_declare: int
    """Column of the tail."""
    spent: int
    """Column of the tail; 0 on the first page of an episode."""

    @property
    def width(self) -> int:
        return self.plain + self.pairs * self.pair

    @property
    def size(self) -> int:
        """Numbers of an observation."""
        return self.slots * self.width + self.instruction + self.pairs * self.field

    @property
    def actions(self) -> int:
        return (2 + self.pairs) * self.slots + self.keys

    def plain_json(self) -> dict[str, int]:
        return asdict(self)


def split(layout: DomLayout, observation: Any, slots: int) -> tuple[Any, Any, Any, Any]:
    """Views of observations [n, size]: rows [n, slots, plain], pairs [n, slots, pairs, pair], instruction, fields [n, pairs, field]."""
    n, end = len(observation), layout.slots * layout.width
    rows = observation[:, :end].reshape(n, layout.slots, layout.width)[:, :slots]
    pairs = rows[:, :, layout.plain :].reshape(n, slots, layout.pairs, layout.pair)
    fields = observation[:, end + layout.instruction :].reshape(n, layout.pairs, layout.field)
    return rows[:, :, : layout.plain], pairs, observation[:, end : end + layout.instruction], fields


def masks(layout: DomLayout, observation: Float32) -> NDArray[np.bool_]:
    """[n, actions] what can be done on the pages of observations [n, size]."""
    n, slots = len(observation), layout.slots
    rows, _, instruction, fields = split(layout, observation, slots)
    out = np.ones((n, layout.actions), np.bool_)
    out[:, :slots] = (rows[:, :, layout.present] > 0.5) & (rows[:, :, layout.disabled] < 0.5)
    out[:, slots : 2 * slots] = (rows[:, :, layout.has_text] > 0.5) | (rows[:, :, layout.has_value] > 0.5)
    typed = (fields[:, :, None, 0] > 0.5) & (rows[:, None, :, layout.editable] > 0.5)
    out[:, 2 * slots : -layout.keys] = typed.reshape(n, -1)
    out[:, -1] = instruction[:, layout.may_declare] > 0.5
    return out


def forward(
    layout: DomLayout,
    tensors: Tensors,
    layers: int,
    heads: int,
    observation: Float32,
    head: str,
    memory: Float32 | None = None,
) -> tuple[Float32, Float32 | None]:
    """Logits or values [n, actions] of every action, before any mask; and the memory [n, d] afterwards, of a policy that has one."""
    slots = max(1, int((observation[:, : layout.slots * layout.width : layout.width] > 0.5).sum(axis=1).max()))
    plain, pair, instruction, fields = split(layout, observation, slots)
    known = fields[:, :, :1]
    gate = np.tanh(_linear(tensors, "pair_gate", fields))
    mixed = np.einsum("njh,nejh->neh", gate, _linear(tensors, "pair_in", pair))
    elements = _linear(tensors, "row", plain) + _linear(tensors, "pair_out", mixed)
    first = _linear(tensors, "told", instruction) + (_linear(tensors, "field", fields) * known).sum(axis=1)
    tokens = np.concatenate((first[:, None], elements), axis=1)
    there = np.concatenate((np.ones((len(plain), 1), np.bool_), plain[:, :, layout.present] > 0.5), axis=1)
    for layer in range(layers):
        tokens = _block(tensors, f"blocks.{layer}", tokens, there, heads)
    tokens = _norm(tensors, "norm", tokens)
    if memory is not None:
        memory = _remember(tensors, tokens[:, 0], memory * (instruction[:, layout.spent, None] > 0))
        tokens = np.concatenate(((tokens[:, 0] + _linear(tensors, "recall", memory))[:, None], tokens[:, 1:]), axis=1)
    return _point(layout, tensors, f"{head}_head", tokens, plain, pair, fields), memory


def _remember(tensors: Tensors, x: Float32, memory: Float32) -> Float32:
    """A gated recurrent unit (Cho et al. 2014) in torch's order of gates: reset, update, new."""
    given = x @ tensors["memory.weight_ih"].T + tensors["memory.bias_ih"]
    held = memory @ tensors["memory.weight_hh"].T + tensors["memory.bias_hh"]
    (reset, update, new), (reset_held, update_held, new_held) = (np.split(part, 3, axis=1) for part in (given, held))
    keep = 1.0 / (1.0 + np.exp(-(update + update_held)))
    fresh = np.tanh(new + new_held / (1.0 + np.exp(-(reset + reset_held))))
    out: Float32 = ((1.0 - keep) * fresh + keep * memory).astype(np.float32)
    return out


def _point(
    layout: DomLayout, tensors: Tensors, name: str, tokens: Float32, plain: Float32, pair: Float32, fields: Float32
) -> Float32:
    """The pointer heads over tokens [n, 1 + slots, d]."""
    n, slots = plain.shape[:2]
    first, elements = tokens[:, 0], tokens[:, 1:]
    hidden = np.maximum(
        _linear(tensors, f"{name}.element", elements) + _linear(tensors, f"{name}.context", first)[:, None], 0.0
    )
    points = _linear(tensors, f"{name}.point", hidden) + _linear(tensors, f"{name}.shallow", plain)
    field = np.maximum(
        _linear(tensors, f"{name}.field", fields) + _linear(tensors, f"{name}.field_context", first)[:, None], 0.0
    )
    key, query = _linear(tensors, f"{name}.key", field), _linear(tensors, f"{name}.query", hidden)
    typed = np.einsum("njh,neh->nje", key, query) / math.sqrt(key.shape[-1])
    typed = typed + np.einsum("nejp,njp->nje", pair, _linear(tensors, f"{name}.pair", fields))
    typed = typed + _linear(tensors, f"{name}.said", fields)
    out = np.full((n, layout.actions), NEVER, np.float32)
    out[:, :slots], out[:, layout.slots : layout.slots + slots] = points[:, :, 0], points[:, :, 1]
    out[:, 2 * layout.slots : -layout.keys].reshape(n, layout.pairs, layout.slots)[:, :, :slots] = typed
    out[:, -layout.keys :] = _linear(tensors, f"{name}.keys", np.maximum(_linear(tensors, f"{name}.rest", first), 0.0))
    return out


def _block(tensors: Tensors, name: str, tokens: Float32, there: NDArray[np.bool_], heads: int) -> Float32:
    """Pre-norm attention over the tokens that are there, then a two-layer perceptron."""
    n, t, d = tokens.shape
    parts = _linear(tensors, f"{name}.attention", _norm(tensors, f"{name}.norm1", tokens))
    q, k, v = parts.reshape(n, t, 3, heads, d // heads).transpose(2, 0, 3, 1, 4)
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(d // heads) + np.where(there, 0.0, NEVER)[:, None, None]
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(n, t, d)
    tokens = tokens + _linear(tensors, f"{name}.mix", mixed)
    hidden = np.maximum(_linear(tensors, f"{name}.up", _norm(tensors, f"{name}.norm2", tokens)), 0.0)
    out: Float32 = tokens + _linear(tensors, f"{name}.down", hidden)
    return out


def _linear(tensors: Tensors, name: str, x: Float32) -> Float32:
    out: Float32 = x @ tensors[f"{name}.weight"].T
    bias = tensors.get(f"{name}.bias")
    return out if bias is None else out + bias


def _norm(tensors: Tensors, name: str, x: Float32) -> Float32:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1.0 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _EPSILON)
    out: Float32 = centred * scale * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
    return out


class DomPolicy:
    """A deterministic policy of pages; every page is one row."""

    def __init__(self, spec: Mapping[str, Any], tensors: Tensors) -> None:
        self._layout = DomLayout(**{str(name): int(value) for name, value in spec["layout"].items()})
        self._layers, self._heads, self._head = int(spec["layers"]), int(spec["heads"]), str(spec["head"])
        _check(self._layout, self._layers, self._heads, self._head)
        self._tensors = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        self._recurrent, self._memory = bool(spec.get("recurrent")), np.zeros((0, 0), np.float32)
        # a dry run finds whatever does not fit: NumPy raises ValueError, a missing tensor KeyError
        if self.scores(np.zeros((2, self._layout.size), np.float32)).shape != (2, self._layout.actions):
            raise ValueError("the heads do not fit the layout")
        self._memory = np.zeros((0, 0), np.float32)

    def scores(self, observation: NDArray[Any]) -> Float32:
        """Masked logits or values [n, actions]; raises `ArtifactError` for another width."""
        seen = np.asarray(observation, dtype=np.float32)
        if seen.shape[1] != self._layout.size:
            from skills.artifact import ArtifactError  # it imports this module

            told = f"this policy reads pages of {self._layout.size} numbers, not {seen.shape[1]}"
            raise ArtifactError(f"{told}: it was trained by another version; train the skill again.")
        sizes = (self._layers, self._heads)
        found, memory = forward(self._layout, self._tensors, *sizes, seen, self._head, self._remembered(len(seen)))
        if memory is not None:
            self._memory = memory
        masked: Float32 = np.where(masks(self._layout, seen), found, np.float32(NEVER))
        return masked

    def _remembered(self, n: int) -> Float32 | None:
        """Memory [n, d] of a recurrent policy: row i goes on where row i was, another number of rows begins afresh."""
        if not self._recurrent:
            return None
        width = self._tensors["memory.weight_hh"].shape[1]
        return self._memory if self._memory.shape == (n, width) else np.zeros((n, width), np.float32)

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Map observations [n, size] to the numbers [n] of the best possible actions."""
        chosen: NDArray[Any] = np.argmax(self.scores(observation), axis=1)
        return chosen


def _check(layout: DomLayout, layers: int, heads: int, head: str) -> None:
    if head not in HEADS:
        raise ValueError(f"head {head!r} is not one of {', '.join(HEADS)}")
    if not (1 <= layers <= 16 and 1 <= heads <= 64):
        raise ValueError(f"{layers} layers of {heads} heads: out of range")
    if min(layout.plain_json().values()) < 0 or layout.size > 10**7:
        raise ValueError("the layout is out of range")


def make_dom_policy(spec: Mapping[str, Any], tensors: Tensors) -> DomPolicy:
    """Build the policy; raises KeyError, TypeError or ValueError when spec and tensors do not fit together."""
    return DomPolicy(spec, tensors)
