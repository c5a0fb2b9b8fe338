"""The suites that judge the detector, each as {row: {figure: value}}, and how it is run through them.

Simulated series and NAB's files are judged by the scripts in the folder `shared` beside the project, whose own functions do all
the counting. The semi-synthetic suite stands alone: spikes put into five real series, `benchmarks/data/tweets`.

Figures: `false_alarms` per series and 30 days at the detector's own threshold (mean; `p90`: of the series at the ninetieth
percentile; `low`, `mid`, `high`: of the thirds by volume), `recall` the mean over the four sizes of spikes. `matched`, `S`, `M`,
`L`, `XL`: the same at the one threshold for all series whose false alarms are exactly the budget. `delay`: buckets, the median,
at the own threshold (semi-synthetic: the matched one, which is `threshold`).
"""

import csv
import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from alerts.detection.calibration import threshold
from alerts.detection.detector import Detector
from alerts.detection.series import Budget, scan
from console.series import read_series

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Figures = dict[str, float]
Suite = dict[str, Figures]

SHARED = Path(__file__).parents[2] / "shared"
TWEETS = Path(__file__).parent / "data" / "tweets"
BUDGETS = (0.25, 1.0, 8.0)
RIVALS = ("FarringtonFlexStyle", "PromSeasonalZ", "Oracle")
TWEET_BUDGETS = (1.0, 4.0, 10.0)
TWEETS_BEGIN, TWEET_BUCKET = 1_424_986_973, 300
"""Epoch seconds of 2015-02-26 21:42:53 UTC; seconds."""
SIZES = {"S": 0.5, "M": 1.0, "L": 2.0, "XL": 4.0}
"""All of a spike's voices, as a multiple of how far the busiest 0.2 % of the series' own windows as long lie above the median."""
LENGTHS = (2, 6, 24, 96)
SPIKES_PER_SERIES = 6
_PROBATION = 0.15
_APART = 144
_REARM = 72
_FEWEST_VOICES = 3


def hour_of_week(timestamp: float) -> float:
    """Of epoch seconds, in UTC; 0 = Monday 00:00 (1970-01-01 was a Thursday)."""
    return (timestamp / 3600 + 72) % 168


def run(begins: int, bucket_s: int, counts: Floats) -> Floats:
    """Scores, shaped as `counts`: (buckets, series), nan = not heard. All series in step, with one detector."""
    detector = Detector(counts.shape[1], timedelta(seconds=bucket_s))
    scores = [
        detector.tick(hour_of_week(begins + row * bucket_s), now).score for row, now in enumerate(counts)
    ]
    return np.array(scores)


# ------------------------------------------------------------------------------------------ the judges in `shared`


def shared(part: str) -> Path:
    """Raises FileNotFoundError when there is no such file or folder."""
    found = SHARED / part
    if not found.exists():
        raise FileNotFoundError(
            f"{found}: missing; want the folder `shared` beside the project's own (without it run --suites semi,throughput)"
        )
    return found


def _module(part: str) -> ModuleType:
    file = shared(part)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Replay:
    """Scores already found, as the factory that `spikes.evaluate` wants: it hands its series over in `_truth`."""

    needs_truth = True

    def __init__(self, scores: Mapping[int, Floats]) -> None:
        """By the series' seed."""
        self._scores = scores

    def __call__(self, config: Mapping[str, Any]) -> "_Played":
        return _Played(
            iter(self._scores[config["_truth"].seed].tolist()), threshold(config["budget_per_30d"])
        )


@dataclass(frozen=True, slots=True)
class _Played:
    scores: Iterator[float]
    threshold: float

    def update(self, timestamp: float, count: float | None) -> tuple[float, bool]:
        score = next(self.scores)
        return score, score >= self.threshold


def simulated(kind: str, variant: str, series: int, seed: int) -> Suite:
    """kind: hourly or 5min; variant: full (spikes, shifts, bots, gaps) or clean. One row per budget."""
    judge = simulator()
    suite = judge.make_suite(kind, variant, n=series, seed=seed)
    found = judge.evaluate(_replay(suite), suite, BUDGETS, match=variant == "full")
    return {f"budget {budget:g}": _figures(found[budget]) for budget in BUDGETS}


