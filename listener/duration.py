"""Durations and hours of the day as people write them: 30s, 10m, 1h30m, 90d; 07:00-22:00."""

import re
from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?\s*[wdhms]\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhms])")
_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})")
_DAY = 24 * 60


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


def parse_hours(text: str) -> tuple[int, int]:
    """`07:00-22:00` → from and until, in minutes after the midnight before they begin: until `24:00` is 1440, and
    hours that pass midnight end later than that. Raises ValueError saying what is wanted."""
    found = _HOURS.fullmatch(text.strip())
    if not found:
        raise ValueError(f"got {text!r}, want hours such as 07:00-22:00 or 22:00-06:00")
    first_hour, first_minute, last_hour, last_minute = map(int, found.groups())
    first, last = first_hour * 60 + first_minute, last_hour * 60 + last_minute
    if max(first_minute, last_minute) >= 60 or first >= _DAY or last > _DAY:
        raise ValueError(f"got {text!r}, want times from 00:00 to 24:00")
    if first == last:
        raise ValueError(f"got {text!r}, want two different times; for always leave it out")
    return first, last if first < last else last + _DAY
