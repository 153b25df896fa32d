"""`just attack` says FAIL of a server that defends nothing, and of one that refuses everybody."""

import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tests.attack.bodies import bodies
from tests.attack.browsers import browsers
from tests.attack.exposure import exposure
from tests.attack.odd import odd
from tests.attack.slow import Patience, slow
from tests.attack.trials import Attack, Outcome, Trial, table, try_all, try_one
from tests.attack.wire import Server

SPOKEN = Path(__file__).parents[2] / "data" / "speech" / "jfk.ogg"
SERVED = "a client that is no page (has to be served)"
BRIEF = Patience(heads=2, bodies=2, heads_s=0.5, bodies_s=0.5, looked_s=1.0)


class Open(BaseHTTPRequestHandler):
    """Takes everything from everybody, keeps it, and breaks on what is odd."""

    protocol_version = "HTTP/1.1"
    kept: list[bytes]
    methods: list[str]

    def answer(self) -> None:
        self.methods.append(self.command)
        odd_header = any("\xff" in value for value in self.headers.values())
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit():
            self.send_error(400)  # in a page of HTML, and so for programs in no words at all
            return
        body = self.rfile.read(int(length))
        self.kept.append(body)
        name = self.headers.get("X-Request-ID", "")
        self.send_response(500 if odd_header or b"\\ud800" in body else 307 if self.path == "/v1/jobs/" else 200)
        for each in ("", name, name):
            self.send_header("X-Request-ID", each)
        self.send_header("Location", f"http://{self.headers['Host']}/v1/jobs")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Shut(Open):
    """Refuses everybody, in the right form."""

    def answer(self) -> None:
        problem = json.dumps({"status": 403}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(problem)))
        self.end_headers()
        self.wfile.write(problem)
        self.close_connection = True


@contextmanager
def serving(kind: type[Open]) -> Iterator[tuple[Server, type[Open]]]:
    handler = type("Handler", (kind,), {"kept": [], "methods": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield Server("127.0.0.1", listening.server_port), handler
        listening.shutdown()


def held(attacks: list[Attack]) -> dict[str, bool]:
    return {attack.name: try_one(attack, psutil.Process).held for attack in attacks}


def test_a_server_that_takes_everything_fails_each_attack_of_a_web_page() -> None:
    with serving(Open) as (server, handler):
        assert held(browsers(server, lambda: len(handler.kept))) == {
            name: name == SERVED for name in (attack.name for attack in browsers(server, lambda: 0))
        }


def test_a_server_that_refuses_everybody_fails_too() -> None:
    with serving(Shut) as (server, _):
        found = held(browsers(server, lambda: 0))
    assert not found.pop(SERVED)
    assert all(found.values())


def test_a_server_that_breaks_on_odd_things_or_counts_by_them_fails() -> None:
    with serving(Open) as (server, handler):
        found = held(odd(server, lambda: "\n".join(f'requests{{method="{name}"}} 1' for name in handler.methods)))
    assert found
    assert not any(found.values())


def test_a_server_that_never_closes_fails() -> None:
    with serving(Open) as (server, _):
        heads, half_bodies, _ = slow(server, SPOKEN, BRIEF)
        assert not any(held([heads, half_bodies]).values())


def test_a_server_that_breaks_on_a_length_or_takes_a_large_body_fails() -> None:
    with serving(Open) as (server, _):
        found = held(bodies(server, lambda: "job")[:1] + bodies(server, lambda: "job")[-2:])
    assert not any(found.values())


def test_folders_that_nothing_closes_and_ports_on_every_address_fail() -> None:
    with tempfile.TemporaryDirectory() as name, socket.create_server(("0.0.0.0", 0)):
        opened = Path(name)
        opened.chmod(0o755)
        found = held(exposure(lambda: [psutil.Process()], opened, opened))
    assert found == {"ports beyond loopback": False, "the data folder": False, "Ray's session folder": False}


@pytest.mark.parametrize(("worst", "expected"), [(150.0, "PASS"), (170.0, "FAIL")])
def test_memory_beyond_what_is_allowed_fails_whatever_came_back(worst: float, expected: str) -> None:
    attack = Attack("large", "a | b", lambda: Outcome("413", True), may_grow_mib=64.0)
    row = table([Trial(attack, attack.run(), 100.0, 140.0, worst, 100.0)]).splitlines()[-1]
    assert re.fullmatch(rf"\| large \| a \\\| b \| 413 \| 100, 140, {worst:.0f}, 100 \| {expected} \|", row)


LEAKING = """
import sys
kept = []
for _ in sys.stdin:
    kept.append(bytearray(b"x") * (100 * 2**20))
    print(len(kept), flush=True)
"""
"""A program that keeps a hundred mebibytes for each line; nothing else comes or goes in its memory."""


def test_what_an_attack_left_behind_is_no_excuse_for_the_next() -> None:
    with subprocess.Popen([sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as ingress:
        assert ingress.stdin is not None
        assert ingress.stdout is not None

        def leak() -> Outcome:
            print(file=ingress.stdin, flush=True)
            assert ingress.stdout is not None
            assert ingress.stdout.readline()
            return Outcome("415", True)

        attacks = [
            Attack("first", "", leak, may_grow_mib=64.0),
            Attack("second", "", lambda: Outcome("415", True), may_grow_mib=64.0),
        ]
        trials = list(try_all(attacks, lambda: psutil.Process(ingress.pid), recovery_s=0.2))
        ingress.stdin.close()
    assert [trial.held for trial in trials] == [False, False]
