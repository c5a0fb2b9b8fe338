"""The shipped scorer behind the port `listener.ports.Scorer`: the trained model's answers, calibrated, with the words that
decided.

Sentiment of English is VADER's compound, as every tool in the field has it; its polarity, and all of the other languages, is
the model's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np

from listener.mention import LANGUAGES, THEMES, UNDETERMINED, Polarity, Score
from workers.scoring.model import Floats, Model, Reader, Reading, Stored
from workers.scoring.vader import Vader
from workers.scoring.why import reasons

SIGNALS = ("anxiety", "complaint")
POLARITIES = (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE)
OUTPUTS = (*SIGNALS, *POLARITIES, *THEMES)
"""The model's outputs, in order."""
_SIGNAL, _POLARITY, _THEME = slice(0, 2), slice(2, 5), slice(5, None)
_MOST_THEMES = 3
_NEUTRAL = 0.05
"""Sentiment of a neutral text is nearer to 0 than this: the convention of VADER, so that a number means the same in each
language."""


@dataclass(frozen=True, slots=True)
class _Calibration:
    """Of one language: logit → `slopes` × logit + `offsets`; `thresholds`: for each output, from which probability on it
    holds."""

    slopes: Floats
    offsets: Floats
    thresholds: Floats


class TrainedScorer:
    """`TrainedScorer(Model.of(Stored.load(path))).score([(text, language)])`. Threads take turns."""

    def __init__(self, model: Model) -> None:
        """Raises ValueError for a model with other outputs, KeyError for one without calibration."""
        if tuple(model.settings["outputs"]) != OUTPUTS:
            raise ValueError(f"model with outputs {model.settings['outputs']}; want {OUTPUTS}")
        self.model: str = model.settings["model"]
        self._reader = Reader(model)
        self._vader = Vader()
        self._calibrations = {
            language: _Calibration(*(np.array(told[name], np.float32) for name in ("slopes", "offsets", "thresholds")))
            for language, told in model.settings["calibration"].items()
        }  # fmt: skip

    def score(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        answers: list[Score | None] = [None] * len(texts)
        for language in LANGUAGES:
            places = [at for at, (_, its) in enumerate(texts) if its == language]
            found = self._of_language([texts[at][0] for at in places], language)
            for at, answer in zip(places, found, strict=True):
                answers[at] = answer
        return [answer or self._no_opinion() for answer in answers]

    def _no_opinion(self) -> Score:
        return Score(
            language=UNDETERMINED, sentiment=0.0, polarity=Polarity.NEUTRAL, anxiety=0.0, complaint=0.0,
            is_anxious=False, is_complaint=False, model=self.model,
        )  # fmt: skip

    def _of_language(self, texts: Sequence[str], language: str) -> Iterator[Score]:
        done = 0
        for reading in self._reader.read(texts, language):
            yield from self._scores(texts[done : done + len(reading.starts)], reading, language)
            done += len(reading.starts)

    def _scores(self, texts: Sequence[str], reading: Reading, language: str) -> Iterator[Score]:
        its = self._calibrations[language]
        logits = reading.logits * its.slopes + its.offsets
        chances = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        held = (chances >= its.thresholds).tolist()
        tones = _shares(logits[:, _POLARITY])
        sentiments = _sentiments(tones).tolist()
        winners = tones.argmax(axis=1).tolist()
        decided = reasons(reading)
        for at, (anxiety, complaint) in enumerate(chances[:, _SIGNAL].tolist()):
            yield Score(
                language=language,
                sentiment=self._vader.compound(texts[at]) if language == "en" else sentiments[at],
                polarity=POLARITIES[winners[at]],
                anxiety=anxiety,
                complaint=complaint,
                is_anxious=held[at][0],
                is_complaint=held[at][1],
                themes=_themes(held[at][_THEME], chances[at, _THEME]) if any(held[at][_THEME]) else (),
                why=decided[at],
                model=self.model,
            )


def open_scorer() -> TrainedScorer:
    """The shipped scorer."""
    with as_file(files("workers.scoring") / "data" / "model.npz") as path:
        return TrainedScorer(Model.of(Stored.load(path)))


def _shares(logits: Floats) -> Floats:
    """N × 3 probabilities of negative, neutral, positive, which add up to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _sentiments(tones: Floats) -> Floats:
    """N numbers in -1..1: within ±0.05 where neutral is likeliest, beyond it by how much likelier the winner is than the next."""
    negative, neutral, positive = tones.T
    towards = np.where(positive >= negative, 1.0, -1.0).astype(np.float32)
    most = np.maximum(negative, positive)
    lead = most - np.maximum(neutral, np.minimum(negative, positive))
    beyond = towards * (_NEUTRAL + (1 - _NEUTRAL) * lead)
    sentiments: Floats = np.where(most > neutral, beyond, _NEUTRAL * (positive - negative)).clip(-1, 1)
    return sentiments


def _themes(held: Sequence[bool], chances: Floats) -> tuple[str, ...]:
    """At most three of those that hold, likeliest first."""
    ranked = sorted(
        (-chance, at) for at, (chance, holds) in enumerate(zip(chances.tolist(), held, strict=True)) if holds
    )
    return tuple(THEMES[at] for _, at in ranked[:_MOST_THEMES])
