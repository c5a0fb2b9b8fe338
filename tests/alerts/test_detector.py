from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detector import HOUR, Budget, Profile, band, hour_of_week, scan, weekly_profile

ZONE = ZoneInfo("Europe/Stockholm")
START = datetime(2026, 1, 5, tzinfo=UTC)
BUDGET = Budget(false_alarms_per_30_days=1, minimum_voices=5)


def times(hours: int) -> list[datetime]:
    return [START + HOUR * i for i in range(hours)]


def rhythm(starts: Sequence[datetime], base: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Expected voices with a day and a week in them."""
    slots = np.array([hour_of_week(start, ZONE) for start in starts])
    day = 0.25 + 1.5 * np.exp(-(((slots % 24 - 14) / 5.0) ** 2))
    return np.asarray(base * day * np.where(slots // 24 >= 5, 0.6, 1.0))


def simulated(seed: int, days: int, *, base: float = 6, spread: float = 0.2) -> list[int]:
    random = np.random.default_rng(seed)
    means = rhythm(times(days * 24), base)
    return [int(n) for n in random.poisson(random.gamma(1 / spread, spread * means))]


@pytest.mark.parametrize(("base", "spread"), [(2.0, 0.1), (30.0, 0.2)])
def test_false_alarms_are_near_the_budget(base: float, spread: float) -> None:
    allowed, days, alarms = 10.0, 60, 0
    budget = Budget(false_alarms_per_30_days=allowed, minimum_voices=1)
    for seed in range(2):
        counts = simulated(seed, 56 + days, base=base, spread=spread)
        judged = scan(counts, times(len(counts)), zone=ZONE, budget=budget, refit=timedelta(days=7))
        alarms += sum(j is not None and j.alarm for j in judged[56 * 24 :])
    assert 0.35 * allowed <= alarms / (2 * days / 30) <= 1.8 * allowed


@pytest.mark.parametrize("hour", range(0, 24, 5))
def test_an_obvious_spike_is_found_in_its_first_bucket(hour: int) -> None:
    counts = simulated(3, 42)
    profile = weekly_profile(counts, times(len(counts)), zone=ZONE)
    start = times(len(counts))[-1] + HOUR * (1 + hour)
    expected = profile.expect(start, HOUR).expected
    judged = profile.judge(int(4 * expected + 25), start, HOUR, BUDGET)
    assert judged.alarm
    assert judged.score > 3
    assert not profile.judge(round(expected), start, HOUR, BUDGET).alarm


def test_the_hours_of_the_week_are_learnt() -> None:
    counts = simulated(4, 56, base=40, spread=0.05)
    profile = weekly_profile(counts, times(len(counts)), zone=ZONE)
    week = times(56 * 24 + 168)[-168:]
    learnt = np.array([e.expected for e in band(profile, week, HOUR)])
    truth = rhythm(week, 40)
    assert float(np.mean(np.abs(learnt - truth) / truth)) < 0.15


def test_a_past_crisis_does_not_become_normal() -> None:
    calm = simulated(5, 56)
    crisis = list(calm)
    for i in range(40 * 24, 41 * 24):
        crisis[i] += 300
    starts = times(len(calm))
    before, after = (weekly_profile(counts, starts, zone=ZONE) for counts in (calm, crisis))
    for start in times(58 * 24)[-48:]:
        one, other = before.expect(start, HOUR), after.expect(start, HOUR)
        assert other.expected < 1.5 * one.expected + 1
        assert other.high < 2 * one.high + 3


def test_a_gap_is_neither_zero_nor_alarm() -> None:
    counts: list[int | None] = list(simulated(6, 60, base=20))
    counts[50 * 24 : 54 * 24] = [None] * (4 * 24)
    starts = times(len(counts))
    budget = Budget(false_alarms_per_30_days=0.1)
    judged = scan(counts, starts, zone=ZONE, budget=budget, refit=timedelta(days=5))
    assert judged[50 * 24 : 54 * 24] == [None] * (4 * 24)
    assert not any(j is not None and j.alarm for j in judged[54 * 24 :])
    filled = [0 if n is None else n for n in counts]
    probe = starts[-1] + HOUR * 12
    expected = weekly_profile(counts, starts, zone=ZONE).expect(probe, HOUR).expected
    assert expected > weekly_profile(filled, starts, zone=ZONE).expect(probe, HOUR).expected


def test_a_short_history_is_sceptical() -> None:
    starts, counts = times(24 * 20), simulated(7, 20)
    probe = starts[-1] + HOUR * 9
    long = weekly_profile(counts, starts, zone=ZONE).expect(probe, HOUR)
    short = weekly_profile(counts[-36:], starts[-36:], zone=ZONE).expect(probe, HOUR)
    assert short.high - short.expected > 1.5 * (long.high - long.expected)
    for hours in (0, 1, 23):
        profile = weekly_profile(counts[:hours], starts[:hours], zone=ZONE)
        assert not profile.judge(10_000, probe, HOUR, BUDGET).alarm
    assert not weekly_profile([None] * 400, times(400), zone=ZONE).judge(10_000, probe, HOUR, BUDGET).alarm


def test_under_the_minimum_nothing_is_an_alarm() -> None:
    profile = weekly_profile([0] * 600, times(600), zone=ZONE)
    at = times(601)[-1]
    assert not profile.judge(4, at, HOUR, BUDGET).alarm
    assert profile.judge(9, at, HOUR, BUDGET).alarm
    assert not profile.judge(9, at, HOUR, Budget(false_alarms_per_30_days=0)).alarm


def test_a_window_across_two_hours_is_their_mixture() -> None:
    profile = Profile(UTC, HOUR, tuple(float(i + 1) for i in range(168)), (0.1,) * 168, timedelta(days=30))
    monday = START
    mean, spread = profile.moments(monday + timedelta(minutes=45), HOUR)
    assert mean == pytest.approx(0.25 * 1 + 0.75 * 2)
    assert spread == pytest.approx(0.1)
    assert profile.moments(monday, timedelta(minutes=15))[0] == pytest.approx(0.25)


def test_daylight_saving_keeps_the_local_hour() -> None:
    winter, summer = datetime(2026, 3, 23, 7, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC)
    assert hour_of_week(winter, ZONE) == hour_of_week(summer, ZONE) == 8


def test_daily_and_five_minute_buckets() -> None:
    days = [START + timedelta(days=i) for i in range(90)]
    counts = [100 if day.weekday() < 5 else 20 for day in days]
    judged = scan([*counts, 900], [*days, days[-1] + timedelta(days=1)], zone=UTC, budget=BUDGET)
    assert judged[-1] is not None
    assert judged[-1].alarm
    saturday = weekly_profile(counts, days, zone=UTC).expect(
        datetime(2026, 4, 4, tzinfo=UTC), timedelta(days=1)
    )
    assert saturday.expected == pytest.approx(20, rel=0.4)
    fives = [START + timedelta(minutes=5) * i for i in range(288 * 10)]
    profile = weekly_profile([2] * len(fives), fives, zone=UTC)
    assert profile.expect(fives[-1], HOUR).expected == pytest.approx(24, rel=0.05)


def test_scan_never_looks_ahead() -> None:
    counts = simulated(8, 25)
    starts = times(len(counts))
    whole = scan(counts, starts, zone=ZONE, budget=BUDGET)
    part = scan(counts[:500], starts[:500], zone=ZONE, budget=BUDGET)
    assert whole[:500] == part
    assert scan([], [], zone=ZONE, budget=BUDGET) == []


def test_wrong_histories_are_refused() -> None:
    with pytest.raises(ValueError, match="one time for each count"):
        weekly_profile([1, 2], times(1), zone=ZONE)
    with pytest.raises(ValueError, match="negative"):
        weekly_profile([1, -2], times(2), zone=ZONE)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.none() | st.integers(0, 50), min_size=30, max_size=400), st.integers(0, 10_000))
def test_any_history_gives_a_range_and_more_voices_never_end_an_alarm(
    history: list[int | None], n: int
) -> None:
    starts = times(len(history))
    profile = weekly_profile(history, starts, zone=ZONE)
    seen = profile.expect(starts[-1] + HOUR, HOUR)
    assert 0 <= seen.low <= seen.high
    one, more = (profile.judge(k, starts[-1] + HOUR, HOUR, BUDGET) for k in (n, n + 1))
    assert more.score >= one.score - 1e-9
    assert more.alarm or not one.alarm
