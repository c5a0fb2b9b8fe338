"""The first tables. Times are UTC text of fixed width, 27 characters."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

AT = sa.String(27)


def upgrade() -> None:
    _pages()
    _sources_and_runs()
    _incidents()
    op.create_table(
        "tombstones",
        *_texts("kind", "value", "reason"),
        sa.Column("buried_at", AT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name="pk_tombstones"),
    )
    op.create_table("notes", *_texts("key", "value"), sa.PrimaryKeyConstraint("key", name="pk_notes"))


def _pages() -> None:
    op.create_table(
        "pages",
        *_texts("source", "url", "role", "thread"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_texts("state", "marker", "etag", "last_modified", "content_hash"),
        *_times("newest_post_at", "fetched_at", "next_at"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_texts("error"),
        sa.PrimaryKeyConstraint("source", "url", name="pk_pages"),
    )
    op.create_index("ix_pages_source_next_at", "pages", ["source", "next_at"])
    op.create_index("ix_pages_source_thread_number", "pages", ["source", "thread", "number"])


def _sources_and_runs() -> None:
    op.create_table(
        "sources",
        *_texts("source"),
        *_times("paused_at"),
        *_texts("paused_why"),
        *_times("first_run_at", "last_ok_at", "last_failed_at"),
        sa.Column("failures", sa.Integer(), nullable=False),
        *_texts("last_error"),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        *_times("backoff_until", "newest_post_at", "last_post_seen_at"),
        sa.PrimaryKeyConstraint("source", name="pk_sources"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        *_texts("source"),
        sa.Column("slot", AT, nullable=False),
        *_texts("trigger", "state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_texts("owner"),
        *_times("started_at", "ended_at", "lease_until"),
        *[sa.Column(name, sa.Integer(), nullable=False) for name in ("pages", "posts", "new")],
        *_texts("reason"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["source"], ["sources.source"], name="fk_runs_source"),
        sa.UniqueConstraint("source", "slot", name="uq_runs_source_slot"),
    )
    op.create_index("ix_runs_state_slot", "runs", ["state", "slot"])
    op.create_index("ix_runs_source_ended_at", "runs", ["source", "ended_at"])


def _incidents() -> None:
    op.create_table(
        "incidents",
        *_texts("id", "rule", "state"),
        sa.Column("opened_at", AT, nullable=False),
        *_texts("digest", "body"),
        sa.Column("saved_at", AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_rule_opened_at", "incidents", ["rule", "opened_at"])
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])
    op.create_table(
        "acts",
        sa.Column("id", sa.Integer(), nullable=False),
        *_texts("incident", "key", "act", "by"),
        sa.Column("at", AT, nullable=False),
        *_texts("note"),
        sa.PrimaryKeyConstraint("id", name="pk_acts"),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name="fk_acts_incident"),
        sa.UniqueConstraint("incident", "key", name="uq_acts_incident_key"),
    )
    op.create_table(
        "deliveries",
        *_texts("incident", "channel", "state"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        *_texts("ts"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_times("first_try_at", "lease_until"),
        *_texts("owner"),
        *_times("next_at"),
        *_texts("error"),
        sa.PrimaryKeyConstraint("incident", "channel", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name="fk_deliveries_incident"),
    )
    op.create_index("ix_deliveries_next_at", "deliveries", ["next_at"])


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, AT, nullable=True) for name in names]
