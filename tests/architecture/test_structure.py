"""docs/structure.md draws the code as it is: its rooms and their arrows, and the path that an upload takes."""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx
import pytest

from serve_app.composition.composition import Composition
from serve_app.composition.database import database_url
from serve_app.composition.ingress import build_ingress
from serve_app.composition.worker import build_worker
from serve_app.settings.service import Settings
from tests.in_process_service import MODELS, handles
from tests.rooms_picture import DOCUMENT, drawn, parts

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "tests" / "data" / "speech" / "jfk.ogg"
STOP = re.compile(r'\["(?P<file>[\w/]+\.py)<br/>(?P<function>[\w.]+)<br/>')
"""A box on the path of an upload: a file, and the function in it that is entered."""


def test_the_rooms_are_drawn_as_they_are() -> None:
    _, inside, _ = parts(DOCUMENT.read_text(encoding="utf-8"))
    assert inside == drawn(), "python -m tests.rooms_picture draws them anew"


def stops(document: str) -> list[tuple[str, str]]:
    return [(found["file"], found["function"]) for found in STOP.finditer(document)]


@contextmanager
def entered() -> Iterator[list[tuple[str, str]]]:
    """The functions of this project that are entered within the context, each when it is entered for the first time."""
    found: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)):
            file = str(Path(code.co_filename).relative_to(ROOT))
            found.setdefault((file, code.co_qualname.rpartition("<locals>.")[2]))

    seen: list[tuple[str, str]] = []
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)
        seen.extend(found)


@pytest.mark.timeout(120)
async def test_an_upload_takes_the_path_that_is_drawn(tmp_path: Path) -> None:
    from adapters.sql import SqlStore

    settings = Settings(data_dir=tmp_path)
    SqlStore.migrate(database_url(settings))
    models = handles(settings.embedder.dimensions)
    ingress, behind = Composition(settings, MODELS, models, "ingress"), Composition(settings, MODELS, models, "worker")
    worker = build_worker(behind)
    transport = httpx.ASGITransport(build_ingress(ingress))
    with entered() as seen, RECORDING.open("rb") as file:
        loop = asyncio.create_task(worker())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=90) as client:
            done = await client.post("/v1/conversations", files={"file": ("meeting.ogg", file)}, headers={"prefer": "wait=60"})
        await worker.stop()
        loop.cancel()
    ingress.store.close()
    behind.store.close()

    assert done.json()["status"] == "completed"
    path = stops(DOCUMENT.read_text(encoding="utf-8"))
    assert len(path) > 10
    assert [stop for stop in seen if stop in path] == path
