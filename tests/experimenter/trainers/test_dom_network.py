"""The network of the trainer `dom`: order of elements, padding, masks, and that NumPy plays what torch trains. No browser."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from dom_pages_made import BUTTON, GREY, PASSWORD, USER, make_observations, make_page

from envs.web.actions import COPY, COUNT, SCROLL, SLOTS, TYPE, shown
from envs.web.encoding import PAIRS, SIZE, SPENT, WIDTH, Float32, encode_page, masks_of, rows_of
from experimenter.errors import JobError
from experimenter.trainers.dom_network import LAYOUT, DomNetwork, DomOutput
from experimenter.trainers.dom_ppo import kind_divergence, sample
from experimenter.trainers.dom_settings import DomSettings
from skills.artifact import ArtifactError, load_policy, make_policy, save_policy
from skills.dom_policy import HEADS, NEVER, DomPolicy, masks


def make_network(**overrides: int) -> DomNetwork:
    """A small network whose every weight matters."""
    network = DomNetwork(DomSettings(width=16, layers=2, heads=2, pair_width=6, **overrides), 0)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return network


def look(network: DomNetwork, observations: Float32) -> DomOutput:
    return network(torch.as_tensor(observations), torch.as_tensor(masks_of(observations)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("head", HEADS)
def test_numpy_plays_what_torch_trains(head: str, tmp_path: Path) -> None:
    network, seen = make_network(), make_observations()
    spec, tensors = network.export(head)
    save_policy(tmp_path, spec, tensors)
    policy = load_policy(tmp_path)
    assert isinstance(policy, DomPolicy)
    told = look(network, seen)
    expected = (told.logits if head == "policy" else told.q).detach().numpy()
    found = policy.scores(seen)
    possible = masks_of(seen)
    assert np.abs(found - expected)[possible].max() < 1e-5 and (found[~possible] == NEVER).all()
    assert policy.act(seen).tolist() == expected.argmax(axis=1).tolist()


def make_episode() -> Float32:
    """[3, SIZE]: the first page of an episode and two that follow."""
    pages = make_observations()[:3].copy()
    pages[:, SLOTS * WIDTH + SPENT] = (0.0, 0.1, 0.2)
    return pages


def test_a_memory_goes_on_within_an_episode_and_forgets_at_its_first_page() -> None:
    network, pages = make_network(recurrent=True), make_episode()
    policy = DomPolicy(*network.export("policy"))
    twice = np.concatenate([pages, pages])
    told, memory = [], None
    for page in twice:
        out = network(torch.as_tensor(page[None]), torch.as_tensor(masks_of(page[None])), memory)
        memory = out.memory
        told.append(out.logits[0])
        found, possible = policy.scores(page[None])[0], masks_of(page[None])[0]
        assert np.abs(found - out.logits[0].detach().numpy())[possible].max() < 1e-5
    assert torch.allclose(told[0], told[3], atol=1e-6) and torch.allclose(told[2], told[5], atol=1e-6)
    forgetful = network(torch.as_tensor(pages[1:2]), torch.as_tensor(masks_of(pages[1:2])))
    assert not torch.allclose(forgetful.logits[0], told[1], atol=1e-3), "the second page depends on the first"
    sequence = torch.as_tensor(twice)[:, None]
    whole = network.unroll(sequence, torch.as_tensor(masks_of(twice))[:, None], torch.ones(1, 16))
    assert torch.allclose(whole.logits, torch.stack(told), atol=1e-5)


def test_masks_of_the_policy_are_those_of_the_family() -> None:
    seen = make_observations()
    assert np.array_equal(masks(LAYOUT, seen), masks_of(seen))


def test_the_order_of_elements_only_moves_their_actions() -> None:
    network, seen = make_network(), make_observations()[:1]
    order = np.array([3, 0, 4, 1, 2])
    moved = seen.copy()
    rows_of(moved)[0, :5] = rows_of(seen)[0, order]
    one, other = (look(network, page) for page in (seen, moved))
    for scores in ("logits", "q"):
        a, b = (getattr(told, scores).detach().numpy()[0] for told in (one, other))
        for start in range(0, SCROLL, SLOTS):  # click, copy, and typing each field
            assert np.allclose(b[start : start + 5], a[start : start + SLOTS][order], atol=1e-5)
        assert np.allclose(a[SCROLL:], b[SCROLL:], atol=1e-5)
    for value in ("value", "start_value"):
        assert torch.allclose(getattr(one, value), getattr(other, value), atol=1e-5)


def test_a_page_does_not_depend_on_the_longer_pages_beside_it() -> None:
    network, seen = make_network(), make_observations()
    together = look(network, seen)
    for place in range(len(seen)):
        alone = look(network, seen[place : place + 1])
        assert torch.allclose(alone.logits[0], together.logits[place], atol=1e-5)
        assert torch.allclose(alone.value[0], together.value[place], atol=1e-5)


def test_impossible_actions_are_never_drawn() -> None:
    network, seen = make_network(), make_observations()
    logits, possible, rng = look(network, seen).logits.detach().numpy(), masks_of(seen), np.random.default_rng(0)
    for _ in range(200):
        actions, log_probs = sample(logits, rng)
        assert possible[np.arange(len(seen)), actions].all() and (log_probs <= 0).all()
    assert not possible[0, 4] and possible[0, COPY + 4], "what is disabled cannot be clicked, but read"


def test_draws_follow_the_logits() -> None:
    logits = np.full((4000, 3), math.log(1.0), np.float32)
    logits[:, 1], logits[:, 2] = math.log(3.0), NEVER
    actions, log_probs = sample(logits, np.random.default_rng(0))
    assert abs((actions == 1).mean() - 0.75) < 0.03 and not (actions == 2).any()
    assert np.allclose(log_probs, np.where(actions == 1, math.log(0.75), math.log(0.25)), atol=1e-5)


def test_kinds_of_actions_are_held_open_where_a_page_allows_them() -> None:
    """Three clicks, one input and one key alike: 0.6, 0.2 and 0.2 where a third each is even; two clicks alone diverge from nothing."""
    logits = torch.full((2, COUNT), -1e9)
    logits[0, [0, 1, 2, TYPE, SCROLL]] = 0.0
    logits[1, :2] = 0.0
    logits.requires_grad_()
    found = kind_divergence(logits)
    assert float(found.detach()) == pytest.approx((math.log(1 / 1.8) + 2 * math.log(1 / 0.6)) / 3 / 2, abs=1e-6)
    found.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    # down for each of the three clicks by (0.6 - 1/3) / 3, up for the others by 1/3 - 0.2, over two pages
    assert logits.grad[0, [0, TYPE, SCROLL]].tolist() == pytest.approx([4 / 90, -1 / 15, -1 / 15], abs=1e-6)
    assert not logits.grad[1].any() and not logits.grad[0, TYPE + 1 : SCROLL].any()
    rare = logits.detach().clone()
    rare[0, TYPE] = -30.0
    rare.requires_grad_()
    kind_divergence(rare).backward()  # type: ignore[no-untyped-call]
    assert rare.grad is not None
    assert rare.grad[0, TYPE] == pytest.approx(-1 / 6, abs=1e-6), "the slope stays though the kind has all but died out"


def test_an_untrained_policy_tries_what_the_instruction_names() -> None:
    page = make_page(BUTTON, USER, PASSWORD)
    seen = encode_page(page, shown(page), 0.0)[None]
    typed = {}
    for prior in (0.0, 2.0):
        logits = look(DomNetwork(DomSettings(prior=prior), 0), seen).logits[0, TYPE:SCROLL].reshape(PAIRS, SLOTS)
        typed[prior] = logits.detach().numpy()
    gain = typed[2.0] - typed[0.0]
    assert gain[0, 1] == pytest.approx(2.0, abs=1e-4) == gain[1, 2], "each field where its context says"
    assert gain[0, 2] == pytest.approx(0.0, abs=1e-4) == gain[1, 1]


def test_a_stored_policy_is_a_start_and_another_kind_is_refused() -> None:
    network = make_network()
    spec, tensors = network.export("policy")
    other = DomNetwork(DomSettings(width=16, layers=2, heads=2, pair_width=6), 5)
    other.adopt(spec, tensors)
    seen = make_observations()
    assert torch.equal(look(other, seen).logits, look(network, seen).logits)
    with pytest.raises(JobError, match="does not read pages as dom does"):
        other.adopt({"kind": "mlp"}, tensors)
    with pytest.raises(JobError, match="use its settings"):
        DomNetwork(DomSettings(), 0).adopt(spec, tensors)


def test_damaged_artifacts_are_refused() -> None:
    spec, tensors = make_network().export("policy")
    assert make_policy(spec, tensors).act(np.zeros((1, SIZE), np.float32)).shape == (1,)
    for change in ({"head": "x"}, {"layers": 99}, {"layout": {**spec["layout"], "slots": -1}}, {"layout": {"a": 1}}):
        with pytest.raises(ArtifactError, match="damaged"):
            make_policy({**spec, **change}, tensors)
    with pytest.raises(ArtifactError, match="damaged"):
        make_policy(spec, {name: value for name, value in tensors.items() if name != "row.weight"})
    with pytest.raises(ArtifactError, match=f"reads pages of {SIZE} numbers"):
        DomPolicy(spec, tensors).act(np.zeros((1, 3), np.float32))


def test_pages_of_any_length_give_every_action_a_number() -> None:
    assert look(make_network(), make_observations()).q.shape == (4, COUNT)
    blank = look(make_network(), encode_page(make_page(GREY), (), 0.0)[None])
    assert torch.isfinite(blank.logits).all() and int(blank.logits.argmax()) >= SCROLL
