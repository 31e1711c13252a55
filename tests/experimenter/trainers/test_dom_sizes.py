"""Pages of several sizes through the network of the trainer `dom`: the same as all at once, small ones with small ones. No browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from dom_pages_made import LABEL, make_observations, make_page
from torch import Tensor

from envs.web.actions import shown
from envs.web.encoding import encode_page, masks_of
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_settings import DomSettings
from experimenter.trainers.dom_sizes import count_elements, group_by_size, read_pages, read_values


def make_pages() -> tuple[Tensor, Tensor]:
    """Pages of 5, 2, 1, 20, 9 and 40 elements, with their masks."""
    more = [make_page(*(replace(LABEL, index=place, text=f"word {place}") for place in range(n))) for n in (9, 40)]
    seen = np.concatenate([make_observations(), [encode_page(page, shown(page), 0.5) for page in more]])
    return torch.as_tensor(seen), torch.as_tensor(masks_of(seen))


def make_network() -> DomNetwork:
    return DomNetwork(DomSettings(width=16, layers=2, heads=2, pair_width=6), 0)


def test_pages_go_together_by_their_elements() -> None:
    pages, _ = make_pages()
    assert count_elements(pages).tolist() == [5, 2, 1, 20, 9, 40]
    assert [group.tolist() for group in group_by_size(pages)] == [[0, 1, 2], [4], [3], [5]]


def test_what_is_said_of_groups_is_what_is_said_of_all_in_their_order() -> None:
    network, (pages, mask) = make_network(), make_pages()
    told, whole = read_pages(network, pages, mask), network(pages, mask)
    assert torch.allclose(told.logits, whole.logits, atol=1e-5) and torch.allclose(told.value, whole.value, atol=1e-5)
    assert torch.allclose(read_values(network, pages), whole.value, atol=1e-5)


def test_gradients_are_the_same() -> None:
    (pages, mask), found = make_pages(), list[Tensor]()
    for grouped in (True, False):
        network = make_network()
        told = read_pages(network, pages, mask) if grouped else network(pages, mask)
        (torch.log_softmax(told.logits, dim=1)[:, 0].sum() + told.value.sum()).backward()  # type: ignore[no-untyped-call]
        gradient = network.row.weight.grad
        assert gradient is not None
        found.append(gradient)
    assert torch.allclose(found[0], found[1], atol=1e-4) and found[0].abs().sum() > 0
