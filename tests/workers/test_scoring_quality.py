"""Floors under what the scorer reaches on texts and writers it has not read: a model is trained here, without them and without
the machine translations (which would take long and gain about a hundredth), and measured. Data, features or settings that make
it worse turn this red."""

from collections import defaultdict

import numpy as np
import pytest

from benchmarks.scoring import mean, measure
from listener.mention import LANGUAGES, Score
from workers.scoring.training.held_out import folds
from workers.scoring.training.texts import Text, load

MEANS = {
    "anxiety_auc": 0.975,
    "anxiety_macro_f1": 0.90,
    "anxiety_average_precision": 0.93,
    "complaint_auc": 0.89,
    "complaint_macro_f1": 0.79,
    "sentiment_macro_f1": 0.75,
    "themes_micro_f1": 0.55,
}
WORST_BELOW_MEAN = 0.06
REAL = {"complaint": 0.86, "sentiment": 0.83}
MOST_REAL_CALLED_ANXIOUS = 0.02


@pytest.fixture(scope="module")
def answers() -> dict[str, list[tuple[Text, Score]]]:
    found: dict[str, list[tuple[Text, Score]]] = defaultdict(list)
    for fold in folds([text for text in load() if text.origin != "translated"], most=10**9):
        scores = fold.scorer.score([(text.text, text.language) for text in fold.measured])
        for text, score in zip(fold.measured, scores, strict=True):
            found["reviews" if text.origin == "reviews" else text.language].append((text, score))
    return found


@pytest.mark.slow
def test_means_of_the_six_languages(answers: dict[str, list[tuple[Text, Score]]]) -> None:
    found = mean({language: measure(answers[language]) for language in LANGUAGES})
    assert {name: found[name] for name, least in MEANS.items() if found[name] < least} == {}


@pytest.mark.slow
def test_no_language_is_far_below_the_others(answers: dict[str, list[tuple[Text, Score]]]) -> None:
    for signal in ("anxiety", "complaint"):
        aucs = [measure(answers[language])[signal]["auc"] for language in LANGUAGES]
        assert min(aucs) >= np.mean(aucs) - WORST_BELOW_MEAN


@pytest.mark.slow
def test_probabilities_mean_what_they_say(answers: dict[str, list[tuple[Text, Score]]]) -> None:
    found = mean({language: measure(answers[language]) for language in LANGUAGES})
    assert found["anxiety_calibration_error"] <= 0.06
    assert found["complaint_calibration_error"] <= 0.10


@pytest.mark.slow
def test_real_reviews(answers: dict[str, list[tuple[Text, Score]]]) -> None:
    found = measure(answers["reviews"])
    assert found["complaint"]["macro_f1"] >= REAL["complaint"]
    assert found["sentiment_macro_f1"] >= REAL["sentiment"]
    assert found["anxiety"]["flagged"] <= MOST_REAL_CALLED_ANXIOUS
