"""A page as a tree: parsing, and the small questions that every reader asks of an element. Pure."""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from cssselect import SelectorError
from parsel import Selector

Element: TypeAlias = Any
"""lxml.html.HtmlElement."""

_UNSOUND = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
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
    classes = re.sub(r"\d+", "", element.get("class") or "").split()
    plain_classes = sorted(
        {
            c
            for c in classes
            if not re.fullmatch(r"(?:odd|even|first|last|alt|bg|row|new|op|active|unread)[-_]?", c)
        }
    )
    return ".".join([str(element.tag), *plain_classes])


def elements(root: Element) -> Iterator[Element]:
    """Every real element below and including `root`, in document order."""
    return (node for node in root.iter() if isinstance(node.tag, str))


def prefer(element: Element, css: str) -> list[tuple[Element | None, str]]:
    """Like `pick`, but what an earlier alternative of `a, b` finds comes before what a later one finds."""
    return [found for part in re.split(r",(?![^(\[]*[)\]])", css) for found in pick(element, part.strip())]


def pick(element: Element, css: str) -> list[tuple[Element | None, str]]:
    """What a CSS selector finds: (element, its text), or (None, value) for ::attr() and ::text; nothing if it is wrong."""
    if not css:
        return []
    try:
        found = Selector(root=element, type="html").css(css)
    except (ValueError, SelectorError):
        return []
    return [(None, s.root) if isinstance(s.root, str) else (s.root, plain(s.root)) for s in found]
