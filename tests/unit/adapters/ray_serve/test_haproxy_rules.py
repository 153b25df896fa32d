"""HAProxy as Serve sets it up, with our lines in it: it answers as the service does, also where the service is not asked."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.ray_serve import client_headers, haproxy_rules
from adapters.ray_serve.haproxy_guard import write_launcher
from adapters.ray_serve.haproxy_rules import Unexpected, amended
from tests.raw_http import REQUEST_ID, RawAnswer, RawRequest, exchange
from tests.serve_front import free_port, proxied

SENT: list[bytes] = []


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """HAProxy before a server that breaks off every answer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=_break_off, args=(server,), daemon=True).start()
        with proxied(tmp_path_factory.mktemp("haproxy"), server.getsockname()[1]) as port:
            yield port


def _break_off(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            head = connection.recv(65_536)
            if head.startswith(b"GET /-/healthz"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                SENT.append(head)


def told(answer: RawAnswer | None) -> dict[str, object]:
    """A refusal, after a look at what every refusal is."""
    assert answer is not None
    problem = json.loads(answer.body)
    assert answer.media_type == "application/problem+json"
    assert answer.values("x-request-id") == [problem["request_id"]]
    assert REQUEST_ID.fullmatch(problem["request_id"])
    assert answer.values("cache-control") == ["no-store"]
    assert (problem["status"], problem["type"]) == (answer.status, f"/problems/{problem['code']}")
    return dict(problem)


def ask(port: int, method: bytes = b"GET", target: bytes = b"/livez", *headers: tuple[bytes, bytes]) -> RawAnswer | None:
    return exchange(port, RawRequest(method, target, ((b"Host", b"localhost"), (b"Connection", b"close"), *headers)))


@pytest.mark.parametrize("method", [b"FOO", b"get", b"PROPFIND", b"M" * 300])
def test_a_method_that_nobody_knows_gets_no_further(front: int, method: bytes) -> None:
    SENT.clear()
    assert told(ask(front, method))["code"] == "method_unknown"
    assert SENT == []


def test_what_is_no_path_is_not_there(front: int) -> None:
    assert told(ask(front, b"OPTIONS", b"*"))["code"] == "not_found"


def test_a_replica_that_breaks_off_is_told_as_a_problem(front: int) -> None:
    assert told(ask(front))["code"] == "no_answer"


def test_no_replica_is_told_as_a_problem_with_a_time_to_come_back(tmp_path: Path) -> None:
    with proxied(tmp_path, free_port()) as port:
        answer = ask(port)
        assert told(answer)["code"] == "not_ready"
        assert answer is not None
        assert answer.values("retry-after") == ["1"]


@pytest.mark.parametrize(
    "headers",
    [[(b"Content-Length", b"abc")], [(b"Content-Length", b"1"), (b"Content-Length", b"2")], [(b"X", b"\x00")], [(b"X Y", b"")]],
)
def test_what_is_no_http_is_not_answered_with_a_page(front: int, headers: list[tuple[bytes, bytes]]) -> None:
    assert ask(front, b"GET", b"/livez", *headers) is None


def test_a_configuration_of_another_release_is_refused_before_haproxy_starts(tmp_path: Path) -> None:
    with pytest.raises(Unexpected, match="balance"):
        amended("defaults\n    mode http\n")
    place = tmp_path / "haproxy.cfg"
    place.write_text("defaults\n    mode http\n")
    done = subprocess.run([write_launcher(tmp_path), "-f", place], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("HAProxy is not started: ")


def test_both_doors_know_the_same_methods() -> None:
    assert frozenset(haproxy_rules.METHODS) == client_headers.METHODS
