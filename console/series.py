"""A bare series from a CSV file: which column is time, which is the count, how wide a bucket is.

What is an error and what is defined: docs/detection.md, "A bare series".
"""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, groupby, islice, pairwise
from typing import NamedTuple, TextIO

from listener.errors import ConfigError

MOST_BUCKETS = 2_000_000
LARGEST_COUNT = 1_000_000_000
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
TELL_EVERY = 10_000
"""Rows between two words of progress."""
_EXAMPLE = "want rows such as 2026-01-12T08:00,17"
_A_TIME = "want a time such as 2026-01-12T08:00, of the years 1970 to 2199"
_NOT_HEARD = frozenset(("", "-", "na", "n/a", "nan", "null", "none"))
_TIMES = frozenset(("date", "datetime", "datum", "ds", "tid", "tidpunkt", "time", "timestamp", "when"))
_COUNTS = frozenset(("antal", "count", "counts", "mentions", "total", "value", "voices", "y"))
_OPENING = 50
"""Lines from which the layout is learnt."""
_UNITS = (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
_RUN, _LEFT_OUT = 6, 24
"""So many equal steps in a row that leave out so many buckets are no gaps: the width has changed."""


@dataclass(frozen=True, slots=True)
class Series:
    """`stamps` as they stand in the file; `starts` (UTC) and `counts` on an even grid of `bucket` (None = no row, or a row
    without a count: not heard), `rows`: the place of each row of the file on that grid."""

    stamps: tuple[str, ...]
    starts: tuple[datetime, ...]
    counts: tuple[int | None, ...]
    rows: tuple[int, ...]
    bucket: timedelta


class Row(NamedTuple):
    """A row of the file: the line that it begins on, its time as written and as read, its count (None: not heard)."""

    line: int
    stamp: str
    at: datetime
    voices: int | None


def read_series(file: TextIO, name: str, tell: Callable[[int], None] = lambda _rows: None) -> Series:
    """Any header or none; comma, semicolon or tab; times without a zone are UTC. `tell` is told now and then how many rows are
    read. Raises ConfigError naming the line for what cannot be read."""
    try:
        rows = _read(file, name, tell)
    except csv.Error as e:
        raise ConfigError(f"{name}: is no CSV file ({e}); {_EXAMPLE}") from e
    gaps = [after.at - before.at for before, after in pairwise(rows)]
    _check_order(rows, gaps, name)
    return _on_grid(rows, gaps, name)


# ------------------------------------------------------------------------------------------------ rows


def _read(file: TextIO, name: str, tell: Callable[[int], None]) -> list[Row]:
    opening = list(islice(file, _OPENING))
    delimiter, columns = _layout(opening, name)
    numbered = _numbered(chain(opening, file), delimiter, strict=True)
    line, cells = next(numbered)
    if not _is_header(cells, columns):
        numbered = chain([(line, cells)], numbered)
    rows: list[Row] = []
    for line, cells in numbered:
        rows.append(_row(cells, columns, name, line))
        if len(rows) % TELL_EVERY == 0:
            tell(len(rows))
    return rows


def _numbered(lines: Iterable[str], delimiter: str, *, strict: bool) -> Iterator[tuple[int, list[str]]]:
    """(line that it begins on, cells) of each row that is not blank. `strict`: a quote that is never closed is an error, else it
    swallows the rest."""
    reader, line = csv.reader(lines, delimiter=delimiter, strict=strict), 1
    for cells in reader:
        if any(map(str.strip, cells)):
            yield line, cells
        line = reader.line_num + 1


def _row(cells: Sequence[str], columns: tuple[int, int], name: str, line: int) -> Row:
    if len(cells) <= max(columns):
        raise ConfigError(f"{name}, line {line}: has {len(cells)} cells, want at least {max(columns) + 1}")
    stamp, cell = cells[columns[0]], cells[columns[1]]
    at = _time(stamp)
    if at is None:
        raise ConfigError(f"{name}, line {line}: got {stamp[:40]!r}, {_A_TIME}")
    number = _number(cell)
    if number is None and _is_unheard(cell):
        return Row(line, stamp, at, None)
    if number is None or not 0 <= number <= LARGEST_COUNT or number != int(number):
        raise ConfigError(
            f"{name}, line {line}: got {cell[:40]!r}, want a whole count, 0 to {LARGEST_COUNT:,}, or nothing for not heard"
        )
    return Row(line, stamp, at, int(number))


def _time(cell: str) -> datetime | None:
    """An ISO time, or the seconds or milliseconds since 1970 (10 or 13 digits) → UTC."""
    text = cell.strip()
    if text.isdecimal():
        unit = {10: timedelta(seconds=1), 13: timedelta(milliseconds=1)}.get(len(text))
        moment = EARLIEST + int(text) * unit if unit else None
    else:
        moment = _iso(text)
    return moment if moment is not None and EARLIEST <= moment < LATEST else None


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    # Near the years 1 and 9999 there may be no such time in UTC; nobody counted then.
    return moment.astimezone(UTC) if 1 < moment.year < 9999 else None


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # also false for nan


def _is_unheard(cell: str) -> bool:
    return cell.strip().lower() in _NOT_HEARD


# ------------------------------------------------------------------------------------------------ layout


def _layout(opening: Sequence[str], name: str) -> tuple[str, tuple[int, int]]:
    """The delimiter, and (time, count): the columns that hold them."""
    if not any(line.strip() for line in opening):
        raise ConfigError(f"{name}: is empty; want a time column and a count column")
    for delimiter in ",;\t":
        numbered = list(_numbered(opening, delimiter, strict=False))
        columns = _columns([cells for _, cells in numbered])
        if columns is not None:
            return delimiter, columns
    first, *rest = (number for number, line in enumerate(opening, 1) if line.strip())
    where = f"line {rest[0]}: no" if rest else f"line {first}: is the only one, and holds no"
    raise ConfigError(f"{name}, {where} time and count found; {_EXAMPLE}")


def _columns(rows: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """Time: the first column with a time. Count: after it, else before it, the first with a number, or with nothing but empty
    cells. A column that its header calls so goes first."""
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    width = range(max(map(len, rows), default=0))
    cells = [[row[i] for row in rows if i < len(row)] for i in width]
    time = _named([i for i in width if any(map(_time, cells[i]))], header, _TIMES)
    if time is None:
        return None
    others = (*width[time + 1 :], *width[:time])
    numbers = [i for i in others if any(_number(cell) is not None for cell in cells[i])]
    empty = [i for i in others if all(map(_is_unheard, cells[i][1:]))]
    count = _named(numbers or empty, header, _COUNTS)
    return None if count is None else (time, count)


def _named(columns: Sequence[int], header: Sequence[str], names: Collection[str]) -> int | None:
    """The first of the columns with one of the names, else the first of them."""
    named = (i for i in columns if i < len(header) and header[i] in names)
    return next(named, next(iter(columns), None))


def _is_header(cells: Sequence[str], columns: tuple[int, int]) -> bool:
    """A first row whose time begins with a digit is a row with a wrong time, not a header."""
    if len(cells) <= max(columns):
        return True
    cell = cells[columns[0]].strip() or cells[columns[1]].strip()
    return not cell[:1].isdigit()


# ------------------------------------------------------------------------------------------------ grid


def _check_order(rows: Sequence[Row], gaps: Sequence[timedelta], name: str) -> None:
    for row, gap in zip(rows[1:], gaps, strict=True):
        if gap <= timedelta(0):
            hint = ""
            if -gap < timedelta(hours=1):
                hint = "; where clocks were put back, write the offset: 2026-10-25T02:00+01:00"
            raise ConfigError(
                f"{name}, line {row.line}: {row.at.isoformat()} is not after the row before it; "
                f"want rows sorted by time, each time once{hint}"
            )


def _on_grid(rows: Sequence[Row], gaps: Sequence[timedelta], name: str) -> Series:
    bucket = _usual(gaps)
    steps = _steps(rows, gaps, bucket, name)
    _check_one_width(rows, steps, bucket, name)
    places = tuple(accumulate(steps, initial=0))
    size = places[-1] + 1
    if size > MOST_BUCKETS:
        longest = max(range(len(gaps)), key=lambda i: gaps[i])
        raise ConfigError(
            f"{name}: {size:,} buckets of {bucket} between its first and last row, want at most {MOST_BUCKETS:,}; "
            f"the longest gap is before line {rows[longest + 1].line}: {gaps[longest]}"
        )
    counts: list[int | None] = [None] * size
    for place, row in zip(places, rows, strict=True):
        counts[place] = row.voices
    starts = tuple(rows[0].at + bucket * i for i in range(size))
    return Series(tuple(row.stamp for row in rows), starts, tuple(counts), places, bucket)


def _usual(gaps: Sequence[timedelta]) -> timedelta:
    """The width of a bucket: the most frequent step, of several the smallest. Times that jitter have many steps near it: their
    mean, and the whole unit that it all but is, or the grid would creep over the hour. A single row is an hour."""
    often = Counter(gaps)
    if not often:
        return timedelta(hours=1)
    most = max(often.values())
    usual = min(gap for gap, times in often.items() if times == most)
    near = {gap: times for gap, times in often.items() if abs(gap - usual) <= usual / 4}
    mean = sum((gap * times for gap, times in near.items()), timedelta(0)) / sum(near.values())
    whole = (round(mean / unit) * unit for unit in _UNITS)
    return next((width for width in whole if abs(width - mean) <= mean / 10_000), mean)


def _steps(rows: Sequence[Row], gaps: Sequence[timedelta], bucket: timedelta, name: str) -> list[int]:
    """How many buckets each row comes after the one before it: 1, or more after a gap. A time may lie a quarter of a bucket
    beside its place."""
    known: dict[timedelta, int] = {}
    for row, gap in zip(rows[1:], gaps, strict=True):
        if gap in known:
            continue
        known[gap] = (gap + bucket / 2) // bucket
        if not known[gap] or abs(gap - known[gap] * bucket) > bucket / 4:
            raise _other_width(f"{name}, line {row.line}: comes {gap} after the row before it", bucket)
    return [known[gap] for gap in gaps]


def _check_one_width(rows: Sequence[Row], steps: Sequence[int], bucket: timedelta, name: str) -> None:
    """Hours before five-minute rows are no islands between gaps: their counts mean something else."""
    at = 1
    for step, equal in groupby(steps):
        length = sum(1 for _ in equal)
        if length >= _RUN and length * (step - 1) >= _LEFT_OUT:
            place = f"{name}, line {rows[at].line}: from here {length} rows come {step * bucket} apart"
            raise _other_width(place, bucket)
        at += length


def _other_width(place: str, bucket: timedelta) -> ConfigError:
    return ConfigError(f"{place}, where most come {bucket} apart; want buckets of one width in a file")
