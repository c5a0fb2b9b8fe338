"""Matcher: ask thousands of queries about a document at once. Pure.

One inverted index over all queries: each stands under its anchors (`listener.query.anchors`), so a text is
compared only with queries that name one of its words. Words and tags are looked up as they are, prefixes by
their first characters (2, 3, or 4 of longer ones), then by the lengths of the prefixes that begin so.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from listener.query.anchors import anchor, popularity
from listener.query.document import Document
from listener.query.nodes import Node
from listener.query.query import Query

STEM = 4
"""Prefixes of so many characters and more are first looked up by so many."""

Numbers = list[int]


class Matcher:
    """Which of many keys a document belongs to. `queries`: key → alternatives, any of which is enough."""

    def __init__(self, queries: Mapping[str, Sequence[Query]]) -> None:
        self._queries: list[tuple[str, Node]] = [
            (key, query.root) for key, alternatives in queries.items() for query in alternatives
        ]
        self._always: Numbers = []
        """Of the queries without an anchor: they are asked about every document."""
        terms: defaultdict[str, Numbers] = defaultdict(list)
        counts = popularity(root for _, root in self._queries)
        for number, (_, root) in enumerate(self._queries):
            found = anchor(root, counts)
            if found is None:
                self._always.append(number)
            else:
                for term in found.terms:
                    terms[term].append(number)
        self._words = {term: numbers for term, numbers in terms.items() if not term.endswith("*")}
        """Words and tags → the queries anchored there."""
        self._prefixes = {term[:-1]: numbers for term, numbers in terms.items() if term.endswith("*")}
        self._stems = _stems(self._prefixes)

    def match(self, document: Document) -> frozenset[str]:
        """The keys of which any query matches."""
        found: set[str] = set()
        for number in self._candidates(document):
            key, root = self._queries[number]
            if key not in found and root.matches(document):
                found.add(key)
        return frozenset(found)

    def _candidates(self, document: Document) -> set[int]:
        """Numbers of the queries of which an anchor is in the document."""
        numbers = set(self._always)
        words = self._words
        for word in words.keys() & document.vocabulary:
            numbers.update(words[word])
        for tag in words.keys() & document.tags if document.tags else ():
            numbers.update(words[tag])
        prefixes = self._prefixes
        for size, stems in self._stems.items():
            for word in document.vocabulary:
                for length in stems.get(word[:size], ()):
                    numbers.update(prefixes.get(word[:length], ()))
        return numbers


def _stems(prefixes: Iterable[str]) -> dict[int, dict[str, frozenset[int]]]:
    """Size of stem → stem → lengths of the prefixes that begin so."""
    sizes: defaultdict[int, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for prefix in prefixes:
        stem = prefix[:STEM]
        sizes[len(stem)][stem].add(len(prefix))
    return {
        size: {stem: frozenset(lengths) for stem, lengths in stems.items()} for size, stems in sizes.items()
    }
