"""Requests made up from the OpenAPI document, right ones and wrong ones: no answer breaks it, and none is our failure.

WORDLOOP_FUZZ_CASES is the number of cases per operation; the short form keeps to about 2,000 in all.
"""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
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

CASES = int(os.environ.get("WORDLOOP_FUZZ_CASES", "100"))
CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
NOT_DONE = "not_done_yet"
"""Routes that wait for a job say this with 504 when its time is up. No worker runs here, so they always do."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    """The application behind a real server on loopback, on a thread of its own."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    limits = replace(LIMITS, queued_jobs=1_000_000, wait_s=0.01, compatible_wait_s=0.01, event_poll_s=0.01)
    started = threading.Event()
    served: list[uvicorn.Server] = []

    async def serve() -> None:
        world = make_world(folder, limits, RealClock())
        server = uvicorn.Server(uvicorn.Config(world.app, "127.0.0.1", 0, log_level="warning", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        served.append(server)
        started.set()
        await task
        await world.client.aclose()
        world.store.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(30)
    port = served[0].servers[0].sockets[0].getsockname()[1]
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    served[0].should_exit = True
    thread.join(30)


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
    @settings(
        max_examples=CASES // len(MODES),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
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
