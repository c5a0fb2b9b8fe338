"""Incident ↔ JSON, field by field: what is stored does not change with the code's inner workings, and nothing
is unpickled.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from listener.incident import Evidence, Incident, Level, Part, Quote, State
from listener.mention import Signal


def encode(incident: Incident) -> str:
    """Mappings keep their order, so keys are not sorted. Equal incidents give equal text; and what an older
    version wrote, once decoded, is written again letter by letter, or compare and set would never find it."""
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
        | _known(
            known_cause=incident.known_cause or None,
            coverage=None if incident.coverage == 1.0 else float(incident.coverage),
            new_normal=float(incident.new_normal) or None,
            new_normal_since=_written_or_none(incident.new_normal_since),
        )
    )


def decode(body: str) -> Incident:
    """Raises KeyError, TypeError or ValueError for what `encode` did not write. What older versions wrote is
    read: fields that they did not know have their defaults, and what was usual for a part is not known."""
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
        known_cause=said.get("known_cause", ""),
        coverage=said.get("coverage", 1.0),
        new_normal=said.get("new_normal", 0.0),
        new_normal_since=_read_or_none(said.get("new_normal_since")),
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
    } | _known(share=_number_or_none(level.share), usual_share=_number_or_none(level.usual_share))


def _level_in(said: Mapping[str, Any]) -> Level:
    return Level(
        signal=Signal(said["signal"]),
        observed=said["observed"],
        expected=said["expected"],
        low=said["low"],
        high=said["high"],
        share=said.get("share"),
        usual_share=said.get("usual_share"),
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
        "channels": _parts_out(evidence.channels),
        "languages": _parts_out(evidence.languages),
        "themes": _parts_out(evidence.themes),
        "words": list(evidence.words),
        "quotes": [_quote_out(quote) for quote in evidence.quotes],
        "heard": int(evidence.heard),
        "sources": int(evidence.sources),
        "unheard": dict(evidence.unheard),
    } | _known(
        places=_parts_out(evidence.places) or None,
        new_voices=int(evidence.new_voices) or None,
        hour_before=None if evidence.hour_before is None else int(evidence.hour_before),
        search_away_since=_written_or_none(evidence.search_away_since),
    )


def _evidence_in(said: Mapping[str, Any]) -> Evidence:
    return Evidence(
        channels=_parts_in(said["channels"]),
        languages=_parts_in(said["languages"]),
        themes=_parts_in(said["themes"]),
        places=_parts_in(said.get("places", {})),
        words=tuple(said["words"]),
        quotes=tuple(_quote_in(quote) for quote in said["quotes"]),
        heard=said["heard"],
        sources=said["sources"],
        unheard=said["unheard"],
        new_voices=said.get("new_voices", 0),
        hour_before=said.get("hour_before"),
        search_away_since=_read_or_none(said.get("search_away_since")),
    )


def _known(**fields: object) -> dict[str, Any]:
    """Of the fields that older versions did not write, those that say something."""
    return {name: value for name, value in fields.items() if value is not None}


def _parts_out(parts: Sequence[Part]) -> dict[str, Any]:
    """{value: [observed, expected]}; {value: observed} where the usual is not known, as older versions wrote."""
    return {
        part.value: int(part.observed)
        if part.expected is None
        else [int(part.observed), float(part.expected)]
        for part in parts
    }


def _parts_in(said: Mapping[str, Any]) -> tuple[Part, ...]:
    counts = {
        value: count if isinstance(count, list) else [count, None] for value, count in dict(said).items()
    }
    return tuple(
        Part(value=value, observed=observed, expected=expected)
        for value, (observed, expected) in counts.items()
    )


def _number_or_none(value: float | None) -> float | None:
    return None if value is None else float(value)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _read(said: str) -> datetime:
    return datetime.fromisoformat(said)


def _written_or_none(at: datetime | None) -> str | None:
    return None if at is None else _written(at)


def _read_or_none(said: str | None) -> datetime | None:
    return None if said is None else _read(said)
