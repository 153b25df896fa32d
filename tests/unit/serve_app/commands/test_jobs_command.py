"""`wordloop jobs` on a real database: what it shows, what it does, and what it says when it can not."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from adapters.sql import SqlStore
from domain.job import JobKind, JobRequest, JobStatus, Problem
from serve_app.cli import app
from serve_app.commands.jobs import lines_of
from serve_app.composition.clock import SystemClock


def wordloop(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["jobs", *arguments])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/wordloop.db"
    SqlStore.migrate(url)
    store = SqlStore.open(url, SystemClock())
    yield store
    store.close()


def run(work: Any) -> Any:
    return asyncio.run(work)


async def failed_job(store: SqlStore) -> str:
    job, _ = await store.jobs.submit(JobRequest(JobKind.RECAP, {"secret": "zugvogelklappe"}, tenant="acme"))
    while lease := await store.jobs.claim("w", 30.0):
        await store.jobs.fail(lease, Problem("model_timeout", "The model was slow."), 0.0)
    return job.id


def test_dead_letters_are_listed_shown_and_tried_again(store: SqlStore, tmp_path: Path) -> None:
    job_id = run(failed_job(store))
    run(store.jobs.submit(JobRequest(JobKind.EMBEDDING, {})))
    where = ("--data-dir", str(tmp_path))
    dead = [json.loads(line) for line in wordloop("list", "--dead", "--json", *where).stdout.splitlines()]
    assert [(job["id"], job["tenant"], job["attempts"]) for job in dead] == [(job_id, "acme", 5)]
    assert len(wordloop("list", "--json", *where).stdout.splitlines()) == 2
    assert len(wordloop("list", "--json", "--status", "queued", *where).stdout.splitlines()) == 1
    shown = json.loads(wordloop("show", job_id, *where).stdout)
    assert (shown["status"], shown["error"]["code"], shown["events"][-1]["type"]) == ("failed", "model_timeout", "job.failed")
    assert "zugvogelklappe" not in json.dumps(shown)
    again = wordloop("retry", job_id, *where)
    assert again.exit_code == 0
    assert run(store.jobs.find(job_id)).status is JobStatus.QUEUED


def test_jobs_are_cancelled_and_what_can_not_be_is_told(store: SqlStore, tmp_path: Path) -> None:
    waiting, _ = run(store.jobs.submit(JobRequest(JobKind.RECAP, {})))
    where = ("--data-dir", str(tmp_path))
    result = wordloop("cancel", waiting.id, "job_0", *where)
    assert result.exit_code == 1
    assert f"✔ {waiting.id}: cancelled" in result.stderr
    assert "✘ job_0: There is no job job_0." in result.stderr
    refused = wordloop("retry", waiting.id, *where)
    assert refused.exit_code == 1
    assert "only failed and expired jobs" in refused.stderr


def test_a_list_says_what_matters_of_each_job(store: SqlStore) -> None:
    run(failed_job(store))
    jobs = run(store.jobs.all_jobs(10))
    heading, line = lines_of(jobs, jobs[0].created_at + 7200)
    assert heading.split() == ["JOB", "TENANT", "KIND", "STATE", "ATTEMPTS", "AGE", "ERROR"]
    assert all(word in line for word in ("acme", "recap", "failed", "5", "2 h", "model_timeout: The model was slow."))


def test_a_folder_without_a_database_is_told_and_left_alone(tmp_path: Path) -> None:
    result = wordloop("list", "--data-dir", str(tmp_path))
    assert result.exit_code != 0
    assert "no service has run" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["list", "show", "retry", "cancel"])
def test_help_brings_an_example(command: str) -> None:
    assert "Example: wordloop jobs" in wordloop(command, "--help").stdout
