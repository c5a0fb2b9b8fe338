"""How rare is such a rarity in this very series? Pure.

A probability model is right about the middle of a series and wrong about its bursts: where people often come in crowds, what the
model takes for once in a century comes each week. So each series remembers how often it has reached each level, and a rarity
counts for as much as the model *and* the series' own past allow. A series that behaves like the model, with up to some large
events a month, is left as it is; above that allowance its own records rule.

The form was chosen on real tweet counts with spikes put into them and on simulated counts (docs/detection.md); the constants
matter little.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEVELS = np.log(2.5) + 0.25 * np.arange(28)
"""Of log(1 + rarity)."""
_STEP, _BLUR = 0.25, 0.18
_SLOPE, _PER_MONTH = 0.85, (2.6, 3.4)
"""The model's own log10 of events per 30 days at a rarity of 0, in wide and in narrow buckets, and how it falls with rarity."""
_HALF_LIFE_DAYS, _PRIOR_DAYS = 25.0, 2.5
_PRIOR_EVENTS, _PRIOR_FALL = 45.0, 1.0
_ALLOWED, _SHARPNESS, _RECORDS_FROM = 11.0, 6.0, 9.0
_NARROW_HOURS = 0.25
_APART_HOURS = 6.0
_NEVER = 254


class Novelty:
    """State per series: how often each level was reached (fading), and how many buckets ago."""

    def __init__(self, series: int, hours: float) -> None:
        """`hours`: width of a bucket."""
        narrow = int(hours <= _NARROW_HOURS)
        self._hours = hours
        self._per_month = _PER_MONTH[narrow]
        self._records = 10 ** (self._per_month - _SLOPE * _RECORDS_FROM) / _ALLOWED
        self._apart = min(max(int(_APART_HOURS / hours), 1), _NEVER - 1)
        self.reached = np.zeros((series, len(_LEVELS)))
        self.ago = np.full((series, len(_LEVELS)), _NEVER, dtype=np.uint8)
        self.days = np.zeros(series)
        self.prior = np.full(series, _PRIOR_DAYS)

    def weigh(self, rarity: Floats) -> Floats:
        """The rarity that counts, at most the given one, rising with it; shape (series,)."""
        height = np.log1p(rarity)
        own = self._own_rate(height)
        much = (own / _ALLOWED) ** _SHARPNESS
        allowed = own * (self._records + much) / (1 + much)
        rate = 10 ** (self._per_month - _SLOPE * rarity) + allowed
        return np.asarray((self._per_month - np.log10(rate + 1e-300)) / _SLOPE)

    def remember(self, rarity: Floats, heard: Bools) -> None:
        height = np.log1p(rarity)
        fade = np.where(heard, 0.5 ** (self._hours / 24 / _HALF_LIFE_DAYS), 1.0)
        hit = (height[:, None] >= _LEVELS) & heard[:, None]
        self.reached = self.reached * fade[:, None] + (hit & (self.ago + 1 > self._apart))
        self.ago = np.where(hit, 0, np.minimum(self.ago, _NEVER - 1) + 1).astype(np.uint8)
        self.days = self.days * fade + np.where(heard, self._hours / 24, 0.0)
        self.prior = self.prior * fade

    def _own_rate(self, height: Floats) -> Floats:
        """How often a month this series reaches such a height, itself and a prior for its first weeks taken together."""
        next_up = np.concatenate((self.reached[:, 1:], np.zeros((len(height), 1))), axis=1)
        here = np.maximum(self.reached - next_up, 0.0)
        above = 1 / (1 + np.exp(np.clip((height[:, None] - _LEVELS - _STEP / 2) / _BLUR, -60, 60)))
        beyond = np.where(height > 1.6, height - 1.6, 0.3 * (height - 1.6))
        prior = _PRIOR_EVENTS * np.exp(-_PRIOR_FALL * beyond) / 30
        rate: Floats = ((here * above).sum(axis=1) + self.prior * prior) / (self.days + self.prior) * 30
        return rate
