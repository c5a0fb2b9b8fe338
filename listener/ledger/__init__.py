"""The ledger: operational state in one SQL database, SQLite or PostgreSQL (`listener.ports.Ledger`)."""

from sqlalchemy import delete, select

from listener.ledger.engine import Database, retried
from listener.ledger.frontier import SqlFrontier
from listener.ledger.incidents import SqlIncidents
from listener.ledger.journal import SqlJournal
from listener.ledger.outbox import SqlOutbox
from listener.ledger.runs import SqlRuns
from listener.ledger.schema import notes
from listener.ledger.tombstones import SqlTombstones
from listener.ledger.upgrade import upgrade
from listener.ports import Frontier, Incidents, Journal, Outbox, Runs, Tombstones


class SqlLedger:
    """See `listener.ports.Ledger`. May be shared between threads; a process that forks opens its own
    afterwards.
    """

    frontier: Frontier
    runs: Runs
    tombstones: Tombstones
    incidents: Incidents
    outbox: Outbox
    journal: Journal

    def __init__(self, database: Database) -> None:
        self._db = database
        self.frontier = SqlFrontier(database)
        self.runs = SqlRuns(database)
        self.tombstones = SqlTombstones(database)
        self.incidents = SqlIncidents(database)
        self.outbox = SqlOutbox(database)
        self.journal = SqlJournal(database)

    @retried
    def note(self, key: str, value: str) -> None:
        """Remember one value (API cursors, heartbeats), replacing the old one; "" forgets it."""
        with self._db.write() as sql:
            if value:
                sql.execute(self._db.upsert(notes), {"key": key, "value": value})
            else:
                sql.execute(delete(notes).where(notes.c.key == key))

    def noted(self, key: str) -> str:
        """ "" when nothing is remembered."""
        with self._db.read() as sql:
            return sql.execute(select(notes.c.value).where(notes.c.key == key)).scalar() or ""

    def close(self) -> None:
        self._db.close()


def open_ledger(url: str) -> SqlLedger:
    """Open `sqlite:///path` or `postgresql://…`, creating and migrating it as needed; safe for several
    processes at once.

    Raises ConfigError for an address that cannot be used, StoreTooNew for a ledger of a newer Lyhord (left
    untouched), StoreAway when the server cannot be reached, StoreError when it is damaged or refuses us, StoreFull when the
    disk is full.
    """
    database = Database(url)
    try:
        upgrade(database)
        database.verify()
    except BaseException:
        database.close()
        raise
    return SqlLedger(database)
