"""How well the scorer hears anxiety, complaints, tone and themes, and how fast it is.

    python -m benchmarks.scoring --json                  models trained without what they are measured on (five minutes)
    python -m benchmarks.scoring --data FOLDER --json    the shipped model, on labelled texts that it should not know

FOLDER holds JSONL files named after their language (`sv.jsonl`, `reviews_sv.jsonl`), a text with its labels on each line, as
those beside `workers/scoring/training`. `--curves FILE.svg` draws precision against recall. Speed is processor time on one
core.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.curves import Curve, draw
from listener.mention import LANGUAGES, THEMES, Score
from listener.text import clean
from workers.scoring import open_scorer
from workers.scoring.language import identify_all
from workers.scoring.training import quality
from workers.scoring.training.held_out import folds
from workers.scoring.training.texts import Text, labelled, load

Answers = Sequence[tuple[Text, Score]]
SIGNALS = ("anxiety", "complaint")
RECALLS = (0.5, 0.7, 0.9)
SPEED_TEXTS, SPEED_BATCH = 20_000, 500
_SHORT, _LONG = 60, 250


def measure(answers: Answers) -> dict[str, Any]:
    """Figures of one set."""
    found: dict[str, Any] = {"texts": len(answers)}
    for signal in SIGNALS:
        found[signal] = _signal(answers, signal)
    found["sentiment_macro_f1"] = round(
        quality.macro_f1_of(
            np.array([text.polarity.value for text, _ in answers]),
            np.array([score.polarity.value for _, score in answers]),
        ),
        3,
    )
    truth = np.array([[theme in text.themes for theme in THEMES] for text, _ in answers])
    given = np.array([[theme in score.themes for theme in THEMES] for _, score in answers])
    found["themes_micro_f1"] = round(quality.f1(truth.ravel(), given.ravel()), 3)
    return found


def _truth(answers: Answers, signal: str) -> quality.Truth:
    return np.array([getattr(text, signal) for text, _ in answers], bool)


def _chances(answers: Answers, signal: str) -> quality.Chances:
    return np.array([getattr(score, signal) for _, score in answers])


def _signal(answers: Answers, signal: str) -> dict[str, float]:
    truth, chances = _truth(answers, signal), _chances(answers, signal)
    flags = np.array(
        [score.is_anxious if signal == "anxiety" else score.is_complaint for _, score in answers], bool
    )
    precision, recall = quality.precision_recall(truth, flags)
    recalls, precisions, _ = quality.curve(truth, chances)
    figures = {
        "positive": int(truth.sum()),
        "auc": quality.auc(truth, chances),
        "macro_f1": quality.macro_f1(truth, chances >= 0.5),
        "average_precision": quality.average_precision(truth, chances),
        "precision": precision,
        "recall": recall,
        "flagged": float(flags.mean()),
        "calibration_error": quality.calibration_error(truth, chances),
    }
    for least in RECALLS:
        figures[f"precision_at_recall_{least}"] = float(max(precisions[recalls >= least], default=0.0))
    return {name: round(value, 4 if name == "flagged" else 3) for name, value in figures.items()}


def slices(answers: Answers) -> dict[str, dict[str, float]]:
    """Macro-F1 of the flags by what makes a text hard, by channel and by length."""
    groups: dict[str, list[tuple[Text, Score]]] = defaultdict(list)
    for text, score in answers:
        length = "short" if len(text.text) <= _SHORT else "long" if len(text.text) > _LONG else "medium"
        for name in (f"hard: {text.hard or 'none'}", f"channel: {text.channel}", f"length: {length}"):
            groups[name].append((text, score))
    return {
        name: {"texts": len(its), **{signal: _signal(its, signal)["macro_f1"] for signal in SIGNALS}}
        for name, its in sorted(groups.items())
    }


def mean(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Of the six languages."""
    means: dict[str, float] = {}
    for signal in SIGNALS:
        for name in ("auc", "macro_f1", "average_precision", "precision", "recall", "calibration_error"):
            means[f"{signal}_{name}"] = round(
                float(np.mean([sets[its][signal][name] for its in LANGUAGES])), 3
            )
    for name in ("sentiment_macro_f1", "themes_micro_f1"):
        means[name] = round(float(np.mean([sets[its][name] for its in LANGUAGES])), 3)
    return means


