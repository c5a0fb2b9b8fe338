"""Incidents and Outbox in memory, with the promises of `listener.ports`, and makers of values for the
tests."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from listener.incident import Act, Evidence, Incident, Level, Part, Quote, State
from listener.mention import Mention, Signal
from listener.ports import Archive, Away, Delivery, Dimension, Where

NOW = datetime(2026, 3, 10, 2, 7, tzinfo=UTC)
"""A Tuesday, 03:07 in Stockholm."""


class MemoryLedger:
    """Both ports over one pair of tables, and notes."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        self.stored: dict[str, Incident] = {}
        self.deliveries: dict[tuple[str, str], Delivery] = {}
        self.lock = threading.RLock()
        self.incidents = MemoryIncidents(self)
        self.outbox = MemoryOutbox(self)

    def note(self, key: str, value: str) -> None:
        self.notes[key] = value

    def noted(self, key: str) -> str:
        return self.notes.get(key, "")


class MemoryIncidents:
    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._acts: dict[tuple[str, str], tuple[datetime, Act, str, str]] = {}

    def open_of(self, rule: str) -> Incident | None:
        return next((i for i in self.recent() if i.rule == rule and i.state is not State.OVER), None)

    def latest_of(self, rule: str) -> Incident | None:
        return next((i for i in self.recent() if i.rule == rule), None)

    def get(self, incident_id: str) -> Incident | None:
        return self._ledger.stored.get(incident_id)

    def save(
        self, incident: Incident, *, was: Incident | None, now: datetime, channels: Sequence[str]
    ) -> bool:
        with self._ledger.lock:
            if self._ledger.stored.get(incident.id) != was:
                return False
            self._ledger.stored[incident.id] = incident
            for channel in channels:
                row = self._ledger.deliveries.get((incident.id, channel))
                self._ledger.deliveries[incident.id, channel] = (
                    replace(row, version=row.version + 1, next_at=now)
                    if row
                    else Delivery(incident=incident.id, channel=channel, next_at=now)
                )
            return True

    def recent(self, limit: int = 20) -> list[Incident]:
        newest = sorted(self._ledger.stored.values(), key=lambda i: (i.opened_at, i.id), reverse=True)
        return newest[:limit]

    def record_act(
        self, incident_id: str, act: Act, *, by: str, at: datetime, key: str, note: str = ""
    ) -> bool:
        if (incident_id, key) in self._acts:
            return False
        self._acts[incident_id, key] = (at, act, by, note)
        return True

    def acts(self, incident_id: str) -> list[tuple[datetime, Act, str, str]]:
        return sorted(act for (of, _), act in self._acts.items() if of == incident_id)


class MemoryOutbox:
    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    def due(self, now: datetime, limit: int = 20) -> list[Delivery]:
        rows = [
            d for d in self._ledger.deliveries.values() if _open(d, now) and d.next_at and d.next_at <= now
        ]
        return sorted(rows, key=lambda d: (d.next_at or now, d.incident, d.channel))[:limit]

    def claim(self, delivery: Delivery, *, owner: str, now: datetime, lease: timedelta) -> Delivery | None:
        with self._ledger.lock:
            row = self._ledger.deliveries[delivery.incident, delivery.channel]
            seen = (delivery.state, delivery.attempts, delivery.shown)
            if not _open(row, now) or (row.state, row.attempts, row.shown) != seen:
                return None
            claimed = replace(
                row,
                state="sending",
                owner=owner,
                lease_until=now + lease,
                attempts=row.attempts + 1,
                first_try_at=row.first_try_at or now,
            )
            self._ledger.deliveries[delivery.incident, delivery.channel] = claimed
            return claimed

    def save(self, delivery: Delivery, *, owner: str) -> bool:
        with self._ledger.lock:
            row = self._ledger.deliveries[delivery.incident, delivery.channel]
            if row.owner != owner or row.state != "sending":
                return False
            next_at = delivery.next_at
            if next_at is None and row.version > delivery.version:
                next_at = row.next_at
            saved = replace(delivery, version=row.version, next_at=next_at)
            if saved.state != "sending":
                saved = replace(saved, owner="", lease_until=None)
            if saved.state == "sent":
                saved = replace(saved, attempts=0, first_try_at=None)
            self._ledger.deliveries[delivery.incident, delivery.channel] = saved
            return True

    def of(self, incident_id: str) -> list[Delivery]:
        return [d for (incident, _), d in sorted(self._ledger.deliveries.items()) if incident == incident_id]


