"""The journal of mentions on their way to an archive that is a server."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

AT = sa.String(27)


def upgrade() -> None:
    op.create_table(
        "journal",
        *_texts("id"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *_texts("state", "revision"),
        sa.Column("scored", sa.Boolean(), nullable=False),
        *_texts("author"),
        *[sa.Column(name, AT, nullable=False) for name in ("published_at", "fetched_at", "written_at")],
        *_texts("error", "body"),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.UniqueConstraint("number", name="uq_journal_number"),
    )
    op.create_index("ix_journal_state_written_at_number", "journal", ["state", "written_at", "number"])
    op.create_index("ix_journal_author", "journal", ["author"])
    op.create_table(
        "erasures",
        *_texts("kind", "value"),
        sa.Column("asked_at", AT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name="pk_erasures"),
    )
    op.create_table(
        "counters",
        *_texts("name"),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]
