"""The values of a walk: what to fetch, what follows from a page, how far a thread was read, and when to read it again. Pure."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from listener.ports import Batch, Page
from spiders.forum.view import PageView

FINISHED = "finished"
"""Stands as a head's marker when the list says nothing about its threads."""
MAX_THREAD_PAGES = 2_000
WEAK = "~"
"""Begins a marker that may miss new replies."""
AHEAD = timedelta(hours=15)
"""So far ahead of us may the clock of a forum be that does not name its zone."""
LIST, THREAD, ALIAS, OTHER, FEED = "list", "thread", "alias", "other", "feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A page to fetch. `role`: what we take it for; "" when only reading will tell. `marker`, `title`: what the list said."""

    url: str
    role: str = ""
    thread: str = ""
    marker: str = ""
    title: str = ""
    depth: int = 0
    conditional: bool = False
    above: frozenset[str] = frozenset()
    """Keys of the lists by which the page was reached."""

    @property
    def priority(self) -> int:
        """Threads begun are ended first, then new threads, then the next page of the list."""
        return {THREAD: 20, "": 10, FEED: 5}.get(self.role, 0)


@dataclass(slots=True, kw_only=True)
class Step:
    """What follows from one page."""

    batch: Batch = field(default_factory=Batch)
    asks: list[Ask] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Progress:
    """A thread that is being read in this run."""

    marker: str
    head: Page | None = None
    from_start: bool = True
    whole: bool = True
    ids: set[str] = field(default_factory=set)
    newest: datetime | None = None
    known_newest: datetime | None = None
    changed: bool = False
    """The list said that something was added or edited."""
    pages: int = 0
    waiting: list[str] = field(default_factory=list)


def reread_after(newest: datetime | None, now: datetime, *, forever: bool) -> datetime | None:
    """When a thread should be read again for edits and deletions: the fresher its newest post, the sooner.
    `forever`: its list would not tell of new replies, so it is never given up."""
    age = now - newest if newest else timedelta(days=30)
    if age < timedelta(hours=48):
        return now + timedelta(hours=1)
    if age < timedelta(days=14):
        return now + timedelta(hours=12)
    return now + timedelta(days=7) if age < timedelta(days=90) or forever else None


def native_id(thread: str, post: str) -> str:
    return f"{thread}#{post}"


def is_under(address: str, url: str) -> bool:
    """Whether an address lies under the path of the source's own."""
    base = urlsplit(address).path
    last = base.rsplit("/", 1)[-1]
    base = base[: len(base) - len(last)] if "." in last else base
    return (urlsplit(url).path.rstrip("/") + "/").startswith(base.rstrip("/") + "/")


def print_of(view: PageView) -> str:
    """The same posts under two addresses are one thread; a single post may well be said twice."""
    if len(view.posts) < 2:
        return f"{view.thread} {view.number}"
    said = "\0".join(f"{p.author}\0{p.published_at}\0{p.text}" for p in view.posts)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def instant(text: str) -> datetime | None:
    """An ISO time, None for anything else."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
