"""The service that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.running_service import RunningService


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One warm service for all tests that do not break it."""
    running = RunningService(tmp_path_factory.mktemp("service"))
    try:
        yield running.start()
    finally:
        running.stop()
