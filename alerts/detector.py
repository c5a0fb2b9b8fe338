"""Is a count of voices too high to be chance? The port and its first implementation. Pure: no clock, no
store, no state.

A `Detector` reads a series' past and gives a `Baseline`; a baseline says what is normal at a time and judges
a count.

The implementation here is a weekly profile. Expected voices by local hour of week; an hour of week that was
seen a few times only leans on its hour of day × day of week, and these on the overall mean. Recent weeks
weigh more. Counts far above the profile are cut before they are averaged, so a past crisis does not become
normal. The spread is that of a negative binomial whose far tail was censored while fitting; the uncertainty
of the profile itself is added to it, which makes a short history sceptical. Not modelled: holidays, trends
within a day, dependence between neighbouring hours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alerts.tail import log_tail, quantile

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)
HOURS_OF_WEEK = 168
HALF_LIFE_DAYS = 28.0
LEAST_KNOWN = timedelta(hours=24)
"""With less history than this nothing can be said to be odd."""
SCEPTICAL_UNTIL = timedelta(days=3)
_PRIOR_HOUR, _PRIOR_SLOT = 3.0, 4.0
_FLOOR = 0.02
_CUT_SPREADS = 3.0
_ROUNDS = 4
_SPREADS = np.concatenate(([1e-4], np.geomspace(0.003, 3.0, 28)))

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Expectation:
    """Voices expected in a window, and the range `low`..`high` in which nine of ten such windows lie."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` is -log10 of the probability of so many voices or more by chance; 0 = nothing odd, larger =
    more so."""

    observed: int
    expected: float
    low: float
    high: float
    score: float
    alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a user allows: false alarms per 30 days over all `series` of a rule together, and the least voices
    worth a word. `looks`: into how many independent looks at each window the way of looking amounts (sliding
    windows look more often)."""

    false_alarms_per_30_days: float
    minimum_voices: int = 5
    series: int = 1
    looks: float = 1.0

    def log_threshold(self, length: timedelta) -> float:
        """Natural logarithm of the probability under which a window of this length is an alarm."""
        tests = MONTH / length * self.series * self.looks
        return (
            math.log(self.false_alarms_per_30_days / tests)
            if self.false_alarms_per_30_days > 0
            else -math.inf
        )


class Baseline(Protocol):
    """What is normal, learnt from the past of one series."""

    def expect(self, start: datetime, length: timedelta) -> Expectation:
        """For any window, whole buckets or not."""
        ...

    def judge(self, observed: int, start: datetime, length: timedelta, budget: Budget) -> Judgement: ...


class Detector(Protocol):
    def __call__(
        self, history: Sequence[int | None], starts: Sequence[datetime], *, zone: tzinfo
    ) -> Baseline:
        """history: voices per bucket, oldest first, None = was not heard; starts: when each begins (aware),
        evenly spaced."""
        ...


@dataclass(frozen=True, slots=True)
class Profile:
    """A Baseline: mean and spread of a bucket for each local hour of week, Monday 00 first."""

    zone: tzinfo
    bucket: timedelta
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    known: timedelta

    def expect(self, start: datetime, length: timedelta) -> Expectation:
        mean, spread = self.moments(start, length)
        return Expectation(mean, quantile(0.05, mean, spread), quantile(0.95, mean, spread))

    def judge(self, observed: int, start: datetime, length: timedelta, budget: Budget) -> Judgement:
        mean, spread = self.moments(start, length)
        chance = log_tail(observed, mean, spread)
        high = quantile(0.95, mean, spread)
        learnt = self.known >= LEAST_KNOWN
        return Judgement(
            observed=observed,
            expected=mean,
            low=quantile(0.05, mean, spread),
            high=high,
            score=max(0.0, -chance / math.log(10)) if learnt else 0.0,
            alarm=learnt
            and observed >= budget.minimum_voices
            and observed > high
            and chance < budget.log_threshold(length),
        )

    def moments(self, start: datetime, length: timedelta) -> tuple[float, float]:
        """Mean and spread of a window: the hours of week that it touches, weighted by how much of each it
        covers."""
        if self.bucket > HOUR:
            slot = hour_of_week(start, self.zone)
            return self.means[slot] * (length / self.bucket), self.spreads[slot]
        mean = variance_of_rate = 0.0
        at, end = start, start + length
        while at < end:
            upto = min(
                end, at + HOUR - timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond)
            )
            slot = hour_of_week(at, self.zone)
            part = self.means[slot] * ((upto - at) / self.bucket)
            mean += part
            variance_of_rate += self.spreads[slot] * part
            at = upto
        return mean, variance_of_rate / mean


