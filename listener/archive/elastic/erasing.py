"""Deleting mentions from the archive on Elasticsearch, and their words from its files.

A deleted document is only marked at first; its words stay in the files until they are merged. The template lets every segment
be merged that has a deleted document, but for up to half a minute the server keeps deleted documents for copies of the index
that may have to catch up: so the months are merged at once, and once more when that time is over (`purge`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock

from listener.archive.elastic.adding import refresh
from listener.archive.elastic.client import Server
from listener.archive.elastic.documents import action
from listener.archive.elastic.heirs import change, chunks, found, promote
from listener.archive.elastic.unseen import Unseen

KEPT_SECONDS = 40.0
"""How long the server may keep what was deleted: it looks every 30 s whether somebody still wants it."""
MERGE_SECONDS = 600.0
"""For merging what was erased away; it goes on when nobody waits any more."""


class Due:
    """Months that are to be merged once more, and when."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._months: dict[str, float] = {}
        self._lock = Lock()

    def add(self, indices: Iterable[str]) -> None:
        with self._lock:
            self._months |= dict.fromkeys(indices, self._clock() + KEPT_SECONDS)

    def months(self) -> dict[str, float]:
        """Those whose time has come."""
        with self._lock:
            return {index: at for index, at in self._months.items() if at <= self._clock()}

    def done(self, months: Mapping[str, float]) -> None:
        """Those in which nothing was erased meanwhile are due no more."""
        with self._lock:
            self._months = {
                index: at for index, at in self._months.items() if index not in months or months[index] < at
            }


def erase(server: Server, unseen: Unseen, due: Due, mention_ids: Iterable[str]) -> int:
    """Delete, and make the oldest copy of a deleted original the original. Copies are seen to first: whoever is stopped in
    between finds the doomed still there and begins again."""
    unseen.blurred()
    refresh(server, unseen)  # what any process has written so far is found
    doomed = {
        hit["_id"]: hit
        for chunk in chunks(list(mention_ids))
        for hit in found(server, {"ids": {"values": chunk}}, ["lyhord.is_copy"])
    }
    if not doomed:
        return 0
    originals = [id_ for id_, hit in doomed.items() if not hit["_source"]["lyhord"]["is_copy"]]
    promote(server, originals, without=doomed.keys())
    change(server, [action("delete", hit["_index"], id_) for id_, hit in doomed.items()])
    unseen.blurred()
    refresh(server, unseen)
    if promote(server, originals):  # copies that somebody stored meanwhile
        unseen.blurred()
        refresh(server, unseen)
    touched = sorted({hit["_index"] for hit in doomed.values()})
    due.add(touched)
    _merge(server, touched)
    return len(doomed)


def erase_author(server: Server, unseen: Unseen, due: Due, author: str) -> int:
    """All mentions of one pseudonym; none for "", which many unknown people share."""
    erased = 0
    while author:
        refresh(server, unseen)
        hits = found(server, {"term": {"user.hash": author}}, [])
        if not hits:
            break
        erased += erase(server, unseen, due, [hit["_id"] for hit in hits])
    return erased


def purge(server: Server, due: Due) -> None:
    """Merge what was erased long enough ago. Dear: what is left of the segments is written anew."""
    if months := due.months():
        _merge(server, sorted(months), wait=False)
        due.done(months)


def _merge(server: Server, indices: Sequence[str], *, wait: bool = True) -> None:
    with server.speaking() as client:
        patient = client.options(request_timeout=MERGE_SECONDS)
        patient.indices.flush(index=list(indices), ignore_unavailable=True)  # also forgets its log of changes
        patient.indices.forcemerge(
            index=list(indices), only_expunge_deletes=True, ignore_unavailable=True, wait_for_completion=wait
        )
