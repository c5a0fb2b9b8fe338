"""How an incident opens, moves and ends. Pure: same arguments, same answer, so a task may run twice.

    open ⇄ growing → falling → over          (falling goes back to open or growing when the voices rise again)

* It opens when a signal is too high to be chance (`Seen.spiking`). The signal that leads then leads to the
end; others that become too high join it.
* growing: a new peak above the normal range, clearly above what was last shown; back to open after an hour
without a new peak.
* falling: under 60 % of the peak, or back within the normal range and not too high to be chance; back to open
only above 75 % of the peak and clearly above the normal range.
* over: two hours in which nothing is too high to be chance and none of its signals above the normal range, and
every source that matters is heard. Until then it stays falling. The normal range is that of today: when the
normal level has moved (`new_normal`), an incident ends there, far above the former one.
* A new spike after the end is a new incident with a message of its own: an edit of the old one would reach
nobody. Two hours of calm keep that from flapping. An incident that people closed while voices were still high
stays closed until a spike begins after the closing, or one of its signals is too high and passes half as much
again as it had (the leading one: at its peak; another one: when last shown).
* A known cause is told, and decides nothing.
* A change too small to be told moves only `spiked_at` and the peak; then `is_news` is False.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from listener.incident import Act, Evidence, Incident, Level, Quote, State
from listener.mention import Signal

STEP = timedelta(minutes=15)
"""Beginnings are told to the quarter of an hour."""
CALM = timedelta(hours=2)
GROWTH_FADES = timedelta(hours=1)
FALLING_BELOW, RISING_AGAIN = 0.6, 0.75
CHANGE, LEAST_CHANGE = 0.15, 3
REOPENS_ABOVE = 1.5
LEAST_COVERAGE = 0.25
"""Where fewer of the usual voices can be heard, what is heard says too little of the rest."""
SNOOZE = timedelta(hours=1)
_RATIO_GRADES, _SIZE_GRADES = (2, 4, 8), (10, 40, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a rule sees at one look. `levels`: every signal of the rule, the most unusual first; `spiking`:
    those too high to be chance; `missing`: sources that usually say something about the brand and are not
    heard; `gone`: mentions quoted so far that are no longer stored; the others: as in `Incident`. Raises
    ValueError without a level."""

    rule: str
    brand: str
    levels: tuple[Level, ...]
    spiking: tuple[Signal, ...]
    began_at: datetime
    evidence: Evidence
    missing: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    known_cause: str = ""
    coverage: float = 1.0
    new_normal: float = 0.0
    new_normal_since: datetime | None = None

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError(f"rule {self.rule}: no level was seen; want one for each signal")


def advance(was: Incident | None, seen: Seen, now: datetime) -> Incident | None:
    """The rule's incident after what was seen; `was` is its newest one, over or not. None: there is none."""
    if was is not None and now <= was.spiked_at:
        return was  # this look was taken already, or the clock went back
    if was is None or was.state is State.OVER:
        return _opened(was, seen, now)
    moved = _moved(was, seen, now)
    if seen.gone or _material(was, moved):
        return moved
    return replace(
        was,
        spiked_at=moved.spiked_at,
        peak=moved.peak,
        peak_at=moved.peak_at,
        known_cause=moved.known_cause,  # told, too, but the levels shown stay: growth is measured from them
    )


def is_news(was: Incident | None, now: Incident) -> bool:
    """Must the message be brought up to date? False when only `spiked_at` or the peak moved, or the archive's server went away or
    came back: people are told of that with what they are told anyway."""
    if was is None:
        return True
    evidence = replace(was.evidence, search_away_since=now.evidence.search_away_since)
    return now != replace(was, spiked_at=now.spiked_at, peak=now.peak, peak_at=now.peak_at, evidence=evidence)


def after_act(
    was: Incident, act: Act, *, by: str, now: datetime, length: timedelta | None = None
) -> Incident:
    """The incident after what somebody did. `length` is of a snooze; an hour when not given."""
    match act:
        case Act.ACKNOWLEDGE:
            return replace(was, acknowledged_by=by, acknowledged_at=now)
        case Act.SNOOZE:
            return replace(was, snoozed_until=now + (length or SNOOZE))
        case Act.CLOSE:
            return was if was.state is State.OVER else replace(was, state=State.OVER, ended_at=now)
        case Act.USEFUL | Act.NOISE | Act.KNOWN_CAUSE:
            return replace(was, verdict=act.value)


def without_quotes(was: Incident, gone: Collection[str]) -> Incident:
    """The incident without what it quoted of these mentions: erased, or deleted where they stood."""
    return replace(was, evidence=replace(was.evidence, quotes=_kept(was, gone)))


def incident_id(rule: str, began_at: datetime) -> str:
    """24 hex digits from rule and first step: two schedulers that see the same spike give it the same id."""
    return hashlib.sha256(f"{rule}\0{int(began_at.timestamp())}".encode()).hexdigest()[:24]


def severity(level: Level, state: State, coverage: float = 1.0) -> int:
    """0 watch … 3 crisis: the lesser of how many times the usual and how many voices, one more while it
    grows. Where only a share of the usual voices can be heard (`coverage`), what is graded is the count over
    that share, at most four times the count: so large it may truly be. `level.expected` is of all sources, heard
    or not."""
    size = level.observed / max(coverage, LEAST_COVERAGE)
    grade = min(_grade(size / max(level.expected, 1.0), _RATIO_GRADES), _grade(size, _SIZE_GRADES))
    return min(3, grade + (1 if state is State.GROWING and grade else 0))


