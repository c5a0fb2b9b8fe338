"""The calendar and a rule's hours, above all where clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.calendar import active, causes, damping
from alerts.detection.detector import HOUR
from alerts.detection.series import Budget, scan
from listener.config import DAYS, Event, Rule

ZONE = ZoneInfo("Europe/Stockholm")
DAY = timedelta(days=1)
SPRING, AUTUMN = datetime(2026, 3, 29), datetime(2026, 10, 25)  # noqa: DTZ001 (local on purpose: 23 and 25 hours long)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def event(start: datetime, end: datetime, **changes: object) -> Event:
    return Event(title="Autumn campaign", start=start, end=end, **changes)  # type: ignore[arg-type]


def rule(hours: str = "", *days: str) -> Rule:
    return Rule(id="worry", brand="fjelltele", active_hours=hours, active_days=days)


def utc(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_a_whole_day_is_as_long_as_its_clock_says(day: datetime, hours: int) -> None:
    start, end = event(day, day + DAY).span(ZONE)
    assert end - start == timedelta(hours=hours)
    touched = [
        n
        for n in range(-3, 30)
        if causes([event(day, day + DAY)], "fjelltele", start + n * HOUR, start + (n + 1) * HOUR, ZONE)
    ]
    assert touched == list(range(hours))


def test_an_hour_that_comes_twice_begins_the_first_time_and_one_that_is_skipped_when_it_would_have() -> None:
    twice = event(AUTUMN.replace(hour=2, minute=30), AUTUMN.replace(hour=3))
    assert twice.span(ZONE) == (utc(25, 0, 30, month=10), utc(25, 2, month=10))
    skipped = event(SPRING.replace(hour=2, minute=30), SPRING.replace(hour=4))
    assert skipped.span(ZONE) == (utc(29, 1, 30), utc(29, 2))


def test_an_offset_in_the_file_is_obeyed() -> None:
    there = event(
        datetime.fromisoformat("2026-03-10T18:00:00-05:00"), datetime.fromisoformat("2026-03-11T02:00Z")
    )
    assert there.span(ZONE) == (utc(10, 23), utc(11, 2))


def test_only_events_of_the_brand_that_share_time_are_causes() -> None:
    ours = event(utc(10, 6), utc(10, 9), brands=("fjelltele",))
    everybodys = event(utc(10, 8), utc(10, 12))
    theirs = event(utc(10, 6), utc(10, 9), brands=("nordbank",))
    calendar = (ours, theirs, everybodys)
    assert causes(calendar, "fjelltele", utc(10, 8), utc(10, 9), ZONE) == (ours, everybodys)
    assert causes(calendar, "fjelltele", utc(10, 9), utc(10, 10), ZONE) == (everybodys,)
    assert causes(calendar, "fjelltele", utc(10, 5), utc(10, 6), ZONE) == ()
    assert causes(calendar, "nordbank", utc(10, 5), utc(10, 7), ZONE) == (theirs,)


def test_the_largest_factor_counts_and_an_annotation_has_none() -> None:
    named = event(utc(10, 6), utc(10, 9), damp=9.0)
    twice, thrice = (event(utc(10, 6), utc(10, 9), effect="damp", damp=factor) for factor in (2.0, 3.0))
    assert damping(()) == damping([named]) == 1.0
    assert damping([twice, thrice, named]) == 3.0


def test_what_is_far_above_even_the_raised_expectation_still_alarms() -> None:
    """A raised expectation is the baseline of a history with so many more voices."""
    starts = [utc(1, 0) - HOUR * n for n in range(24 * 14, -1, -1)]
    factor = damping([event(utc(1, 0), utc(2, 0), effect="damp", damp=3.0)])
    history = [int(6 * factor) + n % 3 for n in range(len(starts) - 1)]
    budget = Budget(false_alarms_per_30_days=1.0)
    alarms = []
    for count in (24, 140):
        judged = scan([*history, count], starts, zone=ZONE, budget=budget)[-1]
        assert judged is not None
        alarms.append(judged.alarm)
    assert alarms == [False, True]


@pytest.mark.parametrize(
    ("now", "is_active"),
    [
        (utc(10, 5, 59), False),  # 06:59 in Stockholm
        (utc(10, 6), True),
        (utc(10, 20, 59), True),
        (utc(10, 21), False),
        (utc(29, 4, 59), False),  # after the change 05:00 UTC is 07:00
        (utc(29, 5), True),
        (utc(25, 5, 59, month=10), False),
        (utc(25, 6, month=10), True),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(now: datetime, is_active: bool) -> None:
    assert active(rule("07:00-22:00"), now, ZONE) is is_active


@pytest.mark.parametrize(
    ("hours", "day", "minutes"),
    [
        ("01:00-04:00", SPRING, 120),
        ("02:00-03:00", SPRING, 0),
        ("01:00-04:00", AUTUMN, 240),
        ("02:00-03:00", AUTUMN, 120),
        ("00:00-24:00", SPRING, 23 * 60),
        ("00:00-24:00", AUTUMN, 25 * 60),
    ],
)
def test_a_night_of_changing_clocks_has_the_hours_that_it_has(
    hours: str, day: datetime, minutes: int
) -> None:
    start, end = event(day, day + DAY).span(ZONE)
    steps = [start + timedelta(minutes=n) for n in range((end - start) // timedelta(minutes=1))]
    assert sum(active(rule(hours), step, ZONE) for step in steps) == minutes


def test_hours_past_midnight_belong_to_the_day_on_which_they_begin() -> None:
    friday_night = rule("22:00-06:00", "fri")
    assert [active(friday_night, utc(day, hour), ZONE) for day, hour in ((13, 3), (13, 21), (14, 3), (14, 21))] == [
        False, True, True, False,
    ]  # fmt: skip


def test_without_hours_the_days_are_whole() -> None:
    weekdays = rule("", "mon", "tue", "wed", "thu", "fri")
    assert active(weekdays, utc(13, 22, 59), ZONE)  # Friday, 23:59
    assert not active(weekdays, utc(13, 23), ZONE)
    assert active(weekdays, utc(15, 23), ZONE)


@given(moments)
def test_without_hours_and_days_it_is_always_active(now: datetime) -> None:
    assert active(rule(), now, ZONE)
    assert active(rule("00:00-24:00", *DAYS), now, ZONE)


@given(moments, st.integers(0, 1439), st.integers(0, 1439))
def test_hours_and_the_hours_between_them_make_the_day(now: datetime, one: int, other: int) -> None:
    if one == other:
        return
    first, last = (f"{minute // 60:02}:{minute % 60:02}" for minute in (one, other))
    assert active(rule(f"{first}-{last}"), now, ZONE) is not active(rule(f"{last}-{first}"), now, ZONE)
    days = [active(rule(f"{first}-{last}", day), now, ZONE) for day in DAYS]
    assert sum(days) == active(rule(f"{first}-{last}"), now, ZONE)
