"""The ledger's migrations lead to the schema, all of the way or not at all, and touch no newer ledger."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from listener.errors import StoreTooNew
from listener.ledger import open_ledger
from listener.ledger.schema import metadata
from listener.ledger.upgrade import VERSION_TABLE


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


def test_an_empty_file_becomes_what_the_schema_says(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(f"sqlite:///{path}").close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    assert found == []
    assert tables(path) == {*metadata.tables, VERSION_TABLE}


def test_constraints_are_named_alike(tmp_path: Path) -> None:
    """The comparison above does not look at the names of keys, and a later migration needs them."""
    built, migrated = tmp_path / "built.db", tmp_path / "migrated.db"
    engine = create_engine(f"sqlite:///{built}")
    metadata.create_all(engine)
    engine.dispose()
    open_ledger(f"sqlite:///{migrated}").close()
    ddl = []
    for path in (built, migrated):
        connection = sqlite3.connect(path)
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT IN (?, 'x')", [VERSION_TABLE]
        )
        ddl.append({name: sorted(_parts(sql)) for name, sql in rows if sql})
        connection.close()
    assert ddl[0] == ddl[1]


def _parts(sql: str) -> list[str]:
    return [" ".join(line.split()).strip(" ,") for line in sql.split("\n")]


def test_a_newer_ledger_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="revision 9999 is of a newer Lyhord") as caught:
        open_ledger(f"sqlite:///{path}")
    assert caught.value.permanent
    assert path.read_bytes() == before


CRASHER = """
import itertools, os, signal, sys
from sqlalchemy import Engine, event
from listener.ledger import open_ledger

folder = sys.argv[1]
for last in itertools.count(1):
    child = os.fork()
    if child == 0:
        done = itertools.count(1)
        def kill_at(*_):
            if next(done) == last:
                os.kill(os.getpid(), signal.SIGKILL)
        event.listen(Engine, "before_cursor_execute", kill_at)
        event.listen(Engine, "commit", kill_at)
        open_ledger(f"sqlite:///{folder}/{last}.db").close()
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


def test_a_crash_at_any_statement_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CRASHER, os.fspath(tmp_path)], check=True, timeout=60)
    files = sorted(tmp_path.glob("*.db"))
    whole = {*metadata.tables, VERSION_TABLE}
    found = [tables(path) for path in files]
    assert len(found) > len(metadata.tables), "it was killed at every statement"
    assert set(map(frozenset, found)) == {frozenset(), frozenset(whole)}
    for path in files[::4]:
        open_ledger(f"sqlite:///{path}").close()
        assert tables(path) == whole
