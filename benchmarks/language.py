"""Language identification beside py3langid, CLD2 and lingua, on the same texts in the same process.

    python -m benchmarks.language --honest --json

Without `--data` the texts are those held back: in `workers/scoring/training/data/languages/held`, and one in ten of the
labelled texts. The shipped model has learnt from them too: for figures that can be believed, `--honest` first trains one
without them (some minutes); ten of the other languages are then new to it. `--data`:
a folder of files LANGUAGE.txt or LANGUAGE.*.txt (a text a line) or LANGUAGE.jsonl ("text" in each line).

"exact" is the share of right answers in the six languages, "merged" the same with nb and nn counted as one; "rejected"
the share of texts in another language that get none of the six: any other answer of the other libraries counts, for CLD2
"unknown" too. Speed is processor time per text, one core.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import pycld2
from lingua import LanguageDetectorBuilder
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from listener.mention import LANGUAGES, UNDETERMINED
from workers.scoring.language import MODEL, Identifier, Model
from workers.scoring.training import languages

Identify = Callable[[Sequence[str]], list[str]]
_CLASSES = (("under 20", 0, 19), ("20 to 40", 20, 40), ("over 40", 41, 10**9))
"""Characters, both included."""
_SMALL = 1_000
"""Texts that lingua, the slowest, is timed with."""


@dataclass(frozen=True, slots=True)
class Sample:
    language: str
    text: str

    @property
    def ours(self) -> bool:
        return self.language in LANGUAGES


def held() -> list[Sample]:
    return [Sample(its.language, its.text) for its in languages.read("held")]


def read(folder: Path) -> list[Sample]:
    """Raises ValueError when the folder holds none."""
    found = [
        Sample(path.name.split(".")[0], json.loads(line)["text"] if path.suffix == ".jsonl" else line)
        for path in sorted([*folder.glob("*.txt"), *folder.glob("*.jsonl")])
        for line in path.read_text(encoding="utf-8").split("\n")
        if line.strip()
    ]
    if not found:
        raise ValueError(f"{folder}: holds no texts; want files named LANGUAGE.txt or LANGUAGE.jsonl")
    return found


def _py3langid() -> Identify:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=False)
    return lambda texts: ["nb" if (its := identifier.classify(text)[0]) == "no" else its for text in texts]


def _cld2() -> Identify:
    def one(text: str) -> str:
        try:
            code = pycld2.detect(text.encode("utf-8", "ignore"), isPlainText=True, bestEffort=True)[2][0][1]
        except pycld2.error:
            return UNDETERMINED
        return {"no": "nb", "un": UNDETERMINED}.get(code, str(code))

    return lambda texts: [one(text) for text in texts]


def _lingua() -> Identify:
    detector = LanguageDetectorBuilder.from_all_languages().build()

    def one(text: str) -> str:
        its = detector.detect_language_of(text)
        return its.iso_code_639_1.name.lower() if its else UNDETERMINED

    return lambda texts: [one(text) for text in texts]


def _merged(language: str) -> str:
    return "nb" if language == "nn" else language


def accuracy(samples: Sequence[Sample], answers: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Language (and "all") → length class → texts, exact, merged."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for sample, answer in zip(samples, answers, strict=True):
        if sample.ours:
            size = next(name for name, least, most in _CLASSES if least <= len(sample.text) <= most)
            groups[sample.language, size].append((sample.language, answer))
            groups["all", size].append((sample.language, answer))
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for (language, size), rows in groups.items():
        table[language][size] = {
            "texts": len(rows),
            "exact": round(mean(wanted == got for wanted, got in rows), 4),
            "merged": round(mean(_merged(wanted) == _merged(got) for wanted, got in rows), 4),
        }
    return table


def rejected(samples: Sequence[Sample], answers: Sequence[str]) -> dict[str, float]:
    """Other language → share; "all" over all texts."""
    rows: dict[str, list[bool]] = defaultdict(list)
    for sample, answer in zip(samples, answers, strict=True):
        if not sample.ours:
            rows[sample.language].append(answer not in LANGUAGES)
            rows["all"].append(answer not in LANGUAGES)
    return {language: round(mean(its), 4) for language, its in sorted(rows.items())}


def microseconds(identify: Identify, texts: Sequence[str]) -> float:
    start = time.process_time()
    identify(texts)
    return round((time.process_time() - start) / len(texts) * 1e6, 1)


def measure(identifiers: dict[str, Identify], samples: Sequence[Sample]) -> Iterator[tuple[str, object]]:
    texts = [sample.text for sample in samples]
    for name, identify in identifiers.items():
        first = microseconds(identify, texts[::-1][:_SMALL])
        answers = identify(texts)
        yield (
            name,
            {
                "accuracy": accuracy(samples, answers),
                "rejected": rejected(samples, answers),
                "first_us": first,
                "again_us": microseconds(identify, texts[:_SMALL]),
            },
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of texts")
    parser.add_argument(
        "--model", type=Path, default=MODEL, help="model to measure (default: the shipped one)"
    )
    parser.add_argument("--honest", action="store_true", help="train a model without the held texts first")
    parser.add_argument("--alone", action="store_true", help="without the other libraries")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    start = time.process_time()
    model = languages.train(languages.read("train")) if given.honest else Model.load(given.model)
    started = round((time.process_time() - start) * 1e3, 1)
    identifiers: dict[str, Identify] = {"lyhord": Identifier(model).identify}
    if not given.alone:
        identifiers |= {"py3langid": _py3langid(), "cld2": _cld2(), "lingua": _lingua()}
    samples = read(given.data) if given.data else held()
    result = {"texts": len(samples), "honest": given.honest, "start_ms": started} | dict(
        measure(identifiers, samples)
    )
    print(json.dumps(result) if given.json else json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
