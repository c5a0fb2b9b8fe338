"""Document: what a query is asked about. Its fields are in the same normal forms as the values in a query."""

import unicodedata
from dataclasses import dataclass, field

from listener.text import Words, tokenise

Text = tuple[str, ...]
"""The words of one field, in order."""
FIELDS = ("author", "site", "channel", "lang", "source")
_NO_WORDS = Words((), frozenset())


def normal_value(value: str) -> str:
    """Case-folded, NFC, single spaces."""
    return " ".join(unicodedata.normalize("NFC", value.casefold()).split())


def normal_author(name: str) -> str:
    """The form in which author names and handles are compared: `normal_value` without a leading @."""
    return normal_value(name).lstrip("@ ")


def normal_site(host: str) -> str:
    """The form in which hosts are compared: `normal_value` without a dot at either end."""
    return normal_value(host).strip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A post as the matcher sees it; build it with `of`.

    Title and text are two fields: no phrase and no NEAR reaches across."""

    texts: tuple[Text, ...]
    """The words of the title and of the text, in order; without the title when it has none."""
    vocabulary: frozenset[str]
    tags: frozenset[str]
    author: str
    site: str
    channel: str
    lang: str
    source: str
    _heads: dict[int, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of(
        *,
        text: str,
        title: str = "",
        author: str = "",
        site: str = "",
        channel: str = "",
        language: str = "",
        source: str = "",
        words: Words | None = None,
    ) -> "Document":
        """`text` and `title` are cleaned, `site` is a host; `words` is `tokenise(text)`, if known."""
        body = tokenise(text) if words is None else words
        head = tokenise(title) if title else _NO_WORDS
        return Document(
            texts=(head.words, body.words) if title else (body.words,),
            vocabulary=frozenset(head.words + body.words),
            tags=head.tags | body.tags,
            author=normal_author(author),
            site=normal_site(site),
            channel=channel.casefold(),
            lang=language.casefold(),
            source=normal_value(source),
        )

    def heads(self, size: int) -> frozenset[str]:
        """The first `size` characters of every word (shorter words whole); kept for the next query."""
        found = self._heads.get(size)
        if found is None:
            found = self._heads[size] = frozenset([word[:size] for word in self.vocabulary])
        return found

    def field(self, name: str) -> str:
        """The normal form of a field, by its name in queries."""
        value: str = getattr(self, name)
        return value
