"""Queries as filters for Elasticsearch. Pure.

Words are cut and folded by our own tokeniser and looked up as they are: nothing that a user wrote is read as syntax or
analysed once more. What asks for several words at once becomes one `terms` filter, so that a query of thousands of words stays
within the server's bounds.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from listener.archive.elastic.documents import cut
from listener.errors import StoreError
from listener.query import And, Field, Near, Node, Not, Or, Phrase, Prefix, Tag, Word
from listener.query.nodes import Place

MAX_NEAR_PAIRS = 1_000
"""Each pair of words beside NEAR is a search of its own."""
WORDS, FIELDS = "lyhord.words", "lyhord.fields"

Filter = dict[str, Any]

_MAX_DISTANCE = 50_000  # half the gap between title and text
_MAX_HEIGHT = 20  # the server takes 30 queries within each other, and some stand around ours
_MAX_CUTS = 16  # a tower of parentheses needs four
_NOTHING: Filter = {"match_none": {}}
_EVERYTHING: Filter = {"match_all": {}}


def translate(root: Node) -> Filter:
    """Raises StoreError when NEAR has too many alternatives, or the query is a thicket."""
    return _filter(_Axe().lowered(root))


def _filter(node: Node) -> Filter:
    match node:
        case And(children):
            return _all_of(children)
        case Or(children):
            return _any_of(children)
        case Not(child):
            return {"bool": {"must_not": [_filter(child)]}}
        case Near(left, right, n):
            return _near(left, right, n)
        case Phrase(_, last_is_prefix) if last_is_prefix:
            return _at(_place(node))
        case Phrase(words):
            phrase = " ".join(cut(word) for word in words)
            return {"match_phrase": {WORDS: {"query": phrase, "analyzer": "whitespace"}}}
        case Prefix(text):
            return {"prefix": {WORDS: {"value": cut(text)}}}
        case Word() | Tag() | Field():
            return _any_term([node])


def _all_of(nodes: Sequence[Node]) -> Filter:
    """Excluded terms become one: `NOT a AND NOT b` is `NOT (a OR b)`."""
    wanted = [_filter(node) for node in nodes if not isinstance(node, Not)]
    excluded = _alternatives([node.child for node in nodes if isinstance(node, Not)])
    return {"bool": {"filter": wanted or [_EVERYTHING], "must_not": excluded}}


def _any_of(nodes: Sequence[Node]) -> Filter:
    return {"bool": {"should": _alternatives(nodes) or [_NOTHING], "minimum_should_match": 1}}


def _alternatives(nodes: Iterable[Node]) -> list[Filter]:
    """A filter for each of the nodes, but one for all words, and one for all tags and fields."""
    filters: list[Filter] = []
    words: list[Word | Tag | Field] = []
    terms: list[Word | Tag | Field] = []
    for node in nodes:
        match node:
            case Word():
                words.append(node)
            case Tag() | Field():
                terms.append(node)
            case _:
                filters.append(_filter(node))
    return [*filters, *(_any_term(group) for group in (words, terms) if group)]


def _any_term(nodes: Sequence[Word | Tag | Field]) -> Filter:
    """Either words or not."""
    field = WORDS if isinstance(nodes[0], Word) else FIELDS
    return {"terms": {field: sorted({_term(node) for node in nodes})}}


def _term(node: Word | Tag | Field) -> str:
    match node:
        case Word(text):
            return cut(text)
        case Tag(text):
            return f"tag:{text}"
        case Field(name, value):
            return f"{name}:{value}"


def _near(left: Place, right: Place, n: int) -> Filter:
    pairs = list(product(_places(left), _places(right)))
    if len(pairs) > MAX_NEAR_PAIRS:
        raise StoreError(
            f"NEAR/{n} has {len(pairs):,} pairs of words: want at most {MAX_NEAR_PAIRS:,}; use fewer alternatives",
            permanent=True,
        )
    return _at({"any_of": {"intervals": [_pair(a, b, min(n, _MAX_DISTANCE)) for a, b in pairs]}})


def _pair(a: Filter, b: Filter, n: int) -> Filter:
    """The server would want two of what stands on both sides; for us one is near itself."""
    if a == b:
        return a
    return {"all_of": {"intervals": [a, b], "max_gaps": n, "ordered": False}}


def _at(place: Filter) -> Filter:
    return {"intervals": {WORDS: place}}


def _places(place: Place) -> list[Filter]:
    if isinstance(place, Or):
        return [
            found
            for child in place.children
            if isinstance(child, Word | Prefix | Phrase | Or)
            for found in _places(child)
        ]
    return [_place(place)]


def _place(place: Word | Prefix | Phrase) -> Filter:
    """Where it stands in the text."""
    match place:
        case Word(text):
            return _in_a_row([text])
        case Prefix(text):
            return {"prefix": {"prefix": cut(text)}}
        case Phrase(words, last_is_prefix) if last_is_prefix:
            parts = [_in_a_row(words[:-1]), {"prefix": {"prefix": cut(words[-1])}}]
            return {"all_of": {"intervals": parts, "max_gaps": 0, "ordered": True}}
        case Phrase(words):
            return _in_a_row(words)


def _in_a_row(words: Sequence[str]) -> Filter:
    text = " ".join(cut(word) for word in words)
    return {"match": {"query": text, "analyzer": "whitespace", "max_gaps": 0, "ordered": True}}


class _Axe:
    """Brings tall trees down: for a part g half way up, `f` is `(g AND f with g true) OR (NOT g AND f with g false)`."""

    def __init__(self) -> None:
        self._cuts = 0

    def lowered(self, node: Node) -> Node:
        height = _height(node)
        if height <= _MAX_HEIGHT:
            return node
        self._cuts += 1
        if self._cuts > _MAX_CUTS:
            raise StoreError("the query has too many deep parentheses; want fewer", permanent=True)
        part = _at_height(node, height // 2)
        ways = ((part, _decided(node, part, True)), (Not(part), _decided(node, part, False)))
        return Or(tuple(self._way(condition, rest) for condition, rest in ways if rest is not False))

    def _way(self, condition: Node, rest: Node | bool) -> Node:
        lowered = self.lowered(condition)
        return lowered if isinstance(rest, bool) else And((lowered, self.lowered(rest)))


def _at_height(node: Node, height: int) -> Node:
    """A part of the tallest branch."""
    while _height(node) > height:
        match node:
            case And(children) | Or(children):
                node = max(children, key=_height)
            case Not(child):
                node = child
            case _:
                break
    return node


def _decided(node: Node, part: Node, value: bool) -> Node | bool:
    """The node when `part` of it is true, or false."""
    if node is part:
        return value
    match node:
        case And(children) | Or(children):
            decides = isinstance(node, Or)
            rest = [_decided(child, part, value) for child in children]
            if decides in [each for each in rest if isinstance(each, bool)]:
                return decides
            open_ones = tuple(each for each in rest if not isinstance(each, bool))
            if len(open_ones) < 2:
                return open_ones[0] if open_ones else not decides
            return Or(open_ones) if decides else And(open_ones)
        case Not(child):
            inner = _decided(child, part, value)
            return not inner if isinstance(inner, bool) else Not(inner)
        case _:
            return node


def _height(node: Node) -> int:
    match node:
        case And(children) | Or(children):
            return 1 + max((_height(child) for child in children), default=0)
        case Not(child):
            return 1 + _height(child)
        case _:
            return 0
