"""How the service itself is: the last sign of life through each queue, and how far each stage lags behind. Written to the
ledger's notes by the tasks; read by `lyhord health`, which must be quick, so this module imports next to nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Protocol

QUEUES = ("lyhord.alerts", "lyhord", "lyhord.score", "lyhord.crawl")
"""In the order in which a worker that serves them all takes from them."""
STALE = timedelta(seconds=120)
"""A queue that was not heard for so long is served by nobody: four signs of life were missed."""


class Notes(Protocol):
    """What of `listener.ports.Ledger` is needed here."""

    def note(self, key: str, value: str) -> None: ...
    def noted(self, key: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How long the oldest piece of work of each stage has been waiting, in seconds; 0: nothing waits."""

    unscored_seconds: float = 0.0
    """A mention without a score; 0 also while the archive is away, when what is collected waits in the journal."""
    waiting_mentions: int = 0
    """In the ledger's journal, for the archive."""
    waiting_seconds: float = 0.0
    due_runs_seconds: float = 0.0
    """A run that is planned and not begun, or was left behind."""
    outbox_seconds: float = 0.0
    """A message that should have gone out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueVital:
    """`heard_at` None: never. `stale`: nobody serves it."""

    queue: str
    heard_at: datetime | None
    stale: bool


def sign(notes: Notes, queue: str, now: datetime) -> None:
    """Say that somebody serves `queue`."""
    notes.note(f"heartbeat:{queue}", now.isoformat())


def heard(notes: Notes, queues: Sequence[str], now: datetime) -> list[QueueVital]:
    found = []
    for queue in queues:
        said = notes.noted(f"heartbeat:{queue}")
        at = datetime.fromisoformat(said) if said else None
        found.append(QueueVital(queue=queue, heard_at=at, stale=at is None or now - at > STALE))
    return found


def write_lag(notes: Notes, lag: Lag, now: datetime) -> None:
    notes.note("lag", json.dumps({"at": now.isoformat(), **asdict(lag)}))


def read_lag(notes: Notes) -> tuple[datetime, Lag] | None:
    """When it was measured, and what; None before the first time."""
    said = notes.noted("lag")
    if not said:
        return None
    values = json.loads(said)
    return datetime.fromisoformat(values.pop("at")), Lag(**values)
