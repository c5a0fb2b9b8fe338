"""The first line of the overview, in words, and what must be said beside it. Pure.

Silence is not calm: with too few sources heard the page does not say that it is calm.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from console.web.desk import HealthRow
from console.web.phrases import Phrases, usual_with_middle
from console.web.pictures import title_phrase
from console.web.series import Series
from console.web.times import Clock
from listener.health import Condition
from listener.incident import Incident, Level, State
from listener.mention import Signal

STALE = timedelta(minutes=30)
"""When nothing was heard for so long, the page says so at the top."""
RECENT = timedelta(hours=24)
"""So long after its end an incident is still told on the overview."""
ENOUGH = 0.5
"""The share of sources that must be heard before we call it calm."""
NAMED = 3


def counted(rows: Sequence[HealthRow]) -> list[HealthRow]:
    """The sources that should be heard: those that are paused or have no schedule are not expected to speak."""
    return [row for row in rows if row.condition not in (Condition.PAUSED, Condition.UNSCHEDULED)]


def last_heard(rows: Sequence[HealthRow]) -> datetime | None:
    return max((row.last_ok for row in rows if row.last_ok), default=None)


def is_stale(rows: Sequence[HealthRow], now: datetime) -> bool:
    heard = last_heard(rows)
    return heard is not None and now - heard > STALE


def heard(rows: Sequence[HealthRow], phrases: Phrases) -> str:
    """'18 av 19 källor hörda.'; "" when no source is expected to be heard."""
    expected = counted(rows)
    many = sum(row.heard for row in expected)
    if many == len(expected):
        return phrases.count("heard_all", many) if expected else ""
    return phrases("heard_some", heard=many, n=len(expected))


def unheard(rows: Sequence[HealthRow], clock: Clock) -> str:
    """'Inte hörda: Trafikforum (tyst sedan 00:40).'; "" when all are heard."""
    say, missing = clock.phrases, [row for row in counted(rows) if not row.heard]
    names = ", ".join(f"{row.name} ({_state(row, clock)})" for row in missing[:NAMED])
    if len(missing) > NAMED:
        names = say("unheard_more", names=names, n=len(missing) - NAMED)
    return say("unheard", names=names) if missing else ""


def _state(row: HealthRow, clock: Clock) -> str:
    state = clock.phrases(f"condition_{row.condition}")
    return f"{state} {clock.phrases('since', since=clock.moment(row.since))}" if row.since else state


def current(incidents: Sequence[Incident], now: datetime) -> Incident | None:
    """The incident that the overview is about: the gravest that goes on, else one that ended within a day."""
    going = [incident for incident in incidents if incident.state is not State.OVER]
    if going:
        return max(going, key=lambda incident: (incident.severity, incident.opened_at))
    ended = [incident for incident in incidents if incident.ended_at and now - incident.ended_at <= RECENT]
    return max(ended, key=lambda incident: incident.ended_at or now, default=None)


def headline(incident: Incident | None, rows: Sequence[HealthRow], clock: Clock, *, stale: bool) -> str:
    """The answer to "how is it right now?": 'Oron växer sedan 02:15.' or 'Lugnt. 18 av 19 källor hörda.'"""
    say, expected = clock.phrases, counted(rows)
    if incident and incident.state is not State.OVER:
        return title_phrase(incident, clock)
    if not any(row.last_ok for row in rows):
        return say("nothing_heard")
    if stale or not expected or sum(row.heard for row in expected) < ENOUGH * len(expected):
        return say("unsure")
    ended = incident.ended_at if incident else None
    calm = say("over_since", until=clock.moment(ended)) if ended else say("calm")
    return f"{calm} {heard(rows, say)}"


def newest_levels(series: Mapping[Signal, Series], signals: Sequence[Signal]) -> list[Level]:
    """The newest bucket of each of these signals, where it was heard and its usual is known."""
    return [
        Level(signal=signal, observed=count, expected=expected, low=low, high=high)
        for signal in signals
        for count, band in [(series[signal].counts[-1], series[signal].band[-1:])]
        for low, expected, high in band
        if count is not None
    ]


def bare_sentence(series: Series, window: str, phrases: Phrases) -> str:
    """The newest count where nobody knows what is usual; "" when it was not heard."""
    count = series.counts[-1]
    return (
        "" if count is None else phrases("now_bare", count=phrases.count(series.signal, count), window=window)
    )


def sentences(levels: Sequence[Level], window: str, phrases: Phrases) -> list[str]:
    """Counts with their normal range: of the first signal always, of the others what is too high."""
    told = [level for i, level in enumerate(levels) if i == 0 or level.observed > level.high]
    return [
        phrases(
            "also" if i else "now_line",
            count=phrases.count(level.signal, level.observed),
            window=window,
            usual=usual_with_middle(level.low, level.expected, level.high),
        )
        for i, level in enumerate(told)
    ]
