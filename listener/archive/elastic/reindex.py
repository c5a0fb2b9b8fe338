"""Bring indices into the template's newest shape while others go on reading and writing.

Index by index, without the server's own reindexing (a small build has none): copy into a new index, catch up with what changed
meanwhile, hold writers off for a moment, catch up for the last time, and let the lasting name mean the new index. Whoever
writes in that moment is told that the server takes no writes, and tries again.

Each copy carries the number of the change that it shows (`_seq_no`) as its version, so that an older state never replaces a
newer one, and every step may be repeated: a reindexing that was killed goes on where it was.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from listener.archive.elastic.names import Names
from listener.archive.elastic.template import bodies, explained, install
from listener.errors import StoreAway, StoreError

PAGE = 500
PAGES_BETWEEN_NOTES = 20
FEW = 200
"""So few changes are caught up with while writers wait."""
ROUNDS = 10
"""Of catching up before writers are held off all the same."""
_KEEP_ALIVE = "5m"
_PATIENT = 60.0
"""Seconds for what the whole cluster must agree on."""
_TRIES = 6
_BUSY = frozenset({429, 502, 503, 504})

Say = Callable[[int, int], None]
"""(done, total): documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """`name` means the index `old` now and `new` afterwards; `uuid` is that of `old`, `template` the shape to come."""

    name: str
    old: str
    uuid: str
    new: str
    template: Mapping[str, Any]


def reindex(client: Elasticsearch, names: Names, say: Say) -> tuple[str, ...]:
    """Installs the newest template and remakes every index that could not take its shape in place; returns their lasting names.
    Nothing is lost when it is stopped at any point; call it again, for until then an index may take no writes.
    Raises StoreAway, StoreError, StoreTooNew, ConfigError."""
    standing = install(client, names)
    templates = bodies(names, standing.analysers)
    with explained(names):
        moves = [_move(client, names, old, templates) for old in standing.outdated]
        progress = _Progress(say, sum(_count(client, move.old) for move in moves))
        for move in moves:
            _carry_out(client, move, progress)
    return tuple(move.name for move in moves)


def _move(client: Elasticsearch, names: Names, old: str, templates: Mapping[str, Mapping[str, Any]]) -> Move:
    name = names.known_as(old)
    body = templates.get(
        name, templates[names.template]
    )  # of incidents and sources the template has the index's name
    settings = client.indices.get_settings(index=old)[old]["settings"]["index"]
    return Move(
        name=name, old=old, uuid=settings["uuid"], new=names.reindexed(old), template=body["template"]
    )


class _Progress:
    def __init__(self, say: Say, total: int) -> None:
        self._say, self._total, self._done = say, total, 0

    def add(self, count: int) -> None:
        self._done = min(self._done + count, self._total)  # what changes meanwhile is copied twice
        self._say(self._done, self._total)


def _carry_out(client: Elasticsearch, move: Move, progress: _Progress) -> None:
    position = _prepare(client, move)
    for _ in range(ROUNDS):
        position, changed = _copy(client, move, position, progress)
        if changed <= FEW:
            break
    _forget_vanished(client, move)
    with _without_writers(client, move):
        position, _ = _copy(client, move, position, progress)
        _forget_vanished(client, move)
        if _count(client, move.old) != _count(client, move.new):
            raise StoreError(f"{move.name}: the copy {move.new} did not become complete; nothing was changed")
        _note(client, move, {})
        _swap(client, move)


def _prepare(client: Elasticsearch, move: Move) -> int:
    """The new index is there; returns up to which change it was filled already, -1: none."""
    found = client.options(ignore_status=404).indices.get_mapping(index=move.new).body
    if move.new in found:
        meta = dict(found[move.new]["mappings"].get("_meta", {}))
        position, of = meta.pop("copied", -1), meta.pop("of", move.uuid)
        if meta == move.template["mappings"]["_meta"] and of == move.uuid:
            return int(position)
        client.indices.delete(index=move.new)  # begun for an older shape, or from an index that is no more
    # Of the template's aliases it gets none yet.
    client.indices.create(
        index=move.new, settings=move.template["settings"], mappings=move.template["mappings"]
    )
    return -1


def _note(client: Elasticsearch, move: Move, progress: Mapping[str, Any]) -> None:
    """Remember in the new index how far the copy is; nothing: it is done."""
    client.indices.put_mapping(index=move.new, meta={**move.template["mappings"]["_meta"], **progress})


