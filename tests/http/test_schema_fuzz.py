"""Requests made up from the OpenAPI document, right ones and wrong ones: no answer breaks it, and none is our failure.

They go through the entry of Serve's ingress replica, odd ones through HAProxy too, as in production: what breaks there is found.
WORDLOOP_FUZZ_CASES is the number of cases per operation, and of each kind of odd request: about 2,000 in the short form.
"""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import schemathesis
import uvicorn
from conftest import LIMITS, RealClock, make_world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.made_up_requests import KINDS, KNOWN_METHODS, Surface
from tests.raw_http import RawRequest, Rules, exchange
from tests.serve_front import IngressReplica, SeenMetrics, proxied, server_of

CASES = int(os.environ.get("WORDLOOP_FUZZ_CASES", "60"))
CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
NOT_DONE = "not_done_yet"
"""Routes that wait for a job say this with 504 when its time is up. No worker runs here, so they always do."""


@dataclass(frozen=True, slots=True)
class Front:
    """The ports of HAProxy and of the server behind it, and what Serve's replica there would have counted."""

    port: int
    behind: int
    metrics: SeenMetrics
    routes: frozenset[str]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The application behind its real front on loopback, on a thread of its own."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    limits = replace(LIMITS, queued_jobs=1_000_000, wait_s=0.01, compatible_wait_s=0.01, event_poll_s=0.01)
    started = threading.Event()
    served: list[tuple[uvicorn.Server, IngressReplica]] = []

    async def serve() -> None:
        world = make_world(folder, limits, RealClock())
        replica = IngressReplica(world.app)
        server = server_of(replica)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        served.append((server, replica))
        started.set()
        await task
        await world.client.aclose()
        world.store.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(30)
    server, replica = served[0]
    behind = server.servers[0].sockets[0].getsockname()[1]
    with proxied(tmp_path_factory.mktemp("haproxy"), behind) as port:
        yield Front(port, behind, replica.metrics, frozenset(replica.app.openapi()["paths"]))
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def api(front: Front) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{front.behind}/openapi.json")


schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.mark.slow
def test_no_made_up_request_breaks_the_document_or_the_service(
    api: schemathesis.BaseSchema, subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses: Counter[int] = Counter()
    for found in api.get_all_operations():
        for mode in MODES:
            with subtests.test(operation=found.ok().label, mode=mode.value), suppress(Unsatisfiable):
                _fuzz(found.ok(), mode, statuses)
    assert statuses.total() >= CASES * 10
    assert statuses[200] > 0 < statuses[422]
    with capsys.disabled():
        print(f"{statuses.total()} requests: {dict(sorted(statuses.items()))}")


def _fuzz(operation: APIOperation, mode: GenerationMode, statuses: "Counter[int]") -> None:
    """Send requests that fit the document, or that break it in some place. Raises at the first that gets a wrong answer."""

    @given(operation.as_strategy(generation_mode=mode))
    @settings(SETTINGS, max_examples=CASES // len(MODES))
    def send(case: schemathesis.Case) -> None:
        response = case.call(timeout=60)
        statuses[response.status_code] += 1
        if not (response.status_code == 504 and NOT_DONE in response.text):
            # A body that is too large is refused for that, whatever else is wrong with it; schemathesis does not count 413.
            # In a form every value is text, so a value of another type is none that could be refused.
            judged = response.status_code != 413 and case.media_type != "multipart/form-data"
            excluded = [] if judged else [negative_data_rejection]
            if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
                # The document describes the stream as text; schemathesis would hold each event to that.
                excluded.append(response_schema_conformance)
            case.validate_response(response, checks=CHECKS, excluded_checks=excluded)

    send()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_made_up_bytes_break_what_holds_for_every_answer(front: Front, api: schemathesis.BaseSchema, kind: str) -> None:
    surface = Surface.of(api.raw_schema, f"127.0.0.1:{front.port}")
    rules = Rules(frozenset({surface.host}), no_body=kind == "unread_bodies")

    @given(KINDS[kind](surface))
    @settings(SETTINGS, max_examples=CASES)
    def send(request: RawRequest) -> None:
        assert list(rules.broken(request, exchange(front.port, request))) == []

    send()


@pytest.mark.slow
def test_made_up_requests_make_no_series_but_those_of_methods_and_routes(front: Front) -> None:
    """Runs last: counts what all the requests of this module have left."""
    assert {method for method, _, _ in front.metrics.labels} <= {"", *KNOWN_METHODS}
    routes = {route.rstrip("/").replace(":path}", "}") for _, route, _ in front.metrics.labels}
    assert routes <= front.routes | {"", "/-/healthz", "/docs", "/openapi.json"}
