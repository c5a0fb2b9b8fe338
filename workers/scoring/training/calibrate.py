"""From logits to probabilities that are right as often as they say, and to flags: learnt from texts by writers whom the model
has not read. Few numbers are learnt, so that they hold for other texts: a slope for each output, and an offset for each output
and language."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from listener.mention import LANGUAGES
from workers.scoring.model import Floats, Model, Reader, Stored
from workers.scoring.scorer import OUTPUTS, POLARITIES, SIGNALS
from workers.scoring.training import quality
from workers.scoring.training.fit import targets
from workers.scoring.training.texts import Text

LEAST_PRECISION = 0.85
"""Of flags that alerts rest on."""
_GRID = np.linspace(0.05, 0.95, 181)
_LIFTS = np.linspace(-1.5, 1.5, 31)
_LANGUAGE_WEIGHT = 0.5
_THEMES_FROM = len(SIGNALS) + len(POLARITIES)


def logits(stored: Stored, texts: Sequence[Text]) -> Floats:
    """N × K."""
    reader = Reader(Model.of(stored))
    found = np.zeros((len(texts), len(OUTPUTS)), np.float32)
    for language in LANGUAGES:
        places = [at for at, text in enumerate(texts) if text.language == language]
        readings = reader.read([texts[at].text for at in places], language)
        found[places] = np.concatenate([reading.logits for reading in readings] or [found[:0]])
    return found


def calibrate(raw: Floats, texts: Sequence[Text]) -> dict[str, Any]:
    """Settings: {language: {slopes, offsets, thresholds}}, a number for each output."""
    wanted = targets(texts)
    languages = np.array([[text.language == its for its in LANGUAGES] for text in texts], float)
    slopes = np.ones(len(OUTPUTS))
    offsets = np.zeros((len(LANGUAGES), len(OUTPUTS)))
    for output in range(len(OUTPUTS)):
        columns = np.column_stack([raw[:, output] * 10, languages * _LANGUAGE_WEIGHT])
        learner = LogisticRegression(C=1.0, max_iter=1000).fit(columns, wanted[:, output])
        slopes[output] = learner.coef_[0][0] * 10
        offsets[:, output] = learner.intercept_[0] + learner.coef_[0][1:] * _LANGUAGE_WEIGHT
    calibrated = raw * slopes + languages @ offsets
    offsets[:, 2:_THEMES_FROM] += _lifts(calibrated[:, 2:_THEMES_FROM], wanted[:, 2:_THEMES_FROM])
    thresholds = _thresholds(1 / (1 + np.exp(-calibrated)), wanted)
    return {
        language: {
            "slopes": slopes.round(4).tolist(),
            "offsets": offsets[at].round(4).tolist(),
            "thresholds": thresholds,
        }
        for at, language in enumerate(LANGUAGES)
    }


def _lifts(tones: Floats, wanted: quality.Truth) -> Floats:
    """What to add to the logits of negative, neutral and positive so that the likeliest is right for all three alike."""
    truth = wanted.argmax(axis=1).astype(str)
    tried = [np.array([0.0, neutral, positive]) for neutral in _LIFTS for positive in _LIFTS]
    return max(tried, key=lambda lift: quality.macro_f1_of(truth, (tones + lift).argmax(axis=1).astype(str)))


def _thresholds(chances: Floats, wanted: quality.Truth) -> list[float]:
    """Signals: the best macro-F1 among those precise enough. Themes: the best F1 over all of them. Polarities need none."""
    signals = [_precise(wanted[:, at], chances[:, at]) for at in range(len(SIGNALS))]
    themes = max(
        _GRID, key=lambda least: quality.f1(wanted[:, _THEMES_FROM:], chances[:, _THEMES_FROM:] >= least)
    )
    return [*signals, *[0.5] * len(POLARITIES), *[round(float(themes), 3)] * (len(OUTPUTS) - _THEMES_FROM)]


def _precise(truth: quality.Truth, chances: Floats) -> float:
    precise = [at for at in _GRID if quality.precision_recall(truth, chances >= at)[0] >= LEAST_PRECISION]
    return round(float(max(precise or [_GRID[-1]], key=lambda at: quality.macro_f1(truth, chances >= at))), 3)
