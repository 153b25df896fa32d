"""llama.cpp's own server inside this process, reached through a socket in a folder that nobody else can enter.

The server is used rather than its in-process calls because closing a connection is the one way to stop a generation at any
point of it, waiting and reading included. It also listens when it is not asked over HTTP, so the socket is what keeps other
users of the machine, and web pages, from talking to it.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from domain.errors import ModelRejected, ModelUnavailable

HEALTH_TIMEOUT_S = 10.0
"""Seconds: the server answers between two batches, and a batch of 256 tokens takes about six on a slow machine."""
NO_TIME_LIMIT = httpx.Timeout(None)
"""The guard's deadline cancels the call, and a closed connection ends the work."""
SOCKET = "llama.sock"
"""The ending tells llama.cpp that this is no host name."""
SILENT = -1
"""llama.cpp's verbosity below which nothing is printed: prompts would stand in its debug lines."""


@dataclass(frozen=True, slots=True)
class LlamaCppSettings:
    """How the engine is run. Nothing is left to llama.cpp's defaults that changes output or memory.

    `context_tokens`: prompt and answer of one request; the key-value cache holds so many for each of `max_num_seqs` requests at
    once. `batch_tokens`: most tokens of one step; a cancel is heard between two of them.
    """

    context_tokens: int = 4096
    max_num_seqs: int = 4
    max_queued_requests: int = 64
    batch_tokens: int = 256
    threads: int = 2


class LlamaCppServer:
    """Loads the weights in `model_file` (blocks for seconds) and speaks to the server over its socket."""

    def __init__(self, model_file: Path, settings: LlamaCppSettings) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="llama-"))
        self._server = _started(model_file, settings, self._folder)
        transport = httpx.AsyncHTTPTransport(uds=str(self._folder / SOCKET), limits=httpx.Limits(max_connections=None))
        self._http = httpx.AsyncClient(transport=transport, base_url="http://llama.cpp", timeout=NO_TIME_LIMIT)

    async def post(self, route: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer. Raises ModelRejected for a request without meaning, ModelUnavailable when the server is gone."""
        try:
            response = await self._http.post(route, json=dict(body))
            answer: Mapping[str, Any] = response.json()
        except (httpx.HTTPError, ValueError, RuntimeError) as error:
            raise ModelUnavailable("the language model's engine has died", None) from error
        if response.status_code == httpx.codes.OK:
            return answer
        kind = str(answer.get("error", {}).get("type", response.status_code))
        if response.is_client_error:
            # The kind only: its words quote the request.
            raise ModelRejected(f"the engine refused the request ({kind})")
        raise ModelUnavailable(f"the engine failed ({kind})", None)

    async def check_health(self) -> None:
        """Raise ModelUnavailable when the server's loop no longer answers."""
        try:
            answer = await self._http.get("/health", timeout=HEALTH_TIMEOUT_S)
        except (httpx.HTTPError, RuntimeError) as error:
            raise ModelUnavailable("the language model's engine does not answer", None) from error
        if answer.status_code != httpx.codes.OK:
            raise ModelUnavailable(f"the language model's engine is not well ({answer.status_code})", None)

    def remove_saved(self, name: str) -> None:
        """Remove a saved state of a slot, if it is there."""
        (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End the server's threads and give its memory back; safe to call twice."""
        self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)


def _started(model_file: Path, settings: LlamaCppSettings, folder: Path) -> Any:
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(model_file)
    wanted.n_ctx = settings.context_tokens * settings.max_num_seqs
    wanted.n_parallel = settings.max_num_seqs
    # A part of the cache for each slot, and weights as they are stored: then the sums of a request do not hang on where in a
    # shared cache it came to lie, nor on how many rows the repacked kernels took together. It is as fast, and 0.6 GB smaller.
    wanted.kv_unified = False
    wanted.no_extra_bufts = True
    wanted.n_batch = wanted.n_ubatch = settings.batch_tokens
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = settings.threads
    wanted.n_gpu_layers = 0
    wanted.ctx_shift = False
    # Its cache of whole prompts would take up to 8 GiB; common beginnings are kept by `SavedPrefixes`.
    wanted.cache_ram_mib = 0
    wanted.warmup = False
    wanted.endpoint_slots = wanted.endpoint_props = wanted.endpoint_metrics = wanted.ui = False
    wanted.slot_save_path = f"{folder}/"
    wanted.hostnames = [str(folder / SOCKET)]
    wanted.offline = True
    wanted.verbosity = SILENT
    try:
        return xllamacpp.Server(wanted)
    except RuntimeError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModelUnavailable(f"llama.cpp can not load {model_file.name}; is it a whole GGUF file?", None) from error
