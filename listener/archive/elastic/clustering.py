"""Which new mentions are copies, and of what: the rules are those of `listener.archive.clustering`.

An original can be found by its bands as soon as the server's index was refreshed; before that, only the process that wrote it
knows it. Two processes that store copies of each other within the same second both keep theirs as an original.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from listener.archive.clustering import MAX_COMPARED, WINDOW
from listener.archive.elastic.client import Server
from listener.archive.elastic.selection import all_of
from listener.archive.elastic.unseen import Original, Unseen
from listener.fingerprint import similar
from listener.text import tokenise

_MAX_FOUND = 2_000
"""Originals of one batch that share a band with it, the first stored: a bound for hostile texts."""


class Known:
    """Originals that new mentions may be copies of."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._by_band: defaultdict[int, list[Original]] = defaultdict(list)

    def clusters(self, candidates: Sequence[Original], originals: Iterable[Original]) -> list[str]:
        """The id of each candidate's original (its own when it is no copy): one of `originals`, which are new here, or one that
        came before. `candidates` are in the order of storing."""
        for original in originals:
            self._add(original)
        return [self._cluster(candidate) for candidate in candidates]

    def _cluster(self, candidate: Original) -> str:
        original = self._original_of(candidate)
        if original is None:
            self._add(candidate)
        return original.id if original else candidate.id

    def _add(self, original: Original) -> None:
        if original.id not in self._ids:
            self._ids.add(original.id)
            for band in original.bands:
                self._by_band[band].append(original)

    def _original_of(self, candidate: Original) -> Original | None:
        """The first stored that is alike and near enough in time."""
        shared = [
            original
            for band in candidate.bands
            for original in self._by_band.get(band, ())
            if abs(original.published - candidate.published) <= WINDOW and original.id != candidate.id
        ]
        if not shared:
            return None
        words = tokenise(candidate.text).words
        alike = (each for each in _likely(shared) if similar(words, tokenise(each.text).words))
        return next(alike, None)


def _likely(shared: Sequence[Original]) -> list[Original]:
    """At most MAX_COMPARED, those with most bands in common, the first stored first."""
    times = Counter(original.id for original in shared)
    each = list({original.id: original for original in shared}.values())
    if len(each) > MAX_COMPARED:
        each.sort(key=lambda original: (-times[original.id], original.stored))
    return sorted(each[:MAX_COMPARED], key=lambda original: original.stored)


def look_up(server: Server, unseen: Unseen, candidates: Sequence[Original]) -> list[Original]:
    """Stored originals that share a band with a candidate."""
    wanted = frozenset(band for candidate in candidates for band in candidate.bands)
    if not wanted:
        return []
    remembered = unseen.originals(
        wanted
    )  # before the search: a refresh in between then shows them twice, not never
    times = [candidate.published for candidate in candidates]
    answer = server.search(
        {
            "query": all_of(
                [
                    {"terms": {"lyhord.bands": sorted(wanted)}},
                    {"range": {"lyhord.published": {"gte": min(times) - WINDOW, "lte": max(times) + WINDOW}}},
                ]
            ),
            "_source": ["event.id", "message", "lyhord.stored", "lyhord.published", "lyhord.bands"],
            "size": _MAX_FOUND,
            "sort": [{"lyhord.stored": "asc"}],
            "track_total_hits": False,
        }
    )
    found = {original.id: original for original in map(_to_original, answer["hits"]["hits"])}
    return [*found.values(), *(original for original in remembered if original.id not in found)]


def _to_original(hit: Mapping[str, Any]) -> Original:
    source = hit["_source"]
    own = source["lyhord"]
    return Original(
        source["event"]["id"], own["stored"], own["published"], tuple(own["bands"]), source["message"]
    )
