"""Storing mentions and scores in the archive on Elasticsearch.

A batch is not all or nothing here: whoever gets an error sends the batch again, and what was stored meanwhile is then known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from listener import metrics
from listener.archive.elastic.client import Server
from listener.archive.elastic.clustering import Known, look_up
from listener.archive.elastic.documents import (
    Standing,
    action,
    document,
    encoded,
    score_fields,
    to_mention,
)
from listener.archive.elastic.heirs import chunks, promote
from listener.archive.elastic.unseen import Original, Place, Unseen
from listener.archive.rows import micros
from listener.errors import StoreAway, StoreRefused
from listener.fingerprint import bands
from listener.mention import Mention, Score
from listener.ports import Added
from listener.text import tokenise

PART = 250
"""New mentions that are prepared and sent at once: half of the usual batch."""
MAX_TRIES = 5
"""At a document that others change at the same time."""
_CONFLICT, _MISSING = 409, 404


@dataclass(slots=True)
class _Batch:
    """What became of the mentions of one `add`, by id."""

    new: set[str]
    edited: set[str]
    refused: dict[str, str]


def add(server: Server, unseen: Unseen, mentions: Sequence[Mention], numbers: Iterator[int]) -> Added:
    """See `listener.ports.Archive.add`. Of an id that comes twice, the last counts. `numbers`: rising, for those that are new.
    Also raises StoreRefused, when all the others are stored."""
    latest = {mention.id: mention for mention in mentions}
    batch = _Batch(set(), set(), {})
    try:
        held = find_places(server, unseen, list(latest))
        _edit(server, unseen, batch, [latest[id_] for id_ in held], held)
        new = [mention for mention in latest.values() if mention.id not in held]
        late = _create(server, unseen, batch, new, numbers)
        _edit(server, unseen, batch, [latest[id_] for id_ in late], late)
    except BaseException:
        unseen.blurred()  # what of it was stored is not remembered
        raise
    if batch.refused:
        raise StoreRefused(
            f"elasticsearch at {server.names.address} refused {len(batch.refused):,} of {len(latest):,} mentions "
            f"({next(iter(batch.refused.values()))})",
            batch.refused,
        )
    return Added(
        new=tuple(id_ for id_ in latest if id_ in batch.new),
        edited=tuple(id_ for id_ in latest if id_ in batch.edited),
        known=tuple(id_ for id_ in latest if id_ not in batch.new and id_ not in batch.edited),
    )


def refresh(server: Server, unseen: Unseen) -> None:
    """Show what was written."""
    with server.speaking() as client:
        unseen.refresh(lambda: client.indices.refresh(index=server.names.alias, ignore_unavailable=True))


def find_places(server: Server, unseen: Unseen, ids: Sequence[str]) -> dict[str, Place]:
    """Of those that are stored, in any month: an undated post that is read again may have been published at another time."""
    if unseen.is_blurred():
        refresh(server, unseen)
    places = unseen.places(ids)
    asked = [id_ for id_ in ids if id_ not in places]
    for chunk in chunks(asked):
        body = {
            "query": {"ids": {"values": chunk}},
            "size": len(chunk),
            "_source": ["lyhord.revision"],
            "seq_no_primary_term": True,
            "track_total_hits": False,
        }
        places |= {hit["_id"]: to_place(hit) for hit in server.search(body)["hits"]["hits"]}
    return places


def to_place(hit: Mapping[str, Any]) -> Place:
    """Of a hit, or of a document, that has its revision and its version with it."""
    return Place(hit["_index"], hit["_source"]["lyhord"]["revision"], hit["_seq_no"], hit["_primary_term"])


def _create(
    server: Server, unseen: Unseen, batch: _Batch, new: Sequence[Mention], numbers: Iterator[int]
) -> dict[str, Place]:
    """Store new mentions; returns the places of those that somebody else has stored meanwhile."""
    if unseen.is_blurred():  # by edits in the same batch
        refresh(server, unseen)
    drafts: list[_Draft] = []
    with ThreadPoolExecutor(2) as sending:  # the server stores one part while we prepare the next
        answers = []
        for part in _drafted(server, unseen, new, numbers):
            drafts += part
            answers.append(sending.submit(server.bulk, [draft.action() for draft in part]))
        outcomes = [outcome for answer in answers for outcome in answer.result()]
    stored, late = [], []
    for draft, outcome in zip(drafts, outcomes, strict=True):
        if outcome.status == _CONFLICT:
            late.append((draft.index, draft.mention.id))
        elif outcome.error:
            batch.refused[draft.mention.id] = outcome.error
        else:
            stored.append(draft)
    metrics.COPIES.add(by=sum(draft.is_copy for draft in stored))
    unseen.remember(
        {draft.mention.id: Place(draft.index, draft.mention.revision) for draft in stored},
        [draft.original for draft in stored if not draft.is_copy],
    )
    batch.new.update(draft.mention.id for draft in stored)
    if not batch.refused.keys().isdisjoint(draft.cluster for draft in drafts):
        refresh(server, unseen)
        promote(server, list(batch.refused))
        unseen.blurred()
    return _places_now(server, late)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A new mention with all that the archive gives it."""

    mention: Mention
    index: str
    original: Original
    """As which copies may find it, if it is none itself."""
    cluster: str

    @property
    def is_copy(self) -> bool:
        return self.cluster != self.mention.id

    def action(self) -> bytes:
        standing = Standing(
            stored=self.original.stored,
            cluster=self.cluster,
            bands=() if self.is_copy else self.original.bands,
        )
        return action("create", self.index, self.mention.id) + encoded(document(self.mention, standing))


