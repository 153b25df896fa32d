"""The service that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.otlp_collector import Collector, running_collector
from tests.postgresql_server import PostgresqlServer
from tests.running_service import RunningService


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the service sends spans and metrics."""
    with running_collector() as running:
        yield running


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector, postgresql: PostgresqlServer
) -> Iterator[RunningService]:
    """One warm service on PostgreSQL and vLLM, as in production, for all tests that do not break it.

    Those that do start their own, on SQLite and llama.cpp.
    """
    settings = {"language_model": {"engine": "vllm"}}
    running = RunningService(tmp_path_factory.mktemp("service"), collector.url, postgresql.database(), settings)
    try:
        yield running.start()
    finally:
        running.stop()
