"""What the stages need from outside, as protocols. Implementations live in `listener.ledger`, `listener.archive`,
`workers.scoring`, `alerts`; each is chosen once, at the top."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from listener.incident import Act, Incident
from listener.mention import Mention, Score, Signal
from listener.post import Post
from listener.query import Query

# ------------------------------------------------------------------------------------------------ scoring

IdentifyLanguages = Callable[[Sequence[str], Sequence[Mapping[str, float] | None] | None], list[str]]
"""Cleaned texts → one of LANGUAGES or UNDETERMINED each. The second argument says for each text which languages are usual where
it stands (language → share); it decides what the text leaves open. Never raises for any text."""


class Scorer(Protocol):
    model: str
    """Name and version; stored with each score."""

    def score(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        """(cleaned text, language) → one Score each, same order. Never raises for any text."""
        ...


# ------------------------------------------------------------------------------------------------ archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A filter on mentions; empty fields do not filter. `start` is inside, `end` outside; both by time of publication."""

    brand: str = ""
    start: datetime | None = None
    end: datetime | None = None
    channel: str = ""
    language: str = ""
    theme: str = ""
    source: str = ""
    signal: Signal | None = None
    """ANXIETY, COMPLAINTS, NEGATIVE: only mentions flagged so; VOLUME or None: all."""
    query: Query | None = None
    originals: bool = False
    """Leave out copies."""


class Dimension(StrEnum):
    CHANNEL = "channel"
    LANGUAGE = "language"
    THEME = "theme"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Added:
    """What `Archive.add` did, as mention ids: stored for the first time, changed since (edited), and already held as they are."""

    new: tuple[str, ...]
    edited: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """The archive's server cannot be asked at the moment: what is added waits in the ledger's journal, and reads answer from
    what was stored since `known_from`. `why` in words."""

    since: datetime
    known_from: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """How a source was at an instant, for those who explore the archive with tools of its own. `condition` as in
    `listener.health.Condition`; `usual_share`: of the usual voices that come from it, in [0, 1]."""

    source: str
    kind: str
    channel: str
    at: datetime
    condition: str
    heard: bool
    reason: str
    usual_share: float
    last_ok_at: datetime | None
    newest_post_at: datetime | None


