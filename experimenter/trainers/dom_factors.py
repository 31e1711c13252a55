"""An action of the web family as choices one after the other: its kind, then the element, then the field. Pure functions over tensors.

Two uses: `dqn` explores kind by kind (539 numbers of which most type something would otherwise drown the clicks), and in `archer` the choices
are what tokens are in the paper: the policy over numbered actions is read as p(kind) p(element | kind) p(field | kind, element).
Keys and scroll directions have no element; their choice within the kind takes the element's place.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.web.actions import COPY, COUNT, DONE, PRESS, SCROLL, SLOTS, TYPE

KINDS = ("click", "copy", "type", "scroll", "press", "done")
NEVER = -1e9
"""Stands for the logarithm of no chance, or for the value of what must not be done."""


def kind_table() -> NDArray[np.int64]:
    """[COUNT] index into KINDS of every action."""
    numbers = np.arange(COUNT)
    return np.searchsorted(np.array([COPY, TYPE, SCROLL, PRESS, DONE]), numbers, side="right").astype(np.int64)


def pair_table() -> NDArray[np.int64]:
    """[COUNT] number of each action's kind and element together: equal where only the field differs."""
    numbers = np.arange(COUNT)
    typed = (numbers >= TYPE) & (numbers < SCROLL)
    return np.where(typed, TYPE + (numbers - TYPE) % SLOTS, numbers).astype(np.int64)


def masked_log_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Log-probabilities [m, COUNT] of the legal actions; NEVER elsewhere."""
    return torch.log_softmax(logits.masked_fill(~mask, NEVER), dim=-1).masked_fill(~mask, NEVER)


def group_log_sum(log_probabilities: Tensor, table: Tensor) -> Tensor:
    """For every action [m, COUNT] the log of the summed probability of the actions that share its group in `table` [COUNT]."""
    top = log_probabilities.max(dim=-1, keepdim=True).values.detach()
    groups = int(table.max()) + 1
    sums = log_probabilities.new_zeros(len(log_probabilities), groups)
    sums = sums.index_add(1, table, (log_probabilities - top).exp())
    return (sums.clamp(min=1e-38).log() + top)[:, table]


def choice_log_probabilities(log_probabilities: Tensor, action: Tensor) -> Tensor:
    """Log-probabilities [m, 3] of the choices within taken actions [m]: kind, element given kind, field given both.

    They sum to the log-probability of the action.
    """
    kinds = torch.as_tensor(kind_table(), device=action.device)
    pairs = torch.as_tensor(pair_table(), device=action.device)
    at = action[:, None]
    whole = log_probabilities.gather(1, at)[:, 0]
    kind = group_log_sum(log_probabilities, kinds).gather(1, at)[:, 0]
    pair = group_log_sum(log_probabilities, pairs).gather(1, at)[:, 0]
    return torch.stack((kind, pair - kind, whole - pair), dim=1)


def choice_values(q: Tensor, probabilities: Tensor, action: Tensor) -> Tensor:
    """What is expected after each choice within taken actions [m]: [m, 4] before any, after kind, after element, after field.

    Means of `q` [m, COUNT] under the policy `probabilities` [m, COUNT] over the actions that the choices so far leave open. Their differences
    say how much of an advantage each choice earned; they sum to q(a) less the mean.
    """
    kinds = torch.as_tensor(kind_table(), device=action.device)
    pairs = torch.as_tensor(pair_table(), device=action.device)
    means = [(probabilities * q).sum(dim=1)]
    for table in (kinds, pairs):
        same = table[None, :] == table[action][:, None]
        mass = (probabilities * same).sum(dim=1).clamp(min=1e-12)
        means.append((probabilities * same * q).sum(dim=1) / mass)
    return torch.stack((*means, q.gather(1, action[:, None])[:, 0]), dim=1)


def explore_shares(mask: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities [m, COUNT] of exploring at random: a kind by `weights` [len(KINDS)] among those legal in `mask` [m, COUNT], uniform within it."""
    kinds = kind_table()
    counts = np.stack([mask[:, kinds == kind].sum(axis=1) for kind in range(len(KINDS))], axis=1)
    share = np.where(counts > 0, weights / np.maximum(counts, 1), 0.0)[:, kinds] * mask
    found: NDArray[np.float64] = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    return found
