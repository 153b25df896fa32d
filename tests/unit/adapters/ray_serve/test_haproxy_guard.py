"""The real HAProxy, with the configuration that this release of Ray Serve writes, behind our guard."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions

from adapters.ray_serve import haproxy_guard
from adapters.ray_serve.haproxy_guard import LISTEN_HOST, DoorLimits, amended, write_launcher
from adapters.ray_serve.haproxy_rules import Unexpected
from adapters.ray_serve.ports import PortBlock

LIMITS = DoorLimits(header_s=0.5, idle_s=0.8, keep_alive_s=1.0, connections=64, connections_per_client=20)
ALL = 48  # that one address may have: three quarters


def serve_itself(folder: Path, ports: tuple[int, int, int, int]) -> HAProxyApi:
    """What of Serve runs HAProxy. `ports`: public, metrics and statistics ports, and that of one replica."""
    public, metrics, stats, replica = ports
    config = HAProxyConfig(
        socket_path=str(folder / "admin.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "server-state"),
        metrics_socket_path=str(folder / "metrics.sock"),
        http_options=HTTPOptions(host="127.0.0.1", port=public),
        metrics_port=metrics,
        stats_port=stats,
        is_head=True,
        has_received_routes=True,
        health_check_inter="100ms",
    )
    backend = BackendConfig(
        name="http-wordloop", path_prefix="/", app_name="wordloop", servers=[ServerConfig("r", "127.0.0.1", replica)]
    )
    return HAProxyApi(config, {"http-wordloop": backend}, str(folder / "haproxy.cfg"))


def written_by_serve(folder: Path, ports: tuple[int, int, int, int]) -> Path:
    """HAProxy's configuration as Serve writes it."""
    serve_itself(folder, ports)._generate_config_file_internal()
    return folder / "haproxy.cfg"


async def replica(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with the address that it was told of; `/wait` takes twice as long as a pause may be, and `/stalled`
    hears that its body did not come."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await answer_all(reader, writer)


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        headers = {}
        while (header := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        with_body = int(headers.get("content-length", 0))
        if b"/stalled" in line:
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            break
        await reader.readexactly(with_body)
        if b"/wait" in line:
            await asyncio.sleep(2 * LIMITS.idle_s)
        told = headers.get("x-forwarded-for", "nobody").encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
        await writer.drain()
    writer.close()


@dataclass
class Door:
    """A running HAProxy."""

    port: int
    process: psutil.Process

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))

    async def get(self, path: str, source: str = "127.0.0.1", headers: str = "") -> tuple[int, str]:
        """Status and body of one request on a connection of its own; 0 when it was not accepted."""
        try:
            reader, writer = await self.connect(source)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: service\r\n{headers}Connection: close\r\n\r\n".encode())
            answer = (await asyncio.wait_for(reader.read(), 10)).decode()
            writer.close()
        except ConnectionError:
            return 0, ""
        return (int(answer.split()[1]), answer.partition("\r\n\r\n")[2]) if answer else (0, "")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    """Starts HAProxy as Serve does: through the program that it is told of."""
    block, started, servers = PortBlock(), [], []

    async def start(listen_host: str | None = None, limits: DoorLimits = LIMITS) -> Door:
        ports = (block.take(), block.take(), block.take(), block.take())
        servers.append(await asyncio.start_server(replica, "127.0.0.1", ports[3]))
        config = written_by_serve(tmp_path, ports)
        command = [launcher := write_launcher(tmp_path), "-db", "-f", config]
        environment = {**os.environ, **limits.variables(), **({LISTEN_HOST: listen_host} if listen_host else {})}
        environment[haproxy_guard.SERVES_BINARY] = str(launcher)  # as under Serve, which would not have found it otherwise
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        started.append(process)
        made = Door(ports[0], psutil.Process(process.pid))
        while (await made.get("/livez", source="127.0.0.9"))[0] != 200:
            assert process.poll() is None
            await asyncio.sleep(0.05)
        return made

    yield start
    for process in started:
        process.kill()
        process.wait()
    for server in servers:
        server.close()
    block.close()


