"""read_page: one page of HTML → what it says. Pure; any text gives a PageView, never an exception.

In this order: the source's own selectors, schema.org and microformats, engines by their markup, and last whatever repeats.
Of several that see posts the one that sees most of them is believed, the earlier one when they see as many.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from spiders.forum.addresses import (
    absolute,
    canonical,
    is_trap,
    looks_like_topic,
    page_number,
    same_host,
    thread_key,
)
from spiders.forum.dates import Reckoning, is_month_first
from spiders.forum.engines import ENGINES
from spiders.forum.fields import Sheet
from spiders.forum.listing import is_title_link, linked_threads, selected_threads, thread_link
from spiders.forum.paging import next_page, other_pages
from spiders.forum.posts import read_posts
from spiders.forum.repeated import find_items
from spiders.forum.rows import leads_of
from spiders.forum.structured import MARKED_UP, MICROFORMATS, json_ld
from spiders.forum.tree import Element, elements, parse, pick, plain
from spiders.forum.view import Kind, PageView, PostView, Selectors, ThreadLink

MAX_ITEMS = 2_000
_LOGIN_WORDS = re.compile(
    r"log\s?-?in|sign\s?-?in|logga in|inloggning|logg inn|innlogging|log ind|kirjaudu|anmelden|members only|"
    r"endast (?:för )?medlemmar|kun for medlemmer|behörighet|access denied|permission|adgang",
    re.IGNORECASE,
)
RECOGNISED: dict[str, Selectors] = {**MARKED_UP, **ENGINES, **MICROFORMATS}
"""In the order of belief; themes sprinkle microformats over anything, so an engine's own markup comes before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one recognition sees: posts, or, when the posts turn out to be summaries, the threads they lead to."""

    by: str
    posts: Sequence[PostView] = ()
    threads: Sequence[ThreadLink] = ()
    title: str = ""
    place: str = ""
    led: Sequence[ThreadLink] = ()
    """What rows lead to, when nothing else tells of threads."""
    doubtful: bool = False
    """There are rows of a list beside the posts, and more of them."""

    @property
    def weight(self) -> tuple[int, int]:
        return sum(1 for post in self.posts if post.published_at), len(self.posts)


def read_page(
    html: str,
    url: str,
    selectors: Selectors | None = None,
    *,
    now: datetime,
    zone: tzinfo,
    above: frozenset[str] = frozenset(),
    is_thread: bool = False,
    place: str = "",
) -> PageView:
    """`now`: when the page was fetched; `zone`: of dates that name none; `above`: keys of the lists by which the page
    was reached; `is_thread`: it was a thread when it was last read; `place`: where posts stand on the forum's other pages."""
    root = parse(html)
    own = selectors or Selectors()
    url = _own_address(root, url)
    sheet = Sheet(
        url=url, reckoning=_reckoning(root, now, zone), above=above, is_thread=is_thread, place=place
    )
    best = _best_reading(root, html, own, sheet)
    threads = _threads(root, own, sheet, best)
    kind = _kind(root, best.posts, threads)
    in_thread = kind is Kind.THREAD
    others = other_pages(root, url)
    return PageView(
        url=url,
        kind=kind,
        thread=thread_key(url),
        title=_title(root, own, best),
        threads=tuple(threads),
        posts=tuple(best.posts),
        next_url=next_page(root, url, own.next or _engine(best.by).next, in_thread=in_thread),
        others=tuple(others),
        number=page_number(url),
        last_number=max([page_number(url), *map(page_number, others)]),
        feeds=tuple(_comment_feeds(root, url)),
        by=best.by,
        place=best.place,
    )


def _engine(by: str) -> Selectors:
    return RECOGNISED.get(by, Selectors())


def _own_address(root: Element, url: str) -> str:
    """The page's canonical address when it names the same page in other words, else the address it was fetched from."""
    here = canonical(url) or url
    for link in root.iter("link"):
        if (link.get("rel") or "").lower() == "canonical" and link.get("href"):
            named = canonical(absolute(url, link.get("href")))
            if named and same_host(named, url) and _same_page(named, here):
                return named
    return here


def _same_page(named: str, here: str) -> bool:
    """Some sites name their front page, or page 1, as the canonical address of everything: not believed."""
    if thread_key(named) == thread_key(here):
        return page_number(named) == page_number(here)
    numbers = set(re.findall(r"\d{2,}", named)) & set(re.findall(r"\d{2,}", here))
    return (
        thread_key(named) != "/"
        and bool(numbers)
        and looks_like_topic(named)
        and page_number(named) == page_number(here)
    )


def _reckoning(root: Element, now: datetime, zone: tzinfo) -> Reckoning:
    language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    return Reckoning(now=now, zone=zone, month_first=is_month_first(" ".join(root.itertext()), language))


def _best_reading(root: Element, html: str, own: Selectors, sheet: Sheet) -> Reading:
    number = page_number(sheet.url)
    if own.post:
        return _select(root, "selectors", own, sheet, number)
    posts, threads, title = json_ld(root, sheet, number)
    readings = [Reading(by="json-ld", posts=posts, threads=threads, title=title)]
    readings += [_select(root, name, given, sheet, number) for name, given in RECOGNISED.items()]
    best = max(readings, key=lambda reading: reading.weight)
    if not best.posts and len(_engine_rows(root, own, sheet)) > 1:
        return best
    if len(best.posts) <= 1 and not any(reading.threads for reading in readings):
        best = _with_unmarked(best, html, own, sheet, number)
    listed = max(readings, key=lambda reading: len(reading.threads))
    return best if best.posts else replace(listed, led=best.led)


