"""When a source is heard, and what is said when it is not (`listener.health`)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.config import Policy, Source
from listener.health import Condition, Health, backoff, in_words, judge, usual_gap
from listener.ports import Run, RunState, SourceState

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
POLICY = Policy(basis="legitimate interest", retention=90 * DAY, deletions="recrawl")
SOURCE = Source(
    id="forum", kind="forum", address="https://f.example/", channel="forum", every=10 * MINUTE, policy=POLICY
)
CRON = replace(SOURCE, every=None, cron="0 7 * * *")
GOOD = SourceState(
    source="forum", first_run_at=NOW - 9 * DAY, last_ok_at=NOW - MINUTE, last_post_seen_at=NOW - MINUTE
)
DONE = Run(
    id=1, source="forum", slot=NOW - MINUTE, trigger="schedule", state=RunState.DONE, ended_at=NOW - MINUTE
)
BUSY = [(NOW - n * 12 * MINUTE, n % 3 + 1) for n in range(100, 0, -1)]
"""Something new every 12 minutes."""


def judged(
    source: Source = SOURCE,
    state: SourceState = GOOD,
    *,
    arrivals: list[tuple[datetime, int]] = BUSY,
    latest: Run | None = DONE,
    next_slot: datetime | None = NOW + 9 * MINUTE,
    now: datetime = NOW,
) -> Health:
    return judge(source, state, arrivals=arrivals, latest=latest, next_slot=next_slot, now=now)


def test_all_is_well() -> None:
    health = judged()
    assert (health.condition, health.reason, health.since, health.heard) == (Condition.OK, "", None, True)
    assert (health.next_at, health.usual) == (NOW + 9 * MINUTE, 12 * MINUTE)


# ------------------------------------------------------------------------------------------------ not meant to be heard


def test_without_policy_or_schedule_it_says_which() -> None:
    lawless = judged(replace(SOURCE, policy=None))
    by_hand = judged(replace(SOURCE, every=None))
    assert {lawless.condition, by_hand.condition} == {Condition.UNSCHEDULED}
    assert "no policy" in lawless.reason
    assert "neither every nor cron" in by_hand.reason
    assert not lawless.heard
    assert not by_hand.heard


def test_a_paused_source_is_not_heard_whatever_else_holds() -> None:
    paused = replace(GOOD, paused_at=NOW - 2 * HOUR, paused_why="they asked us", failures=3, last_error="x")
    health = judged(state=paused)
    assert health == Health(
        source="forum",
        condition=Condition.PAUSED,
        reason="paused since 10:00 UTC: they asked us",
        since=NOW - 2 * HOUR,
        heard=False,
    )


def test_a_source_that_was_never_read_is_new_until_it_is_late() -> None:
    empty = SourceState(source="forum")
    fresh = judged(state=empty, arrivals=[], latest=None)
    assert (fresh.condition, fresh.heard, fresh.reason) == (Condition.NEW, False, "not read yet")
    waiting = judged(state=empty, arrivals=[], latest=None, next_slot=NOW - 20 * MINUTE)
    assert waiting.condition is Condition.NEW
    late = judged(state=empty, arrivals=[], latest=None, next_slot=NOW - 21 * MINUTE)
    assert late.condition is Condition.LATE
    assert "never read yet" in late.reason


# ------------------------------------------------------------------------------------------------ failing


def test_failing_says_why_how_often_since_when_and_what_next() -> None:
    state = replace(
        GOOD,
        last_ok_at=NOW - 2 * HOUR,
        last_post_seen_at=NOW - 3 * HOUR,
        last_failed_at=NOW - MINUTE,
        failures=4,
        last_error="HTTP 503",
        backoff_until=NOW + 39 * MINUTE,
    )
    health = judged(state=state)
    assert health.condition is Condition.FAILING
    assert health.reason == "failed 4 times: HTTP 503; last worked at 10:00 UTC; next try 12:39 UTC"
    assert (health.since, health.next_at, health.heard) == (NOW - 2 * HOUR, NOW + 39 * MINUTE, False)


def test_failing_permanently_needs_somebody() -> None:
    state = replace(GOOD, failures=1, last_error="HTTP 401", blocked=True, last_ok_at=None)
    health = judged(state=state)
    assert health.reason.startswith("needs you: HTTP 401; never worked since 2026-02-22 12:00 UTC")
    assert health.since == NOW - 9 * DAY


def test_one_failure_among_recent_news_is_said_but_still_heard() -> None:
    health = judged(state=replace(GOOD, failures=1, last_error="timeout"))
    assert (health.condition, health.heard) == (Condition.FAILING, True)
    assert health.reason.startswith("failed once: timeout")
    assert not judged(state=replace(GOOD, failures=1, last_error="timeout"), arrivals=[]).heard, (
        "what is usual is unknown"
    )


# ------------------------------------------------------------------------------------------------ late


@pytest.mark.parametrize(("minutes", "expected"), [(20, Condition.OK), (21, Condition.LATE)])
def test_late_is_two_periods_after_a_slot_without_a_finished_run(minutes: int, expected: Condition) -> None:
    slot = NOW - minutes * MINUTE
    done = replace(DONE, slot=slot - 10 * MINUTE)
    assert judged(latest=done, next_slot=slot).condition is expected
    assert judged(latest=done, next_slot=NOW + MINUTE).condition is expected, (
        "also when told of a coming slot"
    )
    queued = replace(DONE, slot=slot, state=RunState.QUEUED, ended_at=None)
    assert judged(latest=queued).condition is expected


def test_late_is_never_sooner_than_five_minutes() -> None:
    half = timedelta(seconds=30)
    often = replace(SOURCE, every=half)
    for minutes, late in ((5, False), (6, True)):
        slot = NOW - minutes * MINUTE
        health = judged(often, latest=replace(DONE, slot=slot - half), next_slot=slot)
        assert (health.condition is Condition.LATE) == late, minutes


def test_late_by_cron_takes_the_gap_between_its_slots_as_its_period() -> None:
    done = replace(DONE, slot=NOW - 4 * DAY)
    assert judged(CRON, latest=done, next_slot=NOW - 3 * DAY).condition is Condition.LATE
    assert judged(CRON, latest=done, next_slot=NOW - 2 * DAY).condition is not Condition.LATE


def test_a_long_crawl_is_not_late_while_its_lease_is_valid() -> None:
    running = replace(
        DONE, slot=NOW - 3 * HOUR, state=RunState.RUNNING, ended_at=None, lease_until=NOW + MINUTE
    )
    assert judged(latest=running, next_slot=NOW - 3 * HOUR + 10 * MINUTE).condition is Condition.OK
    lost = replace(running, lease_until=NOW - MINUTE)
    health = judged(latest=lost)
    assert health.condition is Condition.LATE
    assert health.reason == "late: should have been read at 09:00 UTC, last read at 11:59 UTC"
    assert health.since == NOW - 3 * HOUR


# ------------------------------------------------------------------------------------------------ silent


def test_silence_is_learnt_from_the_past() -> None:
    quiet = replace(GOOD, last_post_seen_at=NOW - 11 * HOUR - 20 * MINUTE)
    health = judged(state=quiet)
    assert health.condition is Condition.SILENT
    assert health.reason == "silent since 00:40 UTC – usually something new every 12 min"
    assert (health.since, health.usual, health.heard) == (quiet.last_post_seen_at, 12 * MINUTE, False)


@pytest.mark.parametrize(("minutes", "expected"), [(73, Condition.OK), (74, Condition.SILENT)])
def test_silence_begins_after_six_times_the_longest_usual_gap(minutes: int, expected: Condition) -> None:
    quiet = replace(GOOD, last_post_seen_at=NOW - minutes * MINUTE, last_ok_at=NOW - MINUTE)
    assert judged(state=quiet).condition is expected


def test_the_time_that_we_did_not_listen_is_no_silence_of_theirs() -> None:
    away = replace(GOOD, last_ok_at=NOW - 9 * HOUR, last_post_seen_at=NOW - 9 * HOUR)
    assert judged(state=away).condition is Condition.OK, "the next run will tell"


def test_too_few_arrivals_say_nothing() -> None:
    quiet = replace(GOOD, last_post_seen_at=NOW - 5 * DAY)
    seven = [(at, 1) for at, _ in BUSY[:7]]
    empty = [(at, 0) for at, _ in BUSY[7:]]
    assert judged(state=quiet, arrivals=seven + empty).condition is Condition.OK
    assert judged(state=quiet, arrivals=[*seven, *empty, (NOW - 5 * DAY, 1)][::-1]).usual is not None


def test_its_own_patience_goes_first_and_zero_is_endless() -> None:
    quiet = replace(GOOD, last_post_seen_at=NOW - 5 * HOUR)
    assert judged(replace(SOURCE, quiet_after=6 * HOUR), quiet).condition is Condition.OK
    assert judged(replace(SOURCE, quiet_after=2 * HOUR), quiet, arrivals=[]).condition is Condition.SILENT
    dead = replace(GOOD, last_post_seen_at=None)
    assert judged(replace(SOURCE, quiet_after=timedelta(0)), dead).condition is Condition.OK


def test_with_patience_set_a_source_that_never_said_anything_is_silent_since_its_first_run() -> None:
    mute = replace(GOOD, last_post_seen_at=None)
    health = judged(replace(SOURCE, quiet_after=DAY), mute, arrivals=[])
    assert (health.condition, health.since) == (Condition.SILENT, GOOD.first_run_at)


def test_a_source_that_sleeps_at_night_has_its_nights_among_its_gaps() -> None:
    days = [NOW - day * DAY + hour * HOUR for day in range(20, 0, -1) for hour in range(-4, 6)]
    usual = usual_gap(SOURCE, [(at, 1) for at in days])
    assert usual is not None
    assert usual.gap == HOUR
    assert usual.limit > 15 * HOUR


def test_the_reason_is_in_the_readers_zone_and_dated_when_it_is_not_today() -> None:
    quiet = replace(GOOD, last_post_seen_at=NOW - DAY)
    health = judge(
        SOURCE, quiet, arrivals=BUSY, latest=DONE, next_slot=None, now=NOW, zone=ZoneInfo("Europe/Stockholm")
    )
    assert health.reason == "silent since 2026-03-02 13:00 – usually something new every 12 min"


# ------------------------------------------------------------------------------------------------ properties


times = st.none() | st.integers(-10_000, 60).map(lambda minutes: NOW + minutes * MINUTE)
states = st.builds(
    SourceState,
    source=st.just("forum"),
    paused_at=times,
    first_run_at=times,
    last_ok_at=times,
    last_failed_at=times,
    failures=st.integers(0, 3),
    last_error=st.just("x"),
    blocked=st.booleans(),
    backoff_until=times,
    last_post_seen_at=times,
)
sources = st.sampled_from(
    [
        SOURCE,
        CRON,
        replace(SOURCE, policy=None),
        replace(SOURCE, quiet_after=HOUR),
        replace(CRON, quiet_after=timedelta(0)),
    ]
)
latest_runs = st.none() | st.builds(
    Run,
    id=st.just(1),
    source=st.just("forum"),
    slot=times.map(lambda at: at or NOW),
    trigger=st.just("schedule"),
    state=st.sampled_from(RunState),
    lease_until=times,
)
arrivals_of_any_kind = st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 2)), max_size=30).map(
    lambda pairs: [(NOW - minutes * MINUTE, new) for minutes, new in sorted(pairs, reverse=True)]
)


@given(source=sources, state=states, arrivals=arrivals_of_any_kind, latest=latest_runs, next_slot=times)
def test_every_source_has_one_condition_and_a_reason_unless_all_is_well(
    source: Source,
    state: SourceState,
    arrivals: list[tuple[datetime, int]],
    latest: Run | None,
    next_slot: datetime | None,
) -> None:
    health = judged(source, state, arrivals=arrivals, latest=latest, next_slot=next_slot)
    assert (health.reason == "") == (health.condition is Condition.OK)
    assert not health.reason.endswith(".")
    if health.condition in {Condition.NEW, Condition.SILENT, Condition.PAUSED, Condition.UNSCHEDULED}:
        assert not health.heard
    if health.condition is Condition.OK:
        assert health.heard


# ------------------------------------------------------------------------------------------------ back-off, words


def test_backoff_doubles_from_half_a_period_and_stops_at_six_hours() -> None:
    waits = [backoff(n, period=10 * MINUTE) / MINUTE for n in range(10)]
    assert waits == [0, 5, 10, 20, 40, 80, 160, 320, 360, 360]
    assert backoff(1, period=timedelta(seconds=10)) == MINUTE
    assert backoff(50, period=timedelta(seconds=10)) == 6 * HOUR
    assert backoff(1, period=30 * DAY) == 6 * HOUR


@given(period=st.timedeltas(timedelta(seconds=10), timedelta(days=400)), failures=st.integers(1, 10**9))
def test_backoff_never_gives_up_and_never_hammers(period: timedelta, failures: int) -> None:
    wait = backoff(failures, period=period)
    assert MINUTE <= wait <= 6 * HOUR
    assert wait <= backoff(failures + 1, period=period)


def test_spans_in_words() -> None:
    spans = [timedelta(seconds=45), 12 * MINUTE, 89 * MINUTE, 2 * HOUR, 35 * HOUR, 3 * DAY]
    assert [in_words(span) for span in spans] == ["45 s", "12 min", "89 min", "2 h", "35 h", "3 days"]
    assert all(earlier < later for earlier, later in pairwise(spans))
