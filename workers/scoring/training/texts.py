"""The labelled texts that the scorer learns from: read from `data/`, one JSON object a line (docs/scoring.md says what is
what)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from listener.mention import LANGUAGES, Polarity
from listener.text import clean

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """`origin`: authored (by us, to train), translated (an authored one, by machine), development (by us, other writers, to
    measure), reviews (real). `domain`: the industry."""

    id: str
    language: str
    text: str
    anxiety: bool
    complaint: bool
    polarity: Polarity
    themes: frozenset[str]
    origin: str
    domain: str = ""
    channel: str = ""
    hard: str = ""


def load(folder: Path = DATA) -> list[Text]:
    """All of them. Raises ValueError that names the line that cannot be read."""
    authored, development, reviews = (
        [
            text
            for language in languages
            for text in labelled(folder / origin / f"{language}.jsonl", language, origin)
        ]
        for origin, languages in (("authored", LANGUAGES), ("development", LANGUAGES), ("reviews", ("sv",)))
    )
    return [*authored, *_translated(folder / "translated", authored), *development, *reviews]


def labelled(file: Path, language: str, origin: str) -> Iterator[Text]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            its = json.loads(line)
            yield Text(
                id=its["id"],
                language=language,
                text=clean(its["text"]),
                anxiety=bool(its["anxiety"]),
                complaint=bool(its["complaint"]),
                polarity=Polarity(its["sentiment"]),
                themes=frozenset(its["themes"]),
                origin=origin,
                domain=its.get("domain", ""),
                channel=its.get("channel", ""),
                hard=its.get("hard", ""),
            )
        except (ValueError, KeyError) as e:
            raise ValueError(
                f"{file.name}, line {number}: {e!r}; want a labelled text as docs/scoring.md describes it"
            ) from e


def _translated(folder: Path, authored: list[Text]) -> Iterator[Text]:
    """Machine translations: a line has the text and the id of the authored text whose labels it shares."""
    by_id = {text.id: text for text in authored}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            its = json.loads(line)
            if (source := by_id.get(its["of"])) is not None:
                yield replace(
                    source,
                    id=f"{source.id}-{file.stem}",
                    language=file.stem,
                    text=clean(its["text"]),
                    origin="translated",
                )
