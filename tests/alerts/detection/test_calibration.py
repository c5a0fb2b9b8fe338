"""A budget of false alarms is kept: by the tables' form, and on simulated series without any spike."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection import calibration
from alerts.detection.calibration import ONCE_A_MONTH, threshold
from alerts.detection.detector import HOUR, Detector
from tests.alerts.detection.simulated import Floats, drawn, means, scores, ticked

BUDGET = 4.0
LEARNT, JUDGED = 28, 60
_CLEAN, _HALF = 60, 20
_APART = 6


@dataclass(frozen=True, slots=True)
class Clean:
    """Scores of series without spikes, shape (hours after LEARNT days, series), and what `shift` said every day."""

    all_heard: Floats
    half_heard: Floats
    shifts: Floats


@pytest.fixture(scope="module")
def clean() -> Clean:
    """60 series, all heard, and 20 that have lost half of their voices and say so; in step."""
    random = np.random.default_rng(20)
    series = _CLEAN + _HALF
    per_hour = np.exp(random.uniform(np.log(0.3), np.log(300), series))
    mean = means(LEARNT + JUDGED, *per_hour)
    exposure = np.ones_like(mean)
    exposure[LEARNT * 24 :, _CLEAN:] = 0.5
    counts = drawn(random, mean * exposure, random.choice([1.0, 1.5, 3.0], series))
    detector, found, shifts = Detector(series, HOUR), [], []
    for first in range(0, len(counts), 24):
        day = slice(first, first + 24)
        found += ticked(detector, counts[day], first=first, exposure=exposure[day])
        shifts.append(detector.shift()[0][_CLEAN:])
    judged = scores(found)[LEARNT * 24 :]
    return Clean(judged[:, :_CLEAN], judged[:, _CLEAN:], np.array(shifts[LEARNT:]))


def per_month(score: Floats, budget: float) -> float:
    """Notifications per series and 30 days: alarms after six quiet hours."""
    alarms = score >= threshold(budget)
    told = sum(
        bool(alarm) and not column[max(0, i - _APART) : i].any()
        for column in alarms.T
        for i, alarm in enumerate(column)
    )
    return told / int(alarms.shape[1]) / (len(alarms) / 24 / 30)


def test_the_budget_is_kept(clean: Clean) -> None:
    assert 0.6 * BUDGET <= per_month(clean.all_heard, BUDGET) <= 1.5 * BUDGET


def test_a_smaller_budget_alarms_less(clean: Clean) -> None:
    found = [per_month(clean.all_heard, budget) for budget in (0.25, 1, BUDGET)]
    assert found == sorted(found)
    assert found[0] <= 0.6
    assert found[1] <= 1.8


def test_with_half_of_the_voices_away_the_budget_is_kept_and_no_drop_told(clean: Clean) -> None:
    assert 0.3 * BUDGET <= per_month(clean.half_heard, BUDGET) <= 1.5 * BUDGET
    assert not ((clean.shifts > 0) & (clean.shifts < 1)).any()


def one(rarity: float, volume: float, hours: float) -> float:
    return float(calibration.score(np.array([rarity]), np.array([volume]), hours)[0])


@given(
    st.floats(0, 400),
    st.floats(0, 10),
    st.floats(0, 1e5),
    st.sampled_from([1 / 12, 0.25, 0.5, 1.0, 6.0, 24.0]),
)
def test_rarer_is_never_less(rarity: float, more: float, volume: float, hours: float) -> None:
    assert one(rarity + more, volume, hours) >= one(rarity, volume, hours) - 1e-9
    if more > 0.01:
        assert one(rarity + more, volume, hours) > one(rarity, volume, hours)


@given(st.floats(0, 12), st.floats(1e-9, 1e9), st.floats(1 / 12, 24))
def test_the_score_moves_little_with_the_volume(rarity: float, volume: float, hours: float) -> None:
    assert one(rarity, 1.1 * volume, hours) == pytest.approx(one(rarity, volume, hours), abs=0.15)


def test_wider_buckets_come_less_often() -> None:
    assert one(3, 10, 24) == pytest.approx(one(3, 10, 1) + np.log10(24))


def test_the_threshold() -> None:
    assert threshold(1) == ONCE_A_MONTH
    assert threshold(0.1) == pytest.approx(ONCE_A_MONTH + 1)
    for refused in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=f"got {refused} false alarms per 30 days, want more than 0"):
            threshold(refused)
