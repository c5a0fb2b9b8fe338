"""`lyhord detect`: judge a bare series of counts."""

import csv
import sys
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from alerts.detector import Budget, scan
from console.series import read_series
from listener.errors import ConfigError


def detect(
    file: Annotated[Path, typer.Argument(help="CSV with a time and a count column, any header.")],
    false_alarms: Annotated[
        float, typer.Option("--false-alarms-per-30-days", min=0.0001, help="How many you allow.")
    ] = 1.0,
    minimum: Annotated[int, typer.Option("--minimum", min=0, help="A count below it is never an alarm.")] = 0,
    zone: Annotated[
        str, typer.Option(help="Zone of the daily rhythm. Times without a zone are UTC.")
    ] = "UTC",
) -> None:
    """Judge each row from the rows before it: timestamp,count,expected,score,alarm (a higher score is more anomalous).

    Example:  lyhord detect counts.csv --false-alarms-per-30-days 1
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            series = read_series(opened, str(file))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise ConfigError(f"{file}: cannot be read ({e}); want a CSV file in UTF-8") from e
    budget = Budget(false_alarms_per_30_days=false_alarms, minimum_voices=minimum)
    judged = scan(series.counts, series.starts, zone=ZoneInfo(zone), budget=budget)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("timestamp", "count", "expected", "score", "alarm"))
    for stamp, place in zip(series.stamps, series.rows, strict=True):
        found = judged[place]
        if found is not None:
            writer.writerow(
                (stamp, found.observed, f"{found.expected:.3f}", f"{found.score:.4f}", int(found.alarm))
            )
