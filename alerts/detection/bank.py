"""Level, memory and spread of many series, learnt from one bucket after the other by a bank of filters. Pure.

A series' logarithmic rate is a level, which drifts, plus a memory, which fades with six hours (people answer each other); counts
are negative binomial around it. How dispersed the counts and how strong the memory is no one knows: there is one filter for each
pair of a grid, weighted by how well it has foretold so far. Each filter exists twice, with a slow and with a quick level: after a
shift of the normal the quick one foretells better, takes the weight within hours, and hands its level to the slow one.
Sources: extended Kalman filter of a dynamic generalised linear model (West & Harrison, Bayesian Forecasting and Dynamic Models,
1997, ch. 14), multi-process models (ch. 12) mixed as in Blom & Bar-Shalom's interacting multiple models (1988).

Crises must not become normal: a count moves the state at most as far as an unlikely count would; while the series is alarming
(`trust` near 0) the spread is not learnt.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.detection.tail import LEAST_DISPERSION, log_probability

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MEMORY_HOURS = 6.0
DISPERSIONS = np.array([1.0, 1.5, 2.2, 3.3, 5.0, 9.0, 20.0])
MEMORIES = np.array([0.02, 0.12, 0.21, 0.32, 0.6])
_DISPERSION_PRIOR = np.array([0.25, 0.2, 0.2, 0.2, 0.1, 0.04, 0.01])
_MEMORY_PRIOR = np.array([0.3, 0.25, 0.25, 0.15, 0.05])
_DRIFTS = np.array([0.02, 0.7])
"""Of the slow and the quick level: standard deviation of its logarithm after a day."""
_TO_QUICK_HOURS, _TO_SLOW_HOURS = 1440.0, 12.0
"""How long a level stays slow, and quick, on average."""
_FORGET_DAYS = 40.0
_DOWN, _UP = 3.0, 2.5
_OUTLIERS_PER_HOUR = 0.05
_VAGUE = 4.0
_LEAST_WEIGHT = -25.0
_MOST = 20.0
_PAIRS = len(DISPERSIONS) * len(MEMORIES)
_PHI = np.repeat(DISPERSIONS, len(MEMORIES))
_SIGMA = np.tile(MEMORIES, len(DISPERSIONS))
_PRIOR = np.log(np.outer(_DISPERSION_PRIOR, _MEMORY_PRIOR)).ravel()
STATE = ("level", "memory", "level_variance", "covariance", "memory_variance", "speed", "weight")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the bank holds before a bucket, each of shape (series,): logarithmic level and memory, their variances, the counts'
    dispersion, and the variance of the memory when nothing is known of it."""

    level: Floats
    memory: Floats
    level_variance: Floats
    memory_variance: Floats
    dispersion: Floats
    memory_power: Floats


