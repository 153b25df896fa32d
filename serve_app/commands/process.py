"""`wordloop process`: recordings in, files with transcript and recap out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import typer

from serve_app.embedded.client import Client, RequestFailed, output_names
from serve_app.embedded.service import running_service
from serve_app.embedded.start import started
from serve_app.settings.service import default_data_dir
from serve_app.terminal.arguments import check_language, check_server, check_writable, recordings, speakers_field
from serve_app.terminal.display import JobBar, bars, console, output

IN_FLIGHT = 4
"""Recordings uploaded ahead: enough to keep batches full, few enough that a stop loses little waiting."""
JOB_TIMEOUT_S = 24 * 3600.0


def run_process(
    files: list[Path],
    *,
    output_dir: Path,
    language: str | None,
    speakers: str | None,
    recap: bool,
    server: str | None,
    data_dir: Path | None,
    config: Path | None,
    light: bool,
) -> None:
    """Process every file; exits 1 when any failed or is no recording, having done the others.

    Raises ArgumentWrong before anything starts.
    """
    check_language(language)
    said_of_speakers = speakers_field(speakers)
    check_writable("--output-dir", output_dir)
    given, files = len(files), recordings(files, partial(console.print, markup=False, soft_wrap=True))
    failed = given - len(files)
    output_dir.mkdir(parents=True, exist_ok=True)
    route = "conversations" if recap else "transcriptions"
    with service_url(server, data_dir, config, light) as url, bars() as display:
        client = Client(url)
        queue = list(output_names(files))
        waiting: list[tuple[Path, str, dict[str, Any], JobBar]] = []
        while queue or waiting:
            while queue and len(waiting) < IN_FLIGHT:
                file, name = queue.pop(0)
                try:
                    job = client.submit(file, route, language=language, speakers=said_of_speakers)
                    waiting.append((file, name, job, JobBar(display, file.name)))
                except RequestFailed as error:
                    failed += 1
                    console.print(f"{file.name}: {error.detail}")
            if waiting:
                file, name, job, bar = waiting.pop(0)
                failed += not _finish(client, file, name, client.wait(job["id"], bar.show, JOB_TIMEOUT_S), output_dir)
        client.close()
    console.print(f"{given - failed} of {given} files done, results in {output_dir}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def service_url(server: str | None, data_dir: Path | None, config: Path | None, light: bool) -> Iterator[str]:
    """Give the address of a service: the one named, the one that runs on the data folder, or a new one."""
    if server is not None:
        check_server(server)
        yield server
        return
    running = running_service((data_dir or default_data_dir()).expanduser().absolute())
    if running is not None:
        yield running.url
        return
    with started(data_dir=data_dir, config=config, light=light, port=0) as service:
        assert service.file is not None
        yield service.file.url


def _finish(client: Client, file: Path, name: str, job: dict[str, Any], output_dir: Path) -> bool:
    """Write what a job made; also when a later stage failed. True when all of it was made."""
    result = job.get("result") or {}
    if result.get("transcript_id"):
        written = write_results(client, result["transcript_id"], result.get("recap_id"), output_dir / name)
        output.print(f"{file} -> {', '.join(path.name for path in written)}")
    if job["status"] != "completed":
        console.print(f"{file.name}: {job['status']}: {(job.get('error') or {}).get('detail', '')}")
    return bool(job["status"] == "completed")


def write_results(client: Client, transcript_id: str, recap_id: str | None, base: Path) -> list[Path]:
    """Write BASE.json, BASE.md, BASE.srt and BASE.vtt; return their paths."""
    transcript = client.transcript(transcript_id)
    document = {"transcript": transcript, "recap": client.recap(recap_id) if recap_id else None}
    minutes = client.recap(recap_id, "md") + "\n" if recap_id else ""
    minutes = minutes.replace(f"/v1/transcripts/{transcript_id}?format=html#", "#")  # the transcript stands in the same file
    texts = {
        ".json": json.dumps(document, ensure_ascii=False, indent=2) + "\n",
        ".md": minutes + client.transcript(transcript_id, "md"),
        ".srt": client.transcript(transcript_id, "srt"),
        ".vtt": client.transcript(transcript_id, "vtt"),
    }
    written = []
    for suffix, text in texts.items():
        path = base.with_name(base.name + suffix)
        path.write_text(text)
        written.append(path)
    return written
