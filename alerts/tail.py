"""Tail and quantile of the negative binomial distribution, without scipy. Pure.

Written as counts with mean `mean` and variance mean + spread · mean²; a spread of 0 is Poisson, for which a
very small spread stands in (MIN_SPREAD changes the variance of a mean of 100 by 1 %).
Source: P(X ≥ k) = I_q(k, r), r = 1/spread, q = mean/(mean + r), I the regularised incomplete beta function
(DLMF 8.17.5 and the continued fraction 8.17.22, evaluated by Lentz's method).
"""

import math
from bisect import bisect_left
from functools import lru_cache

MIN_SPREAD = 1e-4
_TINY = 1e-300
_STEPS = 5000


def log_tail(observed: int, mean: float, spread: float) -> float:
    """Natural logarithm of P(X ≥ observed); 0.0 when it is certain. Exact far out, where the probability
    itself would be 0."""
    if observed <= 0:
        return 0.0
    if mean <= 0:
        return -math.inf
    r = 1 / max(spread, MIN_SPREAD)
    return _log_incomplete_beta(float(observed), r, mean / (mean + r), r / (mean + r))


def tail(observed: int, mean: float, spread: float) -> float:
    """P(X ≥ observed)."""
    return math.exp(log_tail(observed, mean, spread))


@lru_cache(maxsize=4096)
def quantile(share: float, mean: float, spread: float) -> int:
    """The smallest k with P(X ≤ k) ≥ share, 0 < share < 1."""
    top = 1
    while tail(top + 1, mean, spread) > 1 - share:
        top *= 2
    return bisect_left(range(top + 1), True, key=lambda k: tail(k + 1, mean, spread) <= 1 - share)


def _log_incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """log I_x(a, b) with rest = 1 - x given apart, so that nothing is lost when x is near 1."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    if x < (a + 1) / (a + b + 2):
        return min(log_front + math.log(_fraction(a, b, x)) - math.log(a), 0.0)
    below = math.exp(log_front + math.log(_fraction(b, a, rest)) - math.log(b))
    return math.log1p(-min(below, 1 - 1e-16))


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        before = value
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _away_from_zero(1 + step * d)
            c = _away_from_zero(1 + step / c)
            value *= c * d
        if abs(value - before) <= 1e-14 * abs(value):
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
