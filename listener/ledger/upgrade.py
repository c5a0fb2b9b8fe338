"""Bring a ledger up to this version's tables: all of it or nothing, by one process at a time, and never a
newer ledger.
"""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from listener.errors import StoreTooNew
from listener.ledger.engine import Database

VERSION_TABLE = "ledger_revision"


def upgrade(database: Database) -> None:
    """Raises StoreTooNew when the ledger has a revision that we do not know, StoreError when it cannot be
    migrated.
    """
    config = Config()
    config.set_main_option("script_location", "listener.ledger:migrations")
    scripts = ScriptDirectory.from_config(config)
    with database.read() as connection:
        if _is_current(connection, scripts, database.name):
            return
    with database.migrating() as connection:
        if not _is_current(connection, scripts, database.name):  # another process may have been quicker
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _is_current(connection: Connection, scripts: ScriptDirectory, name: str) -> bool:
    found = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()
    known = [script.revision for script in scripts.walk_revisions()]
    if found is not None and found not in known:
        raise StoreTooNew(
            f"ledger {name}: revision {found} is of a newer Lyhord, this one knows {known[0]}: update Lyhord"
        )
    return found == scripts.get_current_head()