def _grade(value: float, grades: Sequence[int]) -> int:
    return sum(value >= grade for grade in grades)


def _opened(was: Incident | None, seen: Seen, now: datetime) -> Incident | None:
    if not seen.spiking:
        return was
    began, lead = seen.began_at, seen.levels[0]
    if was is not None:
        # When it ended by itself, it ended at `spiked_at`.
        same_spike = was.ended_at is not None and max(began, was.spiked_at) < was.ended_at
        if same_spike and not _worse(was, seen):
            return was
        began = min(max(began, _next_step(was.spiked_at)), now)
    return Incident(
        id=incident_id(seen.rule, began),
        rule=seen.rule,
        brand=seen.brand,
        state=State.OPEN,
        began_at=began,
        opened_at=now,
        spiked_at=now,
        ended_at=None,
        levels=seen.levels,
        signals=seen.spiking,
        peak=lead.observed,
        peak_at=now,
        severity=severity(lead, State.OPEN, seen.coverage),
        evidence=seen.evidence,
        known_cause=seen.known_cause,
        coverage=seen.coverage,
        new_normal=seen.new_normal,
        new_normal_since=seen.new_normal_since,
    )


def _worse(was: Incident, seen: Seen) -> bool:
    """Each signal is held against itself: another one may usually have ten times the voices."""
    heights = {level.signal: level.observed for level in was.levels if level.signal in was.signals}
    heights[was.levels[0].signal] = was.peak
    return any(
        level.signal in heights and level.observed > REOPENS_ABOVE * heights[level.signal]
        for level in seen.levels
        if level.signal in seen.spiking
    )


def _next_step(moment: datetime) -> datetime:
    into = timedelta(minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond)
    return moment - into + STEP


def _moved(was: Incident, seen: Seen, now: datetime) -> Incident:
    leading = was.levels[0].signal
    levels = tuple(sorted(seen.levels, key=lambda level: level.signal is not leading))
    signals = was.signals + tuple(signal for signal in seen.spiking if signal not in was.signals)
    too_high = any(_above(level, seen) and level.signal in signals for level in levels)
    spiked_at = now if too_high else was.spiked_at
    state = _state(was, levels[0], seen, calm=now - spiked_at >= CALM, now=now)
    new_peak = levels[0].observed > was.peak
    return replace(
        was,
        state=state,
        spiked_at=spiked_at,
        ended_at=was.spiked_at if state is State.OVER else None,
        levels=levels,
        signals=signals,
        peak=levels[0].observed if new_peak else was.peak,
        peak_at=now if new_peak else was.peak_at,
        severity=max(was.severity, severity(levels[0], state, seen.coverage)),
        evidence=_evidence(was, seen, state),
        known_cause=seen.known_cause or was.known_cause,  # a campaign that ended still was the cause
        coverage=seen.coverage,
        new_normal=seen.new_normal,
        new_normal_since=seen.new_normal_since,
    )


def _above(level: Level, seen: Seen) -> bool:
    """Above the normal range; or a part of it (a channel, a theme) is too high, which the whole need not show."""
    return level.observed > level.high or level.signal in seen.spiking


def _state(was: Incident, lead: Level, seen: Seen, *, calm: bool, now: datetime) -> State:
    if calm:
        return State.FALLING if seen.missing else State.OVER
    if not _above(lead, seen):
        return State.FALLING
    if lead.observed > was.peak and _far(was.levels[0].observed, lead.observed):
        return State.GROWING
    if was.state is State.FALLING:
        # Clearly above, or voices at the border of the normal range would move it back and forth.
        clear = lead.observed > lead.high and _far(lead.high, lead.observed)
        return State.OPEN if clear and lead.observed >= RISING_AGAIN * was.peak else State.FALLING
    if lead.observed < FALLING_BELOW * was.peak:
        return State.FALLING
    if was.state is State.GROWING and now - was.peak_at >= GROWTH_FADES:
        return State.OPEN
    return was.state


def _evidence(was: Incident, seen: Seen, state: State) -> Evidence:
    """Fresh while the voices are high; afterwards what was said at the height, and who is heard and what is away now."""
    if state in (State.OPEN, State.GROWING):
        return seen.evidence
    return replace(
        was.evidence,
        quotes=_kept(was, seen.gone),
        heard=seen.evidence.heard,
        sources=seen.evidence.sources,
        unheard=seen.evidence.unheard,
        search_away_since=seen.evidence.search_away_since,
    )


def _kept(was: Incident, gone: Collection[str]) -> tuple[Quote, ...]:
    return tuple(quote for quote in was.evidence.quotes if quote.mention not in gone)


def _material(was: Incident, now: Incident) -> bool:
    """State, signals, severity, who is heard, the number of quotes, whether the normal has moved, or a level
    that moved by 15 % and three voices. Other quotes of the same number are no news, nor is coverage: it changes
    with who is heard, and a little with the hour."""
    return _outline(was) != _outline(now) or _far(was.levels[0].observed, now.levels[0].observed)


def _outline(incident: Incident) -> tuple[object, ...]:
    evidence = incident.evidence
    heard = (evidence.heard, tuple(sorted(evidence.unheard)), len(evidence.quotes))
    return (incident.state, incident.signals, incident.severity, incident.new_normal > 0, *heard)


def _far(before: float, after: float) -> bool:
    return abs(after - before) >= max(CHANGE * before, LEAST_CHANGE)
