"""The database under the ledger: opening it, one transaction at a time, and errors in our own words.

The only module that knows which database it is. SQLite: WAL, synchronous=FULL, foreign keys on, and a write
takes the write lock at once (BEGIN IMMEDIATE), so what a transaction read is still true when it writes; what is
deleted is overwritten (secure_delete). PostgreSQL, always by psycopg 3: READ COMMITTED; whoever reads in order to
write locks the row (`with_for_update`, which SQLite leaves out), and whoever chooses among many rows passes over those
that another holds.
"""

import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, event, text
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
    TimeoutError,  # noqa: A004 - the pool's, not the built-in one
)

from listener.errors import ConfigError, StoreAway, StoreError, StoreFull

BUSY_TIMEOUT = 10.0
"""Seconds a SQLite connection waits for the write lock."""
WAL_TRIES = 200
MIGRATION_LOCK = 0x6C79686F7264
"""PostgreSQL advisory lock held while migrating: any number, the same everywhere."""

_SQLITE_FULL = {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}
"""Disk or page limit; and no room for the -shm file that WAL needs to begin."""
_POSTGRESQL = {
    "connect_timeout": "5",
    "application_name": "lyhord",
    "keepalives_idle": "30",
    "tcp_user_timeout": "15000",
    "options": "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s",
}
"""How we connect, unless the address says otherwise. A server that vanished without a word is noticed after 15 s (ms in
`tcp_user_timeout`), a lock that nobody gives up after 10 s; what a killed client left open is rolled back by the server."""
_POOL = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10, "pool_timeout": 10, "pool_recycle": 1800}
"""Threads share five connections, fifteen under pressure: 20 processes fit into PostgreSQL's usual 100 at rest."""
_POSTGRESQL_FULL = "53100"
"""disk_full"""
_COLLIDED = {"40001", "40P01"}
"""serialization_failure, deadlock_detected: the transaction met another, and nothing of it was done."""
_AWAY = {"53300", "55P03", "57014", "57P01", "57P02", "57P03", "25P03", "25006"}
"""too_many_connections, lock_not_available, query_canceled, admin_shutdown, crash_shutdown, cannot_connect_now,
idle_in_transaction_session_timeout, read_only_sql_transaction (a standby that is about to be promoted)."""
_AWAY_CLASS = "08"
"""connection_exception"""
_MISCONFIGURED = re.compile(r"authentication failed|does not exist|pg_hba\.conf|no password supplied")
"""libpq gives no code for what happens while it connects; these words tell what waiting does not mend."""
_TRIES = 5
_PAUSE = 0.02

P = ParamSpec("P")
T = TypeVar("T")

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class Collision(StoreAway):
    """The transaction met another one, and the server gave this one up: nothing of it was done."""


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """`work`, which is one transaction, done again a few times when it meets another."""

    @wraps(work)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, _TRIES):
            try:
                return work(*args, **kwargs)
            except Collision:
                time.sleep(_PAUSE * attempt * (1 + random.random()))  # noqa: S311 - only so that they part
        return work(*args, **kwargs)

    return again


class Database:
    """One SQL database. Safe to share between threads; a process that forks opens its own afterwards."""

    def __init__(self, url: str) -> None:
        given = _parse(url)
        self.name = given.render_as_string(hide_password=True)
        self.url = given if given.get_backend_name() == "sqlite" else _by_psycopg(given)
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
                for patience in ("lock_timeout", "statement_timeout"):
                    connection.execute(text(f"SET LOCAL {patience} = '10min'"))
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

    def empty_log(self) -> None:
        """After something was erased from a SQLite file: of its text nothing is left in the write-ahead log, either, unless a
        reader still needs it; then the next checkpoint overwrites it."""
        if self.is_sqlite:
            with self._errors(), self._engine.execution_options(lyhord_begin="").begin() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def insert_new(self, table: Table) -> Any:
        """INSERT that passes over rows whose key is taken."""
        return _INSERT[self.url.get_backend_name()](table).on_conflict_do_nothing()

    def upsert(
        self,
        table: Table,
        changes: dict[str, Any] | None = None,
        *,
        only_if: Callable[[Any], ColumnElement[bool]] | None = None,
    ) -> Any:
        """INSERT; where the primary key is taken, `changes` (none: every other column's new value) are set
        instead, `only_if` says so of the new row's columns.
        """
        insert = _INSERT[self.url.get_backend_name()](table)
        keys = list(table.primary_key.columns)
        if changes is None:
            changes = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key}
        condition = only_if(insert.excluded) if only_if else None
        return insert.on_conflict_do_update(index_elements=keys, set_=changes, where=condition)

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
        if getattr(cause, "sqlstate", "") in _COLLIDED:
            return Collision(f"{message}; nothing of this was done: try again")
        if not self.is_sqlite and _is_away(error, cause):
            return StoreAway(
                f"ledger {self.name}: the server cannot be reached or is too busy ({said}): try again"
            )
        if not self.is_sqlite and _MISCONFIGURED.search(said):
            return StoreError(f"{message}: look at storage.ledger and its password", permanent=True)
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


def _by_psycopg(url: URL) -> URL:
    """What the address itself says of the connection wins."""
    return url.set(drivername="postgresql+psycopg", query={**_POSTGRESQL, **url.query})


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
    is_sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = create_engine(url, hide_parameters=True, **({} if is_sqlite else _POOL))
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"ledger {name}: its driver {error.name} is not installed: pip install {error.name}"
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(driver: Any, _record: object) -> None:
    driver.isolation_level = None  # we begin transactions ourselves; the driver begins some of them too late
    busy = f"busy_timeout={int(BUSY_TIMEOUT * 1000)}"
    for pragma in (busy, "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        driver.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("lyhord_begin", "BEGIN"):
        connection.exec_driver_sql(statement)


def _is_full(cause: BaseException) -> bool:
    return (
        getattr(cause, "sqlite_errorname", "") in _SQLITE_FULL
        or getattr(cause, "sqlstate", "") == _POSTGRESQL_FULL
    )


def _is_away(error: SQLAlchemyError, cause: BaseException) -> bool:
    """Whether the server could not be reached, was lost on the way, or has no time for us."""
    if isinstance(error, TimeoutError):
        return True
    state = getattr(cause, "sqlstate", None)
    if state:
        return state in _AWAY or state.startswith(_AWAY_CLASS)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or (isinstance(error, OperationalError) and not _MISCONFIGURED.search(str(cause)))


def chunks(values: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Parts small enough for one IN (…): SQLite allows 999 parameters in old builds."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
