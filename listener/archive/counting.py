"""Counting voices in the SQLite archive. The functions want a connection in a reading transaction.

A voice is a distinct author among originals; a mention without author is a voice of its own.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from listener.archive.rows import FLAGS, MICROSECOND, THEME_BITS, micros
from listener.archive.selection import select_where
from listener.mention import Signal
from listener.ports import Dimension, Where

_VOICE = "CASE m.author WHEN '' THEN m.key ELSE m.author END"  # a number never equals a text
_THEMES = ", ".join(f"('{theme}', {bit})" for theme, bit in THEME_BITS.items())
_JOIN_THEMES = (
    f"CROSS JOIN (SELECT column1 AS name, column2 AS bit FROM (VALUES {_THEMES})) theme"  # noqa: S608 (names of ours)
    " ON m.themes & theme.bit"
)


@dataclass(frozen=True, slots=True)
class _Grouping:
    """The value that a mention counts for, in SQL; with `joined`, it counts once for each row that joins."""

    value: str
    joined: str = ""


_BY: Mapping[Dimension | None, _Grouping] = {
    None: _Grouping("''"),
    Dimension.CHANNEL: _Grouping("m.channel"),
    Dimension.LANGUAGE: _Grouping("m.language"),
    Dimension.THEME: _Grouping("theme.name", _JOIN_THEMES),
    Dimension.SOURCE: _Grouping("m.source"),
}


def counts(
    connection: sqlite3.Connection,
    where: Where,
    signals: Sequence[Signal],
    *,
    start: datetime,
    end: datetime,
    bucket: timedelta,
) -> Mapping[Signal, list[int]]:
    """See `listener.ports.Archive.counts`. Raises ValueError unless [start, end) is a whole number of buckets."""
    counted = counts_by(connection, where, signals, None, start=start, end=end, bucket=bucket)
    return counted.get("") or {signal: [0] * ((end - start) // bucket) for signal in signals}


def counts_by(
    connection: sqlite3.Connection,
    where: Where,
    signals: Sequence[Signal],
    dimension: Dimension | None,
    *,
    start: datetime,
    end: datetime,
    bucket: timedelta,
) -> Mapping[str, Mapping[Signal, list[int]]]:
    """See `listener.ports.Archive.counts_by`; without a dimension, "" is the only value.

    Raises ValueError unless [start, end) is a whole number of buckets.
    """
    length, rest = divmod(end - start, bucket)
    if rest or length < 0:
        raise ValueError(f"want a whole number of buckets of {bucket} between {start} and {end}")
    counted: dict[str, dict[Signal, list[int]]] = {}
    if not signals or not length:
        return counted
    chosen, by = select_where(_within(where, start, end)), _BY[dimension]
    number = f"(m.published_at - {micros(start)}) / {bucket // MICROSECOND}"
    voices = ", ".join(voices_of(signal) for signal in signals)
    query = chosen.select(f"{by.value}, {number}, {voices}", "GROUP BY 1, 2", joined=by.joined)
    for value, at, *row in connection.execute(query, chosen.params):
        if value not in counted and any(row):
            counted[value] = {signal: [0] * length for signal in signals}
        for signal, count in zip(signals, row, strict=True):
            if count:
                counted[value][signal][at] = count
    return counted


def breakdown(connection: sqlite3.Connection, where: Where, dimension: Dimension) -> Mapping[str, int]:
    """See `listener.ports.Archive.breakdown`."""
    chosen, by = select_where(replace(where, originals=True)), _BY[dimension]
    query = chosen.select(f"{by.value}, {_voices('1')}", "GROUP BY 1", joined=by.joined)
    found = connection.execute(query, chosen.params).fetchall()
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def known_authors(connection: sqlite3.Connection, where: Where, authors: Iterable[str]) -> frozenset[str]:
    """See `listener.ports.Archive.known_authors`."""
    asked = [author for author in authors if author]
    if not asked:
        return frozenset()
    chosen = select_where(where)
    ending = "AND m.author IN (SELECT value FROM json_each(:authors))"
    rows = connection.execute(
        chosen.select("DISTINCT m.author", ending), chosen.params | {"authors": json.dumps(asked)}
    )
    return frozenset(author for (author,) in rows)


def voices_of(signal: Signal) -> str:
    """How many voices carry the signal, in SQL."""
    return _voices(f"m.flags & {FLAGS[signal]}" if signal in FLAGS else "1")


def _within(where: Where, start: datetime, end: datetime) -> Where:
    """The originals of `where` that were also published within [start, end)."""
    return replace(
        where,
        start=max(start, where.start) if where.start else start,
        end=min(end, where.end) if where.end else end,
        originals=True,
    )


def _voices(condition: str) -> str:
    return f"COUNT(DISTINCT CASE WHEN {condition} THEN {_VOICE} END)"
