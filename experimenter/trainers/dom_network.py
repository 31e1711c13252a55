"""The network of the trainer `dom`: a set transformer over the elements of a page, pointer heads over the numbered actions, values.

The formulas stand in `skills/dom_policy.py`, which plays the same weights by NumPy; the observation's layout in `envs/web/encoding.py`. After the
set transformer (Lee et al. 2019), DOM-Q-NET (Jia et al. 2019: factored pointers) and QWeb (Gur et al. 2019: the shallow path of overlaps).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from envs.web import encoding
from envs.web.actions import COUNT, KEYS, SLOTS
from experimenter.errors import JobError
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.normalise import Float32
from skills.dom_policy import NEVER, DomLayout, split

LAYOUT = DomLayout(
    slots=SLOTS,
    plain=encoding.PLAIN,
    pair=encoding.PAIR,
    pairs=encoding.PAIRS,
    instruction=encoding.INSTRUCTION,
    field=encoding.FIELD,
    keys=2 + len(KEYS) + 1,
    present=encoding.PRESENT,
    editable=encoding.EDITABLE,
    disabled=encoding.DISABLED,
    has_text=encoding.HAS_TEXT,
    has_value=encoding.HAS_VALUE,
    may_declare=encoding.MAY_DECLARE,
    spent=encoding.SPENT,
)
assert (LAYOUT.size, LAYOUT.actions) == (encoding.SIZE, COUNT)
_COPY_BIAS, _KEY_BIAS = -2.0, -3.0
"""First logits of actions that few tasks need, beside 0 of clicking and typing: what a random policy tries."""
_CLICK_PRIOR = {
    encoding.IS_PHRASE: 1.0,
    encoding.AROUND_IS_PHRASE: 0.5,
    encoding.IS_ASKED: 1.0,
    encoding.CLICKED: -1.0,
}
_COPY_PRIOR = {encoding.AFTER_PHRASE: 3.0}
_PAIR_PRIOR = {encoding.VALUE_IS: -2.0, encoding.NAMED: 1.0}
_FIELD_PRIOR = {encoding.IS_WORD: -2.0, encoding.IS_CLIP: 1.0}
"""First weights of the shallow paths, times the setting `prior`: what the instruction names is tried more, what is done already less."""


class DomOutput:
    """What the network says of pages; heads are computed when asked for."""

    def __init__(self, network: DomNetwork, read: _Read, mask: Tensor, memory: Tensor | None = None) -> None:
        self._network, self._read, self._mask = network, read, mask
        self.memory = memory
        """[B, d] what a recurrent network remembers after each page; None without `recurrent`."""

    def only(self, rows: Tensor) -> DomOutput:
        """The output of some pages: `rows` [B] bool."""
        read = self._read
        kept = _Read(read.tokens[rows], read.plain[rows], read.pair[rows], read.fields[rows], read.there[rows])
        return DomOutput(self._network, kept, self._mask[rows], None if self.memory is None else self.memory[rows])

    @cached_property
    def logits(self) -> Tensor:
        """[B, COUNT] of the policy, -1e9 where masked."""
        logits: Tensor = self._network.policy_head(self._read).masked_fill(~self._mask, NEVER)
        return logits

    @cached_property
    def q(self) -> Tensor:
        """[B, COUNT] value of every action, -1e9 where masked."""
        q: Tensor = self._network.q_head(self._read).masked_fill(~self._mask, NEVER)
        return q

    @cached_property
    def value(self) -> Tensor:
        """[B] of the page."""
        return self._values[:, 0]

    @cached_property
    def start_value(self) -> Tensor:
        """[B] V(c) of the instruction, meant for first pages (DigiRL); the logit of a success."""
        return self._values[:, 1]

    @cached_property
    def _values(self) -> Tensor:
        return self._network.values(self._read)


@dataclass(frozen=True)
class _Read:
    """A batch of pages after the transformer, cropped to the longest page."""

    tokens: Tensor
    """[B, 1 + slots, d]; the first is the instruction's."""
    plain: Tensor
    pair: Tensor
    fields: Tensor
    there: Tensor
    """[B, slots]."""


