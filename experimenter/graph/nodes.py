"""The nodes: load by id, call one step, journal, return ids. Nothing is decided here: loop rules live in `routes.py`."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from experimenter.graph import routes
from experimenter.graph.state import State
from experimenter.records import Decision
from experimenter.research import agenda, certifying, feedback, judging, searching
from experimenter.services import Services

Context = Runtime[Services]


def read_goal(state: State, runtime: Context) -> State:
    """Words -> Goal."""
    agenda.understand_goal(runtime.context)
    return {"generation": 0, "extension": 0, "proposals": 0, "task": ""}


def recall(state: State, runtime: Context) -> Command[Literal["propose", "finish"]]:
    """Goal -> a skill that already does it, or none."""
    skill = agenda.recall_skill(runtime.context)
    return Command(update={"outcome": "matched" if skill else ""}, goto=routes.after_recall(skill is not None))


def propose(state: State, runtime: Context) -> Command[Literal["propose", "take_task", "finish"]]:
    """Goal, skills and past verdicts -> admitted tasks."""
    services, rounds = runtime.context, state["proposals"] + 1
    admitted = agenda.propose_tasks(services, rounds)
    fruitless = 0 if admitted else state.get("fruitless", 0) + 1
    goto = routes.after_propose(agenda.count_queued(services), fruitless, agenda.is_over(services))
    return Command(update={"proposals": rounds, "fruitless": fruitless}, goto=goto)


def take_task(state: State, runtime: Context) -> Command[Literal["write_rewards", "next"]]:
    """The next queued task, split into subgoals first."""
    task = agenda.take_task(runtime.context)
    return Command(update={"task": task, "generation": 0, "extension": 0, "decision": ""}, goto=routes.after_take(task))


def write_rewards(state: State, runtime: Context) -> State:
    """Task and reflection -> screened reward programs, beside the baseline arms."""
    searching.write_rewards(runtime.context, state["task"], state["generation"])
    return {"extension": 0}


def race(state: State, runtime: Context) -> State:
    """Arms -> results, rung by rung."""
    over = searching.race(runtime.context, state["task"], state["generation"], state["extension"])
    return {"decision": "over" if over else ""}


def judge(state: State, runtime: Context) -> Command[Literal["certify", "extend", "reflect", "drop"]]:
    """Results -> verdict."""
    services = runtime.context
    verdict = judging.judge_task(services, state["task"], state["generation"], state["extension"])
    over = state["decision"] == "over" or agenda.is_over(services)
    goto = routes.after_judge(
        verdict.decision,
        generation=state["generation"],
        generations=services.config.generations,
        extension=state["extension"],
        extensions=services.config.extensions,
        over=over,
    )
    return Command(update={"decision": verdict.decision.value}, goto=goto)


def extend(state: State, runtime: Context) -> State:
    """A winner that still improves gets more agenda."""
    return {"extension": state["extension"] + 1}


def certify(state: State, runtime: Context) -> Command[Literal["next", "reflect"]]:
    """The winner's policy -> a skill, if held-out seeds say so."""
    services = runtime.context
    skill = certifying.certify_task(services, state["task"], state["generation"])
    goto = routes.after_certify(
        skill is not None,
        generation=state["generation"],
        generations=services.config.generations,
        over=agenda.is_over(services) or state["decision"] == Decision.DROP,
    )
    return Command(update={"outcome": "certified" if skill else "not certified"}, goto=goto)


def reflect(state: State, runtime: Context) -> State:
    """Verdict -> what to change next."""
    judging.reflect_on(runtime.context, state["task"], state["generation"])
    feedback.open_question(runtime.context, state["task"], state["generation"] + 1)
    return {"generation": state["generation"] + 1, "extension": 0}


def ask(state: State, runtime: Context) -> State:
    """Between generations: wait for the person's word, if they asked to be asked. The answer is a row, not the resume value."""
    services, generation = runtime.context, state["generation"]
    if services.config.ask and not feedback.is_answered(services, state["task"], generation):
        interrupt({"task": state["task"], "generation": generation})
    return {"outcome": ""}


def drop(state: State, runtime: Context) -> State:
    agenda.drop_task(runtime.context, state["task"], state["generation"])
    return {"outcome": "dropped"}


def next_task(state: State, runtime: Context) -> Command[Literal["take_task", "propose", "finish"]]:
    """Goal, budget and verdicts -> the next task, new proposals, or the end."""
    services = runtime.context
    agenda.close_task(services, state["task"])
    goal = services.journal.goal()
    goto = routes.after_task(
        goal.kind,
        target_certified=agenda.target_certified(services),
        queued=agenda.count_queued(services),
        rounds=state["proposals"],
        over=agenda.is_over(services),
    )
    return Command(update={"task": ""}, goto=goto)


def finish(state: State, runtime: Context) -> State:
    """Session -> outcome and report."""
    return {"outcome": agenda.finish_session(runtime.context)}
