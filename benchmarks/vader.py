"""Our VADER beside the package vaderSentiment, on the same texts in the same process: processor time per text, and whether they
say the same.

    python -m benchmarks.vader --texts texts.txt --json

`--texts`: one text a line, or a .jsonl file with a "text" in each line; else some customers' texts from 20 to 600 characters.
"First" is a pass over texts not seen before, "again" the best of the passes that follow, when the words are remembered (few
texts are repeated within a pass). Both take turns, so that a busy machine slows both.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from workers.scoring.vader import Vader

Made = TypeVar("Made")

TEXTS = (
    "Still no parcel.",
    "Thanks, all good now :)",
    "Is the app down again? Cannot log in since this morning",
    "WORST customer service EVER!!! Never again.",
    "The new timetable is not bad at all, but the ticket machine ate my card 😡",
    "I was told that somebody would call back within two days. It has been nine, and nobody has.",
    "Really kind of disappointed: the staff were friendly and the train was clean, but it was two hours late and no one told us.",
    "Has anyone else had money taken twice for the same order? I'm worried, because the support chat says everything is fine, "
    "and my bank says that it is not their problem.",
    "We have been customers for eleven years and have hardly ever complained. Since the switch to the new system our invoices "
    "are wrong every single month, the hotline keeps us waiting for forty minutes, and then we get a different answer from "
    "each person we talk to. Last week our phones were cut off although we had paid. It took three calls, one very rude agent "
    "and finally one wonderful lady in the shop in town to get them back. She was great! The company? Least helpful I know. "
    "If this isn't fixed by the end of the month we are leaving, without doubt, and so are our neighbours.",
)

_MANY = 500


def read(file: Path) -> list[str]:
    """The texts of a file. Raises ValueError when it holds none."""
    lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    if not lines:
        raise ValueError(f"{file}: holds no text; want one a line")
    return [json.loads(line)["text"] for line in lines] if file.suffix == ".jsonl" else lines


def microseconds(score: Callable[[str], object], texts: Sequence[str]) -> float:
    """Processor time per text."""
    start = time.process_time()
    for text in texts:
        score(text)
    return (time.process_time() - start) / len(texts) * 1e6


def started(make: Callable[[], Made]) -> tuple[Made, float]:
    """What was made, and the milliseconds of processor time that it took."""
    start = time.process_time()
    made = make()
    return made, (time.process_time() - start) * 1e3


def same(ours: Vader, package: SentimentIntensityAnalyzer, text: str) -> bool:
    """To the last digit, and as a reader would see it: 0.0 is not -0.0."""
    found, wanted = ours.scores(text), package.polarity_scores(text)
    figures = [found.negative, found.neutral, found.positive, found.compound, ours.compound(text)]
    return repr(figures) == repr([wanted[name] for name in ("neg", "neu", "pos", "compound", "compound")])


def measure(texts: Sequence[str], rounds: int) -> dict[str, float]:
    ours, ours_start = started(Vader)
    package, package_start = started(SentimentIntensityAnalyzer)
    first = microseconds(ours.compound, texts), microseconds(package.polarity_scores, texts)
    many = list(texts) * -(-_MANY // len(texts))
    again = [
        (microseconds(ours.compound, many), microseconds(package.polarity_scores, many))
        for _ in range(rounds)
    ]
    ours_again, package_again = (min(column) for column in zip(*again, strict=True))
    return {
        "texts": len(texts),
        "characters_per_text": round(statistics.mean(map(len, texts))),
        "identical": sum(same(ours, package, text) for text in texts),
        "ours_start_ms": round(ours_start, 1),
        "package_start_ms": round(package_start, 1),
        "ours_first_us": round(first[0], 2),
        "package_first_us": round(first[1], 2),
        "ours_again_us": round(ours_again, 2),
        "package_again_us": round(package_again, 2),
        "times_faster_first": round(first[1] / first[0], 1),
        "times_faster_again": round(package_again / ours_again, 1),
    }


def main() -> int:
    """Prints a table, or one JSON object with --json; exit 1 when a text is scored otherwise than by the package."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, help="file with the texts")
    parser.add_argument("--rounds", type=int, default=7, help="passes after the first (default 7)")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: want at least 1")
    result = measure(read(given.texts) if given.texts else TEXTS, given.rounds)
    if given.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>20}  {value:,}")
    return 0 if result["identical"] == result["texts"] else 1


if __name__ == "__main__":
    sys.exit(main())
