"""Bars: what a number of voices is about, by theme, channel and language, each with the link to its mentions. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from console.web.filters import Filters
from console.web.phrases import Phrases
from listener.incident import Incident
from listener.ports import Dimension

DIMENSIONS = (Dimension.THEME, Dimension.CHANNEL, Dimension.LANGUAGE)
MOST = 6
"""Bars of one dimension."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One value of a dimension; `share` of the largest."""

    name: str
    count: int
    share: float
    link: str


def bars(
    counts: Mapping[Dimension, Mapping[str, int]], filters: Filters, phrases: Phrases
) -> dict[Dimension, list[Bar]]:
    """Per dimension the largest values first. `filters`: whose voices they are."""
    return {dimension: _ranked(counts[dimension], dimension, filters, phrases) for dimension in DIMENSIONS}


def evidence_filters(incident: Incident) -> Filters:
    """The voices of the leading signal while the incident lasts."""
    return Filters(
        brand=incident.brand,
        signal=incident.levels[0].signal,
        start=incident.began_at,
        end=incident.ended_at,
    )


def evidence_counts(incident: Incident) -> dict[Dimension, Mapping[str, int]]:
    found = incident.evidence
    return {
        Dimension.THEME: found.themes,
        Dimension.CHANNEL: found.channels,
        Dimension.LANGUAGE: found.languages,
    }


def _ranked(counts: Mapping[str, int], dimension: Dimension, filters: Filters, phrases: Phrases) -> list[Bar]:
    largest = max(counts.values(), default=1)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
    return [
        Bar(_name(value, dimension, phrases), n, n / largest, _narrowed(filters, dimension, value).link())
        for value, n in ranked
        if n
    ]


def _name(value: str, dimension: Dimension, phrases: Phrases) -> str:
    prefix = "lang" if dimension is Dimension.LANGUAGE else dimension
    return phrases.known(f"{prefix}_{value}", value)


def _narrowed(filters: Filters, dimension: Dimension, value: str) -> Filters:
    if dimension is Dimension.THEME:
        return replace(filters, theme=value)
    if dimension is Dimension.CHANNEL:
        return replace(filters, channel=value)
    return replace(filters, language=value)