def _copy(client: Elasticsearch, move: Move, position: int, progress: _Progress) -> tuple[int, int]:
    """Copy what changed after a position; returns the next position and how many documents there were."""
    # Asked for first: changes up to here are all to be seen after the refresh. Later ones that are seen, too, are copied again.
    reached = _checkpoint(client, move.old)
    client.indices.refresh(index=move.old)
    changed = 0
    query = {"range": {"_seq_no": {"gt": position}}}
    for page, hits in enumerate(_pages(client, move.old, query=query, sort=[{"_seq_no": "asc"}]), start=1):
        _write(client, move, [each for hit in hits for each in _as_copy(move, hit)])
        changed += len(hits)
        progress.add(len(hits))
        if page % PAGES_BETWEEN_NOTES == 0:
            _note(client, move, {"copied": min(reached, hits[-1]["_seq_no"]), "of": move.uuid})
    if reached > position:
        _note(client, move, {"copied": reached, "of": move.uuid})
    return reached, changed


def _as_copy(move: Move, hit: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    # Versions begin with 1, changes with 0.
    version = {"version": hit["_seq_no"] + 1, "version_type": "external"}
    return {"index": {"_index": move.new, "_id": hit["_id"], **version}}, hit["_source"]


def _forget_vanished(client: Elasticsearch, move: Move) -> None:
    """What was deleted from the old index meanwhile goes from the new one."""
    if _count(client, move.old) == _count(client, move.new):
        return  # all of the old is in the new, so they hold the same
    for hits in _pages(client, move.new, query={"match_all": {}}, sort=["_shard_doc"], source=False):
        there = client.mget(index=move.old, ids=[hit["_id"] for hit in hits], source=False)["docs"]
        if any("error" in each for each in there):
            raise StoreError(f"{move.old} cannot be read any more; is another reindexing under way?")
        gone = [each["_id"] for each in there if not each["found"]]
        _write(client, move, [{"delete": {"_index": move.new, "_id": each}} for each in gone])


@contextmanager
def _without_writers(client: Elasticsearch, move: Move) -> Iterator[None]:
    """The old index takes no writes, and those under way have ended; when the work inside fails, it takes them again."""
    client.options(request_timeout=_PATIENT).indices.add_block(index=move.old, block="write")
    try:
        yield
    except BaseException:
        with suppress(ApiError, TransportError):
            client.indices.put_settings(index=move.old, settings={"index.blocks.write": None})
        raise


def _swap(client: Elasticsearch, move: Move) -> None:
    """In one step for everybody: the old index is gone, and its names are the new one's."""
    aliases = {move.name, *move.template.get("aliases", {})}
    client.options(request_timeout=_PATIENT).indices.update_aliases(
        actions=[
            {"remove_index": {"index": move.old}},
            *({"add": {"index": move.new, "alias": alias}} for alias in sorted(aliases)),
        ]
    )


def _pages(
    client: Elasticsearch,
    index: str,
    *,
    query: Mapping[str, Any],
    sort: Sequence[str | Mapping[str, Any]],
    source: bool = True,
) -> Iterator[list[dict[str, Any]]]:
    """Hits of a search as it was at one instant."""
    pit = client.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE)["id"]
    after: list[Any] | None = None
    try:
        while True:
            found = client.search(
                pit={"id": pit, "keep_alive": _KEEP_ALIVE},
                query=query,
                sort=sort,
                search_after=after,
                size=PAGE,
                source=source,
                seq_no_primary_term=True,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
            pit = found["pit_id"]
            hits = found["hits"]["hits"]
            if not hits:
                return
            yield hits
            after = hits[-1]["sort"]
    finally:
        with suppress(ApiError, TransportError):
            client.close_point_in_time(id=pit)


def _write(client: Elasticsearch, move: Move, operations: Sequence[Mapping[str, Any]]) -> None:
    """Every item is written, or was written before; raises StoreAway, StoreError."""
    for attempt in range(_TRIES):
        if not operations:
            return
        answer = client.options(request_timeout=_PATIENT).bulk(operations=operations)
        items = [next(iter(item.values())) for item in answer["items"]] if answer["errors"] else []
        refused = [
            item for item in items if item["status"] >= 300 and item["status"] not in (404, 409, *_BUSY)
        ]
        if refused:
            raise StoreError(
                f"{move.new} did not take {len(refused)} documents, the first is {refused[0]['_id']}: "
                f"{refused[0]['error']['type']}; {move.old} stays as it is",
                permanent=True,
            )
        if not any(item["status"] in _BUSY for item in items):
            return
        time.sleep(0.2 * 2**attempt)  # all of them again: what was taken answers 409
    raise StoreAway(f"{move.new}: the server is too busy; what was copied stays, run it again")


def _checkpoint(client: Elasticsearch, index: str) -> int:
    """The number up to which every change of the index is known; -1: none."""
    shards = client.indices.stats(index=index, metric="docs", level="shards")["indices"][index]["shards"]
    copies = [copy for copies in shards.values() for copy in copies if copy["routing"]["primary"]]
    return min(int(copy["seq_no"]["global_checkpoint"]) for copy in copies)


def _count(client: Elasticsearch, index: str) -> int:
    """Of all that is written by now."""
    client.indices.refresh(index=index)
    return int(client.count(index=index)["count"])
