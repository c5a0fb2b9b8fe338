"""The ledger's migrations lead to the schema, all of the way or not at all, and touch no newer ledger."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, insert, select

from listener.errors import StoreTooNew
from listener.ledger import open_ledger
from listener.ledger.engine import Database
from listener.ledger.schema import metadata
from listener.ledger.upgrade import VERSION_TABLE
from tests.databases import database

AT = "2026-03-01T12:00:00.123456Z"
ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "0001": {
        "pages": {
            "source": "s", "url": "https://f.example/1", "role": "thread", "thread": "1", "number": 1,
            "state": "ok", "marker": "17", "etag": 'W/"x"', "last_modified": "", "content_hash": "ab",
            "newest_post_at": AT, "fetched_at": AT, "next_at": None, "attempts": 2, "error": "",
        },
        "sources": {
            "source": "s", "paused_at": None, "paused_why": "", "first_run_at": AT, "last_ok_at": AT,
            "last_failed_at": None, "failures": 0, "last_error": "", "blocked": False, "backoff_until": None,
            "newest_post_at": AT, "last_post_seen_at": AT,
        },
        "runs": {
            "id": 7, "source": "s", "slot": AT, "trigger": "schedule", "state": "done", "attempts": 1,
            "owner": "me", "started_at": AT, "ended_at": AT, "lease_until": None, "pages": 3, "posts": 4,
            "new": 1, "reason": "",
        },
        "incidents": {
            "id": "i1", "rule": "r1", "state": "open", "opened_at": AT, "digest": "d", "body": "{}",
            "saved_at": AT,
        },
        "acts": {
            "id": 3, "incident": "i1", "key": "k", "act": "ack", "by": "Kim", "at": AT, "note": "på väg 🛠",
        },
        "deliveries": {
            "incident": "i1", "channel": "C1", "state": "sent", "version": 2, "shown": 2, "ts": "1.2",
            "attempts": 0, "first_try_at": None, "lease_until": None, "owner": "", "next_at": None,
            "error": "",
        },
        "tombstones": {"kind": "mention", "value": "m1", "reason": "asked", "buried_at": AT},
        "notes": {"key": "cursor", "value": "42"},
    },
    "0002": {
        "journal": {
            "id": "m2", "number": 5_000_000_000, "state": "waiting", "revision": "r", "scored": False,
            "author": "a", "published_at": AT, "fetched_at": AT, "written_at": AT, "error": "", "body": "{}",
        },
        "erasures": {"kind": "author", "value": "b", "asked_at": AT},
        "counters": {"name": "journal", "value": 5_000_000_000},
    },
}  # fmt: skip
"""What a ledger of each revision may hold: the tables that it brought, with a row in each."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database in which nothing is yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        with database() as address:
            yield address


def released(url: str, revision: str) -> dict[str, dict[str, Any]]:
    """Make the tables as that revision left them, and fill them. Returns the row in each."""
    config = Config()
    config.set_main_option("script_location", "listener.ledger:migrations")
    rows = {table: row for of, tables in ROWS.items() if of <= revision for table, row in tables.items()}
    opened = Database(url)
    with opened.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        found = MetaData()
        found.reflect(connection)
        for table in found.sorted_tables:
            if table.name in rows:
                connection.execute(insert(table).values(rows[table.name]))
    opened.close()
    return rows


def test_there_are_rows_of_every_revision() -> None:
    config = Config()
    config.set_main_option("script_location", "listener.ledger:migrations")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert sorted(revisions) == sorted(ROWS)
    assert {table for tables in ROWS.values() for table in tables} == set(metadata.tables)


@pytest.mark.parametrize("revision", ROWS)
def test_a_ledger_of_every_released_version_keeps_what_it_holds(url: str, revision: str) -> None:
    rows = released(url, revision)
    open_ledger(url).close()
    assert differences(url) == []
    opened = Database(url)
    with opened.read() as connection:
        found = MetaData()
        found.reflect(connection)
        for name, row in rows.items():
            (stored,) = connection.execute(select(*[found.tables[name].c[column] for column in row])).all()
            assert stored._asdict() == row, name
    opened.close()
    ledger = open_ledger(url)
    assert ledger.noted("cursor") == "42"
    assert ledger.runs.latest("s")[0].id == 7
    assert ledger.tombstones.buried(ids=["m1"], authors=[])[0] == {"m1"}
    ledger.close()


def differences(url: str) -> list[Any]:
    """Between the tables that are there and those that the schema says."""
    opened = Database(url)
    with opened.read() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": False}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    opened.close()
    return list(found)


OPENER = """
import sys
from listener.ledger import open_ledger
print("ready", flush=True)
sys.stdin.readline()
ledger = open_ledger(sys.argv[1])
print(ledger.noted("cursor"))
ledger.close()
"""


def test_processes_that_migrate_at_once_wait_for_one_another(url: str) -> None:
    released(url, "0001")
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPENER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    said = [opener.communicate("go\n", timeout=60) for opener in openers]
    assert said == [("42\n", "")] * 3
    assert differences(url) == []


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
