"""Times rounded to steps. Pure."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def floor(moment: datetime, step: timedelta) -> datetime:
    """Rounded down to a whole number of steps since midnight UTC of 1970."""
    return moment - (moment - _EPOCH) % step
