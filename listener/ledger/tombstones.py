"""What was erased and must not come back (`listener.ports.Tombstones`)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from listener.ledger.engine import Database, chunks, retried
from listener.ledger.schema import tombstones


class SqlTombstones:
    def __init__(self, database: Database) -> None:
        self._db = database

    def bury(
        self, *, ids: Iterable[str] = (), authors: Iterable[str] = (), reason: str, now: datetime
    ) -> None:
        """Idempotent; the first reason and time stay. "" is nobody: it would bury every post without an
        author.
        """
        values = [("mention", value) for value in ids] + [("author", value) for value in authors]
        rows = [
            {"kind": kind, "value": value, "reason": reason, "buried_at": now}
            for kind, value in values
            if value
        ]
        if rows:
            self._bury(rows)

    @retried
    def _bury(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._db.write() as sql:
            sql.execute(self._db.insert_new(tombstones), rows)

    def buried(self, *, ids: Iterable[str], authors: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Those of the ids and authors that are buried."""
        with self._db.read() as sql:
            return _found(sql, "mention", ids), _found(sql, "author", authors)


def _found(sql: Connection, kind: str, values: Iterable[str]) -> frozenset[str]:
    held: set[str] = set()
    for part in chunks(list(dict.fromkeys(values))):
        query = select(tombstones.c.value).where(tombstones.c.kind == kind, tombstones.c.value.in_(part))
        held.update(sql.execute(query).scalars())
    return frozenset(held)
