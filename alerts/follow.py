"""What one rule listens to: its series, their counts in the archive, and the detector that follows them.

A rule follows, for each of its signals, the voices of the whole brand, their share of all voices (anxiety may rise while
the volume is flat), and the voices by the dimensions that the rule names, so that a rise in one channel, language or theme is
not lost in the total. All of them share the rule's budget: half of it the totals and shares, half the parts.

Buckets are quarters of an hour; the newest may be a part of one. What is expected of a bucket is scaled by coverage: the share of
the usual voices that has reached us. So a source that is read every half hour is not counted on for its newest minutes, and one
that is away lowers what is expected instead of looking like calm.
"""

import base64
import hashlib
import json
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.calendar import causes, damping
from alerts.detection.calibration import threshold
from alerts.detection.detector import Detector, Reading
from alerts.detection.series import hour_of_week
from listener.config import Brand, Config, Rule
from listener.errors import StoreAway
from listener.mention import CHANNELS, LANGUAGES, THEMES, Signal
from listener.ports import Archive, Dimension, Where
from listener.query import parse

Floats = NDArray[np.float64]

BUCKET = timedelta(minutes=15)
HISTORY = timedelta(days=56)
RECENT = timedelta(hours=1)
"""An alarm counts for so long: posts may come late, and then their bucket alarms late."""
USUAL_SOURCES = timedelta(days=28)
LEAST_COVERAGE = 0.1
"""With less of the usual voices heard nothing is judged."""
_CHUNK = timedelta(days=7)
_FORM = 1
"""Of what is saved: another one is learnt anew."""


