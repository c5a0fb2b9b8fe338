"""What every ledger promises (docstrings of `listener.ports`). A new database is one more case in `url`."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from listener.errors import ConfigError, StoreError, StoreFull
from listener.incident import Act, Evidence, Incident, Level, Quote, State
from listener.ledger import SqlLedger, open_ledger
from listener.ledger.codec import decode, encode
from listener.mention import Signal
from listener.ports import Delivery, Ledger, Page, Run, RunState, SourceState, Tally

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
T = TypeVar("T")


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new folder' / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = open_ledger(url)
    yield opened
    opened.close()


def make_incident(id_: str = "i1", **changes: object) -> Incident:
    evidence = Evidence(
        channels={"social": 9, "forum": 3, "news": 5},
        languages={"sv": 12},
        themes={"delivery": 7, "price": 2},
        words=("försenad", "leverans"),
        quotes=(
            Quote(
                mention="m1",
                text="Var är min order? 😟",
                channel="forum",
                source="f",
                url="https://f.example/1",
                published_at=NOON,
            ),
        ),
        heard=3,
        sources=4,
        unheard={"shop": "silent since 00:40"},
    )
    level = Level(signal=Signal.ANXIETY, observed=17, expected=4.1, low=1.0, high=0.1 + 0.2)
    incident = Incident(
        id=id_,
        rule="r1",
        brand="b",
        state=State.OPEN,
        began_at=NOON - HOUR,
        opened_at=NOON,
        spiked_at=NOON,
        ended_at=None,
        levels=(level,),
        signals=(Signal.ANXIETY, Signal.COMPLAINTS),
        peak=17,
        peak_at=NOON,
        severity=2,
        evidence=evidence,
    )
    return replace(incident, **changes)  # type: ignore[arg-type]


def plan(ledger: Ledger, source: str = "s", slot: datetime = NOON, trigger: str = "schedule") -> int:
    run_id = ledger.runs.plan(source, slot, trigger)
    assert run_id is not None
    return run_id


def claim(
    ledger: Ledger, run_id: int, owner: str = "me", now: datetime = NOON, lease: timedelta = HOUR
) -> Run:
    run = ledger.runs.claim(run_id, owner=owner, now=now, lease=lease)
    assert run is not None
    return run


def do(ledger: Ledger, slot: datetime, tally: Tally, source: str = "s") -> SourceState:
    """Plan, claim and finish one run, all at `slot`."""
    run_id = plan(ledger, source, slot)
    claim(ledger, run_id, now=slot)
    assert ledger.runs.finish(run_id, owner="me", now=slot, tally=tally)
    return ledger.runs.state(source)


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """What `work(0)` … `work(count - 1)` return when as many threads begin together."""
    answers: dict[int, T] = {}
    gate = threading.Barrier(count)

    def begin(number: int) -> None:
        gate.wait(10)
        answers[number] = work(number)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == count
    return [answers[number] for number in range(count)]


# ------------------------------------------------------------------------------------------------ opening


def test_a_new_ledger_is_only_for_its_owner(url: str) -> None:
    ledger = open_ledger(url)
    ledger.note("a", "b")
    folder = Path(url.removeprefix("sqlite:///")).parent
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


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"these are my holiday pictures " * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"these are my holiday pictures")


def test_a_damaged_file_is_refused(url: str) -> None:
    ledger = open_ledger(url)
    ledger.frontier.save([Page(source="s", url=f"https://x.example/{n}", role="list") for n in range(2000)])
    ledger.close()
    path = Path(url.removeprefix("sqlite:///"))
    broken = bytearray(path.read_bytes())
    for start in range(len(broken) // 2, len(broken) - 4096, 4096):
        broken[start : start + 64] = b"\xff" * 64
    path.write_bytes(broken)
    with pytest.raises(StoreError):
        open_ledger(url)


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


# -------------------------------------------------------------------------------------- errors, times, texts


def test_a_full_disk_is_store_full_and_nothing_of_the_batch_is_stored(url: str) -> None:
    ledger = open_ledger(url)
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
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.ledger.engine.BUSY_TIMEOUT", 0.05)
    ledger = open_ledger(url)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
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


times = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'ledger.db'}")
    yield opened
    opened.close()


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


# ------------------------------------------------------------------------------------------------ frontier


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


# ------------------------------------------------------------------------------------------------ runs


def test_one_run_for_each_source_and_slot(ledger: Ledger) -> None:
    run_id = plan(ledger)
    assert ledger.runs.plan("s", NOON, "schedule") is None
    assert ledger.runs.plan("s", NOON.astimezone(timezone(HOUR)), "manual") is None
    assert plan(ledger, "t") != run_id
    run = ledger.runs.get(run_id)
    assert run == Run(id=run_id, source="s", slot=NOON, trigger="schedule", state=RunState.QUEUED)
    assert ledger.runs.get(run_id + 99) is None


def test_a_claimed_run_is_had_by_nobody_else_until_its_lease_ends(ledger: Ledger) -> None:
    run_id = plan(ledger)
    run = claim(ledger, run_id, owner="a")
    assert (run.state, run.attempts, run.started_at, run.lease_until) == (
        RunState.RUNNING,
        1,
        NOON,
        NOON + HOUR,
    )
    assert ledger.runs.claim(run_id, owner="b", now=NOON + HOUR - MINUTE, lease=HOUR) is None
    again = claim(ledger, run_id, owner="b", now=NOON + HOUR)
    assert again.attempts == 2
    assert not ledger.runs.extend(run_id, owner="a", until=NOON + 9 * HOUR)
    assert not ledger.runs.finish(run_id, owner="a", now=NOON + HOUR, tally=Tally())
    assert ledger.runs.finish(run_id, owner="b", now=NOON + HOUR, tally=Tally())
    assert ledger.runs.claim(run_id, owner="c", now=NOON + 9 * HOUR, lease=HOUR) is None
    assert ledger.runs.claim(run_id + 99, owner="c", now=NOON, lease=HOUR) is None


def test_two_runs_of_one_source_do_not_overlap(ledger: Ledger) -> None:
    first, second, other = plan(ledger), plan(ledger, slot=NOON + MINUTE), plan(ledger, "t")
    claim(ledger, first, owner="a")
    assert ledger.runs.claim(second, owner="b", now=NOON + MINUTE, lease=HOUR) is None
    claim(ledger, other, owner="b")
    assert ledger.runs.finish(first, owner="a", now=NOON + MINUTE, tally=Tally())
    claim(ledger, second, owner="b", now=NOON + MINUTE)


def test_a_lease_that_ended_cannot_be_extended_over_the_next_run(ledger: Ledger) -> None:
    first, second = plan(ledger), plan(ledger, slot=NOON + MINUTE)
    claim(ledger, first, owner="a")
    assert ledger.runs.extend(first, owner="a", until=NOON + 2 * HOUR)
    assert ledger.runs.claim(second, owner="b", now=NOON + HOUR, lease=HOUR) is None
    claim(ledger, second, owner="b", now=NOON + 2 * HOUR)
    assert not ledger.runs.extend(first, owner="a", until=NOON + 9 * HOUR)
    assert ledger.runs.extend(second, owner="b", until=NOON + 9 * HOUR)


def test_waiting_are_the_queued_and_the_abandoned_oldest_first(ledger: Ledger) -> None:
    late, lost, held, done = (plan(ledger, str(n), NOON - n * MINUTE) for n in range(4))
    for run_id, lease in ((lost, MINUTE), (held, HOUR), (done, HOUR)):
        claim(ledger, run_id, lease=lease)
    assert ledger.runs.finish(done, owner="me", now=NOON, tally=Tally())
    assert [run.id for run in ledger.runs.waiting(NOON + MINUTE)] == [lost, late]
    assert [run.id for run in ledger.runs.waiting(NOON + MINUTE, limit=1)] == [lost]
    assert [run.id for run in ledger.runs.waiting(NOON)] == [late]


def test_a_finished_run_says_what_it_did(ledger: Ledger) -> None:
    good, bad = plan(ledger), plan(ledger, slot=NOON + HOUR)
    claim(ledger, good)
    assert ledger.runs.finish(
        good, owner="me", now=NOON, tally=Tally(pages=3, posts=9, new=2, warnings=("a", "b"))
    )
    claim(ledger, bad, now=NOON + HOUR)
    assert ledger.runs.finish(
        bad, owner="me", now=NOON + HOUR, tally=Tally(posts=1, error="HTTP 503", warnings=("a",))
    )
    newest, oldest = ledger.runs.latest("s", 5)
    assert (oldest.id, oldest.state, oldest.pages, oldest.posts, oldest.new) == (good, RunState.DONE, 3, 9, 2)
    assert (oldest.reason, oldest.ended_at, oldest.lease_until) == ("a; b", NOON, None)
    assert (newest.id, newest.state, newest.reason) == (bad, RunState.FAILED, "HTTP 503")
    assert [run.id for run in ledger.runs.latest("s")] == [bad]
    assert ledger.runs.latest("t") == []


def test_the_latest_slot_is_of_its_trigger(ledger: Ledger) -> None:
    assert ledger.runs.latest_slot("s") is None
    plan(ledger, slot=NOON)
    plan(ledger, slot=NOON - HOUR)
    plan(ledger, slot=NOON + MINUTE, trigger="manual")
    assert ledger.runs.latest_slot("s") == NOON
    assert ledger.runs.latest_slot("s", "manual") == NOON + MINUTE


def test_the_state_of_an_unknown_source_is_empty_and_of_a_known_one_remembered(ledger: Ledger) -> None:
    assert ledger.runs.state("s") == SourceState(source="s")
    ledger.runs.pause("s", why="storm", now=NOON)
    assert ledger.runs.state("s") == SourceState(source="s", paused_at=NOON, paused_why="storm")
    ledger.runs.resume("s")
    assert ledger.runs.state("s") == SourceState(source="s")


def test_pausing_keeps_what_runs_have_taught_and_resuming_ends_the_back_off(ledger: Ledger) -> None:
    failed = do(ledger, NOON, Tally(error="x", permanent=True))
    assert failed.backoff_until is not None
    ledger.runs.pause("s", why="", now=NOON)
    ledger.runs.resume("s")
    assert ledger.runs.state("s") == replace(failed, backoff_until=None)


def test_a_good_run_clears_failures_and_remembers_what_was_new(ledger: Ledger) -> None:
    failed = do(ledger, NOON - HOUR, Tally(error="x", permanent=True))
    assert (failed.failures, failed.last_error, failed.blocked) == (1, "x", True)
    state = do(ledger, NOON, Tally(new=1, newest_post_at=NOON - HOUR))
    assert state == SourceState(
        source="s",
        first_run_at=failed.first_run_at,
        last_ok_at=NOON,
        last_failed_at=failed.last_failed_at,
        newest_post_at=NOON - HOUR,
        last_post_seen_at=NOON,
    )
    later = do(ledger, NOON + HOUR, Tally(newest_post_at=NOON - 2 * HOUR))
    assert later == replace(state, last_ok_at=NOON + HOUR), (
        "nothing new, and an older newest post changes nothing"
    )


def test_failures_are_counted_and_backed_off(ledger: Ledger) -> None:
    do(ledger, NOON, Tally())
    do(ledger, NOON + 10 * MINUTE, Tally())
    waits = []
    for n in range(2, 12):
        slot = NOON + n * 10 * MINUTE
        state = do(ledger, slot, Tally(error="timeout"))
        assert state.backoff_until is not None
        waits.append((state.backoff_until - slot) / MINUTE)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 360, 360, 360]
    assert (state.failures, state.last_error, state.last_failed_at, state.blocked) == (
        10,
        "timeout",
        slot,
        False,
    )
    assert state.last_ok_at == NOON + 10 * MINUTE


@pytest.mark.parametrize(
    ("asked", "minutes"),
    [(3600.0, 60), (1.0, 5), (1e300, 1440), (float("inf"), 5), (float("nan"), 5), (-5.0, 5)],
)
def test_a_source_is_left_alone_as_long_as_it_asks_within_a_day(
    ledger: Ledger, asked: float, minutes: int
) -> None:
    state = do(ledger, NOON, Tally(error="HTTP 429", retry_after=asked))
    assert state.backoff_until == NOON + minutes * MINUTE


def test_a_permanent_failure_blocks_and_is_still_tried_now_and_then(ledger: Ledger) -> None:
    state = do(ledger, NOON, Tally(error="HTTP 401", permanent=True, new=1))
    assert state.blocked
    assert state.backoff_until == NOON + 6 * HOUR
    assert state.last_post_seen_at == NOON, "what came before the failure counts"


def test_arrivals_are_what_ended_since_oldest_first(ledger: Ledger) -> None:
    for hour, tally in enumerate([Tally(new=1), Tally(new=2), Tally(new=3, error="x"), Tally()]):
        do(ledger, NOON + hour * HOUR, tally)
    plan(ledger, slot=NOON + 9 * HOUR)
    assert ledger.runs.arrivals("s", NOON + HOUR) == [
        (NOON + HOUR * n, new) for n, new in ((1, 2), (2, 3), (3, 0))
    ]


# ------------------------------------------------------------------------------------- tombstones and notes


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


# ------------------------------------------------------------------------------------------------ incidents


def test_an_incident_comes_back_as_it_was(ledger: Ledger) -> None:
    incident = make_incident()
    assert ledger.incidents.save(incident, was=None, now=NOON, channels=[])
    read = ledger.incidents.get("i1")
    assert read == incident
    assert read is not None
    assert list(read.evidence.channels) == ["social", "forum", "news"], "the largest-first order is kept"
    assert ledger.incidents.get("i2") is None


texts = st.text(st.characters(exclude_categories=[]), max_size=20)
counts = st.dictionaries(texts, st.integers(0, 10**6), max_size=4)
numbers = st.floats(allow_nan=False)
levels = st.builds(
    Level,
    signal=st.sampled_from(Signal),
    observed=st.integers(0),
    expected=numbers,
    low=numbers,
    high=numbers,
)
quotes = st.builds(
    Quote, mention=texts, text=texts, channel=texts, source=texts, url=texts, published_at=times
)
evidences = st.builds(
    Evidence,
    channels=counts,
    languages=counts,
    themes=counts,
    words=st.lists(texts, max_size=3).map(tuple),
    quotes=st.lists(quotes, max_size=2).map(tuple),
    heard=st.integers(0, 99),
    sources=st.integers(0, 99),
    unheard=st.dictionaries(texts, texts, max_size=3),
)
incidents = st.builds(
    Incident,
    id=texts,
    rule=texts,
    brand=texts,
    state=st.sampled_from(State),
    began_at=times,
    opened_at=times,
    spiked_at=times,
    ended_at=st.none() | times,
    levels=st.lists(levels, max_size=3).map(tuple),
    signals=st.lists(st.sampled_from(Signal), max_size=4).map(tuple),
    peak=st.integers(0),
    peak_at=times,
    severity=st.integers(0, 3),
    evidence=evidences,
    acknowledged_by=texts,
    acknowledged_at=st.none() | times,
    snoozed_until=st.none() | times,
    verdict=texts,
)


@settings(max_examples=150, deadline=None)
@given(incident=incidents)
def test_any_incident_survives_encoding(incident: Incident) -> None:
    body = encode(incident)
    assert decode(body) == incident
    assert encode(decode(body)) == body, "or compare and set would fail on what it has just read"


def test_an_incident_that_cannot_be_read_is_a_store_error_that_names_it(url: str) -> None:
    ledger = open_ledger(url)
    ledger.incidents.save(make_incident(), was=None, now=NOON, channels=[])
    with sqlite3.connect(url.removeprefix("sqlite:///")) as other:
        other.execute("UPDATE incidents SET body = '{}'")
    other.close()
    with pytest.raises(StoreError, match="incident i1: cannot be read"):
        ledger.incidents.get("i1")
    ledger.close()


def test_an_incident_is_inserted_once(ledger: Ledger) -> None:
    assert ledger.incidents.save(make_incident(), was=None, now=NOON, channels=["C1"])
    assert not ledger.incidents.save(make_incident(peak=99), was=None, now=NOON, channels=["C1", "C2"])
    stored = ledger.incidents.get("i1")
    assert stored is not None
    assert stored.peak == 17
    assert [(d.channel, d.version) for d in ledger.outbox.of("i1")] == [("C1", 1)]


def test_an_incident_is_replaced_only_when_it_is_still_what_it_was(ledger: Ledger) -> None:
    first = make_incident()
    second, third = replace(first, peak=20), replace(first, peak=30)
    assert not ledger.incidents.save(second, was=first, now=NOON, channels=["C1"]), (
        "there is nothing to replace"
    )
    ledger.incidents.save(first, was=None, now=NOON, channels=["C1"])
    assert ledger.incidents.save(second, was=first, now=NOON, channels=["C1"])
    assert not ledger.incidents.save(third, was=first, now=NOON, channels=["C1"])
    assert ledger.incidents.get("i1") == second
    assert ledger.incidents.save(third, was=ledger.incidents.get("i1"), now=NOON, channels=["C1"])
    assert [d.version for d in ledger.outbox.of("i1")] == [3]


def test_open_latest_and_recent(ledger: Ledger) -> None:
    assert ledger.incidents.open_of("r1") is None
    assert ledger.incidents.latest_of("r1") is None
    old = make_incident("old", opened_at=NOON - HOUR)
    over = make_incident("over", state=State.OVER, ended_at=NOON)
    other = make_incident("other", rule="r2", opened_at=NOON + HOUR)
    for incident in (over, other, old):
        ledger.incidents.save(incident, was=None, now=NOON, channels=[])
    assert ledger.incidents.open_of("r1") == old
    assert ledger.incidents.latest_of("r1") == over
    assert [incident.id for incident in ledger.incidents.recent()] == ["other", "over", "old"]
    assert [incident.id for incident in ledger.incidents.recent(1)] == ["other"]
    assert ledger.incidents.save(replace(old, state=State.OVER), was=old, now=NOON, channels=[])
    assert ledger.incidents.open_of("r1") is None


def test_an_act_is_recorded_once(ledger: Ledger) -> None:
    for id_ in ("i1", "i2"):
        ledger.incidents.save(make_incident(id_), was=None, now=NOON, channels=[])
    act = ledger.incidents.record_act
    assert act("i1", Act.SNOOZE, by="bo", at=NOON + MINUTE, key="k2", note="till morning")
    assert act("i1", Act.ACKNOWLEDGE, by="anna", at=NOON, key="k1")
    assert not act("i1", Act.ACKNOWLEDGE, by="anna", at=NOON + HOUR, key="k1")
    assert act("i2", Act.KNOWN_CAUSE, by="anna", at=NOON, key="k1"), "another incident's act is another act"
    assert ledger.incidents.acts("i1") == [
        (NOON, Act.ACKNOWLEDGE, "anna", ""),
        (NOON + MINUTE, Act.SNOOZE, "bo", "till morning"),
    ]
    assert ledger.incidents.acts("i3") == []


# ------------------------------------------------------------------------------------------------ outbox


def queue(ledger: Ledger, *channels: str, id_: str = "i1", now: datetime = NOON) -> None:
    assert ledger.incidents.save(make_incident(id_), was=None, now=now, channels=channels)


def touch(ledger: Ledger, *channels: str, now: datetime, id_: str = "i1") -> None:
    """A newer version of the incident, and so of its messages."""
    was = ledger.incidents.get(id_)
    assert was is not None
    assert ledger.incidents.save(replace(was, peak=was.peak + 1), was=was, now=now, channels=channels)


def take(ledger: Ledger, owner: str = "me", now: datetime = NOON) -> Delivery:
    claimed = ledger.outbox.claim(ledger.outbox.due(now)[0], owner=owner, now=now, lease=HOUR)
    assert claimed is not None
    return claimed


def test_a_queued_message_is_due_claimed_sent_and_quiet(ledger: Ledger) -> None:
    queue(ledger, "C1", "C1")
    assert ledger.outbox.due(NOON - MINUTE) == []
    assert ledger.outbox.due(NOON) == [Delivery(incident="i1", channel="C1", next_at=NOON)]
    mine = take(ledger)
    assert (mine.state, mine.attempts, mine.owner, mine.first_try_at) == ("sending", 1, "me", NOON)
    assert mine.lease_until == NOON + HOUR
    assert ledger.outbox.due(NOON) == []
    sent = replace(mine, state="sent", shown=1, ts="1.2", next_at=None)
    assert ledger.outbox.save(sent, owner="me")
    assert ledger.outbox.due(NOON + 99 * HOUR) == []
    assert ledger.outbox.of("i1") == [
        Delivery(incident="i1", channel="C1", state="sent", version=1, shown=1, ts="1.2")
    ]
    assert ledger.outbox.of("i2") == []


def test_the_longest_waiting_is_due_first(ledger: Ledger) -> None:
    for minute, id_ in enumerate("cab"):
        queue(ledger, "C1", id_=id_, now=NOON + minute * MINUTE)
    assert [d.incident for d in ledger.outbox.due(NOON + HOUR)] == ["c", "a", "b"]
    assert [d.incident for d in ledger.outbox.due(NOON + HOUR, limit=2)] == ["c", "a"]
    assert [d.incident for d in ledger.outbox.due(NOON)] == ["c"]


def test_a_lost_owner_is_replaced_when_the_lease_ends_and_can_no_longer_save(ledger: Ledger) -> None:
    queue(ledger, "C1")
    seen = ledger.outbox.due(NOON)[0]
    lost = take(ledger, "lost")
    assert ledger.outbox.claim(seen, owner="x", now=NOON, lease=HOUR) is None
    assert ledger.outbox.claim(lost, owner="x", now=NOON + HOUR - MINUTE, lease=HOUR) is None
    assert [d.state for d in ledger.outbox.due(NOON + HOUR)] == ["sending"], (
        "so the next one knows that it may be posted"
    )
    second = take(ledger, "second", now=NOON + HOUR)
    assert (second.attempts, second.first_try_at) == (2, NOON)
    assert not ledger.outbox.save(replace(lost, state="sent", shown=1), owner="lost")
    assert ledger.outbox.save(
        replace(second, state="unsure", next_at=NOON + 2 * HOUR, error="timeout"), owner="second"
    )
    assert not ledger.outbox.save(replace(second, state="sent"), owner="second"), "it was let go"
    assert ledger.outbox.due(NOON + HOUR) == []
    assert [(d.state, d.attempts) for d in ledger.outbox.due(NOON + 2 * HOUR)] == [("unsure", 2)]


def test_an_owner_may_write_down_the_name_of_the_message_and_keep_it(ledger: Ledger) -> None:
    queue(ledger, "C1")
    mine = take(ledger)
    assert ledger.outbox.save(replace(mine, ts="1.2"), owner="me")
    assert ledger.outbox.due(NOON) == []
    assert ledger.outbox.save(replace(mine, state="sent", ts="1.2", shown=1), owner="me")


def test_a_version_that_comes_while_another_is_sent_is_not_lost(ledger: Ledger) -> None:
    queue(ledger, "C1")
    mine = take(ledger)
    touch(ledger, "C1", now=NOON + MINUTE)
    assert ledger.outbox.due(NOON + MINUTE) == [], "it is being sent"
    assert ledger.outbox.save(replace(mine, state="sent", shown=1, next_at=None), owner="me")
    assert [(d.version, d.shown) for d in ledger.outbox.due(NOON + MINUTE)] == [(2, 1)]
    newest = take(ledger, now=NOON + MINUTE)
    assert (newest.version, newest.attempts, newest.first_try_at) == (2, 1, NOON + MINUTE), (
        "attempts are of one version"
    )


def test_what_was_seen_before_others_tried_or_sent_cannot_be_claimed(ledger: Ledger) -> None:
    queue(ledger, "C1")
    for state in ("new", "unsure", "unsure"):
        assert ledger.outbox.save(replace(take(ledger), state="unsure", next_at=NOON), owner="me")
        seen = ledger.outbox.of("i1")[0]
        assert ledger.outbox.save(replace(take(ledger), state=state, next_at=NOON), owner="me")
        assert ledger.outbox.claim(seen, owner="x", now=NOON, lease=HOUR) is None, "it was tried since"
    for version in (1, 2):
        assert ledger.outbox.save(
            replace(take(ledger), state="sent", shown=version, next_at=None), owner="me"
        )
        seen = ledger.outbox.of("i1")[0]
        touch(ledger, "C1", now=NOON)
    ledger.outbox.save(replace(take(ledger), state="sent", shown=3, next_at=None), owner="me")
    touch(ledger, "C1", now=NOON)
    assert ledger.outbox.claim(seen, owner="x", now=NOON, lease=HOUR) is None, "it was sent since"


def test_a_claim_answers_with_the_newest_version(ledger: Ledger) -> None:
    queue(ledger, "C1")
    seen = ledger.outbox.due(NOON)[0]
    touch(ledger, "C1", now=NOON)
    claimed = ledger.outbox.claim(seen, owner="me", now=NOON, lease=HOUR)
    assert claimed is not None
    assert claimed.version == 2


def test_what_was_given_up_is_tried_again_with_the_next_version(ledger: Ledger) -> None:
    queue(ledger, "C1")
    assert ledger.outbox.save(
        replace(take(ledger), state="failed", next_at=None, error="channel_not_found"), owner="me"
    )
    assert ledger.outbox.due(NOON + 99 * HOUR) == []
    touch(ledger, "C1", "C2", now=NOON + HOUR)
    assert [(d.channel, d.version, d.state) for d in ledger.outbox.due(NOON + HOUR)] == [
        ("C1", 2, "failed"),
        ("C2", 1, "new"),
    ]


class OutboxModel(RuleBasedStateMachine):
    """Random saves, claims, crashes, late answers: no version is lost, and nobody owns what another holds."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.incident = make_incident(f"m{os.urandom(8).hex()}")
        self.now = NOON
        self.versions = 0
        self.claims = 0
        self.seen: list[Delivery] = []
        self.held: dict[str, Delivery] = {}
        """Every claim that was granted and not answered yet, also by those who have been replaced since."""
        self.owner = ""
        self.until = NOON

    @rule()
    def save_incident(self) -> None:
        was = self.incident if self.versions else None
        newer = replace(self.incident, peak=self.incident.peak + 1)
        assert self.ledger.incidents.save(newer, was=was, now=self.now, channels=["C"])
        self.incident, self.versions = newer, self.versions + 1

    @rule()
    def look(self) -> None:
        self.seen += self.mine(self.now)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def try_to_claim(self, data: st.DataObject) -> None:
        self.claims += 1
        owner = f"o{self.claims}"
        seen = data.draw(st.sampled_from(self.seen))
        claimed = self.ledger.outbox.claim(seen, owner=owner, now=self.now, lease=5 * MINUTE)
        if claimed is not None:
            assert not self.owner or self.until <= self.now, "two owners under valid leases"
            assert claimed.version == self.versions
            assert claimed.shown < claimed.version
            self.owner, self.until = owner, self.now + 5 * MINUTE
            self.held[owner] = claimed

    @precondition(lambda self: self.held)
    @rule(data=st.data(), state=st.sampled_from(["sent", "unsure", "new", "failed"]))
    def answer(self, data: st.DataObject, state: str) -> None:
        owner = data.draw(st.sampled_from(sorted(self.held)))
        held = self.held.pop(owner)
        done = replace(held, state=state, next_at=self.now + MINUTE)
        if state == "sent":
            done = replace(done, shown=held.version, next_at=None)
        saved = self.ledger.outbox.save(done, owner=owner)
        assert saved == (owner == self.owner), "the last owner may write, and only the last"
        if saved:
            self.owner = ""

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @invariant()
    def no_version_is_lost(self) -> None:
        if self.versions:
            (stored,) = self.ledger.outbox.of(self.incident.id)
            assert stored.version == self.versions
            assert bool(self.mine(self.now + HOUR)) == (stored.shown < self.versions)

    def mine(self, now: datetime) -> list[Delivery]:
        return [d for d in self.ledger.outbox.due(now, 1000) if d.incident == self.incident.id]


