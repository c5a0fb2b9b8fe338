"""What becomes of copies whose original is gone: the oldest of them is the original of the others."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from listener.archive.elastic.client import CHUNK, Server
from listener.archive.elastic.documents import action, encoded
from listener.archive.elastic.selection import all_of
from listener.archive.elastic.translate import Filter
from listener.errors import StoreAway
from listener.fingerprint import bands
from listener.text import tokenise


def promote(server: Server, originals: Sequence[str], *, without: Collection[str] = ()) -> int:
    """Make the oldest copy of each of them the original of the others, itself not being among `without`; returns how many
    copies there were."""
    copies: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for chunk in chunks(originals):
        for hit in _copies(server, chunk):
            if hit["_id"] not in without:
                copies[hit["_source"]["lyhord"]["cluster"]].append(hit)
    actions: list[bytes] = []
    for heir, *others in copies.values():
        heirs_own = {
            "cluster": heir["_id"],
            "is_copy": False,
            "bands": bands(tokenise(heir["_source"]["message"]).words),
        }
        actions.append(_update(heir, heirs_own))
        actions += [_update(copy, {"cluster": heir["_id"]}) for copy in others]
    change(server, actions)
    return sum(len(group) for group in copies.values())


def _copies(server: Server, originals: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """In the order of storing."""
    query = all_of([{"terms": {"lyhord.cluster": list(originals)}}, {"term": {"lyhord.is_copy": True}}])
    fields, after = ["lyhord.cluster", "message"], None
    while page := found(server, query, fields, after=after):
        yield from page
        after = page[-1]["sort"]


def found(
    server: Server, query: Filter, fields: Sequence[str], *, after: Sequence[object] | None = None
) -> list[Mapping[str, Any]]:
    """At most CHUNK, the oldest stored first."""
    body = {
        "query": query,
        "size": CHUNK,
        "_source": list(fields) or False,
        "sort": [{"lyhord.stored": "asc"}, {"event.id": "asc"}],
        "track_total_hits": False,
        **({"search_after": after} if after else {}),
    }
    hits: list[Mapping[str, Any]] = server.search(body)["hits"]["hits"]
    return hits


def _update(hit: Mapping[str, Any], own: Mapping[str, Any]) -> bytes:
    return action("update", hit["_index"], hit["_id"]) + encoded({"doc": {"lyhord": own}})


def change(server: Server, actions: Sequence[bytes]) -> None:
    """Raises StoreAway when somebody else is changing the same documents; the whole may then be done again."""
    for outcome in server.bulk(actions):
        if outcome.error and outcome.status != 404:
            raise StoreAway(
                f"elasticsearch at {server.names.address}: erasing was disturbed ({outcome.error})"
            )


def chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    """As many as go into one question."""
    return (list(ids[first : first + CHUNK]) for first in range(0, len(ids), CHUNK))
