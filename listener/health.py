"""Is a source heard right now? Silence is not calm, so every way of not hearing has a name. Pure: `now` is an
argument.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from listener.config import Source
from listener.ports import Run, RunState, SourceState

BACKOFF_CAP = timedelta(hours=6)
BACKOFF_FLOOR = timedelta(minutes=1)
LATE_AT_LEAST = timedelta(minutes=5)
SILENT_AT_LEAST = timedelta(hours=1)
SILENT_FACTOR = 6
ENOUGH_ARRIVALS = 8
"""Fewer say nothing of what is usual."""


class Condition(StrEnum):
    OK = "ok"
    NEW = "new"
    LATE = "late"
    SILENT = "silent"
    FAILING = "failing"
    PAUSED = "paused"
    UNSCHEDULED = "unscheduled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is to be said of one source. `reason` is a sentence without a full stop, "" when all is well;
    `since` when it began, `next_at` the next try and `usual` the usual gap between news are there for whoever
    words it otherwise.

    `heard`: what people write there reaches us now, so its counts can be trusted and an incident may end on
    them.
    """

    source: str
    condition: Condition
    reason: str
    since: datetime | None
    heard: bool
    next_at: datetime | None = None
    usual: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """How often something new comes: the median gap, and how long a gap is still believed."""

    gap: timedelta
    limit: timedelta


def judge(
    source: Source,
    state: SourceState,
    *,
    arrivals: Sequence[tuple[datetime, int]],
    latest: Run | None,
    next_slot: datetime | None,
    now: datetime,
    zone: tzinfo = UTC,
) -> Health:
    """The first of these that holds: unscheduled, paused, failing, late, new, silent, ok.

    arrivals: (time, new posts) of past runs, oldest first, of some weeks.
    latest: the run with the newest slot.
    next_slot: the first slot after that run's (any past slot when there is none), so it lies in the past
    when it is overdue. A slot in the future also serves, but then a cron that is no longer planned looks well.
    zone: in which the reason gives times.
    """
    speak = _Speaker(source, state, now, zone)
    usual = usual_gap(source, arrivals)
    last_new = state.last_post_seen_at or max((at for at, new in arrivals if new > 0), default=None)
    news = usual is not None and last_new is not None and now - last_new <= usual.limit
    if unplanned := _why_unscheduled(source):
        return speak.health(Condition.UNSCHEDULED, unplanned, None)
    if state.paused_at is not None:
        why = f": {state.paused_why}" if state.paused_why else ""
        return speak.health(
            Condition.PAUSED, f"paused since {speak.time(state.paused_at)}{why}", state.paused_at
        )
    if state.failures > 0:
        return speak.failing(next_slot, heard=news)
    if overdue := _overdue_since(source, latest, next_slot, now):
        return speak.late(overdue, heard=news)
    if state.last_ok_at is None:
        return speak.health(Condition.NEW, "not read yet", None, next_at=next_slot)
    if (
        usual is not None
        and (since := last_new or state.first_run_at)
        and state.last_ok_at - since > usual.limit
    ):
        return speak.silent(since, usual)
    return Health(
        source=source.id,
        condition=Condition.OK,
        reason="",
        since=None,
        heard=True,
        next_at=next_slot,
        usual=usual.gap if usual else None,
    )


