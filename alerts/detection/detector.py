"""The streaming detector: one bucket in, for every series how rare its newest minutes, hours and day are. Pure.

At each tick the newest counts are summed over several windows, from one bucket to a day. Each sum is compared with what was
foretold *before* its window began, so that a slow rise does not hide by raising what is expected of it. The rarest window speaks.
Only then is the bucket learnt from.

Not learnt from: buckets that were not heard, which never alarm; the first bucket after such a gap, which may bear all that was
missed and is judged beside that. A long run of zeros where voices were usual is taken for a source that fell silent: what was
learnt from it is undone.
"""

import io
import math
import zlib
from dataclasses import dataclass
from datetime import timedelta
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from alerts.detection import calibration
from alerts.detection.bank import MEMORY_HOURS, STATE, Bank, Outlook
from alerts.detection.novelty import Novelty
from alerts.detection.profile import Profile, weights
from alerts.detection.tail import rarity

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LEAST_KNOWN = timedelta(hours=24)
"""With less history than this nothing can be said to be odd."""
NARROW = tuple(timedelta(minutes=m) for m in (5, 10, 20, 30, 60, 120, 240, 480, 1440))
WIDE = tuple(timedelta(hours=h) for h in (1, 2, 3, 4, 6, 8, 12, 16, 24))
_DOUBTED = 2.5
"""A rarity above which a bucket hardly teaches the spread, for buckets of an hour; narrower ones are rare more often."""
_DOUBTED_SHARE, _DOUBT_MOVES = 0.04, 0.05
_SILENT, _PERHAPS_SILENT = 6.0, 2.0
_RHYTHM_MEMORY = 3.0
"""How much more the memory's noise disturbs a daily wave than it would if hours were independent (its spectral density there)."""
_MOST = 20.0
_GOING = 0.5
_USUAL_DAYS = 7.0
"""How slowly the usual level follows: a crisis of a night moves it by a fourteenth of the way."""
_SHIFTED, _SURELY, _SETTLED_HOURS, _TOLD_HOURS = math.log(1.5), 4.0, 48.0, 14 * 24.0
"""A new normal is half as much again (or a third less), beyond doubt, for two days; it is new for two weeks."""
_UNREADABLE = (
    KeyError, IndexError, TypeError, OverflowError, OSError, EOFError, ValueError, BadZipFile, zlib.error,
)  # fmt: skip
_OWN = ("seen", "base", "known", "missed", "quiet", "doubted", "usual", "apart", "shift", "shifted_hours")
_RING = ("level", "memory", "level_variance", "memory_variance")


@dataclass(frozen=True, slots=True)
class Reading:
    """One tick, each of shape (series,). `score`: see `calibration.score`, 0 where nothing was heard; `rarity`: -log10 of the
    probability of so many or more by chance, in the rarest window; `novel`: as much of it as the series' past allows.
    `expected` and `dispersion` are of the newest bucket. `window`: the number of buckets of the rarest window, `seen` and
    `foretold` its count and what was foretold for it. `going`: is it still going on? The newest eighth of the window (at least an
    hour) has half of the window's excess, for its length; without this the hours of a crisis would alarm as a part of longer
    windows for a day."""

    score: Floats
    rarity: Floats
    novel: Floats
    expected: Floats
    dispersion: Floats
    window: Ints
    seen: Floats
    foretold: Floats
    going: Bools


