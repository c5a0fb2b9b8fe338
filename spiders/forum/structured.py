"""What a page says of itself in schema.org: JSON-LD as data, microdata, RDFa and microformats as selectors. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from spiders.forum.addresses import absolute, same_host, thread_key
from spiders.forum.dates import parse_attribute
from spiders.forum.fields import Sheet
from spiders.forum.ids import normal_id
from spiders.forum.posts import Draft, name_posts
from spiders.forum.text import text_of, tidy
from spiders.forum.tree import Element, parse
from spiders.forum.view import PostView, Selectors, ThreadLink

MARKED_UP: dict[str, Selectors] = {
    "microdata": Selectors(
        post='[itemtype$="schema.org/DiscussionForumPosting"], [itemtype$="schema.org/SocialMediaPosting"], '
        '[itemtype$="schema.org/Comment"], '
        '[itemtype$="schema.org/UserComments"], [itemtype$="schema.org/Answer"], [itemtype$="schema.org/Question"], '
        '[itemtype$="schema.org/BlogPosting"], [itemtype$="schema.org/Article"], [itemtype$="schema.org/NewsArticle"]',
        text='[itemprop~="text"], [itemprop~="articleBody"], [itemprop~="commentText"], [itemprop~="reviewBody"]',
        author='[itemprop~="author"] [itemprop~="name"], [itemprop~="creator"] [itemprop~="name"], '
        '[itemprop~="author"], [itemprop~="creator"]',
        time='[itemprop~="datePublished"], [itemprop~="dateCreated"], [itemprop~="commentTime"]',
    ),
    "rdfa": Selectors(
        post='[typeof*="sioc:Post"], [typeof*="sioct:Comment"], [typeof*="sioct:BoardPost"], [typeof~="Comment"], '
        '[typeof~="DiscussionForumPosting"]',
        text='[property*="content:encoded"], [property~="text"], [property~="articleBody"]',
        author='[rel~="sioc:has_creator"], [property~="author"], [property~="foaf:name"]',
        time='[property*="dc:date"], [property~="datePublished"], [property~="dc:created"]',
    ),
}
MICROFORMATS: dict[str, Selectors] = {
    "microformats": Selectors(
        post=".h-entry, .hentry, .h-cite",
        text=".e-content, .entry-content",
        author=".p-author .p-name, .p-author, .author .fn, .vcard .fn",
        time=".dt-published, .published",
        row=".h-entry, .hentry",
        link=".entry-title a, a.u-url",
    ),
}
_POSTINGS = frozenset(
    [
        "DiscussionForumPosting",
        "SocialMediaPosting",
        "BlogPosting",
        "Article",
        "NewsArticle",
        "Question",
        "Answer",
        "Comment",
        "Review",
    ]
)
_BELOW = (
    "comment",
    "comments",
    "suggestedAnswer",
    "acceptedAnswer",
    "mainEntity",
    "@graph",
    "mainEntityOfPage",
    "hasPart",
    "itemListElement",
    "item",
    "blogPost",
)
MAX_NODES = 5_000


def _loaded(root: Element) -> Iterator[Any]:
    for script in root.iter("script"):
        if (script.get("type") or "").lower().startswith("application/ld+json") and script.text:
            try:
                yield json.loads(script.text.strip().removesuffix(";"), strict=False)
            except (ValueError, RecursionError):
                continue


def _nodes(data: Any) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every posting in the data, in reading order, and whether it stands below another one."""
    stack: list[tuple[Any, bool]] = [(data, False)]
    for _ in range(MAX_NODES):
        if not stack:
            return
        node, below = stack.pop()
        if isinstance(node, list):
            stack.extend((child, below) for child in reversed(node))
        elif isinstance(node, dict):
            posting = bool(_types(node) & _POSTINGS)
            if posting:
                yield node, below
            stack.extend(
                (node[key], below or posting)
                for key in reversed(_BELOW)
                if isinstance(node.get(key), dict | list)
            )


def _types(node: Mapping[str, Any]) -> set[str]:
    value = node.get("@type")
    return {str(v).rsplit("/", 1)[-1] for v in (value if isinstance(value, list) else [value])}


