"""What a number of voices is about, each value with the link to its mentions: bars by theme, channel and language, and what
carries an incident, beside what is usual. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from console.web.filters import Filters
from console.web.phrases import Phrases, number
from console.web.times import DASH
from listener.incident import Incident, Part, shares_of_excess
from listener.ports import Dimension

DIMENSIONS = (Dimension.THEME, Dimension.CHANNEL, Dimension.LANGUAGE)
MOST = 6
"""Values of one dimension."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One value of a dimension; `share` of the largest."""

    name: str
    count: int
    share: float
    link: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """One value of a dimension in an incident's evidence, in words; `share` of the excess."""

    name: str
    observed: str
    usual: str
    share: str
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


def carriers(
    incident: Incident, phrases: Phrases, source_names: Mapping[str, str]
) -> dict[Dimension, list[Carrier]]:
    """Per dimension what carries the excess, the largest first; dimensions in which nothing was heard are left out.
    `source_names`: source id → name, the id where there is none."""
    found = incident.evidence
    parts = {
        Dimension.THEME: found.themes, Dimension.CHANNEL: found.channels, Dimension.LANGUAGE: found.languages,
        Dimension.SOURCE: found.places,
    }  # fmt: skip
    return {
        dimension: [
            _carrier(part, share, dimension, incident, phrases, source_names)
            for part, share in list(zip(its, shares_of_excess(its), strict=True))[:MOST]
        ]
        for dimension, its in parts.items()
        if its
    }


def _carrier(
    part: Part,
    share: float,
    dimension: Dimension,
    incident: Incident,
    phrases: Phrases,
    source_names: Mapping[str, str],
) -> Carrier:
    name = source_names.get(part.value, part.value)
    known = part.expected is not None
    return Carrier(
        name=name if dimension is Dimension.SOURCE else _name(part.value, dimension, phrases),
        observed=number(part.observed),
        usual=DASH if part.expected is None else number(round(part.expected)),
        share=phrases("percent", n=round(100 * share)) if known else DASH,
        link=_narrowed(evidence_filters(incident), dimension, part.value).link(),
    )


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
    if dimension is Dimension.SOURCE:
        return replace(filters, source=value)
    return replace(filters, language=value)
