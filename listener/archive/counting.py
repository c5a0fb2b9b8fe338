"""Counting voices in the SQLite archive. The functions want a connection in a reading transaction.

A voice is a distinct author among originals; a mention without author is a voice of its own.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from listener.archive.rows import FLAGS, MICROSECOND, THEME_BITS, micros
from listener.archive.selection import select_where
from listener.mention import Signal
from listener.ports import Dimension, Where

_VOICE = "CASE m.author WHEN '' THEN m.key ELSE m.author END"  # a number never equals a text


def counts(
    connection: sqlite3.Connection,
    where: Where,
    signals: Sequence[Signal],
    *,
    start: datetime,
    end: datetime,
    bucket: timedelta,
) -> dict[Signal, list[int]]:
    """See `listener.ports.Archive.counts`. Raises ValueError unless [start, end) is a whole number of buckets."""
    length, rest = divmod(end - start, bucket)
    if rest or length < 0:
        raise ValueError(f"want a whole number of buckets of {bucket} between {start} and {end}")
    result = {signal: [0] * length for signal in signals}
    if not signals or not length:
        return result
    chosen = select_where(_within(where, start, end))
    number = f"(m.published_at - {micros(start)}) / {bucket // MICROSECOND}"
    voices = ", ".join(
        _voices(f"m.flags & {FLAGS[signal]}" if signal in FLAGS else "1") for signal in signals
    )
    for at, *row in connection.execute(chosen.select(f"{number}, {voices}", "GROUP BY 1"), chosen.params):
        for signal, count in zip(signals, row, strict=True):
            result[signal][at] = count
    return result


def breakdown(connection: sqlite3.Connection, where: Where, dimension: Dimension) -> Mapping[str, int]:
    """See `listener.ports.Archive.breakdown`."""
    chosen = select_where(replace(where, originals=True))
    if dimension is Dimension.THEME:
        voices = ", ".join(_voices(f"m.themes & {bit}") for bit in THEME_BITS.values())
        row = connection.execute(chosen.select(voices), chosen.params).fetchone()
        found = dict(zip(THEME_BITS, row, strict=True))
    else:
        column = f"m.{dimension.value}"
        ending = f"GROUP BY {column}"
        found = dict(connection.execute(chosen.select(f"{column}, {_voices('1')}", ending), chosen.params))
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {value: count for value, count in ranked if count}


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
