"""The running service against slow, large and many requests: what is open, what is kept in memory, who is answered meanwhile."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.serve, pytest.mark.timeout(400)]

PROGRAM = """
import json, os, socket, sys, time
from pathlib import Path
from serve_app.embedded.service import Service
from serve_app.settings.models import RemoteSettings
from serve_app.settings.serve_file import load_config

folder = Path(sys.argv[1])
remote = {"remote": RemoteSettings(base_url="http://127.0.0.1:9/v1", model="nobody")}  # no model is loaded here

def config():
    file = load_config(Path("serve_config.yaml"))
    served = ("transcriber", "language_model", "embedder")
    models = {name: getattr(file.settings, name).model_copy(update=remote) for name in served}
    models["reader"] = file.settings.reader.model_copy(update={"engine": "language-model"})
    models["diarizer"] = file.settings.diarizer.model_copy(update={"enabled": False})
    http = file.settings.http.model_copy(update={"header_s": 2.0, "upload_idle_s": 3.0, "body_s": 3.0})
    return file.model_copy(update={"settings": file.settings.model_copy(update={**models, "http": http})})

service = Service(config, folder)
try:
    prepared = service.prepare()
    from serve_app.engines.served_models import resolve_models
    service.start(prepared, resolve_models(prepared.settings), None, 0, dashboard=False)
    service.wait_ready(lambda _: None, 240)
    import httpx
    from adapters.ray_serve.ports import FIRST, LAST
    from adapters.ray_serve.processes import descendants
    from tests.listening import listening, title_of
    url = service.file.url
    port = int(url.rsplit(":", 1)[1])
    found = {}
    started = descendants(os.getpid())
    ours = [each for each in listening(started) if FIRST <= each.port <= LAST]
    found["open to others"] = [each for each in ours if not each.on_loopback]
    ingress = [process for process in started if "Ingress" in title_of(process)]
    rss = lambda: max(p.memory_info().rss for p in ingress) / 2**20
    piece = b"x" * 65536
    def chunks(count):
        for _ in range(count):
            yield piece
    def status_while_sending(head, pieces):
        connection = socket.create_connection(("127.0.0.1", port)); connection.settimeout(20)
        connection.sendall((head + "\\r\\nHost: 127.0.0.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n").encode())
        try:
            for piece in pieces:
                connection.sendall(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
        except OSError:
            pass
        try:
            words = connection.recv(100)
        except OSError:
            words = b""
        connection.close()
        return int(words.split()[1]) if words else 0
    # One request of each kind first: what is loaded with them is no growth.
    httpx.get(url + "/v1/jobs"); httpx.post(url + "/v1/search", json={"query": "a"}, timeout=30)
    before = rss()
    multipart = "POST /v1/search HTTP/1.1\\r\\nContent-Type: multipart/form-data; boundary=b"
    found["multipart to search"] = status_while_sending(multipart, chunks(4800))
    found["a body with a GET that waits"] = status_while_sending("GET /v1/jobs/job_1 HTTP/1.1\\r\\nPrefer: wait=60", chunks(3200))
    found["grown by MiB"] = round(rss() - before)
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(190)]
    for number, connection in enumerate(slow):
        head = "POST /v1/estimate HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: multipart/form-data; boundary=b\\r\\n"
        body = head + "Content-Length: 100\\r\\n\\r\\nhalf"
        connection.sendall(("GET /v1/jobs HTTP/1.1\\r\\nHost: a" if number % 2 else body).encode())
    begun = time.monotonic()
    found["alive meanwhile"] = httpx.get(url + "/livez", timeout=30).status_code
    found["alive after s"] = round(time.monotonic() - begun, 3)
    found["estimate meanwhile"] = httpx.post(url + "/v1/estimate", json={"audio_seconds": 60}, timeout=30).status_code
    begun = time.monotonic()
    for connection in slow:
        connection.settimeout(60)
        try:
            while connection.recv(4096):
                pass
        except ConnectionError:
            pass
    found["slow ones left after s"] = round(time.monotonic() - begun, 1)
    print("FOUND", json.dumps(found))
finally:
    service.stop()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run against a real service has found."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("data"))]
    done = subprocess.run(command, check=False, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=380)
    lines = [line.removeprefix("FOUND ") for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(lines[0])
    print(answers)
    return answers


def test_no_http_port_of_an_embedded_service_is_open_to_other_machines(found: dict[str, Any]) -> None:
    """Ray's own ports are, and ask for its token."""
    assert found["open to others"] == []


def test_bodies_that_nobody_asked_for_are_refused_and_kept_nowhere(found: dict[str, Any]) -> None:
    assert found["multipart to search"] in (413, 415)
    assert found["a body with a GET that waits"] == 413
    assert found["grown by MiB"] < 60


def test_slow_clients_hold_up_nobody_and_are_left_in_time(found: dict[str, Any]) -> None:
    assert (found["alive meanwhile"], found["estimate meanwhile"]) == (200, 200)
    assert found["alive after s"] < 5
    assert found["slow ones left after s"] < 30
