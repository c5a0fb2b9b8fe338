"""Clean text and cut it into words: one tokeniser for queries, search, fingerprints and lexicons.

Pure. Because archive and matcher use the same words, a query means the same in both.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_TEXT_CHARS = 20_000
"""Longer posts are cut here by `clean`."""

_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r" ?\n ?(?:\n ?)+")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"(?<!\w)[#@]\w+")
_JOINERS = ("'", "’", "\u00ad", "\u200d")
_JOINED = re.compile(rf"(?<=\w)[{''.join(_JOINERS)}]+(?=\w)")
_REMEMBERED_TEXTS, _REMEMBERED_CHARS = 2_048, 2_000
"""Two batches with their titles; some 10 MB at most times."""
_NO_TAGS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Words:
    """`words`: all in order, case-folded, without # or @; `tags`: #tags and @handles, with their sign."""

    words: tuple[str, ...]
    tags: frozenset[str]


def clean(raw: str) -> str:
    """NFC text without control and direction characters, with single spaces, at most MAX_TEXT_CHARS long."""
    text = _CONTROL.sub(" ", unicodedata.normalize("NFC", raw.replace("\r\n", "\n").replace("\r", "\n")))
    text = _SPACES.sub(" ", text)
    return _NEWLINES.sub("\n\n", text).strip()[:MAX_TEXT_CHARS].rstrip()


def tokenise(text: str) -> Words:
    """Cut cleaned text into words: letters, digits and _ of any script; å ä ö æ ø stay themselves.

    An apostrophe or soft hyphen within a word joins. A # or @ within a word (an e-mail address) makes no tag.
    Shorter texts are remembered for a while: matcher, fingerprint, index and scorer each want the words of the same post.
    """
    return _remembered(text) if len(text) <= _REMEMBERED_CHARS else _cut(text)


def _cut(text: str) -> Words:
    folded = _fold(text)
    tags = frozenset(_TAG.findall(folded)) if "#" in folded or "@" in folded else _NO_TAGS
    return Words(tuple(_WORD.findall(folded)), tags)


_remembered = lru_cache(maxsize=_REMEMBERED_TEXTS)(_cut)


def _fold(text: str) -> str:
    """Case-folded, joined, and NFC again: folding may take letters apart, joining bring them together."""
    folded = text.casefold()
    if any(joiner in folded for joiner in _JOINERS):
        folded = _JOINED.sub("", folded)
    if folded.isascii() or unicodedata.is_normalized("NFC", folded):
        return folded
    return unicodedata.normalize("NFC", folded)
