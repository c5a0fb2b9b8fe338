"""Query: a parsed query as a value."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from listener.query.document import Document
from listener.query.nodes import And, Field, Node, Not, Or


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks for. `text` is as written, `str()` canonical; equal when the trees are equal."""

    text: str = field(compare=False)
    root: Node

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields that it asks about."""
        return frozenset(node.name for node in _walk(self.root) if isinstance(node, Field))

    def matches(self, document: Document) -> bool:
        return self.root.matches(document)

    def with_authors(self, translate: Callable[[str], Sequence[str]]) -> "Query":
        """The same query with each `author:` value replaced by any of its translations, for archives that hold
        pseudonyms only (an author has one for each source)."""
        root = _translated(self.root, translate)
        return Query(str(root), root)

    def __str__(self) -> str:
        return str(self.root)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case And(children) | Or(children):
            for child in children:
                yield from _walk(child)
        case Not(child):
            yield from _walk(child)
        case _:
            pass


def _translated(node: Node, translate: Callable[[str], Sequence[str]]) -> Node:
    match node:
        case Field("author", value):
            names = translate(value) or [value]
            return (
                Or(tuple(Field("author", name) for name in names))
                if len(names) > 1
                else Field("author", names[0])
            )
        case And(children):
            return And(tuple(_translated(child, translate) for child in children))
        case Or(children):
            return Or(tuple(_translated(child, translate) for child in children))
        case Not(child):
            return Not(_translated(child, translate))
        case _:
            return node
