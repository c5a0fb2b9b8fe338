"""What every ledger promises (docstrings of `listener.ports`): opening, errors, times and texts, frontier, tombstones, notes."""

import re
import sqlite3
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from listener.errors import ConfigError, StoreAway, StoreError, StoreFull
from listener.incident import Act
from listener.ledger import SqlLedger, open_ledger
from listener.ports import Ledger, Page, SourceState
from tests.contract.ledger_samples import MINUTE, NOON, times


def test_a_new_ledger_is_only_for_its_owner(file_url: str) -> None:
    ledger = open_ledger(file_url)
    ledger.note("a", "b")
    folder = Path(file_url.removeprefix("sqlite:///")).parent
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    ledger.close()
    assert modes["ledger.db"] == 0o600
    assert set(modes.values()) == {0o600}, modes
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_was_written_is_there_after_reopening(url: str) -> None:
    for expected, value in (("", "1"), ("1", "2")):
        ledger = open_ledger(url)
        assert ledger.noted("cursor") == expected
        ledger.note("cursor", value)
        ledger.close()


@pytest.mark.parametrize("wrong", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "nonsense", ""])
def test_an_address_that_cannot_be_used_is_a_config_error(wrong: str) -> None:
    with pytest.raises(ConfigError, match="want sqlite:///path or postgresql://"):
        open_ledger(wrong)


def test_a_password_is_in_no_message() -> None:
    with pytest.raises((ConfigError, StoreError)) as caught:
        open_ledger("postgresql://lyhord:hunter2@127.0.0.1:1/lyhord")
    assert "hunter2" not in str(caught.value)


def test_a_server_that_cannot_be_reached_is_away() -> None:
    with pytest.raises(StoreAway, match=r"cannot be reached or is too busy .*Connection refused") as caught:
        open_ledger("postgresql://lyhord@127.0.0.1:1/lyhord")
    assert not caught.value.permanent


@pytest.mark.parametrize("wrong", ["nobody:postgres@", "postgres:wrong@"])
def test_a_server_that_does_not_want_us_is_an_error_that_stays(server_url: str, wrong: str) -> None:
    url = re.sub(r"//.*@", f"//{wrong}", server_url)
    with pytest.raises(StoreError, match=r"look at storage\.ledger") as caught:
        open_ledger(url)
    assert caught.value.permanent
    assert not isinstance(caught.value, StoreAway)


def test_a_connection_that_is_lost_is_away_and_the_next_call_works(server_url: str) -> None:
    ledger = open_ledger(server_url)
    ledger.note("a", "1")
    with pytest.raises(StoreAway, match="cannot be reached or is too busy"), ledger._db.write() as sql:  # noqa: PT012
        cut_off(server_url)
        sql.execute(text("SELECT 1"))
    cut_off(server_url)
    ledger.note("a", "2")
    cut_off(server_url)
    assert ledger.noted("a") == "2"
    ledger.close()


def cut_off(url: str) -> None:
    """What a restart of the server does to everybody who is connected."""
    with psycopg.connect(url, autocommit=True, application_name="operator") as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lyhord' "
            "AND datname = current_database()"
        )


def test_a_lock_that_is_not_given_up_on_the_server_passes(server_url: str) -> None:
    ledger = open_ledger(f"{server_url}?options=-c%20lock_timeout%3D100ms")
    ledger.note("a", "1")
    with psycopg.connect(server_url) as other:
        other.execute("LOCK notes")
        with pytest.raises(StoreAway, match="lock timeout"):
            ledger.note("a", "2")
    ledger.note("a", "3")
    assert ledger.noted("a") == "3"
    ledger.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"these are my holiday pictures " * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"these are my holiday pictures")


def test_a_damaged_file_is_refused(file_url: str) -> None:
    ledger = open_ledger(file_url)
    ledger.frontier.save([Page(source="s", url=f"https://x.example/{n}", role="list") for n in range(2000)])
    ledger.close()
    path = Path(file_url.removeprefix("sqlite:///"))
    broken = bytearray(path.read_bytes())
    for start in range(len(broken) // 2, len(broken) - 4096, 4096):
        broken[start : start + 64] = b"\xff" * 64
    path.write_bytes(broken)
    with pytest.raises(StoreError):
        open_ledger(file_url)


def test_opening_waits_for_another_that_is_just_creating_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    timer.start()
    ledger = open_ledger(f"sqlite:///{path}")
    timer.join()
    other.close()
    ledger.note("a", "b")
    ledger.close()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="want a file that can be written"):
        open_ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")


def test_a_full_disk_is_store_full_and_nothing_of_the_batch_is_stored(file_url: str) -> None:
    ledger = open_ledger(file_url)
    with ledger._db.read() as sql:
        used = sql.exec_driver_sql("PRAGMA page_count").scalar_one()
        sql.exec_driver_sql(f"PRAGMA max_page_count={used + 4}")
    pages = [Page(source="s", url=f"https://x.example/{'x' * 500}/{n}", role="list") for n in range(500)]
    with pytest.raises(StoreFull, match="make room"):
        ledger.frontier.save(pages)
    assert ledger.frontier.count("s") == 0
    ledger.note("still", "here")
    assert ledger.noted("still") == "here"
    ledger.close()


