"""Look at one rule now: count, judge, gather evidence, move its incident on, save. The thin shell around
`alerts.detector`, `alerts.lifecycle` and `alerts.evidence`; everything that it decides, they decide.

Two windows are judged: the last 60 minutes, so that a spike is seen within minutes, and the last complete
hour, whose posts had time to arrive. `now` is rounded down to five minutes, so a look that is taken twice
changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.detector import HOUR, Baseline, Budget, Detector, Judgement, weekly_profile
from alerts.evidence import Heard, Voices, gather
from alerts.lifecycle import STEP, Seen, advance, is_news
from listener.config import Brand, Config, Rule
from listener.incident import Evidence, Incident, Level, State
from listener.mention import Signal
from listener.ports import Archive, Dimension, Incidents, Where
from listener.query import parse
from listener.text import tokenise

SLOT = timedelta(minutes=5)
HISTORY = timedelta(days=56)
LOOKS = 3.0
"""Twelve overlapping windows an hour and the complete hour raise as many false alarms as three independent
ones would (measured: see tests/alerts/test_watch.py)."""
USUAL_SOURCES = timedelta(days=28)
COMPARED_WORDS = timedelta(days=7)
RELEARN = timedelta(hours=6)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS_BACK = 96
_NEWEST_STEPS = 8
_SAMPLE = 200
_EVERYONE = 10_000
"""Mentions of a window that are read; of more than these the newest."""

NOTHING = Evidence(channels=(), languages=(), themes=(), words=(), quotes=(), heard=0, sources=0, unheard={})
"""While all is normal nobody asks why."""

Baselines = Mapping[Signal, Baseline]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time and how many voices each signal has in it."""

    start: datetime
    length: timedelta
    voices: Mapping[Signal, int]


def watch(
    rule: Rule,
    *,
    config: Config,
    brand: Brand,
    archive: Archive,
    incidents: Incidents,
    heard: Heard,
    channels: Sequence[str],
    now: datetime,
    detector: Detector = weekly_profile,
) -> Incident | None:
    """Judge a rule; returns its incident when people must be told something new, else None. Raises
    StoreError.

    A small change is saved without a message; while an incident is snoozed only its end is told."""
    slot = _floor(now, SLOT)
    was = incidents.open_of(rule.id) or incidents.latest_of(rule.id)
    look = Look(rule, brand, archive, config.zone)
    baselines = look.learn(slot, detector)
    moved = advance(was, look.at(slot, baselines, was=was, heard=heard), slot)
    if moved is None or moved == was:
        return None
    before = was if was is not None and was.id == moved.id else None
    news = is_news(before, moved)
    told = channels if news and not _snoozed(moved, slot) else ()
    saved = incidents.save(moved, was=before, now=now, channels=told)
    return moved if saved and news else None


def replay(
    rule: Rule,
    *,
    config: Config,
    brand: Brand,
    archive: Archive,
    start: datetime,
    end: datetime,
    step: timedelta = STEP,
    detector: Detector = weekly_profile,
) -> Iterator[tuple[datetime, Incident]]:
    """What the rule would have told from `start` to `end`, looking every `step`, as if each source had been
    heard and each mention had arrived when it was published. Saves nothing. Raises StoreError."""
    look = Look(rule, brand, archive, config.zone)
    was: Incident | None = None
    now, learn_at, baselines = start, start, dict[Signal, Baseline]()
    while now <= end:
        if now >= learn_at:
            baselines, learn_at = dict(look.learn(now, detector)), now + RELEARN
        moved = advance(was, look.at(now, baselines, was=was, heard={}), now)
        if moved is not None and moved != was and is_news(was, moved):
            yield now, moved
        was, now = moved, now + step


