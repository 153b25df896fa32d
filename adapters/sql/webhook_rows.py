"""Events as rows that are still to be told, written in the transaction that ends the job."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from adapters.sql.plain import from_text, to_text, upsert
from adapters.sql.tables import webhook_deliveries, webhook_endpoints
from domain.webhook import DeliveryState

PENDING, DELIVERED, DEAD = (state.value for state in DeliveryState)


def announce(connection: Connection, job: RowMapping, now: float) -> None:
    """Write down the end of a job for every receiver of its tenant that wants to hear of it."""
    wanting = select(webhook_endpoints).where(
        webhook_endpoints.c.tenant == job["tenant"], webhook_endpoints.c.disabled_at.is_(None)
    )
    kind = f"job.{job['status']}"
    for endpoint in connection.execute(wanting).mappings().all():
        if kind in from_text(endpoint["events"]):
            row = new_delivery(endpoint["id"], kind, _about(job), now) | {"job_id": job["id"]}
            # A job that an operator had tried again may end in the same way a second time: that was told already.
            statement = upsert(connection.dialect.name, webhook_deliveries).values(**row)
            connection.execute(statement.on_conflict_do_nothing())


def new_delivery(endpoint_id: str, kind: str, data: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the columns of an event that is due now. Without a job it stands under its own id, so that no other is like it."""
    message = f"msg_{secrets.token_hex(16)}"
    body: dict[str, Any] = {
        "type": kind,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
        "data": data,
    }
    row = {"id": message, "endpoint_id": endpoint_id, "job_id": message, "type": kind, "body": to_text(body)}
    return row | {"state": PENDING, "tries": 0, "next_try": now, "fence": 0, "changed_at": now}


def _about(job: RowMapping) -> dict[str, Any]:
    """Ids and states only: who may read results asks for them with a key."""
    failed = job["status"] in ("failed", "expired") and job["error_code"] is not None
    return {
        "job_id": job["id"],
        "kind": job["kind"],
        "status": job["status"],
        "created_at": job["created_at"],
        "finished_at": job["finished_at"],
        "result": from_text(job["result"]),
        "error": {"code": job["error_code"], "detail": job["error_detail"]} if failed else None,
    }
