"""Post: what a collector yields, not yet matched. Imports the stdlib, our text rules and our errors."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from listener.errors import InvalidPost
from listener.text import clean

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
FUTURE_TOLERANCE = timedelta(hours=1)


def post_id(source: str, native_id: str) -> str:
    """32 hex digits: the same post seen twice has the same id."""
    return hashlib.sha256(f"{source}\0{native_id}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One text by one author at one address at one time.

    `native_id` is unique within `source`. `author` is the native name or id as the source shows it ("" = not known);
    it never leaves the intake. `title` is the thread's or article's title, `thread` its native id.
    `published_at` is kept in UTC. Text and title are cleaned.
    Raises InvalidPost when built wrong, so no later stage checks again.
    """

    source: str
    native_id: str
    url: str
    text: str
    published_at: datetime
    author: str = ""
    title: str = ""
    thread: str = ""
    parent: str = ""
    edited_at: datetime | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        who = f"{self.source}:{self.native_id[:80]!r}"
        if not self.source or not self.native_id:
            raise InvalidPost(f"{who}: wants a source and a native id")
        text = clean(self.text)
        if not text:
            raise InvalidPost(f"{who}: has no text")
        if not _is_web_address(self.url):
            raise InvalidPost(f"{who}: url {self.url[:80]!r}, want http(s)://…")
        if self.published_at.tzinfo is None:
            raise InvalidPost(f"{who}: published_at has no time zone")
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "title", clean(self.title)[:300])
        object.__setattr__(self, "published_at", self.published_at.astimezone(UTC))
        object.__setattr__(self, "id", post_id(self.source, self.native_id))


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def plausible_time(claimed: datetime | None, fetched_at: datetime) -> datetime:
    """The claimed time of publication, or the time of fetching when none is claimed or it lies before 1990 or in the future."""
    if claimed is None:
        return fetched_at
    if claimed.tzinfo is None:
        claimed = claimed.replace(tzinfo=UTC)
    return claimed if EARLIEST <= claimed <= fetched_at + FUTURE_TOLERANCE else fetched_at
