"""No spelling of an address leads anywhere but to a public server: judged by a scripted resolver and wire, never dialled."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence

import httpcore
import pytest

from adapters.outbound import AddressPolicy, GuardedClient, OutboundLimits
from adapters.outbound.policy import is_public
from domain.errors import AddressRefused, SourceRefused, SourceUnavailable, TooLarge

PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound"

NAMES = {
    "public.example.com": [PUBLIC],
    "two.example.com": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "loopback.example.com": ["127.0.0.1"],
    "mixed.example.com": [PUBLIC, "10.0.0.7"],
    "metadata.google.internal.example.com": ["169.254.169.254"],
    "v6-loopback.example.com": ["::1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "nat64.example.com": ["64:ff9b::7f00:1"],
    "local-nat64.example.com": ["64:ff9b:1::7f00:1"],
    "sixtofour.example.com": ["2002:7f00:1::"],
    "teredo.example.com": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "unique-local.example.com": ["fd00:ec2::254"],
    "link-local.example.com": ["fe80::1%eth0"],
    "shared.example.com": ["100.100.100.200"],
    "azure.example.com": ["168.63.129.16"],
    "multicast.example.com": ["239.1.1.1"],
    "any.example.com": ["0.0.0.0"],
}

SPELLINGS = """
https://127.0.0.1/ https://127.0.0.1:443/ https://127.1/ https://127.0.1/ https://127.255.255.254/ https://0.0.0.0/
https://0/ https://2130706433/ https://0x7f000001/ https://0x7f.0.0.1/ https://0x7f.1/ https://017700000001/
https://0177.0.0.1/ https://127.0.0.1./ https://127.0.0.01/ https://0127.0.0.1/ https://localhost/ https://LOCALHOST/
https://localhost./ https://x.localhost/ https://printer.local/ https://metadata.google.internal/ https://metadata/
https://public.example.com./ https://10.0.0.1/ https://172.16.0.1/ https://172.31.255.255/ https://192.168.1.1/
https://169.254.169.254/latest/meta-data/ https://169.254.170.2/ https://100.100.100.200/ https://168.63.129.16/
https://192.0.0.192/ https://192.0.2.1/ https://198.18.0.1/ https://224.0.0.1/ https://255.255.255.255/
https://240.0.0.1/ https://2852039166/ https://0xa9fea9fe/ https://0251.0376.0251.0376/ https://[::1]/ https://[::]/
https://[0:0:0:0:0:0:0:1]/ https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/ https://[::127.0.0.1]/
https://[::ffff:169.254.169.254]/ https://[64:ff9b::127.0.0.1]/ https://[64:ff9b::a9fe:a9fe]/ https://[2002:7f00:1::]/
https://[2002:a9fe:a9fe::]/ https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/ https://[fe80::1]/ https://[fe80::1%25eth0]/
https://[fc00::1]/ https://[fd00:ec2::254]/ https://[ff02::1]/ https://[2001:db8::1]/ https://[::ffff:0:127.0.0.1]/
https://user@public.example.com/ https://user:secret@public.example.com/ https://public.example.com@127.0.0.1/
https://127.0.0.1@public.example.com/ https://public.example.com:secret@127.0.0.1/ https://127%2e0.0.1/
https://127。0。0。1/ https://①②⑦.⓪.⓪.①/ https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/ https://loc%61lhost/ https://public.example.com\\@127.0.0.1/
http://public.example.com/ http://127.0.0.1/ file:///etc/passwd file://localhost/etc/passwd ftp://public.example.com/
gopher://127.0.0.1/ data:audio/wav;base64,UklGRg== dict://127.0.0.1:11211/ jar:https://public.example.com!/
//public.example.com/ public.example.com/x https:/127.0.0.1/ https:///127.0.0.1/ https:// https://:443/
https://public.example.com:22/ https://public.example.com:8080/ https://public.example.com:0/
https://public.example.com:99999/ https://public.example.com:443:80/ https://[::1/ https://a..b.com/ https://-a.com/
https://exa$mple.com/ https://8.8.8.8.0x7f/
"""
BROKEN = (
    "https://public.example.com/\r\nHost: x",
    "https://public.example.com/ x",
    "https://pub\tlic.example.com/",
    "",
    "x" * 3000,
)
REFUSED = [*SPELLINGS.split(), *BROKEN]
REFUSED_BY_NUMBER = [f"https://{name}/" for name in NAMES if not name.startswith(("public", "two"))]


class Wire(httpcore.AsyncNetworkBackend):
    """Records what is dialled and answers from a script, number by number; it opens no socket."""

    def __init__(self, *answers: bytes) -> None:
        self.dialled: list[tuple[str, int]] = []
        self.names: list[str | None] = []
        self.sent: list[bytes] = []
        self._answers = list(answers)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        answer = self._answers.pop(0)
        if answer == b"":
            raise httpcore.ConnectError("refused")
        return Stream(self, answer)

    async def sleep(self, seconds: float) -> None: ...


class Stream(httpcore.AsyncMockStream):
    """A connection that notes the name TLS was asked to check."""

    def __init__(self, wire: Wire, answer: bytes) -> None:
        super().__init__([answer])
        self._wire = wire

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._wire.sent.append(buffer)

    async def start_tls(self, ssl_context: object, server_hostname: str | None = None, timeout: float | None = None) -> "Stream":
        self._wire.names.append(server_hostname)
        return self


class Resolver:
    """Answers from `NAMES`, reads numbers as the C library does, and may change its mind from one question to the next."""

    def __init__(self, *changing: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._changing = list(changing)

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        if self._changing:
            return self._changing.pop(0)
        if host in NAMES:
            return NAMES[host]
        try:
            return [socket.inet_ntoa(socket.inet_aton(host))]
        except OSError:
            raise socket.gaierror(socket.EAI_NONAME, "unknown") from None


def client(wire: Wire, resolver: Resolver | None = None, *trusted: str, limits: OutboundLimits | None = None) -> GuardedClient:
    return GuardedClient(AddressPolicy(trusted=frozenset(trusted)), limits, resolver or Resolver(), wire)


async def fetched(client: GuardedClient, url: str, most: int = 1000) -> bytes:
    return b"".join([piece async for piece in client.fetch(url, most)])


def test_the_table_is_long_enough() -> None:
    assert len(set(REFUSED)) + len(REFUSED_BY_NUMBER) >= 100


@pytest.mark.parametrize("url", REFUSED)
async def test_a_forbidden_spelling_is_refused_before_a_look_up(url: str) -> None:
    wire, resolver = Wire(OK), Resolver()
    with pytest.raises(AddressRefused) as refused:
        await fetched(client(wire, resolver), url)
    with pytest.raises(AddressRefused):
        await client(wire, resolver).post(url, {}, b"{}", 5.0)
    assert (wire.dialled, resolver.asked) == ([], [])
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", REFUSED_BY_NUMBER)
async def test_a_name_that_leads_to_a_forbidden_address_is_not_dialled(url: str) -> None:
    wire = Wire(OK)
    with pytest.raises(AddressRefused):
        await fetched(client(wire), url)
    with pytest.raises(AddressRefused):
        await client(wire).post(url, {}, b"{}", 5.0)
    assert wire.dialled == []


async def test_a_public_server_is_dialled_by_its_number_and_known_by_its_name() -> None:
    wire, resolver = Wire(OK), Resolver()
    assert await fetched(client(wire, resolver), "https://public.example.com/a%20b?key=1") == b"sound"
    assert wire.dialled == [(PUBLIC, 443)]
    assert wire.names == resolver.asked == ["public.example.com"]
    assert b"".join(wire.sent).startswith(b"GET /a%20b?key=1 HTTP/1.1\r\nhost: public.example.com\r\n")


async def test_a_name_that_changes_its_mind_is_looked_up_once_per_connection() -> None:
    wire, resolver = Wire(OK, OK), Resolver([PUBLIC], ["127.0.0.1"])
    guarded = client(wire, resolver)
    await fetched(guarded, "https://rebinding.example.com/")
    with pytest.raises(AddressRefused):
        await fetched(guarded, "https://rebinding.example.com/")
    assert (wire.dialled, len(resolver.asked)) == ([(PUBLIC, 443)], 2)


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1/",
        "https://loopback.example.com/",
        "http://public.example.com/",
        "//[::1]/",
        "file:///etc/passwd",
        "\x7f",
    ],
)
async def test_a_redirect_is_judged_like_the_address_itself(location: str) -> None:
    wire = Wire(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode(), OK)
    with pytest.raises((AddressRefused, SourceUnavailable)):
        await fetched(client(wire), "https://public.example.com/")
    assert wire.dialled == [(PUBLIC, 443)]


async def test_a_few_redirects_are_followed_and_no_more() -> None:
    again = b"HTTP/1.1 307 Again\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
    assert await fetched(client(Wire(again, again, again, OK)), "https://public.example.com/") == b"sound"
    wire = Wire(again, again, again, again, OK)
    with pytest.raises(SourceRefused):
        await fetched(client(wire), "https://public.example.com/")
    assert len(wire.dialled) == 4


async def test_a_post_follows_no_redirect() -> None:
    wire = Wire(b"HTTP/1.1 307 Again\r\nLocation: https://two.example.com/\r\nContent-Length: 0\r\n\r\n", OK)
    assert await client(wire).post("https://public.example.com/", {}, b"{}", 5.0) == (307, None)
    assert len(wire.dialled) == 1


async def test_the_next_address_of_a_name_is_tried() -> None:
    wire = Wire(b"", OK)
    assert await fetched(client(wire), "https://two.example.com/") == b"sound"
    assert [host for host, _ in wire.dialled] == NAMES["two.example.com"]


async def test_a_host_that_the_operator_trusts_may_be_plain_and_private_but_only_on_its_port() -> None:
    wire = Wire(OK)
    guarded = client(wire, Resolver(["127.0.0.1"]), "127.0.0.1:9000")
    assert await fetched(guarded, "http://127.0.0.1:9000/x") == b"sound"
    for other in ("http://127.0.0.1:9001/x", "http://127.1:9000/x", "http://2130706433:9000/", "https://127.0.0.1/"):
        with pytest.raises(AddressRefused):
            await fetched(guarded, other)
    assert wire.dialled == [("127.0.0.1", 9000)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", SourceRefused),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", SourceUnavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsound", SourceUnavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", TooLarge),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n", TooLarge),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nsound", SourceRefused),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", SourceRefused),
        (b"nonsense\r\n\r\n", SourceUnavailable),
        (b"", SourceUnavailable),
    ],
)
async def test_an_answer_that_is_no_recording_is_an_error_with_a_kind(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await fetched(client(Wire(answer)), "https://public.example.com/?signature=canary")
    assert "canary" not in str(raised.value)
    assert "example" not in str(raised.value)


@pytest.fixture
async def trickling() -> AsyncIterator[str]:
    """A server on loopback that sends a byte now and then, for ever."""

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_trickles_for_ever_is_left_in_time(trickling: str) -> None:
    policy = AddressPolicy(trusted=frozenset({trickling}))
    guarded = GuardedClient(policy, OutboundLimits(idle_s=5.0, fetch_s=0.3))
    async with asyncio.timeout(5):
        with pytest.raises(SourceUnavailable, match="too slow"):
            await fetched(guarded, f"http://{trickling}/")


def test_public_numbers_are_public() -> None:
    assert all(map(is_public, (PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1")))
    assert not any(map(is_public, ("not a number", "", "fe80::1", "2606:4700:4700::1111%1")))