def weekly_profile(history: Sequence[int | None], starts: Sequence[datetime], *, zone: tzinfo) -> Profile:
    """The first Detector. An empty or wholly unheard history gives a profile that never alarms.

    Raises ValueError when lengths differ or a count is negative."""
    if len(history) != len(starts):
        raise ValueError(f"{len(history)} counts for {len(starts)} times; want one time for each count")
    heard = [(count, start) for count, start in zip(history, starts, strict=True) if count is not None]
    if any(count < 0 for count, _ in heard):
        raise ValueError("a count is negative; want 0 or more voices")
    bucket = starts[1] - starts[0] if len(starts) > 1 else HOUR
    known = bucket * len(heard)
    if not heard:
        return Profile(zone, bucket, (_FLOOR,) * HOURS_OF_WEEK, (float(_SPREADS[-1]),) * HOURS_OF_WEEK, known)
    counts = np.array([count for count, _ in heard], dtype=np.float64)
    slots = np.array([hour_of_week(start, zone) for _, start in heard], dtype=np.int64)
    newest = heard[-1][1]
    ages = np.array([(newest - start) / timedelta(days=1) for _, start in heard], dtype=np.float64)
    weights = 0.5 ** (ages / HALF_LIFE_DAYS)
    means, spread = _fit(counts, slots, weights, max(1.0, timedelta(days=1) / bucket))
    spreads = spread + _uncertainty(means, slots, weights, spread) + _scepticism(known)
    return Profile(zone, bucket, tuple(means.tolist()), tuple(spreads.tolist()), known)


def band(baseline: Baseline, starts: Sequence[datetime], length: timedelta) -> list[Expectation]:
    """The normal range under a chart: one Expectation for each window."""
    return [baseline.expect(start, length) for start in starts]