def test_a_write_lock_that_is_not_given_up_is_an_error_that_passes(
    file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.ledger.engine.BUSY_TIMEOUT", 0.05)
    ledger = open_ledger(file_url)
    other = sqlite3.connect(file_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        ledger.note("a", "b")
    assert not caught.value.permanent
    assert ledger.noted("a") == "", "reading goes on meanwhile"
    other.execute("ROLLBACK")
    other.close()
    ledger.note("a", "b")
    assert ledger.noted("a") == "b"
    ledger.close()


def test_errors_do_not_repeat_what_was_stored(ledger: Ledger) -> None:
    with pytest.raises(StoreError) as caught:
        ledger.incidents.record_act("unknown", Act.SNOOZE, by="anna", at=NOON, key="k", note="a secret")
    assert caught.value.permanent
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)
    assert "anna" not in str(caught.value.__cause__)


def test_a_time_without_zone_is_refused(ledger: Ledger) -> None:
    with pytest.raises(StoreError, match="want a time with its zone"):
        ledger.runs.plan("s", datetime(2026, 3, 1), "manual")  # noqa: DTZ001 - that is what is tried


@settings(max_examples=60, deadline=None)
@given(at=times, earlier=times)
def test_times_come_back_exactly_in_utc_and_in_order(
    shared: SqlLedger, at: datetime, earlier: datetime
) -> None:
    shared.runs.pause("t", why="", now=at)
    read = shared.runs.state("t")
    assert read == SourceState(source="t", paused_at=at)
    assert read.paused_at is not None
    assert read.paused_at.utcoffset() == timedelta(0)
    shared.frontier.save([Page(source="t", url="u", role="list", next_at=at)])
    assert bool(shared.frontier.due("t", earlier, 1)) == (at <= earlier)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_stored(shared: SqlLedger, text: str) -> None:
    shared.note(text, text)
    read = shared.noted(text)
    legible = all(ch != "\0" and not "\ud800" <= ch <= "\udfff" for ch in text)
    assert read == text if legible else "\ufffd" in read or len(read) < len(text)
    assert shared.frontier.get("s", text) is None


def test_pages_are_replaced_by_source_and_url(ledger: Ledger) -> None:
    first = Page(source="s", url="u", role="list", marker="1", fetched_at=NOON, next_at=NOON)
    other = replace(first, source="t")
    ledger.frontier.save([first, other])
    assert ledger.frontier.get("s", "u") == first
    changed = replace(first, marker="2", state="ok", etag='W/"x"', next_at=None, attempts=3, error="timeout")
    ledger.frontier.save([changed])
    assert ledger.frontier.get("s", "u") == changed
    assert ledger.frontier.get("t", "u") == other
    assert ledger.frontier.get("s", "v") is None
    assert [ledger.frontier.count(source) for source in ("s", "t", "x")] == [1, 1, 0]
    ledger.frontier.save([])


def test_a_thread_is_read_by_number(ledger: Ledger) -> None:
    pages = [Page(source="s", url=f"u{n}", role="thread", thread="t", number=n) for n in (10, 2, 1)]
    ledger.frontier.save([*pages, Page(source="s", url="x", role="thread", thread="other")])
    assert [page.number for page in ledger.frontier.of_thread("s", "t")] == [1, 2, 10]


def test_pages_are_due_longest_overdue_first(ledger: Ledger) -> None:
    after = {"c": -2, "a": -1, "b": 0, "later": 1}
    pages = [Page(source="s", url=url, role="list", next_at=NOON + n * MINUTE) for url, n in after.items()]
    ledger.frontier.save([*pages, Page(source="s", url="never", role="list")])
    assert [page.url for page in ledger.frontier.due("s", NOON, 10)] == ["c", "a", "b"]
    assert [page.url for page in ledger.frontier.due("s", NOON, 2)] == ["c", "a"]


def test_the_buried_are_found_and_stay(ledger: Ledger) -> None:
    ledger.tombstones.bury(ids=["m1"], authors=["a1"], reason="asked", now=NOON)
    ledger.tombstones.bury(ids=["m1", "m2"], reason="again", now=NOON)
    ledger.tombstones.bury(reason="nothing", now=NOON)
    ids, authors = ledger.tombstones.buried(ids=["m1", "m2", "a1", "m3"], authors=["m1", "a1"])
    assert (ids, authors) == (frozenset({"m1", "m2"}), frozenset({"a1"}))
    assert ledger.tombstones.buried(ids=[], authors=[]) == (frozenset(), frozenset())


def test_burying_nobody_does_not_bury_every_post_without_author(ledger: Ledger) -> None:
    ledger.tombstones.bury(authors=[""], reason="a slip", now=NOON)
    assert ledger.tombstones.buried(ids=[], authors=[""]) == (frozenset(), frozenset())


def test_many_can_be_asked_for_at_once(ledger: Ledger) -> None:
    ids = [f"m{n}" for n in range(5000)]
    ledger.tombstones.bury(ids=ids[::2], reason="asked", now=NOON)
    assert ledger.tombstones.buried(ids=ids, authors=())[0] == set(ids[::2])