def _select(root: Element, name: str, selectors: Selectors, sheet: Sheet, number: int) -> Reading:
    items = [e for e, _ in pick(root, selectors.post) if e is not None][:MAX_ITEMS]
    if not items:
        return Reading(by=name)
    if _are_summaries(items, sheet):
        return Reading(by=name, threads=_summarised(root, items, sheet))
    return Reading(by=name, posts=read_posts(items, selectors, sheet, number))


def _are_summaries(items: Sequence[Element], sheet: Sheet) -> bool:
    """Whether the blocks are headed by links to pages of their own: a blog's front page, a list of threads."""
    headed = [item for item in items if _heading_links(item, sheet)]
    return len(headed) >= max(1, 0.7 * len(items)) and len(
        {_heading_links(i, sheet)[0] for i in headed}
    ) == len(headed)


def _heading_links(item: Element, sheet: Sheet) -> list[str]:
    here = thread_key(sheet.url)
    found = []
    for element in elements(item):
        href = element.get("href") if element.tag == "a" else None
        if href and is_title_link(element) and len(plain(element)) > 1 and not href.startswith("#"):
            target = absolute(sheet.url, href)
            if target and same_host(target, sheet.url) and thread_key(target) != here and not is_trap(target):
                found.append(thread_key(target))
    return found


def _summarised(root: Element, items: Sequence[Element], sheet: Sheet) -> list[ThreadLink]:
    headings = {key for item in items for key in _heading_links(item, sheet)[:1]}
    return [link for link in linked_threads(root, sheet) if thread_key(link.url) in headings]


def _with_unmarked(best: Reading, html: str, own: Selectors, sheet: Sheet, number: int) -> Reading:
    """Posts by repetition, when nothing else saw more than an opening post."""
    seen = find_items(parse(html), sheet)
    items = seen.posts[:MAX_ITEMS]
    if _are_summaries(items, sheet):
        return best
    best = replace(best, led=_led(seen.rows, sheet))
    found = read_posts(items, replace(own, post=""), sheet, number) if items else []
    if len(found) <= len(best.posts):
        return best
    opening = [post for post in best.posts if not any(post.text[:80] in other.text for other in found)]
    doubtful = len(seen.rows) > len(found)
    return replace(best, by="repetition", posts=[*opening, *found], doubtful=doubtful, place=seen.place)


def _led(rows: Sequence[Element], sheet: Sheet) -> list[ThreadLink]:
    """The threads that rows lead to by their first links."""
    leads = [(lead, row) for row in rows for lead in leads_of(row, sheet)[:1]]
    return [thread_link(lead.element, lead.url, row, Selectors(), sheet) for lead, row in leads]


def _engine_rows(root: Element, own: Selectors, sheet: Sheet) -> list[ThreadLink]:
    """The threads in the rows of the source's own selectors, or of the engine whose markup finds most."""
    if own.row or own.link:
        return selected_threads(root, own, sheet)
    engines = [selected_threads(root, given, sheet) for given in RECOGNISED.values() if given.row]
    return max(engines, key=len, default=[])


def _threads(root: Element, own: Selectors, sheet: Sheet, best: Reading) -> list[ThreadLink]:
    if own.row or own.link:
        return selected_threads(root, own, sheet)
    chosen = _engine_rows(root, own, sheet)
    if best.posts and not best.doubtful:
        return chosen if len(chosen) > 1 and not looks_like_topic(sheet.url) else []
    found = {thread_key(link.url): link for link in [*chosen, *best.threads]}
    further = linked_threads(root, sheet, only_forums=bool(found)) or ([] if found else best.led)
    return [*found.values(), *(link for link in further if thread_key(link.url) not in found)]


def _kind(root: Element, posts: Sequence[PostView], threads: Sequence[ThreadLink]) -> Kind:
    if posts:
        return Kind.BOTH if threads else Kind.THREAD
    if threads:
        return Kind.LIST
    return Kind.LOGIN if _is_login_wall(root) else Kind.NEITHER


def _is_login_wall(root: Element) -> bool:
    """A form for a password, and no heading that speaks of anything else: many pages have such a form at their top."""
    if not any((e.get("type") or "").lower() == "password" for e in root.iter("input")):
        return False
    heads = [text for e in root.iter("h1", "h2", "title") if (text := plain(e))]
    return not heads or any(_LOGIN_WORDS.search(text) for text in heads)


def _title(root: Element, own: Selectors, best: Reading) -> str:
    for _, value in pick(root, own.title or _engine(best.by).title):
        if value.strip():
            return " ".join(value.split())[:300]
    if best.title:
        return " ".join(best.title.split())[:300]
    for path in (".//h1", ".//title"):
        for element in root.iterfind(path):
            if text := plain(element):
                return text[:300] if path == ".//h1" else re.split(r"\s[|–—-]\s", text)[0][:300]
    return ""


def _comment_feeds(root: Element, url: str) -> list[str]:
    found: dict[str, None] = {}
    for link in root.iter("link"):
        kind, href = link.get("type") or "", link.get("href") or ""
        told = f"{link.get('title') or ''} {href}"
        if kind in {"application/rss+xml", "application/atom+xml"} and re.search(
            r"comment|kommentar|posts|inlägg|innlegg", told, re.IGNORECASE
        ):
            target = absolute(url, href)
            if target and same_host(target, url):
                found.setdefault(target)
    return list(found)
