"""Tail and probability of the negative binomial distribution for whole arrays. Pure.

Counts with mean `mean` and variance `dispersion` · mean; a dispersion of 1 is Poisson, for which LEAST_DISPERSION stands in.
Large and smooth ones (r ≥ 2 and mean ≥ 20, r = mean / (dispersion - 1)) by the saddlepoint r* formula with continuity correction
(Butler, Saddlepoint Approximations with Applications, 2007, §1.2), whose error in log10 is below 0.01; the others by the series
P(X = k) (1 + ρ₁ + ρ₁ρ₂ + …), ended by a geometric remainder.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_DISPERSION = 1.00005
_LEAST_MEAN = 1e-6
_TERMS = 40
_LOG10 = math.log(10)
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_NEAR = 0.2
"""Closer to the mean than this many deviations the r* formula divides zero by zero, and nobody asks."""


def rarity(observed: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """-log10 P(X ≥ observed); 0 at or below the mean. Three arrays of one shape; never lower for a larger `observed`."""
    mean = np.maximum(mean, _LEAST_MEAN)
    dispersion = np.maximum(dispersion, LEAST_DISPERSION)
    r = mean / (dispersion - 1)
    smooth, above = (r >= 2) & (mean >= 20), observed > mean
    out = np.zeros(mean.shape)
    for formula, here in ((_saddlepoint, smooth & above), (_series, ~smooth & above)):
        if here.any():
            out[here] = formula(observed[here], mean[here], r[here])
    return out


def log_probability(observed: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """Natural logarithm of P(X = observed), broadcasting; `observed` may be fractional (the gamma function fills in)."""
    r = mean / (dispersion - 1)
    return (
        log_gamma(observed + r)
        - log_gamma(r)
        - log_gamma(observed + 1.0)
        - r * np.log(dispersion)
        + observed * np.log1p(-1 / dispersion)
    )


def log_gamma(x: Floats) -> Floats:
    """log Γ(x) for x > 0 by Stirling's series after four steps up; error below 1e-6."""
    up = x + 4
    stirling: Floats = (
        (up - 0.5) * np.log(up) - up + _HALF_LOG_2PI + (1 / 12 - 1 / (360 * up * up)) / up
    ) - np.log(x * (x + 1) * (x + 2) * (x + 3))
    return stirling


def _saddlepoint(k: Floats, mean: Floats, r: Floats) -> Floats:
    ratio = np.log(k / mean)
    other = np.log((k + r) / (mean + r))
    w = np.sqrt(np.maximum(2 * (k * ratio - (k + r) * other), 1e-12))
    u = -np.expm1(other - ratio) * np.sqrt(k + k * k / r)
    z = w + np.log(np.maximum(u, 1e-12) / w) / w
    return np.asarray(np.where(w > _NEAR, normal_rarity(np.maximum(z, 0.0)), 0.0))


def normal_rarity(z: Floats) -> Floats:
    """-log10 of the upper tail of the standard normal for z ≥ 0, never 0 / 0 far out. Source: a rational Chebyshev fit of erfc
    (Numerical Recipes §6.2, relative error 1.2e-7)."""
    x = z / math.sqrt(2)
    t = 1 / (1 + 0.5 * x)
    fit = np.polynomial.polynomial.polyval(t, _ERFC)
    return np.asarray((x * x - fit - np.log(t) + math.log(2)) / _LOG10)


_ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
)  # fmt: skip


def _series(k: Floats, mean: Floats, r: Floats) -> Floats:
    q = mean / (mean + r)
    steps = np.arange(_TERMS)
    ratios = q[:, None] * (k[:, None] + r[:, None] + steps) / (k[:, None] + 1 + steps)
    terms = np.cumprod(ratios, axis=1)
    last = np.minimum(ratios[:, -1], 1 - 1e-9)
    total = 1 + terms.sum(axis=1) + terms[:, -1] * last / (1 - last)
    first = log_probability(k, mean, mean / r + 1)
    return np.asarray(np.maximum(-(first + np.log(total)) / _LOG10, 0.0))
