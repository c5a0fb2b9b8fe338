"""Find weighted words and phrases in a tokenised text: one pass, a few dictionary look-ups per word. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_REMEMBERED = 20_000
"""Distinct words whose entries are remembered."""
_LONGEST_WORD = 64
"""Only so many characters of a word are looked at: longer ones are no words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`phrase`: words as written in the lexicon; `about`: what it speaks of; `weight`: how strongly."""

    phrase: str
    about: str
    weight: float


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry found at words `start`..`end` (end outside)."""

    entry: Entry
    start: int
    end: int


Beginning = tuple[tuple[str, ...], Entry]
"""The words that must follow the first one, and the entry."""


class Phrases:
    """Entries by their first word (or its stem, for `word*`). What begins with a word is remembered: words come again."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, list[Beginning]] = {}
        self._stems: dict[str, list[Beginning]] = {}
        for entry in entries:
            first, *rest = entry.phrase.split()
            table = self._stems if first.endswith("*") else self._exact
            table.setdefault(first.rstrip("*"), []).append((tuple(rest), entry))
        self._lengths = sorted({len(stem) for stem in self._stems})
        self._beginning_with = lru_cache(maxsize=_REMEMBERED)(self._look_up)

    def find(self, words: Sequence[str]) -> list[Hit]:
        """All entries in the text, in order; overlapping ones too."""
        hits: list[Hit] = []
        beginning_with = self._beginning_with
        for i, word in enumerate(words):
            for rest, entry in beginning_with(word[:_LONGEST_WORD]):
                end = i + 1 + len(rest)
                if not rest or _follows(rest, words[i + 1 : end]):
                    hits.append(Hit(entry, i, end))
        return hits

    def _look_up(self, word: str) -> tuple[Beginning, ...]:
        found = list(self._exact.get(word, ()))
        for length in self._lengths:
            if length > len(word):
                break
            found += self._stems.get(word[:length], ())
        return tuple(found)


def _follows(rest: Sequence[str], words: Sequence[str]) -> bool:
    if len(words) < len(rest):
        return False
    for part, word in zip(rest, words, strict=True):
        if word != part and not (part[-1] == "*" and word.startswith(part[:-1])):
            return False
    return True


def best_per_place(hits: Sequence[Hit]) -> list[Hit]:
    """Of hits about the same thing that overlap, the longest, then the heaviest: `dragits dubbelt` is not `dubbelt` as well."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start - h.end, -abs(h.entry.weight), h.start)):
        if not any(
            hit.start < other.end and other.start < hit.end and hit.entry.about == other.entry.about
            for other in kept
        ):
            kept.append(hit)
    return sorted(kept, key=lambda h: h.start)


def entries_of(table: Mapping[str, float], about: str) -> list[Entry]:
    return [Entry(phrase.casefold().replace("'", ""), about, weight) for phrase, weight in table.items()]
