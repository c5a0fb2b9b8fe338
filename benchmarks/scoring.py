"""How well the shipped scorer hears anxiety and complaints, and tells languages apart, on labelled texts.

    python -m benchmarks.scoring --data FOLDER --json

FOLDER holds one JSONL file per set, named after its language (`sv.jsonl`, `reviews_sv.jsonl`), with `text`, `anxiety` (0 or 1)
and `complaint` (0 or 1) on each line. AUC: chance that a text with the signal is scored above one without (ties count half).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from listener.mention import LANGUAGES
from listener.text import clean
from workers.scoring import LexiconScorer, open_scorer
from workers.scoring.language import identify


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one signal in one set. `macro_f1`: mean of the F1 of the texts with and without the signal, by the flag."""

    texts: int
    positive: int
    auc: float
    macro_f1: float
    precision: float
    recall: float
    flagged: float


def auc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """NaN when only one of the labels occurs."""
    values, truth = np.asarray(scores), np.asarray(labels)
    yes, no = values[truth == 1], values[truth == 0]
    if not len(yes) or not len(no):
        return float("nan")
    above = (yes[:, None] > no[None, :]).sum() + 0.5 * (yes[:, None] == no[None, :]).sum()
    return float(above / (len(yes) * len(no)))


def f1(flags: Sequence[int], labels: Sequence[int], of: int) -> float:
    hits = sum(flag == of == label for flag, label in zip(flags, labels, strict=True))
    marked = flags.count(of) + labels.count(of)
    return 2 * hits / marked if marked else 0.0


def quality(scores: Sequence[float], flags: Sequence[int], labels: Sequence[int]) -> Quality:
    hits = sum(flag and label for flag, label in zip(flags, labels, strict=True))
    return Quality(
        texts=len(labels),
        positive=sum(labels),
        auc=round(auc(scores, labels), 3),
        macro_f1=round((f1(flags, labels, 0) + f1(flags, labels, 1)) / 2, 3),
        precision=round(hits / max(1, sum(flags)), 3),
        recall=round(hits / max(1, sum(labels)), 3),
        flagged=round(sum(flags) / len(labels), 4),
    )


def language_of(name: str) -> str:
    """`reviews_sv` → sv. Raises ValueError for a file whose name ends in no language of ours."""
    language = name.rsplit("_", 1)[-1]
    if language not in LANGUAGES:
        raise ValueError(f"{name}.jsonl: want a name that is or ends in _ and one of {LANGUAGES}")
    return language


def measure(file: Path, scorer: LexiconScorer) -> dict[str, object]:
    language = language_of(file.stem)
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    texts = [clean(row["text"]) for row in rows]
    scores = scorer.score([(text, language) for text in texts])
    anxiety = quality(
        [s.anxiety for s in scores], [int(s.is_anxious) for s in scores], [row["anxiety"] for row in rows]
    )
    complaint = quality(
        [s.complaint for s in scores],
        [int(s.is_complaint) for s in scores],
        [row["complaint"] for row in rows],
    )
    return {
        "language_accuracy": round(sum(identify(text) == language for text in texts) / len(texts), 3),
        "anxiety": asdict(anxiety),
        "complaint": asdict(complaint),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled files")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    files = sorted(given.data.glob("*.jsonl"))
    if not files:
        parser.error(f"--data {given.data}: holds no *.jsonl; want labelled texts, one file per language")
    scorer = open_scorer()
    result = {file.stem: measure(file, scorer) for file in files}
    if given.json:
        print(json.dumps({"model": scorer.model, **result}))
        return 0
    print(f"{scorer.model}\n{'set':<12}{'language':>9}  signal      AUC    F1  prec.  recall  flagged  of")
    for name, found in result.items():
        for signal in ("anxiety", "complaint"):
            q = found[signal]
            assert isinstance(q, dict)
            print(
                f"{name:<12}{found['language_accuracy']:>9}  {signal:<9}{q['auc']:>6.2f}{q['macro_f1']:>6.2f}"
                f"{q['precision']:>7.2f}{q['recall']:>8.2f}{q['flagged']:>9.1%}  {q['positive']}/{q['texts']}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
