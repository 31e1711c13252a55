"""The web family's card: card.md and the typed tables of state, actions and task parameters."""

from __future__ import annotations

from importlib.resources import files

from envs.family import Card, Parameter, Variable
from envs.web.actions import COUNT
from envs.web.measures import VARIABLES
from envs.web.miniwob import TASKS
from envs.web.params import MOST_CLUTTER, MOST_PREFILLED, WebParams

HORIZON = 15
"""Actions in an episode: the longest oracle solution of the certified tasks takes 13."""

_WORDS = {
    "log in": "login-user",
    "login": "login-user",
    "mail": "email-inbox",
    "email": "email-inbox",
    "delete the mail": "email-inbox-delete",
    "checkbox": "click-checkboxes",
    "search": "search-engine",
    "flight": "book-flight-nodelay",
    "table": "read-table",
    "date": "choose-date",
    "tab": "click-tab-2-hard",
    "password": "enter-password",
    "autocomplete": "use-autocomplete",
}


def task_words() -> dict[str, float]:
    """Words of a goal that ask for a task: its name, with and without hyphens, and a few everyday ones."""
    named = {task: float(place) for place, task in enumerate(TASKS)}
    spoken = {task.replace("-", " "): float(place) for place, task in enumerate(TASKS) if "-" in task}
    return {**{word: float(TASKS.index(task)) for word, task in _WORDS.items()}, **spoken, **named}


def make_card(family: str) -> Card:
    """The card of the family."""
    fields = WebParams.model_fields
    listed = "The tasks by number: " + ", ".join(f"{place} {task}" for place, task in enumerate(TASKS)) + "."
    return Card(
        family=family,
        title="Tasks on web pages, in a real browser",
        text=files("envs.web").joinpath("card.md").read_text().replace("{tasks}", listed),
        state=VARIABLES,
        actions=(
            Variable(
                name="action",
                low=0.0,
                high=float(COUNT - 1),
                meaning="number of the action: click or copy an element, type a field into one, scroll, press a key, done",
            ),
        ),
        params=(
            Parameter(
                name="task",
                low=0,
                high=len(TASKS) - 1,
                default=float(fields["task"].default),
                integer=True,
                fixed=True,
                words=task_words(),
                meaning="number of the task in the list above",
            ),
            Parameter(
                name="page_size",
                low=0,
                high=MOST_CLUTTER,
                default=0,
                integer=True,
                step=5.0,
                meaning="meaningless elements added beside the task's own; more is harder",
            ),
            Parameter(
                name="prefilled",
                low=0,
                high=MOST_PREFILLED,
                default=0,
                integer=True,
                step=-1.0,
                meaning="steps of a solution that are already taken when the episode begins, never the last; fewer is harder",
            ),
        ),
        fitness="How right the page itself judges the work to be, from 0 for wrong or unfinished to 1 for fully right. No unit.",
        success="The page must judge the work fully right before the horizon; where it measures closeness, nine tenths are enough.",
        horizon=HORIZON,
        hints=(
            "reward text that the instruction asks for standing in an input, but only once",
            "the end of the episode is judged by the page, so shaping should stay small beside it",
        ),
    )
