"""The region around a certificate, and the names of skills."""

from __future__ import annotations

from envs.catalog import get_family
from envs.family import Parameter
from envs.web.tasks import ALL_TASKS
from experimenter.research.certifying import further, skill_name


def test_one_natural_step_stays_within_the_range() -> None:
    height = Parameter(name="height", low=0.0, high=3.0, default=0.0, step=0.5)
    steps = Parameter(name="steps", low=0, high=9, default=3, step=2, integer=True)
    assert further(height, 0.2) == 0.7
    assert further(height, 2.8) == 3.0
    assert further(steps, 3) == 5


def test_a_skills_name_says_what_differs_from_the_plain_task() -> None:
    walker = get_family("walker")
    assert skill_name(walker.resolve_task()) == "walker"
    assert (
        skill_name(walker.resolve_task({"stump_height": 0.5, "stair_steps": 4}))
        == "walker-stair_steps-4-stump_height-0.5"
    )
    assert skill_name(get_family("gym:CartPole-v1").resolve_task()) == "CartPole-v1"
    web = get_family("web")
    mail = web.resolve_task({"task": ALL_TASKS.index("email-inbox-delete")})
    assert skill_name(mail) == "web-task-email-inbox-delete"
