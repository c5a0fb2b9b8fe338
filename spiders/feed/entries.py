"""RSS 0.9x–2.0, Atom and JSON Feed → entries. Pure: text in, values out.

Sources: RSS 2.0 (rssboard.org/rss-specification), RFC 4287, RFC 4685 (threads), jsonfeed.org/version/1.1,
RSS 1.0 modules content and slash.
"""

import calendar
import hashlib
import html
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import feedparser

from spiders.feed.markup import text_of

MAX_ENTRIES = 2000
_ROOT = re.compile(r"<(rss|feed|rdf:rdf|channel|atom:feed)[\s>]", re.IGNORECASE)
_ENDS = ("</rss>", "</feed>", "</rdf:rdf>", "</channel>")
_MAIL_AND_NAME = re.compile(r"[^\s()]+@[^\s()]+\s*\(([^()]+)\)")
_TAIL = 2000
"""Characters within which a feed opens, and closes; licences and caches put comments before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One post of a feed. `published` None: the feed does not say. `thread`: the article that a comment stands
    under, "" for anything but comments. `comments`: how many an article has, None when the feed does not say."""

    native_id: str
    url: str
    title: str
    text: str
    author: str = ""
    published: datetime | None = None
    edited: datetime | None = None
    thread: str = ""
    comments: int | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """`entries` in the feed's own order; `oddities` in words."""

    entries: tuple[Entry, ...]
    oddities: tuple[str, ...] = ()


def parse(text: str, address: str) -> Feed | None:
    """The feed, or None when the text is none. `address` completes relative links."""
    feed = _from_json(text, address) if text.startswith("{") else _from_xml(text, address)
    if feed is None:
        return None
    entries, oddities = feed.entries, list(feed.oddities)
    if len(entries) > MAX_ENTRIES:
        oddities.append(f"the feed has {len(entries)} entries; the first {MAX_ENTRIES} were read")
        entries = entries[:MAX_ENTRIES]
    unique = _unique(entries)
    if len(unique) < len(entries):
        oddities.append(f"{len(entries) - len(unique)} entries stand in the feed twice")
    return Feed(unique, tuple(oddities))


