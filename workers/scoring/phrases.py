"""Find weighted words and phrases in a tokenised text: one pass, a few dictionary look-ups per word. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Hit(NamedTuple):
    """An entry found at words `start`..`end` (end outside)."""

    entry: Entry
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Beginnings:
    """The entries that begin with one word: those that end there, and those that go on, by their second word as written."""

    whole: tuple[Entry, ...]
    going_on: Mapping[str, Sequence[tuple[tuple[str, ...], Entry]]]
    going_on_with_stem: Sequence[tuple[tuple[str, ...], Entry]]
    goes_on: bool


class _Remembered(dict[str, _Beginnings | None]):
    """What begins with a word, looked up when it is met first. Forgets all when it is full: a word costs one look-up, no call."""

    def __init__(self, look_up: Callable[[str], _Beginnings | None]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, word: str) -> _Beginnings | None:
        found = self._look_up(word[:_LONGEST_WORD])
        if len(word) <= _LONGEST_WORD:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = found
        return found


class Phrases:
    """Entries by their first word (or its stem, for `word*`). What begins with a word is remembered: words come again."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, list[Entry]] = {}
        self._stems: dict[str, list[Entry]] = {}
        for entry in entries:
            first = entry.phrase.split()[0]
            table = self._stems if first.endswith("*") else self._exact
            table.setdefault(first.rstrip("*"), []).append(entry)
        self._lengths = sorted({len(stem) for stem in self._stems})
        self._beginning_with = _Remembered(self._look_up)

    def find(self, words: Sequence[str]) -> list[Hit]:
        """All entries in the text, in order of their first word; overlapping ones too."""
        hits: list[Hit] = []
        last = len(words) - 1
        for i, found in enumerate(map(self._beginning_with.__getitem__, words)):
            if found is None:
                continue
            for entry in found.whole:
                hits.append(Hit(entry, i, i + 1))  # noqa: PERF401  a comprehension per word takes longer
            if i < last and found.goes_on:
                for rest, entry in (*found.going_on.get(words[i + 1], ()), *found.going_on_with_stem):
                    end = i + 1 + len(rest)
                    if _follows(rest, words[i + 1 : end]):
                        hits.append(Hit(entry, i, end))
        return hits

    def _look_up(self, word: str) -> _Beginnings | None:
        entries = list(self._exact.get(word, ()))
        for length in self._lengths:
            if length > len(word):
                break
            entries += self._stems.get(word[:length], ())
        if not entries:
            return None
        going_on: dict[str, list[tuple[tuple[str, ...], Entry]]] = {}
        with_stem: list[tuple[tuple[str, ...], Entry]] = []
        for entry in entries:
            rest = tuple(entry.phrase.split()[1:])
            if rest:
                place = with_stem if rest[0].endswith("*") else going_on.setdefault(rest[0], [])
                place.append((rest, entry))
        whole = tuple(entry for entry in entries if " " not in entry.phrase)
        return _Beginnings(whole, going_on, with_stem, bool(going_on or with_stem))


def _follows(rest: Sequence[str], words: Sequence[str]) -> bool:
    return len(words) == len(rest) and all(map(_fits, rest, words))


def _fits(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def best_per_place(hits: Sequence[Hit]) -> list[Hit]:
    """Of hits about the same thing that overlap, the longest, then the heaviest: `dragits dubbelt` is not `dubbelt` as well."""
    if len(hits) < 2:
        return list(hits)
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
