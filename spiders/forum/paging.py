"""Where a list or thread goes on. Pure."""

import re
from collections.abc import Iterator

from spiders.forum.addresses import absolute, canonical, is_trap, page_number, same_host, thread_key
from spiders.forum.tree import Element, ancestors, names, pick, plain

_NEXT_WORDS = re.compile(
    r"\W*(?:next|next page|nästa|nästa sida|neste|neste side|næste|næste side|seuraava|seuraava sivu|"
    r"nächste|nächste seite|weiter|"
    r"older|older (?:posts|entries|topics|comments)|newer comments|äldre|äldre inlägg|eldre|eldre "
    r"innlegg|ældre|ældre indlæg|vanhemmat|"
    r"more|load more|show more|visa fler|fler|ladda fler|vis flere|flere|näytä lisää|framåt|frem|"
    r"forward)\W*|[›»→]|>{1,2}",
    re.IGNORECASE,
)
_NEXT_NAMES = re.compile(
    r"(?:^|[\s_-])(?:next|nasta|neste|naeste|seuraava|older|arrow-right|morelink|pagenav-?next|"
    r"pagination_next)(?=$|[\s_-])",
    re.IGNORECASE,
)
_PAGER = re.compile(
    r"(?:^|[\s_-])(?:pag(?:e|er|es|ing|ination|inator|elinks?|enav|e-?numbers?)?|nav-?links|pagelinks|"
    r"comment-?navigation|comments-pagination|sidor|sider|sivut)(?=$|[\s_-])|pagination|pagenav|page-?nav",
    re.IGNORECASE,
)
_OTHER_THREAD = re.compile(r"prev_next|next(?:newest|oldest)|view=(?:next|previous)|goto=next", re.IGNORECASE)


def _links(root: Element, url: str) -> Iterator[tuple[Element, str]]:
    for element in root.iter("a", "link"):
        href = element.get("href")
        if not href or href.startswith(("#", "javascript:", "mailto:")) or _OTHER_THREAD.search(href):
            continue
        target = absolute(url, href)
        if target and same_host(target, url):
            yield element, canonical(target)


def in_pager(element: Element) -> bool:
    return any(
        _PAGER.search(names(a)) or _PAGER.search(a.get("aria-label") or "")
        for a, _ in zip(ancestors(element), range(4), strict=False)
    )


def _says_next(element: Element) -> bool:
    if element.get("rel") and "next" in element.get("rel").split():
        return True
    if element.tag == "link":
        return False
    if _NEXT_WORDS.fullmatch(plain(element)) or _NEXT_WORDS.fullmatch(
        element.get("aria-label") or element.get("title") or "-"
    ):
        return True
    parent = element.getparent()
    around = (
        names(element)
        + " "
        + (
            names(parent)
            if parent is not None and parent.tag in {"li", "span", "div", "p"} and len(parent) == 1
            else ""
        )
    )
    return bool(_NEXT_NAMES.search(around))


def next_page(root: Element, url: str, css: str, *, in_thread: bool) -> str:
    """The address of the page after this one, "" at the end. In a thread it must be a page of the same thread."""
    here, key, number = canonical(url), thread_key(url), page_number(url)
    for element, value in pick(root, css):
        href = value if element is None else element.get("href") or ""
        if (target := absolute(url, href)) and canonical(target) != here and same_host(target, url):
            return canonical(target)
    elsewhere = ""
    for element, target in _links(root, url):
        if target == here or not _says_next(element):
            continue
        marked = "next" in (element.get("rel") or "").split()
        if thread_key(target) == key and (
            page_number(target) > number or (marked and page_number(target) == number)
        ):
            return target
        if (
            thread_key(target) != key
            and not in_thread
            and not is_trap(target)
            and (in_pager(element) or page_number(target) > number)
        ):
            elsewhere = elsewhere or target
    higher = {page_number(t): t for t in reversed(other_pages(root, url)) if page_number(t) > number}
    return higher[min(higher)] if higher else elsewhere


def other_pages(root: Element, url: str) -> list[str]:
    """Further pages of this very list or thread that the page's own pagination links to, without repetition."""
    here, key = canonical(url), thread_key(url)
    found: dict[str, None] = {}
    for element, target in _links(root, url):
        if element.tag != "a" or target == here or thread_key(target) != key:
            continue
        numbered = re.fullmatch(r"\W*\d{1,6}\W*", plain(element)) or page_number(target) > 1
        if numbered and (in_pager(element) or page_number(target) > 1) and _differs_by_page(target, url):
            found.setdefault(target)
    return list(found)


def _differs_by_page(target: str, url: str) -> bool:
    """A page of it, and not a post in it (`/t/title/12/5` is the fifth post where pages are `?page=`)."""
    if page_number(target) == 1 and "page" not in target:
        return page_number(url) > 1
    return True