def held_out() -> dict[str, list[tuple[Text, Score]]]:
    """By set: language, or `reviews_sv`."""
    found: dict[str, list[tuple[Text, Score]]] = defaultdict(list)
    for fold in folds(load()):
        scores = fold.scorer.score([(text.text, text.language) for text in fold.measured])
        for text, score in zip(fold.measured, scores, strict=True):
            found["reviews_sv" if text.origin == "reviews" else text.language].append((text, score))
    return found


def shipped(folder: Path) -> dict[str, list[tuple[Text, Score]]]:
    scorer = open_scorer()
    found = {}
    for file in sorted(folder.glob("*.jsonl")):
        language = file.stem.rsplit("_", 1)[-1]
        if language not in LANGUAGES:
            raise ValueError(f"{file.name}: want a name that is or ends in _ and one of {LANGUAGES}")
        texts = list(labelled(file, language, file.stem))
        scores = scorer.score([(text.text, language) for text in texts])
        found[file.stem] = list(zip(texts, scores, strict=True))
    return found


def speed(texts: Iterable[str]) -> dict[str, float]:
    """Of language and scores together, of texts that come for the first time; and of a fresh process."""
    cleaned = [clean(text) for text in texts][:SPEED_TEXTS]
    scorer = open_scorer()
    started = time.process_time()
    for at in range(0, len(cleaned), SPEED_BATCH):
        batch = cleaned[at : at + SPEED_BATCH]
        scorer.score(list(zip(batch, identify_all(batch), strict=True)))
    rate = len(cleaned) / (time.process_time() - started)
    code = (
        "from workers.scoring import open_scorer\nfrom workers.scoring.language import identify\n"
        "open_scorer().score([('Hej', identify('Hej'))])\n"
        "import re, pathlib\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    started = time.perf_counter()
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    start = time.perf_counter() - started
    memory = int(said) / 1024
    return {
        "texts": len(cleaned),
        "texts_per_second": round(rate),
        "start_seconds": round(start, 2),
        "start_megabytes": round(memory),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="folder with labelled files; without it, held-out models on ours"
    )
    parser.add_argument("--curves", type=Path, help="draw precision against recall into this SVG file")
    parser.add_argument("--brief", action="store_true", help="means of the six languages, and speed, only")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    answers = shipped(given.data) if given.data else held_out()
    if not answers:
        parser.error(f"--data {given.data}: holds no *.jsonl; want labelled texts, one file per language")
    sets = {name: measure(its) for name, its in answers.items()}
    result: dict[str, Any] = {
        "sets": sets,
        "speed": speed(text.text for text in load() if text.origin == "authored"),
    }
    if set(LANGUAGES) <= set(sets):
        result["mean"] = mean(sets)
        result["slices"] = slices([each for name in LANGUAGES for each in answers[name]])
    if given.curves:
        given.curves.write_text(draw(_curves(answers)), encoding="utf-8")
    if given.brief:
        result = {name: result[name] for name in ("mean", "speed") if name in result}
    print(json.dumps(result) if given.json else json.dumps(result, indent=1))
    return 0


def _curves(answers: Mapping[str, Answers]) -> dict[str, list[Curve]]:
    return {
        signal: [
            Curve(
                name,
                *(its.tolist() for its in quality.curve(_truth(found, signal), _chances(found, signal))[:2]),
            )
            for name, found in answers.items()
            if name in LANGUAGES
        ]
        for signal in SIGNALS
    }


if __name__ == "__main__":
    sys.exit(main())
