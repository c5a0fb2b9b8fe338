"""Matcher: ask thousands of queries about a document at once. Pure.

One inverted index over all queries: each stands under its anchors (`listener.query.anchors`), so that a text is compared
only with queries that name one of its words. Words and tags are looked up as they are; prefixes by their first
characters (2, 3, or 4 and more), the longer ones then by their whole length.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from listener.query.anchors import anchor, popularity
from listener.query.document import Document
from listener.query.nodes import Node
from listener.query.query import Query

STEM = 4
"""Prefixes of so many characters and more are first looked up by so many."""


class Matcher:
    """Which of many keys a document belongs to. `queries`: key → alternatives, any of which is enough."""

    def __init__(self, queries: Mapping[str, Sequence[Query]]) -> None:
        self._queries: list[tuple[str, Node]] = [(k, query.root) for k, several in queries.items() for query in several]
        words: defaultdict[str, list[int]] = defaultdict(list)
        always: list[int] = []
        counts = popularity(root for _, root in self._queries)
        for number, (_, root) in enumerate(self._queries):
            found = anchor(root, counts)
            for term in found.terms if found else ():
                words[term].append(number)
            if not found:
                always.append(number)
        self._always = tuple(always)
        """Numbers of queries without an anchor: asked about every document."""
        self._index = dict(words)
        self._terms = frozenset(term for term in words if not term.endswith("*"))
        self._stems = _stems(term[:-1] for term in words if term.endswith("*"))

    def match(self, document: Document) -> frozenset[str]:
        """The keys of which any query matches."""
        found: set[str] = set()
        for number in self._candidates(document):
            key, root = self._queries[number]
            if key not in found and root.matches(document):
                found.add(key)
        return frozenset(found)

    def _candidates(self, document: Document) -> set[int]:
        numbers = set(self._always)
        for term in self._terms & document.vocabulary:
            numbers.update(self._index[term])
        if document.tags:
            for term in self._terms & document.tags:
                numbers.update(self._index[term])
        for size, by_stem in self._stems.items():
            for stem in by_stem.keys() & document.heads(size):
                for prefix in by_stem[stem]:
                    if prefix in document.heads(len(prefix)):
                        numbers.update(self._index[prefix + "*"])
        return numbers
