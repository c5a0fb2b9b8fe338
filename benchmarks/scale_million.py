"""Searching, counting and looking at archives that grow to a million mentions of the last eight weeks. The newest come first and
the past is added behind them, so that each size has the same last hours."""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.follow import Hearing
from alerts.watch import watch
from benchmarks.archive import BATCH, QUERIES, START, make_mentions, make_score
from benchmarks.scale_ingest import own_indices
from listener.archive import open_archive
from listener.config import Brand, Config, Rule
from listener.ledger import open_ledger
from listener.mention import Mention, Signal
from listener.ports import Archive, Where

HOUR, WEEKS = timedelta(hours=1), timedelta(weeks=8)
END = START + timedelta(days=60)
BRAND = Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele*",))
RULE = Rule(id="worry", brand="fjelltele", signals=(Signal.ANXIETY, Signal.COMPLAINTS))
CONFIG = Config(brands=(BRAND,), rules=(RULE,))
TIMES = 30


def measure(number: int, folder: Path) -> dict[str, Any]:
    mentions = _mentions(number)
    result: dict[str, Any] = {}
    with own_indices() as address:
        for kind, url in (("sqlite", f"sqlite:///{folder / 'archive.db'}"), ("elasticsearch", address)):
            archive = open_archive(url)
            for name, value in _grow(archive, mentions, folder / f"{kind}.db"):
                result[f"{kind}: {name}"] = value
                sys.stderr.write(f"{kind}: {name}: {value}\n")  # it takes half an hour: say how far it is
                sys.stderr.flush()
            archive.close()
    return result


def _mentions(number: int) -> list[Mention]:
    """Newest first, each with a score."""
    chance = random.Random(3)
    scored = [replace(mention, score=make_score(chance)) for mention in make_mentions(number)]
    return sorted(scored, key=lambda mention: mention.published_at, reverse=True)


def _grow(archive: Archive, mentions: Sequence[Mention], ledger: Path) -> Iterator[tuple[str, Any]]:
    sizes = [size for size in (10_000, 100_000, 1_000_000) if size < len(mentions)] + [len(mentions)]
    done = 0
    for size in sizes:
        began = time.perf_counter()
        for start in range(done, size, BATCH):
            archive.add(mentions[start : min(start + BATCH, size)])
        yield f"added per second up to {size:,}", round((size - done) / (time.perf_counter() - began))
        yield f"tick at {size:,}, ms", _tick(archive, ledger.with_suffix(f".{size}.db"))
        done = size
    yield from _latencies(archive)


def _latencies(archive: Archive) -> Iterator[tuple[str, Any]]:
    for name, where in QUERIES.items():
        yield f"newest 50: {name}, p95 ms", _p95(lambda where=where: archive.search(where, limit=50))  # type: ignore[misc]
    yield "all brands, 8 weeks by hour: first, ms", _p95(lambda: _histogram(archive, 1), times=1)
    yield "all brands, 8 weeks by hour: again, p95 ms", _p95(lambda: _histogram(archive, 1))
    fresh = iter(range(2, 2 + TIMES))
    yield (
        "all brands, 8 weeks by hour: another span each time, p95 ms",
        _p95(lambda: _histogram(archive, next(fresh))),
    )


def _histogram(archive: Archive, hours_back: int) -> None:
    end = END - hours_back * HOUR
    archive.counts(Where(), list(Signal), start=end - WEEKS, end=end, bucket=HOUR)


def _tick(archive: Archive, ledger_file: Path) -> dict[str, float]:
    """The first look learns; the next ones are what a service does every minute."""
    ledger = open_ledger(f"sqlite:///{ledger_file}")
    looks = iter(range(TIMES + 1))

    def look() -> None:
        watch(
            RULE,
            config=CONFIG,
            brand=BRAND,
            archive=archive,
            incidents=ledger.incidents,
            notes=ledger,
            heard={},
            hearing=Hearing(),
            channels=(),
            told=lambda incident: False,
            now=END - HOUR * 3 + timedelta(minutes=5 * next(looks)),
        )

    first = _p95(look, times=1)
    times = [_milliseconds(look) for _ in range(TIMES)]
    ledger.close()
    return {"first": first, "p50": round(statistics.median(times), 1), "p95": _rank(times)}


def _p95(work: Callable[[], object], times: int = TIMES) -> float:
    return _rank([_milliseconds(work) for _ in range(times)])


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def _rank(times: Sequence[float]) -> float:
    return round(sorted(times)[int(len(times) * 0.95)], 1)
