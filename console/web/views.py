"""The pages: each reads, asks the pure modules for words and pictures, and renders. Thin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from console.web.bars import DIMENSIONS, bars, carriers, evidence_filters
from console.web.desk import Desk, HealthRow
from console.web.filters import Filters, read_filters
from console.web.guard import is_form_key, read_form, same_origin, session_of
from console.web.headline import (
    bare_sentence,
    current,
    headline,
    heard,
    is_stale,
    newest_levels,
    sentences,
    unheard,
)
from console.web.phrases import Phrases
from console.web.pictures import Picture, picture, title_phrase
from console.web.preview import preview
from console.web.series import PERIODS, Period, Series, read_series, running_end
from console.web.site import Site, page, site_of
from listener.config import Brand
from listener.errors import QueryError
from listener.health import Condition
from listener.incident import Act, Incident, State
from listener.mention import Signal
from listener.ports import Dimension, Where
from listener.query import Query

SHOWN = (Signal.ANXIETY, Signal.COMPLAINTS, Signal.VOLUME)
NEWEST = 8
PER_PAGE = 40
INCIDENTS = 100
ACTS = ("pause", "resume", "run")
ATTENTION = (
    Condition.FAILING, Condition.SILENT, Condition.LATE, Condition.UNSCHEDULED, Condition.PAUSED, Condition.NEW, Condition.OK,
)  # fmt: skip
"""What needs attention first."""
CONTEXT = timedelta(hours=18)
"""Shown before an incident."""
AFTER = timedelta(hours=6)


def healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")


def overview(request: Request) -> Response:
    site, desk = site_of(request), site_of(request).desk
    clock, brand = site.clock(), _brand(request, desk)
    rows = desk.healths(clock.now)
    if brand is None:
        return page(
            request, "overview_empty.html", heading=site.phrases("no_brand"), command="lyhord init", rows=rows
        )
    if not any(row.last_ok for row in rows) and not desk.archive.total():
        heading = site.phrases("nothing_heard")
        return page(request, "overview_empty.html", heading=heading, command="lyhord collect", rows=rows)
    incidents = [
        incident for incident in desk.ledger.incidents.recent(INCIDENTS) if incident.brand == brand.id
    ]
    incident, period = current(incidents, clock.now), _period(request)
    end = running_end(clock.now)
    series = read_series(desk, Where(brand=brand.id), _signals(incident), end=end, period=period)
    stale = is_stale(rows, clock.now)
    told = [s for s in incident.signals if s in series] if incident else [Signal.ANXIETY]
    about = _about_filters(brand, incident, end, period)
    return page(
        request, "overview.html", rows=rows, brand=brand, stale=stale, incident=incident, period=period, periods=PERIODS,
        heading=headline(incident, rows, clock, stale=stale),
        lines=_numbers(series, told, site.phrases("last_" + _window(period)), site.phrases),
        heard=heard(rows, site.phrases), unheard=unheard(rows, clock),
        pictures=_pictures(site, series, Filters(brand=brand.id), incidents),
        gaps={gap.why for gap in series[told[0]].gaps},
        about=about, bars=bars(_counts(desk, about), about, site.phrases), signal=about.signal or Signal.VOLUME,
        newest=desk.archive.search(Where(brand=brand.id, originals=True), limit=NEWEST),
        all_link=Filters(brand=brand.id).link(), names=_names(rows),
    )  # fmt: skip


def mentions(request: Request) -> Response:
    site, desk = site_of(request), site_of(request).desk
    rows = desk.healths(site.clock().now)
    filters = read_filters(
        request.query_params,
        brands=tuple(brand.id for brand in desk.config.brands),
        sources=tuple(source.id for source in desk.config.sources),
    )
    try:
        query = desk.parse(filters.text) if filters.text else None
        found = desk.archive.search(filters.where(query), limit=PER_PAGE + 1, before=filters.before)
        count, error = _voices(desk, filters, query), None
    except QueryError as wrong:
        found, count, error = [], 0, wrong
    shown = found[:PER_PAGE]
    return page(
        request, "mentions.html", status=400 if error else 200, rows=rows, filters=filters, found=shown, error=error,
        older=filters.after(shown[-1]).link() if len(found) > PER_PAGE else "",
        newest_link=replace(filters, before=None).link() if filters.before else "", count=count, names=_names(rows),
        clear_source=replace(filters, source="", before=None).link(),
        clear_time=replace(filters, start=None, end=None, before=None).link(), nothing=not desk.archive.total(),
    )  # fmt: skip


def incidents(request: Request) -> Response:
    desk, rows = site_of(request).desk, site_of(request).healths()
    found = desk.ledger.incidents.recent(INCIDENTS)
    going = sum(incident.state is not State.OVER for incident in found)
    clock = site_of(request).clock()
    titles = {incident.id: title_phrase(incident, clock) for incident in found}
    return page(request, "incidents.html", rows=rows, found=found, going=going, titles=titles)


def incident(request: Request) -> Response:
    site, desk = site_of(request), site_of(request).desk
    found, clock = desk.ledger.incidents.get(request.path_params["id"]), site.clock()
    if found is None:
        raise HTTPException(404)
    end = running_end(min(clock.now, (found.ended_at or clock.now) + AFTER))
    length = min(timedelta(days=14), max(timedelta(hours=24), end - found.began_at + CONTEXT))
    hour = timedelta(hours=1)
    period = Period("", hour * -(-length // hour), hour, "1h")
    lead = found.levels[0].signal
    signals = tuple(dict.fromkeys((lead, *found.signals)))
    series = read_series(desk, Where(brand=found.brand), signals, end=end, period=period)
    message, rows = desk.message(found), site.healths()
    return page(
        request, "incident.html", rows=rows, incident=found, heading=title_phrase(found, clock),
        numbers=sentences(found.levels, site.phrases("last_judged"), site.phrases),
        pictures=_pictures(site, series, Filters(brand=found.brand), [found]), text=message.text,
        lines=preview(message.blocks), story=_story(site, found),
        carriers=carriers(found, site.phrases, _names(rows)), evidence=evidence_filters(found).link(),
        names=_names(rows), brand_name=_brand_names(desk).get(found.brand, found.brand),
    )  # fmt: skip


def sources(request: Request) -> Response:
    site = site_of(request)
    rows = sorted(site.healths(), key=lambda row: (ATTENTION.index(row.condition), row.name.casefold()))
    done, name = (
        request.query_params.get("done", ""),
        _names(rows).get(request.query_params.get("source", ""), ""),
    )
    notice = site.phrases(f"acted_{done}", name=name) if done in ACTS and name else ""
    heading = heard(rows, site.phrases) or site.phrases("sources_none")
    return page(
        request, "sources.html", rows=rows, heading=heading, unheard=unheard(rows, site.clock()), notice=notice,
        can_act=site.desk.acts is not None,
    )  # fmt: skip


async def act_on_source(request: Request) -> Response:
    """A form of the sources page; anything that did not come from our own page is refused."""
    site, source, act = site_of(request), request.path_params["id"], request.path_params["act"]
    form = await read_form(request)
    session = session_of(request.headers)
    genuine = same_origin(request.headers, site.hosts) and is_form_key(
        form.get("key", ""), session, site.desk.token
    )
    if not genuine:
        raise HTTPException(403)
    acts = site.desk.acts
    if acts is None or act not in ACTS or source not in {known.id for known in site.desk.config.sources}:
        raise HTTPException(404)
    change: Callable[[str, datetime], None] = {"pause": acts.pause, "resume": acts.resume, "run": acts.run}[
        act
    ]
    await run_in_threadpool(change, source, site.desk.now())
    return RedirectResponse(f"/sources?{urlencode({'done': act, 'source': source})}", 303)


def _brand(request: Request, desk: Desk) -> Brand | None:
    """The brand asked for, else the first one."""
    known = {brand.id: brand for brand in desk.config.brands}
    return known.get(request.query_params.get("brand", "")) or next(iter(known.values()), None)


def _brand_names(desk: Desk) -> dict[str, str]:
    return {brand.id: brand.name for brand in desk.config.brands}


def _names(rows: Sequence[HealthRow]) -> dict[str, str]:
    return {row.id: row.name for row in rows}


def _period(request: Request) -> Period:
    return next(
        (period for period in PERIODS if period.name == request.query_params.get("range")), PERIODS[0]
    )


def _window(period: Period) -> str:
    return "hour" if period.bucket == timedelta(hours=1) else "6h"


def _signals(incident: Incident | None) -> tuple[Signal, ...]:
    """The leading signal of the incident on top, then those that are always shown."""
    return tuple(dict.fromkeys((incident.levels[0].signal, *SHOWN))) if incident else SHOWN


def _numbers(
    series: Mapping[Signal, Series], told: Sequence[Signal], window: str, phrases: Phrases
) -> list[str]:
    if series[told[0]].band:
        return sentences(newest_levels(series, told), window, phrases)
    return [sentence for sentence in [bare_sentence(series[told[0]], window, phrases)] if sentence]


def _pictures(
    site: Site, series: Mapping[Signal, Series], filters: Filters, incidents: Sequence[Incident]
) -> list[Picture]:
    shown = list(series.values())
    seen = [incident for incident in incidents if (incident.ended_at or shown[0].end) > shown[0].start]
    return [
        picture(
            each,
            clock=site.clock(),
            filters=filters,
            incidents=seen,
            leading=i == 0,
            axis=i == len(shown) - 1,
        )
        for i, each in enumerate(shown)
    ]


def _about_filters(brand: Brand, incident: Incident | None, end: datetime, period: Period) -> Filters:
    """What carries the incident while it goes on; else all voices of the time shown."""
    if incident and incident.state is not State.OVER:
        return Filters(brand=brand.id, signal=incident.levels[0].signal, start=incident.began_at)
    return Filters(brand=brand.id, start=end - period.length)


def _counts(desk: Desk, filters: Filters) -> dict[Dimension, Mapping[str, int]]:
    return {dimension: desk.archive.breakdown(filters.where(None), dimension) for dimension in DIMENSIONS}


def _voices(desk: Desk, filters: Filters, query: Query | None) -> int:
    """How many voices the filters find: counted exactly for a span with two ends, else summed over channels."""
    where = filters.where(query)
    if filters.start and filters.end and filters.start < filters.end:
        signal = filters.signal or Signal.VOLUME
        counts = desk.archive.counts(
            where, [signal], start=filters.start, end=filters.end, bucket=filters.end - filters.start
        )
        return sum(counts[signal])
    return sum(desk.archive.breakdown(where, Dimension.CHANNEL).values())


def _story(site: Site, incident: Incident) -> list[tuple[datetime, str, str]]:
    """(at, what happened, note), oldest first."""
    say = site.phrases
    peak = say.count(incident.levels[0].signal, incident.peak)
    told = [
        (incident.began_at, say("act_began"), ""),
        (incident.opened_at, say("act_opened"), ""),
        (incident.peak_at, say("act_peak", count=peak), ""),
    ]
    told += [
        (at, say(f"act_{Act(act)}", by=by), note)
        for at, act, by, note in site.desk.ledger.incidents.acts(incident.id)
    ]
    if incident.ended_at:
        told.append((incident.ended_at, say("act_ended"), ""))
    return sorted(told, key=lambda entry: entry[0])
