"""What receivers were told, as their owners look at it, and the event that tries a receiver out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from adapters.sql.plain import from_text
from adapters.sql.tables import webhook_deliveries, webhook_endpoints
from adapters.sql.webhook_rows import PENDING, new_delivery
from domain.errors import InvalidRequest, NotFound, RateLimited
from domain.webhook import TEST_EVENT, DeliveryRecord, DeliveryState

MOST_TESTS = 5
"""Tests of one receiver that may wait: each is a request to an address that a caller chose."""
TEST_AGAIN_S = 15.0
"""Seconds: as long as a receiver has to answer."""

_e, _d = webhook_endpoints.c, webhook_deliveries.c


def find_endpoint(connection: Connection, tenant: str, endpoint_id: str) -> RowMapping:
    """Return the tenant's receiver. Raises NotFound."""
    mine = select(webhook_endpoints).where(_e.tenant == tenant, _e.id == endpoint_id)
    row = connection.execute(mine).mappings().one_or_none()
    if row is None:
        raise NotFound("No such webhook.")
    return row


def add_test(connection: Connection, tenant: str, endpoint_id: str, now: float) -> DeliveryRecord:
    """Write down a test of the receiver. Raises NotFound, InvalidRequest or RateLimited."""
    endpoint = find_endpoint(connection, tenant, endpoint_id)
    if endpoint["disabled_at"] is not None:
        raise InvalidRequest("The webhook is disabled, since its receiver answered 410; register it again.")
    waiting = select(func.count()).where(_d.endpoint_id == endpoint_id, _d.type == TEST_EVENT, _d.state == PENDING)
    if connection.execute(waiting).scalar_one() >= MOST_TESTS:
        raise RateLimited(f"{MOST_TESTS} tests of this webhook wait already.", TEST_AGAIN_S)
    row = new_delivery(endpoint_id, TEST_EVENT, {"webhook_id": endpoint_id}, now)
    made = connection.execute(insert(webhook_deliveries).values(**row).returning(*_d)).mappings().one()
    return record_of(made)


def records(
    connection: Connection, tenant: str, endpoint_id: str, limit: int, after: str | None, state: DeliveryState | None
) -> Sequence[DeliveryRecord]:
    """Return deliveries, newest first, from the one after the cursor. Raises NotFound."""
    find_endpoint(connection, tenant, endpoint_id)
    chosen = select(webhook_deliveries).where(_d.endpoint_id == endpoint_id)
    if after is not None:
        chosen = chosen.where(_d.seq < _find(connection, endpoint_id, after)["seq"])
    if state is not None:
        chosen = chosen.where(_d.state == state.value)
    rows = connection.execute(chosen.order_by(_d.seq.desc()).limit(max(0, limit))).mappings()
    return [record_of(row) for row in rows]


def record(connection: Connection, tenant: str, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
    """Return one delivery. Raises NotFound."""
    find_endpoint(connection, tenant, endpoint_id)
    return record_of(_find(connection, endpoint_id, delivery_id))


def _find(connection: Connection, endpoint_id: str, delivery_id: str) -> RowMapping:
    mine = select(webhook_deliveries).where(_d.endpoint_id == endpoint_id, _d.id == delivery_id)
    row = connection.execute(mine).mappings().one_or_none()
    if row is None:
        raise NotFound("No such delivery.")
    return row


def record_of(row: RowMapping) -> DeliveryRecord:
    """Return a row without its body, which may be read at its receiver only."""
    body: dict[str, Any] = from_text(row["body"])
    state = DeliveryState(row["state"])
    return DeliveryRecord(
        id=row["id"],
        type=row["type"],
        job_id=row["job_id"] if row["type"] != TEST_EVENT else None,
        state=state,
        tries=row["tries"],
        last_status=row["last_status"],
        last_failure=row["last_failure"],
        next_try=row["next_try"] if state is DeliveryState.PENDING else None,
        created_at=datetime.fromisoformat(body["timestamp"]).timestamp(),
        changed_at=row["changed_at"],
    )
