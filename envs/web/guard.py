"""What a browser may reach: the hosts of allowed sites, and nothing else. Enforced below the page, in layers.

0. Where the system allows it and no site has a server, the browser runs in a network namespace of its own without any
   network, see `launch.offline_prefix`.

1. Names and addresses: the browser resolves every host, numbers included, to nowhere, except `site.test:80` of a site with
   a real server behind it, which goes to exactly that loopback port. This holds for everything that opens a connection.
2. Requests: each one is held until we answer. Files of an allowed site are answered from its folder inside this process, so a
   site without a server needs no network at all; everything else fails and is written down in `refused`.

A page may not be left: loading another document in its place is refused too. Only the pages of an application (a shop, a tracker)
may lead to each other.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from envs.web.sites import Reply, Request, Site

_MOST_LOGGED = 1000
_MOST_HOPS = 5
FOLLOW = "x-follow"
"""Header of a request of served.js: where the application sends it on to is to be answered at once, with that address in `X-At`."""


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
        self.frames: list[str] = []
        """Paths of the documents that the page asked for may hold in frames, each once."""
        self.refused: list[str] = []
        """Addresses that were refused, oldest first, at most a thousand."""

    def decide(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Answer the event `Fetch.requestPaused`: the method to call and its parameters."""
        number, url = event["requestId"], event["request"]["url"]
        parts = urlsplit(url)
        document = event.get("resourceType") == "Document"
        if self.site is None or parts.scheme != "http" or parts.netloc != self.site.host:
            return self._refuse(number, url, document)
        if document and not (self.site.upstream or self.site.application):
            if self.may_navigate:
                self.may_navigate = False
            elif parts.path in self.frames:
                self.frames.remove(parts.path)
            else:
                return self._refuse(number, url, document)
        if self.site.upstream:
            return "Fetch.continueRequest", {"requestId": number}
        if self.site.application is not None:
            request = _read_request(event["request"], parts)
            if request.headers.get(FOLLOW):
                return _fulfil(number, _follow(self.site, request))
            reply = self.site.application.reply(request)
            return self._refuse(number, url, True) if document and not _is_page(reply) else _fulfil(number, reply)
        status, kind, body = self.site.answer(parts.path)
        return _fulfil(number, Reply(status=status, headers=(("Content-Type", kind),), body=body))

    def _refuse(self, number: str, url: str, document: bool) -> tuple[str, dict[str, Any]]:
        if len(self.refused) < _MOST_LOGGED:
            self.refused.append(url[:500])
        # an aborted document leaves the page as it is; a blocked one would put an error page in its place
        return "Fetch.failRequest", {"requestId": number, "errorReason": "Aborted" if document else "BlockedByClient"}


def _read_request(told: dict[str, Any], parts: SplitResult) -> Request:
    """The held request as an application gets it."""
    pieces = [base64.b64decode(entry["bytes"]) for entry in told.get("postDataEntries", ()) if "bytes" in entry]
    return Request(
        method=told["method"],
        path=parts.path + (f"?{parts.query}" if parts.query else ""),
        headers={name.lower(): value for name, value in told.get("headers", {}).items()},
        body=b"".join(pieces) or told.get("postData", "").encode(),
    )


def _follow(site: Site, request: Request) -> Reply:
    """The reply at the end of an application's redirects within its own host; a missing page where they lead out of it."""
    assert site.application is not None
    for _ in range(_MOST_HOPS):
        reply = site.application.reply(request)
        to = next((value for name, value in reply.headers if name.lower() == "location"), "")
        if not 300 <= reply.status < 400 or not to:
            return replace(reply, headers=(*reply.headers, ("X-At", request.path)))
        parts = urlsplit(urljoin(site.origin + request.path, to))
        if parts.scheme != "http" or parts.netloc != site.host:
            break
        kept = {name: value for name, value in request.headers.items() if not name.startswith("content-")}
        request = Request(path=parts.path + (f"?{parts.query}" if parts.query else ""), headers=kept)
    return Reply(status=404, headers=(("Content-Type", "text/plain"),), body=b"not here")


def _is_page(reply: Reply) -> bool:
    """Whether a reply can stand in a window: text that leads on or is a page, no download."""
    kinds = [value for name, value in reply.headers if name.lower() == "content-type"]
    return 300 <= reply.status < 400 or any(kind.startswith("text/html") for kind in kinds)


def _fulfil(number: str, reply: Reply) -> tuple[str, dict[str, Any]]:
    return "Fetch.fulfillRequest", {
        "requestId": number,
        "responseCode": reply.status,
        "responseHeaders": [{"name": name, "value": value} for name, value in reply.headers],
        "body": base64.b64encode(reply.body).decode(),
    }
