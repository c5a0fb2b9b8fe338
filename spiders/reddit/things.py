"""Reddit's JSON ("things": t1 comments, t3 submissions) → posts. Pure.

Source: reddit.com/dev/api and the Data API wiki.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from listener.post import plausible_time

DELETED = frozenset({"[deleted]", "[removed]", "[deleted by user]", "[ Removed by Reddit ]"})
SITE = "https://www.reddit.com"


def listing(answer: Any) -> tuple[list[Mapping[str, Any]], str]:
    """The things of one page of a listing, and where the next page begins ("" at the end)."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    children = data.get("children") if isinstance(data, Mapping) else None
    if not isinstance(children, list) or not isinstance(data, Mapping):
        return [], ""
    things = [
        child["data"] for child in children if isinstance(child, Mapping) and is_thing(child.get("data"))
    ]
    return things, str(data.get("after") or "")


def is_thing(data: Any) -> bool:
    return (
        isinstance(data, Mapping) and isinstance(data.get("name"), str) and data["name"][:3] in {"t1_", "t3_"}
    )


def is_gone(thing: Mapping[str, Any]) -> bool:
    """Deleted by its author, or removed: Reddit keeps the place but not the words, and so must we."""
    text = thing.get("body") if thing["name"].startswith("t1_") else thing.get("selftext")
    author = thing.get("author")
    return author is None or author in DELETED or text in DELETED or bool(thing.get("removed_by_category"))


def created(thing: Mapping[str, Any]) -> float:
    """Seconds since 1970, 0 when it does not say."""
    value = thing.get("created_utc")
    return float(value) if isinstance(value, int | float) else 0.0


def thread_of(thing: Mapping[str, Any]) -> str:
    return str(thing.get("link_id") or thing["name"])


def post_values(thing: Mapping[str, Any], source: str, now: datetime) -> dict[str, Any]:
    """Arguments for `listener.post.Post`."""
    title = str(thing.get("title") or thing.get("link_title") or "")
    text = str(thing.get("body") or thing.get("selftext") or "")
    edited = thing.get("edited")
    counts = {"score": thing.get("score"), "comments": thing.get("num_comments")}
    return {
        "source": source,
        "native_id": thing["name"],
        "url": SITE + str(thing.get("permalink") or f"/comments/{thing_id(thread_of(thing))}"),
        "title": title,
        "text": text if text.strip() else title,
        "author": str(thing["author"]),
        "published_at": plausible_time(instant(created(thing)), now),
        "edited_at": instant(edited) if isinstance(edited, float | int) and edited > 1 else None,
        "thread": thread_of(thing),
        "parent": str(thing.get("parent_id") or ""),
        "engagement": {name: value for name, value in counts.items() if isinstance(value, int)},
    }


def thing_id(name: str) -> str:
    return name.partition("_")[2]


def instant(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None
