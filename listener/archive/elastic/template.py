"""The shape of an archive's indices on Elasticsearch: index templates with strict mappings, in the names of ECS 9.

There is no index lifecycle: a mention goes when its own retention ends, not when its month is old, so a policy that deletes
indices would break a promise either way; and what was erased is merged away by the erasing itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from elasticsearch import ApiError, BadRequestError, Elasticsearch, TransportError

from listener.archive.elastic.names import Names
from listener.archive.elastic.reports import MAPPINGS_INCIDENTS, MAPPINGS_SOURCES
from listener.errors import ConfigError, StoreAway, StoreError, StoreTooNew

VERSION = 1
"""Of the shape. Raise it with every change here; what existing indices cannot take asks for `lyhord archive reindex`."""
PRIORITY = 250
"""Above the server's own templates (100 to 200)."""
ANALYSERS: Mapping[str, str] = {
    "sv": "swedish",
    "nb": "norwegian",
    "da": "danish",
    "fi": "finnish",
    "en": "english",
}
"""Sub-field → the server's analyser for it; nynorsk reads as norwegian."""
FALLBACK = "standard"
"""Where a server lacks an analyser: words as they are written."""
_PAGE = 1_000
_PATIENT = 30.0
"""Seconds: a cluster agrees on a new index while it does much else."""
_LONGEST_KEYWORD = 8_191
"""Characters: of four bytes at most, and a term may have 32,766 of those. What is longer is kept, but not found."""
_AWAY = frozenset({408, 429, 502, 503, 504})

_KEYWORD = {"type": "keyword"}
_FREE = {"type": "keyword", "ignore_above": _LONGEST_KEYWORD}
_DATE = {"type": "date"}
_LONG = {"type": "long"}
_FLOAT = {"type": "double"}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "long", "ignore_malformed": True}
_UNSEARCHED = {"type": "object", "enabled": False}

