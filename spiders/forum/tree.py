"""A page as a tree: parsing, and the small questions that every reader asks of an element. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from cssselect import SelectorError
from lxml import etree
from parsel import Selector
from parsel.csstranslator import HTMLTranslator

Element: TypeAlias = Any
"""lxml.html.HtmlElement."""

_UNSOUND = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PASSING_CLASS = re.compile(r"(?:odd|even|first|last|alt|bg|row|new|op|active|unread)[-_]?")
MAX_DEPTH = 200
"""So far up an element's ancestors are looked at."""


def sound(text: str) -> str:
    """Text that a tree can hold: without lone surrogates and control characters."""
    return _UNSOUND.sub(" ", text)


def parse(html: str) -> Element:
    """The root element of any text; never fails."""
    root = Selector(text=sound(html) or "<html></html>", type="html").root
    return root if hasattr(root, "iter") else Selector(text="<html></html>", type="html").root


def names(element: Element) -> str:
    """Class and id in one string, for matching."""
    return f"{element.get('class') or ''} {element.get('id') or ''}".strip()


def plain(element: Element) -> str:
    """All text of a small element on one line, nothing left out."""
    return " ".join("".join(element.itertext()).split())


def length(element: Element) -> int:
    return sum(len(part.strip()) for part in element.itertext())


def spaced(element: Element) -> str:
    """All text of a small element on one line, a space between elements."""
    return " ".join(" ".join(element.itertext()).split())


def ancestors(element: Element) -> Iterator[Element]:
    """Parent, grandparent …, nearest first."""
    node = element.getparent()
    for _ in range(MAX_DEPTH):
        if node is None:
            return
        yield node
        node = node.getparent()


def signature(element: Element) -> str:
    """Tag and classes without numbers, so that the items of one kind look the same."""
    return _signature(str(element.tag), element.get("class") or "")


@lru_cache(maxsize=4096)
def _signature(tag: str, classes: str) -> str:
    lasting = {c for c in re.sub(r"\d+", "", classes).split() if not _PASSING_CLASS.fullmatch(c)}
    return ".".join([tag, *sorted(lasting)])


def elements(root: Element) -> Iterator[Element]:
    """Every real element below and including `root`, in document order."""
    return (node for node in root.iter() if isinstance(node.tag, str))


@lru_cache(maxsize=1024)
def _alternatives(css: str) -> tuple[str, ...]:
    """`a, b` → a and b."""
    return tuple(part.strip() for part in re.split(r",(?![^(\[]*[)\]])", css))


@lru_cache(maxsize=1024)
def _finder(css: str) -> Any:
    """A compiled selector, None when it is wrong."""
    try:
        return etree.XPath(HTMLTranslator().css_to_xpath(css), smart_strings=False)
    except (ValueError, SelectorError, etree.XPathError):
        return None


def prefer(element: Element, css: str) -> list[tuple[Element | None, str]]:
    """Like `pick`, but what an earlier alternative of `a, b` finds comes before what a later one finds."""
    return [found for part in _alternatives(css) for found in pick(element, part)] if css else []


def select(element: Element, css: str) -> list[Element]:
    """The elements that a CSS selector finds."""
    finder = _finder(css) if css else None
    return [found for found in finder(element) if hasattr(found, "tag")] if finder else []


def pick(element: Element, css: str) -> list[tuple[Element | None, str]]:
    """What a CSS selector finds: (element, its text), or (None, value) for ::attr() and ::text; nothing if it is wrong."""
    finder = _finder(css) if css else None
    found = finder(element) if finder else ()
    return [(e, plain(e)) if hasattr(e, "tag") else (None, str(e)) for e in found]
