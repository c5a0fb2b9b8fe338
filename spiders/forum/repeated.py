"""Posts on a page whose markup nobody told us about: whatever repeats and shows a date and a text. Pure.

Each date on the page is followed up to the largest element that holds no other date: that is a post, whether it is an article,
a table row or a bare <div>. When dates stand apart from their texts (header rows, <dt> and <dd>, headings and paragraphs in one
flat row) the row is cut into pieces, each from one date to the next.
"""

import copy
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from spiders.forum.fields import Sheet, find_author, own_date, tells_of_posting
from spiders.forum.rows import is_surely_a_post, split_rows
from spiders.forum.text import is_hidden, is_quote, text_of
from spiders.forum.tree import Element, ancestors, elements, length, names, signature, sound

_ASIDE_TAGS = frozenset(
    ["nav", "footer", "aside", "form", "script", "style", "template", "select", "noscript", "iframe", "head"]
)
_ASIDE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:sidebar|footer|nav|navbar|menu|breadcrumbs?|widget|related|recent|suggested|"
    r"advert|ads?|cookie|banner|pagination)(?=$|[\s_-])",
    re.IGNORECASE,
)
_ITEM_NAMES = re.compile(
    r"(?:^|[\s_-])(?:post|message|msg|comment|entry|reply|inlagg|inlägg|innlegg|indlæg|svar|answer|"
    r"question)(?=$|[\s_\d-])",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?i)(?:[a-z]{1,12}[-_]?)?\d+")
_ROWS = frozenset(["li", "tr", "dt", "dd"])
_TABLES = frozenset(["ul", "ol", "dl", "table", "tbody"])
MAX_DATES = 400


@dataclass(frozen=True, slots=True)
class Leaf:
    """An element that shows a date."""

    element: Element
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """What repeats on a page: posts, and rows that lead elsewhere; `weight` of both, by their texts."""

    posts: list[Element]
    rows: list[Element]
    weight: int

    @property
    def place(self) -> str:
        """Where several posts stand alike; "" when they do not."""
        places = {place_of(post) for post in self.posts} if len(self.posts) > 1 else set()
        return places.pop() if len(places) == 1 else ""


def place_of(element: Element) -> str:
    """The way from the body down to an element, by tags and classes; "" when it is in no body."""
    way = [signature(node) for node in (element, *ancestors(element))]
    return ">".join(reversed(way)) if way[-1].startswith("html") else ""


def find_items(root: Element, sheet: Sheet) -> Found:
    """Elements that hold one post each, in page order, and those that only lead to one; none when nothing on the page
    looks like posts. Changes the tree."""
    body = root.find(".//body")
    body = root if body is None else body
    _strip(body)
    _wrap_loose_text(body)
    leaves = _leaves(body, sheet)
    seen = [
        _of_kind(kind, leaves, body, sheet)
        for kind, _ in Counter(leaf.kind for leaf in leaves).most_common(5)
    ]
    best = max(seen, key=lambda found: found.weight, default=Found([], [], 0))
    if best.posts or not best.rows:
        return best
    taken = {e for row in best.rows for e in [*elements(row), *ancestors(row)]}
    others = [
        replace(found, posts=[p for p in found.posts if p not in taken and is_surely_a_post(p, sheet)])
        for found in seen
    ]
    beside = max(others, key=lambda found: len(found.posts))  # a thread's only post beside a long sidebar
    return Found(beside.posts, best.rows, best.weight)


def _of_kind(kind: str, leaves: Sequence[Leaf], body: Element, sheet: Sheet) -> Found:
    dates = [leaf.element for leaf in leaves if leaf.kind == kind]
    items = _items_of(dates, body, sheet)
    posts, rows = split_rows([*_opening(leaves, kind, items), *items], sheet)
    counted = posts if sheet.is_thread else [*posts, *rows]
    return Found(posts, rows, sum(_weight(item, sheet) for item in counted))


def _weight(item: Element, sheet: Sheet) -> int:
    words = _words_besides(item, sheet)
    return 40 + min(len(words), 600) if words else 0