def windows(bucket: timedelta) -> tuple[int, ...]:
    """In buckets: a bucket, and the usual lengths up to a day that are whole buckets."""
    lengths = {length // bucket for length in (NARROW if bucket < HOUR else WIDE) if not length % bucket}
    return tuple(sorted(lengths | {1}))


class Detector:
    """Several series in step. All state is in arrays, see `save`."""

    def __init__(self, series: int, bucket: timedelta) -> None:
        if not timedelta(0) < bucket <= DAY:
            raise ValueError(f"got a bucket of {bucket}, want one of up to a day")
        self.series, self.bucket = series, bucket
        self._hours = bucket / HOUR
        self._windows = windows(bucket)
        self._fades, self._spreads = _memory_of_windows(self._windows, self._hours)
        self._least_known = math.ceil(LEAST_KNOWN / bucket)
        self._profile, self._bank = Profile(series), Bank(series, self._hours)
        self._novelty = Novelty(series, self._hours)
        size = self._windows[-1] + 1
        self._past = {name: np.zeros((size, series), dtype=np.float32) for name in _RING}
        self._seen, self._base = np.zeros((size, series)), np.zeros((size, series))
        self._ticks = 0
        self._fitted_hour = -1
        self._known, self._missed, self._quiet = (np.zeros(series) for _ in range(3))
        self._doubted = np.full(series, _DOUBTED + max(0.0, math.log10(1 / self._hours)))
        self._usual, self._apart, self._shift = (np.zeros(series) for _ in range(3))
        self._shifted_hours = np.full(series, np.inf)
        self._kept = {name: np.zeros(0, dtype=np.float32) for name in STATE}

    def tick(self, hour: float, counts: Floats, exposure: Floats | None = None) -> Reading:
        """hour: local hour of the week at which the bucket begins (0 = Monday 00:00, fractions allowed); counts: shape (series,),
        nan = not heard; exposure: of how many voices they can be (for a share) or how much of the usual is heard (1 = all)."""
        exposure = np.ones(self.series) if exposure is None else exposure
        heard = np.isfinite(counts)
        counts = np.where(heard, counts, 0.0)
        slots, shares = weights(hour, self._hours)
        season, unsure = self._profile.season(slots, shares)
        base = np.where(heard, season * exposure, 0.0)
        self._begin(counts, base, heard)
        outlook = self._bank.outlook()
        used = heard & (self._missed == 0)
        reading = self._judge(outlook, counts, base, exposure, unsure, used, heard & ~used)
        self._missed = np.where(heard, 0.0, self._missed + season)
        self._learn(outlook, counts, base, used, reading)
        self._learn_rhythm(outlook, counts, exposure, season, used, slots, shares)
        self._follow(outlook, used, reading)
        self._known += used & (exposure > 0)
        self._ticks += 1
        return reading

    def usual(self, hour: float, width: timedelta, exposure: float = 1.0) -> tuple[Floats, Floats]:
        """(mean, dispersion) of the counts, shape (series,) each, that are usual in a window that begins at `hour` of the week:
        at the usual level, which hardly moves during a crisis."""
        hours = width / HOUR
        season, unsure = self._profile.season(*weights(hour, hours))
        now = self._bank.outlook()
        power = now.memory_power
        mean = season * exposure * np.exp(np.minimum(self._usual + power / 2, _MOST)) * hours / self._hours
        return mean, now.dispersion + mean * np.expm1(np.minimum(power + now.level_variance + unsure, 3.0))

    def level(self) -> Floats:
        """The usual count of a bucket of average rhythm; for a share (counts beside their exposure) the usual share."""
        return np.exp(np.minimum(self._usual, _MOST))

    def alive(self) -> Bools:
        """Which series have counted anything."""
        return np.asarray(self._profile.counted.any(axis=1))

    def shift(self) -> tuple[Floats, Floats]:
        """(how many times the former normal level the new one is, 0 where none is new; hours since it moved)."""
        new = self._shifted_hours < _TOLD_HOURS
        return np.where(new, np.exp(self._shift), 0.0), np.where(new, self._shifted_hours, 0.0)

    # ------------------------------------------------------------------------------------------ judging

    def _begin(self, counts: Floats, base: Floats, heard: Bools) -> None:
        new = heard & (self._known == 0) & (base > 0)
        if new.any():
            self._bank.begin(new, np.log((counts + 0.5) / np.maximum(base, 1e-9)))

    def _judge(
        self,
        now: Outlook,
        counts: Floats,
        base: Floats,
        exposure: Floats,
        unsure: Floats,
        used: Bools,
        after: Bools,
    ) -> Reading:
        """after: the first bucket after a gap, which may bear all that was missed and is judged alone beside that."""
        able, lengths = self._remember(now, np.where(used, counts, 0.0), np.where(used, base, 0.0))
        first = (self._ticks - lengths + 1) % len(self._seen)
        seen, bases = self._newest(self._seen, lengths), self._newest(self._base, lengths)
        seen[0] = np.where(after, counts, seen[0])
        bases[0] = np.where(after, base + self._missed * exposure, bases[0])
        fade, spread = self._fades[able][:, None], self._spreads[able][:, None]
        noise = fade**2 * self._past["memory_variance"][first] + now.memory_power * spread
        noise[0] = np.where(after, now.memory_power, noise[0])
        foretold = bases * np.exp(self._past["level"][first] + fade * self._past["memory"][first] + noise / 2)
        rhythm = unsure / np.sqrt(np.maximum(lengths * self._hours, 1))[:, None]
        variance = self._past["level_variance"][first] + noise + rhythm
        dispersion = now.dispersion + foretold * np.expm1(np.minimum(variance, 3.0))
        rare = rarity(seen, foretold, dispersion)
        judged = (used | after) & (self._known >= self._least_known)
        rare[:, ~judged] = 0.0
        rare[1:, after] = 0.0
        best, each = rare.argmax(axis=0), np.arange(self.series)
        rarest, window = rare[best, each], lengths[best]
        volume = np.exp(np.minimum(now.level, _MOST)) * exposure / self._hours
        novel = np.maximum(self._novelty.weigh(rarest), 0.0)
        self._novelty.remember(rarest, judged)
        going = self._going(window, seen[best, each], foretold[best, each], bases[best, each])
        return Reading(
            score=np.where(rarest > 0, np.maximum(calibration.score(novel, volume, self._hours), 0.0), 0.0),
            rarity=rarest,
            novel=novel,
            expected=foretold[0],
            dispersion=dispersion[0],
            window=window,
            seen=seen[best, each],
            foretold=foretold[best, each],
            going=after | going,
        )

    def _remember(self, now: Outlook, counts: Floats, base: Floats) -> tuple[list[int], Ints]:
        """Write this bucket into the ring. Returns which windows are filled by now, and their lengths in buckets."""
        at, before = self._ticks % len(self._seen), (self._ticks - 1) % len(self._seen)
        for name in _RING:
            self._past[name][at] = getattr(now, name)
        self._seen[at] = self._seen[before] + counts
        self._base[at] = self._base[before] + base
        able = [i for i, window in enumerate(self._windows) if window <= self._ticks] or [0]
        return able, np.array([self._windows[i] for i in able])

    def _newest(self, sums: Floats, lengths: Ints) -> Floats:
        """What the newest buckets have added to running sums, shape (lengths, series)."""
        size = len(sums)
        newest: Floats = sums[self._ticks % size] - sums[(self._ticks - lengths) % size]
        return newest

    def _going(self, window: Ints, seen: Floats, foretold: Floats, base: Floats) -> Bools:
        size, each = len(self._seen), np.arange(self.series)
        newest = np.minimum(np.maximum(window // 8, math.ceil(1 / self._hours)), window)
        now, since = self._ticks % size, (self._ticks - newest) % size
        usual = (self._base[now] - self._base[since, each]) * (foretold / np.maximum(base, 1e-9))
        excess = self._seen[now] - self._seen[since, each] - usual
        return np.asarray(excess * window >= _GOING * (seen - foretold) * newest)

    # ------------------------------------------------------------------------------------------ learning

    def _learn(self, now: Outlook, counts: Floats, base: Floats, used: Bools, reading: Reading) -> None:
        trust = 1 / (1 + 10 ** np.clip(2 * (reading.rarity - self._doubted), -9, 9))
        # Where bursts are everyday, doubt must rise, or nothing would ever be learnt of them.
        moved = np.exp(_DOUBT_MOVES * self._hours * ((reading.rarity > self._doubted) - _DOUBTED_SHARE))
        least = _DOUBTED + max(0.0, math.log10(1 / self._hours))
        self._doubted = np.where(used, np.maximum(least, self._doubted * moved), self._doubted)
        usual = base * np.exp(np.minimum(now.level + now.memory, _MOST))
        self._bank.learn(counts, base, used, trust)
        self._quiet = np.where(
            used & (counts == 0),
            self._quiet + usual / np.maximum(now.dispersion, 1),
            np.where(used, 0.0, self._quiet),
        )
        self._undo_silence(used & (self._quiet > _SILENT), used & (counts > 0))

    def _follow(self, now: Outlook, used: Bools, reading: Reading) -> None:
        """The usual level comes after, and jumps when the normal has surely moved."""
        share = np.maximum(1 - 0.5 ** (self._hours / 24 / _USUAL_DAYS), 1 / (self._known + 1))
        calm = used & (reading.score < calibration.ONCE_A_MONTH)
        self._usual = np.where(calm, self._usual + share * (now.level - self._usual), self._usual)
        apart = now.level - self._usual
        surely = np.abs(apart) > np.maximum(_SHIFTED, _SURELY * np.sqrt(now.level_variance))
        self._apart = np.where(used, np.where(surely, self._apart + self._hours, 0.0), self._apart)
        self._shifted_hours += self._hours
        moved = self._apart >= _SETTLED_HOURS
        self._shift = np.where(moved, apart, self._shift)
        self._shifted_hours = np.where(moved, self._apart, self._shifted_hours)
        self._usual = np.where(moved, now.level, self._usual)
        self._apart = np.where(moved, 0.0, self._apart)

    def _undo_silence(self, silent: Bools, spoke: Bools) -> None:
        for name in STATE:
            now = getattr(self._bank, name)
            axis = 0 if name == "weight" else 1
            if not self._kept[name].size:
                self._kept[name] = now.astype(np.float32)
            kept = self._kept[name]
            if silent.any():
                np.copyto(now, kept, where=_along(silent, now.ndim, axis))
            if spoke.any():
                np.copyto(kept, now, where=_along(spoke, now.ndim, axis), casting="same_kind")

    def _learn_rhythm(
        self,
        now: Outlook,
        counts: Floats,
        exposure: Floats,
        season: Floats,
        used: Bools,
        slots: Ints,
        shares: Floats,
    ) -> None:
        level = np.exp(np.minimum(now.level, _MOST))
        mean = np.exp(np.minimum(now.level + now.memory, _MOST)) * season * exposure
        spread = np.sqrt(now.dispersion * mean + mean**2 * np.minimum(now.memory_power, 1))
        most = mean + 2.5 * spread + (0.4 + 1.05 * max(0.0, math.log(1 / self._hours))) * now.dispersion
        take = used & (self._quiet < _PERHAPS_SILENT)
        self._profile.learn(
            slots,
            shares,
            np.where(take, np.minimum(counts, most), 0.0),
            np.where(take, level * exposure, 0.0),
            season,
        )
        hour = int(slots[0])
        if hour != self._fitted_hour:
            passed = max(1.0, self._hours)
            self._profile.age(passed)
            self._fitted_hour = hour
            # Each series once a day, not all in the same hour.
            due = (np.arange(self.series) - hour) % 24 < passed
            hourly = self._profile.factors[due] * (level[due] / self._hours)[:, None]
            noise = _RHYTHM_MEMORY * hourly * now.memory_power[due, None]
            self._profile.fit(due, now.dispersion[due, None] + noise)

    # ------------------------------------------------------------------------------------------ saving

    @property
    def nbytes(self) -> int:
        """Memory of all that is kept."""
        return sum(array.nbytes for array in self._arrays().values())

    def save(self) -> bytes:
        """Everything learnt; a detector that loads it goes on with the same readings, bit for bit."""
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **self._arrays())
        return file.getvalue()

    @classmethod
    def load(cls, saved: bytes) -> "Detector":
        """Raises ValueError when it is not what `save` gave."""
        try:
            with np.load(io.BytesIO(saved), allow_pickle=False) as arrays:
                shape = arrays["shape"]
                detector = cls(int(shape[0]), timedelta(seconds=float(shape[1])))
                detector._ticks, detector._fitted_hour = int(shape[2]), int(shape[3])
                own = detector._arrays()
                for name in own.keys() - {"shape"}:
                    detector._place(name, arrays[name])
        except _UNREADABLE as e:
            raise ValueError(f"not a saved detector: {e}") from e
        return detector

    def _parts(self) -> dict[str, tuple[object, str]]:
        """Name in the file → where the array is kept."""
        own = {name: (self, f"_{name}") for name in _OWN}
        learnt = {f"bank.{name}": (self._bank, name) for name in STATE}
        rhythm = {
            f"profile.{name}": (self._profile, name)
            for name in ("counted", "usual", "effects", "factors", "variances")
        }
        past = {f"novelty.{name}": (self._novelty, name) for name in ("reached", "ago", "days", "prior")}
        return {**own, **learnt, **rhythm, **past}

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        shape = np.array([self.series, self.bucket.total_seconds(), self._ticks, self._fitted_hour])
        return {
            "shape": shape,
            **{name: getattr(owner, attribute) for name, (owner, attribute) in self._parts().items()},
            **{f"past.{name}": self._past[name] for name in _RING},
            **{f"kept.{name}": self._kept[name] for name in STATE},
        }

    def _place(self, name: str, array: NDArray[np.generic]) -> None:
        kind, _, rest = name.partition(".")
        if kind in ("past", "kept"):
            (self._past if kind == "past" else self._kept)[rest] = array.astype(np.float32)
        else:
            owner, attribute = self._parts()[name]
            setattr(owner, attribute, array)


def _along(which: Bools, dimensions: int, axis: int) -> Bools:
    shape = [1] * dimensions
    shape[axis] = len(which)
    return which.reshape(shape)


def _memory_of_windows(windows: tuple[int, ...], hours: float) -> tuple[Floats, Floats]:
    """For the mean of the memory over each window, given its value before: by how much that value counts, and the variance that
    is new, as a share of the memory's power."""
    fade = math.exp(-hours / MEMORY_HOURS)
    counts, spreads = [], []
    for window in windows:
        powers = fade ** np.arange(1, window + 1)
        mean = float(powers.mean())
        apart = np.arange(1, window)
        together = (window + 2 * float(((window - apart) * powers[:-1]).sum())) / window**2
        counts.append(mean)
        spreads.append(together - mean**2)
    return np.array(counts), np.array(spreads)
