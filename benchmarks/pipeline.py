"""The whole way of a post, side by side with a pipeline of known good parts, in one run on one core.

Lyhord: intake (language, matching against 10,000 queries, pseudonym, redaction, near-duplicate check, score, storing with
full-text index) and counting: the production code, in batches of 500. Peer: lingua (six languages) + pyahocorasick (10,000
words) + vaderSentiment + datasketch MinHash LSH + SQLite with FTS5, in batches of 500; libraries at their defaults. Same
posts, each about at least one brand. The first batch of each side is not measured.

    python -m benchmarks.pipeline --posts 4000 --json
"""

import argparse
import hashlib
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import ahocorasick
from datasketch import MinHash, MinHashLSH
from lingua import Language, LanguageDetectorBuilder
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from benchmarks.matching import brands, query
from console.demo.story import BRAND, tell
from listener.archive import open_archive
from listener.config import Brand, Policy, Source
from listener.intake import Intake, Tools
from listener.ledger import open_ledger
from listener.mention import Signal
from listener.ports import Where
from listener.post import Post
from listener.pseudonym import pseudonymiser
from workers.scoring import open_scorer
from workers.scoring.language import identify_all
from workers.stages import score_pending

QUERIES = 10_000
BATCH = 500
STREAMED, PER_SECOND = 2_000, 200
END = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOURCE = Source(
    id="bench", kind="forum", address="http://127.0.0.1/", channel="forum",
    policy=Policy(basis="benchmark", retention=timedelta(days=3650), deletions="none"),
)  # fmt: skip


def posts(count: int) -> list[Post]:
    """Posts of the demo's world, told again and again with other seeds; every title names the brand."""
    found: list[Post] = []
    seed = 1
    while len(found) < count:
        for thread in tell(END, zone=ZoneInfo("Europe/Stockholm"), seed=seed).threads:
            found += [
                Post(
                    source=SOURCE.id,
                    native_id=f"{seed}-{post.id}",
                    url=f"http://127.0.0.1/{seed}/{post.id}",
                    text=post.text,
                    published_at=post.at,
                    author=f"{post.author}{seed}",
                    title=f"{thread.title} ({BRAND})",
                    thread=f"{seed}-{thread.id}",
                )
                for post in thread.posts
            ]
        seed += 1
    random.Random(1).shuffle(found)
    return found[:count]


