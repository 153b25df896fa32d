"""Requests as bytes: what no library would send, and what comes back."""

import http.client
import json
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

ANSWERS_S = 10.0
MOST_BYTES = 12_000
"""Of a head: HAProxy reads 16 KiB, some of which it keeps for itself."""
NAME = re.compile(rb"(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]+)?")
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
UNDERSTOOD = ("application/problem+json", "application/json")
MACHINE_TEXT = re.compile(r"Traceback|<html|\.py\b|[A-Za-z]+Error\b")


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request line, headers in order, and the bytes behind them. Nothing is added: no `Host`, no length."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def spelled(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target), *(b"%s: %s" % header for header in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def values(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.headers if known.lower() == name]

    @property
    def is_framed(self) -> bool:
        """Whether the body is as long as the headers say, so that nobody waits for more (RFC 9112, section 6)."""
        lengths, codings = self.values(b"content-length"), self.values(b"transfer-encoding")
        if codings:
            return codings == [b"chunked"] and not lengths
        return not lengths or lengths == [b"%d" % len(self.body)]

    @property
    def is_http(self) -> bool:
        """Whether a server can read this as a request at all, and an answer is owed."""
        hosts = self.values(b"host")
        named = len(hosts) == 1 and NAME.fullmatch(hosts[0]) is not None
        path = self.target.isascii() and (self.target.startswith(b"/") or self.target == b"*")
        return path and named and self.is_framed and len(self.spelled()) - len(self.body) < MOST_BYTES


@dataclass(frozen=True, slots=True)
class RawAnswer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name]

    @property
    def media_type(self) -> str:
        return "".join(self.values("content-type")[:1]).split(";")[0]

    @property
    def code(self) -> str:
        """The code of a refusal, in either spelling."""
        try:
            told: Any = json.loads(self.body)
        except ValueError:
            return ""
        return str(told.get("code") or told.get("error", {}).get("code", "")) if isinstance(told, dict) else ""


def exchange(port: int, request: RawRequest) -> RawAnswer | None:
    """Send a request on a connection of its own and read the answer; None when the connection is closed without a word."""
    with socket.create_connection(("127.0.0.1", port), ANSWERS_S) as connection:
        connection.settimeout(ANSWERS_S if request.is_framed else ANSWERS_S / 10)
        with suppress(BrokenPipeError, ConnectionResetError):  # Refused before all was sent: the answer may be there.
            connection.sendall(request.spelled())
            if not request.is_framed:
                connection.shutdown(socket.SHUT_WR)  # Else a server waits for what was announced.
        answer = http.client.HTTPResponse(connection, method=request.method.decode("latin-1"))
        try:
            answer.begin()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return None
        except TimeoutError:
            if request.is_framed:
                raise
            return None
        return RawAnswer(answer.status, answer.getheaders(), answer.read(1 << 20))


def chunked(body: bytes, size: int = 1000) -> bytes:
    """Spell a body in chunks (RFC 9112, section 7.1)."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every answer, whatever was asked. `hosts`: under which the service answers. `expected`: codes of refusals
    above 499 that are no failure. `no_body`: a request that brings one is refused.
    """

    hosts: frozenset[bytes]
    expected: frozenset[str] = frozenset({"not_done_yet", "not_implemented", "method_unknown"})
    no_body: bool = False

    def broken(self, request: RawRequest, answer: RawAnswer | None) -> Iterable[str]:
        """Yield a sentence for each rule that an answer breaks, or the want of one."""
        if answer is None:
            if request.is_http:
                yield "no answer"
            return
        if answer.status >= 500 and answer.code not in self.expected:
            yield f"{answer.status} is a failure of ours"
        if answer.status >= 400 and request.method != b"HEAD":
            if answer.media_type not in UNDERSTOOD or not answer.code:
                yield f"{answer.status} comes as {answer.media_type or 'nothing'}, not as a problem"
            if told := MACHINE_TEXT.search(answer.body.decode("utf-8", "replace")):
                yield f"the refusal tells {told[0]!r}"
        yield from self._id(request, answer)
        for place in answer.values("location"):
            if not re.match(r"/(?!/)", place):
                yield f"Location leads to {place!r}"
        if self.no_body and request.body and answer.status < 400:
            yield f"{answer.status} for {len(request.body)} bytes that nobody reads"
        if self._foreign(request) and answer.status < 400:
            yield f"{answer.status} for a page of another site"

    def _id(self, request: RawRequest, answer: RawAnswer) -> Iterable[str]:
        ids = answer.values("x-request-id")
        if len(ids) != 1:
            yield f"{len(ids)} request ids"
        elif not REQUEST_ID.fullmatch(ids[0]):
            yield f"the request id {ids[0][:40]!r} of {len(ids[0])} characters"
        offered = [value.decode("latin-1") for value in request.values(b"x-request-id")]
        if answer.status < 400 and len(offered) == 1 and REQUEST_ID.fullmatch(offered[0]) and ids != offered:
            yield f"the request id {offered[0]!r} came back as {ids!r}"

    def _foreign(self, request: RawRequest) -> bool:
        """Whether a browser would send this for a page that is not the service's own."""
        hosts = request.values(b"host")
        if [host.lower() for host in hosts] not in [[known] for known in self.hosts]:
            return True
        own = (b"http://" + hosts[0].lower(), b"https://" + hosts[0].lower())
        if any(origin.lower() not in own for origin in request.values(b"origin")):
            return True
        return b"cross-site" in request.values(b"sec-fetch-site")