def _string(value: Any, *keys: str) -> str:
    """A string, or the string under one of the keys of an object (of the first object of a list)."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = next((value[k] for k in keys if isinstance(value.get(k), str)), "")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _words(node: Mapping[str, Any]) -> str:
    raw = next(
        (s for key in ("text", "articleBody", "commentText", "reviewBody") if (s := _string(node.get(key)))),
        "",
    )
    if re.search(r"<(?:p|br|div|a|blockquote|li|b|i|em|strong)\b", raw, re.IGNORECASE):
        return text_of(parse(f"<body>{raw}</body>"))
    return tidy(raw)


def _address(node: Mapping[str, Any], sheet: Sheet) -> str:
    raw = next(
        (s for key in ("url", "@id", "mainEntityOfPage") if (s := _string(node.get(key), "@id", "url"))), ""
    )
    fragment = raw.partition("#")[2]
    url = absolute(sheet.url, raw) if raw else ""
    return f"{url}#{fragment}" if url and fragment else url


def _native_ids(node: Mapping[str, Any], url: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    fragment = url.partition("#")[2]
    if fragment and (value := normal_id(fragment)):
        found.append(("item:url", value))
    if value := _string(node.get("identifier"), "value"):
        found.append(("item:identifier", normal_id(value) or value[:120]))
    last = re.search(r"/(?:post|comment|reply|p)?[-/]?(\d+)/?$", url.partition("#")[0])
    if last:
        found.append(("link", last[1]))
    return tuple(found)


def json_ld(root: Element, sheet: Sheet, number: int) -> tuple[list[PostView], list[ThreadLink], str]:
    """(posts, threads of a list, title) that a page tells in JSON-LD."""
    drafts: list[Draft] = []
    addresses: list[str] = []
    threads: dict[str, ThreadLink] = {}
    title = ""
    here = thread_key(sheet.url)
    for node, below in (found for data in _loaded(root) for found in _nodes(data)):
        url = _address(node, sheet)
        if not below and url and thread_key(url.partition("#")[0]) != here and same_host(url, sheet.url):
            link = _thread(node, url, sheet)
            threads.setdefault(thread_key(link.url), link)
            continue
        title = title or _string(node.get("headline")) or ("" if below else _string(node.get("name")))
        if draft := _draft(node, url, sheet):
            drafts.append(draft)
            addresses.append(url)
    posts = [
        PostView(
            native_id=native_id,
            author=draft.author,
            text=draft.text,
            published_at=draft.date.at if draft.date else None,
            edited_at=draft.edited.at if draft.edited else None,
            permalink=url or sheet.url,
        )
        for draft, url, native_id in zip(drafts, addresses, name_posts(drafts, number), strict=True)
    ]
    return posts, list(threads.values()), title


def _draft(node: Mapping[str, Any], url: str, sheet: Sheet) -> Draft | None:
    text = _words(node)
    if not text:
        return None
    published = next((s for key in ("datePublished", "dateCreated") if (s := _string(node.get(key)))), "")
    modified = _string(node.get("dateModified"))
    return Draft(
        item=None,
        author=_string(node.get("author") or node.get("creator"), "name", "alternateName")[:100],
        text=text,
        date=parse_attribute(published, sheet.reckoning) if published else None,
        ids=_native_ids(node, url),
        edited=parse_attribute(modified, sheet.reckoning) if modified and modified != published else None,
    )


def _thread(node: Mapping[str, Any], url: str, sheet: Sheet) -> ThreadLink:
    count = _string(node.get("commentCount") or node.get("answerCount"))
    modified = _string(node.get("dateModified"))
    last = parse_attribute(modified, sheet.reckoning) if modified else None
    replies = int(count) if count.isdecimal() and len(count) < 9 else None
    parts = [count, last.at.isoformat() if last else ""]
    return ThreadLink(
        url=url.partition("#")[0],
        title=(_string(node.get("headline")) or _string(node.get("name")))[:300],
        marker="|".join(parts) if any(parts) else "",
        replies=replies,
        last_post_at=last.at if last else None,
        strong=replies is not None,
    )
