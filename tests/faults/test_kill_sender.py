"""kill -9 of the sender at twenty random points, while Slack answers late, not at all, or after accepting:
exactly one message for each incident, in its newest state."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.slack_mock import Fault, SlackMock
from listener.incident import State
from listener.ledger import open_ledger
from listener.ports import Ledger
from tests.alerts.fakes import incident

KILLS = 20
SEED = 20261122
CHANNEL = "C0CRISIS"
FAULTS = (
    Fault(kind="500 after"),
    Fault(kind="close after"),
    Fault(kind="reset after"),
    Fault(kind="hang after", seconds=0.5),
    Fault(kind="500"),
    Fault(kind="ratelimited"),
    Fault(kind="slow", seconds=0.4),
)


@pytest.mark.slow
def test_a_sender_killed_twenty_times_sends_each_incident_once(tmp_path: Path) -> None:
    random_ = random.Random(SEED)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = open_ledger(url)
    with SlackMock(tmp_path / "slack.jsonl") as slack:
        for number in range(KILLS):
            _open_incident(ledger, number)
            if random_.random() < 0.6:
                slack.fail(random_.choice(FAULTS))
            _send(url, slack.url, seconds=random_.uniform(0.0, 0.8))
        for number in range(KILLS):
            _end_incident(ledger, number)
        _send_until_all_is_shown(url, slack.url, ledger)
        shown = slack.messages(CHANNEL)
    accepted = map(json.loads, (tmp_path / "slack.jsonl").read_text().splitlines())
    posts = Counter(entry["key"] for entry in accepted if entry["what"] == "post")
    ledger.close()
    assert len(posts) == KILLS
    assert max(posts.values()) == 1, "an incident was posted twice"
    assert len(shown) == KILLS
    assert all("Över" in message.text or "över" in message.text for message in shown)


def _open_incident(ledger: Ledger, number: int) -> None:
    fresh = incident(id=f"incident-{number}", rule=f"rule-{number}")
    assert ledger.incidents.save(fresh, was=None, now=datetime.now(UTC), channels=[CHANNEL])


def _end_incident(ledger: Ledger, number: int) -> None:
    was = ledger.incidents.get(f"incident-{number}")
    assert was is not None
    over = replace(was, state=State.OVER, ended_at=was.spiked_at)
    assert ledger.incidents.save(over, was=was, now=datetime.now(UTC), channels=[CHANNEL])


def _sender(url: str, slack: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.sender", url, slack], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _send(url: str, slack: str, *, seconds: float) -> None:
    process = _sender(url, slack)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _send_until_all_is_shown(url: str, slack: str, ledger: Ledger) -> None:
    process = _sender(url, slack)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            rows = [row for number in range(KILLS) for row in ledger.outbox.of(f"incident-{number}")]
            if all(row.state == "sent" and row.shown == row.version for row in rows):
                return
            time.sleep(0.2)
        pytest.fail(
            f"not all was shown within a minute: {[row for row in rows if row.shown != row.version][:3]}"
        )
    finally:
        process.kill()
        process.communicate()