def _drafted(
    server: Server, unseen: Unseen, new: Sequence[Mention], numbers: Iterator[int]
) -> Iterator[list[_Draft]]:
    """In the order of publication, PART at a time; each part knows the originals of those before it."""
    in_order = sorted(new, key=lambda mention: (mention.published_at, mention.id))
    known = Known()
    for first in range(0, len(in_order), PART):
        part = in_order[first : first + PART]
        originals = [_as_original(mention, next(numbers)) for mention in part]
        clusters = known.clusters(originals, look_up(server, unseen, originals))
        yield [
            _Draft(mention, server.names.index(mention.published_at), original, cluster)
            for mention, original, cluster in zip(part, originals, clusters, strict=True)
        ]


def _as_original(mention: Mention, number: int) -> Original:
    words = tokenise(mention.text).words
    return Original(mention.id, number, micros(mention.published_at), bands(words), mention.text)


def _edit(
    server: Server, unseen: Unseen, batch: _Batch, mentions: Iterable[Mention], places: Mapping[str, Place]
) -> None:
    """Replace those that are stored in another revision, each against the version that was read."""
    waiting = {m.id: m for m in mentions if places[m.id].revision != m.revision}
    for _ in range(MAX_TRIES):
        if not waiting:
            return
        docs = {doc["_id"]: doc for doc in server.get_many((places[id_].index, id_) for id_ in waiting)}
        changing = [
            mention
            for mention in waiting.values()
            if mention.id in docs and to_place(docs[mention.id]).revision != mention.revision
        ]
        outcomes = server.bulk([_replacement(mention, docs[mention.id]) for mention in changing])
        unseen.blurred()
        waiting = {}
        for mention, outcome in zip(changing, outcomes, strict=True):
            if outcome.status == _CONFLICT:
                waiting[mention.id] = mention
            elif outcome.status != _MISSING and outcome.error:
                batch.refused[mention.id] = outcome.error
            else:
                batch.edited.add(mention.id)
    if waiting:
        raise _contended(server, len(waiting))


def _replacement(mention: Mention, doc: Mapping[str, Any]) -> bytes:
    """An edited mention: new words, no score but its own, the old cluster and everything else as it was. An original is looked
    up by its new words from now on."""
    own = doc["_source"]["lyhord"]
    edited = replace(
        to_mention(doc["_source"]),
        title=mention.title,
        text=mention.text,
        brands=mention.brands,
        language=mention.language,
        score=mention.score,
    )
    standing = Standing(
        stored=own["stored"],
        cluster=own["cluster"],
        bands=() if own["is_copy"] else bands(tokenise(mention.text).words),
    )
    return action("index", doc["_index"], mention.id, to_place(doc).version) + encoded(
        document(edited, standing)
    )


def save_scores(server: Server, scores: Mapping[str, tuple[str, Score]], places: Mapping[str, Place]) -> int:
    """See `listener.ports.Archive.save_scores`. `places`: as last seen, of those that are stored."""
    saved = 0
    vague = [(place.index, id_) for id_, place in places.items() if place.seq_no < 0]
    places = {**places, **_places_now(server, vague)}
    for _ in range(MAX_TRIES):
        wanted = [id_ for id_, place in places.items() if place.revision == scores[id_][0]]
        outcomes = server.bulk(
            [
                action("update", places[id_].index, id_, places[id_].version)
                + encoded({"doc": {"lyhord": score_fields(scores[id_][1])}})
                for id_ in wanted
            ]
        )
        saved += sum(not outcome.error for outcome in outcomes)
        again = [
            (places[id_].index, id_)
            for id_, outcome in zip(wanted, outcomes, strict=True)
            if outcome.status == _CONFLICT
        ]
        if not again:
            return saved
        places = _places_now(server, again)
    raise _contended(server, len(places))


def _places_now(server: Server, places: Iterable[tuple[str, str]]) -> dict[str, Place]:
    """By id, of (index, id): as they are at this moment."""
    return {doc["_id"]: to_place(doc) for doc in server.get_many(places, ["lyhord.revision"])}


def _contended(server: Server, number: int) -> StoreAway:
    return StoreAway(
        f"elasticsearch at {server.names.address}: {number:,} mentions were changed by others again and again; try again"
    )
