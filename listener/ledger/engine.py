"""The database under the ledger: opening it, one transaction at a time, and errors in our own words.

The only module that knows which database it is. SQLite: WAL, synchronous=FULL, foreign keys on, and a write
takes the write lock at once (BEGIN IMMEDIATE), so what a transaction read is still true when it writes.
PostgreSQL: READ COMMITTED; whoever reads in order to write locks the row (`with_for_update`, which SQLite
leaves out).
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from listener.errors import ConfigError, StoreError, StoreFull

BUSY_TIMEOUT = 10.0
"""Seconds a SQLite connection waits for the write lock."""
WAL_TRIES = 200
MIGRATION_LOCK = 0x6C79686F7264
"""PostgreSQL advisory lock held while migrating: any number, the same everywhere."""

_SQLITE_FULL = {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}
"""Disk or page limit; and no room for the -shm file that WAL needs to begin."""
_POSTGRESQL_FULL = "53100"
"""disk_full"""

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class Database:
    """One SQL database. Safe to share between threads; a process that forks opens its own afterwards."""

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.name = self.url.render_as_string(hide_password=True)
        if self.is_sqlite:
            _create_file(Path(self.url.database or ""))
        self._engine = _engine(self.url, self.name)
        self._writer = self._engine.execution_options(lyhord_begin="BEGIN IMMEDIATE")

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; committed at the end of the block, rolled back when it raises."""
        with self._errors(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """As `write`, and no other process migrates meanwhile."""
        if self.is_sqlite:
            with self._errors():
                self._turn_on_wal()
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            yield connection

    def verify(self) -> None:
        """Raise StoreError when a SQLite file is damaged."""
        if not self.is_sqlite:
            return
        with self.read() as connection:
            found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
        if found != "ok":
            raise StoreError(f"ledger {self.name}: damaged ({found}): restore a backup", permanent=True)

    def insert_new(self, table: Table) -> Any:
        """INSERT that passes over rows whose key is taken."""
        return _INSERT[self.url.get_backend_name()](table).on_conflict_do_nothing()

    def upsert(self, table: Table, changes: dict[str, Any] | None = None) -> Any:
        """INSERT; where the primary key is taken, `changes` (none: every other column's new value) are set
        instead.
        """
        insert = _INSERT[self.url.get_backend_name()](table)
        keys = list(table.primary_key.columns)
        if changes is None:
            changes = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key}
        return insert.on_conflict_do_update(index_elements=keys, set_=changes)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: SQLAlchemyError) -> StoreError:
        """Only the driver's first line: further lines and the statement's parameters may hold what people
        wrote.
        """
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        said = (str(cause).splitlines() or [""])[0][:300]
        message = f"ledger {self.name}: {type(cause).__name__}: {said}"
        if _is_full(cause):
            return StoreFull(f"{message}; nothing of this was stored: make room on the disk")
        return StoreError(message, permanent=isinstance(error, IntegrityError | ProgrammingError | DataError))

    def _turn_on_wal(self) -> None:
        """SQLite does not wait for this lock as it does for others, so first openers who meet must look
        again.
        """
        for attempt in range(1, WAL_TRIES + 1):
            try:
                with self._engine.execution_options(lyhord_begin="").begin() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            except OperationalError as error:
                if attempt == WAL_TRIES or getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY":
                    raise
                time.sleep(BUSY_TIMEOUT / WAL_TRIES)
            else:
                return


def _parse(url: str) -> URL:
    wanted = "want sqlite:///path or postgresql://user@host/database"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(f"the ledger's address cannot be read: {wanted}") from None
    if parsed.get_backend_name() not in _INSERT:
        raise ConfigError(f"the ledger's address begins with {parsed.drivername}://: {wanted}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError(f"the ledger's address {url!r} names no file: {wanted}")
    return parsed


def _create_file(path: Path) -> None:
    """The ledger names accounts and incidents: only its owner may read it. SQLite gives -wal and -shm the
    same mode.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError(f"ledger {path}: {error.strerror}: want a file that can be written") from error


def _engine(url: URL, name: str) -> Engine:
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=url.get_backend_name() != "sqlite")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"ledger {name}: its driver {error.name} is not installed: pip install {error.name}"
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(driver: Any, _record: object) -> None:
    driver.isolation_level = None  # we begin transactions ourselves; the driver begins some of them too late
    for pragma in (f"busy_timeout={int(BUSY_TIMEOUT * 1000)}", "synchronous=FULL", "foreign_keys=ON"):
        driver.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("lyhord_begin", "BEGIN"):
        connection.exec_driver_sql(statement)


def _is_full(cause: BaseException) -> bool:
    return (
        getattr(cause, "sqlite_errorname", "") in _SQLITE_FULL
        or getattr(cause, "sqlstate", "") == _POSTGRESQL_FULL
    )


def chunks(values: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Parts small enough for one IN (…): SQLite allows 999 parameters in old builds."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
