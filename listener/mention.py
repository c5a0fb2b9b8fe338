"""Mention and Score: a post about a brand, cleaned, pseudonymised, and what we make of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

LANGUAGES = ("sv", "nb", "nn", "da", "fi", "en")
UNDETERMINED = "und"
THEMES = (
    "availability",
    "delivery",
    "price",
    "rebooking",
    "trust",
    "product",
    "friction",
    "staff",
    "information",
)
CHANNELS = ("forum", "social", "review", "news", "inbox", "survey", "chat")


class Signal(StrEnum):
    """What is counted. Order: the most telling first."""

    ANXIETY = "anxiety"
    COMPLAINTS = "complaints"
    NEGATIVE = "negative"
    VOLUME = "volume"


class Polarity(StrEnum):
    """The attitude of a text as a whole."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


@dataclass(frozen=True, slots=True)
class Reason:
    """A word or phrase that decided a score. `about`: anxiety, complaint, sentiment or a theme; `weight`: signed, larger is
    stronger."""

    about: str
    text: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a model says of one text. sentiment in [-1, 1]; anxiety and complaint are probabilities; the flags apply the
    model's own thresholds per language; `model` names the version that said so."""

    language: str
    sentiment: float
    anxiety: float
    complaint: float
    is_anxious: bool
    is_complaint: bool
    polarity: Polarity = Polarity.NEUTRAL
    themes: tuple[str, ...] = ()
    why: tuple[Reason, ...] = ()
    model: str

    @property
    def is_negative(self) -> bool:
        return self.polarity is Polarity.NEGATIVE

    def __post_init__(self) -> None:
        if not (-1 <= self.sentiment <= 1 and 0 <= self.anxiety <= 1 and 0 <= self.complaint <= 1):
            raise ValueError(f"score out of range: {self.sentiment=} {self.anxiety=} {self.complaint=}")
        if len(self.themes) > 3 or any(theme not in THEMES for theme in self.themes):
            raise ValueError(f"themes {self.themes}: want at most 3 of {THEMES}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A post that matches at least one brand, as stored. No field identifies a person: `author` is a keyed pseudonym
    ("" = the source names no author), text and title are redacted. `cluster` and `is_copy` are given by the archive when it
    stores the mention: the first of a cluster of near-duplicates is the original, the others are copies."""

    id: str
    source: str
    kind: str
    channel: str
    owned: bool
    url: str
    author: str
    title: str
    text: str
    language: str
    brands: tuple[str, ...]
    published_at: datetime
    fetched_at: datetime
    retention_until: datetime
    thread: str = ""
    engagement: Mapping[str, int] = field(default_factory=dict)
    cluster: str = ""
    is_copy: bool = False
    score: Score | None = None

    @property
    def revision(self) -> str:
        """Changes when the author edits the post (or the brands that it matches change)."""
        return hashlib.sha256("\0".join((self.title, self.text, *self.brands)).encode()).hexdigest()[:16]
