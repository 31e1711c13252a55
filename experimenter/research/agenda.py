"""What the nodes do about goals, tasks, skills and the end of a session. Each step may run twice: rows are keyed."""

from __future__ import annotations

from collections.abc import Sequence

from envs.catalog import get_family
from envs.family import Card
from envs.task import TaskSpec
from experimenter.errors import UsageError
from experimenter.records import Goal, GoalKind, Proposal, SkillBrief, SuccessRule
from experimenter.research.admission import admit_proposal
from experimenter.research.feedback import keep_flags
from experimenter.research.recall import remember_rewards
from experimenter.roles.ability import covers, is_able
from experimenter.roles.decomposer import decompose
from experimenter.roles.goal import known_cards, read_goal
from experimenter.roles.proposer import TaskBrief, propose
from experimenter.services import Services
from experimenter.wording import changed_params
from memory.tables import TaskRow
from skills.skill import brief

_NEAR_SKILLS = 5
_PROPOSALS = 3


def understand_goal(services: Services) -> None:
    """Read the goal's words; what the person said with flags wins over them."""
    config, journal = services.config, services.journal
    keep_flags(services)
    text = journal.session().goal_text
    goal = read_goal(services.speaker(), text, families=known_cards(config.family), family=config.family, step="goal")
    family = get_family(goal.family)
    try:
        task = family.resolve_task({**goal.target, **config.params}, horizon=goal.horizon, seed=config.seed)
    except ValueError as error:
        raise UsageError(str(error)) from None
    rule = goal.rule.evolve(episodes=config.certificate_episodes)
    if config.min_success_rate is not None:
        low = max(0.0, config.min_success_rate - 0.2)
        rule = SuccessRule(
            min_success_rate=config.min_success_rate, min_lower_bound=low, episodes=config.certificate_episodes
        )
    goal = goal.evolve(target=task.params, horizon=task.horizon, rule=rule)
    journal.write_goal(goal)
    journal.event(
        "goal", "goal", f"goal read by {goal.source}: {goal.reading or goal.family}", goal.model_dump(mode="json")
    )


def recall_skill(services: Services) -> str | None:
    """Find a certified skill whose evidence already covers the goal; its id, or None."""
    goal = services.journal.goal()
    if services.config.fresh or goal.kind is GoalKind.OPEN:
        return None
    card = get_family(goal.family).card()
    for skill in known_skills(services, goal):
        if covers(skill, card, goal.target) and is_able(skill, goal.rule):
            task = _target(services, goal)
            services.journal.add_task(
                task, text=goal.text, state="matched", reason="a certified skill already does it", skill_id=skill.id
            )
            services.journal.event(
                "matched", "skill", f"skill {skill.name} ({skill.id}) already does it; --fresh trains anew"
            )
            return skill.id
    return None


def propose_tasks(services: Services, rounds: int) -> int:
    """Put new tasks on the list: the target first, then what the proposer says. Returns how many were admitted."""
    goal, journal = services.journal.goal(), services.journal
    if goal.kind is GoalKind.TARGET and rounds == 1:
        proposals = [Proposal(params=goal.target, reason=goal.text, source="rule:target")]
    else:
        card = get_family(goal.family).card()
        proposals = propose(
            services.speaker(),
            goal,
            card,
            skills=known_skills(services, goal),
            history=task_history(services),
            n=_PROPOSALS,
            step=f"propose:{rounds}",
        )
    admitted = 0
    for proposal in proposals:
        verdict = admit_proposal(proposal, goal, [_spec(row) for row in journal.tasks()], services.config.seed)
        if verdict.task is None:
            journal.event(
                f"refused:{rounds}:{verdict.reason}",
                "proposal",
                f"proposal refused: {verdict.reason}",
                proposal.model_dump(mode="json"),
            )
        elif journal.add_task(verdict.task, text=proposal.reason, proposal=proposal):
            admitted += 1
    return admitted


def take_task(services: Services) -> str:
    """Take the next task: subgoals before the task that they belong to. Returns its digest, or "" when there is none."""
    journal = services.journal
    running = [row for row in journal.tasks() if row.state == "running"]
    row = running[0] if running else _first_queued(journal.tasks())
    if row is None:
        return ""
    if row.kind == "task":
        _split(services, row)
        row = _first_queued(journal.tasks(), kind="subgoal") or row
    journal.set_task(row.task_digest, "running")
    card, changed = (
        get_family(row.payload["family"]).card(),
        changed_params(row.payload["family"], row.payload["params"]),
    )
    params = ", ".join(f"{name} {card.say(name, value)}" for name, value in sorted(changed.items()))
    journal.event(
        f"task:{row.task_digest}", "task", f"task {row.task_digest[:6]}: {row.text} ({params or row.payload['family']})"
    )
    return row.task_digest


def close_task(services: Services, digest: str) -> None:
    """A task that is still open when its pipeline ends was not learnt. What its reward search taught is remembered."""
    for row in services.journal.tasks():
        if digest and row.task_digest == digest and row.state == "running":
            services.journal.set_task(digest, "dropped", "no policy met the admission test")
    if digest:
        remember_rewards(services, digest)