class DomNetwork(nn.Module):
    """`forward(obs [B, SIZE], mask [B, COUNT])` -> `DomOutput`."""

    def __init__(self, settings: DomSettings, rng_seed: int) -> None:
        super().__init__()
        self.settings = settings
        d, f = settings.width, LAYOUT.field
        self.row = nn.Linear(LAYOUT.plain, d)
        self.pair_in = nn.Linear(LAYOUT.pair, settings.pair_width, bias=False)
        self.pair_gate = nn.Linear(f, settings.pair_width)
        self.pair_out = nn.Linear(settings.pair_width, d, bias=False)
        self.told = nn.Linear(LAYOUT.instruction, d)
        self.field = nn.Linear(f, d)
        self.blocks = nn.ModuleList(_Block(d, settings.heads) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(d)
        self.policy_head = _Pointer(d)
        self.q_head = _Pointer(d)
        self.value_hidden = nn.Linear(2 * d, d)
        self.value_out = nn.Linear(d, 2)
        if settings.recurrent:
            self.memory, self.recall = nn.GRUCell(d, d), nn.Linear(d, d, bias=False)
        _initialise(self, torch.Generator().manual_seed(rng_seed))
        self.policy_head.prefer(settings.prior)

    @property
    def device(self) -> torch.device:
        return self.row.weight.device

    def forward(self, obs: Tensor, mask: Tensor, memory: Tensor | None = None) -> DomOutput:
        """Read pages [B, SIZE]; `mask` [B, COUNT] says which actions are possible.

        A recurrent network goes on from `memory` [B, d], or from nothing; on the first page of an episode it forgets by itself.
        """
        read = self._look(obs)
        if not self.settings.recurrent:
            return DomOutput(self, read, mask)
        before = torch.zeros_like(read.tokens[:, 0]) if memory is None else memory
        after = self.memory(read.tokens[:, 0], before * self._goes_on(obs))
        return DomOutput(self, self._with(read, after), mask, after)

    def unroll(self, obs: Tensor, mask: Tensor, memory: Tensor) -> DomOutput:
        """Read pages [T, n, SIZE] in order, from `memory` [n, d] on; the output is flat over [T * n]."""
        length, n = obs.shape[:2]
        read = self._look(obs.flatten(0, 1))
        seen = read.tokens[:, 0].view(length, n, -1)
        goes_on, kept = self._goes_on(obs.flatten(0, 1)).view(length, n, 1), list[Tensor]()
        for time in range(length):
            memory = self.memory(seen[time], memory * goes_on[time])
            kept.append(memory)
        after = torch.cat(kept)
        return DomOutput(self, self._with(read, after), mask.flatten(0, 1), after)

    def _goes_on(self, obs: Tensor) -> Tensor:
        """[B, 1] 0 on the first page of an episode."""
        return (obs[:, LAYOUT.slots * LAYOUT.width + LAYOUT.spent, None] > 0).to(obs.dtype)

    def _with(self, read: _Read, memory: Tensor) -> _Read:
        """The pages with what is remembered added to the instruction's token."""
        first = (read.tokens[:, 0] + self.recall(memory))[:, None]
        return replace(read, tokens=torch.cat((first, read.tokens[:, 1:]), dim=1))

    def _look(self, obs: Tensor) -> _Read:
        end = LAYOUT.slots * LAYOUT.width
        count = (obs[:, : end : LAYOUT.width] > 0.5).sum(dim=1).max()
        plain, pair, instruction, fields = split(LAYOUT, obs, max(1, int(count)))
        gate = torch.tanh(self.pair_gate(fields))
        mixed = torch.einsum("njh,nejh->neh", gate, self.pair_in(pair))
        elements = self.row(plain) + self.pair_out(mixed)
        first = self.told(instruction) + (self.field(fields) * fields[:, :, :1]).sum(dim=1)
        tokens = torch.cat((first[:, None], elements), dim=1)
        there = plain[:, :, LAYOUT.present] > 0.5
        hidden = torch.zeros(len(obs), 1, 1, tokens.shape[1], device=obs.device)
        hidden[:, 0, 0, 1:].masked_fill_(~there, NEVER)
        for block in self.blocks:
            tokens = block(tokens, hidden)
        return _Read(self.norm(tokens), plain, pair, fields, there)

    def values(self, read: _Read) -> Tensor:
        """[B, 2] values of the page and of the instruction."""
        weight = read.there.to(read.tokens.dtype)[:, :, None]
        mean = (read.tokens[:, 1:] * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)
        hidden = torch.relu(self.value_hidden(torch.cat((read.tokens[:, 0], mean), dim=1)))
        out: Tensor = self.value_out(hidden)
        return out

    def export(self, head: str) -> tuple[dict[str, Any], dict[str, Float32]]:
        """Spec and tensors of the greedy policy of `head` (`policy` or `q`), as `skills/dom_policy.py` reads them."""
        leave = ("value_", "q_head" if head == "policy" else "policy_head")
        tensors = {
            name: value.detach().cpu().numpy().copy()
            for name, value in self.state_dict().items()
            if not name.startswith(leave)
        }
        settings = self.settings
        shape = {"layers": settings.layers, "heads": settings.heads, "recurrent": settings.recurrent}
        return {"kind": "dom", "head": head, "layout": LAYOUT.plain_json(), **shape}, tensors

    def adopt(self, spec: dict[str, Any], tensors: dict[str, Float32]) -> None:
        """Start from a stored policy; values, and the head that it lacks, stay fresh. Raises `JobError` when it does not fit."""
        if spec.get("kind") != "dom" or spec.get("layout") != LAYOUT.plain_json():
            raise JobError(
                f"cannot warm-start: the policy of kind {spec.get('kind')!r} does not read pages as dom does."
            )
        own = self.state_dict()
        for name, value in tensors.items():
            if name not in own or tuple(own[name].shape) != value.shape:
                raise JobError(
                    f"cannot warm-start: the policy's {name} does not fit; use its settings (width, layers, pair_width, recurrent)."
                )
        with torch.no_grad():
            for name, value in tensors.items():
                own[name].copy_(torch.as_tensor(np.ascontiguousarray(value)))


class _Block(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention, self.mix = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Tokens [B, t, d]; `hidden` [B, 1, 1, t] is added to the scores."""
        n, t, d = tokens.shape
        parts = self.attention(self.norm1(tokens)).view(n, t, 3, self.heads, d // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(d // self.heads) + hidden
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(n, t, d)
        tokens = tokens + self.mix(mixed)
        out: Tensor = tokens + self.down(torch.relu(self.up(self.norm2(tokens))))
        return out


class _Pointer(nn.Module):
    """One number for every action."""

    def __init__(self, d: int) -> None:
        super().__init__()
        f = LAYOUT.field
        self.element, self.context = nn.Linear(d, d), nn.Linear(d, d, bias=False)
        self.point, self.shallow = nn.Linear(d, 2), nn.Linear(LAYOUT.plain, 2, bias=False)
        self.field, self.field_context = nn.Linear(f, d), nn.Linear(d, d, bias=False)
        self.key, self.query = nn.Linear(d, d), nn.Linear(d, d, bias=False)
        self.pair, self.said = nn.Linear(f, LAYOUT.pair), nn.Linear(f, 1)
        self.rest, self.keys = nn.Linear(d, d), nn.Linear(d, LAYOUT.keys)

    def prefer(self, scale: float) -> None:
        """Begin with a policy that mostly clicks and types, and what the instruction names."""
        with torch.no_grad():
            self.point.bias[1] = _COPY_BIAS
            self.keys.bias.fill_(_KEY_BIAS)
            for column, value in _CLICK_PRIOR.items():
                self.shallow.weight[0, column] += scale * value
            for column, value in _COPY_PRIOR.items():
                self.shallow.weight[1, column] += scale * value
            for column, value in _PAIR_PRIOR.items():
                self.pair.bias[column] += scale * value
            for column, value in _FIELD_PRIOR.items():
                self.said.weight[0, column] += scale * value

    def forward(self, read: _Read) -> Tensor:
        """[B, COUNT], -1e9 at slots beyond the longest page."""
        first, elements = read.tokens[:, 0], read.tokens[:, 1:]
        n, slots = elements.shape[:2]
        hidden = torch.relu(self.element(elements) + self.context(first)[:, None])
        points = self.point(hidden) + self.shallow(read.plain)
        field = torch.relu(self.field(read.fields) + self.field_context(first)[:, None])
        key = self.key(field)
        typed = key @ self.query(hidden).transpose(1, 2) / math.sqrt(key.shape[-1])
        typed = typed + torch.einsum("nejp,njp->nje", read.pair, self.pair(read.fields)) + self.said(read.fields)
        pointed = torch.cat((points.transpose(1, 2), typed), dim=1)
        pointed = nn.functional.pad(pointed, (0, LAYOUT.slots - slots), value=NEVER)
        return torch.cat((pointed.reshape(n, -1), self.keys(torch.relu(self.rest(first)))), dim=1)


def _initialise(network: DomNetwork, generator: torch.Generator) -> None:
    """Orthogonal weights, small last layers."""
    small = (".point", ".shallow", ".pair", ".said", ".keys", ".key", "value_out")
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Linear):
                gain = 0.05 if name.endswith(small) else 1.0
                nn.init.orthogonal_(module.weight, gain, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.GRUCell):
                for parameter in module.parameters():
                    if parameter.dim() == 2:
                        nn.init.orthogonal_(parameter, generator=generator)
                    else:
                        parameter.zero_()
