"""Serve's own reader of bodies is stopped while nobody takes what it has read."""

import asyncio

import pytest
from ray.serve._private.direct_ingress_http_util import ASGIDIReceiveProxy
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.ray_serve.client_headers import middlewares
from adapters.ray_serve.read_ahead import BoundedReadAhead, SmallBodies, TellsWhatItTook

MEGABYTE = 1024 * 1024
PIECE = b"x" * 65_536
POST: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Client:
    """Sends so many pieces at once and then leaves; keeps what was read of it and what it was answered."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.read = 0
        self.heard: list[Message] = []

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        if self.read == self.pieces:
            return {"type": "http.disconnect"}
        self.read += 1
        return {"type": "http.request", "body": PIECE, "more_body": self.read < self.pieces}

    async def send(self, message: Message) -> None:
        self.heard.append(message)


def in_serve(app: ASGIApp) -> ASGIApp:
    """An application as Serve runs it in an ingress replica: a task of Serve's reads on while the application works."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        proxy = ASGIDIReceiveProxy(scope, receive, asyncio.get_running_loop())
        reading = proxy.fetch_until_disconnect_task()
        await app(scope, proxy, send)
        reading.cancel()

    return serve


@pytest.mark.parametrize("bounded", [True, False])
async def test_a_body_that_nobody_takes_is_not_read_into_memory(bounded: bool) -> None:
    """Without the bound all of it is: that is what the bound is for."""
    client, waited = Client(400), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await waited.wait()

    wrapped = in_serve(TellsWhatItTook(app))
    answering = asyncio.create_task((BoundedReadAhead(wrapped) if bounded else wrapped)(POST, client.receive, client.send))
    for _ in range(5_000):
        await asyncio.sleep(0)
    waited.set()
    await answering

    assert (client.read * len(PIECE) <= MEGABYTE + len(PIECE)) is bounded


async def test_a_body_that_is_taken_comes_whole_and_in_order_and_its_end_is_noticed() -> None:
    client, taken, last = Client(200), 0, ""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal taken, last
        while (message := await receive())["type"] == "http.request":
            taken += len(message["body"])
        last = message["type"]

    await asyncio.wait_for(BoundedReadAhead(in_serve(TellsWhatItTook(app)))(POST, client.receive, client.send), 10)

    assert (taken, last) == (200 * len(PIECE), "http.disconnect")


async def test_an_application_on_a_loop_of_its_own_is_told_to_go_on_too() -> None:
    client, taken = Client(100), 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Serve may run it so; what it takes is then told from another thread."""
        nonlocal taken
        message = await receive()
        while message["type"] == "http.request":
            taken += 1
            await asyncio.to_thread(scope["wordloop.read_ahead"].taken, len(message["body"]))
            message = await receive()

    await asyncio.wait_for(BoundedReadAhead(in_serve(app))(POST, client.receive, client.send), 10)

    assert taken == 100


async def keeps_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve's proxy while no replica is up."""
    while (await receive())["type"] == "http.request":
        pass
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_serves_proxy_keeps_small_bodies_only_and_answers_once() -> None:
    large, small = Client(400), Client(3)
    await SmallBodies(keeps_all)(POST, large.receive, large.send)
    await SmallBodies(keeps_all)(POST, small.receive, small.send)

    assert large.read * len(PIECE) <= MEGABYTE + len(PIECE)
    assert [message.get("status") for message in large.heard] == [503, None]
    assert [message.get("status") for message in small.heard] == [500, None]


def test_outside_a_replica_serve_is_given_the_bound_of_its_proxy() -> None:
    assert SmallBodies in [middleware.cls for middleware in middlewares()]
    assert BoundedReadAhead not in [middleware.cls for middleware in middlewares()]
