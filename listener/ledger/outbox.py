"""Messages that are still to be shown (`listener.ports.Outbox`). `Incidents.save` queues them; one owner at a
time sends each.
"""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, literal, null, or_, select, update

from listener.ledger.engine import Database, retried
from listener.ledger.schema import Instant, deliveries
from listener.ports import Delivery

SENDING, SENT = "sending", "sent"


class SqlOutbox:
    def __init__(self, database: Database) -> None:
        self._db = database

    def due(self, now: datetime, limit: int = 20) -> list[Delivery]:
        """Not shown in its newest version, next_at has come, no valid lease; longest waiting first.
        A state of `sending` here says that its owner was lost: the message may have been posted. Those that somebody is just
        claiming are passed over: there is nothing to win.
        """
        query = select(deliveries).where(deliveries.c.next_at <= now, _open(now))
        order = (deliveries.c.next_at, deliveries.c.incident, deliveries.c.channel)
        chosen = query.order_by(*order).limit(limit).with_for_update(read=True, skip_locked=True)
        with self._db.read() as sql:
            return [_delivery(row) for row in sql.execute(chosen)]

    @retried
    def claim(self, delivery: Delivery, *, owner: str, now: datetime, lease: timedelta) -> Delivery | None:
        """Compare and set to `sending`, attempts + 1; None when somebody else was quicker. The answer carries
        the newest version, which may be newer than what was given. `owner` names this one attempt, not the
        process.
        """
        unchanged = and_(
            deliveries.c.incident == delivery.incident,
            deliveries.c.channel == delivery.channel,
            deliveries.c.state == delivery.state,
            deliveries.c.attempts == delivery.attempts,
            deliveries.c.shown == delivery.shown,
        )
        attempt = {
            "state": SENDING,
            "owner": owner,
            "lease_until": now + lease,
            "attempts": deliveries.c.attempts + 1,
            "first_try_at": func.coalesce(deliveries.c.first_try_at, literal(now, Instant)),
        }
        with self._db.write() as sql:
            claimed = update(deliveries).where(unchanged, _open(now)).values(attempt).returning(deliveries)
            row = sql.execute(claimed).first()
        return _delivery(row) if row else None

    @retried
    def save(self, delivery: Delivery, *, owner: str) -> bool:
        """Write state, ts, shown, next_at, error of a delivery that `owner` holds, and let it go when state
        is not `sending`.

        `next_at` None means that nothing is planned: a version that was queued while this one was sent keeps
        its own. Once `sent`, attempts and first_try_at begin anew: they are of one version, not of the
        message's whole life.
        """
        values: dict[str, Any] = {
            "state": delivery.state,
            "ts": delivery.ts,
            "shown": delivery.shown,
            "error": delivery.error,
            "next_at": delivery.next_at,
        }
        if delivery.next_at is None:
            values["next_at"] = case(
                (deliveries.c.version > delivery.version, deliveries.c.next_at), else_=null()
            )
        if delivery.state != SENDING:
            values |= {"owner": "", "lease_until": None}
        if delivery.state == SENT:
            values |= {"attempts": 0, "first_try_at": None}
        held = and_(
            deliveries.c.incident == delivery.incident,
            deliveries.c.channel == delivery.channel,
            deliveries.c.owner == owner,
            deliveries.c.state == SENDING,
        )
        with self._db.write() as sql:
            saved = update(deliveries).where(held).values(values).returning(deliveries.c.incident)
            return sql.execute(saved).first() is not None

    def of(self, incident_id: str) -> list[Delivery]:
        """One a channel, by channel."""
        query = select(deliveries).where(deliveries.c.incident == incident_id).order_by(deliveries.c.channel)
        with self._db.read() as sql:
            return [_delivery(row) for row in sql.execute(query)]


def _open(now: datetime) -> ColumnElement[bool]:
    """Not shown in its newest version, and nobody holds it."""
    free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= now)
    return and_(deliveries.c.shown < deliveries.c.version, free)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{field.name: getattr(row, field.name) for field in fields(Delivery)})
