"""Requests that nobody's library would send, drawn by kind from the OpenAPI document: what to send where, and in which bytes."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.raw_http import RawRequest, chunked

KNOWN_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHERS_METHODS = ("TRACE", "UNLOCK", "PROPFIND", "MKCOL", "LINK", "REPORT", "M-SEARCH", "PURGE", "QUERY", "get")
"""Registered for other protocols (IANA), or nearly one of ours; HTTP servers parse most of them."""
READ_BY_THE_WAY = (
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Cookie",
    "Forwarded",
    "Idempotency-Key",
    "Prefer",
    "Range",
    "Traceparent",
    "Tracestate",
    "Upload-Checksum",
    "Upload-Metadata",
    "Upload-Offset",
    "Wordloop-Timeout",
    "X-Forwarded-Host",
    "X-HTTP-Method-Override",
    "X-Request-ID",
    "X-Session-ID",
    "X_Session_ID",
    "serve_multiplexed_model_id",
    "serve-multiplexed-model-id",
    "X-Request-Timeout-Seconds",
    "X-Request-Disconnect-Disabled",
)
"""Headers that Serve, HAProxy, the framework or a middleware reads, and the document does not name."""
SEGMENT = {"start": 0.0, "end": 1.0, "speaker": "Ann", "text": "Ship it."}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string", "enum": ["a"]}}}
TEXTS: Mapping[str, Any] = {
    "/v1/embeddings": {"input": ["a text"], "user": "u"},
    "/v1/search": {"query": "who fixes it", "mode": "lexical"},
    "/v1/recaps": {"segments": [SEGMENT], "template": {"instructions": {"summary": "Short"}}},
    "/v1/estimate": {"segments": [SEGMENT]},
    "/v1/webhooks": {"url": "https://example.com/hook"},
    "/v1/conversations": {"audio_url": "https://example.com/a.wav", "vocabulary": "Ann"},
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": [{"type": "text", "text": "there"}]}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    },
}
"""A body that fits, for each route that takes texts: in every place of it stands something else now and then."""

Pair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    headers: tuple[str, ...]
    takes_body: bool

    def target(self) -> bytes:
        return re.sub(r"\{\w+\}", "job_" + "0" * 32, self.path).encode()


@dataclass(frozen=True, slots=True)
class Surface:
    """The operations of a document, and the host under which the service is asked."""

    host: bytes
    operations: tuple[Operation, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any], host: str) -> "Surface":
        return cls(host.encode(), tuple(_operations(document)))

    def any(self, reading: bool | None = None) -> SearchStrategy[Operation]:
        return st.sampled_from([each for each in self.operations if reading is None or each.takes_body is not reading])

    def ask(self, operation: Operation, *headers: Pair, method: str | None = None, body: bytes = b"") -> RawRequest:
        framed = body and not any(name == b"Transfer-Encoding" for name, _ in headers)
        length = ((b"Content-Length", b"%d" % len(body)),) if framed else ()
        told = ((b"Host", self.host), *headers, *length)
        return RawRequest((method or operation.method).encode(), operation.target(), told, body)


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            headers = tuple(each["name"] for each in told.get("parameters", ()) if each["in"] == "header")
            yield Operation(method.upper(), path, headers, "requestBody" in told)


def _printed(*ranges: tuple[int, int], most: int) -> SearchStrategy[bytes]:
    codes = st.one_of(*(st.integers(first, last) for first, last in ranges))
    return st.lists(codes, min_size=1, max_size=most).map(bytes)


TOKEN = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=24)
ANY_BYTES = _printed((0x20, 0x7E), (0x80, 0xFF), (0x09, 0x09), most=24)
PIECES = st.one_of(st.just(b"7"), st.sampled_from([b"a", b"a-1.", b"\xff", b"%00", b",", b"="]))
LONG = st.builds(lambda piece, times: piece * times, PIECES, st.sampled_from([130, 300, 3000, 6000]))
WORDS = st.one_of(
    *(st.text(st.characters(categories=[kind]), min_size=1, max_size=3) for kind in ("Cs", "Cc", "Co")), st.text(max_size=8)
)
"""Halves of surrogate pairs, control characters, private ones, and any text."""


def methods(surface: Surface) -> SearchStrategy[RawRequest]:
    """Any token as a method, and those that others know, on routes that are there."""
    drawn = st.one_of(TOKEN, st.sampled_from(OTHERS_METHODS))
    return st.builds(lambda operation, method: surface.ask(operation, method=method), surface.any(), drawn)


def header_bytes(surface: Surface) -> SearchStrategy[RawRequest]:
    """Any bytes in headers that somebody on the way reads, now and then a header twice."""
    return _named(surface).flatmap(
        lambda drawn: st.lists(st.tuples(_one_of(READ_BY_THE_WAY), ANY_BYTES), max_size=4).flatmap(
            lambda more: ANY_BYTES.map(lambda value: surface.ask(drawn[0], (drawn[1], value), *more))
        )
    )


def long_headers(surface: Surface) -> SearchStrategy[RawRequest]:
    """Thousands of characters in such a header."""
    return st.builds(lambda drawn, value: surface.ask(drawn[0], (drawn[1], value)), _named(surface), LONG)


def _named(surface: Surface) -> SearchStrategy[tuple[Operation, bytes]]:
    """An operation and the name of a header that its part of the document names, or that is read by the way."""
    documented = {name.lower() for operation in surface.operations for name in operation.headers}
    reading = {
        name: st.sampled_from([each for each in surface.operations if name in [known.lower() for known in each.headers]])
        for name in sorted(documented)
    }
    by_document = st.sampled_from(sorted(documented)).flatmap(lambda name: st.tuples(reading[name], st.just(name.encode())))
    return st.one_of(by_document, st.tuples(surface.any(), _one_of(READ_BY_THE_WAY)))


def _one_of(names: tuple[str, ...]) -> SearchStrategy[bytes]:
    return st.sampled_from(names).map(str.encode)


def lengths(surface: Surface) -> SearchStrategy[RawRequest]:
    """A body whose length is said in no way that there is."""
    said = st.one_of(ANY_BYTES, LONG, st.sampled_from([b"-1", b"+1", b"0x1", b"1, 2", b"abc", b"1e3", b"\xb2"]))
    name = st.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Expect", b"Content-Encoding"])
    return st.builds(lambda operation, header: surface.ask(operation, header), surface.any(), st.tuples(name, said))


NEARLY = [b"%s/", b"/%s", b"%s//", b"%s?after=%%ff", b"%s%%00", b"%s%%ff", b"%s%%2e%%2e", b"%s?%%ff=%%00&format=\xff"]


def targets(surface: Surface) -> SearchStrategy[RawRequest]:
    """Paths that are none, or nearly one that is there."""
    odd = st.sampled_from([*NEARLY, b"*%.0s", b"http://evil.example%s"])
    return st.builds(
        lambda operation, form: RawRequest(operation.method.encode(), form % operation.target(), ((b"Host", surface.host),)),
        surface.any(),
        odd,
    )


CALLED = [
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"multipart/mixed; boundary=b",
    b"application/json",
    b"application/json; charset=utf-16",
    b"application/x+json",
    b"text/plain",
    b"application/x-www-form-urlencoded",
    b"application/json\xff",
]
BODIES = [b"{}", b"[" * 5000, b"\xff\xfe{\x00}\x00", b'{"input": 1' + b"0" * 5000 + b"}", b"--b\r\n\r\n"]


def content_types(surface: Surface) -> SearchStrategy[RawRequest]:
    """A body that is called something else than it is."""
    boundaries = st.one_of(ANY_BYTES, LONG).map(lambda boundary: b"multipart/form-data; boundary=" + boundary)
    return st.builds(
        lambda operation, kind, body: surface.ask(operation, (b"Content-Type", kind), body=body),
        surface.any(reading=False),
        st.one_of(st.sampled_from(CALLED), boundaries, ANY_BYTES),
        st.one_of(st.binary(max_size=64), st.sampled_from(BODIES)),
    )


def unread_bodies(surface: Surface) -> SearchStrategy[RawRequest]:
    """A body, most of them in chunks, where the document names none."""
    bodies = st.builds(lambda size: b"x" * size, st.integers(1, 40_000))
    framed = st.sampled_from([((b"Transfer-Encoding", b"chunked"),), ()])
    return st.builds(
        lambda operation, headers, body: surface.ask(operation, *headers, body=chunked(body) if headers else body),
        surface.any(reading=True),
        framed,
        bodies,
    )


def texts(surface: Surface) -> SearchStrategy[RawRequest]:
    """JSON that fits but for its words: any characters, halves of surrogate pairs too, as values and as names."""
    places = [
        (operation, place)
        for operation in surface.operations
        if operation.path in TEXTS and operation.method == "POST"
        for place in _places(TEXTS[operation.path])
    ]
    return st.builds(
        lambda at, words, escaped: _reworded(surface, *at, words, escaped), st.sampled_from(places), WORDS, st.booleans()
    )


def _reworded(surface: Surface, operation: Operation, place: tuple[Any, ...], words: str, escaped: bool) -> RawRequest:
    """A body with one of its words, or of its free names, replaced."""
    body = _spelled(_with(TEXTS[operation.path], place, words), escaped)
    return surface.ask(operation, (b"Content-Type", b"application/json"), body=body)


def _spelled(value: Any, escaped: bool) -> bytes:
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, str):
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        if isinstance(name, str):
            yield (*path, (name,))
        yield from _places(child, (*path, name))


def _with(node: Any, place: tuple[Any, ...], words: str) -> Any:
    """Replace what stands at a place; a name in a tuple of its own is the name itself."""
    if not place:
        return words
    head, *rest = place
    if isinstance(head, tuple):
        return {words if name == head[0] else name: child for name, child in node.items()}
    changed = _with(node[head], tuple(rest), words)
    return {**node, head: changed} if isinstance(node, dict) else [*node[:head], changed, *node[head + 1 :]]


HOSTS = [b"evil.example", b"127.0.0.1.evil.example", b"localhost.evil.example:1", b"[::1", b""]
SITES = [None, None, b"none", b"same-origin", b"same-site", b"cross-site"]


def pages(surface: Surface) -> SearchStrategy[RawRequest]:
    """What a browser sends for a page: whose it is stands in `Host`, `Origin` and `Sec-Fetch-Site`."""
    own = b"http://" + surface.host
    hosts = st.sampled_from([surface.host, surface.host, b"evil.example@" + surface.host, *HOSTS])
    origins = st.sampled_from(
        [None, None, own, own + b".evil.example", own[:-1], b"null", b"http://evil.example", b"", b"http://"]
    )
    return st.builds(_page_request, surface.any(), hosts, origins, st.sampled_from(SITES))


def _page_request(operation: Operation, host: bytes, origin: bytes | None, site: bytes | None) -> RawRequest:
    told = ((b"Origin", origin), (b"Sec-Fetch-Site", site))
    headers = tuple((name, value) for name, value in told if value is not None)
    return RawRequest(operation.method.encode(), operation.target(), ((b"Host", host), *headers))


KINDS: Mapping[str, Callable[[Surface], SearchStrategy[RawRequest]]] = {
    kind.__name__: kind
    for kind in (methods, header_bytes, long_headers, lengths, targets, content_types, unread_bodies, texts, pages)
}
