"""What a forum page says, as values."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a page is. BOTH: posts, and links to other threads beside them."""

    LIST = "list"
    THREAD = "thread"
    BOTH = "both"
    NEITHER = "neither"
    LOGIN = "login wall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """CSS selectors for one engine, or for one source (`[sources.options.selectors]`). Empty: found by other means.

    `author`, `time`, `text`, `id` are looked for inside a `post`; `link`, `replies`, `last` inside a `row`.
    All may end in ::attr(name) or ::text."""

    post: str = ""
    text: str = ""
    author: str = ""
    time: str = ""
    id: str = ""
    row: str = ""
    link: str = ""
    replies: str = ""
    last: str = ""
    next: str = ""
    title: str = ""

    def given(self) -> dict[str, str]:
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadLink:
    """A link in a list: a thread, or a list below this one. `marker` changes when something was added there, and is "" when the
    list does not say; `last_post_at` is the newest time in the row. `strong`: the marker surely tells of new replies."""

    url: str
    title: str
    marker: str = ""
    replies: int | None = None
    last_post_at: datetime | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PostView:
    """One post as shown. `native_id` is unique in its thread; `published_at` None when no date could be read."""

    native_id: str
    author: str
    text: str
    published_at: datetime | None
    edited_at: datetime | None = None
    permalink: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A page, read. `thread` is the stable id of the thread the page belongs to; `others` are further pages of the same list
    or thread that it links to, by address; `feeds` are feeds of comments that it names; `by` says which recognition spoke."""

    url: str
    kind: Kind
    thread: str
    title: str = ""
    threads: tuple[ThreadLink, ...] = ()
    posts: tuple[PostView, ...] = ()
    next_url: str = ""
    others: tuple[str, ...] = ()
    number: int = 1
    last_number: int = 1
    feeds: tuple[str, ...] = field(default=())
    by: str = ""
    place: str = ""
    """Where the posts stand, when they were found by repetition: tells where a lone post is to be looked for."""
