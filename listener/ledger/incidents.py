"""One incident per id, its message queued with it, and what people did (`listener.ports.Incidents`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, literal, select, update

from listener.errors import StoreError
from listener.incident import Act, Incident, State
from listener.ledger.codec import decode, digest, encode
from listener.ledger.engine import Database, retried
from listener.ledger.schema import Instant, acts, deliveries, incidents

_BODY = select(incidents.c.id, incidents.c.body)
_NEWEST = (incidents.c.opened_at.desc(), incidents.c.id.desc())


class SqlIncidents:
    def __init__(self, database: Database) -> None:
        self._db = database

    def open_of(self, rule: str) -> Incident | None:
        """The rule's newest incident that is not over."""
        query = _BODY.where(incidents.c.rule == rule, incidents.c.state != State.OVER)
        return next(iter(self._read(query.order_by(*_NEWEST).limit(1))), None)

    def latest_of(self, rule: str) -> Incident | None:
        """The rule's newest incident, over or not; newest by `opened_at`."""
        return next(iter(self._read(_BODY.where(incidents.c.rule == rule).order_by(*_NEWEST).limit(1))), None)

    def get(self, incident_id: str) -> Incident | None:
        return next(iter(self._read(_BODY.where(incidents.c.id == incident_id))), None)

    @retried
    def save(
        self, incident: Incident, *, was: Incident | None, now: datetime, channels: Sequence[str]
    ) -> bool:
        """Store the incident and queue its message, or its newest version, for each channel, in one
        transaction. False, and nothing is changed, when somebody else was quicker: the id exists, or what is
        stored is no longer `was`.
        """
        with self._db.write() as sql:
            stored = self._insert(sql, incident, now) if was is None else _replace(sql, incident, was, now)
            if stored:
                self._queue(sql, incident.id, now, channels)
        return stored

    def recent(self, limit: int = 20) -> list[Incident]:
        """Newest first."""
        return self._read(_BODY.order_by(*_NEWEST).limit(limit))

    @retried
    def record_act(
        self, incident_id: str, act: Act, *, by: str, at: datetime, key: str, note: str = ""
    ) -> bool:
        """Durable when it returns; False when this incident's act of that key was known already.
        Raises StoreError (permanent) for an unknown incident."""
        row = {"incident": incident_id, "key": key, "act": act, "by": by, "at": at, "note": note}
        with self._db.write() as sql:
            return sql.execute(self._db.insert_new(acts).values(row).returning(acts.c.id)).first() is not None

    def acts(self, incident_id: str) -> list[tuple[datetime, Act, str, str]]:
        """(at, act, by, note), oldest first."""
        query = select(acts).where(acts.c.incident == incident_id).order_by(acts.c.at, acts.c.id)
        with self._db.read() as sql:
            return [(row.at, Act(row.act), row.by, row.note) for row in sql.execute(query)]

    def _read(self, query: Select[Any]) -> list[Incident]:
        with self._db.read() as sql:
            rows = sql.execute(query).all()
        return [self._decoded(row.id, row.body) for row in rows]

    def _decoded(self, incident_id: str, body: str) -> Incident:
        try:
            return decode(body)
        except (KeyError, TypeError, ValueError) as error:
            where = f"ledger {self._db.name}: incident {incident_id}"
            raise StoreError(
                f"{where}: cannot be read ({type(error).__name__}): restore a backup", permanent=True
            ) from error

    def _insert(self, sql: Connection, incident: Incident, now: datetime) -> bool:
        row = {
            "id": incident.id,
            "rule": incident.rule,
            "opened_at": incident.opened_at,
            **_changing(incident, now),
        }
        insert = self._db.insert_new(incidents).values(row).returning(incidents.c.id)
        return sql.execute(insert).first() is not None

    def _queue(self, sql: Connection, incident_id: str, now: datetime, channels: Sequence[str]) -> None:
        # A message that is waiting (Slack asked us to) or under way keeps its time: news do not make it come sooner.
        settled = deliveries.c.state.in_(("sent", "failed"))
        at = literal(now, Instant)
        when = case((settled, at), else_=func.coalesce(deliveries.c.next_at, at))
        newer = {"version": deliveries.c.version + 1, "next_at": when}
        for channel in dict.fromkeys(channels):
            row = {"incident": incident_id, "channel": channel, "next_at": now}
            sql.execute(self._db.upsert(deliveries, newer).values(row))


def _changing(incident: Incident, now: datetime) -> dict[str, Any]:
    body = encode(incident)
    return {"state": incident.state, "body": body, "digest": digest(body), "saved_at": now}


def _replace(sql: Connection, incident: Incident, was: Incident, now: datetime) -> bool:
    same = (incidents.c.id == incident.id, incidents.c.digest == digest(encode(was)))
    changed = update(incidents).where(*same).values(_changing(incident, now)).returning(incidents.c.id)
    return sql.execute(changed).first() is not None
