"""What a rule sees at one look: the levels of the last hour beside what is usual, what alarms, since when, and the evidence.
Asks the archive; decides nothing about the incident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.calendar import causes
from alerts.detection.detector import HOUR
from alerts.evidence import Earlier, Heard, Voices, gather
from alerts.follow import USUAL_SOURCES, Alarm, Follower
from alerts.lifecycle import STEP, Seen
from alerts.tail import quantile
from alerts.times import floor
from listener.config import Brand, Config, Rule
from listener.incident import Evidence, Incident, Level, State
from listener.mention import Signal
from listener.ports import Archive, Away, Dimension, Where
from listener.query import parse
from listener.text import tokenise

COMPARED_WORDS = timedelta(days=7)
_LOW, _HIGH = 0.05, 0.95
_STEPS_BACK = 96
_NEWEST_STEPS = 8
_SAMPLE = 200
_EVERYONE = 10_000

NOTHING = Evidence(channels=(), languages=(), themes=(), words=(), quotes=(), heard=0, sources=0, unheard={})
"""While all is normal nobody asks why."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time and the level of each signal in it."""

    start: datetime
    length: timedelta
    levels: Mapping[Signal, Level]


class Look:
    """The questions that one rule asks; `follower` has followed it up to the time of the look."""

    def __init__(
        self, rule: Rule, brand: Brand, config: Config, archive: Archive, follower: Follower
    ) -> None:
        self._rule, self._brand, self._config = rule, brand, config
        self._archive, self._follower = archive, follower
        self._signals = tuple(Signal(signal) for signal in rule.signals)
        self._where = Where(brand=brand.id, query=parse(rule.filter) if rule.filter else None)

    def at(self, now: datetime, *, was: Incident | None, heard: Heard) -> Seen:
        """Everything that is seen at `now`; while the archive's server is away, what can be known without it. Raises
        StoreError."""
        away = self._archive.away()
        seen = self._seen(now, was, heard, away)
        if away is None and (away := self._archive.away()) is not None:
            return self._seen(
                now, was, heard, away
            )  # it went away while it was asked: some answers were of two days only
        return seen

    def _seen(self, now: datetime, was: Incident | None, heard: Heard, away: Away | None) -> Seen:
        alarms = self._follower.alarms()
        alarming = {alarm.key.signal for alarm in alarms if alarm.alarm}
        ranked = _ranked(self._signals, alarms)
        lives = was is not None and was.state is not State.OVER
        window = self._shown(now, ranked[0], lives=lives)
        # Whatever alarms is beyond chance; people want to hear first what is most times the usual.
        ranked.sort(key=lambda signal: -_times(window.levels[signal]) if signal in alarming else 0.0)
        spiking = tuple(signal for signal in ranked if signal in alarming)
        leading = was.levels[0].signal if was is not None and lives else ranked[0]
        shown = leading if leading in window.levels else ranked[0]
        ratio, since = self._follower.new_normal(shown)
        return Seen(
            rule=self._rule.id,
            brand=self._rule.brand,
            levels=tuple(window.levels[signal] for signal in ranked),
            spiking=spiking,
            began_at=self._began(ranked[0], now) if spiking else window.start,
            evidence=self._evidence(
                window,
                shown,
                expected=window.levels[shown].expected,
                since=was.began_at if was is not None and lives else window.start,
                heard=heard,
                away=away,
            )
            if spiking or lives
            else NOTHING,
            missing=self._missing(now, heard, away),
            gone=self._gone(was) if lives and away is None else frozenset(),
            known_cause=self._known_cause(window.start, now),
            coverage=self._follower.coverage(
                [source for source, (is_heard, _) in heard.items() if not is_heard]
            ),
            new_normal=ratio,
            new_normal_since=since,
        )

    def _shown(self, now: datetime, signal: Signal, *, lives: bool) -> Window:
        """The last 60 minutes; for an incident that begins the last whole hour when that is farther above the normal range, for
        its posts had time to arrive."""
        running, complete = self._window(now - HOUR), self._window(floor(now, HOUR) - HOUR)
        above = [
            window.levels[signal].observed - window.levels[signal].high for window in (running, complete)
        ]
        return complete if not lives and above[1] > above[0] else running

    def _window(self, start: datetime) -> Window:
        asked = tuple(dict.fromkeys((*self._signals, Signal.VOLUME)))
        counts = self._archive.counts(self._where, asked, start=start, end=start + HOUR, bucket=HOUR)
        seen = {signal: counts[signal][0] for signal in asked}
        return Window(
            start, HOUR, {s: self._level(s, start, seen[s], seen[Signal.VOLUME]) for s in self._signals}
        )

    def _level(self, signal: Signal, start: datetime, observed: int, volume: int) -> Level:
        low, mean, high = self._range(signal, start, HOUR)
        usual_share = self._follower.usual_share(signal)
        return Level(
            signal=signal,
            observed=observed,
            expected=round(mean, 3),
            low=low,
            high=high,
            share=observed / volume if volume and usual_share is not None else None,
            usual_share=usual_share,
        )

    def _range(self, signal: Signal, start: datetime, length: timedelta) -> tuple[int, float, int]:
        """(low, mean, high): nine of ten such windows lie between low and high."""
        mean, dispersion = self._follower.usual(signal, start, length)
        if mean <= 0:
            return 0, 0.0, 0
        spread = max(dispersion - 1, 0.0) / mean
        return quantile(_LOW, mean, spread), mean, quantile(_HIGH, mean, spread)

    def _began(self, signal: Signal, now: datetime) -> datetime:
        """Walk back from the newest abnormal quarter of an hour; one normal quarter between two others is
        passed over."""
        end = floor(now, STEP) + STEP
        first = end - STEP * _STEPS_BACK
        counts = self._archive.counts(self._where, (signal,), start=first, end=end, bucket=STEP)[signal]
        high = [self._range(signal, first + STEP * i, STEP)[2] for i in range(_STEPS_BACK)]
        return first + STEP * first_abnormal(
            [count > limit for count, limit in zip(counts, high, strict=True)]
        )

    def _known_cause(self, start: datetime, end: datetime) -> str:
        zone = ZoneInfo(self._config.zone)
        return ", ".join(
            event.title for event in causes(self._config.calendar, self._brand.id, start, end, zone)
        )

    def _evidence(
        self,
        window: Window,
        leading: Signal,
        *,
        expected: float,
        since: datetime,
        heard: Heard,
        away: Away | None,
    ) -> Evidence:
        """`expected`: voices of the leading signal that are usual in the window; `since`: when the episode
        began, as far as is known."""
        own_words = frozenset(tokenise(self._brand.name).words)
        voices = self._voices(window, leading, since, away)
        found = gather(voices, leading, expected=expected, heard=heard, own_words=own_words)
        return replace(found, search_away_since=away.since if away else None)

    def _voices(self, window: Window, signal: Signal, since: datetime, away: Away | None) -> Voices:
        """What is usual is read from before the episode, and at least an hour before the window: it may have
        begun earlier than is known."""
        now = replace(self._where, signal=signal, start=window.start, end=window.start + window.length)
        mentions = self._archive.search(replace(now, originals=True), limit=_EVERYONE)
        before = self._archive.counts(
            self._where, (signal,), start=window.start - HOUR, end=window.start, bucket=HOUR
        )
        calm = min(since, window.start - HOUR)
        return Voices(
            now={dimension: self._archive.breakdown(now, dimension) for dimension in Dimension},
            mentions=mentions,
            hour_before=before[signal][0],
            earlier=None if away else self._earlier(signal, calm, {mention.author for mention in mentions}),
        )

    def _earlier(self, signal: Signal, end: datetime, authors: set[str]) -> Earlier:
        """Of the weeks before `end`."""
        usual = replace(self._where, signal=signal, start=end - USUAL_SOURCES, end=end)
        sampled = replace(usual, start=end - COMPARED_WORDS, originals=True)
        of_brand = Where(brand=self._brand.id, start=usual.start, end=end)
        return Earlier(
            usual={dimension: self._archive.breakdown(usual, dimension) for dimension in Dimension},
            mentions=self._archive.search(sampled, limit=_SAMPLE),
            authors=self._archive.known_authors(of_brand, authors),
        )

    def _missing(self, now: datetime, heard: Heard, away: Away | None) -> frozenset[str]:
        """Sources that said something of the brand in the last four weeks and are not heard; while nobody can tell, each that is
        not heard."""
        silent = [source for source, (is_heard, _) in heard.items() if not is_heard]
        if not silent or away:
            return frozenset(silent)
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


def _times(level: Level) -> float:
    return level.observed / max(level.expected, 1.0) + 1.0


def _ranked(signals: Sequence[Signal], alarms: Sequence[Alarm]) -> list[Signal]:
    """What alarms first, then what is nearest to it; a signal without any voice last."""
    first = {alarm.key.signal: i for i, alarm in reversed(list(enumerate(alarms)))}
    return sorted(signals, key=lambda signal: first.get(signal, len(alarms)))
