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
    """Voices of one signal. `counts`: shape (n,), None = in a gap; `band`: shape (n,) of (low, expected, high), or () where the
    weeks that it is learnt from are not known; `gaps`: those within, oldest first."""

    signal: Signal
    start: datetime
    bucket: timedelta
    counts: tuple[int | None, ...]
    band: tuple[tuple[float, float, float], ...]
    gaps: tuple[Gap, ...] = ()

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
    """One series per signal over `period` up to `end`; without a band while the archive is away. Raises StoreError."""
    begin, shown = end - period.length, period.length // period.bucket
    before = desk.away()
    counted = desk.archive.counts(where, signals, start=begin - HISTORY, end=end, bucket=period.bucket)
    away = before or desk.away()  # it may have gone away, or come back, while it counted
    gaps = tuple(desk.gaps(begin, end))
    if away is not None and begin < away.known_from:
        gaps = (_unknown(begin, min(away.known_from, end), period.bucket), *gaps)
    return {
        signal: Series(
            signal=signal,
            start=begin,
            bucket=period.bucket,
            counts=_heard(counted[signal][-shown:], begin, period.bucket, gaps),
            band=() if away else _band(desk, counted[signal], begin - HISTORY, period.bucket)[-shown:],
            gaps=gaps,
        )
        for signal in signals
    }


def _unknown(start: datetime, end: datetime, bucket: timedelta) -> Gap:
    """In whole buckets: one that is known in part would look like a low count."""
    return Gap(start, start - (start - end) // bucket * bucket, "not_known")


def _band(
    desk: Desk, counts: Sequence[int], begin: datetime, bucket: timedelta
) -> tuple[tuple[float, float, float], ...]:
    return tuple(desk.band(counts, [begin + bucket * i for i in range(len(counts))]))


def _heard(
    counts: Sequence[int], begin: datetime, bucket: timedelta, gaps: Sequence[Gap]
) -> tuple[int | None, ...]:
    starts = [begin + bucket * i for i in range(len(counts))]
    return tuple(
        None if _unheard(start, start + bucket, gaps) else count
        for count, start in zip(counts, starts, strict=True)
    )


def _unheard(start: datetime, end: datetime, gaps: Sequence[Gap]) -> bool:
    """Whether at least half of a bucket lies in a gap."""
    lost = sum(
        (min(end, gap.end) - max(start, gap.start) for gap in gaps if gap.start < end and start < gap.end),
        timedelta(),
    )
    return lost * 2 >= end - start
