"""Durations as people write them: 30s, 10m, 1h30m, 90d."""

import re
from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?\s*[wdhms]\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhms])")


def parse_duration(text: str) -> timedelta:
    """`1h30m` → timedelta; a bare `0` is none. Raises ValueError saying what is wanted."""
    low = text.strip().lower()
    if low == "0":
        return timedelta(0)
    if not _WHOLE.fullmatch(low):
        raise ValueError(f"got {text!r}, want a duration such as 30s, 10m, 1h30m, 90d")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(low)))
    except OverflowError:
        raise ValueError(f"got {text!r}, want a duration under 2,000,000 years") from None


def duration_text(length: timedelta) -> str:
    """timedelta → the shortest such text: 90 minutes are `1h30m`."""
    rest, parts = round(length.total_seconds()), []
    for unit, seconds in _UNITS.items():
        if unit == "w":
            continue
        number, rest = divmod(rest, seconds)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0"
