"""Copy an archive into another one, such as a file's into a server's. Only the port of archives is used: any to any."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from listener.errors import StoreRefused
from listener.mention import Mention, Signal
from listener.ports import Archive, Ledger, Where

BATCH = 500
LOT = 5_000
"""Mentions that are read at once, and kept in memory until they are stored."""
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
_LATEST = datetime.max.replace(tzinfo=UTC)
_NEAR = timedelta(days=31)
"""Days that are no farther apart are counted together."""

Say = Callable[[int, int], None]
"""(done, total): mentions, each once for the copying and once for the checking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """`new`, `edited`, `known` are what the target said, `refused` what it will never take (id → why), `buried` mentions that
    were erased and stay so. `missing` came to the source meanwhile or was refused; `others` the target has from elsewhere.
    `differing`: days with another number of voices, (day, source's, target's): which of two copies was stored first decides who
    is the original, and the target stores in order of time."""

    new: int
    edited: int
    known: int
    buried: int
    refused: Mapping[str, str]
    missing: int
    others: int
    differing: tuple[tuple[datetime, int, int], ...]

    @property
    def complete(self) -> bool:
        return not self.missing and not self.refused


@dataclass(slots=True)
class _Tally:
    new: int = 0
    edited: int = 0
    known: int = 0
    buried: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def copy(source: Archive, target: Archive, ledger: Ledger, key: str, say: Say) -> Copied:
    """Every mention with its score, oldest day first, so that the target finds originals before their copies. What the ledger
    knows as erased is left out, also when it is erased meanwhile. Stopped at any point, it goes on with the day where it
    was; done again, it changes nothing. `key`: the ledger's note of that day, one for each pair of archives.
    Raises StoreError (StoreAway)."""
    days, tally = _days(source), _Tally()
    done_until, _, buried = ledger.noted(key).partition(" ")
    tally.buried = int(buried or 0)
    progress = _Progress(say, 2 * source.total(), target.total() if done_until else 0)
    for day in days:
        if day.isoformat() <= done_until:
            continue
        for lot in _oldest_first(source, day, _end(day)):
            _store(lot, target, ledger, tally)
            progress.add(len(lot))
        ledger.note(key, f"{day.isoformat()} {tally.buried}")
    others = _check_back(source, target, ledger, progress)
    ledger.note(key, "")
    progress.end()
    return Copied(
        new=tally.new,
        edited=tally.edited,
        known=tally.known,
        buried=tally.buried,
        refused=tally.refused,
        missing=max(0, source.total() - tally.buried - (target.total() - others)),
        others=others,
        differing=_differing(source, target, days),
    )


class _Progress:
    def __init__(self, say: Say, total: int, done: int) -> None:
        self._say, self._total, self._done = say, total, 0
        self.add(done)

    def add(self, count: int) -> None:
        self._done = min(self._done + count, self._total)
        self._say(self._done, self._total)

    def end(self) -> None:
        self.add(self._total)


def _store(lot: Sequence[Mention], target: Archive, ledger: Ledger, tally: _Tally) -> None:
    """`lot` is in the order of publication."""
    for start in range(0, len(lot), BATCH):
        batch = lot[start : start + BATCH]
        buried_ids, buried_authors = ledger.tombstones.buried(
            ids={mention.id for mention in batch},
            authors={mention.author for mention in batch if mention.author},
        )
        wanted = [m for m in batch if m.id not in buried_ids and m.author not in buried_authors]
        tally.buried += len(batch) - len(wanted)
        try:
            added = target.add(wanted)
        except StoreRefused as e:
            tally.refused.update(e.reasons)
            added = target.add([mention for mention in wanted if mention.id not in e.reasons])
        tally.new += len(added.new)
        tally.edited += len(added.edited)
        tally.known += len(added.known)


def _check_back(source: Archive, target: Archive, ledger: Ledger, progress: _Progress) -> int:
    """What the target has and the source has not: erased meanwhile, and then erased here, too; or from elsewhere: returns how
    many of these there are."""
    others = 0
    for day in _days(target):
        for lot in _oldest_first(target, day, _end(day)):
            strange = {mention.id: mention.author for mention in lot}
            for known in source.held(strange):
                del strange[known]
            ids, authors = ledger.tombstones.buried(ids=set(strange), authors=set(strange.values()) - {""})
            gone = [each for each, author in strange.items() if each in ids or author in authors]
            if gone:
                target.erase(gone)
            others += len(strange) - len(gone)
            progress.add(len(lot))
    return others


def _days(archive: Archive) -> list[datetime]:
    """The days (UTC, midnight) on which anything was published, oldest first."""
    days: list[datetime] = []
    while newest := archive.search(Where(end=days[-1] if days else None), limit=1):
        at = newest[0].published_at.astimezone(UTC)
        days.append(at.replace(hour=0, minute=0, second=0, microsecond=0))
    return days[::-1]


def _end(day: datetime) -> datetime:
    return day + DAY if day < _LATEST - DAY else _LATEST


def _oldest_first(archive: Archive, start: datetime, end: datetime) -> Iterator[list[Mention]]:
    """Mentions published in [start, end), in lots of fewer than LOT where their times allow it."""
    found = archive.search(Where(start=start, end=end), limit=LOT)
    if len(found) < LOT:
        yield found[::-1]
    elif end - start > MICROSECOND:
        middle = start + (end - start) // 2
        yield from _oldest_first(archive, start, middle)
        yield from _oldest_first(archive, middle, end)
    else:
        yield _whole(archive, Where(start=start, end=end), found)[::-1]


def _whole(archive: Archive, where: Where, found: list[Mention]) -> list[Mention]:
    """With the pages that follow."""
    everything, page = list(found), found
    while page:
        page = archive.search(where, limit=LOT, before=(page[-1].published_at, page[-1].id))
        everything += page
    return everything


def _differing(
    source: Archive, target: Archive, days: Sequence[datetime]
) -> tuple[tuple[datetime, int, int], ...]:
    ours, theirs = _voices(source, days), _voices(target, days)
    return tuple((day, ours[day], theirs[day]) for day in ours if ours[day] != theirs[day])


def _voices(archive: Archive, days: Sequence[datetime]) -> dict[datetime, int]:
    """On each of the days."""
    voices: dict[datetime, int] = {}
    for run in _runs(days):
        start, end = run[0], run[-1] + DAY
        counts = archive.counts(Where(), [Signal.VOLUME], start=start, end=end, bucket=DAY)[Signal.VOLUME]
        voices.update((day, counts[(day - start) // DAY]) for day in run)
    return voices


def _runs(days: Sequence[datetime]) -> Iterator[list[datetime]]:
    """Stretches without long gaps; without the last day of time, which has no end."""
    run: list[datetime] = []
    for day in days:
        if run and day - run[-1] > _NEAR:
            yield run
            run = []
        if _end(day) < _LATEST:
            run.append(day)
    if run:
        yield run
