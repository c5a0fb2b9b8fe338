"""When a source is read: planned instants ("slots"), their jitter, and which one is due. Pure.

`every` counts from the epoch with a phase of the source's own, `cron` (five fields) runs in the source's
zone. Over a change of clocks a daily job runs once: a time that does not exist moves to the next that does, a
time that comes twice counts the first time.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from listener.config import Source
from listener.errors import ConfigError

SHORTEST = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOK_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 8, 32, 366, 9 * 366))
"""How far back the newest slot is looked for, step by step; 29 February may be eight years away."""


def check(source: Source) -> None:
    """Raise ConfigError, naming the source and the key, for a schedule that cannot be followed.
    No schedule, or no policy, is not an error: the source is then not scheduled."""
    if source.every is not None and source.cron:
        raise _wrong(source, "cron", f"got {source.cron!r} beside every = {source.every}", "one of the two")
    if source.every is not None and source.every < SHORTEST:
        raise _wrong(source, "every", f"got {source.every}", f"at least {SHORTEST.seconds} seconds")
    if source.zone:
        _check_zone(source)
    if source.cron:
        _check_cron(source)
    longest = source.every or timedelta(days=1)
    if not timedelta(0) <= source.jitter < longest:
        raise _wrong(source, "jitter", f"got {source.jitter}", f"0 or more, and less than {longest}")


def scheduled(source: Source) -> bool:
    """It has a schedule, and a policy that allows it."""
    return source.policy is not None and (source.every is not None or bool(source.cron))


def slots(source: Source, *, zone: str, after: datetime) -> Iterator[datetime]:
    """Planned instants later than `after`, in UTC, oldest first; none for a source that is not scheduled.

    `zone`: for a cron without its own. The source has passed `check`.
    """
    if not scheduled(source):
        return iter(())
    if source.every is not None:
        return _multiples(source.id, source.every, after)
    return _by_cron(source.cron, ZoneInfo(source.zone or zone), after)


def starts_at(source: Source, slot: datetime) -> datetime:
    """The slot and its jitter, in UTC: a delay in [0, jitter], the same whenever and wherever it is asked for.
    (In local time an hour that comes twice would be added to wrongly.)"""
    return slot.astimezone(UTC) + source.jitter * (
        _hash(f"{source.id}\0{slot.timestamp():.0f}") % 10_001 / 10_000
    )


def due(source: Source, *, zone: str, latest_slot: datetime | None, now: datetime) -> datetime | None:
    """The newest slot whose start has come, when it is newer than the latest one that was planned; else None.

    After downtime that is one run, not one for each slot that was missed, and a source that was never read is
    due at once. A latest slot in the future is the trace of a clock that ran ahead, and is not waited for.
    """
    newest = _newest(source, zone=zone, now=now)
    if newest is None or (latest_slot is not None and newest <= latest_slot <= now):
        return None
    return newest


def _newest(source: Source, *, zone: str, now: datetime) -> datetime | None:
    for span in (source.every,) if source.every else _LOOK_BACK:
        after = now - span - source.jitter
        started = None
        for slot in takewhile(lambda slot: slot <= now, slots(source, zone=zone, after=after)):
            started = slot if starts_at(source, slot) <= now else started
        if started is not None:
            return started
    return None


def _multiples(source_id: str, every: timedelta, after: datetime) -> Iterator[datetime]:
    first = EPOCH + timedelta(seconds=_hash(source_id) % int(every.total_seconds()))
    number = (after - first) // every + 1
    while True:
        yield first + number * every
        number += 1


def _by_cron(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    for local in CronSim(expression, after.astimezone(zone)):
        slot = local.astimezone(UTC)
        if slot > after:  # in the hour that comes twice, cronsim gives the first of the two again
            yield slot
            after = slot


def _check_zone(source: Source) -> None:
    try:
        ZoneInfo(source.zone)
    except (ValueError, OSError, KeyError):  # a key that is a path, a folder, or unknown
        raise _wrong(source, "zone", f"got {source.zone!r}", "a name such as Europe/Stockholm") from None


def _check_cron(source: Source) -> None:
    wanted = 'five fields: minute hour day month weekday, such as "*/15 6-22 * * mon-fri"'
    try:
        fields = len(source.cron.split())
        soon = next(CronSim(source.cron, EPOCH), None) if fields == 5 else None
    except CronSimError as error:
        raise _wrong(source, "cron", f"got {source.cron!r} ({error})", wanted) from None
    if soon is None:
        problem = "it never comes" if fields == 5 else f"{fields} fields"
        raise _wrong(source, "cron", f"got {source.cron!r} ({problem})", wanted)


def _wrong(source: Source, key: str, got: str, wanted: str) -> ConfigError:
    return ConfigError(f"source {source.id!r}, {key}: {got}; want {wanted}")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
