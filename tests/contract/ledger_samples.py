"""Values and steps that the ledger's contract suites share."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from hypothesis import strategies as st

from listener.incident import Evidence, Incident, Level, Part, Quote, State
from listener.mention import Signal
from listener.ports import Delivery, Ledger, Run, SourceState, Tally

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
T = TypeVar("T")
times = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


def make_incident(id_: str = "i1", **changes: object) -> Incident:
    evidence = Evidence(
        channels=(
            Part(value="social", observed=9, expected=2.25),
            Part(value="forum", observed=3, expected=0.1 + 0.2),
            Part(value="news", observed=5, expected=4.0),
        ),
        languages=(Part(value="sv", observed=12, expected=None),),
        themes=(
            Part(value="delivery", observed=7, expected=1.0),
            Part(value="price", observed=2, expected=0.0),
        ),
        places=(Part(value="f", observed=17, expected=4.1),),
        words=("försenad", "leverans"),
        quotes=(
            Quote(
                mention="m1",
                text="Var är min order? 😟",
                channel="forum",
                source="f",
                url="https://f.example/1",
                published_at=NOON,
                why=("Var", "order"),
            ),
        ),
        heard=3,
        sources=4,
        unheard={"shop": "silent since 00:40"},
        new_voices=11,
        hour_before=6,
    )
    level = Level(signal=Signal.ANXIETY, observed=17, expected=4.1, low=1.0, high=0.1 + 0.2)
    incident = Incident(
        id=id_,
        rule="r1",
        brand="b",
        state=State.OPEN,
        began_at=NOON - HOUR,
        opened_at=NOON,
        spiked_at=NOON,
        ended_at=None,
        levels=(level,),
        signals=(Signal.ANXIETY, Signal.COMPLAINTS),
        peak=17,
        peak_at=NOON,
        severity=2,
        evidence=evidence,
    )
    return replace(incident, **changes)  # type: ignore[arg-type]


def plan(ledger: Ledger, source: str = "s", slot: datetime = NOON, trigger: str = "schedule") -> int:
    run_id = ledger.runs.plan(source, slot, trigger)
    assert run_id is not None
    return run_id


def claim(
    ledger: Ledger, run_id: int, owner: str = "me", now: datetime = NOON, lease: timedelta = HOUR
) -> Run:
    run = ledger.runs.claim(run_id, owner=owner, now=now, lease=lease)
    assert run is not None
    return run


def do(ledger: Ledger, slot: datetime, tally: Tally, source: str = "s") -> SourceState:
    """Plan, claim and finish one run, all at `slot`."""
    run_id = plan(ledger, source, slot)
    claim(ledger, run_id, now=slot)
    assert ledger.runs.finish(run_id, owner="me", now=slot, tally=tally)
    return ledger.runs.state(source)


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """What `work(0)` … `work(count - 1)` return when as many threads begin together."""
    answers: dict[int, T] = {}
    gate = threading.Barrier(count)

    def begin(number: int) -> None:
        gate.wait(10)
        answers[number] = work(number)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == count
    return [answers[number] for number in range(count)]


def queue(ledger: Ledger, *channels: str, id_: str = "i1", now: datetime = NOON) -> None:
    assert ledger.incidents.save(make_incident(id_), was=None, now=now, channels=channels)


def touch(ledger: Ledger, *channels: str, now: datetime, id_: str = "i1") -> None:
    """A newer version of the incident, and so of its messages."""
    was = ledger.incidents.get(id_)
    assert was is not None
    assert ledger.incidents.save(replace(was, peak=was.peak + 1), was=was, now=now, channels=channels)


def take(ledger: Ledger, owner: str = "me", now: datetime = NOON) -> Delivery:
    claimed = ledger.outbox.claim(ledger.outbox.due(now)[0], owner=owner, now=now, lease=HOUR)
    assert claimed is not None
    return claimed
