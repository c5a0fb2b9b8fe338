"""The numbers that every process tells of itself: their names, units and words. What tells one calls it here.

Until `listener.exposition` gives them a place to write to, telling a number does nothing and costs next to nothing, so that
nobody asks first whether numbers are wanted. Labels have few values, all from the file or from the code: never an author, a text
or an address of a post.
"""

from collections.abc import Callable
from dataclasses import dataclass

Write = Callable[[tuple[str, ...], float], None]
"""(the labels' values, the number)."""


FLOW, SOURCES = "flow", "sources"


@dataclass(slots=True, kw_only=True, eq=False)
class Number:
    """`labels`: their names. `begins`: values of the only label that stand at 0 from the start, because Prometheus does not see
    a counter's first step out of nothing. `write`: where it goes to."""

    name: str
    words: str
    labels: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    write: Write | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Count(Number):
    """Only grows."""

    def add(self, *labels: str, by: float = 1) -> None:
        if self.write is not None and by:
            self.write(labels, by)


@dataclass(slots=True, kw_only=True, eq=False)
class Level(Number):
    """How it is now. Each is of what all processes share, and told by whichever looked last (`workers.numbers`). `group`: those
    that are told together, with `TOLD_AT`; "" for that itself."""

    group: str = FLOW

    def set(self, value: float, *labels: str) -> None:
        if self.write is not None:
            self.write(labels, value)


@dataclass(slots=True, kw_only=True, eq=False)
class Span(Number):
    """How long something took, in seconds; `upto`: the buckets' upper bounds, rising."""

    upto: tuple[float, ...]

    def observe(self, seconds: float, *labels: str) -> None:
        if self.write is not None:
            self.write(labels, seconds)


# ------------------------------------------------------------------------------------------------ what is collected

POSTS = Count(name="lyhord_posts_total", words="Posts that collectors handed over", labels=("source",))
MENTIONS = Count(
    name="lyhord_mentions_total",
    words="Posts about a brand, by what storing did: new, edited, known, deleted (upstream), refused",
    labels=("source", "outcome"),
)

# ------------------------------------------------------------------------------------------------ scoring

SCORED = Count(name="lyhord_scored_total", words="Texts scored", labels=("model",))
SCORE_SECONDS = Span(
    name="lyhord_score_seconds",
    words="Time that a batch of texts took to score",
    upto=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

# ------------------------------------------------------------------------------------------------ the archive's server

BULK_ITEMS = Count(
    name="lyhord_bulk_items_total",
    words="Changes sent to Elasticsearch, by its answer: done, conflict, missing, busy, refused",
    labels=("outcome",),
    begins=("done", "conflict", "missing", "busy", "refused"),
)
BULK_RETRIES = Count(
    name="lyhord_bulk_retries_total", words="Times that what it was too busy for was sent again"
)
COPIES = Count(
    name="lyhord_copies_total", words="Mentions stored in Elasticsearch as near-duplicates of an earlier one"
)

# ------------------------------------------------------------------------------------------------ messages

MESSAGES = Count(
    name="lyhord_slack_posts_total",
    words="Tries to show a message: posted, edited, adopted, unclear, limited, refused, failed",
    labels=("outcome",),
    begins=("posted", "edited", "adopted", "unclear", "limited", "refused", "failed"),
)
DUPLICATES_REMOVED = Count(
    name="lyhord_slack_duplicates_removed_total", words="Copies of a message that were found and deleted"
)
ALERT_LATENCY = Span(
    name="lyhord_alert_latency_seconds",
    words="From the noticing of a spike to the acceptance of its first message",
    upto=(0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3600),
)

# ------------------------------------------------------------------------------------------------ tasks

TASK_SECONDS = Span(
    name="lyhord_tasks_seconds",
    words="Time that a task took",
    labels=("task",),
    upto=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
)

# ------------------------------------------------------------------------------------------------ how it is now

TOLD_AT = Level(
    name="lyhord_told_timestamp_seconds",
    words="When levels were last told, since 1970-01-01 UTC",
    labels=("group",),
    group="",
)
LAG = Level(
    name="lyhord_lag_seconds",
    words="How long the oldest piece of work waits: score, journal, runs, outbox",
    labels=("stage",),
)
CANARY_AGE = Level(
    name="lyhord_canary_age_seconds",
    words="Since the last canary came through a queue",
    labels=("queue",),
)
ARCHIVE_AWAY = Level(name="lyhord_archive_away", words="1 while the archive's server cannot be asked")
JOURNAL = Level(
    name="lyhord_journal_entries",
    words="Mentions in the journal: waiting for the archive, stored, refused",
    labels=("state",),
)
SOURCE_STATE = Level(
    name="lyhord_source_state",
    words="1 for the condition in which a source is, 0 for the others",
    labels=("source", "condition"),
    group=SOURCES,
)
SOURCE_HEARD = Level(
    name="lyhord_source_heard",
    words="1 when what people write there reaches us now",
    labels=("source",),
    group=SOURCES,
)
SOURCE_BLOCKED = Level(
    name="lyhord_source_blocked",
    words="1 when only people can mend a source",
    labels=("source",),
    group=SOURCES,
)
INCIDENTS_OPEN = Level(name="lyhord_incidents_open", words="Incidents that are not over", labels=("rule",))

ALL: tuple[Number, ...] = (
    POSTS,
    MENTIONS,
    SCORED,
    SCORE_SECONDS,
    BULK_ITEMS,
    BULK_RETRIES,
    COPIES,
    MESSAGES,
    DUPLICATES_REMOVED,
    ALERT_LATENCY,
    TASK_SECONDS,
    TOLD_AT,
    LAG,
    CANARY_AGE,
    ARCHIVE_AWAY,
    JOURNAL,
    SOURCE_STATE,
    SOURCE_HEARD,
    SOURCE_BLOCKED,
    INCIDENTS_OPEN,
)


def scored(model: str, texts: int, seconds: float) -> None:
    """A batch was scored."""
    if texts:
        SCORED.add(model, by=texts)
        SCORE_SECONDS.observe(seconds)


def wanted() -> bool:
    """Whether numbers go anywhere: asked before work that is done for them alone."""
    return TOLD_AT.write is not None
