"""The normal range under a chart, learnt in one go: quicker than following a series from bucket to bucket, and good enough for a
picture. What alarms is decided by `detector`. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

import numpy as np

from alerts.detection.detector import HOUR
from alerts.detection.profile import Floats, Ints, Profile, weights
from alerts.detection.series import hour_of_week
from alerts.tail import quantile

_LOW, _HIGH = 0.05, 0.95
_HALF_LIFE = timedelta(days=28)
_ROUNDS = 3
_CUT = 3.0


def normal_range(
    counts: Sequence[int], starts: Sequence[datetime], known: int, *, zone: tzinfo
) -> list[tuple[float, float, float]]:
    """(low, expected, high) for each bucket: nine of ten counts lie between low and high. Learnt from the first `known` counts;
    starts: when each bucket begins (aware), evenly spaced. Raises ValueError when lengths differ."""
    if len(counts) != len(starts):
        raise ValueError(f"{len(counts)} counts for {len(starts)} times; want one time for each count")
    if not known:
        return [(0.0, 0.0, 0.0)] * len(starts)
    bucket = (starts[1] - starts[0]) if len(starts) > 1 else HOUR
    places = [weights(hour_of_week(start, zone), bucket / HOUR) for start in starts]
    age = np.array([(starts[known - 1] - start) / _HALF_LIFE for start in starts[:known]])
    recent = 0.5**age
    dispersion = 2.0
    given = np.array(counts[:known], dtype=np.float64)
    # What lies far above is cut, so that a past crisis is not normal: at first far above the busy hours of any day.
    middle, busy = np.quantile(given, [0.5, 0.9])
    most = np.full(known, busy + 3 * (busy - middle) + _CUT * np.sqrt(busy + 1) + 1)
    for _ in range(_ROUNDS):
        cut = np.minimum(given, most)
        mean, unsure = _fitted(cut, recent, places, dispersion)
        dispersion = max(1.0, float(np.mean((cut - mean[:known]) ** 2 / mean[:known])))
        most = mean[:known] + _CUT * np.sqrt(dispersion * mean[:known]) + 1
    spreads = np.maximum(dispersion - 1, 0.0) / mean + unsure
    return [
        (quantile(_LOW, m, spread), m, quantile(_HIGH, m, spread))
        for m, spread in zip(np.round(mean, 3).tolist(), np.round(spreads, 4).tolist(), strict=True)
    ]


def _fitted(
    cut: Floats, recent: Floats, places: Sequence[tuple[Ints, Floats]], dispersion: float
) -> tuple[Floats, Floats]:
    """The mean of each bucket, rhythm of the week × level, and how unsure its logarithm is (a variance)."""
    profile = Profile(1)
    level = max(float(np.sum(recent * cut) / np.sum(recent)), 0.02)
    one = np.ones(1)
    for count, weight, (slots, shares) in zip(cut, recent, places, strict=False):
        profile.learn(slots, shares, one * count * weight, one * level * weight, one)
    for _ in range(_ROUNDS):
        profile.fit(np.array([True]), np.full((1, 168), dispersion))
    seasons = [profile.season(slots, shares) for slots, shares in places]
    season, unsure = np.array([float(s[0]) for s, _ in seasons]), np.array([float(v[0]) for _, v in seasons])
    scale = float(np.sum(recent * cut) / np.sum(recent * season[: len(cut)]))
    return np.maximum(season * scale, 0.02), unsure