def rivals(series: int, seed: int) -> Suite:
    """Others on the same hourly series, at a budget of 1. The oracle knows the true parameters."""
    judge = simulator()
    suite = judge.make_suite("hourly", "full", n=series, seed=seed)
    factories = {"Lyhord": _replay(suite), **{name: judge.load(name) for name in RIVALS}}
    return {
        name: _figures(judge.evaluate(factory, suite, (1.0,))[1.0]) for name, factory in factories.items()
    }


def simulator() -> ModuleType:
    """shared/bench/spikes.py."""
    return _module("bench/spikes.py")


def _replay(suite: Sequence[Any]) -> Replay:
    first = suite[0]
    scores = run(int(first.ts[0]), first.bucket_s, np.stack([series.counts for series in suite], axis=1))
    return Replay({series.seed: scores[:, n] for n, series in enumerate(suite)})


def _figures(found: Mapping[str, Any]) -> Figures:
    own, same_rate = found["own"], found["matched"]
    figures = {"false_alarms": own["fa30"], "p90": own["fa30_p90"]}
    figures |= {third: own[f"fa30_{third}"] for third in ("low", "mid", "high")}
    if same_rate:
        figures |= {"recall": own["rec_macro"], "delay": own["delay_med"], "matched": same_rate["rec_macro"]}
        figures |= {size: same_rate[f"rec_{size}"] for size in SIZES}
    return _rounded(figures)


def _rounded(figures: Mapping[str, float]) -> Figures:
    return {name: round(float(value), 3) for name, value in figures.items()}


def nab() -> Suite:
    """NAB's score of the shipped detector, every file by itself as `lyhord detect` reads it: {cost profile: best threshold,
    threshold chosen on the other files (`loo`)}."""
    with patch.dict(sys.modules, {"pandas": cast(ModuleType, _PANDAS)}):
        judge = _module("bench/nab.py")
    data = shared("data/nab")
    windows = json.loads((data / "windows.json").read_text(encoding="utf-8"))
    parts = []
    for name, its in sorted(windows.items()):
        file = data / Path(name).name
        parts.append((_nab_scores(file), *judge.geometry(file, its)))
    profiles = json.loads((data / "profiles.json").read_text(encoding="utf-8"))
    return {name: _nab_figures(judge, parts, its["CostMatrix"]) for name, its in profiles.items()}


def _nab_scores(file: Path) -> Floats:
    """The score column of `lyhord detect`."""
    with file.open(encoding="utf-8", newline="") as lines:
        series = read_series(lines, file.name)
    budget = Budget(false_alarms_per_30_days=1.0, minimum_voices=0)
    judged = scan(series.counts, series.starts, zone=UTC, budget=budget)
    return np.array([found.score if found else 0.0 for found in (judged[row] for row in series.rows)])


def _nab_figures(judge: Any, parts: Sequence[Any], cost: Mapping[str, float]) -> Figures:
    """As the main function of nab.py."""
    _, totals, perfect, null = judge.sweep(parts, cost)
    raw = lowest = highest = 0.0
    for part in parts:
        thresholds, sums, _, _ = judge.sweep([other for other in parts if other is not part], cost)
        chosen = thresholds[int(np.argmax(sums))]
        thresholds, sums, its_perfect, its_null = judge.sweep([part], cost)
        raw += sums[np.flatnonzero(thresholds >= chosen)[-1]]
        lowest, highest = lowest + its_null, highest + its_perfect
    best = 100 * (totals.max() - null) / (perfect - null)
    return _rounded({"best": best, "loo": 100 * (raw - lowest) / (highest - lowest)})


def _read_times(file: Path, parse_dates: list[str]) -> dict[str, list[datetime]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [datetime.fromisoformat(row[name]) for row in rows] for name in parse_dates}


_PANDAS = SimpleNamespace(read_csv=_read_times, Timestamp=datetime.fromisoformat)
"""All that nab.py's geometry asks of pandas, which the project does without."""


