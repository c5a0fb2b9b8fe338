"""What only the SQLite archive promises: its file, its log, its limits, and what a crash leaves behind."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from listener.archive import database, open_archive, schema, sqlite
from listener.archive.clustering import MAX_COMPARED
from listener.archive.database import Database
from listener.archive.selection import select_where
from listener.errors import StoreError, StoreFull, StoreTooNew
from listener.ports import Archive, Where
from listener.query import Or, Prefix, Query, parse
from tests.contract.archive_samples import NOON, RELEASE, identity, make_mention, make_score


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "archive.db"


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    opened = open_archive(f"sqlite:///{path}")
    yield opened
    opened.close()


def raw(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def whole_files(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def check(path: Path) -> None:
    """SQLite's own checks, and that every table speaks of the same mentions."""
    connection = raw(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    keys = connection.execute("SELECT key FROM mention ORDER BY key").fetchall()
    assert connection.execute("SELECT rowid FROM words ORDER BY rowid").fetchall() == keys
    assert connection.execute("SELECT DISTINCT key FROM brand ORDER BY key").fetchall() == keys
    assert (
        connection.execute("SELECT m.key FROM mention m JOIN body USING (stored) ORDER BY key").fetchall()
        == keys
    )
    assert not connection.execute(
        "SELECT key FROM band WHERE key NOT IN (SELECT key FROM mention WHERE cluster = key)"
    ).fetchall()
    assert not connection.execute(
        "SELECT key FROM score WHERE key NOT IN (SELECT key FROM mention)"
    ).fetchall()
    assert not connection.execute(
        "SELECT key FROM mention WHERE cluster NOT IN (SELECT key FROM mention)"
    ).fetchall()
    connection.close()


# ------------------------------------------------------------------------------------------------ the file


def test_only_the_owner_may_read_the_file_and_its_log(archive: Archive, path: Path) -> None:
    archive.add([make_mention()])
    assert len(list(path.parent.iterdir())) == 3
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_a_file_of_a_newer_version_is_left_untouched(archive: Archive, path: Path) -> None:
    archive.close()
    connection = raw(path)
    connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="install a newer Lyhord") as caught:
        open_archive(f"sqlite:///{path}")
    assert caught.value.permanent
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    connection = raw(path)
    connection.execute("CREATE TABLE precious (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        open_archive(f"sqlite:///{path}")
    assert raw(path).execute("SELECT name FROM sqlite_schema").fetchall() == [("precious",)]


def test_a_damaged_file_is_refused_in_words(archive: Archive, path: Path) -> None:
    archive.add([make_mention(str(number)) for number in range(200)])
    archive.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 8)
    with pytest.raises(StoreError, match="damaged") as caught:
        open_archive(f"sqlite:///{path}")
    assert caught.value.permanent


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="want a file that may be read and written"):
        open_archive(f"sqlite:///{tmp_path / 'file' / 'archive.db'}")


def test_migrations_go_forward_and_only_as_a_whole(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add([make_mention()])
    archive.close()
    broken = ("CREATE TABLE half (x)", "CREATE TABLE half (x)")
    monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(StoreError, match="half"):
        open_archive(f"sqlite:///{path}")
    monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, broken[:1]))
    migrated = open_archive(f"sqlite:///{path}")
    assert migrated.total() == 1
    migrated.close()
    assert raw(path).execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS) + 1,)


def test_a_closed_archive_says_so(archive: Archive) -> None:
    archive.close()
    archive.close()
    with pytest.raises(StoreError, match="is closed"):
        archive.total()


# ------------------------------------------------------------------------------------------------ limits