def scan(
    counts: Sequence[int | None],
    starts: Sequence[datetime],
    *,
    zone: tzinfo,
    budget: Budget,
    detector: Detector = weekly_profile,
    lookback: timedelta = timedelta(days=56),
    refit: timedelta = timedelta(days=1),
) -> list[Judgement | None]:
    """Judge every bucket of a series from its own past only, learning anew every `refit`. None where nothing
    was heard."""
    if not starts:
        return []
    bucket = starts[1] - starts[0] if len(starts) > 1 else HOUR
    stride, memory = max(1, refit // bucket), max(1, lookback // bucket)
    judged: list[Judgement | None] = []
    for first in range(0, len(counts), stride):
        past = slice(max(0, first - memory), first)
        baseline = detector(counts[past], starts[past], zone=zone)
        for count, start in zip(counts[first : first + stride], starts[first : first + stride], strict=True):
            judged.append(None if count is None else baseline.judge(count, start, bucket, budget))
    return judged


def hour_of_week(moment: datetime, zone: tzinfo) -> int:
    """0 = Monday 00:00–00:59 local time … 167 = Sunday 23:00."""
    local = moment.astimezone(zone)
    return local.weekday() * 24 + local.hour


def _fit(counts: Floats, slots: Ints, weights: Floats, per_day: float) -> tuple[Floats, float]:
    """Means per hour of week and one spread; `per_day`: buckets in a day. Each round cuts what lies far above
    the last round's profile."""
    cut = np.minimum(counts, _first_cut(counts))
    means, spread = _means(cut, slots, weights, per_day), 0.1
    for _ in range(_ROUNDS):
        at = means[slots]
        limits = np.ceil(at + _CUT_SPREADS * np.sqrt(at + spread * at**2)) + 1
        cut = np.minimum(counts, limits)
        means = _means(cut, slots, weights, per_day)
        spread = _best_spread(cut, cut >= limits, means[slots], weights)
    return means, spread


def _first_cut(counts: Floats) -> float:
    """Where nothing is known of hours yet: far above the upper quartile of all counts."""
    middle, upper = np.quantile(counts, [0.5, 0.9])
    return float(upper + 3 * (upper - middle) + 3 * math.sqrt(upper + 1) + 1)


def _means(counts: Floats, slots: Ints, weights: Floats, per_day: float) -> Floats:
    """Weighted means, each level shrunk toward the one above it by a prior worth a few buckets."""
    overall = max(float(np.sum(weights * counts) / np.sum(weights)), _FLOOR)
    hour = _shrunk(counts, slots % 24, weights, np.full(24, overall), _PRIOR_HOUR)
    day = _shrunk(counts, slots // 24, weights, np.full(7, overall), per_day)
    parent = np.outer(day, hour).ravel() / overall
    return np.maximum(_shrunk(counts, slots, weights, parent, _PRIOR_SLOT), _FLOOR)


def _shrunk(counts: Floats, groups: Ints, weights: Floats, parent: Floats, prior: float) -> Floats:
    size = len(parent)
    sums = np.bincount(groups, weights * counts, size) + prior * parent
    shrunk: Floats = sums / (np.bincount(groups, weights, size) + prior)
    return shrunk


def _best_spread(counts: Floats, censored: NDArray[np.bool_], means: Floats, weights: Floats) -> float:
    """The spread of greatest likelihood; of a cut count it is only known that it was at least so large, so
    one disaster weighs as little as one busy hour."""
    table, where = np.unique(
        np.stack((counts, np.round(means, 2), censored.astype(np.float64))), axis=1, return_inverse=True
    )
    cells = table.astype(np.float64)
    shares = np.bincount(where.ravel(), weights).astype(np.float64)
    low, high = 0, len(_SPREADS) - 1  # the likelihood has one peak: close in on it
    while low < high:
        middle = (low + high) // 2
        here, next_up = (_log_likelihood(cells, shares, float(_SPREADS[i])) for i in (middle, middle + 1))
        low, high = (middle + 1, high) if here < next_up else (low, middle)
    return float(_SPREADS[low])


def _log_likelihood(cells: Floats, shares: Floats, spread: float) -> float:
    """Up to a constant that does not depend on the spread."""
    counts, means, censored = cells
    means = np.maximum(means, _FLOOR)
    r = 1 / spread
    exact = (
        _lgamma(counts + r)
        - math.lgamma(r)
        + r * np.log(r / (r + means))
        + counts * np.log(means / (r + means))
    )
    for i in np.flatnonzero(censored):
        exact[i] = log_tail(int(counts[i]), float(means[i]), spread)
    return float(np.sum(shares * exact))


def _lgamma(values: Floats) -> Floats:
    return np.array([math.lgamma(value) for value in values.tolist()], dtype=np.float64)


def _uncertainty(means: Floats, slots: Ints, weights: Floats, spread: float) -> Floats:
    """Relative variance of each mean: that of one bucket over the number of buckets that it rests on."""
    seen = np.bincount(slots, weights, HOURS_OF_WEEK)
    same_hour = np.bincount(slots % 24, weights, 24)[np.arange(HOURS_OF_WEEK) % 24]
    rests_on = np.maximum(seen + np.minimum(_PRIOR_SLOT, same_hour), 1.0)
    relative: Floats = (1 / np.maximum(means, 0.2) + spread) / rests_on
    return relative


def _scepticism(known: timedelta) -> float:
    """Extra spread while there are not even three days to learn from."""
    return max(0.0, 1 - known / SCEPTICAL_UNTIL)
