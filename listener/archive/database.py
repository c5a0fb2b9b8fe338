"""The SQLite file of the archive: connections, transactions, and SQLite's errors in our words.

Safe for several threads (each block of statements has a connection of its own) and several processes (WAL; one writer at
a time, the others wait up to 10 s). Do not carry an open archive across a fork, nor put the file on a network file system.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock

from listener.archive.schema import APPLICATION_ID, MIGRATIONS
from listener.errors import StoreError, StoreFull, StoreTooNew
from listener.query.document import normal_value

BUSY_SECONDS = 10
PRAGMAS = (
    "synchronous = FULL",
    "secure_delete = ON",
    "temp_store = MEMORY",  # no text in temporary files
    "cache_size = -32768",
    "wal_autocheckpoint = 4000",  # 16 MB: the default would copy the log back after every batch
)
"""For every connection."""

_STEPS_BETWEEN_CLOCKS = 5_000
_CHECKS = (
    "SELECT * FROM mention ORDER BY key DESC LIMIT 1",
    "SELECT * FROM body ORDER BY stored DESC LIMIT 1",
    "SELECT * FROM band ORDER BY period DESC LIMIT 1",
    "SELECT rowid FROM words WHERE words MATCH '\"x\"' LIMIT 1",
)


class Database:
    """One archive file. Raises StoreError (StoreTooNew, StoreFull) from every method."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._closed = False
        with self._translated():
            self._create_file()
            with self._connection() as connection:
                self._use_wal(connection)
                self._migrate(connection)
                for check in _CHECKS:
                    connection.execute(check).fetchall()

    @contextmanager
    def reading(self, *, seconds: float | None = None) -> Iterator[sqlite3.Connection]:
        """One consistent view. With `seconds`, statements that last longer are stopped with StoreError."""
        with self._translated(), self._connection() as connection:
            if seconds is not None:
                until = time.monotonic() + seconds
                connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS_BETWEEN_CLOCKS)
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.set_progress_handler(None, 0)
                _rollback(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may write: all of it is durable when the block has ended, nothing when it raised."""
        with self._translated(), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                _rollback(connection)

    def keep(
        self, connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]
    ) -> None:
        """At the end of `reading`: write what follows from what was read, if nobody has written since or does now. Otherwise, or
        when there is no room, nothing happens."""
        try:
            # A transaction that has read may only write while that is the newest there is, and waits for no other writer.
            connection.executemany(statement, rows)
            connection.execute("COMMIT")
        except sqlite3.OperationalError:
            _rollback(connection)

    def truncate_log(self) -> None:
        """Move everything from the write-ahead log to the file and empty the log, waiting for readers."""
        with self._translated(), self._connection() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Connections that are in use are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _create_file(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = self._take()
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError(f"archive {self.path}: is closed; open it again", permanent=True)
            if self._idle:
                return self._idle.pop()
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.create_function("normal", 1, _normal, deterministic=True)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """SQLite does not wait by itself when two processes do this to a new file at once."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as e:
                if e.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if self._version(connection) == len(MIGRATIONS):
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statements in MIGRATIONS[self._version(connection) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            connection.execute("COMMIT")
        finally:
            _rollback(connection)

    def _version(self, connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
        tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if owner != APPLICATION_ID and (owner or version or tables):
            raise StoreError(
                f"archive {self.path}: is another program's database; want a new or a Lyhord file",
                permanent=True,
            )
        if version > len(MIGRATIONS):
            raise StoreTooNew(
                f"archive {self.path}: has version {version}, known are up to {len(MIGRATIONS)}; install a newer Lyhord"
            )
        return version

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise self._error(e) from e
        except OSError as e:
            raise StoreError(
                f"archive {self.path}: {e.strerror}; want a file that may be read and written"
            ) from e

    def _error(self, e: sqlite3.Error) -> StoreError:
        code = getattr(e, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(
                f"archive {self.path}: the disk is full, nothing of this was stored; free some space"
            )
        if code == sqlite3.SQLITE_INTERRUPT:
            return StoreError("search took too long; narrow it (a shorter time, a brand, more words)")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                f"archive {self.path}: another process was writing for {BUSY_SECONDS} s; try again"
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreError(f"archive {self.path}: is damaged ({e}); restore a backup", permanent=True)
        return StoreError(f"archive {self.path}: {e} ({getattr(e, 'sqlite_errorname', type(e).__name__)})")


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@lru_cache(maxsize=1024)
def _normal(value: str) -> str:
    return normal_value(value)
