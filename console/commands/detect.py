"""`lyhord detect`: judge a bare series of counts."""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from alerts.detection.detector import DAY
from alerts.detection.series import Budget, Judgement, scan
from console.series import Series, read_series
from console.terminal import counted, progress
from listener.errors import ConfigError

HEADINGS = ("timestamp", "count", "expected", "score", "alarm")


def detect(
    file: Annotated[Path, typer.Argument(help="CSV with a time and a count column, any header.")],
    false_alarms: Annotated[
        float, typer.Option("--false-alarms-per-30-days", min=0.0001, help="How many you allow.")
    ] = 1.0,
    minimum: Annotated[int, typer.Option("--minimum", min=0, help="A count below it is never an alarm.")] = 0,
    zone: Annotated[
        str, typer.Option(help="Zone of the daily rhythm. Times without a zone are UTC.")
    ] = "UTC",
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object for each row.")] = False,
) -> None:
    """Judge each row from the rows before it: timestamp,count,expected,score,alarm (a higher score is more anomalous).

    A row without a count was not heard: it is answered with what was expected, score 0 and no alarm.

    Example:  lyhord detect counts.csv --false-alarms-per-30-days 1
    """
    rhythm = _zone(zone)
    if not math.isfinite(false_alarms):
        raise ConfigError(f"--false-alarms-per-30-days: got {false_alarms}, want a number such as 1")
    budget = Budget(false_alarms_per_30_days=false_alarms, minimum_voices=minimum)
    with progress() as bars:
        task = bars.add_task("reading", total=None)
        series = _opened(file, lambda rows: bars.update(task, description=f"reading: {counted(rows, 'row')}"))
        total = len(series.counts)
        bars.update(task, description=f"judging {counted(total, 'bucket')}", total=total)
        judged = scan(
            series.counts,
            series.starts,
            zone=rhythm,
            budget=budget,
            tell=lambda done: bars.update(task, completed=done),
        )
    _write(series, judged, json_lines=json_lines)


def _opened(file: Path, tell: Callable[[int], None]) -> Series:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            series = read_series(opened, str(file), tell)
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{file}: cannot be read ({e}); want a CSV file in UTF-8") from e
    if series.bucket > DAY:
        raise ConfigError(f"{file}: a row every {series.bucket}; want at least one a day")
    return series


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"--zone: got {name!r}, want an IANA zone such as Europe/Stockholm") from None


def _write(series: Series, judged: Sequence[Judgement | None], *, json_lines: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if not json_lines:
        writer.writerow(HEADINGS)
    for row in _answers(series, judged):
        if json_lines:
            sys.stdout.write(json.dumps(dict(zip(HEADINGS, row, strict=True)), ensure_ascii=False) + "\n")
        else:
            stamp, count, expected, score, alarm = row
            writer.writerow((stamp, count, f"{expected:.3f}", f"{score:.4f}", int(alarm)))


def _answers(
    series: Series, judged: Sequence[Judgement | None]
) -> Iterator[tuple[str, int | None, float, float, bool]]:
    """HEADINGS for each row of the file."""
    expected = expectations(judged, series.bucket)
    for stamp, place in zip(series.stamps, series.rows, strict=True):
        found = judged[place]
        score, alarm = (found.score, found.alarm) if found is not None else (0.0, False)
        yield stamp, series.counts[place], round(expected[place], 3), round(score, 4), alarm


def expectations(judged: Sequence[Judgement | None], bucket: timedelta) -> list[float]:
    """What was expected in each bucket; where nothing was heard, as much as a week before, or else a day before, or in the
    bucket before; 0 at the beginning. Like a judgement, it knows nothing of later buckets."""
    backs = [back for back in (timedelta(days=7) // bucket, timedelta(days=1) // bucket, 1) if back]
    expected: list[float] = []
    for i, found in enumerate(judged):
        if found is not None:
            expected.append(found.expected)
        else:
            expected.append(next((expected[i - back] for back in backs if back <= i), 0.0))
    return expected
