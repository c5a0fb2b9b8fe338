"""The rhythm of the week: one factor for each hour of the week, mean 1, for many series at once. Pure.

A log-linear model (days, the weekend, smooth hours of the day, smooth hours of the weekend) with a normal prior on every effect,
fitted to what each hour of the week has counted beside what the level alone would let expect; each hour may then lean away from
the model a little. With little data the prior holds the rhythm near flat and says how unsure it is, so that a first week is
judged sceptically.
Source: penalised Poisson regression by Newton steps (McCullagh & Nelder, Generalized Linear Models, 1989, §2.5), the prior's
curvature being that of the effects' usual size in the rhythms of Nordic forums and shops: our choice.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOURS = 168
_DAY, _WEEKEND = 0.12, 0.6
_DAILY_WAVES = (0.8, 0.4, 0.2, 0.12, 0.08, 0.06)
_WEEKEND_WAVES = (0.12, 0.10, 0.06)
_OWN = 0.05
"""Usual sizes, in logarithms: of a day's effect, the weekend's, each wave of the day, each wave of the weekend's day, and what an
hour has of its own."""
_HALF_LIFE_WEEKS = 8.0
_STEP = 1.0
_ROUNDS = 2


def _effects() -> tuple[Floats, Floats]:
    """(effects by hour of the week, shape (168, effects); their usual sizes)."""
    hour = np.arange(HOURS)
    day, angle = hour // 24, 2 * np.pi * (hour % 24 + 0.5) / 24
    weekend = (day >= 5) - 2 / 7
    columns = [(day == d) * 1.0 for d in range(7)] + [weekend]
    sizes = [_DAY] * 7 + [_WEEKEND]
    for k, size in enumerate(_DAILY_WAVES, 1):
        columns += [np.cos(k * angle), np.sin(k * angle)]
        sizes += [size, size]
    for k, size in enumerate(_WEEKEND_WAVES, 1):
        columns += [weekend * np.cos(k * angle), weekend * np.sin(k * angle)]
        sizes += [size, size]
    return np.stack(columns, axis=1), np.array(sizes)


_EFFECTS, _SIZES = _effects()
_PRIOR = np.diag(1 / _SIZES**2)
_PRIOR_VARIANCE = (_EFFECTS**2 @ _SIZES**2) + _OWN**2


def weights(hour: float, width: float) -> tuple[Ints, Floats]:
    """Which hours of the week make up a bucket that begins at `hour` (0 = Monday 00:00) and is `width` hours wide, and with what
    weight (sum 1). Within an hour the rhythm runs straight from the middle of one hour to that of the next."""
    if width > 1:
        begun = math.floor(hour)
        edges = np.arange(begun, math.ceil(hour + width - 1e-9) + 1, dtype=np.float64)
        parts = np.minimum(edges[1:], hour + width) - np.maximum(edges[:-1], hour)
        return (edges[:-1].astype(np.int64)) % HOURS, parts / parts.sum()
    if width == 1:
        return np.array([int(hour) % HOURS]), np.ones(1)
    place = hour + width / 2 - 0.5
    before = math.floor(place)
    return np.array([before % HOURS, (before + 1) % HOURS]), np.array([before + 1 - place, place - before])


class Profile:
    """State per series: two sums per hour of the week, the effects, the factors and how unsure they are."""

    def __init__(self, series: int) -> None:
        self.counted = np.zeros((series, HOURS))
        self.usual = np.zeros((series, HOURS))
        self.effects = np.zeros((series, _EFFECTS.shape[1]))
        self.factors = np.ones((series, HOURS))
        self.variances: NDArray[np.float32] = np.tile(_PRIOR_VARIANCE.astype(np.float32), (series, 1))

    def season(self, slots: Ints, shares: Floats) -> tuple[Floats, Floats]:
        """(factor, variance of its logarithm) of a bucket, shape (series,)."""
        return self.factors[:, slots] @ shares, (self.variances[:, slots] @ shares)

    def learn(self, slots: Ints, shares: Floats, counted: Floats, usual: Floats, season: Floats) -> None:
        """`counted` in a bucket where the level alone lets `usual` expect; both zero where nothing shall be learnt."""
        part = self.factors[:, slots] * shares / season[:, None]
        self.counted[:, slots] += counted[:, None] * part
        self.usual[:, slots] += usual[:, None] * shares

    def age(self, hours: float) -> None:
        fade = 0.5 ** (hours / HOURS / _HALF_LIFE_WEEKS)
        self.counted *= fade
        self.usual *= fade

    def fit(self, due: Bools, dispersion: Floats) -> None:
        """Bring the factors of the series `due` up to date; `dispersion`: variance over mean of what an hour counts, shape
        (due series, 168)."""
        if not due.any():
            return
        counted, usual, effects = self.counted[due], self.usual[due], self.effects[due]
        for _ in range(_ROUNDS):
            mean = usual * np.exp(effects @ _EFFECTS.T)
            weight = mean / dispersion
            # Only the rhythm is wanted: what all hours have in common is the level's affair and is projected out.
            total = np.maximum(weight.sum(axis=1), 1e-9)
            common = weight @ _EFFECTS
            curvature = (
                _curvature(weight) + _PRIOR - common[:, :, None] * common[:, None, :] / total[:, None, None]
            )
            residual = (counted - mean) / dispersion
            slope = (
                residual - weight * (residual.sum(axis=1) / total)[:, None]
            ) @ _EFFECTS - effects / _SIZES**2
            step = np.linalg.solve(curvature, slope[..., None])[..., 0]
            effects = effects + np.clip(step, -_STEP, _STEP)
        self.effects[due] = effects
        smooth = np.exp(effects @ _EFFECTS.T)
        self.factors[due] = _leaning(smooth, counted, usual * smooth, dispersion / _OWN**2)
        unsure = np.einsum("hp,npq,hq->nh", _EFFECTS, np.linalg.inv(curvature), _EFFECTS, optimize=True)
        self.variances[due] = unsure + 1 / (usual * smooth / dispersion + 1 / _OWN**2)


def _leaning(smooth: Floats, counted: Floats, mean: Floats, lean: Floats) -> Floats:
    """Each hour's own factor, between the smooth one and what it has counted; `lean`: the weight of the smooth one, in counts."""
    all_counted, all_mean = counted.sum(axis=1), mean.sum(axis=1)
    known = (all_counted > 0) & (all_mean > 0)
    scale = np.where(known, all_counted / np.maximum(all_mean, 1e-9), 1.0)[:, None]
    own = smooth * (counted + lean * scale) / (mean * scale + lean * scale + 1e-12)
    factors: Floats = own / own.mean(axis=1, keepdims=True)
    return factors


def _curvature(weight: Floats) -> Floats:
    """Eᵀ diag(weight) E for each series."""
    return np.asarray(np.matmul(_EFFECTS.T[None] * weight[:, None, :], _EFFECTS))
