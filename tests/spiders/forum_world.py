"""A memory of what a forum crawl stored, kept between runs as ledger and archive would."""

import dataclasses
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from listener.config import Source
from listener.ports import Batch, Page, Tally
from listener.post import Post, post_id
from spiders.collector import Context, Report
from spiders.forum.plan import THREAD, Ask, Step
from spiders.forum.reading import read_page
from spiders.forum.walk import Walk
from spiders.sources.forum import COLLECTOR
from tests.spiders.reading import NOW, Job, MemoryFrontier, Reading, make_source, read


def collect(context: Context) -> Tally:
    return COLLECTOR.collect(context)


@dataclass
class Walked:
    pages: int = 0
    batches: int = 0
    warnings: list[str] = field(default_factory=list)


def answer(walk: Walk, ask: Ask, context: Context, walked: Walked) -> Step:
    """Fetch a page and tell the walk what it says."""
    walked.pages += 1
    words, status, body = "", 200, ""
    try:
        with urllib.request.urlopen(ask.url, timeout=10) as response:
            body = response.read().decode()
    except urllib.error.HTTPError as e:
        words, status = f"answered {e.code}", e.code
        e.close()

    def remember(*, newest: datetime | None = None, **values: Any) -> Page:
        known = context.frontier.get(context.source.id, ask.url)
        page = Page(source=context.source.id, url=ask.url, fetched_at=context.now, **values)
        kept = replace(page, newest_post_at=newest, state="ok")
        gone = "gone" if status in {404, 410} else "failed"
        return replace(kept, state=gone, marker=known.marker if known else "", error=words) if words else kept

    if words:
        return walk.failed(ask, status, words, remember)
    view = read_page(
        body,
        ask.url,
        now=context.now,
        zone=UTC,
        above=ask.above,
        is_thread=ask.role == THREAD,
        place=walk.place,
    )
    return walk.read(ask, view, remember)


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

    def walk(
        self, address: str, *, now: datetime = NOW, recheck: bool = False, stop_after: int | None = None
    ) -> "Walked":
        """One run in this very process, with a plain HTTP client in Scrapy's place: quick."""
        self.new, self.edited, self.gone, self.seen = [], [], [], Counter()
        held = self.held()
        context = Context(
            source=make_source(address, id="forum", kind="forum"),
            frontier=MemoryFrontier(list(self.frontier.pages.values())),
            noted=lambda key: self.notes.get(key, ""),
            held=lambda thread: held.get(thread, frozenset()),
            sink=self.take,
            now=now,
            recheck=recheck,
        )
        walked = Walked()
        walk = Walk(context, Report().post, depth=4)
        asks: list[Ask] = []
        steps = [walk.begin([address])]
        while steps and (stop_after is None or walked.batches < stop_after):
            step = steps.pop()
            walked.warnings += step.warnings
            self.take(step.batch)
            walked.batches += 1
            asks = sorted([*asks, *step.asks], key=lambda ask: ask.priority)
            if asks:
                steps.append(answer(walk, asks.pop(), context, walked))
            elif (last := walk.end()) is not None:
                self.take(last)
        return walked

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
