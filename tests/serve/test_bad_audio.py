"""Every damaged, misleading, silent or odd file ends quickly in a right result or a clear problem; the service stays up."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jiwer
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from tests.running_service import ROOT, RunningService

pytestmark = [pytest.mark.serve, pytest.mark.timeout(900)]
BUNDLED = ROOT / "tests" / "data" / "audio" / "bad"
FULL = Path(os.environ.get("WORDLOOP_EVAL_DATA", ROOT.parent / "shared" / "data")) / "bad_audio"
FOLDER = FULL if (FULL / "manifest.jsonl").exists() else BUNDLED
REFUSALS = ("invalid_audio", "unsupported_audio", "too_large")
normalise = EnglishTextNormalizer()


def send(client: httpx.Client, path: Path) -> dict:
    """Upload one file and return its problem, or its transcript."""
    response = client.post("/v1/transcriptions", files={"file": (path.name, path.read_bytes())}, headers={"Prefer": "wait=60"})
    assert response.status_code < 500, (path.name, response.text)
    answer = response.json()
    if response.status_code >= 400:
        assert response.headers["content-type"].startswith("application/problem+json")
        return {"problem": answer}
    deadline = time.monotonic() + 120
    while answer["status"] in ("queued", "in_progress") and time.monotonic() < deadline:
        time.sleep(0.2)
        answer = client.get(f"/v1/jobs/{answer['id']}").json()
    if answer["status"] == "failed":
        assert {"type", "title", "detail", "status"} <= set(answer["error"]), answer["error"]
        return {"problem": answer["error"]}
    assert answer["status"] == "completed", answer
    return {"transcript": client.get(f"/v1/transcripts/{answer['result']['transcript_id']}").json()}


def verdict(expected: str, row: dict, answer: dict) -> str | None:
    """Return what is wrong with an answer, or None."""
    if "problem" in answer:
        if "reject" in expected:
            return None
        return None if "partial" in expected else f"refused: {answer['problem']['detail']}"
    text = answer["transcript"]["text"]
    if "no_speech" in expected and not text:
        return None
    if "transcribe" in expected:
        rate = jiwer.wer(normalise(row["reference"]), normalise(text)) if normalise(text) else 1.0
        return None if rate <= 0.35 else f"word error rate {rate:.2f}: {text[:60]!r}"
    if "partial" in expected:
        return None
    return f"got a text for {expected}: {text[:60]!r}"


def test_every_file_gets_a_right_answer_and_nothing_is_left_behind(service: RunningService) -> None:
    rows = [json.loads(line) for line in (FOLDER / "manifest.jsonl").read_text().splitlines()]
    rows = [row for row in rows if (FOLDER / row["file"]).exists()]
    assert len(rows) >= 10
    memory_before = service.replica("JobWorker").memory_info().rss

    with service.client() as client, ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda row: send(client, FOLDER / row["file"]), rows))
        wrong = {
            row["file"]: finding
            for row, answer in zip(rows, answers, strict=True)
            if (finding := verdict(row["expect"], row, answer)) is not None
        }
        assert not wrong
        assert client.get("/readyz").status_code == 200

    assert not list((service.data_dir / "work").rglob("*.pcm*")), "decoded sound was left behind"
    assert not list((service.data_dir / "blobs" / "tmp").iterdir()), "a half upload was left behind"
    grown = service.replica("JobWorker").memory_info().rss - memory_before
    assert grown < 300 * 2**20, f"the worker kept {grown / 2**20:.0f} MiB"


def test_an_empty_upload_is_refused_at_once_and_stores_nothing(service: RunningService) -> None:
    with service.client() as client:
        before = client.get("/v1/jobs", params={"limit": 1}).json()["data"][:1]
        response = client.post("/v1/conversations", files={"file": ("empty.wav", b"")})
        assert response.status_code == 422
        assert client.get("/v1/jobs", params={"limit": 1}).json()["data"][:1] == before


def test_the_logs_of_ingress_and_worker_say_how_decoders_are_shut_in(service: RunningService) -> None:
    logs = (Path(service.described["log_dir"]) / "serve").glob("replica_wordloop_*")
    told = {path.name.split("_")[2] for path in logs if "audio decoders are shut in by" in path.read_text(errors="replace")}
    assert told == {"Ingress", "JobWorker"}
