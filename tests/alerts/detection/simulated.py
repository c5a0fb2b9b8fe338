"""Simulated voices for the tests of the detector: a rhythm of the week, Poisson or negative binomial around it."""

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.detection.detector import HOUR, Detector, Reading

Floats = NDArray[np.float64]
WEEK = 168


def rhythm(hours: Floats) -> Floats:
    """A factor, about 1 on average, for each hour of the week: quiet nights, high evenings, calm weekends."""
    day = np.exp(0.9 * np.cos(2 * np.pi * (hours % 24 - 17) / 24))
    return np.asarray(day / 1.2 * np.where(hours % WEEK // 24 >= 5, 0.6, 1.16))


def means(days: float, *per_hour: float, bucket: timedelta = HOUR) -> Floats:
    """Expected voices, shape (buckets, series), from a Monday on."""
    hours = np.arange(round(timedelta(days=days) / bucket), dtype=np.float64) * (bucket / HOUR)
    return np.asarray(rhythm(hours)[:, None] * np.array(per_hour) * (bucket / HOUR))


def drawn(random: np.random.Generator, mean: Floats, dispersion: Floats | float = 1.0) -> Floats:
    """Counts around `mean` with a variance of `dispersion` times it; 1 = Poisson."""
    more = np.broadcast_to(np.asarray(dispersion, dtype=np.float64) - 1, mean.shape)
    shape = np.where(more > 0, mean / np.maximum(more, 1e-9), 1.0)
    rate = np.where(more > 0, random.gamma(np.maximum(shape, 1e-9), np.maximum(more, 1e-9)), mean)
    return random.poisson(rate).astype(np.float64)


def ticked(
    detector: Detector,
    counts: Floats,
    *,
    bucket: timedelta = HOUR,
    first: int = 0,
    exposure: Floats | None = None,
) -> list[Reading]:
    """One reading for each row of `counts` (and of `exposure`); `first`: how many buckets after Monday 00:00 they begin."""
    hours = (np.arange(len(counts)) + first) * (bucket / HOUR) % WEEK
    shown = np.ones_like(counts) if exposure is None else exposure
    return [
        detector.tick(float(hour), row, part) for hour, row, part in zip(hours, counts, shown, strict=True)
    ]


def scores(readings: list[Reading]) -> Floats:
    """Shape (buckets, series)."""
    return np.stack([reading.score for reading in readings])
