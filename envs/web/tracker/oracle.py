"""Oracles of the tracker's tasks. They see what an agent sees (the page as a list of elements) and nothing else."""

from __future__ import annotations

from collections.abc import Generator

from envs.web.backend import Action, Element, Snapshot
from envs.web.oracle_tools import button, click, find, named, press, quoted, read, text_is, write
from envs.web.oracles import Script, oracle

Walk = Generator[Action, Snapshot, Snapshot]
"""Part of a script; it returns the page that it leads to."""


@oracle("tracker-login")
def login(page: Snapshot) -> Script:
    """Press Login: the web server knows who we are."""
    yield click(text_is(page, "Login", tags=("a",)))


@oracle("tracker-close", "tracker-close-newest")
def close(page: Snapshot) -> Script:
    """Open the ticket, resolve it in the way that is asked for, submit."""
    told = quoted(page)
    how = told[0] if told else "fixed"
    if told:
        page = yield from _open(page)
    else:
        page = yield click(find(page, _is_ticket, "ticket in the list"))
    page = yield click(text_is(page, "Modify Ticket"))
    page = yield click(named(page, "action_resolve"))
    if how != named(page, "action_resolve_resolve_resolution").value:
        page = yield click(text_is(page, how, tags=("option",)))
    yield click(named(page, "trac-disable-on-submit"))


@oracle("tracker-priority")
def set_priority(page: Snapshot) -> Script:
    """Open the ticket, choose the priority, submit."""
    page = yield from _open(page)
    yield from _choose(page, quoted(page)[0])


@oracle("tracker-owner")
def assign(page: Snapshot) -> Script:
    """Open the ticket, reassign it, submit."""
    (to,) = quoted(page)
    page = yield from _open(page)
    page = yield click(text_is(page, "Modify Ticket"))
    page = yield click(named(page, "action_reassign"))
    if named(page, "action_reassign_reassign_owner").value != to.title():
        page = yield click(text_is(page, to.title(), tags=("option",)))
    yield click(named(page, "trac-disable-on-submit"))


@oracle("tracker-comment")
def comment(page: Snapshot) -> Script:
    """Open the ticket, write, submit."""
    (text,) = quoted(page)
    page = yield from _open(page)
    page = yield write(find(page, lambda e: e.tag == "textarea" and "comment" in e.attributes.split(), "comment"), text)
    yield click(named(page, "trac-disable-on-submit"))


@oracle("tracker-milestone")
def set_milestone(page: Snapshot) -> Script:
    """Search for the words, open what is found, choose the milestone, submit."""
    topic, to = quoted(page)
    page = yield write(named(page, "proj-search"), topic)
    page = yield press("Enter")
    page = yield click(
        find(page, lambda e: e.tag == "a" and topic in e.around and "/ticket/" in e.attributes, "result")
    )
    yield from _choose(page, to)


@oracle("tracker-create")
def create(page: Snapshot) -> Script:
    """Fill the form of a new ticket and send it."""
    summary, *values = quoted(page)
    page = yield click(text_is(page, "New Ticket"))
    page = yield write(named(page, "field-summary"), summary)
    for value in values:
        page = yield click(text_is(page, value, tags=("option",)))
    yield click(button(page, "Create ticket"))


def _choose(page: Snapshot, value: str) -> Script:
    """Choose a property on a ticket's page, submit."""
    page = yield click(text_is(page, "Modify Ticket"))
    page = yield click(text_is(page, value, tags=("option",)))
    yield click(named(page, "trac-disable-on-submit"))


def _open(page: Snapshot) -> Walk:
    """Go to the ticket that the instruction names by number: by its link, or where the list is too long by the search field."""
    (number,) = read(page, r"(#\d+)")
    for element in page.elements:
        if element.tag == "a" and element.text == number:
            return (yield click(element))
    page = yield write(named(page, "proj-search"), number)
    return (yield press("Enter"))


def _is_ticket(element: Element) -> bool:
    return element.tag == "a" and element.text.startswith("#") and "/ticket/" in element.attributes
