"""Gives the page what it needs from a running service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from alerts.detection.chart import normal_range
from console.web.desk import Desk, Gap, HealthRow, MessageView
from listener import schedule
from listener.incident import Incident
from listener.mention import Signal
from listener.ports import Where
from workers import stages
from workers.runtime import Runtime
from workers.tasks import collect

DAY = timedelta(days=1)
STALE = timedelta(minutes=30)
"""When no source was heard for so long, the end of every curve is marked as not heard."""


def desk(runtime: Runtime, token: str) -> Desk:
    """The page's view of `runtime`; `token` lets a browser in."""
    zone = ZoneInfo(runtime.config.zone)

    def band(counts: Sequence[int], starts: Sequence[datetime]) -> list[tuple[float, float, float]]:
        width = starts[1] - starts[0] if len(starts) > 1 else timedelta(hours=1)
        # The newest day is judged, not learnt from: a crisis must not raise its own normal range.
        return normal_range(counts, starts, max(0, len(counts) - DAY // width), zone=zone)

    def message(incident: Incident) -> MessageView:
        built = stages.render(runtime, incident)
        return MessageView(text=built.text, blocks=built.blocks)

    return Desk(
        config=runtime.config,
        archive=runtime.archive,
        ledger=runtime.ledger,
        healths=lambda now: _rows(runtime, now),
        band=band,
        message=message,
        now=runtime.clock,
        token=token,
        parse=partial(stages.search_query, runtime),
        gaps=lambda start, end: _gaps(runtime, start, end),
        acts=_Acts(runtime),
        away=runtime.archive.away,
    )


def _rows(runtime: Runtime, now: datetime) -> list[HealthRow]:
    rows = []
    for source, health in zip(runtime.config.sources, stages.source_healths(runtime), strict=True):
        scheduled = schedule.scheduled(source)
        coming = (
            next(schedule.slots(source, zone=runtime.config.zone, after=now), None) if scheduled else None
        )
        recent = Where(source=source.id, start=now - DAY, end=now)
        new = runtime.archive.counts(recent, [Signal.VOLUME], start=now - DAY, end=now, bucket=DAY)[
            Signal.VOLUME
        ]
        rows.append(
            HealthRow(
                id=source.id,
                name=source.id,
                kind=source.kind,
                condition=health.condition,
                heard=health.heard,
                reason=health.reason,
                since=health.since,
                last_ok=runtime.ledger.runs.state(source.id).last_ok_at,
                next_run=coming,
                new_24h=sum(new),
            )
        )
    return rows


def _gaps(runtime: Runtime, start: datetime, end: datetime) -> list[Gap]:
    """What a forum or feed missed is read later, so only the newest stretch can be unheard."""
    heard = [runtime.ledger.runs.state(source.id).last_ok_at for source in runtime.config.sources]
    newest = max((moment for moment in heard if moment), default=None)
    if newest is None or end - newest < STALE or newest <= start:
        return []
    return [Gap(newest, end)]


@dataclass(frozen=True, slots=True)
class _Acts:
    """What ops do to a source from the page."""

    runtime: Runtime

    def pause(self, source: str, now: datetime) -> None:
        self.runtime.ledger.runs.pause(source, why="paused on the page", now=now)

    def resume(self, source: str, now: datetime) -> None:
        self.runtime.ledger.runs.resume(source)

    def run(self, source: str, now: datetime) -> None:
        run_id = self.runtime.ledger.runs.plan(source, now, "manual")
        if run_id is not None:
            collect.delay(run_id)