class Archive(Protocol):
    """Where mentions are stored, searched and counted. Every method raises StoreError (StoreAway, StoreFull, StoreTooNew)."""

    def add(self, mentions: Sequence[Mention]) -> Added:
        """Store, all or nothing. An id already held with the same revision stays untouched; with another revision its text,
        title, brands and language are replaced and its score is dropped (it will be scored again).
        What comes with a score is stored with it.
        Gives every new mention its cluster: the original is the near-duplicate of the last 14 days that was stored first."""
        ...

    def unscored(self, limit: int) -> list[Mention]:
        """Mentions that have no score, oldest stored first."""
        ...

    def outdated(self, model: str, limit: int, *, after: str = "") -> list[Mention]:
        """Mentions whose score is of another model, oldest stored first; only those stored after the mention with id `after`."""
        ...

    def save_scores(self, scores: Mapping[str, tuple[str, Score]]) -> int:
        """{mention id: (revision that was scored, score)}; a mention edited or erased meanwhile is passed over. Returns how
        many were saved."""
        ...

    def get(self, mention_id: str) -> Mention | None: ...

    def search(
        self, where: Where, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[Mention]:
        """Newest first, ties by id descending; `before` is (published_at, id) of the last one seen (paging)."""
        ...

    def counts(
        self, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime, bucket: timedelta
    ) -> Mapping[Signal, list[int]]:
        """Voices per bucket: distinct authors among originals (a mention without author is its own voice), for each signal
        one number for each bucket of [start, end), which is a whole number of buckets; buckets are aligned to `start`."""
        ...

    def counts_by(
        self,
        where: Where,
        signals: Sequence[Signal],
        dimension: Dimension,
        *,
        start: datetime,
        end: datetime,
        bucket: timedelta,
    ) -> Mapping[str, Mapping[Signal, list[int]]]:
        """`counts` for each value of a dimension, in no order. A mention with several themes counts for each, one without
        for none. Values without any voice of these signals in [start, end) are absent."""
        ...

    def breakdown(self, where: Where, dimension: Dimension) -> Mapping[str, int]:
        """Voices per value of a dimension, largest first. (A mention may have several themes.)"""
        ...

    def known_authors(self, where: Where, authors: Iterable[str]) -> frozenset[str]:
        """Those of the authors of whom `where` finds a mention; "" (no author named) is nobody."""
        ...

    def held(self, mention_ids: Iterable[str]) -> frozenset[str]:
        """Those of the ids that are stored."""
        ...

    def ids_of_thread(self, source: str, thread: str) -> frozenset[str]: ...

    def erase(self, mention_ids: Iterable[str]) -> int:
        """Delete from every table and index; when an original goes, the oldest copy becomes the original. Returns how many
        there were. Dear: erase many in one call."""
        ...

    def erase_author(self, author: str) -> int:
        """Delete all mentions of one pseudonym."""
        ...

    def expired(self, now: datetime, limit: int = 1000) -> list[str]:
        """Ids of mentions whose retention has ended (the caller buries and erases them)."""
        ...

    def total(self) -> int: ...

    def away(self) -> Away | None:
        """None: every question is answered from all that is stored. Cheap: may be asked before every answer."""
        ...

    def settle(self, limit: int = 1_000) -> int:
        """Store for good what waited while the server was away; returns how many mentions found their place. Raises StoreAway
        while it still is."""
        ...

    def publish(self, incidents: Sequence[Incident], readings: Sequence[SourceReading]) -> None:
        """Show incidents and the state of sources beside the mentions to those who explore the archive with tools of its own
        (Kibana); what was shown of the same incident is replaced. An archive without such tools does nothing."""
        ...

    def close(self) -> None: ...


# ------------------------------------------------------------------------------------------------ ledger


class EntryState(StrEnum):
    WAITING = "waiting"
    STORED = "stored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A mention in the journal. `number` grows with each writing of any entry: who has read up to a number asks for what came
    after. `error`: why the archive refused it, in words."""

    number: int
    mention: Mention
    state: EntryState
    written_at: datetime
    error: str = ""


class Journal(Protocol):
    """Mentions on their way to an archive that is a server: written here first, and kept for a while beside it, so that those
    of the last days can be counted, and quoted, while it is away. An archive in a file needs none."""

    def write(self, mentions: Sequence[Mention], *, now: datetime) -> None:
        """They wait to be stored. What is known by id is replaced."""
        ...

    def stored(self, revisions: Mapping[str, str], *, kept_from: datetime) -> None:
        """{mention id: revision}: these found their place in the archive. Those published before `kept_from` are forgotten, and
        so is nobody whose revision has changed meanwhile: it waits anew."""
        ...

    def refused(self, reasons: Mapping[str, str]) -> None:
        """{mention id: why}: the archive will never take these as they are; somebody must look."""
        ...

    def waiting(self, limit: int) -> list[Entry]:
        """Oldest first."""
        ...

    def dead(self, limit: int = 100) -> list[Entry]:
        """Those that were refused, newest first."""
        ...

    def again(self, ids: Iterable[str]) -> int:
        """Refused ones wait again; returns how many."""
        ...

    def since(self, number: int, limit: int) -> list[Entry]:
        """Entries of any state with a greater number, in its order."""
        ...

    def held(self, ids: Iterable[str]) -> frozenset[str]: ...

    def counts(self) -> Mapping[EntryState, int]: ...

    def oldest_waiting_at(self) -> datetime | None: ...

    def erase(self, *, ids: Iterable[str] = (), author: str = "", now: datetime) -> int:
        """Forget mentions of any state, and remember that the archive must forget them, too, until `erased` says so. Returns how
        many were known here. "" is nobody."""
        ...

    def erasures(self) -> tuple[frozenset[str], frozenset[str]]:
        """(mention ids, authors) that the archive is still to forget."""
        ...

    def erased(self, *, ids: Iterable[str] = (), authors: Iterable[str] = ()) -> None: ...

    def prune(self, before: datetime) -> int:
        """Forget stored entries that were written before; returns how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One address in a source's frontier. `marker` is what its parent said about it when we last read it (reply count,
    time of the last post): unchanged marker = nothing new. `state`: new, ok, gone, failed."""

    source: str
    url: str
    role: str
    """What the collector takes it for: list, thread, feed, alias or other."""
    thread: str = ""
    number: int = 1
    state: str = "new"
    marker: str = ""
    etag: str = ""
    last_modified: str = ""
    content_hash: str = ""
    newest_post_at: datetime | None = None
    fetched_at: datetime | None = None
    next_at: datetime | None = None
    attempts: int = 0
    error: str = ""


class Frontier(Protocol):
    """Which pages of a source are known, what they said last time, and when to look again."""

    def get(self, source: str, url: str) -> Page | None: ...
    def save(self, pages: Sequence[Page]) -> None:
        """Insert or replace, by (source, url)."""
        ...

    def of_thread(self, source: str, thread: str) -> list[Page]:
        """By number."""
        ...

    def due(self, source: str, now: datetime, limit: int) -> list[Page]:
        """Pages whose next_at has come, longest overdue first."""
        ...

    def count(self, source: str) -> int: ...


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One reading of one source. `slot` is the planned instant, or the instant of asking for a run by hand; (source, slot) is
    unique."""

    id: int
    source: str
    slot: datetime
    trigger: str
    """schedule or manual."""
    state: RunState
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    lease_until: datetime | None = None
    pages: int = 0
    posts: int = 0
    new: int = 0
    reason: str = ""
    """Why it failed, or what was odd, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a crawl did. `warnings` in words, most telling first; what the source can no longer show us (a gap) is one of them."""

    pages: int = 0
    unchanged_pages: int = 0
    posts: int = 0
    mentions: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    invalid: int = 0
    newest_post_at: datetime | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""
    permanent: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What we remember of a source between runs."""

    source: str
    paused_at: datetime | None = None
    paused_why: str = ""
    first_run_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_failed_at: datetime | None = None
    failures: int = 0
    """In a row."""
    last_error: str = ""
    blocked: bool = False
    """The last error was permanent: somebody must act."""
    backoff_until: datetime | None = None
    newest_post_at: datetime | None = None
    last_post_seen_at: datetime | None = None
    """When a run last brought something new."""


class Runs(Protocol):
    """Schedules' memory: exactly one run per (source, slot), no overlap per source."""

    def plan(self, source: str, slot: datetime, trigger: str) -> int | None:
        """Insert a queued run and return its id; None when that slot exists already (somebody else was quicker)."""
        ...

    def get(self, run_id: int) -> Run | None: ...

    def claim(self, run_id: int, *, owner: str, now: datetime, lease: timedelta) -> Run | None:
        """Queued (or running with its lease ended) → running, attempts + 1. None when it is not to be had, or another run of
        the same source is running under a valid lease."""
        ...

    def extend(self, run_id: int, *, owner: str, until: datetime) -> bool: ...

    def finish(self, run_id: int, *, owner: str, now: datetime, tally: Tally) -> bool:
        """Running → done or failed (when tally.error), and bring the source's state up to date.
        False when we do not own it any more."""
        ...

    def waiting(self, now: datetime, limit: int = 100) -> list[Run]:
        """Queued runs, and running ones whose lease has ended; oldest first."""
        ...

    def latest(self, source: str, limit: int = 1) -> list[Run]:
        """Newest slot first."""
        ...

    def latest_slot(self, source: str, trigger: str = "schedule") -> datetime | None: ...

    def state(self, source: str) -> SourceState:
        """What is remembered of a source; an empty state for an unknown one."""
        ...

    def pause(self, source: str, *, why: str, now: datetime) -> None:
        """No run is planned until it is resumed; a run that is under way goes on."""
        ...

    def resume(self, source: str) -> None:
        """Ends a pause, and a back-off too: whoever resumes wants to see."""
        ...

    def prune(self, before: datetime) -> list[int]:
        """Forget runs that ended before; returns their ids. What sources' states remember stays."""
        ...

    def arrivals(self, source: str, since: datetime) -> list[tuple[datetime, int]]:
        """(ended_at, new posts) of finished runs, oldest first: how often this source usually has something to say."""
        ...


