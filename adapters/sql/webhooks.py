"""Receivers of webhooks and what they are still to be told, as rows.

Secrets lie in the rows as they are: signing needs them, and a key to lock them with would lie beside them. Who can read the
database can sign; `rotate` makes what leaked worthless.
"""

import base64
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from adapters.sql.engine import Database
from adapters.sql.plain import from_text, to_text
from adapters.sql.tables import webhook_deliveries, webhook_endpoints
from adapters.sql.webhook_records import add_test, find_endpoint, record, records
from adapters.sql.webhook_rows import DEAD, DELIVERED, PENDING
from domain.errors import InvalidRequest, LeaseLost
from domain.webhook import (
    TEST_EVENT,
    Delivery,
    DeliveryRecord,
    DeliveryState,
    Receipt,
    WebhookBacklog,
    WebhookEndpoint,
    WebhookEvent,
)
from ports.clock import Clock
from ports.webhooks import WebhookOutbox, WebhookStore

MOST_ENDPOINTS = 16
"""Receivers of one tenant: every end of a job is written once for each."""
MOST_AT_ONCE = 2
"""Deliveries on their way to one receiver: a slow one takes no slot from the others."""
SECRET_BYTES = 32
"""Random bytes of a secret; the specification asks for 24 to 64."""

_e, _d = webhook_endpoints.c, webhook_deliveries.c


class SqlWebhooks(WebhookStore, WebhookOutbox):
    """Both sides of webhooks in one database. The clock is read inside the transaction, after the wait for the write lock."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, tenant: str, url: str, events: Sequence[WebhookEvent]) -> tuple[WebhookEndpoint, str]:
        secret, endpoint_id = new_secret(), f"we_{secrets.token_hex(16)}"
        row = await self._database.write(lambda c: _add(c, tenant, endpoint_id, url, events, secret, self._clock.now()))
        return _endpoint(row), secret

    async def list(self, tenant: str) -> Sequence[WebhookEndpoint]:
        mine = select(webhook_endpoints).where(_e.tenant == tenant).order_by(_e.created_at, _e.id)
        return [_endpoint(row) for row in await self._database.read(lambda c: c.execute(mine).mappings().all())]

    async def get(self, tenant: str, endpoint_id: str) -> WebhookEndpoint:
        return _endpoint(await self._database.read(lambda c: find_endpoint(c, tenant, endpoint_id)))

    async def rotate(self, tenant: str, endpoint_id: str, overlap_s: float) -> str:
        secret = new_secret()
        await self._database.write(lambda c: _rotate(c, tenant, endpoint_id, secret, self._clock.now() + overlap_s))
        return secret

    async def remove(self, tenant: str, endpoint_id: str) -> None:
        await self._database.write(lambda c: _remove(c, tenant, endpoint_id))
        await self._database.scrub()

    async def test(self, tenant: str, endpoint_id: str) -> DeliveryRecord:
        return await self._database.write(lambda c: add_test(c, tenant, endpoint_id, self._clock.now()))

    async def deliveries(
        self, tenant: str, endpoint_id: str, limit: int, after: str | None = None, state: DeliveryState | None = None
    ) -> Sequence[DeliveryRecord]:
        return await self._database.read(lambda c: records(c, tenant, endpoint_id, limit, after, state))

    async def delivery(self, tenant: str, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
        return await self._database.read(lambda c: record(c, tenant, endpoint_id, delivery_id))

    async def claim(self, lease_s: float) -> Delivery | None:
        # Asked first without the write lock, as idle workers do with jobs.
        if await self._database.read(lambda c: c.execute(_due(self._clock.now())).first()) is None:
            return None
        return await self._database.write(lambda c: _claim(c, lease_s, self._clock.now()))

    async def delivered(self, delivery: Delivery, receipt: Receipt) -> None:
        await self._database.write(lambda c: _record(c, delivery, receipt, DELIVERED, self._clock.now()))

    async def failed(self, delivery: Delivery, receipt: Receipt, again_in_s: float | None) -> None:
        state = DEAD if again_in_s is None else PENDING
        await self._database.write(lambda c: _record(c, delivery, receipt, state, self._clock.now(), again_in_s))

    async def refused_for_good(self, delivery: Delivery, receipt: Receipt) -> None:
        await self._database.write(lambda c: _disable(c, delivery, receipt, self._clock.now()))

    async def backlog(self) -> WebhookBacklog:
        return await self._database.read(lambda c: _backlog(c, self._clock.now()))

    async def trim(self, older_than_s: float) -> int:
        old = delete(webhook_deliveries).where(_d.state != PENDING, _d.changed_at < self._clock.now() - older_than_s)
        return int(await self._database.write(lambda c: c.execute(old).rowcount))


def new_secret() -> str:
    """Return a new secret in the specification's spelling."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def _endpoint(row: RowMapping) -> WebhookEndpoint:
    events = tuple(WebhookEvent(event) for event in from_text(row["events"]))
    return WebhookEndpoint(row["id"], row["url"], events, row["created_at"], row["disabled_at"], row["disabled_reason"])


