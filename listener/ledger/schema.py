"""The ledger's tables, as SQLAlchemy Core metadata, and the two column types that keep them portable.

A change here needs a migration beside it (`migrations/versions/`); a test compares the two.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import Boolean, Text, TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC text of fixed width: exact to the microsecond, sorts as it runs, legible
    in any SQL shell.
    """

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the ledger was given {value.isoformat()}: want a time with its zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Plain(TypeDecorator[str]):
    """Text that every database takes: NUL and lone surrogates, which hostile pages contain, become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        value = value.replace("\0", "\ufffd")
        if value.isascii():
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

pages = Table(
    "pages",
    metadata,
    Column("source", Plain, primary_key=True),
    Column("url", Plain, primary_key=True),
    Column("role", Plain, nullable=False),
    Column("thread", Plain, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Plain, nullable=False),
    Column("marker", Plain, nullable=False),
    Column("etag", Plain, nullable=False),
    Column("last_modified", Plain, nullable=False),
    Column("content_hash", Plain, nullable=False),
    Column("newest_post_at", Instant),
    Column("fetched_at", Instant),
    Column("next_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("error", Plain, nullable=False),
    Index(None, "source", "next_at"),
    Index(None, "source", "thread", "number"),
)

sources = Table(
    "sources",
    metadata,
    Column("source", Plain, primary_key=True),
    Column("paused_at", Instant),
    Column("paused_why", Plain, nullable=False, default=""),
    Column("first_run_at", Instant),
    Column("last_ok_at", Instant),
    Column("last_failed_at", Instant),
    Column("failures", Integer, nullable=False, default=0),
    Column("last_error", Plain, nullable=False, default=""),
    Column("blocked", Boolean, nullable=False, default=False),
    Column("backoff_until", Instant),
    Column("newest_post_at", Instant),
    Column("last_post_seen_at", Instant),
)
"""One row a source that has ever been planned; locked while its runs are claimed."""

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Plain, ForeignKey("sources.source"), nullable=False),
    Column("slot", Instant, nullable=False),
    Column("trigger", Plain, nullable=False),
    Column("state", Plain, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("owner", Plain, nullable=False, default=""),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("lease_until", Instant),
    Column("pages", Integer, nullable=False, default=0),
    Column("posts", Integer, nullable=False, default=0),
    Column("new", Integer, nullable=False, default=0),
    Column("reason", Plain, nullable=False, default=""),
    UniqueConstraint("source", "slot"),
    Index(None, "state", "slot"),
    Index(None, "source", "ended_at"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("kind", Plain, primary_key=True),
    Column("value", Plain, primary_key=True),
    Column("reason", Plain, nullable=False),
    Column("buried_at", Instant, nullable=False),
)
"""kind: mention (its id) or author (the pseudonym)."""

incidents = Table(
    "incidents",
    metadata,
    Column("id", Plain, primary_key=True),
    Column("rule", Plain, nullable=False),
    Column("state", Plain, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("digest", Plain, nullable=False),
    Column("body", Plain, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Index(None, "rule", "opened_at"),
    Index(None, "opened_at"),
)
"""`body` is the whole incident as JSON, `digest` its hash: what compare and set compares."""

acts = Table(
    "acts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", Plain, ForeignKey("incidents.id"), nullable=False),
    Column("key", Plain, nullable=False),
    Column("act", Plain, nullable=False),
    Column("by", Plain, nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Plain, nullable=False),
    UniqueConstraint("incident", "key"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("incident", Plain, ForeignKey("incidents.id"), primary_key=True),
    Column("channel", Plain, primary_key=True),
    Column("state", Plain, nullable=False, default="new"),
    Column("version", Integer, nullable=False, default=1),
    Column("shown", Integer, nullable=False, default=0),
    Column("ts", Plain, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("first_try_at", Instant),
    Column("lease_until", Instant),
    Column("owner", Plain, nullable=False, default=""),
    Column("next_at", Instant),
    Column("error", Plain, nullable=False, default=""),
    Index(None, "next_at"),
)

notes = Table(
    "notes",
    metadata,
    Column("key", Plain, primary_key=True),
    Column("value", Plain, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Plain, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("state", Plain, nullable=False),
    Column("revision", Plain, nullable=False),
    Column("scored", Boolean, nullable=False),
    Column("author", Plain, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("fetched_at", Instant, nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("error", Plain, nullable=False),
    Column("body", Plain, nullable=False),
    UniqueConstraint("number"),
    Index(None, "state", "written_at", "number"),
    Index(None, "author"),
)
"""`body` is the whole mention as JSON."""

erasures = Table(
    "erasures",
    metadata,
    Column("kind", Plain, primary_key=True),
    Column("value", Plain, primary_key=True),
    Column("asked_at", Instant, nullable=False),
)
"""What the archive is still to forget. kind: as of `tombstones`."""

counters = Table(
    "counters",
    metadata,
    Column("name", Plain, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
