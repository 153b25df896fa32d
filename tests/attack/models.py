"""The models of the attacked service: a server that answers as OpenAI's would, so that none is loaded and jobs never end.

The attacks are on what stands in front of the models.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 384
EMBEDDER, WRITER, LISTENER = "attacked-embedder", "attacked-writer", "attacked-listener"
USAGE = {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}


class Models(BaseHTTPRequestHandler):
    """Embeds and writes at once; whoever wants something transcribed waits until the attack is over."""

    protocol_version = "HTTP/1.1"
    over = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.endswith("/embeddings"):
            self._answer(200, embedded(json.loads(body)))
        elif self.path.endswith("/chat/completions"):
            self._answer(200, written())
        else:
            self.over.wait()
            self._answer(503, {"error": {"message": "over"}})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        encoded = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        with suppress(OSError):  # whoever asked may have given up
            self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def embedded(request: dict[str, Any]) -> dict[str, Any]:
    vector = [1.0] + [0.0] * (DIMENSIONS - 1)
    rows = [{"object": "embedding", "index": index, "embedding": vector} for index, _ in enumerate(request["input"])]
    return {"object": "list", "data": rows, "model": EMBEDDER, "usage": USAGE}


def written() -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice], "model": WRITER, "usage": USAGE}


@contextmanager
def remote_models() -> Iterator[dict[str, dict[str, Any]]]:
    """Serve them, and give the settings of a service that asks them."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Models) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        remote = {"transcriber": LISTENER, "language_model": WRITER, "embedder": EMBEDDER}
        try:
            yield {port: {"remote": {"base_url": url, "model": model}} for port, model in remote.items()} | NONE_OF_OUR_OWN
        finally:
            Models.over.set()
            server.shutdown()


NONE_OF_OUR_OWN: dict[str, dict[str, Any]] = {"reader": {"engine": "language-model"}, "diarizer": {"enabled": False}}