def _unique(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Each entry once. Ids that several different entries share are no ids: those entries go by link or content."""
    uses = Counter(one.native_id for one in {(e.native_id, e.url, e.title): e for e in entries}.values())
    own = [
        one if uses[one.native_id] == 1 else replace(one, native_id=_id_without_guid(one)) for one in entries
    ]
    return tuple({one.native_id: one for one in reversed(own)}.values())[::-1]


def _id_without_guid(entry: Entry) -> str:
    published = entry.published.isoformat() if entry.published else ""
    return hashlib.sha256(f"{entry.url}\0{entry.title}\0{published}".encode("utf-8", "replace")).hexdigest()[
        :32
    ]


# ------------------------------------------------------------------------------------------------ RSS, Atom


def _from_xml(text: str, address: str) -> Feed | None:
    if not _ROOT.search(text[:_TAIL]):
        return None
    stream = io.BytesIO(
        text.encode("utf-8", "replace")
    )  # a stream: anything else might be taken for a file name
    parsed = feedparser.parse(
        stream,
        response_headers={"content-type": "application/xml; charset=utf-8"},
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    if not parsed.get("version"):
        return None
    raw = list(parsed.entries)
    oddities = []
    if not any(end in text[-_TAIL:].lower() for end in _ENDS):
        raw = raw[:-1]  # its end is missing, and half a text must not be taken for the whole
        oddities.append(f"the feed breaks off; the {len(raw)} entries before that were read")
    elif parsed.bozo and type(parsed.get("bozo_exception")).__name__ == "SAXParseException":
        oddities.append("the feed is not well-formed XML; what could be read was read")
    return Feed(tuple(_xml_entry(dict(one), address) for one in raw), tuple(oddities))


def _xml_entry(raw: Mapping[str, Any], address: str) -> Entry:
    link = _link(raw.get("link"), address)
    title = text_of(_string(raw.get("title")))
    published = _instant(raw.get("published_parsed")) or _instant(raw.get("updated_parsed"))
    updated = _instant(raw.get("updated_parsed"))
    entry = Entry(
        native_id=_string(raw.get("id")).strip() or _string(raw.get("link")).strip(),
        url=link or address,
        title=title,
        text=_xml_text(raw) or title,
        author=_author(raw),
        published=published,
        edited=updated if updated and published and updated > published else None,
        thread=_thread(_reply_target(raw), link),
        comments=_count(raw.get("slash_comments")),
    )
    return entry if entry.native_id else replace(entry, native_id=_id_without_guid(entry))


def _xml_text(raw: Mapping[str, Any]) -> str:
    """content:encoded or Atom content before the summary."""
    content = raw.get("content")
    details = [*(content if isinstance(content, list) else []), raw.get("summary_detail") or {}]
    for detail in details:
        value = _string(detail.get("value"))
        words = html.unescape(value) if detail.get("type") == "text/plain" else text_of(value)
        if words.strip():
            return words.strip()
    return ""


def _author(raw: Mapping[str, Any]) -> str:
    """RSS writes "mail@example.org (Name)"; the others name the name."""
    written = _string(raw.get("author")).strip()
    if mail := _MAIL_AND_NAME.fullmatch(written):
        return mail[1].strip()
    detail = raw.get("author_detail")
    return _string(detail.get("name") if isinstance(detail, Mapping) else "").strip() or written


def _reply_target(raw: Mapping[str, Any]) -> str:
    reply = raw.get("thr_in-reply-to")
    return _string(reply.get("href")) if isinstance(reply, Mapping) else ""


def _thread(reply_to: str, link: str) -> str:
    """The article of a comment: named by it (RFC 4685), or the page to whose part "#comment…" it links."""
    if urlsplit(reply_to).scheme in {"http", "https"}:
        return urldefrag(reply_to).url
    page, part = urldefrag(link)
    return page if part.lower().startswith(("comment", "kommentar", "kommentti")) else ""


def _instant(parsed: Any) -> datetime | None:
    if parsed is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (OverflowError, ValueError, TypeError, OSError):
        return None


# ------------------------------------------------------------------------------------------------ JSON Feed


def _from_json(text: str, address: str) -> Feed | None:
    try:
        document = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or "jsonfeed.org/version/" not in _string(document.get("version")):
        return None
    items = document.get("items")
    if not isinstance(items, list):
        return None
    return Feed(tuple(_json_entry(one, address) for one in items if isinstance(one, dict)))


def _json_entry(raw: Mapping[str, Any], address: str) -> Entry:
    link = _link(raw.get("url") or raw.get("external_url"), address)
    title = _string(raw.get("title")).strip()
    words = text_of(_string(raw.get("content_html"))) or _string(
        raw.get("content_text") or raw.get("summary")
    )
    published, edited = _json_instant(raw.get("date_published")), _json_instant(raw.get("date_modified"))
    entry = Entry(
        native_id=_string(raw.get("id")).strip() or link,
        url=link or address,
        title=title,
        text=words.strip() or title,
        author=_json_author(raw),
        published=published or edited,
        edited=edited if edited and published and edited > published else None,
        thread=_thread("", link),
    )
    return entry if entry.native_id else replace(entry, native_id=_id_without_guid(entry))


def _json_author(raw: Mapping[str, Any]) -> str:
    authors = raw.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else raw.get("author")
    return _string(first.get("name")).strip() if isinstance(first, Mapping) else ""


def _json_instant(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(_string(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# ------------------------------------------------------------------------------------------------ both


def _string(value: Any) -> str:
    """Feeds put anything anywhere."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _link(value: Any, address: str) -> str:
    """A complete http(s) address, or ""."""
    try:
        link = urljoin(address, _string(value).strip())
        return link if _string(value).strip() and urlsplit(link).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _count(value: Any) -> int | None:
    text = _string(value).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
