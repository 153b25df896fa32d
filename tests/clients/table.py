"""Run every client against one service with real models and write what each got into docs/clients.md.

`python -m tests.clients.table`; with `--url` against a service that runs already. Each client gets an environment of its own, so
what one of them pins is no matter to us or to another. `WORDLOOP_CLIENTS` names some of them only.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.openai_vocabulary import OpenAiVocabulary
from tests.clients.outcomes import ROWS
from tests.running_service import ROOT, RunningService

HERE, GUIDE = Path(__file__).parent, ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- table: written by `just clients` -->", "<!-- end of the table -->"
CL100K_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
SECONDS = 45
"""Of the bundled recording: two windows, so that words are told while others are still being heard."""
PATIENCE_S = 900
PYTHON = {
    "openai": ("with_openai.py", ["openai"], ["sync"]),
    "openai, asyncio": ("with_openai.py", ["openai"], ["async"]),
    "langchain-openai": ("with_langchain.py", ["langchain-openai"], []),
    "llama-index": ("with_llama_index.py", ["llama-index-llms-openai-like", "llama-index-embeddings-openai-like"], []),
    "litellm": ("with_litellm.py", ["litellm"], []),
}
NODE = "openai (Node)"


def main() -> int:
    """Return 1 when something that a client called for did not work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a service that runs; without it one is started")
    url = parser.parse_args().url
    with tempfile.TemporaryDirectory(prefix="clients-") as place, served(Path(place), url) as base:
        columns = {name: outcome for name in chosen() if (outcome := run(name, base, Path(place))) is not None}
    write(columns)
    wrong = [f"{name}: {row}: {got}" for name, column in columns.items() for row, got in column["rows"].items() if got != "yes"]
    print("\n".join(wrong) or "every call of every client works")
    return 1 if wrong else 0


def chosen() -> list[str]:
    wanted = os.environ.get("WORDLOOP_CLIENTS")
    return wanted.split(";") if wanted else [*PYTHON, NODE]


@contextmanager
def served(place: Path, url: str | None) -> Iterator[str]:
    """The address of a service that stops with the context, unless it was there before."""
    if url is not None:
        yield url
        return
    running = RunningService(place)
    try:
        yield running.start().url
    finally:
        running.stop()


def run(name: str, url: str, place: Path) -> dict[str, Any] | None:
    """Return what a client got, None where it can not be run here."""
    sound = recording(place)
    command = node_command(url, sound, place) if name == NODE else python_command(name, url, sound)
    if command is None:
        print(f"{name}: not run, there is no node or npm here")
        return None
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment |= {"TIKTOKEN_CACHE_DIR": str(tokens(place)), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if ended.returncode != 0:
        print(ended.stderr[-2000:], file=sys.stderr)
        return {"client": name, "version": "?", "rows": dict.fromkeys(ROWS, "no: the client did not run")}
    outcome: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(name, outcome["version"], outcome["rows"])
    return outcome


def python_command(name: str, url: str, sound: Path) -> list[str]:
    script, packages, more = PYTHON[name]
    needs = [part for package in packages for part in ("--with", package)]
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    alone = ["--no-project", "--isolated", "--python", f"{sys.version_info.major}.{sys.version_info.minor}"]
    return [uv, "run", "--quiet", *alone, *needs, "python", str(HERE / script), url, str(sound), *more]


def node_command(url: str, sound: Path, place: Path) -> list[str] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    modules = place / "node"
    modules.mkdir(exist_ok=True)
    subprocess.run([npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(modules), "openai"], check=True)
    return [node, str(HERE / "with_openai.mjs"), url, str(sound), str(modules)]


def recording(place: Path) -> Path:
    """The beginning of the bundled recording, as a WAV file."""
    target = place / "beginning.wav"
    if target.exists():
        return target
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(ROOT / "serve_app" / "demo" / "launch-review.ogg")) as source, wave.open(str(target), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        for frame in source.decode(audio=0):
            if frame.time > SECONDS:
                break
            for piece in resampler.resample(frame):
                file.writeframes(piece.to_ndarray().tobytes())
    return target


def tokens(place: Path) -> Path:
    """Where tiktoken finds its vocabulary as if it had downloaded it before."""
    folder, vocabulary = place / "tokens", OpenAiVocabulary.installed()
    assert vocabulary is not None
    folder.mkdir(exist_ok=True)
    shutil.copy(vocabulary.file, folder / hashlib.sha1(CL100K_URL.encode()).hexdigest())
    return folder


def write(columns: dict[str, dict[str, Any]]) -> None:
    """Put the table into its place in the guide."""
    before, _, rest = GUIDE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    GUIDE.write_text(f"{before}{BEGIN}\n\n{table(columns)}\n{END}{after}")


def table(columns: dict[str, dict[str, Any]]) -> str:
    """Rows are calls, columns are clients; a dash stands where a client has no such call."""
    heads = [f"{name} {column['version']}" for name, column in columns.items()]
    lines = [f"| call | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for row in ROWS:
        cells = [column["rows"].get(row, "–") for column in columns.values()]
        lines.append(f"| {row} | {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