class Tombstones(Protocol):
    """What was erased and must not come back."""

    def bury(
        self, *, ids: Iterable[str] = (), authors: Iterable[str] = (), reason: str, now: datetime
    ) -> None: ...

    def buried(self, *, ids: Iterable[str], authors: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Those of the ids and authors that are buried."""
        ...


class Incidents(Protocol):
    """Exactly one incident per id, however many schedulers run."""

    def open_of(self, rule: str) -> Incident | None:
        """The rule's newest incident that is not over."""
        ...

    def latest_of(self, rule: str) -> Incident | None: ...

    def get(self, incident_id: str) -> Incident | None: ...

    def save(
        self, incident: Incident, *, was: Incident | None, now: datetime, channels: Sequence[str]
    ) -> bool:
        """Store the incident and queue its message (or its newest version) for each channel, in one transaction. A message
        that waits because Slack asked it to goes on waiting.
        `was` None: insert; False when the id exists. Else compare and set: False when the stored incident is no longer `was`."""
        ...

    def recent(self, limit: int = 20) -> list[Incident]: ...

    def record_act(
        self, incident_id: str, act: Act, *, by: str, at: datetime, key: str, note: str = ""
    ) -> bool:
        """Durable and idempotent on `key`; False when this act was known already."""
        ...

    def acts(self, incident_id: str) -> list[tuple[datetime, Act, str, str]]:
        """(at, act, by, note), oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The one message of one incident in one channel (a Slack channel, or "terminal"). `version` counts what should be
    shown, `shown` what is shown; `ts` is Slack's name for the message once we know it. state: new, sending, sent, unsure,
    failed."""

    incident: str
    channel: str
    state: str = "new"
    version: int = 1
    shown: int = 0
    ts: str = ""
    attempts: int = 0
    first_try_at: datetime | None = None
    lease_until: datetime | None = None
    owner: str = ""
    next_at: datetime | None = None
    error: str = ""


class Outbox(Protocol):
    """Messages that are still to be shown. Rows are queued by `Incidents.save`."""

    def due(self, now: datetime, limit: int = 20) -> list[Delivery]:
        """Not shown in its newest version, next_at has come, no valid lease; longest waiting first."""
        ...

    def claim(self, delivery: Delivery, *, owner: str, now: datetime, lease: timedelta) -> Delivery | None:
        """Compare and set to `sending`; None when somebody else was quicker."""
        ...

    def save(self, delivery: Delivery, *, owner: str) -> bool:
        """Write state, ts, shown, next_at, error of a delivery that `owner` holds, and let it go when state is not `sending`."""
        ...

    def of(self, incident_id: str) -> list[Delivery]: ...


class Ledger(Protocol):
    """Operational state: one SQL database. Raises StoreError."""

    frontier: Frontier
    runs: Runs
    tombstones: Tombstones
    incidents: Incidents
    outbox: Outbox
    journal: Journal

    def note(self, key: str, value: str) -> None:
        """Remember one value (API cursors, heartbeats), replacing the old one; "" forgets it."""
        ...

    def noted(self, key: str) -> str: ...

    def close(self) -> None: ...


# ------------------------------------------------------------------------------------------------ collecting


@dataclass(slots=True)
class Batch:
    """What a collector hands over at once: stored first, then `pages` and `notes` go to the ledger.

    `gone` are native ids that the source no longer shows; `thread_complete` = (thread, native ids) when a thread was read
    to its end, so that whatever else we hold of it is gone."""

    posts: list[Post] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    thread_complete: list[tuple[str, frozenset[str]]] = field(default_factory=list)


Sink = Callable[[Batch], None]
"""Stores a batch durably, or raises; only then may the collector go on."""
