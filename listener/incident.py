"""Incident: a spike's life, as a value. How it moves on is decided in `alerts.lifecycle`."""

from collections.abc import Mapping
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
    """One signal in one window. Counts are voices per bucket; `low`..`high` is the normal range."""

    signal: Signal
    observed: int
    expected: float
    low: float
    high: float


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
class Evidence:
    """What carries the spike: voices by channel, language and theme (largest first), quotes, and who was heard."""

    channels: Mapping[str, int]
    languages: Mapping[str, int]
    themes: Mapping[str, int]
    words: tuple[str, ...]
    quotes: tuple[Quote, ...]
    heard: int
    sources: int
    unheard: Mapping[str, str]
    """Source id → why it is not heard, in words."""


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