@asynccontextmanager
async def half_sent(door: Door, count: int, words: bytes, source: str = "127.0.0.1") -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections on which these words were sent, and nothing since."""
    connections = []
    for _ in range(count):
        with suppress(ConnectionError):
            connections.append(await door.connect(source))
            connections[-1][1].write(words)
    await asyncio.sleep(0.2)  # HAProxy takes them up in its own time
    try:
        yield [reader for reader, _ in connections]
    finally:
        for _, writer in connections:
            writer.close()


HALF_SENT = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: service\r\nX-Half: ",
    "half a body": b"POST / HTTP/1.1\r\nHost: service\r\nContent-Length: 100\r\n\r\nhalf",
}


@pytest.mark.parametrize("case", HALF_SENT)
async def test_a_client_that_stops_in_the_middle_is_left_in_time(door, case):
    opened = await door()
    begun = time.monotonic()
    async with half_sent(opened, 10, HALF_SENT[case]) as readers:
        answers = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader in readers)), 8)

    assert time.monotonic() - begun < 4
    assert answers == [b""] * 10, "HAProxy's own words for it are a page of HTML; nothing is better (`haproxy_rules.SILENT`)"


async def test_who_is_told_that_a_body_did_not_come_is_left_at_once(door):
    opened = await door(limits=replace(LIMITS, idle_s=30.0))
    async with half_sent(opened, 1, b"POST /stalled HTTP/1.1\r\nHost: service\r\nContent-Length: 100\r\n\r\nhalf") as (reader,):
        answer = await asyncio.wait_for(reader.read(), 8)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "upload_stalled"


async def test_a_head_that_dribbles_is_left_in_time(door):
    opened = await door()
    reader, writer = await opened.connect()
    begun = time.monotonic()
    writer.write(b"GET / HTTP/1.1\r\nHost: service\r\n")

    async def dribble() -> None:
        while True:
            await asyncio.sleep(0.05)
            writer.write(b"X")

    dribbling = asyncio.create_task(dribble())
    answer = await asyncio.wait_for(reader.read(), 8)
    dribbling.cancel()
    writer.close()

    assert answer == b""
    assert time.monotonic() - begun < 4


async def test_an_answer_that_takes_longer_than_any_pause_is_waited_for(door):
    assert (await (await door()).get("/wait"))[0] == 200


async def test_only_the_services_own_address_is_open_to_others(door):
    opened = await door(listen_host="0.0.0.0")
    listening = {(c.laddr.ip, c.laddr.port) for c in opened.process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}

    assert len(listening) == 3
    assert {port for ip, port in listening if ip != "127.0.0.1"} == {opened.port}


async def test_an_address_with_too_many_connections_is_refused_while_probes_and_others_are_answered(door):
    opened = await door(limits=DoorLimits(connections=64, connections_per_client=20))
    async with half_sent(opened, 30, b"GET "):
        own, probe, other = [await opened.get(*ask) for ask in [("/v1/jobs",), ("/livez",), ("/v1/jobs", "127.0.0.2")]]

    assert (own[0], probe[0], other[0]) == (429, 200, 200)
    assert '"code":"rate_limited"' in own[1]


async def test_no_address_takes_all_connections(door):
    opened = await door(limits=DoorLimits(connections=64, connections_per_client=20))
    async with half_sent(opened, ALL + 5, b"GET "):
        own, probe, other = [
            await opened.get(*ask) for ask in [("/v1/jobs",), ("/livez", "127.0.0.2"), ("/v1/jobs", "127.0.0.3")]
        ]

    assert (own[0], probe[0], other[0]) == (0, 200, 200)


async def test_probes_are_answered_when_many_addresses_take_all_connections_but_a_few(door):
    opened = await door(limits=DoorLimits(connections=64, connections_per_client=20))
    async with (
        half_sent(opened, 19, b"GET "),
        half_sent(opened, 19, b"GET ", "127.0.0.2"),
        half_sent(opened, 19, b"G", "127.0.0.3"),
    ):
        other, probe = [await opened.get(path, "127.0.0.4") for path in ("/v1/jobs", "/livez")]

    assert (other[0], probe[0]) == (503, 200)


async def test_serve_starts_reloads_and_ends_it_as_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve looks for the process that it has started behind the admin socket; another one there would fail its start."""
    monkeypatch.setattr("ray.serve._private.haproxy.RAY_SERVE_HAPROXY_BINARY_PATH", str(write_launcher(tmp_path)))
    block = PortBlock()
    serve = serve_itself(tmp_path, (block.take(), block.take(), block.take(), block.take()))
    try:
        await serve.start()
        first = serve._proc.pid
        await serve.reload()
        assert serve._proc.pid != first
        assert serve.count_haproxy_processes() >= 1
        assert await serve.is_running()
        assert (tmp_path / "haproxy.cfg").read_text().startswith(haproxy_guard.MARK)
    finally:
        await serve.stop()
        block.close()


async def test_who_asks_is_who_has_connected(door):
    assert await (await door()).get("/", "127.0.0.7", "X-Forwarded-For: 10.1.1.1\r\n") == (200, "127.0.0.7")


def test_amending_again_changes_nothing(tmp_path: Path) -> None:
    once = amended(written_by_serve(tmp_path, (1, 2, 3, 4)).read_text(), LIMITS, None)
    assert amended(once, LIMITS, None) == once


@pytest.mark.parametrize("gone", ["stats socket", "maxconn", "timeout client", "bind :2", "bind 127.0.0.1:1", "bind *:3"])
def test_a_configuration_that_looks_otherwise_starts_nothing(tmp_path: Path, gone: str) -> None:
    path = written_by_serve(tmp_path, (1, 2, 3, 4))
    text = path.read_text()
    assert gone in text
    path.write_text(text.replace(gone, "# gone"))

    with pytest.raises(Unexpected, match="has no"):
        amended(path.read_text(), LIMITS, None)
    done = subprocess.run([write_launcher(tmp_path), "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("HAProxy is not started: Serve's configuration of it has no")


def test_limits_come_through_the_environment_as_they_are() -> None:
    assert DoorLimits.of(LIMITS.variables()) == LIMITS
    assert DoorLimits.of({}) == DoorLimits()
    with pytest.raises(ValueError, match="many"):
        DoorLimits.of({"WORDLOOP_HAPROXY_CONNECTIONS": "many"})
