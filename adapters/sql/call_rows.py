"""The transactions behind the call cache."""

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, tuple_, update

from adapters.sql.plain import from_text, unpack, upsert
from adapters.sql.tables import call_answers, call_flights, call_uses, deleted_conversations
from ports.call_cache import Claimed, Hit, InFlight, Lookup

LAST_USED_STEP_S = 60.0
"""Seconds by which `last_used` may lag behind: a hit costs no write more often than this."""
ROWS_PER_TRIM = 500
"""Answers removed per transaction, so that trimming never holds the write lock for long."""


def is_answer(scope: str, key: str) -> ColumnElement[bool]:
    """The condition of one answer."""
    return and_(call_answers.c.scope == scope, call_answers.c.key == key)


def is_flight(scope: str, key: str, owner: str, fence: int) -> ColumnElement[bool]:
    """The condition of one flight in the hands of one holder."""
    flight = call_flights.c
    return and_(flight.scope == scope, flight.key == key, flight.owner == owner, flight.fence == fence)


def look(connection: Connection, scope: str, key: str, conversation_id: str | None, now: float) -> Lookup | None:
    """Return a hit that leaves nothing to write, or a flight in the air; None when `look_or_claim` has to decide."""
    columns = (call_answers.c.answer, call_answers.c.last_used)
    found = connection.execute(select(*columns).where(is_answer(scope, key))).one_or_none()
    if found is None:
        return _in_flight(connection, scope, key, now)
    hit = _readable(found.answer)
    noted = now - found.last_used < LAST_USED_STEP_S and not _use_is_missing(connection, scope, key, conversation_id)
    return hit if noted else None


def read(connection: Connection, scope: str, key: str) -> Hit | None:
    """Return the answer without a note of its use; None when there is none that can be read."""
    packed = connection.execute(select(call_answers.c.answer).where(is_answer(scope, key))).scalar_one_or_none()
    return None if packed is None else _readable(packed)


def look_or_claim(
    connection: Connection, scope: str, key: str, owner: str, claim_s: float, conversation_id: str | None, now: float
) -> Lookup:
    """Return the answer and note its use, or the flight in the air, or a claim for `owner`."""
    packed = connection.execute(select(call_answers.c.answer).where(is_answer(scope, key))).scalar_one_or_none()
    hit = _readable(packed) if packed is not None else None
    if hit is not None:
        connection.execute(update(call_answers).where(is_answer(scope, key)).values(last_used=now))
        _note_use(connection, scope, key, conversation_id)
        return hit
    if packed is not None:  # unreadable: as good as no answer
        connection.execute(delete(call_answers).where(is_answer(scope, key)))
    flying = _in_flight(connection, scope, key, now)
    if flying is not None:
        return flying
    connection.execute(delete(call_flights).where(call_flights.c.scope == scope, call_flights.c.key == key))
    claim = insert(call_flights).values(scope=scope, key=key, owner=owner, until=now + claim_s)
    fence = connection.execute(claim.returning(call_flights.c.fence)).scalar_one()
    return Claimed(fence, now + claim_s)


def store(
    connection: Connection, scope: str, key: str, owner: str, fence: int, packed: bytes, conversation_id: str | None, now: float
) -> bool:
    """End the flight and store its answer; nothing for a flight that is lost, or a conversation deleted meanwhile."""
    if connection.execute(delete(call_flights).where(is_flight(scope, key, owner, fence))).rowcount != 1:
        return False
    if _is_deleted(connection, scope, conversation_id):
        return False
    size = len(packed) + len(scope) + len(key)
    row = {"scope": scope, "key": key, "answer": packed, "size": size, "created_at": now, "last_used": now}
    kept = {name: row[name] for name in ("answer", "size", "created_at", "last_used")}
    statement = upsert(connection.dialect.name, call_answers).values(**row)
    connection.execute(statement.on_conflict_do_update(index_elements=["scope", "key"], set_=kept))
    _note_use(connection, scope, key, conversation_id)
    return True


def forget_conversation(connection: Connection, scope: str, conversation_id: str, now: float) -> int:
    """Remove the answers that only this conversation used; a late answer of its job is not kept either."""
    gone = {"owner": scope, "conversation_id": conversation_id, "deleted_at": now}
    connection.execute(upsert(connection.dialect.name, deleted_conversations).values(**gone).on_conflict_do_nothing())
    mine = and_(call_uses.c.scope == scope, call_uses.c.conversation_id == conversation_id)
    others = call_uses.alias()
    elsewhere = and_(others.c.scope == scope, others.c.key == call_uses.c.key, others.c.conversation_id != conversation_id)
    shared = select(others.c.key).where(elsewhere).exists()
    keys = select(call_uses.c.key).where(mine, ~shared)
    removed = connection.execute(delete(call_answers).where(call_answers.c.scope == scope, call_answers.c.key.in_(keys))).rowcount
    connection.execute(delete(call_uses).where(mine))
    return removed


def trim_some(connection: Connection, max_bytes: int, oldest: float) -> int:
    """Remove up to `ROWS_PER_TRIM` answers: made before `oldest`, or least recently used beyond `max_bytes`; return how many."""
    answer = call_answers.c
    newest_first = (answer.last_used.desc(), answer.created_at.desc(), answer.scope, answer.key)
    filled = func.sum(answer.size).over(order_by=newest_first, rows=(None, 0)).label("filled")
    ranked = select(answer.scope, answer.key, answer.created_at, filled).subquery()
    surplus = select(ranked.c.scope, ranked.c.key).where((ranked.c.filled > max_bytes) | (ranked.c.created_at < oldest))
    # The oldest go first, so that a trim that is cut short leaves the most recent answers.
    chosen = connection.execute(surplus.order_by(ranked.c.filled.desc()).limit(ROWS_PER_TRIM)).all()
    pairs = [(row.scope, row.key) for row in chosen]
    if pairs:
        connection.execute(delete(call_answers).where(tuple_(answer.scope, answer.key).in_(pairs)))
    return len(pairs)


def _readable(packed: bytes) -> Hit | None:
    try:
        return Hit(from_text(unpack(packed)))
    except ValueError:
        return None


def _in_flight(connection: Connection, scope: str, key: str, now: float) -> InFlight | None:
    flight = call_flights.c
    live = and_(flight.scope == scope, flight.key == key, flight.until > now)
    found = connection.execute(select(flight.until).where(live)).scalar_one_or_none()
    return None if found is None else InFlight(found)


def _use_is_missing(connection: Connection, scope: str, key: str, conversation_id: str | None) -> bool:
    if conversation_id is None or _is_deleted(connection, scope, conversation_id):
        return False
    use = and_(call_uses.c.scope == scope, call_uses.c.key == key, call_uses.c.conversation_id == conversation_id)
    return connection.execute(select(call_uses.c.key).where(use)).first() is None


def _note_use(connection: Connection, scope: str, key: str, conversation_id: str | None) -> None:
    if conversation_id is None or _is_deleted(connection, scope, conversation_id):
        return
    use = upsert(connection.dialect.name, call_uses).values(scope=scope, key=key, conversation_id=conversation_id)
    connection.execute(use.on_conflict_do_nothing())


def _is_deleted(connection: Connection, scope: str, conversation_id: str | None) -> bool:
    gone = deleted_conversations.c
    chosen = select(gone.conversation_id).where(gone.owner == scope, gone.conversation_id == conversation_id)
    return conversation_id is not None and connection.execute(chosen).first() is not None
