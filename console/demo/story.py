"""The demo's story: five weeks of a forum and a feed about the invented Fjelltele, ending in a crisis that still grows.

Pure but for the bundled texts: the same end and seed tell the same story.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

from console.demo.crisis import LENGTH, write_crisis
from console.demo.days import Forum, write_times
from console.demo.texts import PressCopy, Report, load
from console.demo.writing import Crowd, Draft, DraftPost

BRAND = "Fjelltele"
WEEKS = timedelta(days=35)
STEP = timedelta(minutes=5)
PRESS_BEFORE_END = timedelta(days=12)
REPORTED_BEFORE_END = (timedelta(minutes=55), timedelta(minutes=20))
FIRST_POST_ID, FIRST_THREAD_ID, FIRST_ARTICLE_ID = 41_000, 3_100, 880


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPost:
    """One post of the forum; `at` in UTC."""

    id: str
    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """`posts` oldest first, never empty; `board` is the board's id, `language` sv or nb (some posts are in nynorsk)."""

    id: str
    title: str
    board: str
    language: str
    posts: tuple[StoryPost, ...]
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article of the feed; `path` is its address on the site."""

    id: str
    title: str
    text: str
    at: datetime
    outlet: str
    path: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`crisis_began` is the instant of the first post of the crisis; everything is earlier than `end`. All times in UTC;
    `zone` is where its people live."""

    threads: tuple[Thread, ...]
    articles: tuple[Article, ...]
    crisis_began: datetime
    end: datetime
    zone: ZoneInfo

    def until(self, now: datetime) -> "Story":
        """What is published by `now`."""
        threads = []
        for thread in self.threads:
            shown = bisect_right(thread.posts, now, key=lambda post: post.at)
            if shown == len(thread.posts):
                threads.append(thread)
            elif shown:
                threads.append(replace(thread, posts=thread.posts[:shown]))
        articles = tuple(article for article in self.articles if article.at <= now)
        return replace(self, threads=tuple(threads), articles=articles)


def tell(end: datetime, *, zone: ZoneInfo, seed: int = 1) -> Story:
    """The story that ends at `end`, rounded down to five minutes, with days and nights of `zone`.

    Raises ValueError when `end` has no time zone."""
    if end.tzinfo is None:
        raise ValueError(f"tell: end {end.isoformat()} has no time zone, want an aware datetime")
    end = end.astimezone(UTC)
    end -= (end - datetime.min.replace(tzinfo=UTC)) % STEP
    rng = Random(f"{seed} {end.isoformat()}")  # noqa: S311 (a story, not a secret)
    texts = load()
    crowd = Crowd(texts.handles, rng)
    forum = Forum(texts, crowd, rng)
    start = end - WEEKS
    forum.open_standing(start)
    for at in write_times(start + timedelta(hours=1), end, zone, rng):
        forum.write(at)
    drafts = forum.drafts
    released = end - PRESS_BEFORE_END
    drafts.extend(_shared(copy, released, rng) for copy in texts.press if copy.place != "feed")
    write_crisis(texts.crisis, drafts, end - LENGTH, zone, forum.regulars, crowd, rng)
    return Story(
        threads=_threads(drafts),
        articles=_articles(_reported(texts.articles, start, end, zone, rng), texts.press, released, end, rng),
        crisis_began=end - LENGTH,
        end=end,
        zone=zone,
    )


def _shared(copy: PressCopy, released: datetime, rng: Random) -> Draft:
    """The press release as a forum post."""
    draft = Draft(copy.title, copy.place, "sv", brand=True)
    at = released + timedelta(minutes=rng.randrange(60, 1300))
    draft.posts.append(DraftPost(at, copy.author, copy.text))
    return draft


def _threads(drafts: Sequence[Draft]) -> tuple[Thread, ...]:
    """Drafts with ids as a forum gives them: ascending in time."""
    in_order = sorted(drafts, key=lambda draft: min(post.at for post in draft.posts))
    posts = sorted(
        ((post.at, number, n) for number, draft in enumerate(in_order) for n, post in enumerate(draft.posts))
    )
    ids = {(number, n): str(FIRST_POST_ID + rank) for rank, (_, number, n) in enumerate(posts)}
    threads = []
    for number, draft in enumerate(in_order):
        written = [
            StoryPost(id=ids[number, n], author=post.author, text=post.text, at=post.at)
            for n, post in enumerate(draft.posts)
        ]
        threads.append(
            Thread(
                id=str(FIRST_THREAD_ID + number),
                title=draft.title,
                board=draft.board,
                language=draft.language,
                posts=tuple(sorted(written, key=lambda post: int(post.id))),
                pinned=draft.pinned,
            )
        )
    return tuple(threads)


def _reported(
    reports: Sequence[Report], start: datetime, end: datetime, zone: ZoneInfo, rng: Random
) -> list[tuple[datetime, Report]]:
    """Ordinary news, spread over the weeks in office hours."""
    slot = (end - start) / (len(reports) + 1)
    dated = []
    for number, report in enumerate(rng.sample(reports, len(reports))):
        day = (start + slot * (number + rng.random())).astimezone(zone).date()
        at = datetime.combine(day, time(rng.randrange(6, 19), rng.randrange(60)), tzinfo=zone).astimezone(UTC)
        dated.append((min(max(at, start), end - 2 * LENGTH), report))
    return dated


def _articles(
    reported: list[tuple[datetime, Report]],
    press: Iterable[PressCopy],
    released: datetime,
    end: datetime,
    rng: Random,
) -> tuple[Article, ...]:
    """Ordinary news, the press release with its copies, and the first reports of the crisis; oldest first."""
    at = released
    for copy in press:
        if copy.place == "feed":
            reported.append((at, Report(language="sv", outlet=copy.author, title=copy.title, text=copy.text)))
            at += timedelta(minutes=rng.randrange(20, 300))
    for before, report in zip(REPORTED_BEFORE_END, load().crisis_articles, strict=True):
        reported.append((end - before, report))
    articles = []
    for number, (at, report) in enumerate(sorted(reported, key=lambda pair: pair[0])):
        name = str(FIRST_ARTICLE_ID + number)
        articles.append(
            Article(
                id=name,
                title=report.title,
                text=report.text,
                at=at,
                outlet=report.outlet,
                path=f"/nyheter/{name}-{slug(report.title)}",
                language=report.language,
            )
        )
    return tuple(articles)


@lru_cache(maxsize=1024)
def slug(title: str) -> str:
    """The title as a piece of an address: ASCII letters, digits and hyphens, at most 60 characters."""
    plain = title.casefold().replace("æ", "ae").replace("ø", "o")
    letters = "".join(
        sign for sign in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(sign)
    )
    return re.sub(r"[^a-z0-9]+", "-", letters)[:60].strip("-")
