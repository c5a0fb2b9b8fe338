"""Fit the linear model: texts → sparse matrix → one logistic regression for each output → whole numbers of one byte."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from listener.mention import LANGUAGES, THEMES
from workers.scoring.concepts import load_concepts
from workers.scoring.features import EDGE, KEPT, Numbers, pairs, read, split
from workers.scoring.model import Floats, Stored
from workers.scoring.scorer import OUTPUTS, POLARITIES
from workers.scoring.training import quality
from workers.scoring.training.texts import Text

LEAST_TEXTS = 2
"""A feature of fewer texts is left out."""
RARITY_POWER = 2.5
STRENGTH = 20.0
"""Inverse of the regularisation."""
WEIGHTS = {"authored": 1.0, "development": 1.0, "reviews": 6.0, "translated": 0.4}
"""How much a text of each origin counts: a translation says little that is new, and real texts are few."""
MOST_FEATURES = 400_000
_STEPS = 127
_TOLERANCE, _MOST_ROUNDS = 1e-2, 100
"""Of the descent; a hundred times as exact gives the same figures."""


@dataclass(frozen=True, slots=True)
class Counted:
    """N texts × F features. `numbers`: F, ascending."""

    matrix: csr_matrix
    numbers: Numbers


def count(texts: Sequence[Text], numbers: Numbers | None = None) -> Counted:
    """What each text is made of, by the values of `workers.scoring.model`; of all features, or of those given."""
    concepts = load_concepts()
    rows: dict[tuple[str, str], int] = {}
    tokens = [[(token, text.language) for token in (EDGE, *split(text.text), EDGE)] for text in texts]
    places = np.array([rows.setdefault(token, len(rows)) for its in tokens for token in its], np.intp)
    text_of = np.repeat(np.arange(len(texts)), [len(its) for its in tokens])
    kept = np.zeros((KEPT, len(rows)), np.uint32)
    found_pieces, found_owners = [], []
    for language in LANGUAGES:
        its_rows = [(token, row) for (token, its), row in rows.items() if its == language]
        where = np.array([row for _, row in its_rows], np.intp)
        its = read([token for token, _ in its_rows], concepts[language])
        kept[:, where] = its.kept
        found_pieces.append(its.pieces)
        found_owners.append(where[its.owners])
    pieces, piece_of = np.concatenate(found_pieces), np.concatenate(found_owners)
    joined = [
        (found[same], text_of[:-distance][same])
        for found, distance in pairs(kept[:, places])
        for same in [text_of[:-distance] == text_of[distance:]]
    ]
    if numbers is None:
        numbers = np.unique(np.concatenate([pieces, *(found for found, _ in joined)]))
    times = csr_matrix((np.ones(len(places), np.float32), (text_of, places)), shape=(len(texts), len(rows)))
    times.data = 1 + np.log(times.data)
    matrix = times @ _matrix(pieces, piece_of, numbers, len(rows))
    for found, its_text in joined:
        matrix = matrix + _matrix(found, its_text, numbers, len(texts))
    return Counted(matrix.tocsr(), numbers)


def _matrix(found: Numbers, row_of: npt.NDArray[np.intp], numbers: Numbers, rows: int) -> csr_matrix:
    at = np.searchsorted(numbers, found).clip(max=len(numbers) - 1)
    known = numbers[at] == found
    ones = np.ones(int(known.sum()), np.float32)
    return csr_matrix((ones, (row_of[known], at[known])), shape=(rows, len(numbers)))


def fit(texts: Sequence[Text], most: int = MOST_FEATURES) -> Stored:
    """A model without calibration. Fitted twice when there are too many features: with all of them, and with those that turned
    out to weigh most."""
    counted = count(texts)
    matrix, numbers, rarity = _common(counted.matrix, counted.numbers)
    if len(numbers) > most:
        weights, _ = _regressions(weighed(matrix, rarity), texts)
        weight = np.abs(weights * rarity[:, None]).max(axis=1)
        strongest = np.sort(np.argsort(-weight, kind="stable")[:most])
        matrix, numbers, rarity = matrix[:, strongest], numbers[strongest], rarity[strongest]
    weights, biases = _regressions(weighed(matrix, rarity), texts)
    return _stored(numbers, rarity, weights, biases)


def _common(matrix: csr_matrix, numbers: Numbers) -> tuple[csr_matrix, Numbers, Floats]:
    """The features of enough texts, and how rare each is, as a power of its inverse document frequency, largest 1."""
    found = matrix.getnnz(axis=0)
    enough = np.flatnonzero(found >= LEAST_TEXTS)
    inverse = np.log((1 + matrix.shape[0]) / (1 + found[enough])) + 1
    rarity = (inverse / inverse.max()) ** RARITY_POWER
    return matrix[:, enough], numbers[enough], rarity.astype(np.float16).astype(np.float32)


def weighed(matrix: csr_matrix, rarity: Floats) -> csr_matrix:
    length = np.sqrt(np.maximum(matrix @ (rarity.astype(np.float64) ** 2), 1e-6))
    weighed = matrix.multiply(rarity).multiply(1 / length[:, None])
    return weighed.tocsr().astype(np.float64)


def targets(texts: Sequence[Text]) -> npt.NDArray[np.bool_]:
    """N × outputs."""
    rows = [
        (
            text.anxiety,
            text.complaint,
            *(text.polarity is tone for tone in POLARITIES),
            *(theme in text.themes for theme in THEMES),
        )
        for text in texts
    ]
    return np.array(rows, bool)


def _regressions(matrix: csr_matrix, texts: Sequence[Text]) -> tuple[Floats, Floats]:
    """F × K weights and K biases. Coordinate descent with a fixed seed: the same numbers on every run."""
    wanted = targets(texts)
    counts = np.array([WEIGHTS[text.origin] for text in texts])

    # Processes, not threads: liblinear's random numbers are the process's own, and threads would share them.
    learnt = Parallel(n_jobs=2)(
        delayed(_regression)(matrix, wanted[:, output], counts) for output in range(len(OUTPUTS))
    )
    weights = np.stack([coefficients for coefficients, _ in learnt], axis=1).astype(np.float32)
    return weights, np.array([intercept for _, intercept in learnt], np.float32)


def _regression(matrix: csr_matrix, wanted: quality.Truth, counts: Floats) -> tuple[Floats, float]:
    learner = LogisticRegression(
        C=STRENGTH, solver="liblinear", dual=True, random_state=0, tol=_TOLERANCE, max_iter=_MOST_ROUNDS
    )
    learner.fit(matrix, wanted, sample_weight=counts)
    return learner.coef_[0], float(learner.intercept_[0])


def _stored(numbers: Numbers, rarity: Floats, weights: Floats, biases: Floats) -> Stored:
    """As it is stored: weights in steps of 1/127 of the output's largest."""
    scales = np.abs(weights).max(axis=0) / _STEPS
    whole = np.rint(weights / scales).astype(np.int8)
    return Stored(
        numbers=numbers, weights=whole, scales=scales, rarity=rarity.astype(np.float16), biases=biases,
        settings={"outputs": list(OUTPUTS)},
    )  # fmt: skip
