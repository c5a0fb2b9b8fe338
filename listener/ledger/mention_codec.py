"""Mention ↔ JSON, field by field, as `listener.ledger.codec` does for incidents."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from listener.mention import Mention, Polarity, Reason, Score


def encode(mention: Mention) -> str:
    """ASCII, so that every database takes it, whatever people wrote."""
    return json.dumps(
        {
            "id": mention.id,
            "source": mention.source,
            "kind": mention.kind,
            "channel": mention.channel,
            "owned": mention.owned,
            "url": mention.url,
            "author": mention.author,
            "title": mention.title,
            "text": mention.text,
            "language": mention.language,
            "brands": mention.brands,
            "published_at": _written(mention.published_at),
            "fetched_at": _written(mention.fetched_at),
            "retention_until": _written(mention.retention_until),
            "thread": mention.thread,
            "engagement": dict(mention.engagement),
            "cluster": mention.cluster,
            "is_copy": mention.is_copy,
            "score": _score_out(mention.score) if mention.score else None,
        }
    )


def decode(body: str) -> Mention:
    """Raises KeyError, TypeError or ValueError for what `encode` did not write. Of what a newer version wrote, fields that we do
    not know are passed over."""
    said: dict[str, Any] = json.loads(body)
    return Mention(
        id=said["id"],
        source=said["source"],
        kind=said["kind"],
        channel=said["channel"],
        owned=said["owned"],
        url=said["url"],
        author=said["author"],
        title=said["title"],
        text=said["text"],
        language=said["language"],
        brands=tuple(said["brands"]),
        published_at=datetime.fromisoformat(said["published_at"]),
        fetched_at=datetime.fromisoformat(said["fetched_at"]),
        retention_until=datetime.fromisoformat(said["retention_until"]),
        thread=said["thread"],
        engagement=said["engagement"],
        cluster=said["cluster"],
        is_copy=said["is_copy"],
        score=_score_in(said["score"]) if said["score"] else None,
    )


def _score_out(score: Score) -> dict[str, Any]:
    return {
        "language": score.language,
        "sentiment": float(score.sentiment),
        "anxiety": float(score.anxiety),
        "complaint": float(score.complaint),
        "is_anxious": bool(score.is_anxious),
        "is_complaint": bool(score.is_complaint),
        "polarity": score.polarity.value,
        "themes": score.themes,
        "why": [[reason.about, reason.text, float(reason.weight)] for reason in score.why],
        "model": score.model,
    }


def _score_in(said: Mapping[str, Any]) -> Score:
    return Score(
        language=said["language"],
        sentiment=said["sentiment"],
        anxiety=said["anxiety"],
        complaint=said["complaint"],
        is_anxious=said["is_anxious"],
        is_complaint=said["is_complaint"],
        polarity=Polarity(said["polarity"]),
        themes=tuple(said["themes"]),
        why=tuple(Reason(about, text, weight) for about, text, weight in said["why"]),
        model=said["model"],
    )


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
