"""From rarity to what a user understands: how often would chance alone raise a notification as rare as this one? Pure.

A rarity is the best of several overlapping windows at every bucket, and what it rests on is estimated: its false alarms
cannot be reckoned, only measured. The tables below were measured on simulated series without any spike (`python -m
benchmarks.calibrate_detection` prints them anew): notifications per 30 days, told apart by six quiet hours, for buckets of an
hour and of five minutes and for five classes of volume; between them they are interpolated, so that the budget holds for small
and for large series.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ONCE_A_MONTH = 3.0
"""The score of what chance alone would bring once in 30 days; one more for each tenfold wait."""
_RARITIES = np.array([0.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0])
_VOLUMES = np.array([-1.0, 0.0, 0.75, 1.5, 2.5])
"""Usual voices an hour, as logarithms to the base 10."""
_HOURLY = np.array([
    [2.000, 1.030, 0.756, 0.435, 0.080, -0.298, -0.687, -1.075, -1.450],
    [2.000, 1.091, 0.817, 0.496, 0.141, -0.238, -0.627, -1.015, -1.390],
    [2.000, 1.109, 0.815, 0.475, 0.100, -0.298, -0.707, -1.114, -1.508],
    [2.000, 1.101, 0.772, 0.396, -0.015, -0.449, -0.894, -1.337, -1.767],
    [2.000, 1.053, 0.650, 0.200, -0.284, -0.791, -1.309, -1.826, -2.330],
])  # fmt: skip
_FIVE_MINUTES = np.array([
    [3.500, 2.131, 1.350, 0.762, 0.296, -0.115, -0.542, -1.053, -1.717],
    [3.500, 2.099, 1.362, 0.816, 0.394, 0.026, -0.357, -0.824, -1.445],
    [3.500, 2.104, 1.378, 0.844, 0.434, 0.077, -0.294, -0.750, -1.360],
    [3.500, 2.133, 1.401, 0.861, 0.444, 0.081, -0.298, -0.760, -1.376],
    [3.500, 2.211, 1.442, 0.865, 0.411, 0.011, -0.404, -0.903, -1.556],
])  # fmt: skip
"""log10 of notifications per 30 days, by volume and rarity. The first column only keeps what is common in order."""
_BEYOND = -0.85
"""Its slope beyond the last column."""


def score(rarity: Floats, volume: Floats, hours: float) -> Floats:
    """How rare, in tenfold waits: ONCE_A_MONTH is once in 30 days by chance alone, one more is once in 300; rising with rarity.

    rarity, volume (usual voices an hour): shape (series,); hours: width of a bucket."""
    narrow = min(max(-math.log(hours) / math.log(12), 0.0), 1.0)
    table = (1 - narrow) * _HOURLY + narrow * _FIVE_MINUTES - math.log10(max(hours, 1.0))
    row, up = _place(np.log10(np.maximum(volume, 1e-6)), _VOLUMES)
    column, right = _place(rarity, _RARITIES)
    left_rate = (1 - up) * table[row, column] + up * table[row + 1, column]
    right_rate = (1 - up) * table[row, column + 1] + up * table[row + 1, column + 1]
    beyond = np.maximum(rarity - _RARITIES[-1], 0.0)
    return np.asarray(ONCE_A_MONTH - (left_rate + right * (right_rate - left_rate) + _BEYOND * beyond))


def threshold(false_alarms_per_30_days: float) -> float:
    """The score from which on something is an alarm. Raises ValueError unless the budget is positive."""
    if not false_alarms_per_30_days > 0:
        raise ValueError(f"got {false_alarms_per_30_days} false alarms per 30 days, want more than 0")
    return ONCE_A_MONTH - math.log10(false_alarms_per_30_days)


def _place(values: Floats, knots: Floats) -> tuple[NDArray[np.int64], Floats]:
    """(knot to the left of each value, how far on toward the next, 0..1)."""
    left = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
    return left, np.clip((values - knots[left]) / (knots[left + 1] - knots[left]), 0.0, 1.0)