def test_outbox_whatever_happens(shared: SqlLedger) -> None:
    class Model(OutboxModel):
        def __init__(self) -> None:
            super().__init__(shared)

    run_state_machine_as_test(
        Model, settings=settings(max_examples=30, stateful_step_count=25, deadline=None)
    )


# ------------------------------------------------------------------------------------------------ races


@pytest.mark.parametrize("again", range(5))
def test_threads_that_race_have_one_winner(ledger: Ledger, again: int) -> None:
    planned = at_once(4, lambda _: ledger.runs.plan("s", NOON, "schedule"))
    (run_id,) = [run_id for run_id in planned if run_id is not None]
    claimed = at_once(4, lambda n: ledger.runs.claim(run_id, owner=str(n), now=NOON, lease=HOUR))
    (winner,) = [n for n, run in enumerate(claimed) if run is not None]
    assert ledger.runs.finish(run_id, owner=str(winner), now=NOON, tally=Tally())


def test_threads_that_race_for_different_runs_of_one_source_do_not_overlap(ledger: Ledger) -> None:
    run_ids = [plan(ledger, slot=NOON + n * MINUTE) for n in range(4)]
    claimed = at_once(4, lambda n: ledger.runs.claim(run_ids[n], owner=str(n), now=NOON + HOUR, lease=HOUR))
    assert sum(run is not None for run in claimed) == 1


