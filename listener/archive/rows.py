"""Mentions as rows of the SQLite archive, and rows as mentions. Pure."""

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from listener.mention import THEMES, Mention, Polarity, Reason, Score, Signal
from listener.query.document import normal_site

FLAGS: Mapping[Signal, int] = {Signal.ANXIETY: 1, Signal.COMPLAINTS: 2, Signal.NEGATIVE: 4}
"""Bits of `mention.flags`. VOLUME has none: every mention counts."""
_POSITIVE = 8
"""The bit of a positive polarity; with neither this nor NEGATIVE it is neutral."""
THEME_BITS: Mapping[str, int] = {theme: 1 << at for at, theme in enumerate(THEMES)}

MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOT_BITS = 20
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

SELECT_MENTIONS = """
    SELECT
        m.id, m.source, b.kind, m.channel, b.owned, b.url, m.author, b.title, b.text, m.language, b.brands,
        m.published_at, b.fetched_at, m.retention_until, m.thread, b.engagement,
        (SELECT o.id FROM mention o WHERE o.key = m.cluster), m.cluster <> m.key,
        m.flags, s.language, s.sentiment, s.anxiety, s.complaint, s.themes, s.why, s.model
    FROM mention m JOIN body b USING (stored) LEFT JOIN score s USING (key)
"""
"""What `to_mention` reads."""


def micros(at: datetime) -> int:
    """A time as the archive keeps it: microseconds since 1970."""
    return (at - _EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    return _EPOCH + value * MICROSECOND


def key_floor(published_at: int) -> int:
    """The lowest key of a mention that was published in the same second."""
    return published_at // SECOND << _SLOT_BITS


def first_key(published_at: int, mention_id: str) -> int:
    """The key to try first; when it is taken, the next free one is. A second has room for a million."""
    return key_floor(published_at) | zlib.crc32(mention_id.encode()) & ((1 << _SLOT_BITS) - 1)


def site_of(url: str) -> str:
    """The host in the form in which queries compare it."""
    return _site_at(url.split("/", 3)[2]) if url.count("/") > 1 else ""


@lru_cache(maxsize=4096)
def _site_at(place: str) -> str:
    """`place` is what stands between the second and the third slash: few places have many mentions."""
    return normal_site(urlsplit(f"//{place}").hostname or "")


def mention_row(mention: Mention, key: int, stored: int, cluster: int, revision: str) -> tuple[object, ...]:
    """For every column of the table `mention`, in order."""
    score = mention.score
    return (
        key,
        mention.id,
        stored,
        revision,
        mention.source,
        mention.channel,
        mention.language,
        mention.author,
        site_of(mention.url),
        mention.thread,
        micros(mention.published_at),
        micros(mention.retention_until),
        cluster,
        flag_bits(score) if score else None,
        theme_bits(score) if score else 0,
    )


def body_row(mention: Mention, stored: int) -> tuple[object, ...]:
    """For every column of the table `body`, in order."""
    return (
        stored,
        mention.kind,
        mention.owned,
        mention.url,
        mention.title,
        mention.text,
        brands_json(mention.brands),
        micros(mention.fetched_at),
        _json(dict(mention.engagement)) if mention.engagement else "",
    )


@lru_cache(maxsize=4096)
def brands_json(brands: tuple[str, ...]) -> str:
    """Few combinations of brands have many mentions."""
    return _json(brands)


@lru_cache(maxsize=4096)
def _brands(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def flag_bits(score: Score) -> int:
    """For `mention.flags`."""
    return (
        score.is_anxious * FLAGS[Signal.ANXIETY]
        | score.is_complaint * FLAGS[Signal.COMPLAINTS]
        | score.is_negative * FLAGS[Signal.NEGATIVE]
        | (score.polarity is Polarity.POSITIVE) * _POSITIVE
    )


def theme_bits(score: Score) -> int:
    """For `mention.themes`."""
    return sum([THEME_BITS[theme] for theme in frozenset(score.themes)])


def score_row(score: Score) -> tuple[object, ...]:
    """For every column of the table `score` but the key, in order."""
    return (
        score.language,
        score.sentiment,
        score.anxiety,
        score.complaint,
        " ".join(score.themes),
        _json([(reason.about, reason.text, reason.weight) for reason in score.why]) if score.why else "[]",
        score.model,
    )


def to_mention(row: Sequence[Any]) -> Mention:
    """A row of SELECT_MENTIONS as a mention."""
    return Mention(
        id=row[0],
        source=row[1],
        kind=row[2],
        channel=row[3],
        owned=bool(row[4]),
        url=row[5],
        author=row[6],
        title=row[7],
        text=row[8],
        language=row[9],
        brands=_brands(row[10]),
        published_at=moment(row[11]),
        fetched_at=moment(row[12]),
        retention_until=moment(row[13]),
        thread=row[14],
        engagement=json.loads(row[15]) if row[15] else {},
        cluster=row[16],
        is_copy=bool(row[17]),
        score=None if row[18] is None else _to_score(*row[18:]),
    )


def _polarity(flags: int) -> Polarity:
    if flags & FLAGS[Signal.NEGATIVE]:
        return Polarity.NEGATIVE
    return Polarity.POSITIVE if flags & _POSITIVE else Polarity.NEUTRAL


def _to_score(
    flags: int,
    language: str,
    sentiment: float,
    anxiety: float,
    complaint: float,
    themes: str,
    why: str,
    model: str,
) -> Score:
    return Score(
        language=language,
        sentiment=sentiment,
        anxiety=anxiety,
        complaint=complaint,
        is_anxious=bool(flags & FLAGS[Signal.ANXIETY]),
        is_complaint=bool(flags & FLAGS[Signal.COMPLAINTS]),
        polarity=_polarity(flags),
        themes=tuple(themes.split()),
        why=tuple(Reason(*reason) for reason in json.loads(why)),
        model=model,
    )
