"""The parts of a query: frozen values that know whether a document satisfies them and how they are written.

Words are as `listener.text.tokenise` gives them. Built by the parser; read by matcher and archives.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from listener.query.document import Document, Text

Span = tuple[int, int]
"""(first word, one past the last word) of an occurrence in one field."""


@dataclass(frozen=True, slots=True)
class Word:
    """The word anywhere in title or text, also when written as #word or @word."""

    text: str

    def matches(self, document: Document) -> bool:
        return self.text in document.vocabulary

    def spans(self, words: Text) -> Iterator[Span]:
        return ((start, start + 1) for start, word in enumerate(words) if word == self.text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Prefix:
    """Any word that begins with `text` (at least 2 characters), or is it."""

    text: str

    def matches(self, document: Document) -> bool:
        return f"\n{self.text}" in document.lines

    def spans(self, words: Text) -> Iterator[Span]:
        return ((start, start + 1) for start, word in enumerate(words) if word.startswith(self.text))

    def __str__(self) -> str:
        return f"{self.text}*"


@dataclass(frozen=True, slots=True)
class Tag:
    """A #tag or @handle; `text` has its sign. The plain word does not satisfy it."""

    text: str

    def matches(self, document: Document) -> bool:
        return self.text in document.tags

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two or more words in a row within one field; with `last_is_prefix` the last one need only begin so."""

    words: tuple[str, ...]
    last_is_prefix: bool = False

    def matches(self, document: Document) -> bool:
        whole = self.words[:-1] if self.last_is_prefix else self.words
        if not document.vocabulary.issuperset(whole):
            return False
        return any(True for words in document.texts for _ in self.spans(words))

    def spans(self, words: Text) -> Iterator[Span]:
        size = len(self.words)
        for start in _starts(words, self.words[0], len(words) - size + 1):
            if self._is_at(words[start : start + size]):
                yield start, start + size

    def _is_at(self, found: Text) -> bool:
        if self.last_is_prefix:
            return found[:-1] == self.words[:-1] and found[-1].startswith(self.words[-1])
        return found == self.words

    def __str__(self) -> str:
        return f'"{" ".join(self.words)}{"*" if self.last_is_prefix else ""}"'


@dataclass(frozen=True, slots=True)
class Near:
    """Both operands in one field, in either order, with at most `n` words between them; they may overlap.

    An operand is a Word, Prefix or Phrase, or an Or of these.
    """

    left: "Place"
    right: "Place"
    n: int

    def matches(self, document: Document) -> bool:
        return any(self._is_in(words) for words in document.texts)

    def _is_in(self, words: Text) -> bool:
        left = sorted(self.left.spans(words))
        right = sorted(self.right.spans(words)) if left else []
        return bool(right) and (_follows(left, right, self.n) or _follows(right, left, self.n))

    def __str__(self) -> str:
        return f"{_grouped(self.left, Or)} NEAR/{self.n} {_grouped(self.right, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    children: "tuple[Node, ...]"

    def matches(self, document: Document) -> bool:
        for child in self.children:  # noqa: SIM110 (a loop is twice as fast as all() here)
            if not child.matches(document):
                return False
        return True

    def __str__(self) -> str:
        return " ".join(_grouped(child, Or) for child in self.children)


@dataclass(frozen=True, slots=True)
class Or:
    children: "tuple[Node, ...]"

    def matches(self, document: Document) -> bool:
        for child in self.children:  # noqa: SIM110 (a loop is twice as fast as any() here)
            if child.matches(document):
                return True
        return False

    def spans(self, words: Text) -> Iterator[Span]:
        """Of the children that have a place in the text: all of them, when the Or is an operand of NEAR."""
        for child in self.children:
            if isinstance(child, Word | Prefix | Phrase | Or):
                yield from child.spans(words)

    def __str__(self) -> str:
        return " OR ".join(str(child) for child in self.children)


@dataclass(frozen=True, slots=True)
class Not:
    child: "Node"

    def matches(self, document: Document) -> bool:
        return not self.child.matches(document)

    def __str__(self) -> str:
        return f"NOT {_grouped(self.child, And, Or, Near)}"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the document: `name` is one of FIELDS, `value` in normal form (`listener.query.document`).
    A site also stands for its subdomains."""

    name: str
    value: str

    def matches(self, document: Document) -> bool:
        found = document.field(self.name)
        return found == self.value or (self.name == "site" and found.endswith("." + self.value))

    def __str__(self) -> str:
        return f'{self.name}:"{self.value}"' if _needs_quotes(self.value) else f"{self.name}:{self.value}"


Place = Word | Prefix | Phrase | Or
"""What may stand beside NEAR."""
Node = Word | Prefix | Tag | Phrase | Near | And | Or | Not | Field


def _starts(words: Text, first: str, stop: int) -> Iterator[int]:
    """Where `first` stands in words[:stop]; leaps from one to the next, because most words are not it."""
    start = -1
    try:
        while True:
            start = words.index(first, start + 1, max(stop, 0))
            yield start
    except ValueError:
        return


def _follows(earlier: list[Span], later: list[Span], n: int) -> bool:
    """Whether one of `later` (sorted) starts within or at most `n` words after one of `earlier`."""
    starts = [start for start, _ in later]
    for start, end in earlier:
        at = bisect_left(starts, start)
        if at < len(starts) and starts[at] <= end + n:
            return True
    return False


def _grouped(node: Node, *looser: type) -> str:
    """The node's text, in parentheses when it is of a kind that binds less tightly than what surrounds it."""
    return f"({node})" if isinstance(node, looser) else str(node)


def _needs_quotes(value: str) -> bool:
    return not value or any(char.isspace() or char in '()"*' for char in value)
