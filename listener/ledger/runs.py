"""One run per (source, slot), no two at once for a source, and what is remembered of a source
(`listener.ports.Runs`).
"""

import math
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update

from listener.health import BACKOFF_CAP, backoff
from listener.ledger.engine import Database, retried
from listener.ledger.schema import runs, sources
from listener.ports import Run, RunState, SourceState, Tally

USUAL_PERIOD = timedelta(minutes=10)
"""Taken for a source that has not had two planned runs yet."""
RETRY_AFTER_CAP = timedelta(days=1)
"""A source that asks us to wait longer is asked again after a day."""


class SqlRuns:
    def __init__(self, database: Database) -> None:
        self._db = database

    @retried
    def plan(self, source: str, slot: datetime, trigger: str) -> int | None:
        """Insert a queued run and return its id; None when that slot exists already."""
        row = {"source": source, "slot": slot, "trigger": trigger, "state": RunState.QUEUED}
        with self._db.write() as sql:
            sql.execute(self._db.insert_new(sources).values(source=source))
            planned: int | None = sql.execute(
                self._db.insert_new(runs).values(row).returning(runs.c.id)
            ).scalar()
        return planned

    @retried
    def claim(self, run_id: int, *, owner: str, now: datetime, lease: timedelta) -> Run | None:
        """Queued (or running with its lease ended) → running, attempts + 1. `owner` names this one attempt,
        not the process: two attempts that share a name could finish each other's run.
        """
        with self._db.write() as sql:
            source = _lock_source(sql, run_id)
            if (
                source is None
                or sql.execute(select(runs.c.id).where(*_busy(source, run_id, now)).limit(1)).first()
            ):
                return None
            free = or_(
                runs.c.state == RunState.QUEUED,
                and_(runs.c.state == RunState.RUNNING, runs.c.lease_until <= now),
            )
            taken = update(runs).where(runs.c.id == run_id, free).returning(runs)
            attempt = {"attempts": runs.c.attempts + 1, "started_at": now, "lease_until": now + lease}
            row = sql.execute(taken.values(state=RunState.RUNNING, owner=owner, **attempt)).first()
            if row:
                begun = update(sources).where(sources.c.source == source, sources.c.first_run_at.is_(None))
                sql.execute(begun.values(first_run_at=now))
        return _run(row) if row else None

    @retried
    def extend(self, run_id: int, *, owner: str, until: datetime) -> bool:
        """False when the run is no longer ours, or our lease ended and another run of the source began."""
        with self._db.write() as sql:
            source = _lock_source(sql, run_id)
            held = sql.execute(select(runs.c.lease_until).where(*_held(run_id, owner))).first()
            if source is None or held is None:
                return False
            if sql.execute(
                select(runs.c.id).where(*_busy(source, run_id, held.lease_until)).limit(1)
            ).first():
                return False
            sql.execute(update(runs).where(*_held(run_id, owner)).values(lease_until=until))
        return True

    @retried
    def finish(self, run_id: int, *, owner: str, now: datetime, tally: Tally) -> bool:
        """Running → done, or failed when there is `tally.error`, and the source's state with it, in one
        transaction.
        """
        done = {
            "state": RunState.FAILED if tally.error else RunState.DONE,
            "ended_at": now,
            "lease_until": None,
            "pages": tally.pages,
            "posts": tally.posts,
            "new": tally.new,
            "reason": tally.error or "; ".join(tally.warnings),
        }
        with self._db.write() as sql:
            source = _lock_source(sql, run_id)
            row = sql.execute(
                update(runs).where(*_held(run_id, owner)).values(done).returning(runs.c.id)
            ).first()
            if source is None or row is None:
                return False
            was = _state(sql, source)
            period = _period(sql, source) if tally.error else USUAL_PERIOD
            sql.execute(self._db.upsert(sources), _finished(was, tally, now=now, period=period))
        return True

    def get(self, run_id: int) -> Run | None:
        with self._db.read() as sql:
            row = sql.execute(select(runs).where(runs.c.id == run_id)).first()
        return _run(row) if row else None

    def waiting(self, now: datetime, limit: int = 100) -> list[Run]:
        """Queued runs, and running ones whose lease has ended; oldest first. Those that somebody is just claiming are passed
        over: there is nothing to win.
        """
        abandoned = and_(runs.c.state == RunState.RUNNING, runs.c.lease_until <= now)
        query = select(runs).where(or_(runs.c.state == RunState.QUEUED, abandoned))
        chosen = query.order_by(runs.c.slot, runs.c.id).limit(limit)
        with self._db.read() as sql:
            return [_run(row) for row in sql.execute(chosen.with_for_update(read=True, skip_locked=True))]

    def latest(self, source: str, limit: int = 1) -> list[Run]:
        """Newest slot first."""
        query = select(runs).where(runs.c.source == source).order_by(runs.c.slot.desc()).limit(limit)
        with self._db.read() as sql:
            return [_run(row) for row in sql.execute(query)]

    def latest_slot(self, source: str, trigger: str = "schedule") -> datetime | None:
        query = select(func.max(runs.c.slot)).where(runs.c.source == source, runs.c.trigger == trigger)
        with self._db.read() as sql:
            return sql.execute(query).scalar()

    def state(self, source: str) -> SourceState:
        """What is remembered of a source; an empty state for an unknown one."""
        with self._db.read() as sql:
            return _state(sql, source)

    def pause(self, source: str, *, why: str, now: datetime) -> None:
        self._change(source, paused_at=now, paused_why=why)

    def resume(self, source: str) -> None:
        self._change(source, paused_at=None, paused_why="", backoff_until=None)

    @retried
    def _change(self, source: str, **values: Any) -> None:
        """In one transaction, so that a run that ends meanwhile is not forgotten."""
        with self._db.write() as sql:
            sql.execute(self._db.upsert(sources), asdict(replace(_state(sql, source), **values)))

    @retried
    def prune(self, before: datetime) -> list[int]:
        old = delete(runs).where(runs.c.ended_at < before).returning(runs.c.id)
        with self._db.write() as sql:
            return [row.id for row in sql.execute(old)]

    def arrivals(self, source: str, since: datetime) -> list[tuple[datetime, int]]:
        """(ended_at, new posts) of finished runs that ended at `since` or later, oldest first."""
        query = select(runs.c.ended_at, runs.c.new).where(runs.c.source == source, runs.c.ended_at >= since)
        with self._db.read() as sql:
            return [
                (row.ended_at, row.new) for row in sql.execute(query.order_by(runs.c.ended_at, runs.c.id))
            ]


