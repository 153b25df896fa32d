"""`wordloop jobs`: see and steer the jobs in the database of a configuration, whether or not the service runs."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import WordloopError
from domain.job import Job, JobStatus
from serve_app.composition.clock import SystemClock
from serve_app.composition.database import opened, run_now
from serve_app.errors import ConfigurationInvalid
from serve_app.terminal.chosen_settings import chosen_settings
from serve_app.terminal.display import console, output

if TYPE_CHECKING:
    from adapters.sql import SqlStore

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Jobs of every tenant.")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="The data folder (default: the configuration's).")]
Config = Annotated[Path | None, typer.Option("--config", help="A serve_config.yaml (default: the embedded one).")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id: job_ and 32 digits.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs.")]


@app.command("list")
def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this state.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only jobs of this tenant.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters: failed with every attempt used up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List jobs, newest first: id, tenant, kind, state, attempts, age, and why one failed.

    Example: wordloop jobs list --dead
    Example: wordloop jobs list --status queued --tenant acme --limit 500
    """
    with _store(config, data_dir) as store:
        found = run_now(store.jobs.all_jobs(limit, tenant, status, dead=dead))
    if as_json:
        lines = [json.dumps(_plain(job), sort_keys=True) for job in found]
    else:
        lines = lines_of(found, datetime.now(UTC).timestamp())
    output.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@app.command()
def show(job: JobId, data_dir: DataDir = None, config: Config = None) -> None:
    """Print one job and its events as JSON, without what was said in it.

    Example: wordloop jobs show job_0123456789abcdef0123456789abcdef
    """

    async def look() -> dict[str, object]:
        found = await store.jobs.find(job)
        found = await store.jobs.get(found.request.tenant, job)
        events = await store.jobs.events(found.request.tenant, job, 0, 10_000)
        told = [{"sequence": e.sequence, "type": e.type, "at": _time(e.created_at)} for e in events]
        return _plain(found) | {"events": told}

    with _store(config, data_dir) as store:
        shown = run_now(look())
    output.print(json.dumps(shown, indent=2), markup=False, highlight=False, soft_wrap=True)


@app.command()
def retry(jobs: JobIds, data_dir: DataDir = None, config: Config = None) -> None:
    """Let failed or expired jobs wait again, with all their attempts; what they stored and paid for is kept.

    Example: wordloop jobs retry job_0123456789abcdef0123456789abcdef
    """
    with _store(config, data_dir) as store:
        _each(jobs, store.jobs.retry, "waits again")


@app.command()
def cancel(jobs: JobIds, data_dir: DataDir = None, config: Config = None) -> None:
    """End waiting jobs now, and ask running ones to stop: they do at their next heartbeat.

    Example: wordloop jobs cancel job_0123456789abcdef0123456789abcdef
    """

    async def one(job_id: str) -> Job:
        found = await store.jobs.find(job_id)
        return await store.jobs.cancel(found.request.tenant, job_id)

    with _store(config, data_dir) as store:
        _each(jobs, one, None)


def lines_of(jobs: Sequence[Job], now: float) -> list[str]:
    """A heading and one line per job."""
    rows = [("JOB", "TENANT", "KIND", "STATE", "ATTEMPTS", "AGE", "ERROR")]
    for job in jobs:
        state = "stopping" if job.cancel_requested and not job.status.ended else job.status.value
        error = f"{job.error.code}: {job.error.detail}" if job.error else ""
        about = (job.id, job.request.tenant, job.request.kind.value, state)
        rows.append((*about, str(job.attempts), _age(now - job.created_at), error))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _each(job_ids: list[str], act: Callable[[str], Awaitable[Job]], done: str | None) -> None:
    """Do it to every job; those that can not be are told, and the exit is not zero."""
    failed = False

    async def one(job_id: str) -> str:
        try:
            job = await act(job_id)
        except WordloopError as error:
            return f"✘ {job_id}: {error.detail}"
        stopping = job.cancel_requested and not job.status.ended
        return f"✔ {job_id}: {done or ('asked to stop' if stopping else job.status.value)}"

    for job_id in job_ids:
        line = run_now(one(job_id))
        failed = failed or line.startswith("✘")
        console.print(line, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _store(config: Path | None, data_dir: Path | None) -> Iterator["SqlStore"]:
    """Open the database of a configuration. Raises ConfigurationInvalid, or StorageFailed in words, and makes nothing."""
    settings = chosen_settings(config, data_dir)
    if settings.database.url_env is None and not (settings.data_folder / "wordloop.db").exists():
        raise ConfigurationInvalid(f"There is no database in {settings.data_folder}: no service has run on it yet.")
    with opened(settings, SystemClock()) as store:
        yield store


def _plain(job: Job) -> dict[str, object]:
    """A job without its payload: texts to embed, segments and names of files stay where they are."""
    request = job.request
    times = {"created_at": job.created_at, "started_at": job.started_at, "finished_at": job.finished_at}
    return {
        "id": job.id,
        "tenant": request.tenant,
        "kind": request.kind.value,
        "status": job.status.value,
        "cancel_requested": job.cancel_requested,
        "priority": request.priority,
        "attempts": job.attempts,
        "progress": asdict(job.progress),
        "result": dict(job.result),
        "error": asdict(job.error) if job.error else None,
        "deadline": _time(request.deadline),
        **{name: _time(value) for name, value in times.items()},
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _age(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0, seconds):.0f} s"
