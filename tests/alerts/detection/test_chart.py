"""The normal range under a chart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detection.chart import normal_range
from tests.alerts.detection.simulated import drawn, means

ZONE = ZoneInfo("Europe/Stockholm")
HOUR = timedelta(hours=1)
START = datetime(2026, 1, 5, tzinfo=UTC)


def times(buckets: int, bucket: timedelta = HOUR) -> list[datetime]:
    return [START + bucket * i for i in range(buckets)]


def simulated(seed: int, days: float, per_hour: float, bucket: timedelta = HOUR) -> list[int]:
    mean = means(days, per_hour, bucket=bucket)
    return [int(count) for count in drawn(np.random.default_rng(seed), mean, 1.5)[:, 0]]


@pytest.mark.parametrize(("per_hour", "bucket"), [(4.0, HOUR), (25.0, HOUR), (200.0, HOUR), (60.0, HOUR / 4)])
def test_nine_of_ten_counts_lie_in_it(per_hour: float, bucket: timedelta) -> None:
    counts = simulated(1, 63 if bucket == HOUR else 28, per_hour, bucket)
    known = len(counts) - timedelta(days=7) // bucket
    found = normal_range(counts, times(len(counts), bucket), known, zone=UTC)
    inside = [low <= count <= high for count, (low, _, high) in zip(counts, found, strict=True)]
    assert 0.83 <= float(np.mean(inside[known:])) <= 0.97
    expected = sum(mean for _, mean, _ in found[known:])
    assert expected == pytest.approx(sum(counts[known:]), rel=0.1)


def test_a_past_crisis_is_not_normal() -> None:
    calm = simulated(2, 63, 10)
    crisis = [count + 300 if 20 * 24 <= i < 21 * 24 else count for i, count in enumerate(calm)]
    before, after = (normal_range(counts, times(len(calm)), 56 * 24, zone=UTC) for counts in (calm, crisis))
    for (_, one, high), (_, other, higher) in zip(before[-72:], after[-72:], strict=True):
        assert other < 1.5 * one + 1
        assert higher < 2 * high + 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.integers(0, 60), st.integers(0, 10**6))
def test_later_counts_change_nothing(counts: list[int], known: int, other: int) -> None:
    known = min(known, len(counts))
    changed = counts[:known] + [other] * (len(counts) - known)
    found = normal_range(counts, times(len(counts)), known, zone=ZONE)
    assert found == normal_range(changed, times(len(counts)), known, zone=ZONE)
    assert len(found) == len(counts)
    assert all(0 <= low <= high and mean >= 0 for low, mean, high in found)


def test_with_nothing_known_it_is_empty() -> None:
    assert normal_range([4, 5, 6], times(3), 0, zone=ZONE) == [(0.0, 0.0, 0.0)] * 3
    assert normal_range([], [], 0, zone=ZONE) == []
    assert all(mean < 0.1 for _, mean, _ in normal_range([0] * 100, times(100), 80, zone=ZONE))


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="3 counts for 2 times"):
        normal_range([1, 2, 3], times(2), 1, zone=ZONE)
