"""The archive on Elasticsearch 9: one index a month. Implements `listener.ports.Archive`.

Who wrote something reads it at once; what other processes write shows after the index's refresh interval, a second.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Any

from listener.archive.elastic import adding, counting, erasing, reports, template
from listener.archive.elastic.adding import find_places, refresh, to_place
from listener.archive.elastic.client import Server
from listener.archive.elastic.documents import UNREAD, to_mention
from listener.archive.elastic.names import Names
from listener.archive.elastic.selection import all_of, select_where
from listener.archive.elastic.translate import Filter
from listener.archive.elastic.unseen import Place, Unseen
from listener.archive.rows import micros
from listener.incident import Incident
from listener.mention import Mention, Score, Signal
from listener.ports import Added, Away, Dimension, SourceReading, Where

SEARCH_SECONDS = 5.0
READINGS_KEPT = timedelta(days=90)
"""How long it is shown how a source was."""
_PAGE = 2_000
"""Mentions of one answer."""
_REMEMBERED_PLACES = 10_000
_NEWEST = [{"lyhord.published": "desc"}, {"event.id": "desc"}]
_OLDEST = [{"lyhord.published": "asc"}, {"event.id": "asc"}]
_AS_STORED = [{"lyhord.stored": "asc"}, {"event.id": "asc"}]
_HAS_SCORE: Filter = {"exists": {"field": "lyhord.model"}}


class ElasticArchive:
    """See `listener.ports.Archive` for what each method promises. Safe for several threads and processes; may be carried across
    a fork. Nothing is asked of the server before the first method is called."""

    def __init__(
        self, url: str, *, api_key: str = "", clock: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        """`url`: http(s)://host:port, or with /prefix. `clock`: microseconds since 1970. Raises ConfigError."""
        self._server = Server(Names.of(url), api_key=api_key)
        self._unseen = Unseen()
        self._numbers = _rising(clock)
        self._writing = Lock()
        """Adding and erasing: who looks for originals must see what was stored just before."""
        self._seen = _Seen()
        self._due = erasing.Due(time.monotonic)

    def add(self, mentions: Sequence[Mention]) -> Added:
        """Not all or nothing: after an error the same batch may be added again. Also raises StoreRefused, when the others are
        stored. A copy of what another process stored within the last second may be taken for an original."""
        if not mentions:
            return Added((), (), ())
        with self._writing:
            return adding.add(self._server, self._unseen, mentions, self._numbers)

    def unscored(self, limit: int) -> list[Mention]:
        return self._as_stored({"bool": {"must_not": [_HAS_SCORE]}}, limit)

    def outdated(self, model: str, limit: int, *, after: str = "") -> list[Mention]:
        query = {"bool": {"filter": [_HAS_SCORE], "must_not": [{"term": {"lyhord.model": model}}]}}
        last = self._hits({"ids": {"values": [after]}}, 1, sort=_AS_STORED, source=False) if after else []
        return self._as_stored(query, limit, after=next((hit["sort"] for hit in last), None))

    def save_scores(self, scores: Mapping[str, tuple[str, Score]]) -> int:
        if not scores:
            return 0
        places = self._seen.take(scores)
        if missing := [id_ for id_ in scores if id_ not in places]:
            self._freshen()
            places |= find_places(self._server, self._unseen, missing)
        try:
            return adding.save_scores(self._server, scores, places)
        finally:
            self._unseen.changed()

    def get(self, mention_id: str) -> Mention | None:
        hits = self._hits({"ids": {"values": [mention_id]}}, 1)
        return to_mention(hits[0]["_source"]) if hits else None

    def search(
        self, where: Where, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[Mention]:
        """Also raises StoreError when it takes longer than SEARCH_SECONDS."""
        after = (micros(before[0]), before[1]) if before else None
        hits = self._hits(all_of(select_where(where)), limit, sort=_NEWEST, after=after)
        return [to_mention(hit["_source"]) for hit in hits]

    def counts(
        self, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime, bucket: timedelta
    ) -> Mapping[Signal, list[int]]:
        """Also raises ValueError when [start, end) is not a whole number of buckets. Exact up to counting.EXACT_UP_TO
        mentions."""
        self._freshen()
        return counting.counts(self._server, where, signals, start=start, end=end, bucket=bucket)

    def counts_by(
        self,
        where: Where,
        signals: Sequence[Signal],
        dimension: Dimension,
        *,
        start: datetime,
        end: datetime,
        bucket: timedelta,
    ) -> Mapping[str, Mapping[Signal, list[int]]]:
        """Also raises ValueError when [start, end) is not a whole number of buckets. Exact as `counts` is."""
        self._freshen()
        return counting.counts_by(
            self._server, where, signals, dimension, start=start, end=end, bucket=bucket
        )

    def breakdown(self, where: Where, dimension: Dimension) -> Mapping[str, int]:
        """Exact as `counts` is."""
        self._freshen()
        return counting.breakdown(self._server, where, dimension)

    def known_authors(self, where: Where, authors: Iterable[str]) -> frozenset[str]:
        self._freshen()
        return counting.known_authors(self._server, where, authors)

    def held(self, mention_ids: Iterable[str]) -> frozenset[str]:
        self._freshen()
        return frozenset(find_places(self._server, self._unseen, list(mention_ids)))

    def ids_of_thread(self, source: str, thread: str) -> frozenset[str]:
        """Of no thread ("") there are none."""
        if not thread:
            return frozenset()
        query = all_of([{"term": {"observer.name": source}}, {"term": {"lyhord.thread": thread}}])
        return frozenset(hit["_id"] for hit in self._hits(query, None, sort=_AS_STORED, source=False))

    def erase(self, mention_ids: Iterable[str]) -> int:
        """Nothing finds it any more at once. Its words leave the server's files with the first `settle` after
        erasing.KEPT_SECONDS; call that in the same process. Takes longer the larger the months that are touched."""
        with self._writing:
            return erasing.erase(self._server, self._unseen, self._due, mention_ids)

    def erase_author(self, author: str) -> int:
        with self._writing:
            return erasing.erase_author(self._server, self._unseen, self._due, author)

    def expired(self, now: datetime, limit: int = 1000) -> list[str]:
        query: Filter = {"range": {"lyhord.retention_micros": {"lte": micros(now)}}}
        return [hit["_id"] for hit in self._hits(query, limit, sort=_OLDEST, source=False)]

    def total(self) -> int:
        self._freshen()
        answer = self._server.search({"size": 0, "track_total_hits": True})
        number: int = answer["hits"]["total"]["value"]
        return number

    def away(self) -> Away | None:
        """It says so by StoreAway when it is asked; `JournaledArchive` remembers."""
        return None

    def settle(self, limit: int = 1_000) -> int:
        """Nothing waits here but the files of months in which something was erased."""
        erasing.purge(self._server, self._due)
        return 0

    def publish(self, incidents: Sequence[Incident], readings: Sequence[SourceReading]) -> None:
        with self._server.speaking() as client:
            reports.publish(client, self._server.names, incidents, readings)
            if readings:
                oldest = max(reading.at for reading in readings) - READINGS_KEPT
                template.tidy_reports(client, self._server.names, oldest)

    def close(self) -> None:
        self._server.close()

    def _freshen(self) -> None:
        """Show what this process wrote; at the first read also what any other wrote just before."""
        if self._unseen.has_changes():
            refresh(self._server, self._unseen)

    def _as_stored(
        self, query: Filter, limit: int, *, after: Sequence[object] | None = None
    ) -> list[Mention]:
        hits = self._hits(query, limit, sort=_AS_STORED, after=after)
        self._seen.keep(hits)
        return [to_mention(hit["_source"]) for hit in hits]

    def _hits(
        self,
        query: Filter,
        limit: int | None,
        *,
        sort: Sequence[Mapping[str, str]] = (),
        after: Sequence[object] | None = None,
        source: bool = True,
    ) -> list[dict[str, Any]]:
        """`limit` None: all of them."""
        if limit is not None and limit <= 0:
            return []
        self._freshen()
        return list(islice(self._pages(query, limit or _PAGE, sort, after, source), limit))

    def _pages(
        self,
        query: Filter,
        limit: int,
        sort: Sequence[Mapping[str, str]],
        after: Sequence[object] | None,
        source: bool,
    ) -> Iterator[dict[str, Any]]:
        """Each page begins where the last one ended, whatever was stored meanwhile."""
        body: dict[str, Any] = {
            "query": query,
            "size": min(limit, _PAGE),
            "_source": {"excludes": UNREAD} if source else False,
            "seq_no_primary_term": True,
            "track_total_hits": False,
            "sort": sort,
        }
        while True:
            more = {"search_after": after} if after else {}
            page = self._server.search(body | more, seconds=SEARCH_SECONDS)["hits"]["hits"]
            yield from page
            if len(page) < body["size"] or not sort:
                return
            after = page[-1]["sort"]


class _Seen:
    """Places of mentions that were read in order to be scored, so that saving their scores need not look for them. A place that
    is no longer right does no harm: the server compares the version."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: OrderedDict[str, Place] = OrderedDict()

    def keep(self, hits: Iterable[Mapping[str, Any]]) -> None:
        with self._lock:
            for hit in hits:
                self._places[hit["_id"]] = to_place(hit)
            while len(self._places) > _REMEMBERED_PLACES:
                self._places.popitem(last=False)

    def take(self, ids: Iterable[str]) -> dict[str, Place]:
        with self._lock:
            return {id_: self._places.pop(id_) for id_ in ids if id_ in self._places}


def _rising(clock: Callable[[], int]) -> Iterator[int]:
    """The clock, but later each time than the last."""
    last = 0
    while True:
        last = max(last + 1, clock())
        yield last