def test_when_the_disk_is_full_nothing_of_the_batch_is_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "max_page_count = 80"))
    archive = open_archive(f"sqlite:///{path}")
    batches = [[make_mention(f"{batch}-{number}") for number in range(20)] for batch in range(100)]
    with pytest.raises(StoreFull, match="free some space"):
        list(map(archive.add, batches))
    stored = archive.total()
    assert stored % 20 == 0
    assert 0 < stored == len(archive.search(Where(query=parse("nätet")), limit=5000))
    archive.close()
    check(path)
    monkeypatch.undo()
    roomy = open_archive(f"sqlite:///{path}")
    assert len(roomy.add(batches[stored // 20]).new) == 20
    roomy.close()


def test_another_writer_is_waited_for_but_not_for_ever(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    hurried = open_archive(f"sqlite:///{path}")
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process was writing"):
        hurried.add([make_mention()])
    other.execute("ROLLBACK")
    assert hurried.add([make_mention()]).new
    hurried.close()


def test_a_search_that_lasts_too_long_is_stopped(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add([make_mention(str(number)) for number in range(3000)])
    monkeypatch.setattr(sqlite, "SEARCH_SECONDS", 0.0)
    slow = Where(query=Query("", Or((Prefix("fi"), parse("site:nowhere.se").root))))
    with pytest.raises(StoreError, match="narrow it"):
        archive.search(slow)
    monkeypatch.undo()
    assert archive.search(slow) == []


def test_searching_does_not_sort_or_scan_all(archive: Archive, path: Path) -> None:
    """The newest hits are read in the order of time."""
    for where in (
        Where(),
        Where(brand="fjelltele"),
        Where(query=parse("nätet sverige -fiber"), brand="fjelltele"),
    ):
        chosen = select_where(where)
        plan = raw(path).execute(
            "EXPLAIN QUERY PLAN " + chosen.select("m.key", f"ORDER BY {chosen.key} DESC LIMIT 50"),
            chosen.params,
        )
        steps = [step[3] for step in plan]
        assert not any("TEMP B-TREE" in step for step in steps), steps


def test_a_template_that_many_posts_share_costs_a_bounded_number_of_comparisons(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def never(_: object, __: object) -> bool:
        compared.append(1)
        return False

    monkeypatch.setattr("listener.archive.clustering.similar", never)
    archive.add([make_mention(str(number), text=RELEASE) for number in range(60)])
    compared.clear()
    archive.add([make_mention("last", text=RELEASE)])
    assert len(compared) == MAX_COMPARED


def test_mentions_of_one_instant_all_find_a_place(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.archive.adding.first_key", lambda at, _: at // 1_000_000 << 20)
    for batch in range(3):
        archive.add([make_mention(f"{batch}-{number}") for number in range(20)])
    listed = [mention.id for mention in archive.search(Where(), limit=60)]
    assert listed == sorted((identity(f"{b}-{n}") for b in range(3) for n in range(20)), reverse=True)
    check(path)


# ------------------------------------------------------------------------------------------------ erasing

CANARY = "kanariefågelxyz"


@pytest.mark.parametrize("others", [0, 2500])
def test_after_erasing_no_byte_of_the_text_is_left(
    archive: Archive, path: Path, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.archive.erasing._PAGES_PER_STEP", 2)  # many steps
    mention = make_mention(
        "canary",
        title=f"{CANARY} i titeln",
        text=f"{RELEASE} {CANARY} #{CANARY}",
        author=CANARY,
        url=f"https://forum.example.se/{CANARY}",
        thread=CANARY,
    )
    archive.add([make_mention(str(number)) for number in range(others)])
    archive.add([mention, make_mention("keep")])
    archive.save_scores({mention.id: (mention.revision, make_score(model=CANARY))})
    assert CANARY.encode() in whole_files(path)
    edited = replace(mention, text=f"{RELEASE} {CANARY}2")
    archive.add([edited])
    assert archive.erase_author(CANARY) == 1
    assert CANARY.encode() not in whole_files(path)
    check(path)


def test_an_erasure_that_was_cut_off_is_finished_at_the_next_opening(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(f"sqlite:///{path}")
    archive.add([make_mention("canary", text=CANARY)])
    archive.add([make_mention(str(number)) for number in range(10)])

    def crash(_: Database) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("listener.archive.erasing.purge", crash)
    with pytest.raises(KeyboardInterrupt):
        archive.erase([identity("canary")])
    archive.close()
    monkeypatch.undo()
    assert CANARY.encode() in whole_files(path)
    open_archive(f"sqlite:///{path}").close()
    assert CANARY.encode() not in whole_files(path)


def test_erasing_leaves_every_table_in_agreement(archive: Archive, path: Path) -> None:
    mentions = [
        make_mention(
            str(number),
            text=RELEASE if number % 3 else f"eget {number}",
            brands=("a", "b"),
            published_at=NOON + timedelta(hours=number),
        )
        for number in range(60)
    ]
    archive.add(mentions)
    archive.save_scores({mention.id: (mention.revision, make_score()) for mention in mentions})
    archive.add(
        [replace(mention, text=f"ändrat {mention.text}", brands=("b", "c")) for mention in mentions[::7]]
    )
    assert archive.erase(mention.id for mention in mentions[::2]) == 30
    check(path)
    assert archive.erase(mention.id for mention in mentions) == 30
    check(path)
    connection = raw(path)
    assert [
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("mention", "body", "band", "brand", "score")
    ] == [0] * 5


# ------------------------------------------------------------------------------------------------ crashes

ADD_FOR_EVER = """
import sys
from listener.archive import open_archive
from tests.contract.archive_samples import make_mention
archive = open_archive(sys.argv[1])
for batch in range(int(sys.argv[2]), 10_000):
    archive.add([make_mention(f"{batch}-{number}") for number in range(25)])
    sys.stdout.write(f"{batch}\\n")
    sys.stdout.flush()
"""


def test_killed_while_adding_each_batch_is_there_whole_or_not_at_all(path: Path) -> None:
    url = f"sqlite:///{path}"
    acknowledged = -1
    for round_ in range(6):
        running = subprocess.Popen(
            [sys.executable, "-c", ADD_FOR_EVER, url, str(acknowledged + 1)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert running.stdout
        acknowledged = int(running.stdout.readline())
        time.sleep(0.01 + 0.013 * round_)
        os.kill(running.pid, 9)
        rest, _ = running.communicate(timeout=10)
        acknowledged = int(rest.split()[-1]) if rest.split() else acknowledged
        archive = open_archive(url)
        whole, part = divmod(archive.total(), 25)
        archive.close()
        assert part == 0
        assert acknowledged + 1 <= whole <= acknowledged + 2
        check(path)
