"""Measure the tables of `alerts/detection/calibration.py`: how often chance alone raises a notification, by rarity and volume, on
simulated series without spikes (shared/bench/spikes.py). Prints the rows to paste; needs about ten minutes.

Run:  python -m benchmarks.calibrate_detection [--seed 31] [--hourly 600] [--five-minutes 160]

Counts of notifications per series and threshold are fitted by a Poisson regression on rarity (cubic) and volume (quadratic), so
that the tables are smooth. The benchmarks judge on other seeds.
"""

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from alerts.detection.detector import Detector
from benchmarks.detection_suites import Floats, simulator

VOLUMES = (-1.0, 0.0, 0.75, 1.5, 2.5)
RARITIES = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
_MIDDLE_VOLUME, _MIDDLE_RARITY = 0.75, 3.0
_ROUNDS = 60


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--hourly", type=int, default=600, help="series")
    parser.add_argument("--five-minutes", type=int, default=160, help="series")
    given = parser.parse_args(arguments)
    judge = simulator()
    for kind, size, fitted in (
        ("hourly", given.hourly, np.arange(1.75, 4.8, 0.25)),
        ("5min", given.five_minutes, np.arange(2.5, 5.3, 0.25)),
    ):
        suite = judge.make_suite(kind, "clean", n=size, seed=given.seed)
        novel, volumes = _followed(suite)
        print(kind)
        for row in _table(judge, suite, novel, volumes, fitted):
            print("    [" + ", ".join(f"{value:.3f}" for value in row) + "],")


def _followed(suite: Sequence[Any]) -> tuple[Floats, Floats]:
    """(rarity that counts, shape (buckets, series); usual voices an hour of each series, as log10)."""
    bucket = timedelta(seconds=suite[0].bucket_s)
    counts = np.stack([series.counts for series in suite], axis=1)
    detector, novel, levels = Detector(len(suite), bucket), np.zeros(counts.shape), []
    for i, (second, row) in enumerate(zip(suite[0].ts.tolist(), counts, strict=True)):
        novel[i] = detector.tick((second / 3600 + 72) % 168, row).novel
        if i >= suite[0].warm and i % 24 == 0:
            levels.append(detector.level())
    per_hour = np.mean(levels, axis=0) * (timedelta(hours=1) / bucket)
    return novel, np.log10(np.maximum(per_hour, 1e-3))


def _table(
    judge: Any, suite: Sequence[Any], novel: Floats, volumes: Floats, fitted: Floats
) -> list[list[float]]:
    rows, events, months = [], [], []
    for rarity in fitted:
        for i, series in enumerate(suite):
            found = judge.score_series(series, novel[:, i] >= rarity)
            rows.append(_terms(float(rarity), float(np.clip(volumes[i], VOLUMES[0], VOLUMES[-1]))))
            events.append(found["fa"])
            months.append(found["days"] / 30)
    weights = _poisson(np.array(rows), np.array(events, dtype=np.float64), np.array(months))
    return [[float(np.array(_terms(r, v)) @ weights / np.log(10)) for r in RARITIES] for v in VOLUMES]


def _terms(rarity: float, volume: float) -> list[float]:
    r, v = rarity - _MIDDLE_RARITY, volume - _MIDDLE_VOLUME
    return [1.0, r, r * r, r**3, v, v * r, v * v, v * v * r]


def _poisson(terms: Floats, events: Floats, months: Floats) -> Floats:
    """Poisson regression by Newton steps: expected events = months × exp(terms @ weights)."""
    weights = np.zeros(terms.shape[1])
    weights[0] = np.log(events.sum() / months.sum())
    for _ in range(_ROUNDS):
        mean = months * np.exp(terms @ weights)
        curvature = (terms * mean[:, None]).T @ terms + 1e-6 * np.eye(len(weights))
        weights += np.clip(np.linalg.solve(curvature, terms.T @ (events - mean)), -0.5, 0.5)
    return weights


if __name__ == "__main__":
    main()
