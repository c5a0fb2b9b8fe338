"""kill -9 of the whole service (worker, scheduler, page; its crawls end with it) at twenty random points, with Slack
failing now and then: every post stored once, all scored, one incident, one message."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alerts.slack_mock import Fault, SlackMock
from tests.faults.world import World, forum_mentions, stored_posts, world

KILLS = 20
SEED = 20261122
PATIENCE = 240.0


@pytest.mark.slow
def test_a_service_killed_twenty_times_loses_doubles_and_repeats_nothing(tmp_path: Path) -> None:
    random_ = random.Random(SEED)
    with SlackMock(tmp_path / "slack.jsonl") as slack, world(tmp_path, slack=slack.url) as made:
        slack.fail(Fault(kind="500 after"), Fault(kind="hang after", seconds=2))
        for _ in range(KILLS):
            process = _service(made)
            time.sleep(random_.uniform(1.5, 7.0))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        _serve_until_told(made)
        archive, ledger = made.archive(), made.ledger()
        stored = stored_posts(forum_mentions(archive))
        unscored, incidents = archive.unscored(1), ledger.incidents.recent()
        archive.close()
        ledger.close()
    accepted = [json.loads(line) for line in (tmp_path / "slack.jsonl").read_text().splitlines()]
    assert len(stored) == len(set(stored))
    assert set(stored) == made.forum_posts()
    assert unscored == []
    assert len(incidents) == 1
    assert len([entry for entry in accepted if entry["what"] == "post"]) == 1


def _service(made: World) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "console", "run", "--config", str(made.file), "--port", "0"],
        env={**os.environ, "LYHORD_SLACK_TOKEN": "xoxb-test"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _serve_until_told(made: World) -> None:
    process = _service(made)
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(1)
            ledger = made.ledger()
            rows = [row for incident in ledger.incidents.recent() for row in ledger.outbox.of(incident.id)]
            ledger.close()
            if rows and all(row.ts and row.shown == row.version for row in rows):
                return
        pytest.fail("the alert was not out in time")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
