"""Who acts in the bench of web models: the model step by step, its plan through the grounder, or the plan by rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from envs.web.actions import encode, shown
from envs.web.grounding import Grounded, ground
from envs.web.language import Line, print_line
from experimenter.evaluation.web_episodes import Chooser, Moment
from experimenter.llm.gateway import Gateway
from experimenter.records import Spent
from experimenter.roles.web_agent import choose_action, tell_action
from experimenter.roles.web_planner import WebPlan, plan, rule_clauses

_MOST_PLANS = 3
"""Plans an episode: the first, and new ones where a plan stopped or ended before the episode did."""


@dataclass
class Counts:
    """What went wrong in the episodes of a task."""

    unparsable: int = 0
    """Answers that could not be read, also after repair."""
    illegal: int = 0
    """Answers that named no legal action."""
    ungrounded: int = 0
    """Lines of a plan that led to no legal action."""


@dataclass(frozen=True)
class Arm:
    """A way of acting: `begin` gives the chooser of one episode."""

    name: str
    begin: Callable[[str, Counts], Chooser]
    spent: Callable[[], Spent]


def make_arm(name: str, gateway: Gateway | None) -> Arm:
    """Build `agent`, `plan` or `rule`."""
    spent = gateway.spent if gateway is not None else Spent
    if name == "rule" or gateway is None:
        return Arm(
            "rule",
            lambda step, counts: PlanChooser(lambda moment, past, fault, key: rule_clauses(moment.page), step, counts),
            Spent,
        )
    if name == "plan":

        def write(moment: Moment, past: list[str], fault: str, key: str) -> WebPlan:
            return plan(gateway, moment.page, past=past, fault=fault, step=key)

        return Arm("plan", lambda step, counts: PlanChooser(write, step, counts), spent)
    return Arm("agent", lambda step, counts: agent_chooser(gateway, step, counts), spent)


def agent_chooser(gateway: Gateway, key: str, counts: Counts) -> Chooser:
    """The model chooses every action."""

    def choose(moment: Moment) -> int | None:
        past = [tell_action(step.action, step.page, shown(step.page)) for step in moment.past]
        choice = choose_action(
            gateway,
            moment.page,
            moment.slots,
            moment.mask,
            past=past,
            left=moment.left,
            step=f"web_agent:{key}:{moment.step}",
        )
        counts.unparsable += choice.unparsable
        counts.illegal += choice.illegal
        return choice.number

    return choose


class PlanChooser:
    """Follows a plan line by line; plans anew where a line cannot be grounded or the plan is over."""

    def __init__(self, write: Callable[[Moment, list[str], str, str], WebPlan], key: str, counts: Counts) -> None:
        self._write, self._key, self._counts = write, key, counts
        self._waiting: list[Line] = []
        self._done: list[str] = []
        self._plans = 0
        self._fault = ""

    def __call__(self, moment: Moment) -> int | None:
        """The next line's action; None where it leads to none."""
        if not self._waiting and self._plans < _MOST_PLANS:
            self._plans += 1
            made = self._write(moment, list(self._done), self._fault, f"web_planner:{self._key}:{self._plans}")
            self._waiting, self._fault = list(made.lines), ""
        if not self._waiting:
            return None
        line = self._waiting.pop(0)
        found = ground(line, moment.page)
        number = self._number(found, moment)
        if number is None:
            self._counts.ungrounded += 1
            self._fault = f"{print_line(line)}: {found.why or 'not possible on this page'}"
            self._waiting = []
            return None
        self._done.append(print_line(line))
        return number

    @staticmethod
    def _number(found: Grounded, moment: Moment) -> int | None:
        number = None if found.action is None else encode(found.action, moment.page, moment.slots)
        return number if number is not None and moment.mask[number] else None
