"""An archive on a server, which goes on while the server is away: what is added waits in the ledger's journal, and reads are
answered from what the journal knows.

That the server is away is found out by asking it, and by looking at the journal: where something has waited for long, another
process was told. Whoever knows leaves the server alone for PAUSE; then one call tries to store what waits. The server is back
when it has taken all of that, so that nobody counts at the server what still waits here.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from listener.archive.mirror import Mirror, bring
from listener.errors import StoreAway, StoreRefused
from listener.incident import Incident
from listener.mention import Mention, Score, Signal
from listener.ports import Added, Archive, Away, Dimension, Journal, SourceReading, Where

KEPT = timedelta(hours=48)
"""What was published within it stays in the journal beside the server, to be counted and quoted while that is away."""
PAUSE = 5.0
"""Seconds for which a server that is away is left alone, and between two looks at what waits."""
LONG = timedelta(seconds=15)
"""What has waited longer is not just on its way: the sweep that stores it comes every 10 s."""
BATCH = 500
DRAIN_SECONDS = 2.0
"""How long a call that finds the server back goes on storing what waits before it answers its own question."""

T = TypeVar("T")


class Give(Protocol):
    def __call__(self, archive: Archive, mentions: Sequence[Mention]) -> Added: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


class JournaledArchive:
    """See `listener.ports.Archive`. Safe for several threads and processes; a process that forks opens its own afterwards.
    `clock` tells the time of day, `monotonic` seconds; `folder`: where the file is made that answers while the server is away
    (None: where the system has such files)."""

    def __init__(
        self,
        server: Archive,
        journal: Journal,
        *,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        folder: Path | None = None,
    ) -> None:
        self._server, self._journal = server, journal
        self._clock, self._monotonic = clock, monotonic
        self._mirror = Mirror(journal, folder)
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._lock = Lock()
        self._away: Away | None = None
        self._retry_at = self._look_at = 0.0

    # -------------------------------------------------------------------------------------------- writing

    def add(self, mentions: Sequence[Mention]) -> Added:
        """As a plain archive's; while the server is away, against what the journal knows. What the server refuses is in none of
        the lists, but among the journal's dead.

        Nothing is lost at any step: what the server has not, the journal has before we return, and who is killed before has
        not moved his cursor and comes again with the same batch."""
        mentions = list({mention.id: mention for mention in mentions}.values())
        if not mentions:
            return Added((), (), ())
        if not self._is_reachable():
            return self._keep(mentions)
        now = self._clock()
        held = self._journal.held(mention.id for mention in mentions)
        # What the journal has is written there first: a settling process that is just storing an older revision sees, when it
        # says so, that there is a newer one. Of the rest nobody knows yet, so journal and server may take it side by side.
        self._journal.write([mention for mention in mentions if mention.id in held], now=now)
        fresh = [m for m in mentions if m.id not in held and m.published_at >= now - KEPT]
        writing = self._beside.submit(self._journal.write, fresh, now=now)
        try:
            added, refused = self._offer(mentions, _add)
        except StoreAway:
            return self._left_with(mentions, held)
        finally:
            writing.result()
        fresh_ids = {mention.id for mention in fresh}
        if refused:
            dead = [m for m in mentions if m.id in refused and m.id not in fresh_ids]
            self._journal.write(dead, now=now)
            self._journal.refused(refused)
            added = _new_again(added, fresh_ids)
        journaled = [m for m in mentions if m.id in held | fresh_ids and m.id not in refused]
        self._journal.stored({m.id: m.revision for m in journaled}, kept_from=now - KEPT)
        return added

    def save_scores(self, scores: Mapping[str, tuple[str, Score]]) -> int:
        """While the server is away the scores wait with their mentions in the journal."""
        if not scores:
            return 0
        if self._is_reachable():
            try:
                return self._ask(lambda server: server.save_scores(scores))
            except StoreAway:
                pass
        ids, authors = self._journal.erasures()
        with self._mirror.archive() as known:
            found = [mention for key in scores if (mention := known.get(key))]
        scored = [
            replace(mention, score=scores[mention.id][1], cluster="", is_copy=False)
            for mention in found
            if mention.revision == scores[mention.id][0]
        ]
        self._journal.write(scored, now=self._clock())
        # Who was erased between our reading and our writing must not have come back by it.
        new_ids, new_authors = self._journal.erasures()
        back = {m.id for m in scored if m.id in new_ids - ids or m.author in new_authors - authors}
        if back:
            self._journal.erase(ids=back, now=self._clock())
        return len(scored) - len(back)

    def erase(self, mention_ids: Iterable[str]) -> int:
        """The number is of those known here while the server is away; it forgets them when it is back."""
        ids = frozenset(mention_ids)
        known = self._journal.erase(ids=ids, now=self._clock())
        self._mirror.forget()
        there = self._erase_there(lambda server: server.erase(ids))
        if there is None:
            return known
        self._journal.erased(ids=ids)
        return max(known, there)

    def erase_author(self, author: str) -> int:
        """As `erase`."""
        known = self._journal.erase(author=author, now=self._clock())
        self._mirror.forget()
        there = self._erase_there(lambda server: server.erase_author(author))
        if there is None:
            return known
        self._journal.erased(authors=[author])
        return max(known, there)

    def publish(self, incidents: Sequence[Incident], readings: Sequence[SourceReading]) -> None:
        """Dropped while the server is away: it is repeated."""
        if self._is_reachable():
            with suppress(StoreAway):
                self._ask(lambda server: server.publish(incidents, readings))

    # -------------------------------------------------------------------------------------------- reading

    def unscored(self, limit: int) -> list[Mention]:
        return self._read(lambda archive: archive.unscored(limit))

    def outdated(self, model: str, limit: int, *, after: str = "") -> list[Mention]:
        """Raises StoreAway while the server is away."""
        if not self._is_reachable():
            raise self._still_away()
        return self._ask(lambda server: server.outdated(model, limit, after=after))

    def get(self, mention_id: str) -> Mention | None:
        return self._read(lambda archive: archive.get(mention_id))

    def search(
        self, where: Where, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[Mention]:
        return self._read(lambda archive: archive.search(where, limit=limit, before=before))

    def counts(
        self, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime, bucket: timedelta
    ) -> Mapping[Signal, list[int]]:
        return self._read(lambda archive: archive.counts(where, signals, start=start, end=end, bucket=bucket))

    def counts_by(
        self,
        where: Where,
        signals: Sequence[Signal],
        dimension: Dimension,
        *,
        start: datetime,
        end: datetime,
        bucket: timedelta,
    ) -> Mapping[str, Mapping[Signal, list[int]]]:
        return self._read(
            lambda archive: archive.counts_by(where, signals, dimension, start=start, end=end, bucket=bucket)
        )

    def breakdown(self, where: Where, dimension: Dimension) -> Mapping[str, int]:
        return self._read(lambda archive: archive.breakdown(where, dimension))

    def known_authors(self, where: Where, authors: Iterable[str]) -> frozenset[str]:
        named = list(authors)
        return self._read(lambda archive: archive.known_authors(where, named))

    def held(self, mention_ids: Iterable[str]) -> frozenset[str]:
        """Also what was refused: it is known, though nobody will find it."""
        ids = list(mention_ids)
        return self._read(lambda archive: archive.held(ids)) | self._journal.held(ids)

    def ids_of_thread(self, source: str, thread: str) -> frozenset[str]:
        return self._read(lambda archive: archive.ids_of_thread(source, thread))

    def expired(self, now: datetime, limit: int = 1000) -> list[str]:
        return self._read(lambda archive: archive.expired(now, limit))

    def total(self) -> int:
        return self._read(lambda archive: archive.total())

    # -------------------------------------------------------------------------------------------- away and back

    def away(self) -> Away | None:
        self._look()
        away = self._away
        return replace(away, known_from=self._clock() - KEPT) if away else None

    def settle(self, limit: int = 1_000) -> int:
        """Outstanding erasures first, then what waits, oldest first. Several processes may do this at once: the server takes
        each mention once."""
        self._look()
        with self._lock:
            is_early = self._away is not None and self._monotonic() < self._retry_at
        if is_early:
            raise self._still_away()
        stored = self._settle(limit)
        if self._away is None:
            self._ask(lambda server: server.settle(limit))
        return stored

    def close(self) -> None:
        """The journal is the ledger's, and stays open."""
        self._beside.shutdown()
        self._mirror.close()
        self._server.close()

    def _read(self, ask: Callable[[Archive], T]) -> T:
        if self._is_reachable():
            try:
                return self._ask(ask)
            except StoreAway:
                pass
        with self._mirror.archive() as known:
            return ask(known)

    def _ask(self, ask: Callable[[Archive], T]) -> T:
        """The server; the only place where it is asked. Raises what it raises."""
        try:
            return ask(self._server)
        except StoreAway as error:
            now = self._clock()
            with self._lock:
                since = self._away.since if self._away else now
                self._away = Away(since=since, known_from=now - KEPT, why=str(error))
                self._retry_at = self._monotonic() + PAUSE
            raise

    def _is_reachable(self) -> bool:
        """Whether to ask the server. When its pause is over this call tries, and stores what waits; the others go on without."""
        self._look()
        with self._lock:
            if self._away is None:
                return True
            if self._monotonic() < self._retry_at:
                return False
            self._retry_at = self._monotonic() + PAUSE
        return self._is_back()

    def _is_back(self) -> bool:
        """Ask the server to take what waits; whether it has taken all."""
        until = self._monotonic() + DRAIN_SECONDS
        try:
            while self._settle(BATCH) and self._away is not None and self._monotonic() < until:
                pass
        except StoreAway:
            return False
        with self._lock:
            self._retry_at = self._monotonic()  # it takes what it is given: the next call goes on at once
            return self._away is None

    def _look(self) -> None:
        """Every PAUSE: whether something waits that another process could not store, or that was left by one that was killed."""
        with self._lock:
            if self._away or self._monotonic() < self._look_at:
                return
            self._look_at = self._monotonic() + PAUSE
        oldest, now = self._journal.oldest_waiting_at(), self._clock()
        if oldest is None or now - oldest <= LONG:
            return
        with self._lock:
            if self._away is None:
                why = "what was collected still waits to be stored"
                self._away = Away(since=oldest, known_from=now - KEPT, why=why)
                self._retry_at = self._monotonic()

    def _still_away(self) -> StoreAway:
        away = self._away
        return StoreAway(away.why if away else "the archive's server is away")

    def _settle(self, limit: int) -> int:
        now = self._clock()
        has_erased = self._forget_there()
        entries = self._journal.waiting(limit)
        stored = 0
        for start in range(0, len(entries), BATCH):
            stored += self._store([entry.mention for entry in entries[start : start + BATCH]], now)
        if self._away is not None and not (has_erased or entries):
            self._ask(lambda server: server.total())
        self._journal.prune(now - KEPT)
        if len(entries) < limit:
            with self._lock:
                was_away, self._away = self._away, None
            if was_away:
                self._mirror.close()
        return stored

    def _forget_there(self) -> bool:
        """Before anything is stored: what was erased and came anew is not erased again."""
        ids, authors = self._journal.erasures()
        if ids:
            self._ask(lambda server: server.erase(ids))
        for author in sorted(authors):
            self._erase_author_there(author)
        if ids or authors:
            self._journal.erased(ids=ids, authors=authors)
        return bool(ids or authors)

    def _erase_author_there(self, author: str) -> None:
        self._ask(lambda server: server.erase_author(author))

    def _store(self, mentions: Sequence[Mention], now: datetime) -> int:
        """What waited; who is killed before the last step stores it again, which changes nothing."""
        _, refused = self._offer(mentions, bring)
        if refused:
            self._journal.refused(refused)
        taken = {m.id: m.revision for m in mentions if m.id not in refused}
        self._journal.stored(taken, kept_from=now - KEPT)
        return len(taken)

    def _offer(self, mentions: Sequence[Mention], give: Give) -> tuple[Added, dict[str, str]]:
        """What the server did with all that it does not refuse, and {id: why} of the rest."""
        refused: dict[str, str] = {}
        while True:
            left = [mention for mention in mentions if mention.id not in refused]
            try:
                return self._ask(partial(give, mentions=left)), refused
            except StoreRefused as error:
                if not error.reasons.keys() - refused.keys():
                    raise
                refused |= error.reasons

    def _keep(self, mentions: Sequence[Mention]) -> Added:
        """The server is away: into the journal, what it has not yet."""
        with self._mirror.archive() as known:
            held = known.held(mention.id for mention in mentions)
            old = {key: mention.revision for key in held if (mention := known.get(key))}
        new = [mention for mention in mentions if mention.id not in old]
        edited = [
            mention for mention in mentions if old.get(mention.id, mention.revision) != mention.revision
        ]
        self._journal.write([*new, *edited], now=self._clock())
        changed = {mention.id for mention in edited}
        return Added(
            tuple(mention.id for mention in new),
            tuple(changed),
            tuple(key for key in old if key not in changed),
        )

    def _left_with(self, mentions: Sequence[Mention], held: frozenset[str]) -> Added:
        """The server went away while it was given these: all of them wait, whatever it has done with some. What was edited among
        them is told as known: the journal has the new text already."""
        self._journal.write(mentions, now=self._clock())
        ids = [mention.id for mention in mentions]
        return Added(
            tuple(key for key in ids if key not in held), (), tuple(key for key in ids if key in held)
        )

    def _erase_there(self, erase: Callable[[Archive], int]) -> int | None:
        """How many the server had; None when it is away, and then does it when it is back."""
        if not self._is_reachable():
            return None
        try:
            return self._ask(erase)
        except StoreAway:
            return None


def _add(archive: Archive, mentions: Sequence[Mention]) -> Added:
    return archive.add(mentions)


def _new_again(added: Added, fresh: set[str]) -> Added:
    """After a refusal the rest was offered a second time, and so told as known."""
    return replace(
        added,
        new=(*added.new, *[key for key in added.known if key in fresh]),
        known=tuple(key for key in added.known if key not in fresh),
    )
