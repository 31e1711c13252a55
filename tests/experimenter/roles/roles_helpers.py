"""Builders for the roles' tests: a toy card, records, and real gateways over scripted models."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel, create_engine

from envs.family import Card, Parameter, Variable
from envs.task import ParamValue, TaskSpec
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.messages import Capabilities, Reply, Request
from experimenter.llm.scripted import Scripted, ScriptedAnswer, scripted_choice
from experimenter.records import Budget, Goal, SkillBrief

SMALL = Capabilities(schema=True, logprobs=True, context_tokens=4096)
STRONG = Capabilities(code=True, schema=True, vision=True, n=True, context_tokens=100_000)


def make_card(**changes: Any) -> Card:
    """A cart that climbs a hill: two axes of difficulty (slope by 2, ice by 0.25) and one plain parameter."""
    values: dict[str, Any] = {
        "family": "hill",
        "title": "A cart on a hill",
        "text": "A cart drives up a hill. The episode ends when it rolls over or reaches the top.",
        "state": (
            Variable(name="speed", unit="m/s", low=-5, high=5, meaning="forward speed of the cart"),
            Variable(name="tilt", unit="rad", low=-3, high=3, meaning="tilt of the cart, 0 is level"),
            Variable(name="climbed", low=0, high=1, meaning="fraction of the way to the top"),
            Variable(name="rolled", low=0, high=1, meaning="1 when the cart has fallen over, else 0"),
            Variable(name="rays", shape=(10,), low=0, high=1, meaning="distances to the ground"),
        ),
        "actions": (Variable(name="throttle", low=-1, high=1, meaning="share of full power"),),
        "params": (
            Parameter(name="slope", low=0, high=10, default=0, unit="deg", step=2, meaning="steepness of the hill"),
            Parameter(name="ice", low=0, high=1, default=0, step=0.25, meaning="share of the road that is icy"),
            Parameter(name="load", low=0, high=8, default=4, unit="kg", integer=True, meaning="weight carried"),
        ),
        "fitness": "How much of the way up the cart has made, 0 to 1.",
        "success": "The cart reaches the top without rolling over.",
        "horizon": 200,
    }
    return Card(**{**values, **changes})


def make_goal(**changes: Any) -> Goal:
    values = {"text": "drive up the hill", "family": "hill", "target": full(slope=8.0), "horizon": 200}
    return Goal.model_validate({**values, **changes})


def full(**changes: ParamValue) -> dict[str, ParamValue]:
    """All parameters of the toy card."""
    return {"slope": 0.0, "ice": 0.0, "load": 4, **changes}


def make_task(**changes: ParamValue) -> TaskSpec:
    return TaskSpec(family="hill", params=full(**changes), horizon=200)


def make_skill(name: str = "skill", *, low: float = 0.9, **params: ParamValue) -> SkillBrief:
    return SkillBrief(
        id=name,
        name=name,
        description="drives",
        family="hill",
        params=full(**params),
        success_rate=0.95,
        success_low=low,
        fitness_iqm=0.9,
    )


class Talker(Scripted):
    """A scripted model that also tells log-probabilities: `margins` maps a word in the question to reward minus penalise."""

    def __init__(self, script: Sequence[ScriptedAnswer], capabilities: Capabilities, margins: dict[str, float]) -> None:
        super().__init__(script, capabilities=capabilities)
        self._margins = margins

    def complete(self, request: Request) -> list[Reply]:
        if not request.choices:
            return super().complete(request)
        self.requests.append(request)
        asked = request.messages[-1].text.split("Quantity:")[1]
        margin = next((value for word, value in self._margins.items() if word in asked), 0.0)
        return [Reply(text="reward", first_token={"reward": -1.0 + margin / 2, "pen": -1.0 - margin / 2})]


Speak = Callable[..., tuple[Gateway, Talker]]


def speak(
    folder: Path,
    *answers: ScriptedAnswer,
    able: Capabilities = STRONG,
    margins: dict[str, float] | None = None,
    budget: Budget | None = None,
) -> tuple[Gateway, Talker]:
    """A real gateway on a real ledger whose model gives `answers` in order."""
    engine = create_engine(f"sqlite:///{folder / f'ledger-{len(list(folder.iterdir()))}.db'}")
    SQLModel.metadata.create_all(engine)
    model = Talker(answers, able, margins or {})
    budget = budget or Budget()
    gateway = open_gateway(engine, session_id="s", choice=scripted_choice(), budget=budget, home=folder, provider=model)
    return gateway, model


def params_list(**params: float) -> list[dict[str, object]]:
    return [{"name": name, "value": value} for name, value in params.items()]


def text_of(model: Talker, call: int = -1) -> str:
    """Everything that the model was told in one call."""
    return "\n".join(message.text for message in model.requests[call].messages)


def as_json(value: object) -> str:
    return json.dumps(value)
