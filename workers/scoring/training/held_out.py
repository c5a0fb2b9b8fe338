"""A model that has not read what it is measured on: no development text, none by their writers, and half of the reviews."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workers.scoring.model import Model
from workers.scoring.scorer import TrainedScorer
from workers.scoring.training.calibrate import calibrate, logits
from workers.scoring.training.fit import MOST_FEATURES, fit
from workers.scoring.training.texts import Text

HALVES = (frozenset({"telecom", "grocery", "gym"}), frozenset({"bank", "electronics", "parcel"}))
"""Industries of the development texts. What calibrates the model for one half is the other, of them and of the unread reviews."""


@dataclass(frozen=True, slots=True)
class Fold:
    scorer: TrainedScorer
    measured: tuple[Text, ...]


def folds(texts: Sequence[Text], most: int = MOST_FEATURES) -> Iterator[Fold]:
    """Two, with every development text and every second review in one of them."""
    strange = unread(texts)
    stored = fit(without(texts, strange), most)
    reviews = [text for text in strange if text.origin == "reviews"]
    for half, domains in enumerate(HALVES):
        measured = [text for text in strange if text.domain in domains] + reviews[half::2]
        calibrating = without(strange, measured)
        calibration = calibrate(logits(stored, calibrating), calibrating)
        settings = {**stored.settings, "model": f"held-out-{half}", "calibration": calibration}
        yield Fold(TrainedScorer(Model.of(replace(stored, settings=settings))), tuple(measured))


def unread(texts: Sequence[Text]) -> list[Text]:
    """What a model that is to be calibrated or measured is not trained on: the development texts and every second review."""
    reviews = [text for text in texts if text.origin == "reviews"]
    return [text for text in texts if text.origin == "development"] + reviews[::2]


def without(texts: Sequence[Text], others: Sequence[Text]) -> list[Text]:
    left_out = {text.id for text in others}
    return [text for text in texts if text.id not in left_out]
