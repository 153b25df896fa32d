"""What any web page can make a browser send to a service on loopback that asks for no key."""

import json
from collections.abc import Callable

from tests.attack.models import EMBEDDER
from tests.attack.trials import Attack, Outcome
from tests.attack.wire import Answer, Server

STRANGER = "evil.example"
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFFxxxxWAVE\r\n--b--\r\n'
CROSS_SITE = ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")


def browsers(server: Server, jobs: Callable[[], int]) -> list[Attack]:
    """`jobs` counts the jobs there are."""
    return [
        Attack(
            "a foreign name (DNS rebinding)",
            f"GET /v1/jobs, Host: {STRANGER}",
            lambda: _refused(server.ask(server.head("GET", "/v1/jobs", host=STRANGER))),
        ),
        Attack(
            "a redirect to a foreign name",
            f"GET /v1/jobs/, Host: {STRANGER}",
            lambda: _leads_nowhere(server.ask(server.head("GET", "/v1/jobs/", host=STRANGER))),
        ),
        Attack(
            "an upload from a web page",
            "POST /v1/transcriptions, multipart, Sec-Fetch-Site: cross-site, Origin: https://evil.example",
            lambda: _makes_no_job(server, jobs, CROSS_SITE),
        ),
        Attack(
            "an upload from an old browser's page",
            "POST /v1/transcriptions, multipart, Origin: https://evil.example alone",
            lambda: _makes_no_job(server, jobs, CROSS_SITE[:1]),
        ),
        Attack(
            "an upload from a page without an origin",
            "POST /v1/transcriptions, multipart, Origin: null",
            lambda: _makes_no_job(server, jobs, ("Origin: null",)),
        ),
        Attack("a client that is no page (has to be served)", "POST /v1/embeddings without Origin", lambda: _served(server)),
    ]


def _refused(answer: Answer) -> Outcome:
    return Outcome(answer.words, 400 <= answer.status < 500)


def _leads_nowhere(answer: Answer) -> Outcome:
    place = answer.first("location")
    return Outcome(f"{answer.words} {place}".strip(), 0 < answer.status < 500 and STRANGER not in place)


def _makes_no_job(server: Server, jobs: Callable[[], int], origin: tuple[str, ...]) -> Outcome:
    before = jobs()
    lines = ("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(FORM)}", *origin)
    answer = server.ask(server.head("POST", "/v1/transcriptions", *lines), [FORM])
    made = jobs() - before
    return Outcome(f"{answer.words}, {made} jobs made", 400 <= answer.status < 500 and not made)


def _served(server: Server) -> Outcome:
    body = json.dumps({"model": EMBEDDER, "input": "hello"}).encode()
    head = server.head("POST", "/v1/embeddings", "Content-Type: application/json", f"Content-Length: {len(body)}")
    answer = server.ask(head, [body])
    return Outcome(answer.words, answer.status == 200)
