"""What a browser may reach: the hosts of allowed sites, and nothing else. Enforced below the page, in layers.

0. Where the system allows it and no site has a server, the browser runs in a network namespace of its own without any
   network, see `launch.offline_prefix`.

1. Names and addresses: the browser resolves every host, numbers included, to nowhere, except `site.test:80` of a site with
   a real server behind it, which goes to exactly that loopback port. This holds for everything that opens a connection.
2. Requests: each one is held until we answer. Files of an allowed site are answered from its folder inside this process, so a
   site without a server needs no network at all; everything else fails and is written down in `refused`.

A page may not be left: loading another document in its place is refused too.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from envs.web.sites import Site

_MOST_LOGGED = 1000


def resolver_rules(sites: Sequence[Site]) -> str:
    """Chromium's host rules that let through exactly the servers behind `sites`."""
    through = [f"MAP {site.host}:80 {site.upstream}" for site in sites if site.upstream]
    return ", ".join([*through, "MAP * ~NOTFOUND"])


class Gate:
    """Decides one held request after the other for one page; remembers what was refused."""

    def __init__(self) -> None:
        self.site: Site | None = None
        self.may_navigate = False
        """Whether the next document is one that we asked for."""
        self.refused: list[str] = []
        """Addresses that were refused, oldest first, at most a thousand."""

    def decide(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Answer the event `Fetch.requestPaused`: the method to call and its parameters."""
        number, url = event["requestId"], event["request"]["url"]
        parts = urlsplit(url)
        document = event.get("resourceType") == "Document"
        if self.site is None or parts.scheme != "http" or parts.netloc != self.site.host:
            return self._refuse(number, url, document)
        if document and not self.site.upstream:
            if not self.may_navigate:
                return self._refuse(number, url, document)
            self.may_navigate = False
        if self.site.upstream:
            return "Fetch.continueRequest", {"requestId": number}
        status, kind, body = self.site.answer(parts.path)
        return "Fetch.fulfillRequest", {
            "requestId": number,
            "responseCode": status,
            "responseHeaders": [{"name": "Content-Type", "value": kind}],
            "body": base64.b64encode(body).decode(),
        }

    def _refuse(self, number: str, url: str, document: bool) -> tuple[str, dict[str, Any]]:
        if len(self.refused) < _MOST_LOGGED:
            self.refused.append(url[:500])
        # an aborted document leaves the page as it is; a blocked one would put an error page in its place
        return "Fetch.failRequest", {"requestId": number, "errorReason": "Aborted" if document else "BlockedByClient"}
