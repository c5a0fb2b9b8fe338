"""Concepts: meanings that matter for worry, complaint, tone and theme, with the words for them in each language. What the model
learns about a concept in one language holds for the others.

A word list is a TSV file in `data/concepts/`: concept, then one column for each language with words separated by spaces; `*` at
the end stands for any ending. Of several stems the longest counts, and a whole word's concepts come before its stem's.
"""

import csv
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from listener.mention import LANGUAGES
from workers.scoring.folding import fold

_SHORTEST_STEM = 3


class Concepts:
    """Of one language. `Concepts(words)(folded word)` → the concepts it stands for, most often one or none."""

    def __init__(self, words: Mapping[str, tuple[str, ...]], stems: Mapping[str, tuple[str, ...]]) -> None:
        self._words = words
        self._stems = stems

    def __call__(self, folded: str) -> tuple[str, ...]:
        whole = self._words.get(folded, ())
        for length in range(len(folded), _SHORTEST_STEM - 1, -1):
            if (found := self._stems.get(folded[:length])) is not None:
                return tuple(dict.fromkeys(whole + found))
        return whole


def load_concepts() -> dict[str, Concepts]:
    """By language. Raises ValueError that names the line that cannot be read."""
    words: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in LANGUAGES}
    stems: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in LANGUAGES}
    folder = files("workers.scoring") / "data" / "concepts"
    for file in sorted(folder.iterdir(), key=lambda its: its.name):
        for concept, cells in _rows(file):
            for language, cell in cells.items():
                for entry in cell.split():
                    table = stems[language] if entry.endswith("*") else words[language]
                    plain = fold(entry.rstrip("*"))
                    table[plain] = (*table.get(plain, ()), concept)
    return {language: Concepts(words[language], stems[language]) for language in LANGUAGES}


def _rows(file: Traversable) -> list[tuple[str, dict[str, str]]]:
    found = []
    with file.open(encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), 2):
            if None in row or None in row.values():
                raise ValueError(
                    f"{file.name}, line {number}: {len(row)} columns; want concept and {', '.join(LANGUAGES)}"
                )
            found.append((row["concept"], {language: row[language] for language in LANGUAGES}))
    return found
