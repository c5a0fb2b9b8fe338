"""A bare series from a CSV file: which column is time, which is the count, how wide a bucket is."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TextIO

from listener.errors import ConfigError

MOST_BUCKETS = 2_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """`stamps` as they stand in the file; `starts` and `counts` on an even grid of `bucket` (None = no row), `rows`: the place
    of each row of the file on that grid."""

    stamps: tuple[str, ...]
    starts: tuple[datetime, ...]
    counts: tuple[int | None, ...]
    rows: tuple[int, ...]
    bucket: timedelta


def read_series(file: TextIO, name: str) -> Series:
    """Any header; times without a zone are UTC. Raises ConfigError naming the line for what cannot be read."""
    table = [
        (number, row) for number, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)
    ]
    if not table:
        raise ConfigError(f"{name}: is empty; want a time column and a count column")
    if _time(table[0][1][0]) is None and _columns(table[0][1]) is None:
        table = table[1:]
    columns = _columns(table[0][1]) if table else None
    if columns is None:
        raise ConfigError(
            f"{name}, line {table[0][0] if table else 1}: no time and count found; want rows such as 2026-01-12T08:00,17"
        )
    read = [_row(row, columns, f"{name}, line {number}") for number, row in table]
    moments = [moment for _, moment, _ in read]
    for (number, _), (before, after) in zip(table[1:], pairwise(moments), strict=True):
        if after <= before:
            raise ConfigError(
                f"{name}, line {number}: {after.isoformat()} is not after the row before it; "
                "want rows sorted by time, each time once"
            )
    return _on_grid(read, name)


def _on_grid(read: Sequence[tuple[str, datetime, int]], name: str) -> Series:
    moments = [moment for _, moment, _ in read]
    bucket = min((after - before for before, after in pairwise(moments)), default=timedelta(hours=1))
    size = (moments[-1] - moments[0]) // bucket + 1
    if size > MOST_BUCKETS:
        raise ConfigError(
            f"{name}: {size} buckets of {bucket} between its first and last row; want at most {MOST_BUCKETS}"
        )
    rows = tuple((moment - moments[0]) // bucket for moment in moments)
    counts: list[int | None] = [None] * size
    for place, (_, _, count) in zip(rows, read, strict=True):
        counts[place] = count
    starts = tuple(moments[0] + bucket * i for i in range(size))
    return Series(tuple(stamp for stamp, _, _ in read), starts, tuple(counts), rows, bucket)


def _columns(row: Sequence[str]) -> tuple[int, int] | None:
    """(time, count): the first column that is a time, the first other one that is a number."""
    time = next((i for i, cell in enumerate(row) if _time(cell) is not None), None)
    count = next((i for i, cell in enumerate(row) if i != time and _number(cell) is not None), None)
    return None if time is None or count is None else (time, count)


def _row(row: Sequence[str], columns: tuple[int, int], where: str) -> tuple[str, datetime, int]:
    if len(row) <= max(columns):
        raise ConfigError(f"{where}: has {len(row)} cells, want at least {max(columns) + 1}")
    moment, number = _time(row[columns[0]]), _number(row[columns[1]])
    if moment is None:
        raise ConfigError(f"{where}: got {row[columns[0]][:40]!r}, want a time such as 2026-01-12T08:00")
    if number is None or number < 0 or number != int(number):
        raise ConfigError(f"{where}: got {row[columns[1]][:40]!r}, want a whole count, 0 or more")
    return row[columns[0]], moment, int(number)


def _time(cell: str) -> datetime | None:
    text = cell.strip()
    if text.isdecimal():
        return datetime.fromtimestamp(int(text), UTC) if len(text) == 10 else None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None
