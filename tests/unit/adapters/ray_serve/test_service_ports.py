"""Services on one machine share no port."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from adapters.ray_serve.ports import ANYWHERE, BLOCK, FIRST, LAST, PortBlock, PortTaken, check_port


@pytest.fixture
def claim() -> Iterator[Callable[[], PortBlock]]:
    with ExitStack() as claimed:
        yield lambda: claimed.enter_context(closing(PortBlock()))


def test_services_that_run_at_once_share_no_port_and_one_too_many_is_told_so(claim: Callable[[], PortBlock]) -> None:
    blocks: list[PortBlock] = []

    def claim_all() -> None:
        while True:
            blocks.append(claim())

    with pytest.raises(PortTaken, match="neighbouring ports between 20000 and 29999"):
        claim_all()
    ranges = [range(first, last + 1) for first, last in (block.rest() for block in blocks)]
    assert len(ranges) > 1
    assert len({port for ports in ranges for port in ports}) == sum(map(len, ranges))
    assert min(ports[0] for ports in ranges) > FIRST
    assert max(ports[-1] for ports in ranges) <= LAST


def test_a_port_that_somebody_listens_on_is_passed_over(claim: Callable[[], PortBlock]) -> None:
    block = claim()
    first = block.take()
    with socket.create_server((ANYWHERE, first + 1)):
        assert block.take() == first + 2


def test_what_is_left_begins_behind_what_was_taken(claim: Callable[[], PortBlock]) -> None:
    block = claim()
    taken = block.take()
    first, last = block.rest()
    assert (first, last - first + 1) == (taken + 1, BLOCK - 2)
    with pytest.raises(PortTaken):
        block.take()


def test_a_taken_port_is_named_with_what_to_do(claim: Callable[[], PortBlock]) -> None:
    port = claim().take()
    check_port("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken"):
        check_port("127.0.0.1", port)
