"""The one clock of production; everything below is handed `now`, or a clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
