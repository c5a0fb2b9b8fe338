"""Links to threads and sub-forums on a page, with what their rows say about them. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spiders.forum.addresses import (
    absolute,
    canonical,
    first_page,
    is_trap,
    looks_like_forum,
    looks_like_topic,
    page_number,
    pattern,
    same_host,
    thread_key,
)
from spiders.forum.fields import Sheet, own_date, own_text
from spiders.forum.paging import in_pager
from spiders.forum.tree import Element, ancestors, elements, length, names, pick, plain
from spiders.forum.view import Selectors, ThreadLink

_OUTSIDE_TAGS = frozenset(["nav", "footer", "aside", "head", "select", "noscript"])
_OUTSIDE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:breadcrumbs?|sidebar|widget(?:-area|s)?|footer|navbar|navigation|menu|topnav|nav|"
    r"pagination|jumpbox|moderators?|post-?navigation|navstrip|linktree|navigate_section|tagcloud|"
    r"site-header)(?=$|[\s_-])",
    re.IGNORECASE,
)
_TITLE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:title|titles|titel|tittel|subject|topic|thread|headline|rubrik|overskrift|amne|"
    r"emne|subj|topictitle|trad)(?=$|[\s_-])",
    re.IGNORECASE,
)
_NUMBER = r"(\d{1,3}(?:[\s.,\u00a0]\d{3})+|\d{1,7})(?![\d:])"
_REPLY_WORDS = (
    r"(?:replies|reply|answers?|comments?|posts|messages|svar|kommentar(?:er|ar)?|inlägg|innlegg|indlæg|meldinger|"
    r"meddelanden|vastau(?:sta|ksia|s)|viesti(?:ä|t)?|kommenttia?|antwort(?:en)?|beiträge)"
)
_REPLIES = (
    re.compile(rf"{_NUMBER}\s*{_REPLY_WORDS}\b", re.IGNORECASE),
    re.compile(rf"\b{_REPLY_WORDS}\s*:?\s*\(?{_NUMBER}", re.IGNORECASE),
)
_LAST_WORDS = re.compile(
    r"last\s?(?:post|reply|message|activity)|latest|senaste?|siste|seneste|sidste|viimeisin|viimeksi|"
    r"letzte|aktivitet|activity|lastpost|freshness",
    re.IGNORECASE,
)
MAX_LINKS = 1_000


@dataclass(slots=True)
class _Group:
    """Links of one shape."""

    links: list[tuple[Element, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


def selected_threads(root: Element, selectors: Selectors, sheet: Sheet) -> list[ThreadLink]:
    """Links named by an engine's or a source's selectors."""
    if not selectors.row and not selectors.link:
        return []
    rows = [e for e, _ in pick(root, selectors.row or "body") if e is not None]
    found: dict[str, ThreadLink] = {}
    for row in rows[:MAX_LINKS]:
        links = [e for e, _ in pick(row, selectors.link or "a") if e is not None and e.get("href")]
        for link in links if not selectors.row else links[:1]:
            target = absolute(sheet.url, link.get("href") or "")
            if target and same_host(target, sheet.url) and thread_key(target) != thread_key(sheet.url):
                found.setdefault(thread_key(target), thread_link(link, target, row, selectors, sheet))
    return list(found.values())


def linked_threads(root: Element, sheet: Sheet, *, only_forums: bool = False) -> list[ThreadLink]:
    """Links that look like threads or forums by their addresses and by the rows they stand in."""
    groups = _groups(root, sheet.url)
    chosen: list[_Group] = []
    rest: list[tuple[int, _Group]] = []
    for shape in groups.values():
        score = _score(shape, sheet)
        if only_forums and not looks_like_forum(shape.links[0][1]):
            continue
        if score >= 4:
            chosen.append(shape)
        else:
            rest.append((score, shape))
    if not chosen and not only_forums:
        best = max(rest, key=lambda pair: (pair[0], len(pair[1].keys)), default=None)
        chosen = [best[1]] if best and best[0] >= 2 and len(best[1].keys) >= 2 else []
    return _in_page_order(chosen, sheet)


def _in_page_order(groups: Sequence[_Group], sheet: Sheet) -> list[ThreadLink]:
    found: dict[str, ThreadLink] = {}
    ranks: dict[str, tuple[bool, bool, int]] = {}
    for group in groups:
        rows = _rows(group)
        for element, url in group.links:
            key = thread_key(url)
            link = thread_link(element, url, rows[key], Selectors(), sheet)
            rank = (is_title_link(element), not re.search(r"^\W*\d|\d\W*$", link.title), len(link.title))
            if key not in found or rank > ranks[key]:
                found[key], ranks[key] = link, rank
    return list(found.values())[:MAX_LINKS]


def _usable(root: Element, url: str) -> Iterator[tuple[Element, str]]:
    here = thread_key(url)
    for element in root.iter("a"):
        href = element.get("href")
        if not href or href.startswith(("#", "javascript:", "mailto:")):
            continue
        target = absolute(url, href)
        if not target or not same_host(target, url) or is_trap(target) or thread_key(target) == here:
            continue
        if canonical(target).rstrip("/").count("/") < 3 and "?" not in target:
            continue  # the site's own front page
        if not _is_outside(element) and not in_pager(element):
            yield element, target


def _is_outside(element: Element) -> bool:
    for above in ancestors(element):
        if above.tag in _OUTSIDE_TAGS or (
            above.tag not in {"body", "html"} and _OUTSIDE_NAMES.search(names(above))
        ):
            return True
        if above.tag == "header" and above.getparent() is not None and above.getparent().tag == "body":
            return True
    return False


def _groups(root: Element, url: str) -> dict[str, _Group]:
    groups: dict[str, _Group] = defaultdict(_Group)
    for element, target in _usable(root, url):
        if len(plain(element)) < 2:
            continue
        group = groups[
            pattern(canonical(target)) if page_number(target) == 1 else pattern(thread_key(target))
        ]
        group.links.append((element, target))
        group.keys.add(thread_key(target))
    return groups


def _score(group: _Group, sheet: Sheet) -> int:
    """How much links of one shape look like threads or forums; 4 is enough."""
    url = group.links[0][1]
    titles = [len(plain(e)) for e, _ in group.links]
    rows = list(_rows(group).values())
    dated = sum(1 for row in rows if any(own_date(e, sheet.reckoning) for e in elements(row)))
    counted = sum(1 for row in rows if _replies(row, "") is not None)
    titled = sum(1 for e, _ in group.links if _is_title(e))
    score = 3 if looks_like_topic(url) or looks_like_forum(url) else 0
    score += (
        2 * (titled >= 0.5 * len(group.links)) + 2 * (dated >= 0.5 * len(rows)) + (counted >= 0.5 * len(rows))
    )
    return score + (sum(titles) / len(titles) >= 12) + (len(group.keys) >= 3)


def _is_title(element: Element) -> bool:
    near = [element, *(a for a, _ in zip(ancestors(element), range(2), strict=False))]
    return any(
        e.tag in {"h1", "h2", "h3", "h4", "h5", "th", "dt"} or _TITLE_NAMES.search(names(e)) for e in near
    )


def is_title_link(element: Element) -> bool:
    """Whether a link inside a post-like block is its heading."""
    near = [element, *(a for a, _ in zip(ancestors(element), range(2), strict=False))]
    return any(
        e.tag in {"h1", "h2", "h3", "h4"}
        or re.search(r"title|headline|rubrik|subject", names(e), re.IGNORECASE)
        for e in near
    )


def _rows(group: _Group) -> dict[str, Element]:
    """Thread key → the largest element that holds no other thread's link."""
    keys_in: dict[Element, set[str]] = defaultdict(set)
    for element, url in group.links:
        for node in [element, *ancestors(element)]:
            keys_in[node].add(thread_key(url))
    rows: dict[str, Element] = {}
    for element, url in group.links:
        row = element
        for above in ancestors(element):
            if len(keys_in[above]) > 1 or above.tag in {"body", "html", "main"}:
                break
            row = above
        key = thread_key(url)
        if key not in rows or length(row) > length(rows[key]):
            rows[key] = row
    return rows


