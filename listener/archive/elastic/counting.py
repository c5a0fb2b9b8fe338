"""Counting voices in the archive on Elasticsearch.

A voice is a distinct author among originals; a mention without author is a voice of its own, and so it stands in
`lyhord.voice`. Up to EXACT_UP_TO mentions every pair of bucket and voice is fetched and counted: that is exact. Beyond that the
server counts distinct voices itself, by sketches that are exact for buckets of hundreds of voices but for a rare collision (one
too few in 1 of 250 buckets of 500), and within some percent above the sketch's size.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from listener.archive.elastic.client import COUNT_SECONDS, Server
from listener.archive.elastic.selection import FIELDS, FLAGS, all_of, select_where
from listener.archive.elastic.translate import Filter
from listener.archive.rows import MICROSECOND, micros, moment
from listener.mention import Signal
from listener.ports import Dimension, Where

WEEK = timedelta(weeks=1) // MICROSECOND
EXACT_UP_TO = 20_000
"""Mentions."""
_PAGE = 10_000
"""Pairs of bucket and voice; with a number for each signal they stay below the 65,536 buckets of one answer."""
_MAX_CELLS = 12_000
"""Numbers of one answer."""
_SKETCH_BYTES = 96_000_000
"""For the sketches of one question; each needs 8 bytes for each voice up to which it is exact."""
_THRESHOLDS = (100, 40_000)
_MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class _Question:
    """Voices of each of `signals` among the mentions that pass all filters, for each value of `field` ("" is the only one
    without a field). Buckets begin at `start`; of them the times within [low, high) count. All in microseconds."""

    filters: list[Filter]
    signals: tuple[Signal, ...]
    field: str
    bucket: int
    start: int
    low: int
    high: int

    def query(self, low: int, high: int) -> Filter:
        """Of the part of [low, high) that is asked for."""
        span = {"gte": max(low, self.low), "lt": min(high, self.high)}
        return all_of([*self.filters, {"range": {"lyhord.published": span}}])

    def histogram(self) -> dict[str, Any]:
        """Whole numbers of any size, which the server's histogram for numbers would read as floats."""
        return {
            "field": "lyhord.published",
            "fixed_interval": f"{self.bucket}ms",
            "offset": f"{self.start % self.bucket}ms",
        }

    def of_signals(self, counted: Mapping[str, Any]) -> dict[str, Any]:
        """Aggregations for the signals that only some mentions are flagged with."""
        return {
            signal.value: {"filter": {"term": {FLAGS[signal]: True}}, **counted}
            for signal in self.signals
            if signal in FLAGS
        }


