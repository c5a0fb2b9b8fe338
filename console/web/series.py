"""Series: what the archive counted, beside what is usual, for one chart. Reads archive and detector, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.web.desk import Desk, Gap
from listener.mention import Signal
from listener.ports import Where

HISTORY = timedelta(days=35)
"""How far back the usual is learnt from, before the first bucket shown."""
FIVE_MINUTES = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Period:
    """A choice of how much time is shown; `name` is its name in addresses and phrases."""

    name: str
    length: timedelta
    bucket: timedelta
    bucket_name: str


PERIODS = (
    Period("24h", timedelta(hours=24), timedelta(hours=1), "1h"),
    Period("7d", timedelta(days=7), timedelta(hours=1), "1h"),
    Period("35d", timedelta(days=35), timedelta(hours=6), "6h"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Voices of one signal. `counts`: shape (n,), None = not heard; `band`: shape (n,) of (low, expected, high)."""

    signal: Signal
    start: datetime
    bucket: timedelta
    counts: tuple[int | None, ...]
    band: tuple[tuple[float, float, float], ...]

    @property
    def end(self) -> datetime:
        return self.start + self.bucket * len(self.counts)

    @property
    def peak(self) -> int:
        """Index of the largest count, the first of equals."""
        return max(range(len(self.counts)), key=lambda i: (self.counts[i] or 0, -i))


def running_end(now: datetime) -> datetime:
    """Buckets end with the last full five minutes, so that the newest one is the last hour and never half an hour."""
    return now - timedelta(seconds=now.timestamp() % FIVE_MINUTES.total_seconds())


def read_series(
    desk: Desk, where: Where, signals: Sequence[Signal], *, end: datetime, period: Period
) -> Mapping[Signal, Series]:
    """One series per signal over `period` up to `end`. Raises StoreError."""
    shown = period.length // period.bucket
    begin = end - period.length - HISTORY
    counted = desk.archive.counts(where, signals, start=begin, end=end, bucket=period.bucket)
    gaps = desk.gaps(end - period.length, end)
    return {
        signal: _series(desk, signal, counted[signal], begin, period.bucket, shown, gaps)
        for signal in signals
    }


def _series(
    desk: Desk,
    signal: Signal,
    counts: Sequence[int],
    begin: datetime,
    bucket: timedelta,
    shown: int,
    gaps: Sequence[Gap],
) -> Series:
    starts = [begin + bucket * i for i in range(len(counts))]
    band = desk.band(counts, starts)
    heard = tuple(
        None if _unheard(start, start + bucket, gaps) else count
        for count, start in zip(counts[-shown:], starts[-shown:], strict=True)
    )
    return Series(signal=signal, start=starts[-shown], bucket=bucket, counts=heard, band=tuple(band[-shown:]))


def _unheard(start: datetime, end: datetime, gaps: Sequence[Gap]) -> bool:
    """Whether at least half of a bucket lies in a gap."""
    lost = sum(
        (min(end, gap.end) - max(start, gap.start) for gap in gaps if gap.start < end and start < gap.end),
        timedelta(),
    )
    return lost * 2 >= end - start
