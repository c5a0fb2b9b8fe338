"""`lyhord score`: what the scorer makes of texts."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from console.terminal import remark, say_json
from listener.errors import ConfigError
from listener.mention import Score
from listener.ports import Scorer
from listener.text import clean
from workers.scoring import open_scorer
from workers.scoring.language import identify_all

BATCH = 500


def score(
    file: Annotated[
        str, typer.Argument(help='JSON lines {"id": …, "text": …}; "-" is standard input.')
    ] = "-",
) -> None:
    """Score texts: language, sentiment, anxiety, complaint, themes and the words that decided, one JSON line for each line.

    A line that cannot be read is answered with its error and the rest goes on; the exit code is then 1.

    Example:  printf '{"id":"1","text":"Jag är så orolig"}\\n' | lyhord score -
    """
    scorer, bad = open_scorer(), 0
    with _opened(file) as lines:
        for answer in _answers(lines, scorer, file):
            bad += "error" in answer
            say_json(answer)
    if bad:
        remark(f"{bad} lines could not be read", attention=True)
        raise typer.Exit(1)


def _opened(file: str) -> TextIO:
    if file == "-":
        return sys.stdin
    try:
        return Path(file).open(encoding="utf-8")
    except OSError as e:
        raise ConfigError(
            f"{file}: cannot be read ({e.strerror}); want a file of JSON lines, or - for standard input"
        ) from e


def _answers(lines: Iterable[str], scorer: Scorer, name: str) -> Iterator[dict[str, Any]]:
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while batch := list(islice(numbered, BATCH)):
        read = [_read(line, f"{name}, line {number}") for number, line in batch]
        texts = [clean(item["text"]) for item in read if "error" not in item]
        scores = iter(scorer.score(list(zip(texts, identify_all(texts), strict=True))))
        for item in read:
            yield item if "error" in item else answer(item["id"], next(scores))


def _read(line: str, where: str) -> dict[str, Any]:
    try:
        item = json.loads(line)
    except ValueError as e:
        return {"error": f'{where}: not JSON ({e}); want {{"id": …, "text": …}}'}
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        return {
            "error": f'{where}: no text; want {{"id": …, "text": "…"}}',
            "id": item.get("id") if isinstance(item, dict) else None,
        }
    return {"id": item.get("id"), "text": item["text"]}


def answer(identity: object, score: Score) -> dict[str, Any]:
    """The fields of DESIGN §5."""
    return {
        "id": identity,
        "language": score.language,
        "sentiment": round(score.sentiment, 4),
        "polarity": score.polarity.value,
        "anxiety": round(score.anxiety, 4),
        "complaint": round(score.complaint, 4),
        "themes": list(score.themes),
        "why": [
            {"about": reason.about, "text": reason.text, "weight": round(reason.weight, 3)}
            for reason in score.why
        ],
        "model": score.model,
    }
