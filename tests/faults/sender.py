"""A sender in a process of its own, for the fault tests: delivers what is due again and again until it is killed.

python -m tests.faults.sender LEDGER_URL SLACK_URL
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.delivery import Timing, deliver
from alerts.message import Links, Message, build
from alerts.slack import SlackNotifier
from listener.incident import Incident
from listener.ledger import open_ledger

SHORT = Timing(
    lease=timedelta(seconds=1.5),
    look_again=timedelta(seconds=0.3),
    first_retry=timedelta(seconds=0.1),
    longest_retry=timedelta(seconds=0.5),
)


def render(incident: Incident) -> Message:
    return build(incident, brand="Fjelltele", language="sv", zone=ZoneInfo("Europe/Stockholm"), links=Links())


def main() -> None:
    ledger = open_ledger(sys.argv[1])
    notifier = SlackNotifier("xoxb-test", base_url=sys.argv[2])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for round_ in range(6_000):
        owner = f"{os.getpid()}-{round_}"
        deliver(
            ledger.outbox,
            ledger.incidents,
            notifier,
            render,
            clock=lambda: datetime.now(UTC),
            owner=owner,
            timing=SHORT,
        )
        time.sleep(0.02)


if __name__ == "__main__":
    main()