def _strip(body: Element) -> None:
    """Take out what holds no posts; a whole-page <form> (old ASP pages) stays."""
    for element in list(elements(body)):
        if element is body or element.getparent() is None:
            continue
        named = (
            _ASIDE_NAMES.search(names(element))
            and element.tag not in {"body", "main", "table", "article"}
            and length(element) < 3_000
        )
        if element.tag == "form" and length(element) > 400:
            continue
        if (
            element.tag in _ASIDE_TAGS
            or named
            or (element.tag == "header" and element.getparent() is body)
            or is_hidden(element)
        ):
            _remove(element)
        elif is_quote(element) and len(element) and length(element) < 0.8 * length(body):
            for inner in elements(element):
                inner.attrib.pop("datetime", None)  # a quoted post's date is not this post's


def _remove(element: Element) -> None:
    parent, tail = element.getparent(), element.tail
    previous = element.getprevious()
    if tail and previous is not None:
        previous.tail = sound((previous.tail or "") + tail)
    elif tail:
        parent.text = sound((parent.text or "") + tail)
    parent.remove(element)


def _wrap_loose_text(body: Element) -> None:
    """Text beside elements gets an element of its own, so that a bare date between <b>name</b> and <br> can be seen."""
    for element in list(elements(body)):
        if len(element) == 0 or element.tag in {"pre", "code", "a"}:
            continue
        if element.text and element.text.strip():
            element.insert(0, _loose(element, element.text))
            element.text = None
        for child in list(element):
            if child.tail and child.tail.strip():
                wrapped = _loose(element, child.tail)
                child.tail = None
                element.insert(element.index(child) + 1, wrapped)


def _loose(parent: Element, text: str) -> Element:
    span = parent.makeelement("span")
    span.text = sound(text)
    return span


def _leaves(body: Element, sheet: Sheet) -> list[Leaf]:
    found: list[Leaf] = []
    taken: set[Element] = set()
    for element in elements(body):
        if len(found) >= MAX_DATES:
            break
        if any(a in taken for a in _few(element)) or any(is_quote(a) for a in _few(element)):
            continue
        if own_date(element, sheet.reckoning) and tells_of_posting(element):
            parent = element.getparent()
            place = signature(parent) if parent is not None else ""
            found.append(Leaf(element, f"{place}>{signature(element)}"))
            taken.add(element)
    return found


def _few(element: Element) -> list[Element]:
    return [a for a, _ in zip(ancestors(element), range(6), strict=False)]


def _items_of(dates: Sequence[Element], body: Element, sheet: Sheet) -> list[Element]:
    if len(dates) == 1:
        return [_with_text(_single(dates[0], body, sheet), sheet)]
    inside: Counter[Element] = Counter()
    for date in dates:
        inside.update([date, *ancestors(date)])
    items = [_climb(date, inside, body) for date in dates]
    pieces = _pieces(items, sheet)
    if pieces:
        return pieces
    return _promoted(items, dates, sheet)


def _climb(date: Element, inside: Counter[Element], body: Element) -> Element:
    """The largest element around a date that holds no other date."""
    node = date
    for parent in ancestors(date):
        if inside[parent] > 1 or parent is body:
            break
        if node.tag in _ROWS and parent.tag in _TABLES and _rest(node, date) > 0:
            break
        node = parent
    return node


def _single(date: Element, body: Element, sheet: Sheet) -> Element:
    """The only date on the page: up to where posts stand on other pages of this forum, else to what has a number as its id,
    is named or tagged like a post, else to what still holds no page heading."""
    around = [date, *takewhile(lambda parent: parent is not body, ancestors(date))]
    known = [e for e in around if place_of(e) == sheet.place or _NUMBERED.fullmatch(e.get("id") or "")]
    if known:
        return known[-1]
    node = date
    for parent in ancestors(date):
        if parent is body or parent.tag in {"main", "html", "tbody", "table", "ul", "ol", "dl"}:
            break
        if node.tag in {"article", "li", "tr"} or (_ITEM_NAMES.search(names(node)) and len(node)):
            break
        if parent.find(".//h1") is not None and length(node) > 0 and _rest(node, date) > 0:
            break
        node = parent
    return node


def _with_text(head: Element, sheet: Sheet) -> Element:
    """A head that says nothing but author and date, with what follows it."""
    parent = head.getparent()
    if parent is None or _words_besides(head, sheet):
        return head
    children = [child for child in parent if isinstance(child.tag, str)]
    start = children.index(head)
    return _joined(children[start : start + 2])


def _rest(node: Element, date: Element) -> int:
    return length(node) - length(date)


