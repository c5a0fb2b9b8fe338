"""Voices per hour of the SQLite archive, counted once and kept: charts of many weeks ask for the same hours again and again.

A row of the table `hourly` is exact or it is not there. Whatever touches a mention forgets the rows of its hour in the same
transaction (`forget`); what is missing is counted when it is asked for, and kept only when nobody has written since
(`Database.keep`).
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from listener.archive.counting import voices_of
from listener.archive.rows import MICROSECOND, key_floor, micros
from listener.archive.selection import select_where
from listener.mention import Signal
from listener.ports import Where

HOUR = timedelta(hours=1)
SPANS = range(24, 24 * 366)
"""Hours. Fewer are counted as fast as they are looked up, and nobody asks for more twice."""
KEEP = "INSERT INTO hourly VALUES (?, ?, ?, ?, ?, ?)"

Row = tuple[int, str, int, int, int, int]
"""(hours since 1970, brand or "" for all, and voices of each of `_SIGNALS`): for every column of the table, in order."""

_SIGNALS = (Signal.VOLUME, Signal.ANXIETY, Signal.COMPLAINTS, Signal.NEGATIVE)
_SELECT = """
    SELECT hour, volume, anxiety, complaints, negative FROM hourly WHERE hour >= ? AND hour < ? AND brand = ?
"""


def answers(where: Where, *, start: datetime, end: datetime, bucket: timedelta) -> bool:
    """Whether `counts` can: whole hours of a brand or of all. Authors of an hour cannot be told apart from those of the next, so
    wider buckets cannot be added up."""
    plain = Where(brand=where.brand, start=where.start, end=where.end, originals=where.originals)
    bounds = (start, end, where.start or start, where.end or end)
    return (
        bucket == HOUR
        and where == plain
        and (end - start) // HOUR in SPANS
        and all(micros(at) % (HOUR // MICROSECOND) == 0 for at in bounds)
    )


def counts(
    connection: sqlite3.Connection, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime
) -> tuple[Mapping[Signal, list[int]], list[Row]]:
    """In a reading transaction: voices per hour as `listener.ports.Archive.counts` says, and the rows to keep of it."""
    first = _hour(micros(max(start, where.start or start)))
    last = _hour(micros(min(end, where.end or end)))
    known = {hour: tuple(voices) for hour, *voices in connection.execute(_SELECT, (first, last, where.brand))}
    rows = count_hours(connection, where.brand, (hour for hour in range(first, last) if hour not in known))
    known |= {hour: tuple(voices) for hour, _, *voices in rows}
    hours = range(_hour(micros(start)), _hour(micros(end)))
    nothing = (0,) * len(_SIGNALS)
    by_signal = dict(
        zip(_SIGNALS, zip(*(known.get(hour, nothing) for hour in hours), strict=True), strict=True)
    )
    return {signal: list(by_signal[signal]) for signal in signals}, rows


def forget(connection: sqlite3.Connection, published: Iterable[int]) -> None:
    """In a writing transaction that changes mentions published at these times."""
    hours = sorted({_hour(at) for at in published})
    connection.executemany("DELETE FROM hourly WHERE hour = ?", [(hour,) for hour in hours])


def count_hours(connection: sqlite3.Connection, brand: str, hours: Iterable[int]) -> list[Row]:
    """One question for each hour: SQLite need not sort the mentions of many hours."""
    chosen = select_where(Where(brand=brand, originals=True))
    query = chosen.select(", ".join(voices_of(signal) for signal in _SIGNALS))
    rows: list[Row] = []
    for hour in hours:
        low, high = (key_floor(each * (HOUR // MICROSECOND)) for each in (hour, hour + 1))
        volume, anxiety, complaints, negative = connection.execute(
            query, chosen.params | {"low": low, "high": high}
        ).fetchone()
        rows.append((hour, brand, volume, anxiety, complaints, negative))
    return rows


def _hour(at: int) -> int:
    """Of microseconds since 1970: whole hours, rounded down."""
    return at // (HOUR // MICROSECOND)
