"""The estimators of `dqn`, `awr`, `phase` and `archer`, against values worked out by hand. No browser, no network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from envs.web.actions import COPY, COUNT, DONE, PRESS, SCROLL, SLOTS, TYPE
from experimenter.trainers import dom_archer, dom_awr, dom_dqn, dom_factors, dom_phase
from experimenter.trainers.dom_noise import NoisyHead


def floats(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_digirl_advantage_by_hand() -> None:
    """Two trajectories end to end: a success of three steps, a failure of two. lam = 0.5."""
    values = floats(0.2, 0.4, 0.6, 0.5, 0.1)
    outcome = floats(1, 1, 1, 0, 0)
    left = torch.tensor([2, 1, 0, 1, 0])
    last = left == 0
    rewards = outcome * last
    advantages = dom_awr.step_advantages(values, rewards, outcome, left, last, 0.5)
    # success, two steps left: 0.25 + 0.75 * (0.4 + 0 - 0.2) = 0.40
    # one step left:           0.5  + 0.5  * (0.6 + 0 - 0.4) = 0.60
    # last:                    1    + 0                      = 1.00
    # failure: V(s') - V(s) = 0.1 - 0.5 = -0.4, at the end 0 + 0 - 0.1 = -0.1
    assert advantages.tolist() == pytest.approx([0.40, 0.60, 1.00, -0.4, -0.1])


def test_digirl_keeps_steps_above_one_over_the_horizon() -> None:
    assert dom_awr.keep_steps(floats(0.24, 0.25, 0.26, 1.0), 4).tolist() == [False, False, True, True]


def test_digirl_ranks_by_outcome_less_instruction_value() -> None:
    """Scores: 1 - 0.9 = 0.1, 0 - 0.2 = -0.2, 1 - 0.3 = 0.7, 1 - 0.5 = 0.5, 0 - 0.0 = 0."""
    outcome, starts = floats(1, 0, 1, 1, 0), floats(0.9, 0.2, 0.3, 0.5, 0.0)
    assert dom_awr.rank_trajectories(outcome, starts, 0.2).tolist() == [False, False, True, False, False]
    assert dom_awr.rank_trajectories(outcome, starts, 0.4).tolist() == [False, False, True, True, False]
    # the whole share: the failures stand behind every success and are never cloned
    assert dom_awr.rank_trajectories(outcome, starts, 1.0).tolist() == [True, False, True, True, False]
    assert not dom_awr.rank_trajectories(floats(0, 0), floats(0.1, 0.9), 0.5).any()


def test_values_are_trained_by_cross_entropy_on_the_outcome() -> None:
    # sigmoid(0) = 0.5 for a success, sigmoid(ln 3) = 0.75 for a failure: -(ln 0.5 + ln 0.25) / 2 = 1.5 ln 2
    loss = dom_awr.outcome_loss(floats(0.0, math.log(3)), floats(1, 0))
    assert float(loss) == pytest.approx(1.5 * math.log(2))


def test_cloning_averages_over_the_kept_steps_alone() -> None:
    logs = floats(-1.0, -2.0, -9.0)
    assert float(dom_awr.cloning_loss(logs, torch.tensor([True, True, False]))) == pytest.approx(1.5)
    assert float(dom_awr.cloning_loss(logs, torch.tensor([False, False, False]))) == 0.0


def test_webrl_advantage_mixes_one_step_and_the_whole_episode() -> None:
    values, outcome = floats(0.2, 0.6, 0.5), floats(1, 1, 0)
    last = torch.tensor([False, True, True])
    advantages = dom_phase.phase_advantages(values, outcome * last, outcome, last, 0.5)
    # 0.5 (0.6 - 0.2) + 0.5 (1 - 0.2) = 0.6; 0.5 (1 - 0.6) + 0.5 (1 - 0.6) = 0.4; 0.5 (-0.5) + 0.5 (-0.5) = -0.5
    assert advantages.tolist() == pytest.approx([0.6, 0.4, -0.5])
    one_step = dom_phase.phase_advantages(values, outcome * last, outcome, last, 1.0)
    assert one_step.tolist() == pytest.approx([0.4, 0.4, -0.5])


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "beta", "direction"),
    [
        (0.0, 0.5, 1.0, -1),  # better than expected: gradient descent raises the probability
        (0.0, -0.5, 1.0, 1),  # worse: it lowers it
        (1.0, 0.5, 1.0, 1),  # already past its share of the advantage: pulled back to the reference
        (1.0, 0.5, 0.3, -1),  # a smaller beta lets the same advantage go further
        (0.5, 0.5, 1.0, 0),  # at the optimum, pi = pi_ref exp(A / beta)
    ],
)
def test_webrl_loss_pulls_towards_the_advantage(
    log_ratio: float, advantage: float, beta: float, direction: int
) -> None:
    logs = torch.tensor([-2.0 + log_ratio], dtype=torch.float64, requires_grad=True)
    loss = dom_phase.phase_loss(logs, floats(-2.0), floats(advantage), beta)
    assert float(loss.detach()) == pytest.approx((beta * log_ratio - advantage) ** 2)
    (gradient,) = torch.autograd.grad(loss, logs)
    # d/dlog pi = 2 beta (beta log ratio - A)
    assert float(gradient.detach()) == pytest.approx(2 * beta * (beta * log_ratio - advantage))
    assert np.sign(round(float(gradient), 12)) == direction


def test_webrl_replays_actions_of_middling_confidence() -> None:
    confidence = floats(0.49, 0.5, 0.7, 0.95, 0.96)
    kept = dom_phase.in_confidence_band(confidence.log(), 0.5 - 1e-9, 0.95 + 1e-9)
    assert kept.tolist() == [False, True, True, True, False]
    # its perplexity, 1 / confidence for one choice, lies in [1 / 0.95, 1 / 0.5]
    perplexity = (1 / confidence[kept]).tolist()
    assert min(perplexity) >= 1 / 0.95 - 1e-6 and max(perplexity) <= 1 / 0.5 + 1e-6


def test_double_targets_choose_with_one_network_and_value_with_the_other() -> None:
    online = floats(5.0, 1.0, 9.0, 2.0).reshape(2, 2)
    target = floats(0.3, 0.7, 0.9, 0.4).reshape(2, 2)
    mask = torch.tensor([[True, True], [False, True]])
    wanted = dom_dqn.double_targets(online, target, mask, floats(1.0, -0.5), floats(0.81, 0.9))
    # first: the online network likes action 0, the target gives it 0.3: 1 + 0.81 * 0.3
    # second: action 0 is better but not legal: -0.5 + 0.9 * 0.4
    assert wanted.tolist() == pytest.approx([1.243, -0.14])
    ended = dom_dqn.double_targets(online, target * torch.inf, mask, floats(1.0, -0.5), floats(0.0, 0.0))
    assert ended.tolist() == [1.0, -0.5]


def test_temporal_loss_is_huber_by_importance() -> None:
    q = floats(0.0, 2.0, 1.0, 0.0).reshape(2, 2)
    loss, errors = dom_dqn.temporal_loss(q, torch.tensor([1, 0]), floats(2.5, 4.0), floats(1.0, 0.5))
    # errors 0.5 and 3: 1 * 0.5^2 / 2 = 0.125 and 0.5 * (3 - 0.5) = 1.25; mean 0.6875
    assert float(loss) == pytest.approx(0.6875)
    assert errors.tolist() == pytest.approx([0.5, 3.0])


def test_archer_targets_and_advantage() -> None:
    assert dom_archer.q_targets(floats(0.5, 1.0), floats(0.9, 0.0), floats(2.0, 7.0)).tolist() == pytest.approx(
        [2.3, 1.0]
    )
    advantages = dom_archer.action_advantages(
        (floats(1.0, 3.0), floats(2.0, 0.5)), (floats(0.2, 2.0), floats(0.4, 1.0))
    )
    assert advantages.tolist() == pytest.approx([1.0 - 0.2, 0.5 - 1.0])
    assert float(dom_archer.action_loss(floats(-1.0, -2.0), floats(0.5, -1.0))) == pytest.approx(-((-0.5) + 2.0) / 2)


def test_the_choices_of_an_action_are_its_kind_element_and_field() -> None:
    kinds = dom_factors.kind_table()
    names = [dom_factors.KINDS[kinds[number]] for number in (0, COPY - 1, COPY, TYPE, SCROLL - 1, SCROLL, PRESS, DONE)]
    assert names == ["click", "click", "copy", "type", "type", "scroll", "press", "done"]
    pairs = dom_factors.pair_table()
    assert pairs[TYPE + 3] == pairs[TYPE + SLOTS + 3] != pairs[TYPE + SLOTS + 4]
    assert len(kinds) == len(pairs) == COUNT


def test_choice_probabilities_multiply_to_the_actions() -> None:
    """Legal: click 0 (p 0.2), type field 0 and 1 into slot 5 (0.3 and 0.1), type field 0 into slot 6 (0.4)."""
    log_probabilities = torch.full((1, COUNT), dom_factors.NEVER, dtype=torch.float64)
    for number, chance in ((0, 0.2), (TYPE + 5, 0.3), (TYPE + SLOTS + 5, 0.1), (TYPE + 6, 0.4)):
        log_probabilities[0, number] = math.log(chance)
    parts = dom_factors.choice_log_probabilities(log_probabilities, torch.tensor([TYPE + 5]))
    # p(type) = 0.8, p(slot 5 | type) = 0.4 / 0.8, p(field 0 | type, slot 5) = 0.3 / 0.4
    assert parts.exp()[0].tolist() == pytest.approx([0.8, 0.5, 0.75])
    assert float(parts.sum()) == pytest.approx(math.log(0.3))


def test_each_choice_earns_what_it_adds_to_the_expectation() -> None:
    q, chances = torch.zeros(1, COUNT, dtype=torch.float64), torch.zeros(1, COUNT, dtype=torch.float64)
    for number, chance, value in (
        (0, 0.2, 1.0),
        (TYPE + 5, 0.3, 0.6),
        (TYPE + SLOTS + 5, 0.1, -0.2),
        (TYPE + 6, 0.4, 0.0),
    ):
        chances[0, number], q[0, number] = chance, value
    expected = dom_factors.choice_values(q, chances, torch.tensor([TYPE + 5]))
    # before: 0.2 + 0.18 - 0.02 = 0.36; after type: 0.16 / 0.8 = 0.2; after slot 5: 0.16 / 0.4 = 0.4; after field 0: 0.6
    assert expected[0].tolist() == pytest.approx([0.36, 0.2, 0.4, 0.6])
    logs = floats(-1.0, -2.0, -3.0)[None]
    # -(-1 * -0.16 + -2 * 0.2 + -3 * 0.2) = 0.84
    assert float(dom_archer.choice_loss(logs, expected)) == pytest.approx(0.84)


def test_random_actions_are_legal_and_shared_by_kind() -> None:
    mask = np.zeros((2, COUNT), np.bool_)
    mask[0, [0, 1, TYPE]] = True
    mask[1, [PRESS, PRESS + 1]] = True
    shares = dom_factors.explore_shares(mask, np.array([0.6, 0.0, 0.2, 0.0, 0.2, 0.0]))
    # first row: click 0.6 over two, type 0.2, of 0.8 in all
    assert shares[0, [0, 1, TYPE]].tolist() == pytest.approx([0.375, 0.375, 0.25])
    assert shares[1, [PRESS, PRESS + 1]].tolist() == pytest.approx([0.5, 0.5])
    assert np.all(shares[~mask] == 0)


class _Told:
    def __init__(self, q: Tensor) -> None:
        self.q = q


class _Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_head = nn.Linear(4, 3)

    def forward(self, obs: Tensor, mask: Tensor) -> _Told:
        return _Told(self.q_head(obs))


def test_noisy_weights_are_the_means_plus_factorised_noise() -> None:
    head = _Head()
    noise = NoisyHead(head, "q_head", 0.5, torch.Generator().manual_seed(0))
    assert {name: float(sigma.detach().flatten()[0]) for name, sigma in noise.sigmas.items()} == {
        "q_head.weight": 0.25,
        "q_head.bias": 0.25,
    }
    drawn, obs = noise.draw(), torch.ones(1, 4)
    assert torch.linalg.matrix_rank(drawn["q_head.weight"]) == 1
    found = noise.values(head, drawn, obs, torch.ones(1, 3, dtype=torch.bool))
    weight = head.q_head.weight + 0.25 * drawn["q_head.weight"]
    assert torch.allclose(found, obs @ weight.T + head.q_head.bias + 0.25 * drawn["q_head.bias"])
    found.sum().backward()  # type: ignore[no-untyped-call]  # torch's own annotation
    assert noise.sigmas["q_head.weight"].grad is not None and head.q_head.weight.grad is not None
