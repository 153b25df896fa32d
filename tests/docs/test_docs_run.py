"""Every code block of the tutorial, the how-to guides and the other pages is run, or its page says why not."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.guide import FENCE, PICTURES, ROOT, Reader, follow
from tests.docs.scripted_process import scripted_service
from tests.postgresql_server import PostgresqlServer
from tests.s3_server import S3Server

GUIDES = [ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
PAGES = [*GUIDES, *sorted(page for page in ROOT.glob("docs/**/*.md") if page not in GUIDES), *sorted(ROOT.glob("*.md"))]
RECAPS = ROOT / "docs" / "recaps.md"
"""Quoted answers of models, written by `evals.shown_recaps`."""
EXTEND = ROOT / "docs" / "extend.md"
"""Changes the code: test_extend_guide.py follows it in a copy."""
WITH_BLOCKS = [page for page in PAGES if "```" in page.read_text() and page not in (RECAPS, EXTEND)]
RECORDING = ROOT / "serve_app" / "demo" / "launch-review.ogg"
EXAMPLES = ROOT / "examples"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def receiver_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripted") / "data"


@pytest.fixture(scope="module")
def service(data: Path, receiver_port: int) -> Iterator[str]:
    """What `just dev` starts, which trusts a receiver of this test's."""
    config = data.parent / "dev.yaml"
    config.write_text((EXAMPLES / "dev.yaml").read_text().replace("9000", str(receiver_port)))
    with scripted_service(data, "--config", str(config)) as url:
        yield url


@pytest.fixture
def reader(tmp_path: Path, service: str, data: Path, receiver_port: int) -> Reader:
    places = {
        "127.0.0.1:8000": service.removeprefix("http://"),
        "127.0.0.1:8001": f"127.0.0.1:{(other := free_port())}",
        "--port 8001": f"--port {other}",
        "127.0.0.1:9000": f"127.0.0.1:{receiver_port}",
        "webhook_receiver.py 9000": f"webhook_receiver.py {receiver_port}",
    }
    return Reader(tmp_path, places, {"EXAMPLES": str(EXAMPLES), "DATA": str(data)})


@pytest.fixture
def places(request: pytest.FixtureRequest, reader: Reader) -> Reader:
    """The reader, with a bucket or a database for the pages that tell of one."""
    page = request.node.callspec.params["page"].name
    if page == "s3.md":
        s3: S3Server = request.getfixturevalue("s3")
        s3.client.create_bucket(Bucket="recordings")
        reader.places["127.0.0.1:9100"] = f"{s3.host}:{s3.port}"
    if page == "postgresql.md":
        postgresql: PostgresqlServer = request.getfixturevalue("postgresql")
        reader.places["postgresql://wordloop:secret@127.0.0.1:5432/wordloop"] = postgresql.database()
    return reader


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says_and_gives_a_reason_for_what_is_not_run(page: Path, places: Reader) -> None:
    skipped = dict(follow(page, places))

    blocks = [language for language in FENCE.findall(page.read_text()) if language not in PICTURES]
    assert len(places.ran) + len(skipped) == len(blocks)
    assert all(len(reason.split()) >= 3 for reason in skipped.values()), skipped
    assert page not in GUIDES or places.ran, "a guide of which nothing is run"


COMMANDS = {"recap.sh": ["bash"], "recap.py": [sys.executable], "recap.mjs": ["node"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_prints_the_recap_of_a_recording(name: str, service: str, reader: Reader) -> None:
    if shutil.which(COMMANDS[name][0], path=reader.variables["PATH"]) is None:
        pytest.skip(f"{COMMANDS[name][0]} is not installed")
    done = subprocess.run(
        [*COMMANDS[name], str(EXAMPLES / name), str(RECORDING), service],
        env=reader.variables, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "## Action items" in done.stdout


def test_examples_are_short_and_each_is_listed() -> None:
    table = (EXAMPLES / "README.md").read_text()
    for example in EXAMPLES.iterdir():
        assert example.name == "README.md" or example.name in table, example.name
        assert len(example.read_text().splitlines()) <= 32, example.name
