"""What tests of every kind may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sql import SqlStore
from tests.postgresql_server import PostgresqlServer, running_server
from tests.redis_server import RedisServer, running_redis
from tests.s3_server import S3Server, running_s3


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """Commands set what Ray's processes inherit; the next test starts none of its programs in an environment of theirs."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server of this session."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A Redis server of this session."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_url(redis: RedisServer) -> str:
    """An empty Redis database of this test."""
    return redis.database()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server of this session."""
    with running_s3() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A migrated SQLite database in a file of this test."""
    url = f"sqlite:///{tmp_path}/store.db"
    SqlStore.migrate(url)
    return url


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: PostgresqlServer) -> str:
    """A migrated database to copy: copying takes half the time of migrating."""
    url = postgresql.database()
    SqlStore.migrate(url)
    return url


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer, migrated_postgresql: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test."""
    url = postgresql.database(like=migrated_postgresql)
    yield url
    postgresql.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind in turn: what holds for one store holds for the other."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


SERVERS = {"postgresql", "redis", "s3"}
"""Fixtures that start a server of the distribution's, or moto's."""


HEAVY = {
    "test_attack_recipe", "test_convert_trunk", "test_ctranslate2_embedder", "test_full_disk", "test_guard_processes",
    "test_honest_time", "test_injected_meetings", "test_item_reader", "test_job_engine_model", "test_language_model_engines",
    "test_llama_cpp_engine", "test_migrations", "test_model_store_assembly", "test_model_store_bundled",
    "test_model_store_processes", "test_model_store_references", "test_recap_hours", "test_scripted_service",
    "test_search_scale", "test_service_processes", "test_speaker_networks", "test_wheel", "test_wheel_contents",
    "test_whisper_engine",
}  # fmt: skip
"""Files of tests that load real weights, start whole programs or try thousands of cases."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a server of their own, or much time: `just fast` leaves them out. Slow files come first, so that
    nobody on two cores waits for one of them in the end.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        asked = [*getattr(item, "fixturenames", ()), *(each for each in parameters if isinstance(each, str))]
        if any(name.replace(" ", "_").partition("_")[0] in SERVERS for name in asked):
            item.add_marker("server")
        if item.path.stem in HEAVY:
            item.add_marker("heavy")
