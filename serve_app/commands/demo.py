"""`wordloop demo`: the main job on a bundled recording, from nothing to a printed recap."""

import tempfile
import time
from pathlib import Path

import typer

from serve_app.commands.process import write_results
from serve_app.demo import RECORDING
from serve_app.embedded.client import Client
from serve_app.embedded.start import started
from serve_app.terminal.arguments import check_writable
from serve_app.terminal.display import JobBar, bars, console, output

TIMEOUT_S = 1800.0


def run_demo(*, light: bool, keep: Path | None, config: Path | None) -> None:
    """Start, process, print, stop. Exits 1 when the job does not complete."""
    if keep is not None:
        check_writable("--keep", keep)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wordloop-demo-") as folder:
        with started(data_dir=Path(folder), config=config, light=light, port=0) as service:
            assert service.file is not None
            ready = time.monotonic()
            client = Client(service.file.url)
            job = client.submit(RECORDING)
            with bars() as display:
                job = client.wait(job["id"], JobBar(display, RECORDING.name).show, TIMEOUT_S)
            done = time.monotonic()
            if job["status"] != "completed":
                console.print(f"the demo's job {job['status']}: {(job.get('error') or {}).get('detail', '')}")
                raise typer.Exit(1)
            result = job["result"]
            output.print(client.transcript(result["transcript_id"], "txt"), markup=False)
            output.print(client.recap(result["recap_id"], "txt"), markup=False)
            _search(client)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                write_results(client, result["transcript_id"], result["recap_id"], keep / RECORDING.stem)
            client.close()
        console.print(f"ready after {ready - begun:.0f} s, transcript and recap {done - ready:.0f} s later")


def _search(client: Client) -> None:
    query = "who repairs the crash?"
    hits = client.post("/v1/search", {"query": query, "limit": 3})["hits"]
    output.print(f'Search "{query}":', markup=False)
    for hit in hits:
        output.print(f"  {hit['start']:6.1f} s  {hit['text']}", markup=False)
