"""Many pages through the network at once, small pages with small ones: attention over a page of five elements need not cost what fifty do.

What comes out is what the network says of all pages together, in their own order, but for the rounding of sums of other lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from experimenter.trainers.dom_network import LAYOUT, DomNetwork

STEPS = (6, 12, 24)
"""Elements up to which pages go together; the larger ones make the last group."""


class Told(Protocol):
    """What an update needs to hear of pages."""

    @property
    def logits(self) -> Tensor: ...

    @property
    def value(self) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What the network said of several groups."""

    logits: Tensor
    """[m, COUNT]"""
    value: Tensor
    """[m]"""


def count_elements(pages: Tensor) -> Tensor:
    """[m] elements of pages [m, SIZE]."""
    return (pages[:, : LAYOUT.slots * LAYOUT.width : LAYOUT.width] > 0.5).sum(dim=1)


def group_by_size(pages: Tensor) -> list[Tensor]:
    """Rows of the pages [m, SIZE] of each size, small ones first; no group is empty."""
    place = torch.bucketize(count_elements(pages), torch.tensor(STEPS, device=pages.device))
    groups = [torch.nonzero(place == number).flatten() for number in range(len(STEPS) + 1)]
    return [group for group in groups if len(group)]


def read_pages(network: DomNetwork, pages: Tensor, mask: Tensor) -> Told:
    """What `network` says of pages [m, SIZE] with masks [m, COUNT]."""
    groups = group_by_size(pages)
    if len(groups) == 1:
        told: Told = network(pages, mask)
        return told
    back = torch.argsort(torch.cat(groups))
    heard = [network(pages[rows], mask[rows]) for rows in groups]
    return Joined(
        logits=torch.cat([one.logits for one in heard])[back], value=torch.cat([one.value for one in heard])[back]
    )


def read_values(network: DomNetwork, pages: Tensor) -> Tensor:
    """[m] values of pages [m, SIZE]."""
    groups, possible = group_by_size(pages), torch.ones(1, 1, dtype=torch.bool, device=pages.device)
    back = torch.argsort(torch.cat(groups))
    return torch.cat([network(pages[rows], possible).value for rows in groups])[back]