class _Table:
    """Voices by value, signal and bucket."""

    def __init__(self, question: _Question, length: int) -> None:
        self.rows: dict[str, dict[Signal, list[int]]] = {}
        self._question, self._length = question, length

    def add(self, value: str, at: int, signal: Signal, number: int) -> None:
        """`at`: where the bucket begins."""
        if number:
            row = self.rows.get(value)
            if row is None:
                row = {each: [0] * self._length for each in self._question.signals}
                self.rows[value] = row
            row[signal][(at - self._question.start) // self._question.bucket] += number


def counts(
    server: Server,
    where: Where,
    signals: Sequence[Signal],
    *,
    start: datetime,
    end: datetime,
    bucket: timedelta,
) -> Mapping[Signal, list[int]]:
    """See `listener.ports.Archive.counts`. Raises ValueError unless [start, end) is a whole number of buckets."""
    counted = counts_by(server, where, signals, None, start=start, end=end, bucket=bucket)
    return counted.get("") or {signal: [0] * ((end - start) // bucket) for signal in signals}


def counts_by(
    server: Server,
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
    if not signals or not length:
        return {}
    question = _Question(
        filters=select_where(replace(where, start=None, end=None, originals=True)),
        signals=tuple(signals),
        field=FIELDS[dimension] if dimension else "",
        bucket=bucket // MICROSECOND,
        start=micros(start),
        low=micros(max(start, where.start) if where.start else start),
        high=micros(min(end, where.end) if where.end else end),
    )
    table = _Table(question, length)
    if question.low >= question.high:
        return table.rows
    mentions, values = _size(server, question.query(question.low, question.high), question.field)
    if mentions > EXACT_UP_TO:
        _add_sketched(server, question, _pieces(server, question, values), table)
    elif mentions:
        _add_exact(server, question, table)
    return table.rows


def breakdown(server: Server, where: Where, dimension: Dimension) -> Mapping[str, int]:
    """See `listener.ports.Archive.breakdown`."""
    field, query = FIELDS[dimension], all_of(select_where(replace(where, originals=True)))
    mentions, values = _size(server, query, field)
    if mentions > EXACT_UP_TO:
        found = _sketched_breakdown(server, query, field, values)
    else:
        sources = [_terms("value", field), _terms("voice", "lyhord.voice")]
        found = Counter(pair["key"]["value"] for pair in _composite(server, query, sources, {}))
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def known_authors(server: Server, where: Where, authors: Iterable[str]) -> frozenset[str]:
    """See `listener.ports.Archive.known_authors`."""
    asked = sorted({author for author in authors if author})
    filters = select_where(where) if asked else []
    known: set[str] = set()
    for first in range(0, len(asked), _PAGE):
        chunk = asked[first : first + _PAGE]
        answer = server.search(
            {
                "query": all_of([*filters, {"terms": {"user.hash": chunk}}]),
                "size": 0,
                "track_total_hits": False,
                "aggs": {"authors": {"terms": {"field": "user.hash", "size": len(chunk)}}},
            },
            seconds=COUNT_SECONDS,
        )
        known.update(each["key"] for each in _buckets(answer, "authors"))
    return frozenset(known)


def _size(server: Server, query: Filter, field: str) -> tuple[int, int]:
    """(mentions, about how many values of the field, at least 1)."""
    values = {"values": {"cardinality": {"field": field}}} if field else {}
    body = {"query": query, "size": 0, "track_total_hits": True, "aggs": values}
    answer = server.search(body, seconds=COUNT_SECONDS)
    found = answer["aggregations"]["values"]["value"] if field and "aggregations" in answer else 1
    return answer["hits"]["total"]["value"], max(found, 1)


def _add_exact(server: Server, question: _Question, table: _Table) -> None:
    sources = [
        *([_terms("value", question.field)] if question.field else []),
        {"at": {"date_histogram": question.histogram()}},
        _terms("voice", "lyhord.voice"),
    ]
    query = question.query(question.low, question.high)
    for pair in _composite(server, query, sources, question.of_signals({})):
        value, at = pair["key"].get("value", ""), pair["key"]["at"]
        for signal in question.signals:
            heard = pair[signal.value]["doc_count"] if signal in FLAGS else 1
            table.add(value, at, signal, min(heard, 1))


def _add_sketched(
    server: Server, question: _Question, pieces: Sequence[tuple[str, int, int]], table: _Table
) -> None:
    longest = max((high - low) // question.bucket for _, low, high in pieces)
    voices = _voices(longest * len(question.signals))
    counted = {
        "at": {
            "date_histogram": {**question.histogram(), "min_doc_count": 1},
            "aggs": {**voices, **question.of_signals({"aggs": voices})},
        }
    }
    if question.field:
        counted = {"values": {"terms": {"field": question.field, "size": _MAX_VALUES}, "aggs": counted}}
    bodies = [
        (index, {"query": question.query(low, high), "size": 0, "track_total_hits": False, "aggs": counted})
        for index, low, high in pieces
    ]
    for answer in server.searches(bodies):
        for each in _buckets(answer, "values") if question.field else [answer.get("aggregations", {})]:
            for bucket in _buckets({"aggregations": each}, "at"):
                for signal in question.signals:
                    of_signal = bucket[signal.value] if signal in FLAGS else bucket
                    table.add(each.get("key", ""), bucket["key"], signal, of_signal["voices"]["value"])


def _pieces(server: Server, question: _Question, values: int) -> list[tuple[str, int, int]]:
    """(index, from, to): the span in runs of whole buckets. Each week of a month is asked by itself: the server answers from its
    cache what it was asked before of a month that has not changed, and a span that has moved on shares most weeks with the one
    before. A bucket that two months share is asked of all."""
    names, bucket = server.names, question.bucket
    most = max(_MAX_CELLS // (values * len(question.signals)), 1)
    pieces: list[tuple[str, int, int]] = []
    for at in range(question.start, question.high, bucket):
        first, last = names.index(moment(at)), names.index(moment(at + bucket - 1))
        index = first if first == last else names.alias
        is_of_week = bool(pieces) and pieces[-1][1] // WEEK == at // WEEK
        if is_of_week and pieces[-1][0] == index != names.alias and at - pieces[-1][1] < most * bucket:
            pieces[-1] = (index, pieces[-1][1], at + bucket)
        else:
            pieces.append((index, at, at + bucket))
    return pieces


def _sketched_breakdown(server: Server, query: Filter, field: str, values: int) -> dict[str, int]:
    by_value = {"terms": {"field": field, "size": _MAX_VALUES}, "aggs": _voices(values)}
    body = {"query": query, "size": 0, "track_total_hits": False, "aggs": {"values": by_value}}
    answer = server.search(body, seconds=COUNT_SECONDS)
    return {each["key"]: each["voices"]["value"] for each in _buckets(answer, "values")}


def _voices(sketches: int) -> dict[str, Any]:
    least, most = _THRESHOLDS
    threshold = min(max(_SKETCH_BYTES // 8 // sketches, least), most)
    return {"voices": {"cardinality": {"field": "lyhord.voice_number", "precision_threshold": threshold}}}


def _composite(
    server: Server, query: Filter, sources: Sequence[Mapping[str, Any]], aggregations: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Every combination of the sources' values."""
    after: dict[str, Any] = {}
    while True:
        composite = {"size": _PAGE, "sources": list(sources), **after}
        body = {
            "query": query,
            "size": 0,
            "track_total_hits": False,
            "aggs": {"pairs": {"composite": composite, "aggs": aggregations}},
        }
        answer = server.search(body, seconds=COUNT_SECONDS)
        found = _buckets(answer, "pairs")
        yield from found
        if len(found) < _PAGE:
            return
        after = {"after": answer["aggregations"]["pairs"]["after_key"]}


def _terms(name: str, field: str) -> dict[str, Any]:
    return {name: {"terms": {"field": field}}}


def _buckets(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Without any index there is no aggregation."""
    found: list[dict[str, Any]] = answer.get("aggregations", {}).get(name, {}).get("buckets", [])
    return found
