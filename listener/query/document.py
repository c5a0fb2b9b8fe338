"""Document: what a query is asked about. Fields are compared in the normal forms of this module."""

import unicodedata
from dataclasses import dataclass

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


def normal(field: str, value: str) -> str:
    """The form in which the values of a field are compared."""
    if field == "author":
        return normal_author(value)
    return normal_site(value) if field == "site" else normal_value(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A post as the matcher sees it; build it with `of`.

    Title and text are two fields: no phrase and no NEAR reaches across."""

    texts: tuple[Text, ...]
    """The words of the title and of the text, in order; without the title when it has none."""
    vocabulary: frozenset[str]
    lines: str
    """The vocabulary with a line break before each word: one search finds whether any word begins so."""
    tags: frozenset[str]
    author: str
    site: str
    channel: str
    lang: str
    source: str

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
        vocabulary = frozenset(head.words + body.words)
        return Document(
            texts=(head.words, body.words) if title else (body.words,),
            vocabulary=vocabulary,
            lines="\n" + "\n".join(vocabulary),
            tags=head.tags | body.tags,
            author=author,
            site=site,
            channel=channel,
            lang=language,
            source=source,
        )

    def field(self, name: str) -> str:
        """A field in normal form, by its name in queries. Made when asked for: few queries ask."""
        return normal(name, getattr(self, name))