def thread_link(element: Element, url: str, row: Element, selectors: Selectors, sheet: Sheet) -> ThreadLink:
    """What a row says about the thread that it links to."""
    row = _with_second_row(row)
    replies = _replies(row, selectors.replies)
    last, several = _last_time(row, selectors.last, sheet)
    strong = replies is not None or several
    parts = [str(replies) if replies is not None else "", last.isoformat() if last else ""]
    return ThreadLink(
        url=first_page(url),
        title=_title(element)[:300],
        marker=("" if strong else "~") + "|".join(parts) if any(parts) else "",
        replies=replies,
        last_post_at=last,
        strong=strong,
    )


def _title(link: Element) -> str:
    """The words of a link; of one that wraps a whole row, those of its first block."""
    blocks = [
        text
        for child in link
        if child.tag in {"div", "p", "h2", "h3", "h4", "strong"} and (text := plain(child))
    ]
    return blocks[0] if blocks else plain(link)


def _with_second_row(row: Element) -> Element:
    """A title row without date or count whose details stand in the next table row (Hacker News)."""
    following = row.getnext() if row.tag == "tr" else None
    if following is None or following.tag != "tr" or not re.search(r"athing", row.get("class") or ""):
        return row
    return following


def _replies(row: Element, css: str) -> int | None:
    for _, value in pick(row, css):
        found = re.search(_NUMBER, value)
        if found:
            return _integer(found[1])
    short = [
        text
        for e in elements(row)
        if e.tag not in {"p", "h1", "h2", "h3"} and length(e) <= 60 and (text := plain(e))
    ]
    for text in sorted(set(short), key=len):  # an excerpt of the thread may hold any words
        found = next(filter(None, (wanted.search(text) for wanted in _REPLIES)), None)
        if found:
            return _integer(found[1])
    marked = [
        _integer(text)
        for e in elements(row)
        if re.fullmatch(_NUMBER, text := own_text(e)) and text == plain(e)
    ]
    bracketed = re.search(r"[(\[](\d{1,6})[)\]]\s*$", plain(row)[:200])
    if bracketed and not marked:
        marked = [int(bracketed[1])]
    return min(marked) if marked else None  # replies and views: there are never more replies


def _integer(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def _last_time(row: Element, css: str, sheet: Sheet) -> tuple[datetime | None, bool]:
    """The newest time that a row shows, and whether it surely is that of the last reply. Times reckoned from now do not count:
    they change without anything having happened."""
    picked = [e for e, _ in pick(row, css) if e is not None]
    for element in picked:
        found = next(filter(None, (own_date(e, sheet.reckoning) for e in elements(element))), None)
        if found and not found.relative:
            return found.at, True
    dates = {f.at for e in elements(row) if (f := own_date(e, sheet.reckoning)) and not f.relative}
    if not dates:
        return None, False
    said = _LAST_WORDS.search(" ".join([plain(row)[:600], *(names(e) for e in elements(row))]))
    return max(dates), len(dates) > 1 or bool(said)
