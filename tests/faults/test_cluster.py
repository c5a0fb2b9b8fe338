"""Every process and every server of a distributed Lyhord goes away while customers write, and the crisis breaks out while
Elasticsearch is away: no mention lost, none stored or counted twice, one incident, one message that says what it cannot know."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults.cluster import CHANNEL, PORTS, Cluster, cluster, voices

pytestmark = [pytest.mark.server, pytest.mark.slow]

RECOVERED = 120.0
"""Seconds within which what is written after a fault must be found, on a machine that is busy with other tests. What it takes
usually is measured by benchmarks/scale.py."""
TOLD = 180.0
Fault = Callable[[Cluster], None]


def redis_killed(made: Cluster) -> None:
    made.servers.kill("redis")
    time.sleep(3)
    made.servers.start("redis")


def redis_flushed(made: Cluster) -> None:
    made.servers.redis("FLUSHALL")


def postgres_killed(made: Cluster) -> None:
    made.servers.kill("postgres")
    time.sleep(3)
    made.servers.start("postgres")


def search_read_only(made: Cluster) -> None:
    _block_writes(True)
    time.sleep(12)
    _block_writes(False)


FAULTS: tuple[Fault, ...] = (
    lambda made: made.kill("crawl"),
    lambda made: made.kill("alerts"),
    lambda made: made.kill("beat"),
    redis_killed,
    redis_flushed,
    search_read_only,
    postgres_killed,
)


def test_what_goes_away_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        began = datetime.now(UTC).replace(microsecond=0)  # as exact as a feed tells
        made.seconds_until_found(made.feed.add(), within=90)
        made.learnt(within=120)
        with _writing(made):
            for fault in FAULTS:
                fault(made)
                made.seconds_until_found(made.feed.add(), RECOVERED)
        _crisis_while_search_is_away(made)
        made.seconds_until_found(made.feed.add(), RECOVERED)
        _check_all(made, began)


def _crisis_while_search_is_away(made: Cluster) -> None:
    """Sixty worried voices while Elasticsearch is down: counted, alerted, and the alert says that search is away."""
    made.servers.kill("elasticsearch")
    for _ in range(60):
        made.feed.add(worried=True)
        time.sleep(0.2)
    made.told(within=TOLD)
    assert "Sökningen" in str(made.slack.messages(CHANNEL)[0].blocks)
    ledger, archive = made.stores()
    missing = _until(lambda: voices(archive, made.feed.items) == len(made.feed.items), within=60)
    assert not missing, "what waits is counted"
    assert archive.away() is not None
    archive.close()
    ledger.close()
    made.servers.start("elasticsearch")


def _check_all(made: Cluster, began: datetime) -> None:
    ledger, archive = made.stores()
    wanted = sorted(item.text for item in made.feed.items)
    _until(lambda: len(made.stored(archive, since=began)) >= len(wanted), within=30)
    assert archive.away() is None
    assert sorted(made.stored(archive, since=began)) == wanted
    assert voices(archive, made.feed.items) == len(wanted)
    assert archive.unscored(1) == []
    assert len(ledger.incidents.recent()) == 1
    assert len(made.slack.messages(CHANNEL)) == 1
    archive.close()
    ledger.close()


def _until(done: Callable[[], bool], *, within: float) -> bool:
    """Whether it did not come about in time."""
    deadline = time.monotonic() + within
    while not done():
        if time.monotonic() > deadline:
            return True
        time.sleep(0.5)
    return False


def _block_writes(blocked: bool) -> None:
    answer = requests.put(
        f"http://127.0.0.1:{PORTS['ES_PORT']}/lyhord-mentions-*/_settings",
        json={"index.blocks.write": blocked},
        timeout=10,
    )
    answer.raise_for_status()


@contextmanager
def _writing(made: Cluster) -> Any:
    """Somebody writes every two seconds while the block runs."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(2):
            made.feed.add()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
