"""Clients that generators make from the OpenAPI document, and calls through them: Python (openapi-python-client), TypeScript."""

import asyncio
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(sys.executable).parent
TYPESCRIPT = Path(__file__).parent / "typescript"
CONFIG = "content_type_overrides:\n  application/offset+octet-stream: application/octet-stream\n"
"""The generator knows no content types of its own making; tus, the protocol of uploads, has one."""
ENOUGH_S = 250
"""Seconds for a command: the first one installs packages."""


async def run(*command: str | Path, cwd: Path) -> str:
    environment = os.environ | {"PATH": f"{TOOLS}:{os.environ['PATH']}"}

    def finished() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True, text=True, timeout=ENOUGH_S)

    done = await asyncio.to_thread(finished)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def document(served, folder: Path) -> Path:
    path = folder / "openapi.json"
    path.write_text((await served.client.get("/openapi.json")).text)
    return path


@pytest.fixture
def importable(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "wordloop_client"]:
        del sys.modules[name]


@pytest.mark.slow
async def test_a_client_in_python_is_made_whole_and_returns_objects(served, tmp_path, importable):
    (tmp_path / "config.yaml").write_text(CONFIG)
    options = ("--meta", "none", "--config", tmp_path / "config.yaml", "--output-path", tmp_path / "wordloop_client")
    told = await run(
        TOOLS / "openapi-python-client", "generate", "--path", await document(served, tmp_path), *options, cwd=tmp_path
    )
    assert "Warning" not in told, told

    def of(name: str):
        return importlib.import_module(f"wordloop_client.{name}")

    client = of("client").Client(base_url=str(served.client.base_url))
    models, types = of("models"), of("types")
    body = models.CreateConversationFilesAudioForm(file=types.File(payload=io.BytesIO(b"RIFF"), file_name="a.wav"))
    job = await of("api.audio.create_conversation").asyncio(client=client, body=body, idempotency_key="python")
    await served.complete()
    done = await of("api.jobs.get_job").asyncio(job.id, client=client)
    transcript = await of("api.results.get_transcript").asyncio(done.result.transcript_id, client=client)
    hits = await of("api.search.search").asyncio(client=client, body=models.SearchBody(query="ship", limit=1))
    refused = await of("api.recaps.create_recap").asyncio(client=client, body=models.RecapBody(segments=[]))

    assert (done.status, done.links.transcript) == ("completed", f"/v1/transcripts/{transcript.id}")
    assert transcript.segments[0].text == "Good morning"
    assert len(hits.hits) == 1
    assert refused.errors[0].location == "segments"


@pytest.fixture
async def project(tmp_path):
    """The TypeScript project with its packages, which npm installs from the lock file where they are not there yet."""
    installed = TYPESCRIPT / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (TYPESCRIPT / "package-lock.json").stat().st_mtime:
        await run(TOOLS / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=TYPESCRIPT)
    for name in ("package.json", "call.ts"):
        shutil.copy(TYPESCRIPT / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    return tmp_path


STRICTLY = ("--noEmit", "--strict", "--skipLibCheck", "--allowImportingTsExtensions")
ABOUT = ("--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom")


@pytest.mark.slow
async def test_a_client_in_typescript_is_typed_and_makes_a_call(served, project):
    node, packages, described = TOOLS / "node", TYPESCRIPT / "node_modules", await document(served, project)
    made = ("-o", "schema.d.ts", "--default-non-nullable=false")
    await run(node, packages / "openapi-typescript" / "bin" / "cli.js", described, *made, cwd=project)
    await run(node, packages / "typescript" / "bin" / "tsc", *STRICTLY, *ABOUT, "call.ts", cwd=project)
    told = json.loads(await run(node, "call.ts", str(served.client.base_url), cwd=project))
    (job,) = await served.store.jobs.list("default", 5)

    assert told == {"id": job.id, "events": f"/v1/jobs/{job.id}/events", "refusal": "segments"}
    assert job.request.idempotency_key == "typescript"
