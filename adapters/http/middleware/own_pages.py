"""Who may use a service that asks for no key: programs of this machine, and no web page but the service's own. Pure ASGI.

A browser lets any page send requests to `127.0.0.1`, some without asking anybody, and lets the page's server give its own
name this machine's address (DNS rebinding). What tells them apart is in headers that a page can not write: `Host`, `Origin`,
`Sec-Fetch-Site`. A service that asks for keys needs none of this: a page can not add one without leave (CORS), which nobody has.
"""

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import Field
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.common.problems import HttpProblem, render

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
"""RFC 9110, section 7.2: a name or an address, perhaps a port."""

HostName = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)$")]
Origin = Annotated[str, Field(pattern=r"^https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$")]


class OwnPagesOnly:
    """Refuses requests under another name than loopback's or one of `hosts`, and those that a page of another site makes.

    `hosts` are names without ports. `origins`: pages of others that may ask all the same, as `https://name` or `https://name:port`.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), origins: Collection[str] = ()) -> None:
        self.app = app
        self._hosts = LOOPBACK_NAMES | {host.lower() for host in hosts}
        self._origins = frozenset(origin.lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(Headers(scope=scope))) is not None:
            await render(Request(scope), refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, headers: Headers) -> HttpProblem | None:
        host = own_host(headers)
        if host is None or host["name"] not in self._hosts:
            text = "This service answers under loopback names and those of security.allowed_hosts only, until it asks for keys."
            return HttpProblem("host_refused", text)
        own = {f"{scheme}://{host[0]}" for scheme in ("http", "https")}
        origins = {origin.lower() for origin in headers.getlist("origin")}
        known = origins <= own | self._origins
        crossed = any("cross-site" in site.lower() for site in headers.getlist("sec-fetch-site")) and not origins & self._origins
        if crossed or not known:
            return HttpProblem("page_refused", "Pages of other sites may not use a service that asks for no key.")
        return None


def own_host(headers: Headers) -> re.Match[str] | None:
    """Return the one Host of a request, in lower case; None where there is none, more than one, or nonsense."""
    hosts = headers.getlist("host")
    return HOST.fullmatch(hosts[0].strip().lower()) if len(hosts) == 1 else None