def _lock_source(sql: Connection, run_id: int) -> str | None:
    """The run's source, locked until the transaction ends; None for an unknown run."""
    query = select(sources.c.source).join(runs, runs.c.source == sources.c.source).where(runs.c.id == run_id)
    source: str | None = sql.execute(query.with_for_update(of=sources)).scalar()
    return source


def _busy(source: str, run_id: int, at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Another run of the source holds a lease that is valid after `at`."""
    return (
        runs.c.source == source,
        runs.c.id != run_id,
        runs.c.state == RunState.RUNNING,
        runs.c.lease_until > at,
    )


def _held(run_id: int, owner: str) -> tuple[ColumnElement[bool], ...]:
    return runs.c.id == run_id, runs.c.owner == owner, runs.c.state == RunState.RUNNING


def _state(sql: Connection, source: str) -> SourceState:
    row = sql.execute(select(sources).where(sources.c.source == source)).first()
    return SourceState(**row._mapping) if row else SourceState(source=source)


def _run(row: Row[Any]) -> Run:
    values = {field.name: getattr(row, field.name) for field in fields(Run)}
    return Run(**{**values, "state": RunState(row.state)})


def _period(sql: Connection, source: str) -> timedelta:
    """The shortest gap between the last planned slots: back-off stretches the others."""
    query = select(runs.c.slot).where(runs.c.source == source, runs.c.trigger == "schedule")
    slots = list(sql.execute(query.order_by(runs.c.slot.desc()).limit(20)).scalars())
    return min((later - earlier for later, earlier in pairwise(slots)), default=USUAL_PERIOD)


def _finished(was: SourceState, tally: Tally, *, now: datetime, period: timedelta) -> dict[str, Any]:
    """The source's state after a run, as a row."""
    seen = [at for at in (was.newest_post_at, tally.newest_post_at) if at is not None]
    row = asdict(was) | {
        "newest_post_at": max(seen, default=None),
        "last_post_seen_at": now if tally.new else was.last_post_seen_at,
        "last_error": tally.error,
        "blocked": bool(tally.error) and tally.permanent,
    }
    if not tally.error:
        return row | {"last_ok_at": now, "failures": 0, "backoff_until": None}
    failures = was.failures + 1
    wait = BACKOFF_CAP if tally.permanent else backoff(failures, period=period)
    until = now + max(wait, _asked_to_wait(tally.retry_after))
    return row | {"last_failed_at": now, "failures": failures, "backoff_until": until}


def _asked_to_wait(retry_after: float | None) -> timedelta:
    """The number comes from the source, so it may be anything."""
    if retry_after is None or not math.isfinite(retry_after) or retry_after <= 0:
        return timedelta(0)
    return timedelta(seconds=min(retry_after, RETRY_AFTER_CAP.total_seconds()))
