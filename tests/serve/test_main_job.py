"""The main job on a real recording, through the real graph with four warm models."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jiwer
import pytest
from openai import OpenAI
from whisper_normalizer.english import EnglishTextNormalizer

from tests.running_service import RECORDING, RunningService, finished, submit

pytestmark = [pytest.mark.serve, pytest.mark.timeout(900)]
REFERENCE = json.loads(RECORDING.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def job(service: RunningService) -> dict:
    with service.client() as client:
        accepted = submit(client, RECORDING)
        assert accepted["object"] == "job"
        return finished(client, accepted["id"])


def test_a_recording_becomes_a_transcript_with_the_words_that_were_said(service: RunningService, job: dict) -> None:
    with service.client() as client:
        transcript = client.get(f"/v1/transcripts/{job['result']['transcript_id']}").json()
    normalise = EnglishTextNormalizer()
    said = normalise(" ".join(turn["text"] for turn in REFERENCE["turns"]))
    assert jiwer.wer(said, normalise(transcript["text"])) < 0.12
    assert transcript["coverage"]["ratio"] > 0.95
    assert transcript["segments"][0]["words"]
    assert all(call["model"]["id"] for call in transcript["provenance"])


def test_its_recap_cites_segments_and_names_the_decision(service: RunningService, job: dict) -> None:
    assert job["status"] == "completed", job
    with service.client() as client:
        recap = client.get(f"/v1/recaps/{job['result']['recap_id']}").json()
        transcript = client.get(f"/v1/transcripts/{job['result']['transcript_id']}").json()
    known = {segment["id"] for segment in transcript["segments"]}
    statements = recap["summary"] + recap["decisions"] + recap["action_items"]
    assert all(set(statement["segment_ids"]) <= known and statement["segment_ids"] for statement in statements)
    assert any("19th" in s["text"] or "nineteen" in s["text"] for s in recap["decisions"])
    assert recap["action_items"]


def test_each_model_tells_how_it_is_run_and_how_fast(service: RunningService, job: dict) -> None:
    with service.client() as client:
        served = {model["kind"]: model for model in client.get("/v1/models").json()["data"]}
    assert served["generate"]["engine"].startswith("vllm")
    assert served["embed"]["engine"].startswith("ctranslate2")
    assert (served["find"]["engine"].split("-")[0], served["find"]["precision"]) == ("ctranslate2", "int8")
    for model in served.values():
        assert model["rate"]["input_per_s"] > 0
        assert model["instructions"]
    assert served["generate"]["rate"]["output_per_s"] > 0


def test_its_sentences_are_found_by_meaning(service: RunningService, job: dict) -> None:
    with service.client() as client:
        answer = client.post("/v1/search", json={"query": "who repairs the crash?", "limit": 3}).json()
    assert any("crash" in hit["text"] for hit in answer["hits"])
    assert all(hit["transcript_id"] == job["result"]["transcript_id"] for hit in answer["hits"])


def test_the_same_recording_again_makes_no_call_that_was_answered(service: RunningService, job: dict) -> None:
    """An answer that the guard refused is none: the smallest model gives some that are cut off, and they are asked for again."""
    before = len(service.engine_calls())
    with service.client() as client:
        again = finished(client, submit(client, RECORDING)["id"])
        transcript = client.get(f"/v1/transcripts/{again['result']['transcript_id']}").json()
        recap = client.get(f"/v1/recaps/{job['result']['recap_id']}").json()
    assert again["status"] == "completed"
    assert again["id"] != job["id"]
    answered = {call["key"] for call in (*transcript["provenance"], *recap["provenance"])}
    assert len(answered) > 5
    assert not answered & set(service.engine_calls()[before:])
    assert all(call["cache_hit"] for call in transcript["provenance"])


def test_a_hundred_identical_requests_at_once_make_one_engine_call(service: RunningService) -> None:
    before = set(service.engine_calls())
    body = {"input": "a sentence that nobody asked for before", "model": "all-minilm-l6-v2"}

    def ask(client: httpx.Client) -> int:
        return client.post("/v1/embeddings", json=body).status_code

    with service.client() as client, ThreadPoolExecutor(32) as threads:
        statuses = list(threads.map(lambda _: ask(client), range(100)))
    assert statuses == [200] * 100
    new = [key for key in service.engine_calls() if key not in before]
    assert len(new) == 1


def test_the_openai_client_gets_vectors(service: RunningService) -> None:
    client = OpenAI(base_url=f"{service.url}/v1", api_key="none", http_client=httpx.Client(trust_env=False))
    answer = client.embeddings.create(input=["one", "two"], model="all-minilm-l6-v2")
    assert [len(item.embedding) for item in answer.data] == [384, 384]


def test_the_openai_client_gets_a_transcript(service: RunningService, job: dict) -> None:
    client = OpenAI(base_url=f"{service.url}/v1", api_key="none", http_client=httpx.Client(trust_env=False))
    with RECORDING.open("rb") as file:
        answer = client.audio.transcriptions.create(file=file, model="whisper-1", timeout=300)
    assert "launch" in answer.text


def test_livez_answers_while_a_recording_is_worked_on(service: RunningService, tmp_path: Path) -> None:
    with service.client() as client:
        accepted = submit(client, RECORDING, "transcriptions", vocabulary="Wordloop")  # other options: other calls
        took = []
        while client.get(f"/v1/jobs/{accepted['id']}").json()["status"] in ("queued", "in_progress"):
            begun = time.perf_counter()
            assert client.get("/livez").status_code == 200
            took.append(time.perf_counter() - begun)
            time.sleep(0.05)
    # A bound that only a blocked event loop breaks (seconds); figures are for the benchmark.
    assert sorted(took)[len(took) // 2] < 1.0


def test_the_dashboard_refuses_without_its_token(service: RunningService) -> None:
    url = service.described["dashboard_url"]
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{url}/api/jobs/", trust_env=False).status_code in (401, 403)
    token = Path(service.described["dashboard_token_file"]).read_text()
    allowed = httpx.get(f"{url}/api/jobs/", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert allowed.status_code == 200


def test_no_header_of_a_client_changes_the_limits_of_serve(service: RunningService) -> None:
    # Serve would give up after the time that the first one names, and answer 408.
    headers = {"x-request-timeout-seconds": "0.0001", "X-Request-Disconnect-Disabled": "?1"}
    with service.client() as client:
        answers = [client.get("/v1/models", headers=headers).status_code for _ in range(20)]
    assert set(answers) == {200}


def test_models_and_readiness_name_every_model(service: RunningService) -> None:
    with service.client() as client:
        models = [model for model in client.get("/v1/models").json()["data"] if model["alias_of"] is None]
        assert sorted(model["kind"] for model in models) == ["diarize", "embed", "find", "generate", "transcribe"]
        assert client.get("/readyz").status_code == 200
