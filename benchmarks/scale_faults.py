"""Faults at random moments in a running cluster (`tests.faults.cluster`): what is lost or doubled, how soon all is well again."""

import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.cluster import CHANNEL, ROLES, Cluster, cluster, voices

SEED = 20261122
MEASURED_EVERY = 10
"""One kill in so many is followed by measuring the recovery; the others come in quick succession."""


def measure(kills: int, folder: Path) -> dict[str, Any]:
    chance, recoveries = random.Random(SEED), []
    with cluster(folder) as made:
        began = datetime.now(UTC).replace(microsecond=0)  # as exact as a feed tells
        made.seconds_until_found(made.feed.add(), 90)
        made.learnt(within=120)
        for number in range(1, kills + 1):
            time.sleep(chance.uniform(0.1, 3.0))
            made.feed.add(worried=number > kills // 2)
            made.kill(chance.choice(list(ROLES)))
            if number % MEASURED_EVERY == 0:
                recoveries.append(made.seconds_until_found(made.feed.add(), 120))
        return {"kills": kills, **_outcome(made, began), **_spread(recoveries)}


def _outcome(made: Cluster, began: datetime) -> dict[str, Any]:
    """What was written beside what is stored and counted, once all is quiet."""
    made.seconds_until_found(made.feed.add(), 120)
    made.told(within=120)
    ledger, archive = made.stores()
    try:
        stored = made.stored(archive, since=began)
        wanted = {item.text for item in made.feed.items}
        return {
            "written": len(wanted),
            "lost": len(wanted - set(stored)),
            "stored twice": len(stored) - len(set(stored)),
            "counted": voices(archive, made.feed.items),
            "incidents": len(ledger.incidents.recent()),
            "messages": len(made.slack.messages(CHANNEL)),
        }
    finally:
        archive.close()
        ledger.close()


def _spread(seconds: list[float]) -> dict[str, Any]:
    """From a kill until what was written after it is found; the source is read every 10 s."""
    ordered = sorted(seconds)
    return (
        {
            "recoveries measured": len(ordered),
            "recovery p50, s": round(ordered[len(ordered) // 2], 1),
            "recovery p95, s": round(ordered[int(len(ordered) * 0.95)], 1),
        }
        if ordered
        else {}
    )
