"""Run one collector in a process of its own, as the service does (a reactor starts only once per process)."""

import importlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from listener.config import Source
from listener.errors import LyhordError, StoreError
from listener.ports import Batch, Page, Tally
from listener.post import Post
from spiders.collector import Context

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class MemoryFrontier:
    """The Frontier port, in memory."""

    def __init__(self, pages: Sequence[Page] = ()) -> None:
        self.pages = {(page.source, page.url): page for page in pages}

    def get(self, source: str, url: str) -> Page | None:
        return self.pages.get((source, url))

    def save(self, pages: Sequence[Page]) -> None:
        self.pages |= {(page.source, page.url): page for page in pages}

    def of_thread(self, source: str, thread: str) -> list[Page]:
        own = [p for p in self.pages.values() if p.source == source and p.thread == thread]
        return sorted(own, key=lambda p: p.number)

    def due(self, source: str, now: datetime, limit: int) -> list[Page]:
        own = [(p.next_at, p) for p in self.pages.values() if p.source == source and p.next_at is not None]
        return [p for at, p in sorted(own, key=lambda row: row[0]) if at <= now][:limit]

    def count(self, source: str) -> int:
        return sum(p.source == source for p in self.pages.values())


@dataclass(frozen=True, kw_only=True)
class Job:
    """`reader`: "module:name" of a function that takes a Context and returns a Tally."""

    reader: str
    source: Source
    pages: Sequence[Page] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    now: datetime = NOW
    recheck: bool = False
    refuse_batch: int = -1
    """The store refuses this batch, counted from 0."""
    refusal: Exception = field(default_factory=lambda: StoreError("the disk is full"))


@dataclass(frozen=True)
class Reading:
    tally: Tally | None
    batches: list[Batch]
    error: LyhordError | None = None
    said: str = ""
    """Everything the process wrote to its standard output and error."""

    @property
    def done(self) -> Tally:
        assert self.tally is not None, self.error
        return self.tally

    @property
    def posts(self) -> list[Post]:
        return [post for batch in self.batches for post in batch.posts]

    @property
    def pages(self) -> list[Page]:
        return [page for batch in self.batches for page in batch.pages]

    @property
    def notes(self) -> dict[str, str]:
        return {key: value for batch in self.batches for key, value in batch.notes.items()}

    @property
    def gone(self) -> list[str]:
        return [one for batch in self.batches for one in batch.gone]


def make_source(address: str, **changes: Any) -> Source:
    values: dict[str, Any] = {
        "id": "test",
        "kind": "test",
        "address": address,
        "channel": "forum",
        "delay": timedelta(0),
        "allow_private": True,
    }
    return Source(**{**values, **changes})


def make_context(job: Job, batches: list[Batch]) -> Context:
    def sink(batch: Batch) -> None:
        if len(batches) == job.refuse_batch:
            raise job.refusal
        batches.append(batch)

    return Context(
        source=job.source,
        frontier=MemoryFrontier(job.pages),
        noted=lambda key: job.notes.get(key, ""),
        held=lambda thread: job.held.get(thread, frozenset()),
        sink=sink,
        now=job.now,
        recheck=job.recheck,
        secrets=job.secrets,
    )


def _child(job: Job, answer: Connection) -> None:
    batches: list[Batch] = []
    module, _, name = job.reader.partition(":")
    reader: Callable[[Context], Tally] = getattr(importlib.import_module(module), name)
    with tempfile.TemporaryFile("w+") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        tally, error = None, None
        try:
            tally = reader(make_context(job, batches))
        except LyhordError as e:
            error = e
        sys.stdout.flush()
        sys.stderr.flush()
        said.seek(0)
        answer.send(Reading(tally, batches, error, said.read()))


def read(job: Job, *, meanwhile: Callable[[int], None] | None = None, within: float = 20) -> Reading:
    """Run a job in its own process; `meanwhile` is given that process's id."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spiders.crawling", "scrapy.core.downloader.handlers.http11"])
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(job, theirs))
    process.start()
    theirs.close()
    try:
        if meanwhile is not None and process.pid is not None:
            meanwhile(process.pid)
        if not mine.poll(within):
            raise AssertionError(f"the reading did not end within {within} s")
        reading: Reading = mine.recv()
        return reading
    finally:
        process.join(5)
        process.kill()
        process.join()
