"""Which mentions a `Where` asks for, as filters of Elasticsearch. Pure."""

from collections.abc import Mapping
from datetime import datetime

from listener.archive.elastic.translate import Filter, translate
from listener.archive.rows import micros
from listener.mention import Signal
from listener.ports import Dimension, Where

FLAGS: Mapping[Signal, str] = {
    Signal.ANXIETY: "lyhord.is_anxious",
    Signal.COMPLAINTS: "lyhord.is_complaint",
    Signal.NEGATIVE: "lyhord.is_negative",
}
"""VOLUME has none: every mention counts."""
FIELDS: Mapping[Dimension, str] = {
    Dimension.CHANNEL: "lyhord.channel",
    Dimension.LANGUAGE: "lyhord.language",
    Dimension.THEME: "lyhord.themes",
    Dimension.SOURCE: "observer.name",
}


def select_where(where: Where) -> list[Filter]:
    """All of them must hold. Raises StoreError when the query cannot be translated."""
    wanted = {
        "lyhord.brand": where.brand,
        FIELDS[Dimension.CHANNEL]: where.channel,
        FIELDS[Dimension.LANGUAGE]: where.language,
        FIELDS[Dimension.THEME]: where.theme,
        FIELDS[Dimension.SOURCE]: where.source,
    }
    filters: list[Filter] = [{"term": {field: value}} for field, value in wanted.items() if value]
    if where.signal and where.signal in FLAGS:
        filters.append({"term": {FLAGS[where.signal]: True}})
    if where.originals:
        filters.append({"term": {"lyhord.is_copy": False}})
    if where.start or where.end:
        filters.append(published(where.start, where.end))
    if where.query:
        filters.append(translate(where.query.root))
    return filters


def published(start: datetime | None, end: datetime | None) -> Filter:
    """Within [start, end), or what is open."""
    span = {}
    if start:
        span["gte"] = micros(start)
    if end:
        span["lt"] = micros(end)
    return {"range": {"lyhord.published": span}}


def all_of(filters: list[Filter]) -> Filter:
    """One query, without scoring."""
    return {"bool": {"filter": filters}}
