"""What the calendar says about a stretch of time, and when a rule may tell something new. Pure.

An entry of the calendar hides nothing: with the effect `annotate` an incident only names it; with `damp` more
voices are expected while it lasts, and what is far above even these is still an alarm.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from listener.config import DAYS, Event, Rule
from listener.duration import parse_hours


def causes(
    calendar: Sequence[Event], brand: str, start: datetime, end: datetime, zone: tzinfo
) -> tuple[Event, ...]:
    """The brand's events that share time with the window from `start` to just before `end` (both aware), in the
    order of the file. `zone`: of the events' times without an offset."""
    found = []
    for event in calendar:
        begins, ends = event.span(zone)
        if (not event.brands or brand in event.brands) and begins < end and start < ends:
            found.append(event)
    return tuple(found)


def damping(events: Iterable[Event]) -> float:
    """How many times the usual voices are expected: the largest factor of these events, 1.0 when none has one.
    Factors of events at the same time are not multiplied: that would hide too much."""
    return max((event.damp for event in events if event.effect == "damp"), default=1.0)


def active(rule: Rule, now: datetime, zone: tzinfo) -> bool:
    """May the rule tell something new at `now` (aware)? By the clock on the wall in `zone`, also when it changes:
    an hour that comes twice counts twice, one that is skipped does not come. Hours past midnight belong to the
    day on which they begin."""
    local = now.astimezone(zone)
    day, minute = local.date(), local.hour * 60 + local.minute
    if rule.active_hours:
        first, last = parse_hours(rule.active_hours)
        if minute < first:  # then only yesterday's can still last
            day, minute = day - timedelta(days=1), minute + 24 * 60
        if minute >= last:
            return False
    return not rule.active_days or DAYS[day.weekday()] in rule.active_days
