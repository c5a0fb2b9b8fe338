"""Rows of a list told from posts of a thread, when both are nothing but repeated blocks with a date. Pure.

A row leads to a page of its own: it holds a link to another page of the host, standing by itself before any longer text, and says
little besides; or the blocks' links are wordy and each leads elsewhere (a list with excerpts).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from spiders.forum.addresses import absolute, is_trap, pattern, same_host, thread_key
from spiders.forum.dates import find_date
from spiders.forum.fields import Sheet, names_author, own_date
from spiders.forum.text import is_button, is_quote, text_of
from spiders.forum.tree import Element, ancestors, elements, length, plain

_WORD = re.compile(r"[^\W\d_]{2,}")
_LITTLE = 45
"""Letters that a row may say besides its links, date and counts: who began it, "replies", "latest" …"""
_BEFORE = 45
"""Characters that may stand before a row's link: "Pinned:", an author, a date."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A link by which a block leads to another page of the host."""

    element: Element
    key: str
    shape: str
    title: str


def split_rows(items: Sequence[Element], sheet: Sheet) -> tuple[list[Element], list[Element]]:
    """Blocks that hold a date → (posts, rows). All are rows when most of them are and the rest says nothing like a post."""
    leads = {id(item): leads_of(item, sheet) for item in items}
    bylines = _bylines(items, leads)
    leads = {i: [lead for lead in found if lead.shape not in bylines] for i, found in leads.items()}
    wordy = _are_headed(items, leads)
    rows = [i for i in items if _is_row(i, leads[id(i)], sheet) or (wordy and leads[id(i)])]
    known = set(rows)
    posts = [item for item in items if item not in known]
    if len(rows) < 0.4 * len(items):
        return posts, rows
    return [post for post in posts if _is_surely_a_post(post, leads[id(post)], items, sheet)], rows


def links_away(item: Element, sheet: Sheet) -> list[tuple[Element, str]]:
    """Links to other pages of the host, with their addresses."""
    here = thread_key(sheet.url)
    found = []
    for element in elements(item):
        href = element.get("href") if element.tag == "a" else None
        target = absolute(sheet.url, href) if href and not href.startswith("#") else ""
        if target and same_host(target, sheet.url) and thread_key(target) != here and not is_trap(target):
            found.append((element, target))
    return found


def leads_of(item: Element, sheet: Sheet) -> list[Lead]:
    """The links of a block that may be a title: words, not a date, not an author, not in the middle of a text."""
    found: dict[str, Lead] = {}
    for element, target in links_away(item, sheet):
        title = plain(element)
        if not _WORD.search(title) or is_button(element) or not _stands_alone(element, item):
            continue
        if find_date(title, sheet.reckoning) and len(title) < 40:
            continue
        if any(names_author(part) for part in (*_within(element, item), *elements(element))):
            continue
        key = thread_key(target)
        if key not in found or len(title) > len(found[key].title):
            found[key] = Lead(element, key, pattern(target), title)
    return list(found.values())


def _within(element: Element, item: Element) -> list[Element]:
    """An element and what is around it, up to the block."""
    around = [element]
    for node in ancestors(element):
        if node is item or length(node) > 2 * length(element) + 10:
            break
        around.append(node)
    return around


def _stands_alone(element: Element, item: Element) -> bool:
    """Not amidst a sentence, and not below a longer text."""
    if any(is_quote(a) for a in ancestors(element) if a is not item):
        return False
    before = 0
    for node in item.iter():
        if node is element:
            break
        before += len((node.text or "").strip()) if isinstance(node.tag, str) else 0
        before += sum(len((child.tail or "").strip()) for child in node if _precedes(child, element))
    return before <= _BEFORE or _is_heading(element)


def _precedes(child: Element, element: Element) -> bool:
    """Whether the text after `child` stands before `element`: its element does not follow, nor hold, `child`'s."""
    return child is not element and child not in ancestors(element) and _index(child) < _index(element)


def _index(element: Element) -> list[int]:
    """An element's place in the document."""
    path = []
    node = element
    for parent in ancestors(element):
        path.append(parent.index(node))
        node = parent
    return path[::-1]
