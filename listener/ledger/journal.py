"""Mentions on their way to an archive that is a server (`listener.ports.Journal`)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, func, or_, select, update

from listener.errors import StoreError
from listener.ledger.engine import Database, chunks, retried
from listener.ledger.mention_codec import decode, encode
from listener.ledger.schema import counters, erasures, journal
from listener.mention import Mention
from listener.ports import Entry, EntryState

_COUNTER = "journal"
_WAITING, _STORED, _REFUSED = EntryState.WAITING, EntryState.STORED, EntryState.REFUSED
_ENTRY = select(
    journal.c.id, journal.c.number, journal.c.state, journal.c.written_at, journal.c.error, journal.c.body
)


class SqlJournal:
    def __init__(self, database: Database) -> None:
        self._db = database

    def write(self, mentions: Sequence[Mention], *, now: datetime) -> None:
        """They wait to be stored. What is known by id is replaced, but not by an older reading, nor by the same revision unless
        that brings a score: as in an archive, who reads a post again changes nothing. Of an id that comes twice, the last
        counts.
        """
        latest = {mention.id: mention for mention in mentions}
        if latest:
            self._write(
                [_row(latest[key], now) for key in sorted(latest)]
            )  # in order: two writers never lock crosswise

    @retried
    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        upsert = self._db.upsert(
            journal,
            only_if=lambda new: (
                (new.fetched_at >= journal.c.fetched_at) & or_(new.scored, new.revision != journal.c.revision)
            ),
        )
        with self._db.write() as sql:
            first = self._number(sql, len(rows))
            numbered = [{**row, "number": first + n} for n, row in enumerate(rows)]
            sql.execute(upsert, numbered)

    @retried
    def stored(self, revisions: Mapping[str, str], *, kept_from: datetime) -> None:
        """{mention id: revision}: these found their place in the archive. Those published before `kept_from` are forgotten. One
        whose revision has changed meanwhile waits anew, even if somebody else has stored it: ours came later and may
        have replaced theirs.
        """
        columns = (journal.c.id, journal.c.revision, journal.c.state, journal.c.published_at)
        with self._db.write() as sql:
            for part in chunks(sorted(revisions)):
                held = sql.execute(
                    select(*columns).where(journal.c.id.in_(part)).order_by(journal.c.id).with_for_update()
                )
                rows = held.all()
                same = [row for row in rows if row.revision == revisions[row.id]]
                old = [row.id for row in same if row.published_at < kept_from]
                sql.execute(delete(journal).where(journal.c.id.in_(old)))
                new = [row.id for row in same if row.published_at >= kept_from and row.state != _STORED]
                _move(sql, new, _STORED)
                changed = [
                    row.id for row in rows if row.revision != revisions[row.id] and row.state == _STORED
                ]
                _move(sql, changed, _WAITING)

    def refused(self, reasons: Mapping[str, str]) -> None:
        """{mention id: why}: the archive will never take these as they are; somebody must look."""
        if reasons:
            self._refused(reasons)

    @retried
    def _refused(self, reasons: Mapping[str, str]) -> None:
        changed = update(journal).where(journal.c.id == bindparam("key"))
        changes = {"state": _REFUSED, "error": bindparam("why"), "number": bindparam("next")}
        with self._db.write() as sql:
            first = self._number(sql, len(reasons))
            rows = [
                {"key": key, "why": reasons[key], "next": first + n} for n, key in enumerate(sorted(reasons))
            ]
            sql.execute(changed.values(changes), rows)

    def waiting(self, limit: int) -> list[Entry]:
        """Oldest first."""
        query = _ENTRY.where(journal.c.state == _WAITING).order_by(journal.c.written_at, journal.c.number)
        return self._entries(query.limit(max(limit, 0)))

    def dead(self, limit: int = 100) -> list[Entry]:
        """Those that were refused, newest first."""
        query = _ENTRY.where(journal.c.state == _REFUSED)
        return self._entries(
            query.order_by(journal.c.written_at.desc(), journal.c.number.desc()).limit(max(limit, 0))
        )

    def again(self, ids: Iterable[str]) -> int:
        """Refused ones wait again; returns how many."""
        return self._again(sorted(set(ids)))

    @retried
    def _again(self, ids: Sequence[str]) -> int:
        changed = update(journal).where(journal.c.id == bindparam("key"), journal.c.state == _REFUSED)
        changes = {"state": _WAITING, "error": "", "number": bindparam("next")}
        with self._db.write() as sql:
            first = self._number(sql, len(ids))
            again = [
                sql.execute(changed.values(changes), {"key": key, "next": first + n})
                for n, key in enumerate(ids)
            ]
        return sum(result.rowcount for result in again)

    def since(self, number: int, limit: int) -> list[Entry]:
        """Entries of any state with a greater number, in its order."""
        query = _ENTRY.where(journal.c.number > number).order_by(journal.c.number)
        return self._entries(query.limit(max(limit, 0)))

    def held(self, ids: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        with self._db.read() as sql:
            for part in chunks(list(dict.fromkeys(ids))):
                found.update(sql.execute(select(journal.c.id).where(journal.c.id.in_(part))).scalars())
        return frozenset(found)

    def counts(self) -> Mapping[EntryState, int]:
        """For every state."""
        query = select(journal.c.state, func.count()).group_by(journal.c.state)
        with self._db.read() as sql:
            found = {EntryState(state): count for state, count in sql.execute(query)}
        return {state: found.get(state, 0) for state in EntryState}

    def oldest_waiting_at(self) -> datetime | None:
        query = select(func.min(journal.c.written_at)).where(journal.c.state == _WAITING)
        with self._db.read() as sql:
            return sql.execute(query).scalar()

    def erase(self, *, ids: Iterable[str] = (), author: str = "", now: datetime) -> int:
        """Forget mentions of any state, and remember that the archive must forget them, too, until `erased` says so. Returns
        how many were known here. "" is nobody.

        Of the text nothing is left in an SQLite file or its log; PostgreSQL overwrites it when it vacuums.
        """
        known = self._erase(sorted({value for value in ids if value}), author, now)
        if known:
            self._db.empty_log()
        return known

    @retried
    def _erase(self, ids: Sequence[str], author: str, now: datetime) -> int:
        values = [("mention", value) for value in ids] + ([("author", author)] if author else [])
        rows = [{"kind": kind, "value": value, "asked_at": now} for kind, value in values]
        if not rows:
            return 0
        with self._db.write() as sql:
            sql.execute(self._db.insert_new(erasures), rows)
            conditions: list[ColumnElement[bool]] = [journal.c.id.in_(part) for part in chunks(ids)]
            if author:
                conditions.append(journal.c.author == author)
            return sum(sql.execute(delete(journal).where(condition)).rowcount for condition in conditions)

    def erasures(self) -> tuple[frozenset[str], frozenset[str]]:
        """(mention ids, authors) that the archive is still to forget."""
        with self._db.read() as sql:
            rows = sql.execute(select(erasures.c.kind, erasures.c.value)).all()
        ids, authors = ([row.value for row in rows if row.kind == kind] for kind in ("mention", "author"))
        return frozenset(ids), frozenset(authors)

    def erased(self, *, ids: Iterable[str] = (), authors: Iterable[str] = ()) -> None:
        self._erased({"mention": sorted(ids), "author": sorted(authors)})

    @retried
    def _erased(self, values: Mapping[str, Sequence[str]]) -> None:
        with self._db.write() as sql:
            for kind, of_kind in values.items():
                for part in chunks(of_kind):
                    sql.execute(delete(erasures).where(erasures.c.kind == kind, erasures.c.value.in_(part)))

    @retried
    def prune(self, before: datetime) -> int:
        """Forget stored entries that were written before; returns how many."""
        old = delete(journal).where(journal.c.state == _STORED, journal.c.written_at < before)
        with self._db.write() as sql:
            return sql.execute(old).rowcount

    def _number(self, sql: Connection, count: int) -> int:
        """The first of `count` new numbers. The counter's row stays locked until the transaction ends, so numbers appear in their
        order: who reads `since` never sees a number before a smaller one.
        """
        more = self._db.upsert(counters, {"value": counters.c.value + count})
        row = {"name": _COUNTER, "value": count}
        last: int = sql.execute(more.values(row).returning(counters.c.value)).scalar_one()
        return last - count + 1

    def _entries(self, query: Select[Any]) -> list[Entry]:
        with self._db.read() as sql:
            rows = sql.execute(query).all()
        return [self._entry(row) for row in rows]

    def _entry(self, row: Row[Any]) -> Entry:
        try:
            mention = decode(row.body)
        except (KeyError, TypeError, ValueError) as error:
            where = f"ledger {self._db.name}: mention {row.id} in the journal"
            raise StoreError(
                f"{where}: cannot be read ({type(error).__name__}): restore a backup", permanent=True
            ) from error
        return Entry(
            number=row.number,
            mention=mention,
            state=EntryState(row.state),
            written_at=row.written_at,
            error=row.error,
        )


def _row(mention: Mention, now: datetime) -> dict[str, Any]:
    """But for its number."""
    return {
        "id": mention.id,
        "state": _WAITING,
        "revision": mention.revision,
        "scored": mention.score is not None,
        "author": mention.author,
        "published_at": mention.published_at,
        "fetched_at": mention.fetched_at,
        "written_at": now,
        "error": "",
        "body": encode(mention),
    }


def _move(sql: Connection, ids: Sequence[str], state: EntryState) -> None:
    if ids:
        sql.execute(update(journal).where(journal.c.id.in_(ids)).values(state=state, error=""))
