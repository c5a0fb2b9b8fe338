"""A bare series: each bucket judged from its own past only."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detection import series
from alerts.detection.series import Budget, hour_of_week, scan
from tests.alerts.detection.simulated import drawn, means

ZONE = ZoneInfo("Europe/Stockholm")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 1, 5, tzinfo=UTC)
BUDGET = Budget(false_alarms_per_30_days=1)


def times(buckets: int, bucket: timedelta = HOUR) -> list[datetime]:
    return [START + bucket * i for i in range(buckets)]


def simulated(seed: int, days: float, per_hour: float = 8) -> list[int]:
    return [int(count) for count in drawn(np.random.default_rng(seed), means(days, per_hour), 1.3)[:, 0]]


some_counts = st.lists(st.none() | st.integers(0, 60), min_size=1, max_size=60)


@settings(max_examples=12, deadline=None)
@given(some_counts, st.integers(-500, 2000))
def test_whole_weeks_later_it_is_the_same(counts: list[int | None], weeks: int) -> None:
    starts = times(len(counts))
    later = [start + timedelta(weeks=weeks) for start in starts]
    assert scan(counts, later, zone=UTC, budget=BUDGET) == scan(counts, starts, zone=UTC, budget=BUDGET)


def test_whole_weeks_later_on_the_clock_on_the_wall_it_is_the_same() -> None:
    """From the winter to the summer."""
    counts = simulated(1, 9)
    later = [start + timedelta(weeks=20) - HOUR for start in times(len(counts))]
    assert scan(counts, later, zone=ZONE, budget=BUDGET) == scan(
        counts, times(len(counts)), zone=ZONE, budget=BUDGET
    )


@settings(max_examples=12, deadline=None)
@given(some_counts, st.integers(1, 60))
def test_it_never_looks_ahead(counts: list[int | None], cut: int) -> None:
    whole = scan(counts, times(len(counts)), zone=ZONE, budget=BUDGET)
    part = scan(counts[:cut], times(len(counts))[:cut], zone=ZONE, budget=BUDGET)
    assert whole[:cut] == part


def test_what_was_not_heard_is_not_judged() -> None:
    counts: list[int | None] = list(simulated(2, 15))
    counts[200:230] = [None] * 30
    judged = scan(counts, times(len(counts)), zone=ZONE, budget=BUDGET)
    assert [i for i, found in enumerate(judged) if found is None] == list(range(200, 230))
    assert [found.observed for found in judged if found] == [count for count in counts if count is not None]
    assert not any(found.alarm for found in judged if found)


def test_a_burst_alarms_at_once_and_hardly_changes_what_is_expected() -> None:
    counts = simulated(3, 15)
    calm = scan(counts, times(len(counts)), zone=ZONE, budget=BUDGET)[-1]
    counts[-30:-28] = [400, 500]
    judged = scan(counts, times(len(counts)), zone=ZONE, budget=BUDGET)
    assert next(i for i, found in enumerate(judged) if found and found.alarm) == len(counts) - 30
    after = judged[-1]
    assert calm is not None
    assert after is not None
    assert after.expected < 1.5 * calm.expected + 1


def test_what_follows_a_burst_is_no_news() -> None:
    """The burst is a part of the longer windows for a day; it alarms for hours, not for the day."""
    counts = simulated(4, 15)
    counts[-24] = 300
    judged = scan(counts, times(len(counts)), zone=ZONE, budget=BUDGET)
    alarms = [found.alarm for found in judged[-24:] if found]
    assert alarms[0]
    assert not any(alarms[1:])


def test_under_the_minimum_nothing_is_an_alarm() -> None:
    counts = [*([0, 0, 1, 0] * 120), 9]
    starts = times(len(counts))
    low, high = (
        scan(counts, starts, zone=UTC, budget=Budget(false_alarms_per_30_days=1, minimum_voices=least))[-1]
        for least in (9, 12)
    )
    assert low is not None
    assert high is not None
    assert low.alarm
    assert not high.alarm
    assert low.score == high.score


@pytest.mark.parametrize("allowed", [0.1, 1, 300])
def test_zeros_are_calm_at_any_budget(allowed: float) -> None:
    budget = Budget(false_alarms_per_30_days=allowed, minimum_voices=0)
    judged = scan([0] * 240, times(240), zone=ZONE, budget=budget)
    assert all(found is not None and found.score == 0 and not found.alarm for found in judged)


@pytest.mark.parametrize(
    ("bucket", "counts", "burst"),
    [
        (DAY, [*([100] * 5), 20, 20] * 9, 900),
        (timedelta(minutes=5), [0, 1, 0, 2, 0, 0] * 90, 60),
        (timedelta(minutes=7), [1, 2] * 150, 60),
        (6 * HOUR, [40, 90, 160, 120] * 30, 2000),
    ],
)
def test_any_width_up_to_a_day(bucket: timedelta, counts: list[int], burst: int) -> None:
    judged = scan([*counts, burst], times(len(counts) + 1, bucket), zone=UTC, budget=BUDGET)
    alarms = [found.alarm for found in judged if found]
    assert alarms[-1]
    assert not any(alarms[:-1])


def test_days_of_the_week_are_learnt() -> None:
    counts = [100, 100, 100, 100, 100, 20, 20] * 13
    judged = scan(counts, times(len(counts), DAY), zone=UTC, budget=BUDGET)
    expected = [found.expected for found in judged[-7:] if found]
    assert expected[:5] == pytest.approx([100] * 5, rel=0.3)
    assert expected[5:] == pytest.approx([20] * 2, rel=0.5)


def test_short_series() -> None:
    assert scan([], [], zone=ZONE, budget=BUDGET) == []
    for count in (0, 3, 10**9):
        [judged] = scan([count], times(1), zone=ZONE, budget=BUDGET)
        assert judged is not None
        assert (judged.observed, judged.score, judged.alarm) == (count, 0.0, False)
    assert scan([None], times(1), zone=ZONE, budget=BUDGET) == [None]


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="2 counts for 1 times"):
        scan([1, 2], times(1), zone=ZONE, budget=BUDGET)
    with pytest.raises(ValueError, match="negative"):
        scan([1, -2], times(2), zone=ZONE, budget=BUDGET)
    with pytest.raises(ValueError, match="up to a day"):
        scan([1, 2], times(2, 8 * DAY), zone=ZONE, budget=BUDGET)
    with pytest.raises(ValueError, match="0 false alarms"):
        scan([1, 2], times(2), zone=ZONE, budget=Budget(false_alarms_per_30_days=0))


def test_a_narrow_bucket_takes_little_room() -> None:
    """A day of them is one of the windows; its buckets are not paired with each other."""
    tracemalloc.start()
    scan([1] * 5, times(5, timedelta(minutes=1)), zone=UTC, budget=BUDGET)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000_000


def test_it_tells_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "PROGRESS_EVERY", 20)
    told: list[int] = []
    scan([None] * 41, times(41), zone=UTC, budget=BUDGET, tell=told.append)
    assert told == [0, 20, 40]


def test_the_hour_of_the_week_is_that_of_the_wall() -> None:
    winter, summer = datetime(2026, 3, 23, 7, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC)
    assert hour_of_week(winter, ZONE) == hour_of_week(summer, ZONE) == 8
    assert hour_of_week(datetime(2026, 3, 22, 22, 59, 59, tzinfo=UTC), ZONE) == pytest.approx(168 - 1 / 3600)
    assert hour_of_week(datetime(2026, 3, 22, 23, tzinfo=UTC), ZONE) == 0
    assert hour_of_week(winter + timedelta(minutes=15), UTC) == 7.25
    spring = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # the hour from two to three is skipped
    assert hour_of_week(spring + HOUR, ZONE) - hour_of_week(spring, ZONE) == 2
    autumn = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the hour from two to three comes twice
    assert hour_of_week(autumn + HOUR, ZONE) == hour_of_week(autumn, ZONE)
