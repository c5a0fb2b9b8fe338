"""Which pages of a source are known (`listener.ports.Frontier`)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from listener.ledger.engine import Database, retried
from listener.ledger.schema import pages as table
from listener.ports import Page


class SqlFrontier:
    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, source: str, url: str) -> Page | None:
        with self._db.read() as sql:
            row = sql.execute(select(table).where(table.c.source == source, table.c.url == url)).first()
        return _page(row) if row else None

    @retried
    def save(self, pages: Sequence[Page]) -> None:
        """Insert or replace, by (source, url), all or nothing."""
        if not pages:
            return
        with self._db.write() as sql:
            sql.execute(self._db.upsert(table), [asdict(page) for page in pages])

    def of_thread(self, source: str, thread: str) -> list[Page]:
        """By number."""
        query = select(table).where(table.c.source == source, table.c.thread == thread)
        with self._db.read() as sql:
            return [_page(row) for row in sql.execute(query.order_by(table.c.number, table.c.url))]

    def due(self, source: str, now: datetime, limit: int) -> list[Page]:
        """Pages whose next_at has come, longest overdue first; a page without next_at is not looked for."""
        query = select(table).where(table.c.source == source, table.c.next_at <= now)
        with self._db.read() as sql:
            return [
                _page(row) for row in sql.execute(query.order_by(table.c.next_at, table.c.url).limit(limit))
            ]

    def count(self, source: str) -> int:
        with self._db.read() as sql:
            return sql.execute(select(func.count()).where(table.c.source == source)).scalar_one()


def _page(row: Row[Any]) -> Page:
    return Page(**row._mapping)