def test_threads_that_race_for_an_incident_queue_one_message(ledger: Ledger) -> None:
    first = make_incident()
    stored = at_once(
        4, lambda n: ledger.incidents.save(replace(first, peak=n), was=None, now=NOON, channels=["C"])
    )
    assert sorted(stored) == [False, False, False, True]
    was = ledger.incidents.get("i1")
    assert was is not None
    moved = at_once(
        4, lambda n: ledger.incidents.save(replace(was, peak=n + 9), was=was, now=NOON, channels=["C"])
    )
    assert sorted(moved) == [False, False, False, True]
    (delivery,) = ledger.outbox.of("i1")
    assert delivery.version == 2
    sent = at_once(4, lambda n: ledger.outbox.claim(delivery, owner=str(n), now=NOON, lease=HOUR))
    assert sum(claimed is not None for claimed in sent) == 1
    acted = at_once(4, lambda _: ledger.incidents.record_act("i1", Act.NOISE, by="a", at=NOON, key="k"))
    assert sorted(acted) == [False, False, False, True]


RACER = """
import sys
from datetime import UTC, datetime, timedelta
from listener.ledger import open_ledger

url, owner = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
ledger = open_ledger(url)
noon, hour = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(hours=1)
for n in range(25):
    run_id = ledger.runs.plan("s%d" % n, noon, "schedule")
    if run_id is not None:
        print("planned", n)
for run in ledger.runs.waiting(noon):
    if ledger.runs.claim(run.id, owner=owner, now=noon, lease=hour) is not None:
        print("claimed", run.id)
ledger.close()
"""


def test_processes_that_open_a_new_ledger_at_once_share_the_work(url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", RACER, url]
    racers = [
        subprocess.Popen(
            [*command, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60) for racer in racers]
    assert [(racer.returncode, errors) for racer, (_, errors) in zip(racers, said, strict=True)] == [
        (0, "")
    ] * 3
    lines = sorted(line for out, _ in said for line in out.splitlines())
    assert lines == sorted([f"planned {n}" for n in range(25)] + [f"claimed {n}" for n in range(1, 26)])
