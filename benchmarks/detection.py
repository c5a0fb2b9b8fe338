"""How well the detector finds spikes within the false alarms that are allowed, how fast it is and what it holds.

    python -m benchmarks.detection                                  all suites (ten minutes on two cores)
    python -m benchmarks.detection --suites semi,throughput --json  those that need nothing but the project
    python ../shared/bench/spikes.py --det benchmarks.detection:factory

Suites: `simulated` (hourly and five-minute series; hourly also beside rivals and an oracle that knows the true parameters), `nab`
(real mention counts with hand-drawn windows), `semi` (spikes put into real series) and `throughput`. The first two want the
folder `shared` beside the project's own. What the figures mean: benchmarks/detection_suites.py.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np

from alerts.detection.calibration import threshold
from alerts.detection.detector import Detector, Reading
from benchmarks.detection_suites import (
    Floats,
    Suite,
    hour_of_week,
    nab,
    rivals,
    semi,
    shared,
    simulated,
)

SUITES = ("simulated", "nab", "semi", "throughput")
PROCESSES = 2
SERIES, QUICK_SERIES, FEWEST_SERIES = 120, 24, 12
COPIES, QUICK_COPIES = 8, 2
MANY, QUICK_MANY = 10_000, 1_000
TICKS = 50
_BUCKET_S = 300
_DAY_OF_BUCKETS = 288


class Single:
    """One series, as ../shared/bench/spikes.py wants it."""

    def __init__(self, bucket_s: int, budget: float) -> None:
        """bucket_s: seconds; budget: false alarms per 30 days."""
        self._detector = Detector(1, timedelta(seconds=bucket_s))
        self._threshold = threshold(budget)

    def update(self, timestamp: float, count: float | None) -> tuple[float, bool]:
        """timestamp: epoch seconds of the bucket's start; count: None when not heard. → (score, is it an alarm)."""
        counts = np.array([np.nan if count is None else count])
        score = float(self._detector.tick(hour_of_week(timestamp), counts).score[0])
        return score, score >= self._threshold


def factory(config: Mapping[str, Any]) -> Single:
    """config: `bucket_s` and `budget_per_30d`."""
    return Single(config["bucket_s"], config["budget_per_30d"])


def throughput(series: int, seed: int) -> Suite:
    """Processor time of a tick of many five-minute series that have been heard for a day, and bytes that each holds."""
    detector = Detector(series, timedelta(seconds=_BUCKET_S))
    counts = _traffic(series, _DAY_OF_BUCKETS + TICKS, seed)
    taken = []
    for row, now in enumerate(counts):
        started = time.process_time()
        detector.tick(row * _BUCKET_S / 3600, now)
        taken.append(time.process_time() - started)
    measured = np.array(taken[_DAY_OF_BUCKETS:])
    figures = {
        "tick_ms_median": round(float(np.median(measured)) * 1e3, 1),
        "tick_ms_worst": round(float(measured.max()) * 1e3, 1),
        "bytes_per_series": round(detector.nbytes / series),
        "restart_identical": float(restart_is_identical(_traffic(100, 2 * _DAY_OF_BUCKETS, seed))),
    }
    return {f"{series} series": figures}


def restart_is_identical(counts: Floats) -> bool:
    """Does a detector that is saved and loaded half-way read the rest as one that ran through, bit for bit? counts: (ticks,
    series), of five minutes."""
    through = Detector(counts.shape[1], timedelta(seconds=_BUCKET_S))
    half = len(counts) // 2
    resumed = through
    for row, now in enumerate(counts):
        if row == half:
            resumed = Detector.load(through.save())
        hour = row * _BUCKET_S / 3600
        reading = through.tick(hour, now)
        if row >= half and not _same(reading, resumed.tick(hour, now)):
            return False
    return True


def _same(one: Reading, other: Reading) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Reading)
    )


def _traffic(series: int, ticks: int, seed: int) -> Floats:
    """Counts of shape (ticks, series): from one in three hours to a hundred in five minutes, one in 200 not heard."""
    random = np.random.default_rng(seed)
    usual = np.exp(random.uniform(np.log(0.03), np.log(100), series))
    counts = random.poisson(usual, (ticks, series)).astype(float)
    counts[random.random((ticks, series)) < 0.005] = np.nan
    return counts


def jobs(suites: Sequence[str], series: int, seed: int, *, quick: bool) -> dict[str, Callable[[], Suite]]:
    """What can run side by side, the longest first."""
    found: dict[str, Callable[[], Suite]] = {}
    if "simulated" in suites:
        shared("bench/spikes.py")
        for kind, count in (("5min", series // 2), ("hourly", series)):
            for variant in ("full", "clean"):
                found[f"{kind} {variant}"] = partial(simulated, kind, variant, count, seed)
        found["rivals, hourly"] = partial(rivals, series // 4, seed)
    if "nab" in suites:
        shared("bench/nab.py")
        found["nab"] = nab
    if "semi" in suites:
        found["semi"] = partial(semi, QUICK_COPIES if quick else COPIES, seed)
    return found


def measure(suites: Sequence[str], series: int, seed: int, *, quick: bool) -> dict[str, Suite]:
    """{suite: {row: {figure: value}}}. Progress on stderr. Raises FileNotFoundError when `shared` is wanted and missing."""
    wanted = jobs(suites, series, seed, quick=quick)
    found: dict[str, Suite] = {}
    started = time.monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:
        running = {pool.submit(job): name for name, job in wanted.items()}
        for done in as_completed(running):
            found[running[done]] = done.result()
            _say(f"{running[done]} done, {len(found)} of {len(wanted)}, {time.monotonic() - started:.0f} s")
    found = {name: found[name] for name in wanted}
    if "throughput" in suites:
        # Alone on the machine, so that the times are its own.
        found["throughput"] = throughput(QUICK_MANY if quick else MANY, seed)
        _say(f"throughput done, {time.monotonic() - started:.0f} s")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(name: str, suite: Suite) -> str:
    """Rows of figures under their names."""
    columns = list(next(iter(suite.values())))
    widest = max(len(row) for row in (*suite, name))
    widths = {column: max(len(column), 8) for column in columns}
    lines = ["  ".join([name.ljust(widest), *(column.rjust(widths[column]) for column in columns)])]
    lines += [
        "  ".join([row.ljust(widest), *(f"{its[column]:g}".rjust(widths[column]) for column in columns)])
        for row, its in suite.items()
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suites", default=",".join(SUITES), help="some of them, comma-separated")
    parser.add_argument(
        "--series",
        type=int,
        help=f"simulated hourly series (default {SERIES}); half as many of five minutes, a quarter beside rivals",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few series: minutes less, figures rougher")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    suites = given.suites.split(",")
    if unknown := [suite for suite in suites if suite not in SUITES]:
        parser.error(f"--suites: got {', '.join(unknown)}; want some of {', '.join(SUITES)}")
    series = given.series if given.series is not None else QUICK_SERIES if given.quick else SERIES
    if series < FEWEST_SERIES:
        parser.error(f"--series: got {series}; want at least {FEWEST_SERIES}")
    try:
        result = measure(suites, series, given.seed, quick=given.quick)
    except FileNotFoundError as e:
        parser.error(str(e))
    print(json.dumps(result) if given.json else "\n\n".join(table(*each) for each in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
