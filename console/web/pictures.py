"""Pictures: a series made ready for the page: chart, numbers in words, links and the table beside it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from markupsafe import Markup

from console.web.charts import Chart, Span, Tick, draw
from console.web.filters import Filters
from console.web.phrases import number, usual
from console.web.series import Series
from console.web.times import DASH, Clock
from listener.incident import Incident, State

LEADING = 160
"""Pixels of the plot of the chart on top."""
FOLLOWING = 96
"""Pixels of the plots below it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket: the link to its mentions and what it says. `late`: in the right half of the chart."""

    link: str
    when: str
    count: str
    usual: str
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart with everything that stands beside it. `now` and `usual` are of the newest bucket; `above`: too high, and an
    incident goes on (a lone count over a narrow range is nothing to shout about)."""

    id: str
    signal: str
    title: str
    now: str
    usual: str
    above: bool
    leading: bool
    svg: Markup
    points: tuple[Point, ...]


def picture(
    series: Series, *, clock: Clock, filters: Filters, incidents: Sequence[Incident], leading: bool, axis: bool,
) -> Picture:  # fmt: skip
    """`leading`: the chart on top, taller and with the words for spans and gaps, which the charts below it need not repeat."""
    say = clock.phrases
    title = say(f"signal_{series.signal}")
    count, going = series.counts[-1], any(incident.state is not State.OVER for incident in incidents)
    chart = Chart(
        id=f"chart-{series.signal}", signal=series.signal, title=title,
        description=describe(series, clock), start=series.start, bucket=series.bucket, counts=series.counts,
        band=[(low, high) for low, _, high in series.band], ticks=ticks(series, clock),
        spans=[_span(incident, clock, leading) for incident in incidents],
        hatches=[Span(gap.start, gap.end, say(gap.why) if leading else "") for gap in series.gaps], axis=axis,
        height=LEADING if leading else FOLLOWING,
    )  # fmt: skip
    return Picture(
        id=chart.id, signal=series.signal, title=title, now=DASH if count is None else number(count),
        usual=_usual(series, -1, clock), above=going and bool(series.band) and count is not None and count > series.band[-1][2],
        leading=leading, svg=draw(chart), points=tuple(_points(series, clock, filters)),
    )  # fmt: skip


def describe(series: Series, clock: Clock) -> str:
    """The chart in one breath, for those who cannot see it."""
    say, newest = clock.phrases, series.counts[-1]
    told = say(
        "chart_text", signal=say(f"signal_{series.signal}"), span=clock.span(series.start, series.end),
        now=_gap(series, -1, clock) if newest is None else newest, peak=series.counts[series.peak] or 0,
        peak_at=clock.moment(series.start + series.bucket * series.peak),
    )  # fmt: skip
    return f"{told} {_usual(series, -1, clock).capitalize()}."


def _usual(series: Series, i: int, clock: Clock) -> str:
    """'vanligen 3–10' of bucket `i`."""
    if not series.band:
        return clock.phrases("usual_not_known")
    low, _, high = series.band[i]
    return clock.phrases("usual", usual=usual(low, high))


def _gap(series: Series, i: int, clock: Clock) -> str:
    """Why bucket `i` has no count."""
    start = series.start + series.bucket * (i % len(series.counts))
    within = (gap.why for gap in series.gaps if gap.start < start + series.bucket and start < gap.end)
    return clock.phrases(next(within, "not_heard"))


def _span(incident: Incident, clock: Clock, labelled: bool) -> Span:
    say, over = clock.phrases, incident.state is State.OVER
    end = incident.ended_at or clock.now
    if over:
        label = say(
            "incident_span",
            since=clock.moment(incident.began_at),
            until=clock.then(end, after=incident.began_at),
        )
    else:
        label = say("incident_since", since=clock.moment(incident.began_at))
    return Span(incident.began_at, end, label if labelled else "")


def _points(series: Series, clock: Clock, filters: Filters) -> Iterable[Point]:
    say = clock.phrases
    for i, count in enumerate(series.counts):
        start = series.start + series.bucket * i
        end = start + series.bucket
        yield Point(
            link=replace(filters, signal=series.signal, start=start, end=end).link(),
            when=clock.span(start, end),
            count=_gap(series, i, clock) if count is None else say.count(series.signal, count),
            usual=_usual(series, i, clock),
            late=2 * i >= len(series.counts),
        )


def ticks(series: Series, clock: Clock) -> list[Tick]:
    """Hours on a chart of about a day, weekdays on one of about a week, Mondays on a longer one; all at local time."""
    length = series.end - series.start
    if length <= timedelta(days=2):
        return _hour_ticks(series, clock)
    midnights = _midnights(series, clock)
    if length <= timedelta(days=10):
        return [
            Tick(at, f"{clock.weekday(at)} {clock.local(at).day}", minor=(len(midnights) - i) % 2 == 0)
            for i, at in enumerate(midnights)
        ]
    mondays = [at for at in midnights if clock.local(at).weekday() == 0]
    return [Tick(at, clock.day(at), minor=(len(mondays) - i) % 2 == 0) for i, at in enumerate(mondays)]


def _midnights(series: Series, clock: Clock) -> list[datetime]:
    day, last = clock.local(series.start).date(), clock.local(series.end).date()
    days = [day + timedelta(days=i) for i in range((last - day).days + 1)]
    at_midnight = [datetime.combine(day, time(), tzinfo=clock.zone) for day in days]
    return [at for at in at_midnight if series.start <= at <= series.end]


def _hour_ticks(series: Series, clock: Clock) -> list[Tick]:
    hour = timedelta(hours=1)
    first = series.start.replace(minute=0, second=0, microsecond=0)
    hours = [first + hour * i for i in range((series.end - first) // hour + 1)]
    shown = [
        (at, clock.local(at).hour) for at in hours if at >= series.start and clock.local(at).hour % 3 == 0
    ]
    return [
        Tick(
            at,
            clock.hour(at) if local else f"{clock.weekday(at)} {clock.local(at).day}",
            minor=local % 6 != 0,
        )
        for at, local in shown
    ]


def title_phrase(incident: Incident, clock: Clock) -> str:
    """The incident as the first line of a page: 'Oron växer sedan 02:15.'"""
    return clock.phrases(
        f"{incident.state}_{incident.levels[0].signal}", since=clock.moment(incident.began_at),
        until=clock.then(incident.ended_at or incident.spiked_at, after=incident.began_at),
    )  # fmt: skip
