"""The archive in one SQLite file with FTS5: the embedded default. Implements `listener.ports.Archive`."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from listener.archive import adding, counting, erasing, hourly
from listener.archive.database import Database
from listener.archive.rows import SELECT_MENTIONS, key_floor, micros, to_mention
from listener.archive.selection import key_above, select_where
from listener.incident import Incident
from listener.mention import Mention, Score, Signal
from listener.ports import Added, Away, Dimension, SourceReading, Where

SEARCH_SECONDS = 2.0
COUNT_SECONDS = 20.0

_OF_KEYS = "WHERE m.key IN (SELECT value FROM json_each(?))"
_UNSCORED = "WHERE m.flags IS NULL ORDER BY m.stored LIMIT ?"
_OUTDATED = """
    WHERE s.model <> ? AND m.stored > COALESCE((SELECT stored FROM mention WHERE id = ?), -1) ORDER BY m.stored LIMIT ?
"""


class SqliteArchive:
    """See `listener.ports.Archive` for what each method promises. Safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        if erasing.is_purge_due(self._database):
            erasing.purge(self._database)

    def add(self, mentions: Sequence[Mention]) -> Added:
        if not mentions:
            return Added((), (), ())
        with self._database.writing() as connection:
            return adding.add(connection, mentions)

    def unscored(self, limit: int) -> list[Mention]:
        with self._database.reading() as connection:
            rows = connection.execute(f"{SELECT_MENTIONS} {_UNSCORED}", (max(limit, 0),)).fetchall()
        return [to_mention(row) for row in rows]

    def outdated(self, model: str, limit: int, *, after: str = "") -> list[Mention]:
        with self._database.reading() as connection:
            asked = (model, after, max(limit, 0))
            rows = connection.execute(f"{SELECT_MENTIONS} {_OUTDATED}", asked).fetchall()
        return [to_mention(row) for row in rows]

    def save_scores(self, scores: Mapping[str, tuple[str, Score]]) -> int:
        if not scores:
            return 0
        with self._database.writing() as connection:
            return adding.save_scores(connection, scores)

    def get(self, mention_id: str) -> Mention | None:
        with self._database.reading() as connection:
            row = connection.execute(f"{SELECT_MENTIONS} WHERE m.id = ?", (mention_id,)).fetchone()
        return to_mention(row) if row else None

    def search(
        self, where: Where, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[Mention]:
        """Also raises StoreError when it takes longer than SEARCH_SECONDS."""
        if limit <= 0:
            return []
        with self._database.reading(seconds=SEARCH_SECONDS) as connection:
            keys = _newest(connection, where, limit, before)
            rows = connection.execute(f"{SELECT_MENTIONS} {_OF_KEYS}", (json.dumps(keys),)).fetchall()
        mentions = [to_mention(row) for row in rows]
        return sorted(mentions, key=lambda mention: (mention.published_at, mention.id), reverse=True)

    def counts(
        self, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime, bucket: timedelta
    ) -> Mapping[Signal, list[int]]:
        """Also raises ValueError when [start, end) is not a whole number of buckets."""
        with self._database.reading(seconds=COUNT_SECONDS) as connection:
            if not hourly.answers(where, start=start, end=end, bucket=bucket):
                return counting.counts(connection, where, signals, start=start, end=end, bucket=bucket)
            counted, rows = hourly.counts(connection, where, signals, start=start, end=end)
            if rows:
                self._database.keep(connection, hourly.KEEP, rows)
            return counted

    def counts_by(
        self,
        where: Where,
        signals: Sequence[Signal],
        dimension: Dimension,
        *,
        start: datetime,
        end: datetime,
        bucket: timedelta,
    ) -> Mapping[str, Mapping[Signal, list[int]]]:
        """Also raises ValueError when [start, end) is not a whole number of buckets."""
        with self._database.reading(seconds=COUNT_SECONDS) as connection:
            return counting.counts_by(
                connection, where, signals, dimension, start=start, end=end, bucket=bucket
            )

    def breakdown(self, where: Where, dimension: Dimension) -> Mapping[str, int]:
        with self._database.reading(seconds=COUNT_SECONDS) as connection:
            return counting.breakdown(connection, where, dimension)

    def known_authors(self, where: Where, authors: Iterable[str]) -> frozenset[str]:
        with self._database.reading(seconds=COUNT_SECONDS) as connection:
            return counting.known_authors(connection, where, authors)

    def held(self, mention_ids: Iterable[str]) -> frozenset[str]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM mention WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(mention_ids)),),
            )
            return frozenset(mention_id for (mention_id,) in rows)

    def ids_of_thread(self, source: str, thread: str) -> frozenset[str]:
        """Of no thread ("") there are none."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM mention WHERE source = ? AND thread = ? AND thread <> ''", (source, thread)
            )
            return frozenset(mention_id for (mention_id,) in rows)

    def erase(self, mention_ids: Iterable[str]) -> int:
        """Nothing of the text is left in the file or its log afterwards; takes longer the larger the index of words."""
        with self._database.writing() as connection:
            erased = erasing.erase(connection, mention_ids)
        if erased:
            erasing.purge(self._database)
        return erased

    def erase_author(self, author: str) -> int:
        with self._database.writing() as connection:
            erased = erasing.erase(connection, erasing.ids_of_author(connection, author))
        if erased:
            erasing.purge(self._database)
        return erased

    def expired(self, now: datetime, limit: int = 1000) -> list[str]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM mention WHERE retention_until <= ? ORDER BY key LIMIT ?",
                (micros(now), max(limit, 0)),
            )
            return [mention_id for (mention_id,) in rows]

    def total(self) -> int:
        with self._database.reading() as connection:
            number: int = connection.execute("SELECT count(*) FROM mention").fetchone()[0]
            return number

    def away(self) -> Away | None:
        """A file is never away."""
        return None

    def settle(self, limit: int = 1_000) -> int:
        return 0

    def publish(self, incidents: Sequence[Incident], readings: Sequence[SourceReading]) -> None:
        """Nobody explores a file with other tools."""

    def close(self) -> None:
        self._database.close()


def _newest(
    connection: sqlite3.Connection, where: Where, limit: int, before: tuple[datetime, str] | None
) -> list[int]:
    """Keys of the newest hits. Keys follow the second of publication: whoever shares the last one's second is read, too,
    and then the exact time and the id decide."""
    chosen = select_where(where)
    params, condition = dict(chosen.params), ""
    if before:
        at, last_id = micros(before[0]), before[1]
        params |= {"before_at": at, "before_id": last_id, "high": min(chosen.high, key_above(at))}
        condition = "AND (m.published_at, m.id) < (:before_at, :before_id)"
    columns = "m.published_at, m.id, m.key"
    ending = f"{condition} ORDER BY {chosen.key} DESC LIMIT :limit"
    hits = connection.execute(chosen.select(columns, ending), params | {"limit": limit}).fetchall()
    if len(hits) == limit:
        same_second = {"low": max(chosen.low, key_floor(hits[-1][0])), "high": hits[-1][2], "limit": -1}
        hits += connection.execute(chosen.select(columns, ending), params | same_second).fetchall()
    return [key for *_, key in sorted(hits, reverse=True)[:limit]]