def _add(
    connection: Connection, tenant: str, endpoint_id: str, url: str, events: Sequence[WebhookEvent], secret: str, now: float
) -> RowMapping:
    count = connection.execute(select(func.count()).where(_e.tenant == tenant)).scalar_one()
    if count >= MOST_ENDPOINTS:
        raise InvalidRequest(f"There are {count} webhooks already; remove one first.")
    row = {"id": endpoint_id, "tenant": tenant, "url": url, "events": to_text([event.value for event in events])}
    statement = insert(webhook_endpoints).values(**row, secret=secret, created_at=now).returning(*_e)
    return connection.execute(statement).mappings().one()


def _rotate(connection: Connection, tenant: str, endpoint_id: str, secret: str, until: float) -> None:
    row = find_endpoint(connection, tenant, endpoint_id)
    values = {"secret": secret, "previous_secret": row["secret"], "previous_until": until}
    connection.execute(update(webhook_endpoints).where(_e.id == row["id"]).values(**values))


def _remove(connection: Connection, tenant: str, endpoint_id: str) -> None:
    row = find_endpoint(connection, tenant, endpoint_id)
    connection.execute(delete(webhook_endpoints).where(_e.id == row["id"]))


def _due(now: float) -> Any:
    busy = select(_d.endpoint_id).where(_d.lease_until > now).group_by(_d.endpoint_id).having(func.count() >= MOST_AT_ONCE)
    return (
        select(webhook_deliveries)
        .where(_d.state == PENDING, _d.next_try <= now, or_(_d.lease_until.is_(None), _d.lease_until <= now))
        .where(_d.endpoint_id.not_in(busy))
        .order_by(_d.next_try, _d.seq)
        .limit(1)
    )


def _backlog(connection: Connection, now: float) -> WebhookBacklog:
    due = select(func.count(), func.min(_d.next_try)).where(_d.state == PENDING, _d.next_try <= now)
    behind, first = connection.execute(due).one()
    return WebhookBacklog(int(behind), 0.0 if first is None else now - float(first))


def _claim(connection: Connection, lease_s: float, now: float) -> Delivery | None:
    row = connection.execute(_due(now).with_for_update(skip_locked=True)).mappings().one_or_none()
    if row is None:
        return None
    endpoint = connection.execute(select(webhook_endpoints).where(_e.id == row["endpoint_id"])).mappings().one()
    held = {"fence": row["fence"] + 1, "lease_until": now + lease_s}
    connection.execute(update(webhook_deliveries).where(_d.seq == row["seq"]).values(**held))
    keys = [endpoint["secret"]]
    if endpoint["previous_secret"] is not None and endpoint["previous_until"] > now:
        keys.append(endpoint["previous_secret"])
    once = row["type"] == TEST_EVENT
    return Delivery(row["id"], endpoint["url"], keys, row["body"], row["tries"], held["fence"], once)


def _record(
    connection: Connection, delivery: Delivery, receipt: Receipt, state: str, now: float, again_in_s: float | None = None
) -> str:
    """Write how a try went, if the delivery is still held; return the receiver's id."""
    held = (_d.id == delivery.id, _d.fence == delivery.fence, _d.state == PENDING)
    values = {
        "state": state,
        "tries": delivery.tries + 1,
        "last_status": receipt.status,
        "last_failure": receipt.failure,
        "lease_until": None,
        "next_try": now + (again_in_s or 0.0),
        "changed_at": now,
    }
    statement = update(webhook_deliveries).where(*held).values(**values).returning(_d.endpoint_id)
    endpoint_id: str | None = connection.execute(statement).scalar_one_or_none()
    if endpoint_id is None:
        raise LeaseLost("Another deliverer holds the event now, or it has ended.")
    return endpoint_id


def _disable(connection: Connection, delivery: Delivery, receipt: Receipt, now: float) -> None:
    endpoint_id = _record(connection, delivery, receipt, DEAD, now)
    why = {"disabled_at": now, "disabled_reason": "gone"}
    connection.execute(update(webhook_endpoints).where(_e.id == endpoint_id).values(**why))
    rest = (_d.endpoint_id == endpoint_id, _d.state == PENDING)
    connection.execute(update(webhook_deliveries).where(*rest).values(state=DEAD, lease_until=None, changed_at=now))
