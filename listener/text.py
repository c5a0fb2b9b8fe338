"""Clean text and cut it into words: one tokeniser for queries, search, fingerprints and lexicons.

Pure. Because archive and matcher use the same words, a query means the same in both.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_TEXT_CHARS = 20_000
"""Longer posts are cut here by `clean`."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r" ?\n ?(?:\n ?)+")
_WORD = re.compile(r"([#@]?)(\w+(?:['’\u00ad\u200d](?=\w)\w+)*)")
_JOINERS = str.maketrans("", "", "'’\u00ad\u200d")


@dataclass(frozen=True, slots=True)
class Words:
    """`words`: every word in order, case-folded, a leading # or @ taken off; `tags`: the #tags and @handles, with their sign."""

    words: tuple[str, ...]
    tags: frozenset[str]


def clean(raw: str) -> str:
    """NFC text without control and direction characters, with single spaces, at most MAX_TEXT_CHARS characters."""
    text = _CONTROL.sub(" ", unicodedata.normalize("NFC", raw.replace("\r\n", "\n").replace("\r", "\n")))
    text = _SPACES.sub(" ", text)
    return _NEWLINES.sub("\n\n", text).strip()[:MAX_TEXT_CHARS].rstrip()


def tokenise(text: str) -> Words:
    """Cut cleaned text into words: letters, digits and _ of any script; å ä ö æ ø stay themselves; an apostrophe joins."""
    words, tags = [], []
    for sign, word in _WORD.findall(text.casefold()):
        word = word.translate(_JOINERS) if not word.isalnum() else word
        words.append(word)
        if sign:
            tags.append(sign + word)
    return Words(tuple(words), frozenset(tags))