def batches(items: Sequence[Post], size: int) -> Iterator[Sequence[Post]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Lyhord:
    """The production pipeline in one process."""

    def __init__(self, folder: Path) -> None:
        random_ = random.Random(1)
        names = brands(random_, QUERIES - 1)
        listened = [
            Brand(id=f"b{i}", name=name, queries=(query(random_, name),)) for i, name in enumerate(names)
        ]
        listened.append(Brand(id="fjelltele", name=BRAND, queries=(f"{BRAND.lower()}*",)))
        self.archive = open_archive(f"sqlite:///{folder / 'archive.db'}")
        self.ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
        tools = Tools.of(listened, pseudonymiser(b"benchmark" * 4), identify_all)
        self.scorer = open_scorer()
        self.intake = Intake(SOURCE, tools, self.archive, self.ledger, clock=lambda: END, scorer=self.scorer)

    def take(self, batch: Sequence[Post]) -> None:
        """In → stored, scored; the stage that scores looks for what is left, as in production."""
        self.intake.accept(batch, now=END)
        while score_pending(self.archive, self.scorer):
            pass

    def count(self) -> int:
        where = Where(brand="fjelltele")
        start = END - 36 * 24 * HOUR
        counted = self.archive.counts(where, list(Signal), start=start, end=END + HOUR, bucket=HOUR)
        return sum(counted[Signal.VOLUME])


class Peer:
    """The same steps with known good libraries."""

    def __init__(self, folder: Path) -> None:
        languages = [
            Language.SWEDISH,
            Language.BOKMAL,
            Language.NYNORSK,
            Language.DANISH,
            Language.FINNISH,
            Language.ENGLISH,
        ]
        self.detector = (
            LanguageDetectorBuilder.from_languages(*languages).with_preloaded_language_models().build()
        )
        self.automaton = ahocorasick.Automaton()
        for i, name in enumerate(brands(random.Random(1), QUERIES - 1)):
            self.automaton.add_word(name, i)
        self.automaton.add_word(BRAND.lower(), QUERIES)
        self.automaton.make_automaton()
        self.vader = SentimentIntensityAnalyzer()
        self.near = MinHashLSH(threshold=0.7)
        self.database = sqlite3.connect(folder / "peer.db")
        self.database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE post(id INTEGER PRIMARY KEY, native TEXT UNIQUE, author TEXT, at INTEGER, language TEXT, brands TEXT,"
            " sentiment REAL, original TEXT, text TEXT); CREATE INDEX post_at ON post(at);"
            "CREATE VIRTUAL TABLE words USING fts5(text, content='post', content_rowid='id');"
        )

    def take(self, batch: Sequence[Post]) -> None:
        rows = [self.row(post) for post in batch]
        with self.database:
            insert = (
                "INSERT OR IGNORE INTO post(native, author, at, language, brands, sentiment, original, text)"
                " VALUES (?,?,?,?,?,?,?,?)"
            )
            first = self.database.execute("SELECT coalesce(max(id), 0) FROM post").fetchone()[0]
            self.database.executemany(insert, rows)
            self.database.execute(
                "INSERT INTO words(rowid, text) SELECT id, text FROM post WHERE id > ?", (first,)
            )

    def row(self, post: Post) -> tuple[object, ...]:
        text = f"{post.title}\n{post.text}"
        language = self.detector.detect_language_of(post.text)
        found = sorted({number for _, number in self.automaton.iter(text.lower())})
        sketch = MinHash()
        words = post.text.lower().split()
        sketch.update_batch([" ".join(words[i : i + 3]).encode() for i in range(max(1, len(words) - 2))])
        copies = self.near.query(sketch)
        self.near.insert(post.id, sketch)
        sentiment = self.vader.polarity_scores(post.text)["compound"]
        author = hashlib.sha256(post.author.encode()).hexdigest()[:26]
        name = language.iso_code_639_1.name if language else "und"
        original = copies[0] if copies else None
        return (
            post.native_id,
            author,
            int(post.published_at.timestamp()),
            name,
            json.dumps(found),
            sentiment,
            original,
            post.text,
        )

    def count(self) -> int:
        rows = self.database.execute(
            "SELECT at / 3600, count(DISTINCT author) FROM post WHERE original IS NULL GROUP BY at / 3600"
        ).fetchall()
        return sum(count for _, count in rows)


def rate(pipeline: Lyhord | Peer, items: Sequence[Post]) -> float:
    """Posts per second of processor time, counting once a batch. The first batch is not measured:
    models are read, caches are empty."""
    warm_up, measured = items[:BATCH], items[BATCH:]
    pipeline.take(warm_up)
    pipeline.count()
    before = time.process_time()
    for batch in batches(measured, BATCH):
        pipeline.take(batch)
        pipeline.count()
    return len(measured) / (time.process_time() - before)


def latencies(pipeline: Lyhord, items: Sequence[Post], per_second: int) -> list[float]:
    """Seconds from a post's arrival to its being counted, at a steady stream: whatever has arrived is taken as one batch."""
    pipeline.take(items[:1])
    waited: list[float] = []
    start = time.perf_counter()
    done = 0
    while done < len(items):
        arrived = min(len(items), int((time.perf_counter() - start) * per_second))
        if arrived == done:
            time.sleep(0.002)
            continue
        pipeline.take(items[done:arrived])
        pipeline.archive.counts(
            Where(brand="fjelltele"), [Signal.VOLUME], start=END - HOUR, end=END, bucket=HOUR
        )
        now = time.perf_counter() - start
        waited += [now - number / per_second for number in range(done, arrived)]
        done = arrived
    return waited


def measure(count: int, rounds: int) -> dict[str, object]:
    items = posts(count + BATCH)
    ours, theirs = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(rate(Lyhord(Path(folder)), items))
        with tempfile.TemporaryDirectory() as folder:
            theirs.append(rate(Peer(Path(folder)), items))
    with tempfile.TemporaryDirectory() as folder:
        waited = sorted(latencies(Lyhord(Path(folder)), items[:STREAMED], PER_SECOND))
    lyhord, peer = statistics.median(ours), statistics.median(theirs)
    return {
        "posts": count,
        "queries": QUERIES,
        "lyhord_per_second": round(lyhord),
        "peer_per_second": round(peer),
        "ratio": round(lyhord / peer, 2),
        "latency_p50_ms": round(waited[len(waited) // 2] * 1000, 1),
        "latency_p99_ms": round(waited[int(len(waited) * 0.99)] * 1000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    arguments = parser.parse_args()
    result = measure(arguments.posts, arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"Lyhord {result['lyhord_per_second']}/s, peer {result['peer_per_second']}/s: {result['ratio']}x")
    print(
        f"at 200 posts/s, from arrival to counted: p50 {result['latency_p50_ms']} ms, p99 {result['latency_p99_ms']} ms"
    )


if __name__ == "__main__":
    main()
