"""A memory of what a forum crawl stored, kept between runs as ledger and archive would."""

import dataclasses
from collections import Counter
from datetime import datetime
from typing import Any

from listener.config import Source
from listener.ports import Batch, Tally
from listener.post import Post, post_id
from spiders.collector import Context
from spiders.sources.forum import COLLECTOR
from tests.spiders.reading import NOW, Job, MemoryFrontier, Reading, make_source, read


def collect(context: Context) -> Tally:
    return COLLECTOR.collect(context)


class World:
    """Posts by native id, the frontier and the notes. `new`, `edited`, `gone`: what the latest run did."""

    def __init__(self) -> None:
        self.posts: dict[str, Post] = {}
        self.frontier = MemoryFrontier()
        self.notes: dict[str, str] = {}
        self.new: list[str] = []
        self.edited: list[str] = []
        self.gone: list[str] = []
        self.seen: Counter[str] = Counter()

    def take(self, batch: Batch) -> None:
        for post in batch.posts:
            old = self.posts.get(post.native_id)
            if old is None:
                self.new.append(post.native_id)
            elif (old.text, old.title) != (post.text, post.title):
                self.edited.append(post.native_id)
            self.seen[post.native_id] += 1
            self.posts[post.native_id] = post
        for thread, ids in batch.thread_complete:
            lost = [i for i, p in self.posts.items() if p.thread == thread and i not in ids]
            self.gone += lost
            for native_id in lost:
                del self.posts[native_id]
        self.frontier.save(batch.pages)
        self.notes |= batch.notes

    def held(self) -> dict[str, frozenset[str]]:
        threads = {post.thread for post in self.posts.values()}
        return {
            t: frozenset(post_id(p.source, i) for i, p in self.posts.items() if p.thread == t)
            for t in threads
        }

    def crawl(
        self,
        address: str,
        *,
        now: datetime = NOW,
        recheck: bool = False,
        stop_after: int | None = None,
        within: float = 60,
        **changes: Any,
    ) -> Reading:
        """One run; `stop_after`: the process died after so many batches, the rest was never stored."""
        self.new, self.edited, self.gone, self.seen = [], [], [], Counter()
        source: Source = make_source(address, **{"id": "forum", "kind": "forum", **changes})
        job = Job(
            reader="tests.spiders.forum_world:collect",
            source=source,
            pages=list(self.frontier.pages.values()),
            notes=self.notes,
            held=self.held(),
            now=now,
            recheck=recheck,
        )
        reading = read(job, within=within)
        batches = reading.batches if stop_after is None else reading.batches[:stop_after]
        for batch in batches:
            self.take(batch)
        return dataclasses.replace(reading, batches=batches)
