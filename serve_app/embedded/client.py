"""A small client of the service's own HTTP surface, for the command line and the benchmarks."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from domain.errors import WordloopError

CHUNK = 256 * 1024
"""Bytes per read of an upload."""
POLL_S = 0.25


class RequestFailed(WordloopError):
    """The service refused; the sentence is its own."""


class Client:
    """Talks to one service. `url` is its base address; a key for it is taken from WORDLOOP_API_KEY."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        key = os.environ.get("WORDLOOP_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, path: Path, route: str = "conversations", **fields: str | None) -> dict[str, Any]:
        """Upload a file, streamed from disk, and return the accepted job."""
        data = {name: value for name, value in fields.items() if value is not None}
        with path.open("rb") as file:
            response = self._http.post(f"/v1/{route}", files={"file": (path.name, file)}, data=data)
        job: dict[str, Any] = self._checked(response)
        return job

    def estimate(self, path: Path) -> dict[str, Any]:
        """Upload a file only to be told what a conversation of it would take."""
        with path.open("rb") as file:
            told: dict[str, Any] = self._checked(self._http.post("/v1/estimate", files={"file": (path.name, file)}))
        return told

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job's state."""
        job: dict[str, Any] = self._checked(self._http.get(f"/v1/jobs/{job_id}"))
        return job

    def wait(self, job_id: str, on_progress: Callable[[dict[str, Any]], None], timeout_s: float) -> dict[str, Any]:
        """Follow a job to its end. Raises RequestFailed when time is up."""
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            job = self.job(job_id)
            on_progress(job)
            if job["status"] not in ("queued", "in_progress"):
                return job
            time.sleep(POLL_S)
        raise RequestFailed(f"job {job_id} did not end within {timeout_s:.0f} s")

    def transcript(self, transcript_id: str, form: str = "json") -> Any:
        """Return a transcript: a mapping for json, else text (`txt`, `srt`, `vtt`, `md`)."""
        return self._result(f"/v1/transcripts/{transcript_id}", form)

    def recap(self, recap_id: str, form: str = "json") -> Any:
        """Return a recap: a mapping for json, else text (`md`, `txt`)."""
        return self._result(f"/v1/recaps/{recap_id}", form)

    def models(self) -> list[dict[str, Any]]:
        """Return the served models, each with the rate that its replica measured."""
        found: list[dict[str, Any]] = self._checked(self._http.get("/v1/models"))["data"]
        return found

    def post(self, route: str, body: Any) -> Any:
        """Send JSON and return the answer's JSON."""
        return self._checked(self._http.post(route, json=body))

    def _result(self, route: str, form: str) -> Any:
        response = self._http.get(route, params={"format": form})
        if form == "json":
            return self._checked(response)
        self._checked(response, parse=False)
        return response.text

    @staticmethod
    def _checked(response: httpx.Response, parse: bool = True) -> Any:
        if response.is_success:
            return response.json() if parse else None
        try:
            problem = response.json()
            found = [f"{error['location']}: {error['message']}" for error in problem.get("errors") or ()]
            words = "; ".join(found) or problem.get("detail") or problem.get("title") or response.text
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError):
            words = response.text[:200] or response.reason_phrase
        raise RequestFailed(f"{response.status_code}: {words}")


def output_names(files: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each file with the stem of its outputs: its own stem, or its whole name where two would collide."""
    stems = [file.stem for file in files]
    for file in files:
        yield file, file.stem if stems.count(file.stem) == 1 else file.name
