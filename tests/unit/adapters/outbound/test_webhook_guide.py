"""The example of docs/webhooks.md is run as it stands, on what the service really sends."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.outbound import AddressPolicy, GuardedClient, SignedWebhooks
from adapters.sql.webhooks import new_secret
from domain.webhook import Delivery
from tests.webhook_receiver import receiving

GUIDE = Path(__file__).parents[4] / "docs" / "webhooks.md"


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """The function of the guide."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Callable[..., bool]] = {}
    exec(code, names)
    return names["is_genuine"]


async def test_the_guides_receiver_knows_what_is_genuine(is_genuine: Callable[..., bool]) -> None:
    new, old = new_secret(), new_secret()
    async with receiving() as receiver:
        sender = SignedWebhooks(GuardedClient(AddressPolicy(trusted=receiver.trusted)))
        delivery = Delivery("msg_1", receiver.url, [new, old], '{"type":"job.completed"}', 0, 1)
        for when in (time.time(), time.time() - 1000):
            assert (await sender.send(delivery, when)).status == 200
    now, late = receiver.received

    assert is_genuine(new, now.headers, now.body)
    assert is_genuine(old, now.headers, now.body)
    assert not is_genuine(new_secret(), now.headers, now.body)
    assert not is_genuine(new, now.headers, now.body + b" ")
    assert not is_genuine(new, now.headers | {"webhook-id": "msg_2"}, now.body)
    assert not is_genuine(new, now.headers | {"webhook-timestamp": "x"}, now.body)
    assert not is_genuine(new, late.headers, late.body)
