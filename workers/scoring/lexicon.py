"""The word lists of one language, read once from `data/`: what speaks of anxiety, complaint, praise, calm and themes, and the
valence of single words. Adding a language is one TOML file."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from listener.mention import LANGUAGES, THEMES
from workers.scoring.phrases import Entry, Phrases, entries_of

_VALENCES = {
    "sv": "AFINN-sv-165.txt",
    "da": "AFINN-da-32.txt",
    "nb": "AFINN-da-32.txt",
    "nn": "AFINN-da-32.txt",
    "fi": "AFINN-fi-165.txt",
}
_WITHOUT_MARKS = str.maketrans({"å": "a", "ä": "a", "ö": "o", "æ": "ae", "ø": "o"})
_SHORTEST_WITHOUT_MARKS = 6


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`valence`: word → -5..5, empty where VADER speaks (English)."""

    language: str
    phrases: Phrases
    negators: frozenset[str]
    valence: dict[str, float]


def load_lexicon(language: str) -> Lexicon:
    """Raises ValueError for a file with an unknown theme, KeyError for one that lacks a table."""
    data = files("workers.scoring") / "data"
    tables = tomllib.loads((data / "signals" / f"{language}.toml").read_text(encoding="utf-8"))
    entries: list[Entry] = []
    for about in ("anxiety", "calm", "complaint", "praise"):
        entries += entries_of(tables[about], about)
    for theme, words in tables["themes"].items():
        if theme not in THEMES:
            raise ValueError(f"{language}.toml: theme {theme!r}, want one of {THEMES}")
        entries += entries_of(dict.fromkeys(words, 1.0), theme)
    entries += _typed_without_marks(entries)
    negators = frozenset(word.replace("'", "") for word in tables["words"]["negators"])
    return Lexicon(language, Phrases(entries), negators, _valence(data, language))


def _typed_without_marks(entries: list[Entry]) -> list[Entry]:
    """What people with another keyboard write: `radd` for `rädd`. Short words stay out, they would be other words: `kö`, `ko`."""
    known = {entry.phrase for entry in entries}
    return [
        Entry(plain, entry.about, entry.weight)
        for entry in entries
        if (plain := entry.phrase.translate(_WITHOUT_MARKS)) not in known
        and len(plain.rstrip("*")) >= _SHORTEST_WITHOUT_MARKS
    ]


def load_lexicons() -> dict[str, Lexicon]:
    return {language: load_lexicon(language) for language in LANGUAGES}


def _valence(data: Traversable, language: str) -> dict[str, float]:
    if language not in _VALENCES:
        return {}
    lines = (data / "afinn" / _VALENCES[language]).read_text(encoding="utf-8").splitlines()
    pairs = (line.rsplit("\t", 1) for line in lines if "\t" in line)
    return {word.strip().casefold(): float(value) for word, value in pairs if " " not in word.strip()}