def usual_gap(source: Source, arrivals: Sequence[tuple[datetime, int]]) -> Usual | None:
    """How often something new comes, by the source's own `quiet_after` or learnt; None when silence says
    nothing: `quiet_after` is 0, or fewer than ENOUGH_ARRIVALS runs brought something.

    Learnt limit: six times the gap that 95 of 100 do not exceed, at least an hour. (Our choice: a night has
    passed many times in the weeks that it learns from, so a source that sleeps has its nights among its
    gaps.)
    """
    times = [at for at, new in arrivals if new > 0]
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    middle = gaps[len(gaps) // 2] if gaps else timedelta(0)
    if source.quiet_after is not None:
        return Usual(middle or source.quiet_after, source.quiet_after) if source.quiet_after else None
    if len(times) < ENOUGH_ARRIVALS:
        return None
    rare = gaps[math.ceil(0.95 * len(gaps)) - 1]
    return Usual(middle, max(SILENT_FACTOR * rare, SILENT_AT_LEAST))


def backoff(failures: int, *, period: timedelta) -> timedelta:
    """How long to leave a source alone after so many failures in a row: half a period (the next slot is
    tried), then twice as long each time, between a minute and six hours. It never gives up.
    """
    if failures <= 0:
        return timedelta(0)
    first = max(period / 2, BACKOFF_FLOOR)
    doublings = min(failures - 1, 9)  # a minute doubled nine times is beyond the cap
    return min(first * (1 << doublings), BACKOFF_CAP)


def in_words(span: timedelta) -> str:
    """A span as people say it: "12 min", "3 h", "2 days"."""
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Words one source's health."""

    source: Source
    state: SourceState
    now: datetime
    zone: tzinfo

    def time(self, at: datetime) -> str:
        """The time of day, with the date when it is not today's; the zone's name only when it is UTC."""
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone).date()
        clock = f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
        return f"{clock} UTC" if self.zone is UTC else clock

    def health(
        self,
        condition: Condition,
        reason: str,
        since: datetime | None,
        *,
        heard: bool = False,
        next_at: datetime | None = None,
        usual: timedelta | None = None,
    ) -> Health:
        return Health(
            source=self.source.id,
            condition=condition,
            reason=reason,
            since=since,
            heard=heard,
            next_at=next_at,
            usual=usual,
        )

    def failing(self, next_slot: datetime | None, *, heard: bool) -> Health:
        state = self.state
        since = state.last_ok_at or state.first_run_at or state.last_failed_at
        next_at = max((at for at in (next_slot, state.backoff_until) if at is not None), default=None)
        times = "once" if state.failures == 1 else f"{state.failures} times"
        parts = [f"needs you: {state.last_error}" if state.blocked else f"failed {times}: {state.last_error}"]
        if state.last_ok_at is not None:
            parts.append(f"last worked at {self.time(state.last_ok_at)}")
        elif since is not None:
            parts.append(f"never worked since {self.time(since)}")
        if next_at is not None and next_at > self.now:
            parts.append(f"next try {self.time(next_at)}")
        return self.health(Condition.FAILING, "; ".join(parts), since, heard=heard, next_at=next_at)

    def late(self, since: datetime, *, heard: bool) -> Health:
        last = self.state.last_ok_at
        read = f"last read at {self.time(last)}" if last else "never read yet"
        reason = f"late: should have been read at {self.time(since)}, {read}"
        return self.health(Condition.LATE, reason, since, heard=heard, next_at=since)

    def silent(self, since: datetime, usual: Usual) -> Health:
        reason = f"silent since {self.time(since)} – usually something new every {in_words(usual.gap)}"
        return self.health(Condition.SILENT, reason, since, usual=usual.gap)


def _why_unscheduled(source: Source) -> str:
    if source.policy is None:
        return "not scheduled: it has no policy"
    if source.every is None and not source.cron:
        return "not scheduled: it has neither every nor cron, and is read only by hand"
    return ""


def _overdue_since(
    source: Source, latest: Run | None, next_slot: datetime | None, now: datetime
) -> datetime | None:
    """The slot that has passed by more than two periods (at least five minutes) without a finished run."""
    if latest is not None and latest.lease_until is not None and latest.lease_until > now:
        return None  # it is being read: a first crawl may take hours
    slot = _unfinished_slot(source, latest, next_slot)
    period = source.every or (abs(next_slot - latest.slot) if latest and next_slot else timedelta(0))
    grace = max(2 * period, LATE_AT_LEAST)
    return slot if slot is not None and now - slot > grace else None


def _unfinished_slot(source: Source, latest: Run | None, next_slot: datetime | None) -> datetime | None:
    if latest is None:
        return next_slot
    if latest.state in {RunState.QUEUED, RunState.RUNNING}:
        return latest.slot
    following = latest.slot + source.every if source.every else None
    return min((slot for slot in (next_slot, following) if slot is not None), default=None)
