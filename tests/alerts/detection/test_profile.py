"""The rhythm of the week: which hours a bucket is made of, and what is learnt of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection.profile import HOURS, Floats, Profile, weights
from tests.alerts.detection.simulated import drawn, rhythm

ALL = np.array([True])


def fed(weeks: int, level: float, factors: Floats, random: np.random.Generator) -> Profile:
    """One series, fitted after so many weeks of hourly Poisson counts."""
    profile, one = Profile(1), np.ones(1)
    for hour in range(weeks * HOURS):
        slots, shares = weights(hour % HOURS, 1)
        counted = drawn(random, np.array([level * factors[hour % HOURS]]))
        profile.learn(slots, shares, counted, one * level, profile.season(slots, shares)[0])
    for _ in range(5):
        profile.fit(ALL, np.ones((1, HOURS)))
    return profile


@given(st.floats(0, 168, exclude_max=True), st.sampled_from([1 / 12, 0.25, 0.5, 1.0, 2.0, 5.5, 24.0]))
def test_a_bucket_is_made_of_the_hours_that_it_touches(hour: float, width: float) -> None:
    slots, shares = weights(hour, width)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    assert ((slots >= 0) & (slots < HOURS)).all()
    assert len(slots) == len(shares) <= width + 2
    apart = np.abs((slots - hour + 84) % HOURS - 84)
    assert (apart[shares > 1e-9] <= width + 1.5).all()


def test_a_bucket_by_hand() -> None:
    assert [part.tolist() for part in weights(167.0, 1)] == [[167], [1.0]]
    slots, shares = weights(167.5, 2)
    assert slots.tolist() == [167, 0, 1]
    assert shares == pytest.approx([0.25, 0.5, 0.25])
    slots, shares = weights(0.0, 0.25)  # the middle of the bucket lies before the middle of its hour
    assert slots.tolist() == [167, 0]
    assert shares == pytest.approx([0.375, 0.625])
    slots, shares = weights(9.375, 0.25)
    assert shares @ slots == pytest.approx(9)


def test_the_rhythm_is_learnt() -> None:
    truth = rhythm(np.arange(HOURS, dtype=np.float64))
    truth /= truth.mean()
    profile = fed(8, 40, truth, np.random.default_rng(4))
    assert profile.factors[0].mean() == pytest.approx(1)
    assert float(np.mean(np.abs(profile.factors[0] / truth - 1))) < 0.06


def test_little_data_leaves_it_flat_and_unsure() -> None:
    truth = rhythm(np.arange(HOURS, dtype=np.float64))
    young = fed(1, 0.1, truth, np.random.default_rng(5))
    old = fed(8, 40, truth, np.random.default_rng(5))
    assert np.ptp(np.log(young.factors[0])) < 0.8 * np.ptp(np.log(old.factors[0]))
    assert (old.variances < 0.1 * young.variances).all()
    assert (young.variances <= Profile(1).variances + 1e-6).all()


def test_a_flat_week_stays_flat() -> None:
    profile = fed(6, 100, np.ones(HOURS), np.random.default_rng(6))
    assert float(np.abs(profile.factors - 1).max()) < 0.1


def test_the_level_is_none_of_its_business() -> None:
    """Twice as many voices in all hours: the same rhythm."""
    truth = rhythm(np.arange(HOURS, dtype=np.float64))
    one = fed(6, 50, truth, np.random.default_rng(7))
    twice = fed(6, 50, truth, np.random.default_rng(7))
    twice.counted *= 2
    for _ in range(5):
        twice.fit(ALL, np.ones((1, HOURS)))
    assert twice.factors == pytest.approx(one.factors, rel=0.05)


def test_each_series_is_fitted_for_itself() -> None:
    truth = rhythm(np.arange(HOURS, dtype=np.float64))
    alone = fed(2, 20, truth, np.random.default_rng(8))
    pair = Profile(2)
    pair.counted[1], pair.usual[1] = alone.counted[0], alone.usual[0]
    before = pair.factors[0].copy()
    for _ in range(5):
        pair.fit(np.array([False, True]), np.ones((1, HOURS)))
    assert pair.factors[1] == pytest.approx(alone.factors[0], abs=1e-9)
    assert (pair.factors[0] == before).all()
    pair.fit(np.array([False, False]), np.ones((0, HOURS)))


def test_it_forgets_in_eight_weeks() -> None:
    profile = fed(1, 5, np.ones(HOURS), np.random.default_rng(9))
    before = profile.counted.copy()
    profile.age(8 * HOURS)
    assert profile.counted == pytest.approx(before / 2)
