"""One trace from the client through queue and replicas; numbers for Prometheus; and nowhere a word of what was said."""

import json
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.ray_serve import metric_table as table
from adapters.ray_serve.metric_table import FROM_RAY, OWN
from tests.otlp_collector import CollectedSpan, Collector
from tests.running_service import ROOT, RunningService, finished, submit

pytestmark = [pytest.mark.serve, pytest.mark.timeout(900)]
SPOKEN = ROOT / "tests" / "data" / "speech" / "librispeech-198-209-0000.ogg"
EXPORTED_WITHIN_S = 40.0
"""The metrics go out every 15 s, the spans every 5."""
TRACE, CLIENT_SPAN = secrets.token_hex(16), secrets.token_hex(8)
ONLY_WHEN_IT_HAPPENS = (
    *(table.CACHE_HITS, table.RETRIES, table.REFUSED, table.BREAKER, table.TAKEOVERS, table.COST),
    *(table.QUEUED, table.REMEMBERED),
)
"""Metrics that a job without any trouble may leave out."""
WORDS_IN_A_ROW = 4
"""So many words of a transcript in a row are content; fewer can be chance in logs of this size."""


def wait_until(condition: Callable[[], Any]) -> None:
    give_up = time.monotonic() + EXPORTED_WITHIN_S
    while not condition():
        assert time.monotonic() < give_up, "it was never exported"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def traced_job(service: RunningService) -> dict[str, Any]:
    with service.client() as client:
        client.headers["traceparent"] = f"00-{TRACE}-{CLIENT_SPAN}-01"
        return finished(client, submit(client, SPOKEN)["id"])


def log_lines(service: RunningService) -> list[dict[str, Any]]:
    """Lines of Serve's JSON logs, of every replica."""
    files = (Path(service.described["log_dir"]) / "serve").glob("replica_*")
    lines = (line for path in files for line in path.read_text(errors="replace").splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_one_trace_follows_the_job_from_the_client_into_every_replica(
    service: RunningService, traced_job: dict[str, Any], collector: Collector
) -> None:
    assert traced_job["status"] == "completed", traced_job
    replicas = {"replica batch", "replica generate"}
    wait_until(lambda: replicas <= {span.name for span in collector.trace(TRACE)})
    wait_until(lambda: any(span.name == "job conversation" for span in collector.trace(TRACE)))
    spans = {span.span_id: span for span in collector.trace(TRACE)}

    def line_of(span: CollectedSpan) -> list[str]:
        names = [span.service + ": " + re.sub(r" (whisper|all-MiniLM|SmolLM).*", "", span.name, flags=re.IGNORECASE)]
        while span.parent_id in spans:
            span = spans[span.parent_id]
            names.append(span.service + ": " + span.name.split(" ")[0])
        assert span.parent_id == CLIENT_SPAN, names
        return names

    lines = {tuple(line_of(span)) for span in spans.values() if span.name in replicas}
    for model_call in lines:
        assert model_call[0].startswith("wordloop-model: replica")
        assert model_call[1].startswith("wordloop-worker: ")
        assert model_call[2:] == ("wordloop-worker: job", "wordloop-ingress: HTTP")
    assert len(lines) >= 3, "transcriber, language model and embedder"
    calls = [span for span in spans.values() if "wordloop.call.key" in span.attributes and span.service == "wordloop-worker"]
    assert calls
    assert all(span.attributes["wordloop.job.id"] == traced_job["id"] for span in calls)


def test_every_model_call_is_counted_for_prometheus_and_the_collector(
    service: RunningService, traced_job: dict[str, Any], collector: Collector
) -> None:
    def scraped() -> str:
        return httpx.get(service.described["metrics_url"], timeout=10, trust_env=False).text

    wanted = ("wordloop_model_calls", "wordloop_model_call_seconds", "wordloop_audio_seconds", "wordloop_tokens")
    wait_until(lambda: all(name in scraped() for name in wanted))
    assert re.search(r'wordloop_model_calls\S*\{[^}]*operation="transcribe"[^}]*outcome="ok"', scraped()) or re.search(
        r'wordloop_model_calls\S*\{[^}]*outcome="ok"[^}]*operation="transcribe"', scraped()
    )
    wait_until(lambda: "gen_ai.client.operation.duration" in collector.metrics)


def test_the_page_for_prometheus_holds_the_table_of_metrics(service: RunningService, traced_job: dict[str, Any]) -> None:
    assert traced_job["status"] == "completed", traced_job
    known = {metric.exposed.removesuffix("_total"): metric for metric in (*OWN, *FROM_RAY)}
    seen: dict[str, Any] = {}

    def all_seen() -> bool:
        page = httpx.get(service.described["metrics_url"], timeout=10, trust_env=False).text
        seen.update({family.name: family for family in text_string_to_metric_families(page)})
        return {name for name, metric in known.items() if metric not in ONLY_WHEN_IT_HAPPENS} <= set(seen)

    wait_until(all_seen)
    assert {name for name in seen if name.startswith("ray_wordloop_")} <= set(known)
    for name in set(known) & set(seen):
        assert seen[name].type == known[name].kind.value, name
        for sample in seen[name].samples:
            assert set(known[name].labels) <= set(sample.labels), name


def test_log_lines_carry_trace_and_job(service: RunningService, traced_job: dict[str, Any]) -> None:
    mine = [line for line in log_lines(service) if line.get("trace_id") == TRACE]
    told = {line["message"] for line in mine if line.get("wordloop_job_id") == traced_job["id"]}
    assert {"request", "job worked on"} <= told
    accepted = next(line for line in mine if line["message"] == "request" and line["method"] == "POST")
    assert (accepted["route"], accepted["status"]) == ("/v1/conversations", 202)


def test_nothing_that_is_emitted_holds_content_keys_or_headers(
    service: RunningService, traced_job: dict[str, Any], collector: Collector
) -> None:
    planted = {place: f"zugvogel{secrets.token_hex(6)}" for place in PLACES}
    with service.client() as client:
        for place, plant in PLACES.items():
            plant(client, planted[place])
        transcript = client.get(f"/v1/transcripts/{traced_job['result']['transcript_id']}").json()
        recap = client.get(f"/v1/recaps/{traced_job['result']['recap_id']}").json()
    # The exporters run on a timer; what is sent after the last of these calls is sent within one interval.
    time.sleep(16)
    emitted = b"\n".join(collector.raw)
    emitted += service.output.read_bytes()
    emitted += httpx.get(service.described["metrics_url"], timeout=10, trust_env=False).content
    logs = [path for path in Path(service.described["log_dir"]).rglob("*") if path.is_file()]
    assert any("replica" in path.name for path in logs)
    for path in logs:
        emitted += b"\n" + path.read_bytes()
    lowered = emitted.lower()

    assert len(collector.spans) > 10
    assert [place for place, secret in planted.items() if secret.encode() in lowered] == []
    said = " ".join([transcript["text"], *(statement["text"] for statement in recap["summary"])])
    found = [row for row in _rows_of_words(said) if row.encode() in lowered]
    assert found == []


def _rows_of_words(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[start : start + WORDS_IN_A_ROW]) for start in range(len(words) - WORDS_IN_A_ROW + 1)]