class Notes(Protocol):
    """The part of the ledger that remembers values."""

    def note(self, key: str, value: str) -> None: ...

    def noted(self, key: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Key:
    """One series: a signal of the whole brand (no dimension), of one value of a dimension, or its share of all voices."""

    signal: Signal
    dimension: Dimension | None = None
    value: str = ""
    share: bool = False


@dataclass(frozen=True, slots=True)
class Hearing:
    """`until`: source id → up to when its posts have reached us; a source that is not named is heard. `usual`: source id → voices
    that usually come from it."""

    until: Mapping[str, datetime] = field(default_factory=dict)
    usual: Mapping[str, int] = field(default_factory=dict)

    def coverage(self, start: datetime, end: datetime, source: str = "") -> float:
        """Which share of the voices that are usual from `start` to `end` (of one source) has reached us; 1 when nothing is usual
        yet. A source that was last read in between counts for its part."""
        if source:
            reached = (self.until.get(source, end) - start) / (end - start)
            return min(max(reached, 0.0), 1.0)
        total = sum(self.usual.values())
        heard = sum(n * self.coverage(start, end, name) for name, n in self.usual.items())
        return heard / total if total else 1.0

    def without(self, unheard: Collection[str]) -> float:
        """Which share of the usual voices comes from other sources than these."""
        total = sum(self.usual.values())
        return 1 - sum(self.usual.get(name, 0) for name in unheard) / total if total else 1.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """The rarest thing that a series has shown within the last hour; `score`: above what its place in the budget asks."""

    key: Key
    rarity: float
    score: float
    seen: float
    foretold: float
    alarm: bool


def _importance(alarm: Alarm) -> tuple[bool, bool, bool, float]:
    """Alarms first; of these the whole brand before its parts, voices before shares, the rarest before the others."""
    whole = alarm.key.dimension is None
    return not alarm.alarm, not whole, alarm.key.share, -alarm.rarity if alarm.alarm else -alarm.score


class Follower:
    """Follows one rule from bucket to bucket; `at`: up to when it has."""

    def __init__(
        self, rule: Rule, brand: Brand, config: Config, archive: Archive, hearing: Hearing, start: datetime
    ) -> None:
        self._rule, self._brand, self._config, self._archive = rule, brand, config, archive
        self._hearing, self._zone = hearing, ZoneInfo(config.zone)
        self._where = Where(brand=brand.id, query=parse(rule.filter) if rule.filter else None)
        self._keys = keys_of(rule, brand, config)
        self._place = {key: i for i, key in enumerate(self._keys)}
        self._shares = np.array([key.share for key in self._keys])
        self._sources = {i: key.value for key, i in self._place.items() if key.dimension is Dimension.SOURCE}
        self._detector = Detector(len(self._keys), BUCKET)
        self._recent: deque[tuple[datetime, Reading]] = deque()
        self._begun = False
        self.at = start

    # ---------------------------------------------------------------------------------------- following

    def advance(self, to: datetime) -> None:
        """Follow on up to `to`. When that is no whole number of buckets the newest is judged as a part of one, and this follower
        must not go further: save it before. Raises StoreError; StoreAway where the archive cannot tell all of what comes next:
        then nothing was learnt from it."""
        while self.at < to:
            end = min(self.at + _CHUNK, self.at + (to - self.at) // BUCKET * BUCKET)
            length = BUCKET if end > self.at else to - self.at
            for counts, volume in zip(*self._read(self.at, max(end, self.at + length), length), strict=True):
                self._take(counts, float(volume), length)

    def _take(self, counts: Floats, volume: float, length: timedelta) -> None:
        start, self.at = self.at, self.at + length
        self._begun = self._begun or volume > 0
        if not self._begun:
            return  # before the first mention nobody listened: that is unknown, not zero
        events = causes(self._config.calendar, self._brand.id, start, self.at, self._zone)
        coverage = self._hearing.coverage(start, self.at)
        exposure = np.full(len(self._keys), coverage * damping(events) * (length / BUCKET))
        exposure[self._shares] = volume
        heard = np.full(len(self._keys), coverage >= LEAST_COVERAGE)
        for place, source in self._sources.items():
            its = self._hearing.coverage(start, self.at, source)
            heard[place] = its >= LEAST_COVERAGE
            exposure[place] = its * damping(events) * (length / BUCKET)
        reading = self._detector.tick(
            hour_of_week(start, self._zone), np.where(heard, counts, np.nan), exposure
        )
        self._recent.append((self.at, reading))
        while self._recent[0][0] <= self.at - RECENT:
            self._recent.popleft()

    def _read(self, start: datetime, end: datetime, bucket: timedelta) -> tuple[Floats, Floats]:
        """(counts, shape (buckets, series); volume, shape (buckets,))."""
        self._require_known(start)
        signals = tuple(dict.fromkeys((*self._rule.signals, Signal.VOLUME)))
        asked = [Signal(signal) for signal in signals]
        whole = self._archive.counts(self._where, asked, start=start, end=end, bucket=bucket)
        parts = {
            dimension: self._archive.counts_by(
                self._where, asked, dimension, start=start, end=end, bucket=bucket
            )
            for dimension in {key.dimension for key in self._keys}
            if dimension is not None
        }
        counts = np.zeros((len(whole[Signal.VOLUME]), len(self._keys)))
        for key, place in self._place.items():
            of_value = parts[key.dimension].get(key.value) if key.dimension else whole
            if of_value is not None:
                counts[:, place] = of_value[key.signal]
        self._require_known(start)  # the server may have gone away in between
        return counts, np.array(whole[Signal.VOLUME], dtype=np.float64)

    def _require_known(self, start: datetime) -> None:
        """Voices that cannot be asked for would be learnt as silence."""
        away = self._archive.away()
        if away is not None and start < away.known_from:
            raise StoreAway(
                f"rule {self._rule.id}: what was learnt ends at {self.at:%Y-%m-%d %H:%M %Z}, and while the archive is away only "
                f"what came since {away.known_from:%Y-%m-%d %H:%M %Z} is known; it is judged again when the archive is back"
                f" ({away.why})"
            )

    # ---------------------------------------------------------------------------------------- asking

    def alarms(self) -> list[Alarm]:
        """For each series with any voice its rarest moment of the last hour, the most important first."""
        alive = self._detector.alive()
        mains = [i for i, key in enumerate(self._keys) if key.dimension is None and alive[i]]
        parts = [i for i, key in enumerate(self._keys) if key.dimension is not None and alive[i]]
        budget = self._rule.false_alarms_per_30_days
        found = []
        for places, allowed in ((mains, budget / 2 if parts else budget), (parts, budget / 2)):
            least = threshold(allowed / len(places)) if places else 0.0
            for i in places:
                reading = max((r for _, r in self._recent), key=lambda r: float(r.score[i]), default=None)
                if reading is None:
                    continue
                score, seen = float(reading.score[i]), float(reading.seen[i])
                alarm = score >= least and seen >= self._rule.minimum_voices and bool(reading.going[i])
                rarity = float(reading.rarity[i])
                found.append(
                    Alarm(self._keys[i], rarity, score - least, seen, float(reading.foretold[i]), alarm)
                )
        return sorted(found, key=_importance)

    def usual(self, signal: Signal, start: datetime, length: timedelta) -> tuple[float, float]:
        """(mean, dispersion) of the signal's voices that are usual in a window, given who is heard and what the calendar says."""
        end = start + length
        exposure = self._hearing.coverage(start, end) * damping(
            causes(self._config.calendar, self._brand.id, start, end, self._zone)
        )
        mean, dispersion = self._detector.usual(hour_of_week(start, self._zone), length, exposure)
        place = self._place[Key(signal)]
        return float(mean[place]), float(dispersion[place])

    def usual_share(self, signal: Signal) -> float | None:
        """Of all voices, how many usually carry the signal; None for the volume and while none was heard."""
        place = self._place.get(Key(signal, share=True))
        return float(self._detector.level()[place]) if place is not None and self._begun else None

    def new_normal(self, signal: Signal) -> tuple[float, datetime | None]:
        """(how many times the former normal it is, since when); (0, None) when nothing has moved."""
        ratio, hours = self._detector.shift()
        place = self._place[Key(signal)]
        since = self.at - timedelta(hours=float(hours[place])) if ratio[place] else None
        return float(ratio[place]), since

    def coverage(self, unheard: Collection[str]) -> float:
        """Which share of the usual voices comes from sources that are not `unheard`."""
        return self._hearing.without(unheard)

    # ---------------------------------------------------------------------------------------- saving

    def save(self, notes: Notes) -> None:
        saved = {
            "keys": self._fingerprint(),
            "at": self.at.isoformat(),
            "begun": self._begun,
            "detector": base64.b64encode(self._detector.save()).decode("ascii"),
        }
        notes.note(note_key(self._rule), json.dumps(saved))

    def resume(self, notes: Notes) -> bool:
        """Go on from what was saved. False, and nothing changed, when there is nothing, it is of other series, or older than
        where this follower would begin."""
        try:
            saved = json.loads(notes.noted(note_key(self._rule)) or "{}")
            at = datetime.fromisoformat(saved["at"])
            if saved["keys"] != self._fingerprint() or at < self.at:
                return False
            detector = Detector.load(base64.b64decode(saved["detector"]))
        except (KeyError, TypeError, ValueError):
            return False
        self._detector, self.at, self._begun = detector, at, bool(saved["begun"])
        return True

    def _fingerprint(self) -> str:
        what = (_FORM, self._brand.id, self._rule.filter, self._config.zone, [str(key) for key in self._keys])
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def note_key(rule: Rule) -> str:
    """Where the ledger keeps what was learnt for a rule."""
    return f"detector:{rule.id}"


def keys_of(rule: Rule, brand: Brand, config: Config) -> tuple[Key, ...]:
    """The series of a rule, in a fixed order."""
    signals = [Signal(signal) for signal in rule.signals]
    values = {
        Dimension.CHANNEL: sorted({source.channel for source in config.sources} & set(CHANNELS)),
        Dimension.LANGUAGE: list(brand.languages or LANGUAGES),
        Dimension.THEME: list(THEMES),
        Dimension.SOURCE: sorted(source.id for source in config.sources),
    }
    dimensions = [Dimension(name) for name in rule.by]
    return (
        *(Key(signal) for signal in signals),
        *(Key(signal, share=True) for signal in signals if signal is not Signal.VOLUME),
        *(
            Key(s, dimension, value)
            for s in signals
            for dimension in dimensions
            for value in values[dimension]
        ),
    )
