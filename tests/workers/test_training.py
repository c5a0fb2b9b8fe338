"""Training: the texts are what they claim to be, and what is trained is what is served."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from listener.mention import LANGUAGES, Polarity
from workers.scoring.model import Model, Stored
from workers.scoring.scorer import OUTPUTS, TrainedScorer
from workers.scoring.training import quality
from workers.scoring.training.calibrate import calibrate, logits
from workers.scoring.training.fit import count, fit, weighed
from workers.scoring.training.texts import Text, labelled, load

TEXTS = load()
FEW = [text for text in TEXTS if text.origin == "development"][::8]


@pytest.fixture(scope="module")
def stored() -> Stored:
    return fit(FEW)


def test_ids_are_unique_and_every_language_has_its_share() -> None:
    assert [name for name, times in Counter(text.id for text in TEXTS).items() if times > 1] == []
    authored = Counter(text.language for text in TEXTS if text.origin == "authored")
    assert set(authored) == set(LANGUAGES)
    assert min(authored.values()) > 3_000


def test_what_measures_is_not_among_what_trains() -> None:
    def plain(text: Text) -> str:
        return " ".join(text.text.casefold().split())

    measured = {plain(text) for text in TEXTS if text.origin == "development"}
    assert [text.id for text in TEXTS if text.origin == "authored" and plain(text) in measured] == []


def test_a_wrong_label_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sv.jsonl"
    good = '{"id": "1", "text": "Hej", "anxiety": 0, "complaint": 0, "sentiment": "neutral", "themes": []}'
    file.write_text(f"{good}\n{good.replace('neutral', 'glad')}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"sv\.jsonl, line 2.*glad"):
        list(labelled(file, "sv", "authored"))


def test_what_is_trained_is_what_is_served(stored: Stored) -> None:
    """The matrix of the training and the tables of the service are different code: they must give the same logits, but where
    worry is denied (workers/scoring/negation.py), which the service alone knows, and which may only lower them."""
    rarity = stored.rarity.astype(np.float32)
    matrix = weighed(count(FEW, stored.numbers).matrix, rarity)
    expected = np.asarray(matrix @ (stored.weights * stored.scales)) + stored.biases
    more = logits(stored, FEW) - expected
    assert more.max() < 1e-4
    assert np.mean(np.abs(more) < 1e-4) > 0.98
    assert np.abs(np.delete(more, [OUTPUTS.index("anxiety"), OUTPUTS.index("negative")], axis=1)).max() < 1e-4


def test_training_twice_gives_the_same_bytes(stored: Stored, tmp_path: Path) -> None:
    files = [tmp_path / "first.npz", tmp_path / "second.npz"]
    stored.save(files[0])
    fit(FEW).save(files[1])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_saved_model_is_loaded_alike(stored: Stored, tmp_path: Path) -> None:
    stored.save(tmp_path / "model.npz")
    loaded = Stored.load(tmp_path / "model.npz")
    assert loaded.settings == stored.settings
    assert logits(loaded, FEW).tolist() == logits(stored, FEW).tolist()


def test_the_fewest_features_are_the_strongest() -> None:
    few = fit(FEW, most=500)
    assert len(few.numbers) == 500
    anxious = np.array([text.anxiety for text in FEW])
    assert quality.auc(anxious, logits(few, FEW)[:, 0]) > 0.9


def test_a_model_with_other_outputs_is_refused(stored: Stored) -> None:
    strange = replace(stored, settings={**stored.settings, "outputs": ["mood"]})
    with pytest.raises(ValueError, match="mood"):
        TrainedScorer(Model.of(strange))


def test_calibrated_probabilities_are_right_as_often_as_they_say(stored: Stored) -> None:
    raw = logits(stored, FEW)
    told = calibrate(raw, FEW)["sv"]
    assert len(told["slopes"]) == len(told["offsets"]) == len(told["thresholds"]) == len(OUTPUTS)
    scorer = TrainedScorer(
        Model.of(
            replace(stored, settings={**stored.settings, "model": "m", "calibration": calibrate(raw, FEW)})
        )
    )
    scores = scorer.score([(text.text, text.language) for text in FEW])
    truth = np.array([text.anxiety for text in FEW])
    assert quality.calibration_error(truth, np.array([score.anxiety for score in scores])) < 0.1
    assert sum(score.polarity is Polarity.NEGATIVE for score in scores) > len(scores) / 4


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_reference(seed: int) -> None:
    chance = np.random.default_rng(seed)
    truth = chance.random(200) < 0.3
    chances = np.round(chance.random(200) + 0.3 * truth, 2)  # with ties
    assert quality.auc(truth, chances) == pytest.approx(roc_auc_score(truth, chances))
    assert quality.average_precision(truth, chances) == pytest.approx(average_precision_score(truth, chances))
    flags = chances > 0.7
    assert quality.macro_f1(truth, flags) == pytest.approx(f1_score(truth, flags, average="macro"))


def test_calibration_error_of_honest_and_boasting_probabilities() -> None:
    truth = np.arange(1000) % 10 < 7
    assert quality.calibration_error(truth, np.full(1000, 0.7)) == pytest.approx(0)
    assert quality.calibration_error(truth, np.full(1000, 0.95)) == pytest.approx(0.25)
