"""How fast the SQLite archive stores, searches and counts.

    python -m benchmarks.archive --mentions 50000 --json

Mentions are generated (seeded): 10–45 words by Zipf's law, one in twenty a near-copy. The file is made in a temporary folder.
"""

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from listener.archive import open_archive
from listener.mention import Mention, Polarity, Score, Signal
from listener.ports import Archive, Dimension, Where
from listener.query import parse

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 500
VOCABULARY = 40_000
QUERIES = {
    "newest": Where(),
    "newest of a brand": Where(brand="fjelltele"),
    "frequent word": Where(brand="fjelltele", query=parse("ord3")),
    "rare word": Where(brand="fjelltele", query=parse("ord39000")),
    "phrase": Where(query=parse('"ord1 ord2"')),
    "near": Where(query=parse("ord4 NEAR/5 ord9")),
    "prefix and not": Where(query=parse("ord12* -ord1")),
    "word and field": Where(query=parse("ord5 lang:nb -channel:news")),
    "anxious": Where(brand="fjelltele", signal=Signal.ANXIETY),
}


def make_mentions(number: int) -> list[Mention]:
    chance = random.Random(1)
    weights = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
    words = [f"ord{rank}" for rank in range(VOCABULARY)]
    step = timedelta(days=60) / number
    mentions: list[Mention] = []
    for at in range(number):
        text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(10, 45)))
        if mentions and chance.random() < 0.05:
            text = chance.choice(mentions[-2000:]).text + " #delat"
        published_at = START + at * step
        mentions.append(
            Mention(
                id=f"{chance.getrandbits(128):032x}",
                source=f"forum-{at % 7}",
                kind="discourse",
                channel=chance.choice(("forum", "social", "review", "news")),
                owned=False,
                url=f"https://forum{at % 7}.example.se/t/{at // 12}#{at}",
                author=f"{chance.randrange(number // 4 + 1):026d}",
                title=f"Tråd {at // 12}",
                text=text,
                language=chance.choice(("sv", "sv", "nb", "da")),
                brands=("fjelltele",) if at % 3 else ("nordfly", "skogsel"),
                published_at=published_at,
                fetched_at=published_at,
                retention_until=published_at + timedelta(days=90),
                thread=str(at // 12),
            )
        )
    return mentions


def make_score(chance: random.Random) -> Score:
    anxiety, complaint = chance.random(), chance.random()
    return Score(
        language="sv",
        sentiment=chance.uniform(-1, 1),
        anxiety=anxiety,
        complaint=complaint,
        is_anxious=anxiety > 0.9,
        is_complaint=complaint > 0.7,
        polarity=chance.choice(list(Polarity)),
        themes=("price",) if chance.random() < 0.3 else (),
        model="benchmark",
    )


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_ms(work: Callable[[], object], times: int = 9) -> float:
    return round(statistics.median(seconds(work) for _ in range(times)) * 1000, 2)


def add_all(archive: Archive, mentions: list[Mention]) -> None:
    for at in range(0, len(mentions), BATCH):
        archive.add(mentions[at : at + BATCH])


def score_all(archive: Archive) -> None:
    chance = random.Random(2)
    while unscored := archive.unscored(BATCH):
        archive.save_scores({mention.id: (mention.revision, make_score(chance)) for mention in unscored})


def measure(number: int, folder: Path) -> dict[str, float]:
    mentions = make_mentions(number)
    archive = open_archive(f"sqlite:///{folder / 'archive.db'}")
    cpu = time.process_time()
    wall = seconds(lambda: add_all(archive, mentions))
    cpu = time.process_time() - cpu
    result: dict[str, float] = {
        "mentions": number,
        "added per second": round(number / wall),
        "added per CPU second": round(number / cpu),
        "seen again per second": round(BATCH / seconds(lambda: archive.add(mentions[:BATCH]))),
        "scored per second": round(number / seconds(lambda: score_all(archive))),
        "bytes per mention": round(sum(file.stat().st_size for file in folder.iterdir()) / number),
    }
    for name, where in QUERIES.items():
        result[f"search {name}, ms"] = median_ms(lambda where=where: archive.search(where))  # type: ignore[misc]
    end, hour = START + timedelta(days=60), timedelta(hours=1)
    spans = {"counts of 60 days by hour": 60, "counts of 1 day by hour": 1}
    for name, days in spans.items():
        start = end - timedelta(days=days)
        result[f"{name}, ms"] = median_ms(
            lambda start=start: archive.counts(  # type: ignore[misc]
                Where(brand="fjelltele"), list(Signal), start=start, end=end, bucket=hour
            ),
            times=3,
        )
    result |= measure_weeks(archive, folder / "archive.db", mentions)
    day = Where(brand="fjelltele", start=end - timedelta(days=1))
    result["themes of 1 day, ms"] = median_ms(lambda: archive.breakdown(day, Dimension.THEME))
    result["erase one, ms"] = round(seconds(lambda: archive.erase([mentions[number // 2].id])) * 1000, 1)
    archive.close()
    return result


def measure_weeks(archive: Archive, path: Path, mentions: list[Mention]) -> dict[str, float]:
    """Voices per hour of all brands over eight weeks: when none is kept, when all are, and after each of some batches that came
    in between; and the newest 50."""
    end, hour = START + timedelta(days=60), timedelta(hours=1)

    def weeks() -> object:
        start = end - timedelta(weeks=8)
        return archive.counts(Where(), list(Signal), start=start, end=end, bucket=hour)

    def forget() -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM hourly")
        connection.close()

    def edit() -> None:
        edited = mentions[-BATCH:]
        archive.add([replace(mention, text=f"{mention.text} {random.random()}") for mention in edited])

    name = "counts_all_brands_hourly_8_weeks"
    return {
        **percentiles(f"{name}, cold", weeks, times=20, before=forget),
        **percentiles(f"{name}, warm", weeks, times=200),
        **percentiles(f"{name}, after adding", weeks, times=20, before=edit),
        **percentiles("search newest 50", lambda: archive.search(Where()), times=200),
        **percentiles(
            "search newest 50 of a word",
            lambda: archive.search(Where(brand="fjelltele", query=parse("ord3"))),
            times=200,
        ),
    }


def percentiles(
    name: str, work: Callable[[], object], *, times: int, before: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Milliseconds. `before` each time, and not measured."""
    taken = []
    for _ in range(times):
        before()
        taken.append(seconds(work) * 1000)
    at = statistics.quantiles(taken, n=20)
    return {f"{name}, p50 ms": round(at[9], 2), f"{name}, p95 ms": round(at[18], 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mentions", type=int, default=50_000, help="how many (default 50,000)")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    asked = parser.parse_args()
    if asked.mentions < BATCH:
        parser.error(f"--mentions {asked.mentions}: want at least {BATCH}")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(asked.mentions, Path(folder))
    for name, value in result.items():
        sys.stdout.write(f"{name:56} {value:>12,}\n")
    if asked.json:
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
