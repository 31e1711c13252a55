"""The card that the sandbox tests write their programs against."""

from __future__ import annotations

from envs.family import Card, Variable


def make_card() -> Card:
    """Four numbers and a vector of three, two of them bounded; two actions."""
    return Card(
        family="toy",
        title="Toy",
        text="",
        params=(),
        fitness="how far",
        success="far enough",
        horizon=100,
        state=(
            Variable(name="position", low=-5, high=5),
            Variable(name="velocity", low=-3, high=3),
            Variable(name="angle"),
            Variable(name="joints", shape=(3,), low=-1, high=1),
            Variable(name="landed", low=0, high=1),
        ),
        actions=(Variable(name="torque", shape=(2,), low=-1, high=1),),
    )
