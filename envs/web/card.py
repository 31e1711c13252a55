"""The web family's card: card.md and the typed tables of state, actions and task parameters."""

from __future__ import annotations

from importlib.resources import files

from envs.family import Card, Chain, Parameter, Variable
from envs.web.actions import COUNT
from envs.web.measures import VARIABLES
from envs.web.miniwob import TASKS
from envs.web.params import FEWEST_ITEMS, MOST_ASKED, MOST_CLUTTER, MOST_DEPTH, MOST_ITEMS, MOST_PREFILLED, WebParams
from envs.web.tasks import ALL_TASKS

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
    "checkboxes": "click-checkboxes",
    "flight": "book-flight-nodelay",
    "book flight": "book-flight-nodelay",
    "table": "read-table",
    "date": "choose-date",
    "tab": "click-tab-2-hard",
    "password": "enter-password",
    "autocomplete": "use-autocomplete",
    "buy": "shop-buy",
    "shop": "shop-buy",
    "purchase": "shop-buy",
    "ticket": "tracker-close",
    "close ticket": "tracker-close",
    "resolve ticket": "tracker-close",
    "close newest ticket": "tracker-close-newest",
    "resolve newest ticket": "tracker-close-newest",
    "find ticket": "tracker-milestone",
    "set milestone": "tracker-milestone",
    "log tracker": "tracker-login",
    "priority": "tracker-priority",
    "assign": "tracker-owner",
    "reassign": "tracker-owner",
    "owner": "tracker-owner",
    "comment": "tracker-comment",
    "milestone": "tracker-milestone",
    "create ticket": "tracker-create",
    "new ticket": "tracker-create",
    "file ticket": "tracker-create",
}
"""Words of a goal; of several words, the goal has all, in this order, with at most three others between two of them."""


def task_words() -> dict[str, float]:
    """Words of a goal that ask for a task: its name, with and without hyphens, and a few everyday ones."""
    named = {task: float(place) for place, task in enumerate(ALL_TASKS)}
    spoken = {task.replace("-", " "): float(place) for place, task in enumerate(ALL_TASKS) if "-" in task}
    said = {word: float(ALL_TASKS.index(task)) for word, task in _WORDS.items()}
    return {**spoken, **said, **named}


def make_card(family: str) -> Card:
    """The card of the family."""
    fields = WebParams.model_fields
    listed = "The tasks by number: " + ", ".join(f"{place} {task}" for place, task in enumerate(ALL_TASKS)) + "."
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
                high=len(ALL_TASKS) - 1,
                default=float(fields["task"].default),
                integer=True,
                fixed=True,
                words=task_words(),
                values=ALL_TASKS,
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
            Parameter(
                name="catalogue",
                low=FEWEST_ITEMS,
                high=MOST_ITEMS,
                default=float(fields["catalogue"].default),
                integer=True,
                step=1000.0,
                meaning="items of the shop, and a hundred times the tickets of the tracker; more is harder, no other task knows it",
            ),
            Parameter(
                name="asked",
                low=1,
                high=MOST_ASKED,
                default=float(fields["asked"].default),
                integer=True,
                step=1.0,
                meaning="things that the instruction of the shop or the tracker asks for; more is harder",
            ),
            Parameter(
                name="guidance",
                low=0,
                high=1,
                default=float(fields["guidance"].default),
                integer=True,
                step=-1.0,
                meaning="whether the instruction of the shop or the tracker also says the way, or (0, harder) only what is wanted",
            ),
            Parameter(
                name="depth",
                low=1,
                high=MOST_DEPTH,
                default=1,
                integer=True,
                step=1.0,
                meaning="tasks on one page, to be done in order; more is harder, tasks of the shop and the tracker stand alone",
            ),
            *(
                Parameter(
                    name=name,
                    low=0,
                    high=len(TASKS) - 1,
                    default=float(fields[name].default),
                    integer=True,
                    fixed=True,
                    values=TASKS,
                    meaning=f"number of the {name} task on a page with as many",
                )
                for name in ("second", "third")
            ),
            Parameter(
                name="shaping",
                low=0.0,
                high=1.0,
                default=0.0,
                fixed=True,
                meaning="weight in the native reward of steps that a known solution takes too; the state variable progress needs it",
            ),
        ),
        fitness="How right the page itself judges the work to be, from 0 for wrong or unfinished to 1 for fully right. No unit.",
        success="The page must judge the work fully right before the horizon; where it measures closeness, nine tenths are enough.",
        horizon=HORIZON,
        hints=(
            "reward text that the instruction asks for standing in an input, but only once",
            "the end of the episode is judged by the page, so shaping should stay small beside it",
        ),
        chain=Chain(steps=("task", "second", "third"), count="depth"),
    )
