"""kill -9 of the crawl at twenty random points: no post lost, none twice."""

import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.world import FORUM, World, forum_mentions, stored_posts, world

KILLS = 20
SEED = 20261122


@pytest.mark.slow
def test_a_crawl_killed_twenty_times_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    random_ = random.Random(SEED)
    with world(tmp_path) as made:
        survived = 0
        for number in range(KILLS):
            survived += _crawl(made, number, kill_after=random_.uniform(0.8, 4.0))
        assert survived < KILLS, "no kill hit a crawl that was under way"
        assert _crawl(made, KILLS, kill_after=None)
        archive = made.archive()
        stored = stored_posts(forum_mentions(archive))
        archive.close()
    assert len(stored) == len(set(stored))
    assert set(stored) == made.forum_posts()


def _crawl(made: World, number: int, *, kill_after: float | None) -> bool:
    """One crawl process; True when it came to its end."""
    ledger = made.ledger()
    now = datetime.now(UTC)
    run = ledger.runs.plan(FORUM, now + timedelta(microseconds=number), "manual")
    assert run is not None
    owner = f"test-{number}"
    # The lease of the killed one before has ended, as it will have when a service takes its work up.
    assert ledger.runs.claim(
        run, owner=owner, now=now + timedelta(hours=number + 1), lease=timedelta(minutes=30)
    )
    command = [
        sys.executable,
        "-m",
        "workers.crawl",
        "--config",
        str(made.file),
        "--run",
        str(run),
        "--owner",
        owner,
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        if kill_after is not None:
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
        ledger.close()
    assert kill_after is not None or process.returncode == 0, said.decode()[-2000:]
    return process.returncode == 0
