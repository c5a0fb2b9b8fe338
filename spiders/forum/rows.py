"""Rows of a list told from posts of a thread, when both are nothing but repeated blocks with a date. Pure.

A row leads to a page of its own: it holds a link to another page of the host, standing by itself before any longer text, and says
little besides; or the blocks' links are wordy and each leads elsewhere (a list with excerpts).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from lxml import etree

from spiders.forum.addresses import absolute, is_trap, pattern, same_host, thread_key
from spiders.forum.dates import find_date
from spiders.forum.fields import Sheet, names_author, names_itself, own_date, own_text
from spiders.forum.listing import is_title_link
from spiders.forum.text import is_button, is_quote, text_of
from spiders.forum.tree import Element, ancestors, elements, length, plain

_WORD = re.compile(r"[^\W\d_]{2,}")
_COUNT = re.compile(r"\d{1,3}(?:[\s.,]?\d{3})*")
_LITTLE = 45
"""Letters that a row may say besides its links, date and counts: who began it, "replies", "latest" …"""
_BEFORE = 45
"""Characters that may stand before a row's link: "Pinned:", an author, a date."""

_PINNED = 15


@dataclass(frozen=True, slots=True)
class Lead:
    """A link by which a block leads to another page of the host."""

    element: Element
    url: str
    key: str
    shape: str
    title: str
    before: int
    """Characters of the block that stand before it."""


def split_rows(items: Sequence[Element], sheet: Sheet) -> tuple[list[Element], list[Element]]:
    """Blocks that hold a date → (posts, rows). Few rows among posts are a sidebar's; few posts among rows must look
    like posts."""
    leads = {item: leads_of(item, sheet) for item in items}
    bylines = _bylines(leads, sheet)
    leads = {i: [lead for lead in found if lead.shape not in bylines] for i, found in leads.items()}
    if not _are_counted(items):
        leads = {i: [lead for lead in found if not names_itself(lead.element)] for i, found in leads.items()}
    wordy = _are_headed(leads)
    rows = [i for i in items if leads[i] and (wordy or _says_little(i, sheet))]
    posts = [item for item in items if item not in set(rows)]
    if rows and len(posts) < 0.6 * len(items) and not sheet.is_thread:
        posts = [post for post in posts if is_surely_a_post(post, sheet)]
    return posts, rows


def is_surely_a_post(item: Element, sheet: Sheet) -> bool:
    """Whether a block among rows is no row, and no box with a date either: it leads nowhere and has something to say."""
    led = {thread_key(target) for _, target in links_away(item, sheet)}
    return len(led) < 3 and not leads_of(item, sheet) and _rest(item, sheet) >= _LITTLE // 4


def links_away(item: Element, sheet: Sheet) -> list[tuple[Element, str]]:
    """Links to other pages of the host that are not above this one, with their addresses."""
    here = thread_key(sheet.url)
    found = []
    for element in elements(item):
        href = (element.get("href") or "") if element.tag == "a" else ""
        target = absolute(sheet.url, href) if href and not href.startswith("#") else ""
        if not target or not same_host(target, sheet.url) or is_trap(target):
            continue
        key = thread_key(target)
        # a sidebar names this very thread too
        itself = key == here and "#" not in href and len(plain(element).split()) > 2
        if (key != here or itself) and key not in sheet.above:
            found.append((element, target))
    return found


def leads_of(item: Element, sheet: Sheet) -> list[Lead]:
    """The links of a block that may be a title: words, not a date, not an author, not in the middle of a text."""
    found: dict[str, Lead] = {}
    for element, target in links_away(item, sheet):
        title = plain(element)
        if not _WORD.search(title) or is_button(element) or _is_date(title, sheet):
            continue
        before = _characters_before(element, item)
        if before > _BEFORE and not is_title_link(element):
            continue
        if any(names_author(part) for part in _around(element, item)):
            continue
        key = thread_key(target)
        if key not in found or len(title) > len(found[key].title):
            found[key] = Lead(element, target, key, pattern(target), title, before)
    return list(found.values())


def _is_date(title: str, sheet: Sheet) -> bool:
    """Whether a link's words are a date and little else: the permalink of a post."""
    found = find_date(title, sheet.reckoning)
    return found is not None and found.end - found.start >= 0.6 * len(title)


def _around(element: Element, item: Element) -> list[Element]:
    """An element, what is in it, and what is around it and says the same."""
    found = list(elements(element))
    for node in ancestors(element):
        if node is item or length(node) > length(element) + 10:
            break
        found.append(node)
    return found


def _characters_before(element: Element, item: Element) -> int:
    """How much text of a block stands before an element of it; an element in a quote is no beginning of anything."""
    if any(is_quote(a) for a in ancestors(element) if a is not item):
        return 2 * _BEFORE
    before = 0
    for event, node in etree.iterwalk(item, events=("start", "end")):
        if node is element:
            break
        text = node.tail if event == "end" else node.text if isinstance(node.tag, str) else ""
        before += len((text or "").strip())
    return before


def _bylines(leads: Mapping[Element, Sequence[Lead]], sheet: Sheet) -> set[str]:
    """Shapes of links that are authors' after all: one short name in most blocks, and a text beside it."""
    found = set()
    for shape in {lead.shape for lead in chain(*leads.values())}:
        named = [(item, lead) for item, own in leads.items() for lead in own if lead.shape == shape]
        brief = sum(len(lead.title.split()) <= 2 for _, lead in named) >= 0.8 * len(named)
        texts = sum(_rest(item, sheet) >= _LITTLE for item in {item for item, _ in named})
        boards = len({lead.key for _, lead in named}) == len(named) and _are_counted(
            [item for item, _ in named]
        )
        if brief and len(named) >= 0.6 * len(leads) and texts >= 0.5 * len(named) and not boards:
            found.add(shape)
    return found


def _are_counted(items: Sequence[Element]) -> bool:
    """Whether most blocks show a bare number: how many threads or posts a board has."""
    shown = sum(any(_COUNT.fullmatch(own_text(e)) for e in elements(item) if len(e) == 0) for item in items)
    return shown >= 0.6 * len(items)


def _are_headed(leads: Mapping[Element, Sequence[Lead]]) -> bool:
    """Whether most blocks begin with a link of several words, each with another one."""
    first = [own[0] for own in leads.values() if own]
    if len(first) < max(1, 0.6 * len(leads)):
        return False
    if len(leads) == 1 and first[0].before > _PINNED:
        return False  # a lone post may well begin with a link, yet after its author and date
    words = sum(len(lead.title.split()) for lead in first) / len(first)
    different = min(len({lead.key for lead in first}), len({lead.title for lead in first}))
    return words >= 2.5 and different >= 0.8 * len(first)


def _says_little(item: Element, sheet: Sheet) -> bool:
    links = links_away(item, sheet)
    longest = max(len(plain(element)) for element, _ in links)
    return _rest(item, sheet) < max(_LITTLE, longest) * len({thread_key(target) for _, target in links})


def _rest(item: Element, sheet: Sheet) -> int:
    """How many letters a block says besides its links to other pages and its dates."""
    without = {element for element, _ in links_away(item, sheet)}
    without |= {e for e in elements(item) if e is not item and len(e) == 0 and own_date(e, sheet.reckoning)}
    return sum(map(len, _WORD.findall(text_of(item, without))))
