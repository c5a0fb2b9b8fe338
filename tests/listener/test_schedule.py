"""Slots, jitter and what is due (`listener.schedule`)."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.config import Policy, Source
from listener.errors import ConfigError
from listener.schedule import check, due, scheduled, slots, starts_at

ZONE = "Europe/Stockholm"
STOCKHOLM = ZoneInfo(ZONE)
POLICY = Policy(basis="legitimate interest", retention=timedelta(days=90), deletions="recrawl")
NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86400))


def make_source(
    id_: str = "forum",
    *,
    every: timedelta | None = None,
    cron: str = "",
    zone: str = "",
    jitter: timedelta = timedelta(0),
    policy: Policy | None = POLICY,
) -> Source:
    return Source(
        id=id_,
        kind="feed",
        address="https://f.example/",
        channel="forum",
        every=every,
        cron=cron,
        zone=zone,
        jitter=jitter,
        policy=policy,
    )


def next_slots(source: Source, after: datetime, count: int) -> list[datetime]:
    return list(islice(slots(source, zone=ZONE, after=after), count))


def local(*parts: int) -> datetime:
    """A time in Stockholm, in UTC."""
    return datetime(*parts, tzinfo=STOCKHOLM).astimezone(UTC)  # type: ignore[arg-type, misc]


# ------------------------------------------------------------------------------------------------ check


@pytest.mark.parametrize(
    "source",
    [
        make_source(),
        make_source(every=10 * SECOND),
        make_source(every=HOUR, jitter=59 * MINUTE),
        make_source(cron="*/15 6-22 * * mon-fri", zone="Europe/Oslo", jitter=HOUR),
        make_source(every=HOUR, policy=None),
    ],
)
def test_good_schedules_pass(source: Source) -> None:
    check(source)


@pytest.mark.parametrize(
    ("source", "key", "wanted"),
    [
        (make_source(every=HOUR, cron="0 7 * * *"), "cron", "one of the two"),
        (make_source(every=9 * SECOND), "every", "at least 10 seconds"),
        (make_source(every=timedelta(0)), "every", "at least 10 seconds"),
        (make_source(every=-HOUR), "every", "at least 10 seconds"),
        (make_source(cron="0 25 * * *"), "cron", "five fields"),
        (make_source(cron="every day"), "cron", "five fields"),
        (make_source(cron="* * * * * *"), "cron", "five fields"),
        (make_source(cron="0 0 30 2 *"), "cron", "five fields"),
        (make_source(cron="0 7 * * *", zone="Europe/Stokholm"), "zone", "Europe/Stockholm"),
        (make_source(cron="0 7 * * *", zone="../../etc/passwd"), "zone", "Europe/Stockholm"),
        (make_source(cron="0 7 * * *", zone="Europe"), "zone", "Europe/Stockholm"),
        (make_source(every=HOUR, jitter=HOUR), "jitter", "less than"),
        (make_source(every=HOUR, jitter=-SECOND), "jitter", "0 or more"),
        (make_source(cron="0 7 * * *", jitter=DAY), "jitter", "less than"),
    ],
)
def test_a_bad_schedule_names_source_key_and_what_is_wanted(source: Source, key: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted) as caught:
        check(source)
    assert str(caught.value).startswith(f"source 'forum', {key}: got ")


@settings(max_examples=300, deadline=None)
@given(cron=st.text(st.sampled_from("0123456789*/,-#lLWmonfr "), max_size=20))
def test_any_cron_is_followed_or_refused(cron: str) -> None:
    source = make_source(cron=cron)
    try:
        check(source)
    except ConfigError:
        return
    if cron:
        (slot,) = next_slots(source, NOW, 1)
        assert slot > NOW


def test_without_schedule_or_policy_it_is_not_scheduled() -> None:
    assert scheduled(make_source(every=HOUR))
    assert scheduled(make_source(cron="0 7 * * *"))
    for source in (make_source(), make_source(every=HOUR, policy=None)):
        assert not scheduled(source)
        assert next_slots(source, NOW, 3) == []
        assert due(source, zone=ZONE, latest_slot=None, now=NOW) is None


# ------------------------------------------------------------------------------------------------ every


@settings(deadline=None)
@given(
    seconds=st.integers(10, 10**6),
    after=st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_slots_of_every_are_a_grid_that_does_not_depend_on_when_it_is_asked(
    seconds: int, after: datetime
) -> None:
    source = make_source(every=seconds * SECOND)
    found = next_slots(source, after, 4)
    assert after < found[0] <= after + seconds * SECOND
    assert {later - earlier for earlier, later in pairwise(found)} == {seconds * SECOND}
    assert next_slots(source, found[0], 3) == found[1:]
    assert next_slots(source, found[1] - timedelta(microseconds=1), 1) == [found[1]]


def test_sources_do_not_all_start_at_once() -> None:
    starts = {next_slots(make_source(f"s{n}", every=HOUR), NOW, 1)[0] for n in range(50)}
    assert len(starts) > 45
    assert len({int((start - NOW) / (HOUR / 6)) for start in starts}) == 6, "spread over the whole hour"


# ------------------------------------------------------------------------------------------------ cron


def test_cron_runs_in_the_sources_zone_or_the_files() -> None:
    assert next_slots(make_source(cron="0 7 * * *"), NOW, 1) == [local(2026, 3, 4, 7)]
    assert next_slots(make_source(cron="0 7 * * *", zone="America/New_York"), NOW, 1) == [
        datetime(2026, 3, 3, 12, tzinfo=ZoneInfo("UTC")) + DAY
    ]


def test_cron_keeps_its_local_time_over_both_changes_of_clocks() -> None:
    source = make_source(cron="0 7 * * *")
    spring = next_slots(source, local(2026, 3, 28, 0), 3)
    assert spring == [local(2026, 3, day, 7) for day in (28, 29, 30)]
    assert spring[1] - spring[0] == 23 * HOUR
    autumn = next_slots(source, local(2026, 10, 24, 0), 3)
    assert autumn == [local(2026, 10, day, 7) for day in (24, 25, 26)]
    assert autumn[1] - autumn[0] == 25 * HOUR


def test_a_time_that_does_not_exist_runs_once_right_after() -> None:
    source = make_source(cron="30 2 * * *")
    found = next_slots(source, local(2026, 3, 28, 12), 2)
    assert found == [local(2026, 3, 29, 3), local(2026, 3, 30, 2, 30)]


def test_a_time_that_comes_twice_runs_once() -> None:
    source = make_source(cron="30 2 * * *")
    first = local(2026, 10, 25, 2, 30)
    assert next_slots(source, local(2026, 10, 24, 12), 2) == [first, local(2026, 10, 26, 2, 30)]
    for later in (timedelta(0), 10 * MINUTE, 45 * MINUTE, HOUR):
        assert next_slots(source, first + later, 1) == [local(2026, 10, 26, 2, 30)], later


def test_every_quarter_of_an_hour_goes_on_through_the_hour_that_comes_twice() -> None:
    found = next_slots(make_source(cron="*/15 * * * *"), local(2026, 10, 25, 1, 0), 16)
    assert {later - earlier for earlier, later in pairwise(found)} == {15 * MINUTE}


@settings(max_examples=100, deadline=None)
@given(
    cron=st.sampled_from(
        [
            "* * * * *",
            "*/7 * * * *",
            "45 2 * * *",
            "0,30 1-3 * * *",
            "15 3 * * sun",
            "0 */6 * * *",
            "0 0 29 2 *",
        ]
    ),
    after=st.datetimes(datetime(2026, 3, 27), datetime(2026, 10, 28), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_cron_slots_always_move_on(cron: str, after: datetime) -> None:
    found = next_slots(make_source(cron=cron), after, 12)
    assert all(earlier < later for earlier, later in pairwise([after, *found]))


# ------------------------------------------------------------------------------------------------ jitter and due


@settings(deadline=None)
@given(minutes=st.integers(0, 60), number=st.integers(0, 10**6))
def test_jitter_is_stable_and_within_bounds(minutes: int, number: int) -> None:
    source = make_source(cron="0 7 * * *", jitter=minutes * MINUTE)
    slot = NOW + number * HOUR
    start = starts_at(source, slot)
    assert slot <= start <= slot + minutes * MINUTE
    assert start == starts_at(source, slot.astimezone(STOCKHOLM))


def test_jitter_differs_by_source_and_by_slot() -> None:
    source = make_source(every=HOUR, jitter=50 * MINUTE)
    assert len({starts_at(source, NOW + n * HOUR) - n * HOUR for n in range(50)}) > 45
    assert len({starts_at(make_source(f"s{n}", every=HOUR, jitter=50 * MINUTE), NOW) for n in range(50)}) > 45


SCHEDULES = [
    make_source(every=10 * MINUTE),
    make_source(every=10 * MINUTE, jitter=9 * MINUTE),
    make_source(every=40 * DAY),
    make_source(cron="* * * * *"),
    make_source(cron="0 7 * * *"),
    make_source(cron="0 7 * * *", jitter=3 * HOUR),
    make_source(cron="30 6 1 * *"),
    make_source(cron="0 0 29 2 *"),
]


@pytest.mark.parametrize("source", SCHEDULES, ids=lambda source: source.cron or str(source.every))
def test_a_first_run_is_due_at_once_and_then_not_again_before_the_next_slot(source: Source) -> None:
    first = due(source, zone=ZONE, latest_slot=None, now=NOW)
    assert first is not None
    assert first <= NOW
    assert due(source, zone=ZONE, latest_slot=first, now=NOW) is None
    following = next_slots(source, first, 1)[0]
    start = starts_at(source, following)
    assert due(source, zone=ZONE, latest_slot=first, now=start - timedelta(microseconds=1)) is None
    assert due(source, zone=ZONE, latest_slot=first, now=start) == following


@settings(deadline=None)
@given(source=st.sampled_from(SCHEDULES), minutes=st.integers(0, 10**6))
def test_a_first_run_is_due_whenever_it_is_asked(source: Source, minutes: int) -> None:
    first = due(source, zone=ZONE, latest_slot=None, now=NOW + minutes * MINUTE)
    assert first is not None
    assert starts_at(source, first) <= NOW + minutes * MINUTE


@pytest.mark.parametrize("source", SCHEDULES, ids=lambda source: source.cron or str(source.every))
def test_after_downtime_one_run_is_due(source: Source) -> None:
    long_ago = datetime(1999, 1, 1, tzinfo=UTC)
    newest = due(source, zone=ZONE, latest_slot=long_ago, now=NOW)
    assert newest == due(source, zone=ZONE, latest_slot=None, now=NOW)
    assert due(source, zone=ZONE, latest_slot=newest, now=NOW) is None


def test_a_clock_that_ran_ahead_does_not_silence_a_source() -> None:
    source = make_source(every=HOUR)
    assert due(source, zone=ZONE, latest_slot=NOW + 30 * DAY, now=NOW) is not None
