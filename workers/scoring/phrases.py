"""Find weighted words and phrases in a tokenised text: one pass, a few dictionary look-ups per word. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SHORTEST_STEM = 2


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


class Phrases:
    """Entries by their first word (or its stem, for `word*`)."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, list[tuple[tuple[str, ...], Entry]]] = {}
        self._stems: dict[str, list[tuple[tuple[str, ...], Entry]]] = {}
        for entry in entries:
            first, *rest = entry.phrase.split()
            table = self._stems if first.endswith("*") else self._exact
            table.setdefault(first.rstrip("*"), []).append((tuple(rest), entry))
        self._lengths = sorted({len(stem) for stem in self._stems})

    def find(self, words: Sequence[str]) -> list[Hit]:
        """All entries in the text, in order; overlapping ones too."""
        hits: list[Hit] = []
        exact, stems, lengths = self._exact, self._stems, self._lengths
        for i, word in enumerate(words):
            if word in exact:
                self._add(hits, exact[word], words, i)
            size = len(word)
            for length in lengths:
                if length > size:
                    break
                if (stem := word[:length]) in stems:
                    self._add(hits, stems[stem], words, i)
        return hits

    @staticmethod
    def _add(
        hits: list[Hit], found: list[tuple[tuple[str, ...], Entry]], words: Sequence[str], i: int
    ) -> None:
        for rest, entry in found:
            end = i + 1 + len(rest)
            if end <= len(words) and all(
                _fits(part, word) for part, word in zip(rest, words[i + 1 : end], strict=True)
            ):
                hits.append(Hit(entry, i, end))


def _fits(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def best_per_place(hits: Sequence[Hit]) -> list[Hit]:
    """Of hits about the same thing that overlap, the longest and then the heaviest: `dragits dubbelt` is not `dubbelt` as well."""
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