def _open(delivery: Delivery, now: datetime) -> bool:
    free = delivery.lease_until is None or delivery.lease_until <= now
    return delivery.shown < delivery.version and free


class AwayArchive:
    """An archive whose server can go away: then it answers from what was published since `KEPT` before. `goes_after`: so many
    questions later it goes away by itself. Only what alerts ask of it; `cast` it to Archive."""

    KEPT = timedelta(hours=48)

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._away: Away | None = None
        self.goes_after: tuple[int, datetime] | None = None

    def go(self, since: datetime) -> None:
        self._away = Away(since=since, known_from=since - self.KEPT, why="connection refused")

    def come_back(self) -> None:
        self._away = None

    def away(self) -> Away | None:
        return self._away

    def get(self, mention_id: str) -> Mention | None:
        self._asked()
        mention = self._archive.get(mention_id)
        return (
            mention if mention and (not self._away or mention.published_at >= self._away.known_from) else None
        )

    def search(
        self, where: Where, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[Mention]:
        return self._archive.search(self._known(where), limit=limit, before=before)

    def counts(
        self, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime, bucket: timedelta
    ) -> Mapping[Signal, list[int]]:
        return self._archive.counts(self._known(where), signals, start=start, end=end, bucket=bucket)

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
        known = self._known(where)
        return self._archive.counts_by(known, signals, dimension, start=start, end=end, bucket=bucket)

    def breakdown(self, where: Where, dimension: Dimension) -> Mapping[str, int]:
        return self._archive.breakdown(self._known(where), dimension)

    def known_authors(self, where: Where, authors: Iterable[str]) -> frozenset[str]:
        return self._archive.known_authors(self._known(where), authors)

    def _known(self, where: Where) -> Where:
        self._asked()
        if self._away is None:
            return where
        return replace(where, start=max(where.start or self._away.known_from, self._away.known_from))

    def _asked(self) -> None:
        if self.goes_after is not None:
            left, since = self.goes_after
            self.goes_after = (left - 1, since) if left else None
            if not left:
                self.go(since)


def level(
    signal: Signal = Signal.ANXIETY, observed: int = 41, expected: float = 6.2, high: float = 10
) -> Level:
    return Level(signal=signal, observed=observed, expected=expected, low=min(3, expected), high=high)


def quote(mention: str, text: str, *, channel: str = "forum", at: datetime = NOW, url: str = "") -> Quote:
    address = url or "https://forum.example/t/1"
    return Quote(
        mention=mention, text=text, channel=channel, source="trafikforum", url=address, published_at=at
    )


def part(value: str, observed: int, expected: float | None) -> Part:
    return Part(value=value, observed=observed, expected=expected)


def evidence(*quotes: Quote, unheard: dict[str, str] | None = None) -> Evidence:
    return Evidence(
        channels=(part("forum", 29, 4.1), part("inbox", 9, 1.2), part("social", 3, 0.9)),
        languages=(part("sv", 38, 5.2), part("nb", 3, 1.0)),
        themes=(part("trust", 26, 1.1), part("price", 9, 0.2)),
        words=("dragits", "dubbelt"),
        quotes=quotes,
        heard=19 - len(unheard or {}),
        sources=19,
        unheard=unheard or {},
    )


def incident(**changes: object) -> Incident:
    """The alert of the design: opened at 03:07 local time."""
    quotes = (
        quote(
            "m1", "Ser att det dragits två gånger och hyran ska ut i morgon.", at=NOW - timedelta(minutes=26)
        ),
        quote(
            "m2",
            "Har Fjelltele tömt mitt konto? Snälla svara nån.",
            channel="inbox",
            at=NOW - timedelta(minutes=15),
        ),
        quote("m3", "dubbeldragning här me, banken säger vänta 3 dagar", at=NOW - timedelta(minutes=9)),
    )
    whole = Incident(
        id="1f" * 12,
        rule="anxiety",
        brand="fjelltele",
        state=State.GROWING,
        began_at=NOW - timedelta(minutes=52),
        opened_at=NOW,
        spiked_at=NOW,
        ended_at=None,
        levels=(level(), level(Signal.COMPLAINTS, 58, 21.3, 31)),
        signals=(Signal.ANXIETY, Signal.COMPLAINTS),
        peak=41,
        peak_at=NOW,
        severity=2,
        evidence=evidence(*quotes, unheard={"trafikforum": "tyst sedan 00:40"}),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]
