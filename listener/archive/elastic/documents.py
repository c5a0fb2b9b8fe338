"""Mentions as documents of the archive on Elasticsearch, and documents as mentions. Pure.

`message`, `url.full` and the like are for people and for Kibana; what the archive itself asks for is `lyhord.words`, cut by
our own tokeniser, and `lyhord.fields` with what a query's fields and tags compare, in their normal form. So a query means here
what it means everywhere.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from listener.archive.rows import micros, moment, site_of
from listener.mention import Mention, Polarity, Reason, Score
from listener.query.document import normal_value
from listener.text import Words, tokenise

MAX_WORD = 255
"""Where the server's analyser cuts a word in two; in UTF-16 units, as it counts. We leave out what is beyond."""
UNREAD = ("lyhord.words", "lyhord.fields", "lyhord.bands")
"""What a mention is not made of."""

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_NO_WORDS = Words((), frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the archive gives a mention: its number in the order of storing (microseconds), the id of its original (its own
    when it is one), and an original's bands."""

    stored: int
    cluster: str
    bands: tuple[int, ...] = ()


def encoded(value: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    return _encoder.encode(value).encode("utf-8", "replace") + b"\n"


def action(kind: str, index: str, mention_id: str, version: Mapping[str, int] | None = None) -> bytes:
    """The line that begins an action of a bulk; `version`: only when the document is still in it."""
    return encoded({kind: {"_index": index, "_id": mention_id, **(version or {})}})


def document(mention: Mention, standing: Standing) -> dict[str, Any]:
    title = tokenise(mention.title) if mention.title else _NO_WORDS
    text = tokenise(mention.text)
    tags = sorted(title.tags | text.tags)
    site = site_of(mention.url)
    own = _own_fields(mention, standing)
    own["words"] = [_joined(title.words), _joined(text.words)]
    own["fields"] = [
        *(f"tag:{tag}" for tag in tags),
        *_named_fields(mention.channel, mention.language, mention.source),
        *_sites(site),
        f"author:{mention.author}",
    ]
    written: dict[str, Any] = {
        "@timestamp": _shown(mention.published_at),
        "event": {
            "created": _shown(mention.fetched_at),
            "ingested": _shown(moment(standing.stored)),
            "id": mention.id,
            "kind": "event",
            "dataset": "lyhord.mention",
            "provider": mention.kind,
            "reference": mention.url,
        },
        "url": {"full": mention.url, "domain": site},
        "message": mention.text,
        "observer": {"name": mention.source},
        "tags": tags,
        "lyhord": own,
    }
    if mention.author:
        written["user"] = {"hash": mention.author}
    return written


def _own_fields(mention: Mention, standing: Standing) -> dict[str, Any]:
    own: dict[str, Any] = {
        "brand": mention.brands,
        "channel": mention.channel,
        "owned": mention.owned,
        "language": mention.language,
        "title": mention.title,
        "thread": mention.thread,
        "voice": (voice := mention.author or f"mention:{mention.id}"),
        "voice_number": _number(voice),
        "cluster": standing.cluster,
        "is_copy": standing.cluster != mention.id,
        "bands": standing.bands,
        "published": micros(mention.published_at),
        "fetched": micros(mention.fetched_at),
        "stored": standing.stored,
        "retention_until": _shown(mention.retention_until),
        "retention_micros": micros(mention.retention_until),
        "revision": mention.revision,
    }
    if mention.engagement:
        own["engagement"] = dict(mention.engagement)
    if mention.score:
        own |= score_fields(mention.score)
    return own


def score_fields(score: Score) -> dict[str, Any]:
    """Of `lyhord`: each of them, so that they replace those of an earlier score."""
    return {
        "score_language": score.language,
        "sentiment": score.sentiment,
        "anxiety": score.anxiety,
        "complaint": score.complaint,
        "is_anxious": score.is_anxious,
        "is_complaint": score.is_complaint,
        "is_negative": score.is_negative,
        "polarity": score.polarity.value,
        "themes": score.themes,
        "why": [
            {"about": reason.about, "text": reason.text, "weight": reason.weight} for reason in score.why
        ],
        "model": score.model,
    }


def to_mention(source: Mapping[str, Any]) -> Mention:
    """The source of a document as a mention."""
    event, own = source["event"], source["lyhord"]
    return Mention(
        id=event["id"],
        source=source["observer"]["name"],
        kind=event["provider"],
        channel=own["channel"],
        owned=own["owned"],
        url=source["url"]["full"],
        author=source["user"]["hash"] if "user" in source else "",
        title=own["title"],
        text=source["message"],
        language=own["language"],
        brands=tuple(own["brand"]),
        published_at=moment(own["published"]),
        fetched_at=moment(own["fetched"]),
        retention_until=moment(own["retention_micros"]),
        thread=own["thread"],
        engagement=own.get("engagement", {}),
        cluster=own["cluster"],
        is_copy=own["is_copy"],
        score=_to_score(own) if "model" in own else None,
    )


def _number(voice: str) -> int:
    """63 bits that no two voices share by chance."""
    return int.from_bytes(hashlib.blake2b(voice.encode(), digest_size=8).digest(), "big") >> 1


def cut(word: str) -> str:
    """A word as the index has it."""
    if len(word) * 2 <= MAX_WORD:
        return word
    units = word.encode("utf-16-le", "surrogatepass")
    return word if len(units) <= 2 * MAX_WORD else units[: 2 * MAX_WORD].decode("utf-16-le", "ignore")


def _joined(words: Sequence[str]) -> str:
    if max(map(len, words), default=0) * 2 <= MAX_WORD:
        return " ".join(words)
    return " ".join([cut(word) for word in words])


@lru_cache(maxsize=4096)
def _named_fields(channel: str, language: str, source: str) -> tuple[str, ...]:
    """Few combinations have many mentions."""
    return (
        f"channel:{normal_value(channel)}",
        f"lang:{normal_value(language)}",
        f"source:{normal_value(source)}",
    )


@lru_cache(maxsize=4096)
def _sites(site: str) -> tuple[str, ...]:
    """The host and every domain above it."""
    return tuple(f"site:{name}" for name in _and_above(site))


def _and_above(site: str) -> Iterator[str]:
    yield site
    for at, char in enumerate(site):
        if char == ".":
            yield site[at + 1 :]


def _shown(at: datetime) -> str:
    """For people and Kibana; the exact time stands beside it."""
    return at.isoformat(timespec="milliseconds")


def _to_score(own: Mapping[str, Any]) -> Score:
    return Score(
        language=own["score_language"],
        sentiment=own["sentiment"],
        anxiety=own["anxiety"],
        complaint=own["complaint"],
        is_anxious=own["is_anxious"],
        is_complaint=own["is_complaint"],
        polarity=Polarity(own["polarity"]),
        themes=tuple(own["themes"]),
        why=tuple(Reason(reason["about"], reason["text"], reason["weight"]) for reason in own["why"]),
        model=own["model"],
    )
