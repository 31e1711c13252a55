"""Oracles of the mail tasks with more than one kind of work."""

from __future__ import annotations

import re

from envs.web.backend import Snapshot
from envs.web.oracle_tools import all_named, click, find, named, quoted, text_is, write
from envs.web.oracles import OracleLost, Script, oracle


@oracle("email-inbox", "email-inbox-noscroll", "email-inbox-star-reply", "email-inbox-reply", "email-inbox-forward")
def email_inbox(page: Snapshot) -> Script:
    """Read what is asked, open the mail where it must be open, do it."""
    told = page.instruction
    found = re.search(r"(?:email by|reply to|[Ff]orward the email from|message from) ([\w'-]+)", told)
    if not found:
        raise OracleLost(f"no sender in {told!r}")
    sender = text_is(page, found[1])
    if "delete" in told or "star icon" in told:
        icon = "trash" if "delete" in told else "star"
        yield click(find(page, lambda e: icon in e.attributes.split() and e.index > sender.index, icon))
        return
    page = yield click(sender)
    if "forward" in told.lower():
        page = yield click(text_is(page, "Forward"))
        to = re.search(r"to ([\w'-]+)\.?$", told)
        if not to:
            raise OracleLost(f"no receiver in {told!r}")
        page = yield write(named(page, "forward-sender"), to[1])
        yield click(named(page, "send-forward"))
        return
    page = yield click(text_is(page, "Reply"))
    page = yield write(named(page, "reply-text"), quoted(page)[0])
    yield click(all_named(page, "send-reply")[0])
