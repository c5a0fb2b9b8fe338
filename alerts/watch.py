"""Look at one rule now: follow its counts, judge, gather evidence, move its incident on, save. The thin shell around
`alerts.follow`, `alerts.lifecycle` and `alerts.evidence`; everything that it decides, they decide.

What was learnt is saved up to some hours ago; the hours since are followed anew at each look, because posts come late. `now` is
rounded down to five minutes, so a look that is taken twice changes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.calendar import active
from alerts.detection.detector import HOUR
from alerts.evidence import Heard
from alerts.follow import BUCKET, HISTORY, Follower, Hearing, Notes
from alerts.lifecycle import advance, is_news
from alerts.look import Look
from alerts.times import floor
from listener.config import Brand, Config, Rule
from listener.incident import Incident, State
from listener.ports import Archive, Incidents

SLOT = timedelta(minutes=5)
SETTLED = timedelta(hours=6)
"""Posts that come later than this are counted and shown, but no longer learnt from."""
SAVED_EVERY = timedelta(days=14)
FOREVER_HEARD = Hearing()


def watch(
    rule: Rule,
    *,
    config: Config,
    brand: Brand,
    archive: Archive,
    incidents: Incidents,
    notes: Notes,
    heard: Heard,
    hearing: Hearing,
    channels: Sequence[str],
    told: Callable[[str], bool],
    now: datetime,
) -> Incident | None:
    """Judge a rule; returns its incident when people must be told something new, else None. Raises StoreError.

    told: was this incident (by its id) told at all? A small change is saved without a message; while an incident is snoozed only
    its end is told. Outside the rule's hours nothing new is told; what is told already is kept up to date."""
    slot = floor(now, SLOT)
    was = incidents.open_of(rule.id) or incidents.latest_of(rule.id)
    follower = _followed(rule, config, brand, archive, hearing, notes, slot)
    moved = advance(was, Look(rule, brand, config, archive, follower).at(slot, was=was, heard=heard), slot)
    if moved is None:
        return None
    before = was if was is not None and was.id == moved.id else None
    known = before is not None and told(moved.id)
    kept_back = not known and (moved.state is State.OVER or not active(rule, now, ZoneInfo(config.zone)))
    waited = before is not None and not known and not kept_back and bool(channels)
    if moved == was and not waited:
        return None
    news = (is_news(before, moved) or waited) and not kept_back
    saved = incidents.save(
        moved, was=before, now=now, channels=channels if news and not _snoozed(moved, slot) else ()
    )
    return moved if saved and news else None


def replay(
    rule: Rule,
    *,
    config: Config,
    brand: Brand,
    archive: Archive,
    start: datetime,
    end: datetime,
    tell: Callable[[datetime], None] = lambda at: None,
) -> Iterator[tuple[datetime, Incident]]:
    """What the rule would have told from `start` to `end`, looking every quarter of an hour, as if each source had been heard
    and each mention had arrived when it was published. Saves nothing; `tell` is told how far it has come. Raises StoreError."""
    now = floor(start, BUCKET)
    follower = Follower(rule, brand, config, archive, FOREVER_HEARD, now - HISTORY)
    look = Look(rule, brand, config, archive, follower)
    was: Incident | None = None
    while now <= end:
        follower.advance(now)
        moved = advance(was, look.at(now, was=was, heard={}), now)
        if moved is not None and moved != was and is_news(was, moved):
            yield now, moved
        tell(now)
        was, now = moved, now + BUCKET


def _followed(
    rule: Rule,
    config: Config,
    brand: Brand,
    archive: Archive,
    hearing: Hearing,
    notes: Notes,
    now: datetime,
) -> Follower:
    """A follower that has come to `now`; what has settled is saved on the way."""
    settled = floor(now - SETTLED, HOUR)
    follower = Follower(rule, brand, config, archive, hearing, settled - HISTORY)
    follower.resume(notes)
    while follower.at < settled:
        # Saved now and then, so that a first learning that is cut short goes on where it was.
        follower.advance(min(settled, follower.at + SAVED_EVERY))
        follower.save(notes)
    follower.advance(now)
    return follower


def _snoozed(incident: Incident, now: datetime) -> bool:
    return (
        incident.snoozed_until is not None
        and now < incident.snoozed_until
        and incident.state is not State.OVER
    )
