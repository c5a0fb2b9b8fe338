"""Kind `feed`: RSS, Atom or JSON Feed, of articles or of comments.

What left the feed's window is not deleted, so nothing is ever reported gone. When nothing of the last window is
left in the new one, posts in between may have been missed, and that is said.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from scrapy.http import Response, TextResponse

from listener.ports import Batch, Tally
from listener.post import Post, plausible_time
from spiders.collector import Context
from spiders.crawling import ListeningSpider, crawl
from spiders.feed.document import linked_feed, not_a_feed, text_of_feed
from spiders.feed.entries import Entry, Feed, parse

MAX_WINDOW = 500
"""Ids of the newest window that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`[sources.options]` of a feed."""

    follow_link: bool = True
    """When the address is a web page that names its feed, read that feed."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a feed showed when it was last read: ids (shortened) and the newest time."""

    ids: frozenset[str]
    newest: datetime

    @staticmethod
    def of(posts: list[Post]) -> "Window":
        newest_first = sorted(posts, key=lambda post: post.published_at, reverse=True)[:MAX_WINDOW]
        return Window(frozenset(post.id[:12] for post in newest_first), newest_first[0].published_at)

    @staticmethod
    def read(note: str) -> "Window | None":
        if not note:
            return None
        stored = json.loads(note)
        return Window(frozenset(stored["ids"]), datetime.fromisoformat(stored["newest"]))

    def note(self) -> str:
        return json.dumps({"ids": sorted(self.ids), "newest": self.newest.isoformat()})


def gap(before: Window | None, posts: list[Post]) -> str:
    """In words, what may have been missed between two windows; "" when they overlap, or the feed is not full."""
    if before is None or len(posts) < len(before.ids) or any(p.id[:12] in before.ids for p in posts):
        return ""
    oldest = min(post.published_at for post in posts)
    return (
        f"posts between {_minute(before.newest)} and {_minute(oldest)} may be missing: "
        "nothing that the feed showed last time is left in it; read it more often"
    )


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class FeedSpider(ListeningSpider):
    """Reads one feed, and at most one page on the way to it."""

    options_type = Options

    def parse(self, response: Response, followed: bool = False) -> Iterator[Any]:
        if self.problem(response):
            yield Batch(pages=[self.remember(response, role="feed")])
            self.fail_with(response)
        elif self.unchanged(response):
            yield Batch(pages=[self.remember(response, role="feed")])
        else:
            yield from self._read(response, followed=followed)

    def _read(self, response: Response, *, followed: bool) -> Iterator[Any]:
        content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
        feed = parse(text_of_feed(response.body, content_type), response.url)
        if feed is not None:
            yield self._batch(response, feed)
            return
        html = isinstance(response, TextResponse) and "html" in content_type
        link = (
            linked_feed(response.text, response.url)
            if html and self.options.follow_link and not followed
            else ""
        )
        if link:
            self.warn(f"the source's address is a web page; its feed is {link}: put that in its place")
            yield self.revisit(link, self.parse, cb_kwargs={"followed": True})
        else:
            self.fail(f"{response.url}: {not_a_feed(response.body, content_type)}")

    def _batch(self, response: Response, feed: Feed) -> Batch:
        for oddity in feed.oddities:
            self.warn(oddity)
        posts = [post for entry in feed.entries if (post := self._post(entry)) is not None]
        key = f"feed/{self.context.source.id}/window"
        before = Window.read(self.context.noted(key))
        if not posts and before is not None:
            self.warn("the feed is empty; it was not when it was last read")
        if words := gap(before, posts) if posts else "":
            self.warn(words)
        newest = max((post.published_at for post in posts), default=None)
        return Batch(
            posts=posts,
            pages=[self.remember(response, role="feed", newest=newest)],
            notes={key: Window.of(posts).note()} if posts else {},
        )

    def _post(self, entry: Entry) -> Post | None:
        now = self.context.now
        return self.report.post(
            source=self.context.source.id,
            native_id=entry.native_id,
            url=entry.url,
            title=entry.title,
            text=entry.text,
            author=entry.author,
            published_at=self._published(entry),
            edited_at=entry.edited and plausible_time(entry.edited, now),
            thread=entry.thread,
            engagement={} if entry.comments is None else {"comments": entry.comments},
        )

    def _published(self, entry: Entry) -> datetime:
        return plausible_time(entry.published, self.context.now)


class FeedCollector:
    """See `spiders.collector.Collector`."""

    kind: ClassVar[str] = "feed"
    options: ClassVar[type] = Options

    def collect(self, context: Context) -> Tally:
        return crawl(FeedSpider, context)


COLLECTOR = FeedCollector()
