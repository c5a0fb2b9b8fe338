"""Incident ↔ JSON, field by field: what is stored does not change with the code's inner workings, and nothing
is unpickled.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from listener.incident import Evidence, Incident, Level, Quote, State
from listener.mention import Signal


def encode(incident: Incident) -> str:
    """Mappings keep their order (largest first), so keys are not sorted. Equal incidents give equal text."""
    return json.dumps(
        {
            "id": incident.id,
            "rule": incident.rule,
            "brand": incident.brand,
            "state": incident.state.value,
            "began_at": _written(incident.began_at),
            "opened_at": _written(incident.opened_at),
            "spiked_at": _written(incident.spiked_at),
            "ended_at": _written_or_none(incident.ended_at),
            "levels": [_level_out(level) for level in incident.levels],
            "signals": [signal.value for signal in incident.signals],
            "peak": int(incident.peak),
            "peak_at": _written(incident.peak_at),
            "severity": int(incident.severity),
            "evidence": _evidence_out(incident.evidence),
            "acknowledged_by": incident.acknowledged_by,
            "acknowledged_at": _written_or_none(incident.acknowledged_at),
            "snoozed_until": _written_or_none(incident.snoozed_until),
            "verdict": incident.verdict,
        }
    )


def decode(body: str) -> Incident:
    """Raises KeyError, TypeError or ValueError for what `encode` did not write."""
    said: dict[str, Any] = json.loads(body)
    return Incident(
        id=said["id"],
        rule=said["rule"],
        brand=said["brand"],
        state=State(said["state"]),
        began_at=_read(said["began_at"]),
        opened_at=_read(said["opened_at"]),
        spiked_at=_read(said["spiked_at"]),
        ended_at=_read_or_none(said["ended_at"]),
        levels=tuple(_level_in(level) for level in said["levels"]),
        signals=tuple(Signal(signal) for signal in said["signals"]),
        peak=said["peak"],
        peak_at=_read(said["peak_at"]),
        severity=said["severity"],
        evidence=_evidence_in(said["evidence"]),
        acknowledged_by=said["acknowledged_by"],
        acknowledged_at=_read_or_none(said["acknowledged_at"]),
        snoozed_until=_read_or_none(said["snoozed_until"]),
        verdict=said["verdict"],
    )


def digest(body: str) -> str:
    """What compare and set compares: 32 hex digits of what `encode` wrote."""
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _level_out(level: Level) -> dict[str, Any]:
    return {
        "signal": level.signal.value,
        "observed": int(level.observed),
        "expected": float(level.expected),
        "low": float(level.low),
        "high": float(level.high),
    }


def _level_in(said: Mapping[str, Any]) -> Level:
    return Level(
        signal=Signal(said["signal"]),
        observed=said["observed"],
        expected=said["expected"],
        low=said["low"],
        high=said["high"],
    )


def _quote_out(quote: Quote) -> dict[str, Any]:
    return {
        "mention": quote.mention,
        "text": quote.text,
        "channel": quote.channel,
        "source": quote.source,
        "url": quote.url,
        "published_at": _written(quote.published_at),
        "why": list(quote.why),
    }


def _quote_in(said: Mapping[str, Any]) -> Quote:
    return Quote(
        mention=said["mention"],
        text=said["text"],
        channel=said["channel"],
        source=said["source"],
        url=said["url"],
        published_at=_read(said["published_at"]),
        why=tuple(said.get("why", ())),
    )


def _evidence_out(evidence: Evidence) -> dict[str, Any]:
    return {
        "channels": _counts(evidence.channels),
        "languages": _counts(evidence.languages),
        "themes": _counts(evidence.themes),
        "words": list(evidence.words),
        "quotes": [_quote_out(quote) for quote in evidence.quotes],
        "heard": int(evidence.heard),
        "sources": int(evidence.sources),
        "unheard": dict(evidence.unheard),
    }


def _evidence_in(said: Mapping[str, Any]) -> Evidence:
    return Evidence(
        channels=said["channels"],
        languages=said["languages"],
        themes=said["themes"],
        words=tuple(said["words"]),
        quotes=tuple(_quote_in(quote) for quote in said["quotes"]),
        heard=said["heard"],
        sources=said["sources"],
        unheard=said["unheard"],
    )


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _read(said: str) -> datetime:
    return datetime.fromisoformat(said)


def _written_or_none(at: datetime | None) -> str | None:
    return None if at is None else _written(at)


def _read_or_none(said: str | None) -> datetime | None:
    return None if said is None else _read(said)
