"""Scoring by real Celery workers: how it scales from one process to two, and what Celery itself costs.

The mentions are the demo's texts, told with other seeds, stored without a score; ledger on PostgreSQL, archive on Elasticsearch,
broker Redis. CPU seconds are those of the worker's processes, read from the system.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from benchmarks.pipeline import SOURCE, posts
from benchmarks.scale_ingest import own_indices
from console.demo.story import BRAND
from listener import settings
from listener.archive.elastic.names import Names
from listener.config import Brand
from listener.intake import Tools, to_mentions
from listener.mention import Mention
from listener.pseudonym import pseudonymiser
from tests import databases, services
from workers import stages
from workers.clock import utc_now
from workers.runtime import open_runtime
from workers.scoring.language import identify_all

BATCH = 500
PATIENCE = 600.0
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Scoring from the first tenth of the mentions to the last: start and warming up are left out."""

    mentions: int
    seconds: float
    cpu: float


def scaling(number: int, folder: Path) -> dict[str, Any]:
    """Mentions scored a second by workers of one process and of two."""
    mentions = _unscored(number)
    found = {processes: _by_worker(mentions, folder / str(processes), processes) for processes in (1, 2)}
    rates = {processes: stretch.mentions / stretch.seconds for processes, stretch in found.items()}
    return {
        "mentions": number,
        **{f"a second by {processes}": round(rate) for processes, rate in rates.items()},
        "two over one": round(rates[2] / rates[1], 2),
        "cores": os.cpu_count(),
    }


def overhead(number: int, folder: Path) -> dict[str, Any]:
    """CPU of a worker that scores, beside that of the same stage called directly by a process of its own."""
    mentions = _unscored(number)
    worker, direct = _by_worker(mentions, folder / "worker", 1), _directly(mentions, folder / "direct")
    each = {"by a worker": worker.cpu / worker.mentions, "directly": direct.cpu / direct.mentions}
    return {
        "mentions": number,
        **{f"CPU {name}, ms a mention": round(value * 1000, 4) for name, value in each.items()},
        "share of Celery": round(1 - each["directly"] / each["by a worker"], 3),
    }


def _unscored(number: int) -> list[Mention]:
    tools = Tools.of(
        [Brand(id="fjelltele", name=BRAND, queries=(f"{BRAND.lower()}*",))],
        pseudonymiser(b"benchmark" * 4),
        identify_all,
    )
    assert SOURCE.policy
    return to_mentions(posts(number), SOURCE, tools, retention=SOURCE.policy.retention, now=utc_now())


@contextmanager
def _filled(mentions: Sequence[Mention], folder: Path) -> Iterator[Path]:
    """The file of a Lyhord whose archive holds these mentions."""
    folder.mkdir()
    file = folder / "lyhord.toml"
    with own_indices() as archive, databases.database() as ledger:
        shown, password = settings.split_password(ledger)
        settings.hand_down(ledger_password=password)
        broker = services.redis().removesuffix("/0") + "/9"
        file.write_text(
            f'[storage]\ndata = \'{folder}\'\nledger = "{shown}"\narchive = "{archive}"\nbroker = "{broker}"\n'
        )
        runtime = open_runtime(file)
        for start in range(0, len(mentions), BATCH):
            runtime.archive.add(mentions[start : start + BATCH])
        runtime.close()
        yield file


def _by_worker(mentions: Sequence[Mention], folder: Path, processes: int) -> Stretch:
    with _filled(mentions, folder) as file:
        environment = {**os.environ, "LYHORD_CONFIG": str(file)}
        celery = [sys.executable, "-m", "celery", "-A", "workers.app"]
        worker = subprocess.Popen(
            [*celery, "worker", "-Q", "lyhord.score", "-c", str(processes), "--loglevel", "WARNING"],
            env=environment,
            start_new_session=True,
        )
        try:
            for _ in range(processes):
                subprocess.run(
                    [*celery, "call", "lyhord.score"], env=environment, check=True, capture_output=True
                )
            return _watched(_Server(file), len(mentions), lambda: _cpu_of(worker.pid))
        finally:
            os.killpg(worker.pid, signal.SIGTERM)
            worker.wait(timeout=60)


def _directly(mentions: Sequence[Mention], folder: Path) -> Stretch:
    with _filled(mentions, folder) as file:
        runtime = open_runtime(file)
        first = len(mentions) // 10
        while first > 0:
            first -= stages.score_pending(runtime.archive, runtime.scorer)
        done = len(mentions) // 10 - first
        began, cpu = time.perf_counter(), time.process_time()
        stages.score_all(runtime)
        stretch = Stretch(len(mentions) - done, time.perf_counter() - began, time.process_time() - cpu)
        runtime.close()
        return stretch


class _Server:
    """How many mentions have a score, asked of the server itself."""

    def __init__(self, file: Path) -> None:
        names = Names.of(settings.archive_url(settings.load(file)))
        self._client, self._alias = Elasticsearch(names.address), names.alias

    def scored(self) -> int:
        self._client.indices.refresh(index=self._alias)
        counted: int = self._client.count(index=self._alias, query={"exists": {"field": "lyhord.model"}})[
            "count"
        ]
        return counted


def _watched(server: _Server, number: int, cpu: Callable[[], float]) -> Stretch:
    deadline = time.monotonic() + PATIENCE
    first: tuple[int, float, float] | None = None
    while (scored := server.scored()) < number:
        if first is None and scored >= number // 10:
            first = (scored, time.perf_counter(), cpu())
        if time.monotonic() > deadline:
            raise SystemExit(f"scored {scored} of {number} within {PATIENCE} s")
        time.sleep(0.2)
    if first is None:
        raise SystemExit(f"{number} mentions are too few to be watched: want more")
    return Stretch(number - first[0], time.perf_counter() - first[1], cpu() - first[2])


def _cpu_of(session: int) -> float:
    """Seconds that the processes of a session have used, with those of their children that have ended."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            total += sum(int(value) for value in fields[11:15])
    return total / _TICK