# ------------------------------------------------------------------------------------------ semi-synthetic


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Buckets `start` up to, not including, `start + length`."""

    start: int
    length: int
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """A real series with spikes in it: `counts` of shape (buckets,), judged from bucket `warm` on."""

    counts: Floats
    spikes: tuple[Spike, ...]
    warm: int


def tweets() -> dict[str, Floats]:
    """The real counts per five minutes, by company."""
    return {file.stem: np.loadtxt(file, skiprows=1) for file in sorted(TWEETS.glob("*.csv"))}


def inject(counts: Floats, random: np.random.Generator) -> Injected:
    """One spike into each sixth of the series, at least twelve hours from its neighbours."""
    warm = int(_PROBATION * len(counts))
    edges = np.linspace(warm, len(counts), SPIKES_PER_SERIES + 1).astype(int)
    more, spikes = counts.copy(), []
    for begin, end in itertools.pairwise(edges):
        length, size = int(random.choice(LENGTHS)), str(random.choice(list(SIZES)))
        start = int(random.integers(begin, end - length - _APART))
        sums = np.convolve(counts, np.ones(length), "valid")
        usual = SIZES[size] * (np.quantile(sums, 0.998) - np.median(sums))
        voices = max(_FEWEST_VOICES, int(random.poisson(usual)))
        # As spikes.py has it, after Noufaily: the voices come log-normally in time, 95 % of them within the length.
        at = start + (random.lognormal(0, 0.5, voices) / 2.28 * length).astype(int)
        np.add.at(more, np.minimum(at, len(counts) - 1), 1)
        spikes.append(Spike(start=start, length=length, size=size))
    return Injected(counts=more, spikes=tuple(spikes), warm=warm)


def semi(copies: int, seed: int) -> Suite:
    """Each real series so many times, with other spikes. Real bursts count as false alarms, so no budget is met: matched only."""
    random = np.random.default_rng(seed)
    suite = [inject(counts, random) for counts in tweets().values() for _ in range(copies)]
    together = np.full((max(len(each.counts) for each in suite), len(suite)), np.nan)
    for n, each in enumerate(suite):
        together[: len(each.counts), n] = each.counts
    scores = run(TWEETS_BEGIN, TWEET_BUCKET, together).T
    return {f"budget {budget:g}": matched(suite, list(scores), budget) for budget in TWEET_BUDGETS}


def matched(suite: Sequence[Injected], scores: Sequence[Floats], budget: float) -> Figures:
    """At the lowest threshold that keeps the mean false alarms per 30 days within the budget; by the rules of spikes.py."""
    scores = [score[: len(each.counts)] for each, score in zip(suite, scores, strict=True)]
    judged = np.concatenate([score[each.warm :] for each, score in zip(suite, scores, strict=True)])
    low, high = float(np.median(judged)), float(judged.max()) + 1e-9
    for _ in range(40):
        middle = (low + high) / 2
        rates = [
            outcome(each, score >= middle)[0] * 30 / _days(each)
            for each, score in zip(suite, scores, strict=True)
        ]
        low, high = (middle, high) if np.mean(rates) > budget else (low, middle)
    delays: dict[str, list[int | None]] = {size: [] for size in SIZES}
    for each, score in zip(suite, scores, strict=True):
        for spike, delay in zip(each.spikes, outcome(each, score >= high)[1], strict=True):
            delays[spike.size].append(delay)
    found = {
        size: float(np.mean([delay is not None for delay in its])) for size, its in delays.items() if its
    }
    late = [delay for its in delays.values() for delay in its if delay is not None]
    median = float(np.median(late)) if late else float("nan")
    return _rounded(
        {"matched": float(np.mean(list(found.values()))), **found, "delay": median, "threshold": high}
    )


def outcome(each: Injected, alarms: Bools) -> tuple[int, list[int | None]]:
    """(false notifications, per spike the buckets until it was told or None). An alarm is told when the six hours before were
    without one."""
    at = np.flatnonzero(alarms & (np.arange(len(alarms)) >= each.warm))
    told = at[np.diff(at, prepend=-_REARM - 1) > _REARM]
    used = np.zeros(len(told), dtype=bool)
    delays: list[int | None] = []
    for spike in each.spikes:
        grace = max(2, spike.length // 4)
        hits = (told >= spike.start) & (told <= spike.start + spike.length + grace)
        used |= hits
        delays.append(int(told[hits][0]) - spike.start if hits.any() else None)
    return int((~used).sum()), delays


def _days(each: Injected) -> float:
    return (len(each.counts) - each.warm) * TWEET_BUCKET / 86_400
