"""Incidents and the state of sources, as Kibana shows them beside the mentions: ECS documents in two indices of their own.

What people wrote stays out: neither quotes nor telling words, so that an erasure need not look here, nor who of the team took
an incident. The ledger remains the truth; these are its reflection, and may be dropped and written anew at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from listener.archive.elastic.names import Names
from listener.errors import StoreAway, StoreError
from listener.incident import Incident, Part, shares_of_excess
from listener.ports import SourceReading

SLOT = timedelta(minutes=5)
"""One document per source and slot: the newest reading in it."""
CARRIES = 0.1
"""The least share of the excess with which a channel, language, theme or source is named, as in messages."""
_CHUNK = 500
_BUSY = frozenset({429, 502, 503, 504})
_KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": 8191}
_DATE: dict[str, Any] = {"type": "date"}
_LONG: dict[str, Any] = {"type": "long"}
_DOUBLE: dict[str, Any] = {"type": "double"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"properties": properties}


MAPPINGS_INCIDENTS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "@timestamp": _DATE,
        "event": _object(
            kind=_KEYWORD,
            dataset=_KEYWORD,
            id=_KEYWORD,
            start=_DATE,
            end=_DATE,
            created=_DATE,
            duration=_LONG,
            severity=_LONG,
            reason=_KEYWORD,
        ),
        "rule": _object(id=_KEYWORD, name=_KEYWORD),
        "lyhord": _object(
            brand=_KEYWORD,
            state=_KEYWORD,
            signal=_KEYWORD,
            signals=_KEYWORD,
            observed=_LONG,
            expected=_DOUBLE,
            low=_DOUBLE,
            high=_DOUBLE,
            peak=_LONG,
            peak_at=_DATE,
            spiked_at=_DATE,
            channel=_KEYWORD,
            language=_KEYWORD,
            themes=_KEYWORD,
            sources=_KEYWORD,
            unheard=_KEYWORD,
            coverage=_DOUBLE,
            is_acknowledged=_BOOLEAN,
            acknowledged_at=_DATE,
            snoozed_until=_DATE,
            verdict=_KEYWORD,
            known_cause=_KEYWORD,
        ),
    },
}
"""Of `Names.incidents`."""

MAPPINGS_SOURCES: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "@timestamp": _DATE,
        "event": _object(
            kind=_KEYWORD, dataset=_KEYWORD, id=_KEYWORD, provider=_KEYWORD, created=_DATE, reason=_KEYWORD
        ),
        "observer": _object(name=_KEYWORD),
        "lyhord": _object(
            channel=_KEYWORD,
            condition=_KEYWORD,
            is_heard=_BOOLEAN,
            usual_share=_DOUBLE,
            coverage=_DOUBLE,
            last_ok_at=_DATE,
            newest_post_at=_DATE,
        ),
    },
}
"""Of `Names.sources`."""


def publish(
    client: Elasticsearch,
    names: Names,
    incidents: Sequence[Incident],
    readings: Sequence[SourceReading],
) -> None:
    """Write them, replacing what was shown of the same incident, or of the same source in the same slot. The indices' templates
    must be there. Raises StoreAway when the server takes some of them not now, StoreError when it refuses some; may be sent
    again. What the client raises goes through: whoever holds it translates."""
    documents = [
        *((names.incidents, each.id, incident_document(each)) for each in incidents),
        *((names.sources, document["event"]["id"], document) for document in source_documents(readings)),
    ]
    for start in range(0, len(documents), _CHUNK):
        operations: list[Mapping[str, Any]] = []
        for index, key, document in documents[start : start + _CHUNK]:
            operations += ({"index": {"_index": index, "_id": key}}, document)
        answer = client.bulk(operations=operations)
        if answer["errors"]:
            _raise(item["index"] for item in answer["items"])


def incident_document(incident: Incident) -> dict[str, Any]:
    """An ECS alert. `@timestamp` is when the episode began; `lyhord.channel`, `.language`, `.themes` and `.sources` name what
    carries it, the most telling first; `event.duration` in nanoseconds, once it is over."""
    lead, evidence = incident.levels[0], incident.evidence
    ended = incident.ended_at
    return _full(
        {
            "@timestamp": _iso(incident.began_at),
            "event": {
                "kind": "alert",
                "dataset": "lyhord.incident",
                "id": incident.id,
                "start": _iso(incident.began_at),
                "end": _iso(ended),
                "created": _iso(incident.opened_at),
                "duration": (ended - incident.began_at) // timedelta(microseconds=1) * 1000
                if ended
                else None,
                "severity": incident.severity,
                "reason": f"{lead.signal}: {lead.observed} voices in an hour, usually {lead.expected:.1f}",
            },
            "rule": {"id": incident.rule, "name": incident.rule},
            "lyhord": {
                "brand": incident.brand,
                "state": incident.state.value,
                "signal": lead.signal.value,
                "signals": [signal.value for signal in incident.signals],
                "observed": lead.observed,
                "expected": lead.expected,
                "low": lead.low,
                "high": lead.high,
                "peak": incident.peak,
                "peak_at": _iso(incident.peak_at),
                "spiked_at": _iso(incident.spiked_at),
                "channel": _carriers(evidence.channels),
                "language": _carriers(evidence.languages),
                "themes": _carriers(evidence.themes),
                "sources": _carriers(evidence.places),
                "unheard": sorted(evidence.unheard),
                "coverage": incident.coverage,
                "is_acknowledged": incident.acknowledged_at is not None,
                "acknowledged_at": _iso(incident.acknowledged_at),
                "snoozed_until": _iso(incident.snoozed_until),
                "verdict": incident.verdict,
                "known_cause": incident.known_cause,
            },
        }
    )


def source_documents(readings: Sequence[SourceReading]) -> list[dict[str, Any]]:
    """One ECS state each. `lyhord.coverage` is of all the readings together: the share of the usual voices that is heard, the
    same on each of them, so that its average over time is right; absent while nobody knows what is usual."""
    usual = sum(reading.usual_share for reading in readings)
    heard = sum(reading.usual_share for reading in readings if reading.heard)
    coverage = heard / usual if usual else None
    return [_source_document(reading, coverage) for reading in readings]


def _source_document(reading: SourceReading, coverage: float | None) -> dict[str, Any]:
    at = reading.at.astimezone(UTC)
    slot = at - (at - datetime.min.replace(tzinfo=UTC)) % SLOT
    return _full(
        {
            "@timestamp": _iso(slot),
            "event": {
                "kind": "state",
                "dataset": "lyhord.source",
                "id": f"{reading.source}@{slot:%Y-%m-%dT%H:%MZ}",
                "provider": reading.kind,
                "created": _iso(at),
                "reason": reading.reason,
            },
            "observer": {"name": reading.source},
            "lyhord": {
                "channel": reading.channel,
                "condition": reading.condition,
                "is_heard": reading.heard,
                "usual_share": reading.usual_share,
                "coverage": coverage,
                "last_ok_at": _iso(reading.last_ok_at),
                "newest_post_at": _iso(reading.newest_post_at),
            },
        }
    )


def _carriers(parts: Sequence[Part]) -> list[str]:
    shares = shares_of_excess(parts)
    return [part.value for part, share in zip(parts, shares, strict=True) if share >= CARRIES]


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def _full(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None, "" or empty: in Kibana a field that says nothing is absent."""
    return {
        key: _full(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value is not None and value != "" and value != []
    }


def _raise(items: Iterable[Mapping[str, Any]]) -> None:
    refused = [item for item in items if item["status"] >= 300]
    first = refused[0]
    words = f"{len(refused)} reports were not taken: {first['_index']}: {first['error']['type']}"
    if any(item["status"] in _BUSY or "block" in item["error"]["type"] for item in refused):
        raise StoreAway(words)
    raise StoreError(words)