SETTINGS: Mapping[str, Any] = {
    "number_of_shards": 1,  # a month of one brand's mentions is far below the 50 GB that a shard holds well
    "auto_expand_replicas": "0-1",  # one copy, and none on a single node, where it would stay unassigned for ever
    "merge.policy.expunge_deletes_allowed": 0,  # what was erased leaves the files, were it one in a million
    "refresh_interval": "1s",  # as without it, but a search after a pause need not wait for a refresh
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an archive stands on its server. `analysers`: by language, as the indices to come use them. `outdated`: months in a
    shape that could not be changed in place; they go on working, and `lyhord archive reindex` brings them up to date."""

    analysers: Mapping[str, str]
    outdated: tuple[str, ...]


def mappings(analysers: Mapping[str, str]) -> dict[str, Any]:
    """Of the indices of mentions. `analysers`: one for each key of ANALYSERS."""
    return {
        "dynamic": "strict",
        "_meta": {"version": VERSION, "analysers": dict(analysers)},
        "properties": {
            "@timestamp": _DATE,
            "event": {
                "properties": {
                    "created": _DATE,
                    "ingested": _DATE,
                    "id": _KEYWORD,
                    "kind": _KEYWORD,
                    "dataset": _KEYWORD,
                    "provider": _FREE,
                    "reference": _FREE,
                }
            },
            "url": {"properties": {"full": _FREE, "domain": _FREE}},
            "message": _text(analysers),
            "user": {"properties": {"hash": _FREE}},
            "observer": {"properties": {"name": _FREE}},
            "tags": _FREE,
            "lyhord": {"properties": _own_fields(analysers)},
        },
    }


def _own_fields(analysers: Mapping[str, str]) -> dict[str, Any]:
    """What ECS has no name for. Times beside the dates are exact: microseconds since 1970."""
    return {
        "brand": _FREE,
        "channel": _FREE,
        "owned": _FLAG,
        "language": _KEYWORD,
        "title": _text(analysers),
        "thread": _FREE,
        "reach": _LONG,
        # A name that is not listed is kept, but not searched: names come from collectors and must not make fields.
        "engagement": {
            "dynamic": False,
            "properties": dict.fromkeys(("comments", "likes", "replies", "score", "shares", "views"), _COUNT),
        },
        "sentiment": _FLOAT,
        "anxiety": _FLOAT,
        "complaint": _FLOAT,
        "is_anxious": _FLAG,
        "is_complaint": _FLAG,
        "is_negative": _FLAG,
        "polarity": _KEYWORD,
        "themes": _KEYWORD,
        "model": _FREE,
        "score_language": _KEYWORD,
        "why": _UNSEARCHED,
        "voice": _FREE,
        "voice_number": _LONG,  # counted twice as fast as words are
        "cluster": _KEYWORD,
        "is_copy": _FLAG,
        "bands": {"type": "long", "doc_values": False},
        "published": _LONG,
        "fetched": _LONG,
        "stored": _LONG,
        "retention_until": _DATE,
        "retention_micros": _LONG,
        "revision": _KEYWORD,
        # Cut by listener.text already. The gap keeps phrases and NEAR from reaching from the title into the text.
        "words": {
            "type": "text",
            "analyzer": "whitespace",
            "norms": False,
            "position_increment_gap": 100_000,
        },
        "fields": _FREE,
    }


def _text(analysers: Mapping[str, str]) -> dict[str, Any]:
    fields = {
        language: {"type": "text", "analyzer": name, "norms": False} for language, name in analysers.items()
    }
    return {"type": "text", "fields": fields}


MAPPINGS = mappings(ANALYSERS)
"""As on a server that has every analyser."""


def bodies(names: Names, analysers: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """{name of an index template: what it says}."""
    meta = {"version": VERSION}
    return {
        names.template: _body(names.pattern, mappings(analysers), aliases={names.alias: {}}),
        names.incidents: _body(names.incidents, {**MAPPINGS_INCIDENTS, "_meta": meta}),
        names.sources: _body(names.sources, {**MAPPINGS_SOURCES, "_meta": meta}),
    }


def _body(pattern: str, shape: Mapping[str, Any], **more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index_patterns": [pattern],
        "priority": PRIORITY,
        "version": VERSION,
        "_meta": shape["_meta"],
        "template": {"settings": dict(SETTINGS), "mappings": shape, **more},
    }


def connected(names: Names, *, api_key: str = "") -> Elasticsearch:
    """A client for whoever sets up, reindexes or drops; it has asked nothing yet."""
    return Elasticsearch(names.address, api_key=api_key or None, request_timeout=_PATIENT, max_retries=0)


def ensure(client: Elasticsearch, names: Names) -> tuple[str, ...]:
    """Before the first reading or writing: one question when the server knows this version; else installs what is missing or
    older, and returns the months that want a reindex. Raises StoreTooNew, StoreAway, ConfigError."""
    if _version(client, names) == VERSION:
        return ()
    return install(client, names).outdated


def install(client: Elasticsearch, names: Names) -> Standing:
    """Installs the templates whatever is there, and gives existing indices every field that they can take. Idempotent.
    Raises StoreTooNew, StoreAway, ConfigError."""
    _version(client, names)
    with explained(names):
        analysers = _analysers(client)
        templates = bodies(names, analysers)
        for name, body in templates.items():
            client.indices.put_index_template(
                name=name,
                index_patterns=body["index_patterns"],
                priority=body["priority"],
                version=body["version"],
                meta=body["_meta"],
                template=body["template"],
            )
        outdated = [
            index
            for name, body in templates.items()
            for index, found in _indices(client, body["index_patterns"]).items()
            if not _brought_up(client, index, found, body["template"])
        ]
    return Standing(analysers=analysers, outdated=tuple(sorted(outdated)))


def drop(client: Elasticsearch, names: Names) -> None:
    """Everything of this archive leaves the server: mentions, incidents, readings, templates. For tests and demonstrations.
    Raises StoreAway, ConfigError."""
    with explained(names):
        found = _indices(client, [names.pattern, names.all_reindexed, names.incidents, names.sources])
        if found:
            client.indices.delete(index=sorted(found), ignore_unavailable=True)
        for name in bodies(names, ANALYSERS):
            client.options(ignore_status=404).indices.delete_index_template(name=name)


def tidy_reports(client: Elasticsearch, names: Names, before: datetime) -> int:
    """Forget the readings of sources from before; returns how many. Raises StoreAway, ConfigError."""
    gone = 0
    with explained(names):
        while True:
            found = client.search(
                index=names.sources,
                query={"range": {"@timestamp": {"lt": before.isoformat()}}},
                size=_PAGE,
                source=False,
                ignore_unavailable=True,
            )
            hits = found["hits"]["hits"]
            if not hits:
                return gone
            deletions = [{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits]
            if client.bulk(operations=deletions, refresh=True)["errors"]:
                raise StoreAway(
                    f"elasticsearch at {names.address} is too busy to forget old readings of sources"
                )
            gone += len(hits)


@contextmanager
def explained(names: Names) -> Iterator[None]:
    """What the server's refusals mean for whoever sets it up: StoreAway, ConfigError or StoreError."""
    try:
        yield
    except ApiError as e:
        who, why = f"elasticsearch at {names.address}", f"{e.status_code} {e.error}"
        if e.status_code in _AWAY or "cluster_block" in e.error:
            raise StoreAway(f"{who} is too busy or takes no changes at the moment ({why})") from e
        if e.status_code in (401, 403):
            raise ConfigError(
                f"{who}: the API key may not do this ({why}); want one that may: run `lyhord setup elasticsearch` once with a "
                "key that may manage index templates, and see `lyhord setup elasticsearch --api-keys`"
            ) from e
        raise StoreError(f"{who} refused ({why})", permanent=True) from e
    except TransportError as e:
        raise StoreAway(f"elasticsearch at {names.address} cannot be reached ({type(e).__name__})") from e


def _version(client: Elasticsearch, names: Names) -> int:
    """Of the server's template; 0: there is none. Raises StoreTooNew, and what `explained` does."""
    with explained(names):
        answer = client.options(ignore_status=404).indices.get_index_template(
            name=names.template, filter_path="index_templates.index_template._meta.version"
        )
    found = answer.body.get("index_templates")
    version = int(found[0]["index_template"]["_meta"]["version"]) if found else 0
    if version > VERSION:
        raise StoreTooNew(
            f"elasticsearch at {names.address}: the indices {names.pattern} have the shape of version {version}, and this Lyhord "
            f"knows {VERSION}; use the newer Lyhord, or another prefix"
        )
    return version


def _analysers(client: Elasticsearch) -> dict[str, str]:
    """By language: the server's own, else FALLBACK."""
    return {language: name if _has(client, name) else FALLBACK for language, name in ANALYSERS.items()}


def _has(client: Elasticsearch, analyser: str) -> bool:
    try:
        client.indices.analyze(analyzer=analyser, text="a")
    except BadRequestError:
        return False
    return True


def _indices(client: Elasticsearch, patterns: Sequence[str]) -> dict[str, Any]:
    """{real name: its aliases and mappings}; of an alias that a pattern finds, what is behind it."""
    found = client.indices.get(
        index=list(patterns), features=["aliases", "mappings"], allow_no_indices=True, ignore_unavailable=True
    )
    return dict(found.body)


def _brought_up(
    client: Elasticsearch, index: str, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> bool:
    """Gives an index what it lacks; False when it cannot take all of it."""
    for alias in wanted.get("aliases", {}):
        if alias not in found["aliases"]:  # made while the template was away
            client.indices.put_alias(index=index, name=alias)
    shape = wanted["mappings"]
    if found["mappings"].get("_meta") == shape["_meta"]:
        return True
    try:
        client.indices.put_mapping(
            index=index, dynamic=shape["dynamic"], meta=shape["_meta"], properties=shape["properties"]
        )
    except BadRequestError:  # all or nothing: at least what is new fits
        additions = _additions(found["mappings"], shape)
        client.indices.put_mapping(index=index, dynamic=shape["dynamic"], properties=additions)
        return False
    return True


def _additions(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that an index does not have."""
    had = found.get("properties", {})
    added = {}
    for name, field in wanted["properties"].items():
        if name not in had:
            added[name] = field
        elif "properties" in field and (inner := _additions(had[name], field)):
            added[name] = {"properties": inner}
    return added
