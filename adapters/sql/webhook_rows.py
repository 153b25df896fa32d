"""Events as rows that are still to be told, written in the transaction that ends the job."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from adapters.sql.plain import from_text, to_text, upsert
from adapters.sql.tables import webhook_deliveries, webhook_endpoints

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"


def announce(connection: Connection, job: RowMapping, now: float) -> None:
    """Write down the end of a job for every receiver of its tenant that wants to hear of it."""
    wanting = select(webhook_endpoints).where(
        webhook_endpoints.c.tenant == job["tenant"], webhook_endpoints.c.disabled_at.is_(None)
    )
    kind = f"job.{job['status']}"
    for endpoint in connection.execute(wanting).mappings().all():
        if kind in from_text(endpoint["events"]):
            row = {
                "id": f"msg_{secrets.token_hex(16)}",
                "endpoint_id": endpoint["id"],
                "job_id": job["id"],
                "type": kind,
                "body": to_text(_body(kind, job, now)),
                "state": PENDING,
                "tries": 0,
                "next_try": now,
                "fence": 0,
                "changed_at": now,
            }
            # A job that an operator had tried again may end in the same way a second time: that was told already.
            statement = upsert(connection.dialect.name, webhook_deliveries).values(**row)
            connection.execute(statement.on_conflict_do_nothing())


def _body(kind: str, job: RowMapping, now: float) -> dict[str, Any]:
    """Ids and states only: who may read results asks for them with a key."""
    failed = job["status"] in ("failed", "expired") and job["error_code"] is not None
    data = {
        "job_id": job["id"],
        "kind": job["kind"],
        "status": job["status"],
        "created_at": job["created_at"],
        "finished_at": job["finished_at"],
        "result": from_text(job["result"]),
        "error": {"code": job["error_code"], "detail": job["error_detail"]} if failed else None,
    }
    return {"type": kind, "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"), "data": data}
