"""Incident: a spike's life, as a value. How it moves on is decided in `alerts.lifecycle`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from listener.mention import Signal


class State(StrEnum):
    OPEN = "open"
    GROWING = "growing"
    FALLING = "falling"
    OVER = "over"


class Act(StrEnum):
    """What people do with an incident."""

    ACKNOWLEDGE = "ack"
    SNOOZE = "snooze"
    CLOSE = "close"
    USEFUL = "useful"
    NOISE = "noise"
    KNOWN_CAUSE = "known cause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One signal in one window. Counts are voices per bucket; `low`..`high` is the normal range. `share` and
    `usual_share`, in [0, 1] and not rounded, are of all voices in the window; volume has none."""

    signal: Signal
    observed: int
    expected: float
    low: float
    high: float
    share: float | None = None
    usual_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Somebody's own words, redacted, with the place where they stand."""

    mention: str
    text: str
    channel: str
    source: str
    url: str
    published_at: datetime
    why: tuple[str, ...] = ()
    """Words of the text that decided its score, strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The voices of one channel, language, theme or source in a window, and how many are usual there."""

    value: str
    observed: int
    expected: float | None
    """None: not known, of incidents that were stored before it was counted."""

    @property
    def excess(self) -> float:
        """Voices above the usual, at least 0; all of them where the usual is not known."""
        return max(0.0, self.observed - (self.expected or 0.0))


def shares_of_excess(parts: Sequence[Part]) -> list[float]:
    """How much of the excess of all the parts together each carries, in [0, 1], in their order."""
    whole = sum(part.excess for part in parts)
    return [part.excess / whole if whole else 0.0 for part in parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What carries the spike: voices by channel, language, theme and source (largest excess first), quotes,
    and who was heard. Voices are those of the leading signal in the window that `Incident.levels` shows."""

    channels: tuple[Part, ...]
    languages: tuple[Part, ...]
    themes: tuple[Part, ...]
    places: tuple[Part, ...] = ()
    """By source id."""
    words: tuple[str, ...]
    quotes: tuple[Quote, ...]
    heard: int
    sources: int
    unheard: Mapping[str, str]
    """Source id → why it is not heard, in words."""
    new_voices: int = 0
    """Authors in the window who were not heard about the brand in the four weeks before the episode. A voice
    without author is not counted: nobody knows."""
    hour_before: int | None = None
    """Voices in the 60 minutes before the window."""
    search_away_since: datetime | None = None
    """When the archive's server went away, if it was at the last change: then quotes and comparisons are of what was said in the
    last two days only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One episode of one rule. `id` is unique by (rule, episode): the bucket in which the episode began.

    `levels` are of the newest complete hour, the leading signal first; `peak` the largest count of the leading signal;
    `opened_at` is when we noticed, `began_at` when the episode began, `spiked_at` the last time that a signal was too high.
    """

    id: str
    rule: str
    brand: str
    state: State
    began_at: datetime
    opened_at: datetime
    spiked_at: datetime
    ended_at: datetime | None
    levels: tuple[Level, ...]
    signals: tuple[Signal, ...]
    """Every signal that was too high in this episode, in order of appearance."""
    peak: int
    peak_at: datetime
    severity: int
    """0 watch, 1 review, 2 escalate, 3 crisis."""
    evidence: Evidence
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    verdict: str = ""
    known_cause: str = ""
    """Title of a calendar entry that explains it."""
    coverage: float = 1.0
    """Share of the usual voices, in [0, 1], that comes from sources heard at the last look."""
    new_normal: float = 0.0
    """How many times the former normal level the normal is now; 0: it has not moved."""
    new_normal_since: datetime | None = None
