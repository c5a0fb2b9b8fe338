"""Desk: what the page needs from the rest of Lyhord, as one frozen value. The command line wires the real things."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from listener.config import Config
from listener.health import Condition
from listener.incident import Incident
from listener.ports import Archive, Away, Ledger
from listener.query import Query, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRow:
    """One source as the page shows it. `heard`: what it says would reach us right now. `reason` in words, "" when there is
    nothing to explain; `new_24h` counts new mentions of the last 24 hours."""

    id: str
    name: str
    kind: str
    condition: Condition
    heard: bool
    reason: str = ""
    since: datetime | None = None
    last_ok: datetime | None = None
    next_run: datetime | None = None
    new_24h: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A span whose counts mean nothing. `why`, a phrase: too little was heard, or nobody can tell while the archive is away."""

    start: datetime
    end: datetime
    why: Literal["not_heard", "not_known"] = "not_heard"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """The message of an incident: `text` as a locked phone shows it, `blocks` as given to Slack's Block Kit."""

    text: str
    blocks: Sequence[Mapping[str, Any]]


class SourceActs(Protocol):
    """What may be done to a source from the page. Each method is given a source id; raises LyhordError."""

    def pause(self, source: str, now: datetime) -> None: ...
    def resume(self, source: str, now: datetime) -> None: ...
    def run(self, source: str, now: datetime) -> None:
        """Ask for a run by hand; returns at once."""
        ...


Band = Callable[[Sequence[int], Sequence[datetime]], Sequence[tuple[float, float, float]]]
"""(counts per bucket, oldest first; starts of these buckets) → (low, expected, high) of each bucket's normal range."""


def no_gaps(start: datetime, end: datetime) -> Sequence[Gap]:
    """Everything was heard."""
    return ()


def never_away() -> Away | None:
    """An archive in a file."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`now` gives the aware time that is shown as now. `token` lets a browser in (console/web/guard.py) and signs its session.
    `acts` None: the page shows no forms that change a source. `parse` reads a search; one that translates `author:` values
    into pseudonyms makes authors searchable. It raises QueryError, and so may the archive. `away`: the archive's own."""

    config: Config
    archive: Archive
    ledger: Ledger
    healths: Callable[[datetime], Sequence[HealthRow]]
    band: Band
    message: Callable[[Incident], MessageView]
    now: Callable[[], datetime]
    token: str
    gaps: Callable[[datetime, datetime], Sequence[Gap]] = no_gaps
    away: Callable[[], Away | None] = never_away
    parse: Callable[[str], Query] = parse
    acts: SourceActs | None = None