def _in_headers(client: httpx.Client, secret: str) -> None:
    headers = {"authorization": f"Bearer {secret}", "cookie": f"session={secret}", "x-api-key": secret}
    assert client.get("/v1/models", headers=headers).status_code == 200


def _in_a_query(client: httpx.Client, secret: str) -> None:
    assert client.post("/v1/search", json={"query": f"who said {secret}?"}).status_code == 200


def _in_texts(client: httpx.Client, secret: str) -> None:
    assert client.post("/v1/embeddings", json={"input": f"they call it {secret}"}).status_code == 200


def _in_a_chat(client: httpx.Client, secret: str) -> None:
    body = {"messages": [{"role": "user", "content": f"Repeat: {secret}"}], "max_completion_tokens": 48}
    assert client.post("/v1/chat/completions", json=body).status_code in (200, 502)


def _in_a_meeting(client: httpx.Client, secret: str) -> None:
    texts = (f"We decided that {secret} ships on Friday.", "Ada will write the notes by Monday.", "Who tests it?")
    segments = [{"start": 5.0 * n, "end": 5.0 * n + 4, "text": text, "speaker": secret} for n, text in enumerate(texts)]
    accepted = client.post("/v1/recaps", json={"segments": segments, "language": "en"}).json()
    assert finished(client, accepted["id"])["status"] == "completed"


def _in_names_and_options_of_an_upload(client: httpx.Client, secret: str) -> None:
    data = {"vocabulary": f"{secret}, Ada", "language": "en"}
    with SPOKEN.open("rb") as file:
        accepted = client.post("/v1/transcriptions", files={"file": (f"{secret}.ogg", file)}, data=data)
    assert accepted.status_code == 202, accepted.text
    assert finished(client, accepted.json()["id"])["status"] == "completed"


def _in_damaged_audio(client: httpx.Client, secret: str) -> None:
    accepted = client.post("/v1/transcriptions", files={"file": (f"{secret}.wav", f"RIFF{secret}".encode() * 40)})
    assert finished(client, accepted.json()["id"])["status"] == "failed"


def _in_bodies_that_are_refused(client: httpx.Client, secret: str) -> None:
    assert client.post("/v1/search", json={"query": 7, "note": secret}).status_code == 422
    assert client.post("/v1/recaps", content=f'{{"segments": "{secret}').status_code in (400, 415, 422)
    assert client.get(f"/v1/transcripts/{secret}", params={"format": secret}).status_code in (404, 422)


PLACES: dict[str, Callable[[httpx.Client, str], None]] = {
    "headers": _in_headers,
    "query": _in_a_query,
    "texts": _in_texts,
    "chat": _in_a_chat,
    "meeting": _in_a_meeting,
    "upload": _in_names_and_options_of_an_upload,
    "damaged audio": _in_damaged_audio,
    "refused bodies": _in_bodies_that_are_refused,
}
