"""Deleting mentions from every table of the SQLite archive, and their words from the file.

FTS5 only marks deleted words at first; `purge` merges its segments, after which the words are gone, and SQLite
(`secure_delete`) overwrites what it frees with zeros. Until a purge has finished the table `pending` says so; one that was
interrupted is done when the archive is opened next.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from listener.archive import hourly
from listener.archive.adding import remove_brands
from listener.archive.clustering import Original, add_bands, remove_bands, stored_bands
from listener.archive.database import Database

_PAGES_PER_STEP = 1_000  # about 4 MB: other writers get their turn between two steps


@dataclass(frozen=True, slots=True)
class _Doomed:
    place: Original
    is_original: bool


def erase(connection: sqlite3.Connection, mention_ids: Iterable[str]) -> int:
    """In a writing transaction: delete, and make the oldest copy of a deleted original the original. A `purge` is due."""
    rows = connection.execute(
        "SELECT stored, key, published_at, cluster FROM mention WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(mention_ids)),),
    ).fetchall()
    doomed = [_Doomed(Original(stored, key, at), cluster == key) for stored, key, at, cluster in rows]
    if not doomed:
        return 0
    originals = [its.place for its in doomed if its.is_original]
    remove_bands(connection, [(place, stored_bands(connection, place.key)) for place in originals])
    _delete(connection, [its.place for its in doomed])
    heirs = [heir for place in originals if (heir := _promote_copy(connection, place.key))]
    hourly.forget(connection, (place.published_at for place in (*(its.place for its in doomed), *heirs)))
    connection.execute("INSERT OR IGNORE INTO pending VALUES ('purge')")
    return len(doomed)


def ids_of_author(connection: sqlite3.Connection, author: str) -> list[str]:
    """Of one pseudonym; none for "", which many unknown people share."""
    if not author:
        return []
    return [row[0] for row in connection.execute("SELECT id FROM mention WHERE author = ?", (author,))]


def purge(database: Database) -> None:
    """Overwrite what was deleted: merge the full text index step by step, then empty the write-ahead log."""
    pages = -_PAGES_PER_STEP  # negative: begin by planning all segments into one
    while True:
        with database.writing() as connection:
            before = connection.total_changes
            connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
            has_finished = connection.total_changes - before < 2  # as FTS5 documents it
            if has_finished:
                connection.execute("DELETE FROM pending WHERE what = 'purge'")
        if has_finished:
            break
        pages = _PAGES_PER_STEP
    database.truncate_log()


def is_purge_due(database: Database) -> bool:
    with database.reading() as connection:
        return connection.execute("SELECT 1 FROM pending WHERE what = 'purge'").fetchone() is not None


def _delete(connection: sqlite3.Connection, places: Sequence[Original]) -> None:
    keys = sorted((place.key,) for place in places)
    remove_brands(connection, [key for (key,) in keys])
    connection.executemany("DELETE FROM words WHERE rowid = ?", keys)
    connection.executemany("DELETE FROM score WHERE key = ?", keys)
    connection.executemany("DELETE FROM mention WHERE key = ?", keys)
    connection.executemany("DELETE FROM body WHERE stored = ?", [(place.stored,) for place in places])


def _promote_copy(connection: sqlite3.Connection, erased: int) -> Original | None:
    """The copy that is the original now, if there is any."""
    row = connection.execute(
        """
        SELECT stored, key, published_at FROM mention
        WHERE cluster = ? AND cluster <> key ORDER BY stored LIMIT 1
        """,
        (erased,),
    ).fetchone()
    if row is None:
        return None
    heir = Original(*row)
    connection.execute(
        "UPDATE mention SET cluster = ? WHERE cluster = ? AND cluster <> key", (heir.key, erased)
    )
    add_bands(connection, [(heir, stored_bands(connection, heir.key))])
    return heir
