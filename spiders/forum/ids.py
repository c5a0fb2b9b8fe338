"""Which id and which address a post has: attributes of the post, anchors, permalinks. Pure."""

import re
from collections.abc import Collection, Iterator
from urllib.parse import parse_qsl, urlsplit

from spiders.forum.addresses import absolute, thread_key
from spiders.forum.fields import Sheet
from spiders.forum.tree import Element, elements, prefer

_ID_ATTRIBUTES = (
    "data-post-id",
    "data-postid",
    "data-comment-id",
    "data-message-id",
    "data-pid",
    "data-content",
    "data-id",
    "data-key",
    "id",
    "name",
)
_ID = re.compile(
    r"(?i)(?:.*?[^a-z])??(?P<kind>[a-z]*)[-_:]?(?P<n>\d{1,20}|[0-9a-f]{8}-[0-9a-f-]{20,28}|[0-9a-f]{16,40})"
)
_POST_KINDS = frozenset(
    [
        "",
        "p",
        "post",
        "msg",
        "message",
        "pid",
        "entry",
        "reply",
        "postid",
        "js",
        "inlagg",
        "innlegg",
        "content",
        "item",
        "postrow",
        "article",
    ]
)
_POST_KEYS = frozenset(["p", "pid", "post", "postid", "post_id", "msg", "comment", "commentid"])


def normal_id(raw: str) -> str:
    """`p123`, `post-123`, `#msg123` are all 123; `comment-123` keeps its kind: it may share a number with its article."""
    found = _ID.fullmatch(raw.strip().lstrip("#"))
    if not found:
        return ""
    kind = found["kind"].lower()
    if kind in _POST_KINDS:
        return found["n"]
    return f"{kind}{found['n']}" if len(kind) <= 12 else ""


def candidate_ids(
    item: Element, css: str, sheet: Sheet, without: Collection[Element] = frozenset()
) -> Iterator[tuple[str, str]]:
    """(where it was found, id), most telling first: attributes of the post, anchors, permalinks."""
    for element, value in prefer(item, css):
        raw = (
            value
            if element is None
            else next((element.get(n) for n in _ID_ATTRIBUTES if element.get(n)), value)
        )
        if raw:
            yield "css", normal_id(raw) or raw.strip()[:120]
    for name in _ID_ATTRIBUTES:
        if (value := item.get(name)) and (found := normal_id(value)):
            yield f"item:{name}", found
    for element in elements(item):
        if element is item or element in without:
            continue
        for name in ("id", "name") if element.tag in {"a", "span", "div", "td", "tr", "h3", "p"} else ():
            value = element.get(name) or ""
            if re.match(r"(?i)(?:p|post|pid|msg|message|comment|reply|entry)?[-_]?\d+$", value):
                yield f"inner:{element.tag}", normal_id(value)
        if element.tag == "a" and (found := _from_link(element, sheet)):
            yield "link", found


def _from_link(element: Element, sheet: Sheet) -> str:
    href = element.get("href") or ""
    fragment = href.partition("#")[2]
    url = absolute(sheet.url, href)
    if not url:
        return ""
    for key, value in parse_qsl(urlsplit(url).query):
        if key.lower() in _POST_KEYS and value.isdecimal() and thread_key(url) != thread_key(sheet.url):
            return value
    if re.match(r"(?i)(?:p|post|pid|msg|message|comment|reply|entry|c)?[-_]?\d+$", fragment):
        return normal_id(fragment)
    found = re.search(r"/(?:post|comment|c|reply|p)s?[-/](\d+)/?$", urlsplit(url).path)
    return found[1] if found else ""


def _ends_in(href: str, number: str) -> bool:
    """Whether an address has a part such as `#post-12`, `/p12` or `pid=12`."""
    before, found, after = href.partition(number)
    if not found or after[:1] not in {"", "/", "#", "&"}:
        return False
    return before.rstrip("abcdefghijklmnopqrstuvwxyz_-").endswith(("#", "/")) or before.endswith(
        ("p=", "post=", "pid=")
    )


def find_permalink(item: Element, native_id: str, sheet: Sheet) -> str:
    """The address of this very post; at least the page with the post's anchor."""
    digits = re.sub(r"^[a-z]+", "", native_id)
    for element in elements(item):
        href = element.get("href") if element.tag == "a" else None
        if not href or href.startswith(("javascript:", "mailto:")):
            continue
        if digits and _ends_in(href, digits):
            url = absolute(sheet.url, href)
            fragment = href.partition("#")[2]
            if url and not re.search(r"report|quote|reply|edit|delete|vote|like|posting\.php", href):
                return f"{url}#{fragment}" if fragment else url
    anchor = item.get("id") or ""
    return f"{sheet.url}#{anchor}" if anchor and re.search(r"\d", anchor) else sheet.url