class Bank:
    """State: arrays of shape (2, series, pairs), slow level first; `weight` of the pairs (series, pairs). Weights and speeds are
    logarithms."""

    def __init__(self, series: int, hours: float) -> None:
        """`hours`: width of a bucket."""
        shape = (2, series, _PAIRS)
        self._hours = hours
        self._fade = math.exp(-hours / MEMORY_HOURS)
        self._drift = (_DRIFTS**2 * hours / 24)[:, None, None]
        self._outliers = min(_OUTLIERS_PER_HOUR * hours, 0.05)
        # The narrower the bucket, the farther from its mean a count lies once an hour.
        self._up = 0.4 + 1.05 * max(0.0, math.log(1 / hours))
        self.level = np.zeros(shape)
        self.memory = np.zeros(shape)
        self.level_variance = np.full(shape, _VAGUE)
        self.covariance = np.zeros(shape)
        self.memory_variance = np.broadcast_to(_SIGMA**2, shape).copy()
        self.speed = np.broadcast_to(np.log([0.9, 0.1])[:, None, None], shape).copy()
        self.weight = np.tile(_PRIOR, (series, 1))

    def begin(self, which: Bools, level: Floats) -> None:
        """Set the logarithmic level of series that were not heard before; it stays vague."""
        self.level[:, which] = level[which][None, :, None]

    def outlook(self) -> Outlook:
        pair = _shares(self.weight, axis=1)
        share = _shares(self.speed, axis=0) * pair
        level, memory = _mean(share, self.level), _mean(share, self.memory)
        return Outlook(
            level=level,
            memory=memory,
            level_variance=_mean(share, self.level_variance + (self.level - level[:, None]) ** 2),
            memory_variance=_mean(share, self.memory_variance + (self.memory - memory[:, None]) ** 2),
            dispersion=pair @ _PHI,
            memory_power=pair @ _SIGMA**2,
        )

    def learn(self, counts: Floats, base: Floats, heard: Bools, trust: Floats) -> None:
        """counts: of this bucket; base: what a level of 0 lets expect (rhythm × exposure); heard: learn from it at all;
        trust: 0..1, how far the spread is learnt from it. All of shape (series,)."""
        self._mix()
        self._fade_on()
        observed, here = counts[:, None], heard[:, None]
        variance = self.level_variance + 2 * self.covariance + self.memory_variance
        mean = base[:, None] * np.exp(
            np.minimum(self.level + self.memory + np.minimum(variance, 1) / 2, _MOST)
        )
        mean = np.maximum(mean, 1e-9)
        fit = self._fit(observed, mean, variance, counts)
        together = np.logaddexp(self.speed[0] + fit[0], self.speed[1] + fit[1])
        self._correct(observed, mean, variance, here)
        fade = math.exp(-self._hours / 24 / _FORGET_DAYS)
        learnt = _PRIOR + (self.weight - _PRIOR) * fade + together * trust[:, None]
        learnt -= learnt.max(axis=1, keepdims=True)
        self.weight = np.where(here, np.maximum(learnt, _LEAST_WEIGHT), self.weight)
        self.speed = np.where(here, self.speed + fit - together, self.speed)

    def _fit(self, observed: Floats, mean: Floats, variance: Floats, counts: Floats) -> Floats:
        """How well each filter foretold, in logarithms; a rare outlier tells nothing of any of them."""
        dispersion = _PHI + mean * np.minimum(np.expm1(np.minimum(variance, 2)), 6.0)
        foretold = log_probability(observed, mean, np.maximum(dispersion, LEAST_DISPERSION))
        usual = _mean(_shares(self.speed, axis=0) * _shares(self.weight, axis=1), mean) + 1
        anything = -np.log(usual) - 2 * np.log1p(counts / usual) + math.log(self._outliers)
        fit: Floats = np.logaddexp(math.log1p(-self._outliers) + foretold, anything[:, None])
        return fit

    def _correct(self, observed: Floats, mean: Floats, variance: Floats, here: Bools) -> None:
        spread = np.sqrt(_PHI * mean + mean * mean * np.minimum(variance, 1))
        surprise = np.clip(observed - mean, -_DOWN * spread - 0.5, _UP * spread + self._up * _PHI) / _PHI
        known = mean / _PHI
        part = here / (1 + known * variance)
        to_level = (self.level_variance + self.covariance) * part
        to_memory = (self.covariance + self.memory_variance) * part
        lost = known * (self.level_variance + self.covariance)
        self.memory_variance = (
            self.memory_variance - known * (self.covariance + self.memory_variance) * to_memory
        )
        self.level_variance = self.level_variance - lost * to_level
        self.covariance = self.covariance - lost * to_memory
        self.level = self.level + to_level * surprise
        self.memory = self.memory + to_memory * surprise

    def _fade_on(self) -> None:
        """A bucket's time passes."""
        fade = self._fade
        self.level_variance = self.level_variance + self._drift
        self.covariance = self.covariance * fade
        self.memory = self.memory * fade
        self.memory_variance = self.memory_variance * fade**2 + _SIGMA**2 * (1 - fade**2)

    def _mix(self) -> None:
        """A slow level may have become quick, and a quick one slow: each takes over a little of the other."""
        quicken = self._hours / _TO_QUICK_HOURS
        settle = min(self._hours / _TO_SLOW_HOURS, 0.5)
        share = _shares(self.speed, axis=0)
        came = np.stack((share[1] * settle, share[0] * quicken))
        stayed = np.stack((share[0] * (1 - quicken), share[1] * (1 - settle)))
        total = came + stayed
        taken = came / total
        to_level, to_memory = self.level[::-1] - self.level, self.memory[::-1] - self.memory
        apart = taken * (1 - taken)
        for name, spread in (
            ("level_variance", to_level**2),
            ("covariance", to_level * to_memory),
            ("memory_variance", to_memory**2),
        ):
            was = getattr(self, name)
            setattr(self, name, was + taken * (was[::-1] - was) + apart * spread)
        self.level = self.level + taken * to_level
        self.memory = self.memory + taken * to_memory
        self.speed = np.log(total)


def _shares(weights: Floats, axis: int) -> Floats:
    """Logarithms → shares that sum to 1 along `axis`."""
    grown = np.exp(weights - weights.max(axis=axis, keepdims=True))
    shares: Floats = grown / grown.sum(axis=axis, keepdims=True)
    return shares


def _mean(share: Floats, of: Floats) -> Floats:
    """Weighted mean over speeds and pairs, shape (series,)."""
    return np.asarray(np.einsum("snp,snp->n", share, of))