class Look:
    """The questions that one rule asks the archive."""

    def __init__(self, rule: Rule, brand: Brand, archive: Archive, zone: str) -> None:
        self._rule, self._brand, self._archive, self._zone = rule, brand, archive, ZoneInfo(zone)
        self._signals = tuple(Signal(signal) for signal in rule.signals)
        self._where = Where(brand=brand.id, query=parse(rule.filter) if rule.filter else None)
        self._budget = Budget(
            false_alarms_per_30_days=rule.false_alarms_per_30_days,
            minimum_voices=rule.minimum_voices,
            series=len(self._signals),
            looks=LOOKS,
        )

    def learn(self, now: datetime, detector: Detector) -> Baselines:
        """What is normal, from the eight weeks before the hours that are judged. Before the first mention of
        the brand nobody listened: that is unknown, not zero."""
        end = _floor(now, HOUR) - HOUR
        start = end - HISTORY
        asked = (*self._signals, Signal.VOLUME) if Signal.VOLUME not in self._signals else self._signals
        counts = self._archive.counts(self._where, asked, start=start, end=end, bucket=HOUR)
        silent = next((i for i, n in enumerate(counts[Signal.VOLUME]) if n), len(counts[Signal.VOLUME]))
        starts = [start + HOUR * i for i in range(len(counts[Signal.VOLUME]))]

        def known(signal: Signal) -> list[int | None]:
            return [None if i < silent else n for i, n in enumerate(counts[signal])]

        return {signal: detector(known(signal), starts, zone=self._zone) for signal in self._signals}

    def at(self, now: datetime, baselines: Baselines, *, was: Incident | None, heard: Heard) -> Seen:
        """Everything that is seen at `now`. While an incident lives, the last 60 minutes are shown, else the
        more unusual of the two windows."""
        running, complete = self._window(now - HOUR), self._window(_floor(now, HOUR) - HOUR)
        judged = {id(w): self._judge(w, baselines) for w in (running, complete)}
        lives = was is not None and was.state is not State.OVER
        window = running if lives else max((running, complete), key=lambda w: _unusual(judged[id(w)]))
        shown = judged[id(window)]
        ranked = sorted(self._signals, key=lambda s: (not shown[s].alarm, -shown[s].score))
        spiking = tuple(signal for signal in ranked if shown[signal].alarm)
        leading = was.levels[0].signal if was is not None and lives else ranked[0]
        return Seen(
            rule=self._rule.id,
            brand=self._rule.brand,
            levels=tuple(_level(signal, shown[signal]) for signal in ranked),
            spiking=spiking,
            began_at=self._began(ranked[0], baselines[ranked[0]], now) if spiking else window.start,
            evidence=self._evidence(
                window,
                leading,
                expected=shown.get(leading, shown[ranked[0]]).expected,
                since=was.began_at if was is not None and lives else window.start,
                heard=heard,
            )
            if spiking or lives
            else NOTHING,
            missing=self._missing(now, heard),
            gone=self._gone(was) if lives else frozenset(),
        )

    def _window(self, start: datetime) -> Window:
        counts = self._archive.counts(self._where, self._signals, start=start, end=start + HOUR, bucket=HOUR)
        return Window(start, HOUR, {signal: counts[signal][0] for signal in self._signals})

    def _judge(self, window: Window, baselines: Baselines) -> dict[Signal, Judgement]:
        return {
            signal: baselines[signal].judge(voices, window.start, window.length, self._budget)
            for signal, voices in window.voices.items()
        }

    def _began(self, signal: Signal, baseline: Baseline, now: datetime) -> datetime:
        """Walk back from the newest abnormal quarter of an hour; one normal quarter between two others is
        passed over."""
        end = _floor(now, STEP) + STEP
        first = end - STEP * _STEPS_BACK
        counts = self._archive.counts(self._where, (signal,), start=first, end=end, bucket=STEP)[signal]
        high = [baseline.expect(first + STEP * i, STEP).high for i in range(_STEPS_BACK)]
        return first + STEP * first_abnormal(
            [count > limit for count, limit in zip(counts, high, strict=True)]
        )

    def _evidence(
        self, window: Window, leading: Signal, *, expected: float, since: datetime, heard: Heard
    ) -> Evidence:
        """`expected`: voices of the leading signal that are usual in the window; `since`: when the episode
        began, as far as is known."""
        own_words = frozenset(tokenise(self._brand.name).words)
        voices = self._voices(window, leading, since)
        return gather(voices, leading, expected=expected, heard=heard, own_words=own_words)

    def _voices(self, window: Window, signal: Signal, since: datetime) -> Voices:
        """What is usual is read from before the episode, and at least an hour before the window: it may have
        begun earlier than is known."""
        calm = min(since, window.start - HOUR)
        of_signal = replace(self._where, signal=signal)
        now = replace(of_signal, start=window.start, end=window.start + window.length)
        usual = replace(of_signal, start=calm - USUAL_SOURCES, end=calm)
        earlier = replace(usual, start=calm - COMPARED_WORDS, originals=True)
        mentions = self._archive.search(replace(now, originals=True), limit=_EVERYONE)
        of_brand = Where(brand=self._brand.id, start=usual.start, end=usual.end)
        before = self._archive.counts(
            self._where, (signal,), start=window.start - HOUR, end=window.start, bucket=HOUR
        )
        return Voices(
            now={dimension: self._archive.breakdown(now, dimension) for dimension in Dimension},
            usual={dimension: self._archive.breakdown(usual, dimension) for dimension in Dimension},
            mentions=mentions,
            before=self._archive.search(earlier, limit=_SAMPLE),
            known=self._archive.known_authors(of_brand, {mention.author for mention in mentions}),
            hour_before=before[signal][0],
        )

    def _missing(self, now: datetime, heard: Heard) -> frozenset[str]:
        """Sources that said something of the brand in the last four weeks and are not heard."""
        silent = [source for source, (is_heard, _) in heard.items() if not is_heard]
        if not silent:
            return frozenset()
        usual = self._archive.breakdown(
            replace(self._where, start=now - USUAL_SOURCES, end=now), Dimension.SOURCE
        )
        return frozenset(source for source in silent if source in usual)

    def _gone(self, was: Incident | None) -> frozenset[str]:
        quoted = [quote.mention for quote in was.evidence.quotes] if was is not None else []
        return frozenset(mention for mention in quoted if self._archive.get(mention) is None)


def first_abnormal(abnormal: Sequence[bool]) -> int:
    """Where an episode that reaches into the newest two hours began: the place of its first abnormal step.
    Without any, the last hour's first."""
    newest = next(
        (i for i in range(len(abnormal) - 1, len(abnormal) - 1 - _NEWEST_STEPS, -1) if abnormal[i]), None
    )
    if newest is None:
        return len(abnormal) - 1 - HOUR // STEP
    first = newest
    for i in range(newest - 1, -1, -1):
        if abnormal[i]:
            first = i
        elif first - i > 1:
            break
    return first


def _unusual(judged: Mapping[Signal, Judgement]) -> tuple[bool, float]:
    return any(j.alarm for j in judged.values()), max(j.score for j in judged.values())


def _level(signal: Signal, judged: Judgement) -> Level:
    return Level(
        signal=signal,
        observed=judged.observed,
        expected=round(judged.expected, 3),
        low=judged.low,
        high=judged.high,
    )


def _snoozed(incident: Incident, now: datetime) -> bool:
    return (
        incident.snoozed_until is not None
        and now < incident.snoozed_until
        and incident.state is not State.OVER
    )


def _floor(moment: datetime, step: timedelta) -> datetime:
    """Rounded down to a whole number of steps since midnight UTC of 1970."""
    return moment - (moment - _EPOCH) % step