def drop_task(services: Services, digest: str, generation: int) -> None:
    verdicts = services.journal.verdicts(digest)
    reasons = "; ".join(verdicts[-1].payload.get("reasons", [])) if verdicts else "the judge dropped it"
    services.journal.set_task(digest, "dropped", reasons)
    services.journal.event(f"dropped:{digest}:{generation}", "task", f"task {digest[:6]} dropped: {reasons}")


def target_certified(services: Services) -> bool:
    goal = services.journal.goal()
    digest = _target(services, goal).digest
    return any(row.task_digest == digest and row.state in ("certified", "matched") for row in services.journal.tasks())


def finish_session(services: Services) -> str:
    """Say how the session ended and close its row; the report is written by whoever ran it."""
    outcome = describe_outcome(services.journal.tasks(), services.clock.training_over)
    services.journal.set_state("done", outcome)
    services.journal.event("done", "session", f"session done: {outcome}")
    return outcome


def describe_outcome(rows: Sequence[TaskRow], over: bool) -> str:
    certified = [row for row in rows if row.state == "certified"]
    matched = [row for row in rows if row.state == "matched" and row.kind == "task"]
    missed = [row for row in rows if row.state in ("dropped", "queued", "running")]
    parts = [f"{len(certified)} skill{'s' * (len(certified) != 1)} certified"]
    if matched:
        parts.append(f"{len(matched)} already known")
    if missed:
        parts.append(f"{len(missed)} task{'s' * (len(missed) != 1)} not learnt")
    return ", ".join(parts) + (" when the budget was spent" if over and missed else "")


def count_queued(services: Services) -> int:
    return sum(row.state == "queued" for row in services.journal.tasks())


def is_over(services: Services) -> bool:
    """True when time or env steps are spent. Model budgets end model calls, not the session: rules take over."""
    limit = services.config.budget.env_steps
    return services.clock.training_over or (limit is not None and services.journal.spent().env_steps >= limit)


def known_skills(services: Services, goal: Goal) -> list[SkillBrief]:
    """Certified skills of the goal's family, near in meaning and able by evidence."""
    numbers = {name: float(value) for name, value in goal.target.items() if isinstance(value, int | float)}
    matches = services.library.find(goal.text, family=goal.family, limit=_NEAR_SKILLS, able_for=numbers)
    return [SkillBrief.model_validate(brief(match.skill)) for match in matches]


def task_history(services: Services) -> list[TaskBrief]:
    """What was tried so far in this session, for the proposer."""
    briefs = []
    for row in services.journal.tasks():
        verdicts = services.journal.verdicts(row.task_digest)
        numbers = verdicts[-1].payload.get("numbers", {}) if verdicts else {}
        briefs.append(
            TaskBrief(
                params=row.payload["params"],
                state=row.state,
                decision=verdicts[-1].decision if verdicts else "",
                success_rate=numbers.get("success_rate"),
                fitness_iqm=numbers.get("fitness_iqm"),
                reason=row.reason,
            )
        )
    return briefs


def card_of(task: TaskSpec) -> Card:
    return get_family(task.family).card()


def _split(services: Services, row: TaskRow) -> None:
    """Split a task into subgoals, once; those that need training go on the list before it."""
    journal, goal = services.journal, services.journal.goal()
    task = _spec(row)
    if journal.event_data(f"split:{task.digest}") is not None:
        return
    subgoals = decompose(
        services.speaker(),
        goal,
        task,
        card_of(task),
        skills=known_skills(services, goal),
        step=f"decompose:{task.digest}",
    )
    family = get_family(task.family)
    for subgoal in subgoals:
        step = family.resolve_task(subgoal.params, horizon=task.horizon, seed=task.seed)
        if step.digest != task.digest:
            state = "matched" if subgoal.skill_id else "queued"
            journal.add_task(
                step, kind="subgoal", text=subgoal.text, parent=task.digest, state=state, skill_id=subgoal.skill_id
            )
    names = " -> ".join(subgoal.text for subgoal in subgoals)
    data = {"subgoals": [subgoal.model_dump(mode="json") for subgoal in subgoals]}
    journal.event(
        f"split:{task.digest}",
        "subgoals",
        f"subgoals by {subgoals[0].source if subgoals else 'rule'}: {names or 'none'}",
        data,
    )


def _first_queued(rows: Sequence[TaskRow], kind: str | None = None) -> TaskRow | None:
    queued = [row for row in rows if row.state == "queued" and (kind is None or row.kind == kind)]
    subgoals = [row for row in queued if row.kind == "subgoal"]
    first = subgoals or queued
    return first[0] if first else None


def _spec(row: TaskRow) -> TaskSpec:
    return TaskSpec.model_validate(row.payload)


def _target(services: Services, goal: Goal) -> TaskSpec:
    return get_family(goal.family).resolve_task(goal.target, horizon=goal.horizon, seed=services.config.seed)
