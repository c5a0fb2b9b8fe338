"""Tails of whole arrays, against the exact ones of `alerts.tail` and of scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import norm, poisson

from alerts.detection.tail import log_gamma, log_probability, normal_rarity, rarity
from alerts.tail import log_tail

means = st.floats(1e-4, 300)
dispersions = st.floats(1.05, 40)
"""Less than 1.03 is for large means a smaller spread than the exact tail takes."""


def at(observed: float, mean: float, dispersion: float) -> float:
    return float(rarity(np.array([observed]), np.array([mean]), np.array([dispersion]))[0])


@settings(deadline=None, max_examples=400)
@given(st.integers(0, 2500), means, dispersions)
def test_equals_the_exact_tail(observed: int, mean: float, dispersion: float) -> None:
    exact = -log_tail(observed, mean, (dispersion - 1) / mean) / math.log(10)
    deviations = (observed - mean) / math.sqrt(dispersion * mean)
    if observed > mean and deviations > 0.5:
        assert at(observed, mean, dispersion) == pytest.approx(exact, abs=0.02)


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0.2, 100))
def test_a_dispersion_of_1_is_poisson(observed: int, mean: float) -> None:
    """Nearly: what stands in for it shows where a mean is far below 1."""
    exact = -float(poisson.logsf(observed - 1, mean)) / math.log(10)
    if observed > mean + math.sqrt(mean) and exact < 30:
        assert at(observed, mean, 1.0) == pytest.approx(exact, abs=0.02, rel=0.01)
        assert at(observed, mean, 0.3) == at(observed, mean, 1.0), "less than Poisson is not believed"


@settings(deadline=None, max_examples=300)
@given(st.floats(0, 3000), st.floats(0, 50), st.floats(0, 500), st.floats(1, 200))
def test_never_lower_for_more_voices(observed: float, more: float, mean: float, dispersion: float) -> None:
    assert at(observed + more, mean, dispersion) >= at(observed, mean, dispersion) - 1e-9


@given(means, dispersions)
def test_what_is_usual_is_not_rare(mean: float, dispersion: float) -> None:
    assert at(mean, mean, dispersion) == at(0, mean, dispersion) == 0.0


def test_each_element_is_judged_for_itself() -> None:
    observed = np.array([[0.0, 7.0, 90.0], [30.0, 30.0, 30.0]])
    mean = np.array([[2.0, 2.0, 2.0], [1.0, 25.0, 500.0]])
    dispersion = np.array([[1.0, 1.5, 30.0], [1.0, 2.0, 3.0]])
    whole = rarity(observed, mean, dispersion)
    assert whole.shape == observed.shape
    for i in np.ndindex(observed.shape):
        assert whole[i] == at(float(observed[i]), float(mean[i]), float(dispersion[i]))


def test_extremes_stay_finite() -> None:
    extremes = np.array([0.0, 0.3, 1.0, 1e3, 1e6, 1e12])
    observed, mean, dispersion = (a.ravel() for a in np.meshgrid(extremes, extremes, [1.0, 2.0, 1e4]))
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        assert np.isfinite(rarity(observed, mean, dispersion)).all()


@given(st.floats(1e-6, 1e6))
def test_log_gamma(x: float) -> None:
    assert float(log_gamma(np.array(x))) == pytest.approx(float(gammaln(x)), abs=1e-6, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 60), st.floats(1.05, 20))
def test_probabilities_sum_to_one(mean: float, dispersion: float) -> None:
    counts = np.arange(4000.0)
    all_of_them = np.exp(log_probability(counts, np.array(mean), np.array(dispersion)))
    assert all_of_them.sum() == pytest.approx(1, abs=1e-4)
    assert (counts * all_of_them).sum() == pytest.approx(mean, rel=1e-3)


@given(st.floats(0, 100))
def test_normal_tail(z: float) -> None:
    assert float(normal_rarity(np.array(z))) == pytest.approx(-norm.logsf(z) / math.log(10), abs=1e-6)
