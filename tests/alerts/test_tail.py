import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.tail import MIN_SPREAD, log_tail, quantile, tail

means = st.floats(0.02, 300)
spreads = st.sampled_from([0.0, 0.003, 0.1, 0.5, 3.0])


def exact(observed: int, mean: float, spread: float) -> float:
    """P(X ≥ observed), summed term by term."""
    r = 1 / max(spread, MIN_SPREAD)
    q = mean / (mean + r)
    below: list[float] = []
    term = math.exp(r * math.log(r / (r + mean)))
    for k in range(observed):
        below.append(term)
        term *= (k + r) / (k + 1) * q
    if math.fsum(below) < 0.99:
        return 1 - math.fsum(below)
    above: list[float] = []
    k = observed
    while term > 1e-30 * (math.fsum(above[:1]) or 1e-280):
        above.append(term)
        term *= (k + r) / (k + 1) * q
        k += 1
    return math.fsum(above)


@settings(deadline=None)
@given(st.integers(0, 600), means, spreads)
def test_equals_the_sum_of_its_terms(observed: int, mean: float, spread: float) -> None:
    wanted = exact(observed, mean, spread)
    if wanted > 1e-250:
        assert tail(observed, mean, spread) == pytest.approx(wanted, rel=1e-6, abs=1e-290)


def test_far_out_it_does_not_end_at_zero() -> None:
    assert log_tail(5000, 1.0, 0.0) < log_tail(4000, 1.0, 0.0) < -1000


@settings(deadline=None)
@given(st.integers(0, 300), means, spreads)
def test_more_voices_are_never_more_likely(observed: int, mean: float, spread: float) -> None:
    assert log_tail(observed + 1, mean, spread) <= log_tail(observed, mean, spread) + 1e-9


@settings(deadline=None)
@given(st.floats(0.01, 0.99), means, spreads)
def test_quantile_is_the_smallest(share: float, mean: float, spread: float) -> None:
    k = quantile(share, mean, spread)
    assert k >= 0
    assert 1 - tail(k + 1, mean, spread) >= share - 1e-9
    assert k == 0 or 1 - tail(k, mean, spread) < share


def test_poisson_by_hand() -> None:
    assert tail(1, 2.0, 0.0) == pytest.approx(1 - math.exp(-2), rel=1e-3)
    assert tail(0, 2.0, 0.0) == 1.0
    assert quantile(0.5, 1_000_000.0, 0.0) == pytest.approx(1_000_000, rel=1e-3)