def _words_besides(item: Element, sheet: Sheet) -> str:
    """What an item says apart from its date and its author."""
    date = next((e for e in elements(item) if own_date(e, sheet.reckoning)), None)
    if date is item:
        return ""
    _, author = find_author(item, "", sheet, date)
    return text_of(item, {e for e in (date, author) if e is not None and e is not item})


def _promoted(items: list[Element], dates: Sequence[Element], sheet: Sheet) -> list[Element]:
    """Replies that stand inside what they reply to: a header without text grows to the nearest element of the others' kind."""
    kinds = Counter(signature(item) for item in items if _words_besides(item, sheet))
    if not kinds:
        return items
    kind = kinds.most_common(1)[0][0]
    grown: list[Element] = []
    for item in items:
        if signature(item) != kind:
            item = next((a for a in ancestors(item) if signature(a) == kind and a not in grown), item)
        grown.append(item)
    return [item for item in grown if signature(item) == kind or _words_besides(item, sheet)]


def _pieces(items: Sequence[Element], sheet: Sheet) -> list[Element]:
    """When heads (with a date) and texts are siblings: new elements, each from one head to the next; else []."""
    parents = Counter(item.getparent() for item in items if item.getparent() is not None)
    if not parents:
        return []
    parent, count = parents.most_common(1)[0]
    if count < 2 or count < 0.6 * len(items):
        return []
    heads = [item for item in items if item.getparent() is parent]
    children = [child for child in parent if isinstance(child.tag, str)]
    place_of = {child: place for place, child in enumerate(children)}
    places = [place_of[head] for head in heads]
    before = _common_before(children, places)
    if not _stand_apart(children, places, heads, before, sheet):
        return []
    starts = [place - before for place in places]
    ends = [*starts[1:], _end(children, starts)]
    return [_joined(children[start:end]) for start, end in zip(starts, ends, strict=True)]


def _common_before(children: Sequence[Element], places: Sequence[int]) -> int:
    """How many elements before each head belong to it: those of the same kinds before every head."""
    for count in (3, 2, 1):
        if places[0] < count:
            continue
        kinds = {tuple(signature(c) for c in children[place - count : place]) for place in places}
        if len(kinds) == 1 and not any(
            tag in {"h1", "hr"} for tag in (c.tag for c in children[places[0] - count : places[0]])
        ):
            gap = min((b - a for a, b in pairwise(places)), default=99)
            if gap > count:
                return count
    return 0


def _stand_apart(
    children: Sequence[Element], places: Sequence[int], heads: Sequence[Element], before: int, sheet: Sheet
) -> bool:
    """Whether the texts stand between the heads, or the names before them."""
    known = set(heads)
    between = [c for c in children[places[0] :] if c not in known]
    outside = sum(length(c) for c in between)
    inside = sum(len(re.sub(r"\w+:", "", _words_besides(head, sheet)).strip()) for head in heads)
    if outside > 2 * inside:
        return True
    nameless = sum(
        1 for head in heads if not find_author(head, "", sheet, None)[0] or head.tag in {"dd", "td"}
    )
    return (
        before == 1
        and heads[0].tag in {"dd", "td", "tr"}
        and nameless >= 0.6 * len(heads)
        and heads[0].tag != "tr"
    )


def _end(children: Sequence[Element], starts: Sequence[int]) -> int:
    """The last piece is not longer than the longest before it."""
    longest = max(b - a for a, b in pairwise(starts))
    return min(len(children), starts[-1] + longest)


def _joined(parts: Sequence[Element]) -> Element:
    whole = parts[0].makeelement("div")
    for part in parts:
        whole.append(copy.deepcopy(part))
    for name in ("id", "data-id", "data-post-id"):
        value = next((p.get(name) for p in parts if p.get(name)), None)
        if value:
            whole.set(name, value)
    return whole


def _opening(leaves: Sequence[Leaf], kind: str, items: Sequence[Element]) -> list[Element]:
    """The opening post, when it is marked up otherwise than its replies: it stands before them and has its own date."""
    first = next((i for i, leaf in enumerate(leaves) if leaf.kind == kind), 0)
    earlier = [leaf.element for leaf in leaves[:first]]
    if not earlier or len(items) < 1 or len({leaf.kind for leaf in leaves[:first]}) < first:
        return []
    taken = {e for item in items for e in [item, *ancestors(item)]}
    node = earlier[0]
    for parent in ancestors(node):
        if parent in taken:
            break
        node = parent
    return [node] if node.tag not in {"tr", "h1", "h2", "header"} and length(node) > 60 else []
