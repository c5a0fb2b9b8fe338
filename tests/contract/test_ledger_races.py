"""Threads and processes that race for the same work: exactly one wins."""

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from sqlalchemy import update

from listener.incident import Act
from listener.ledger import open_ledger
from listener.ledger.engine import retried
from listener.ledger.schema import deliveries, runs, tombstones
from listener.ports import Ledger, Tally
from tests.contract.ledger_samples import HOUR, MINUTE, NOON, at_once, make_incident, plan, queue


@pytest.mark.parametrize("again", range(5))
def test_threads_that_race_have_one_winner(ledger: Ledger, again: int) -> None:
    planned = at_once(4, lambda _: ledger.runs.plan("s", NOON, "schedule"))
    (run_id,) = [run_id for run_id in planned if run_id is not None]
    claimed = at_once(4, lambda n: ledger.runs.claim(run_id, owner=str(n), now=NOON, lease=HOUR))
    (winner,) = [n for n, run in enumerate(claimed) if run is not None]
    assert ledger.runs.finish(run_id, owner=str(winner), now=NOON, tally=Tally())


def test_threads_that_race_for_different_runs_of_one_source_do_not_overlap(ledger: Ledger) -> None:
    run_ids = [plan(ledger, slot=NOON + n * MINUTE) for n in range(4)]
    claimed = at_once(4, lambda n: ledger.runs.claim(run_ids[n], owner=str(n), now=NOON + HOUR, lease=HOUR))
    assert sum(run is not None for run in claimed) == 1


def test_threads_that_race_for_an_incident_queue_one_message(ledger: Ledger) -> None:
    first = make_incident()
    stored = at_once(
        4, lambda n: ledger.incidents.save(replace(first, peak=n), was=None, now=NOON, channels=["C"])
    )
    assert sorted(stored) == [False, False, False, True]
    was = ledger.incidents.get("i1")
    assert was is not None
    moved = at_once(
        4, lambda n: ledger.incidents.save(replace(was, peak=n + 9), was=was, now=NOON, channels=["C"])
    )
    assert sorted(moved) == [False, False, False, True]
    (delivery,) = ledger.outbox.of("i1")
    assert delivery.version == 2
    sent = at_once(4, lambda n: ledger.outbox.claim(delivery, owner=str(n), now=NOON, lease=HOUR))
    assert sum(claimed is not None for claimed in sent) == 1
    acted = at_once(4, lambda _: ledger.incidents.record_act("i1", Act.NOISE, by="a", at=NOON, key="k"))
    assert sorted(acted) == [False, False, False, True]


RACER = """
import sys
from datetime import UTC, datetime, timedelta
from listener.ledger import open_ledger

url, owner = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
ledger = open_ledger(url)
noon, hour = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(hours=1)
for n in range(25):
    run_id = ledger.runs.plan("s%d" % n, noon, "schedule")
    if run_id is not None:
        print("planned", n)
for run in ledger.runs.waiting(noon):
    if ledger.runs.claim(run.id, owner=owner, now=noon, lease=hour) is not None:
        print("claimed", run.id)
ledger.close()
"""


def test_processes_that_open_a_new_ledger_at_once_share_the_work(url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", RACER, url]
    racers = [
        subprocess.Popen(
            [*command, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60) for racer in racers]
    assert [(racer.returncode, errors) for racer, (_, errors) in zip(racers, said, strict=True)] == [
        (0, "")
    ] * 3
    lines = [line.split() for out, _ in said for line in out.splitlines()]
    assert sorted(int(n) for word, n in lines if word == "planned") == list(range(25))
    claimed = [run_id for word, run_id in lines if word == "claimed"]
    assert (len(claimed), len(set(claimed))) == (25, 25), "each once; the ids may have gaps"


def test_a_sweep_passes_over_what_another_is_just_claiming(server_url: str) -> None:
    """Its rows are locked; to wait for them would win nothing."""
    ledger = open_ledger(server_url)
    run_ids = [plan(ledger, source=f"s{n}") for n in range(3)]
    queue(ledger, "C1", "C2")
    with ledger._db.write() as sql:
        sql.execute(update(runs).where(runs.c.id == run_ids[0]).values(owner="other"))
        sql.execute(update(deliveries).where(deliveries.c.channel == "C1").values(owner="other"))
        assert [run.id for run in ledger.runs.waiting(NOON, limit=2)] == run_ids[1:]
        assert [delivery.channel for delivery in ledger.outbox.due(NOON)] == ["C2"]
    assert [run.id for run in ledger.runs.waiting(NOON)] == run_ids
    ledger.close()


def test_transactions_that_lock_crosswise_are_done_all_the_same(server_url: str) -> None:
    ledger = open_ledger(server_url)
    ledger.tombstones.bury(ids=["a", "b"], reason="", now=NOON)
    gate = threading.Barrier(2)
    tries = []

    @retried
    def cross(number: int) -> None:
        tries.append(number)
        with ledger._db.write() as sql:
            for n, value in enumerate("ab" if number else "ba"):
                sql.execute(update(tombstones).where(tombstones.c.value == value).values(reason=str(number)))
                if n == 0 and len(tries) <= 2:
                    gate.wait(10)

    at_once(2, cross)
    assert len(tries) == 3, "one was given up by the server, and came again"
    ledger.close()
