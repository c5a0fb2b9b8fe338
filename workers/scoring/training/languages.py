"""Train the language model: texts and short cuts of them → sparse matrix → one logistic regression for each answer → bytes.

`build()` writes the same bytes on every run: cuts, order of descent and splits are seeded or follow from the texts themselves.
"""

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression

from listener.mention import LANGUAGES, UNDETERMINED
from workers.scoring.language import (
    ANSWERS,
    KINDS,
    Floats,
    Model,
    Numbers,
    Places,
    numbered,
    pairs,
    plain,
    split,
    strings,
)
from workers.scoring.training import texts

DATA = Path(__file__).parent / "data" / "languages"
LEAST_TEXTS = 4
"""A piece of fewer texts is unknown: so the training, too, meets unknown pieces."""
STRENGTH = 10.0
"""Inverse of the regularisation."""
OTHER_WEIGHT = 2.0
"""Other languages are many, and few texts of each are here."""
_LABELLED, _ONE_HELD_IN = ("authored", "reviews"), 10
_UNKNOWN_VALUE = 0.3
_CUTS = dict.fromkeys(LANGUAGES, 1) | dict.fromkeys(("nb", "nn", "da"), 2) | {UNDETERMINED: 3}
"""Of each text; the most of the languages that are hardest to tell apart."""
_SHORTEST_CUT, _LONGEST_CUT = 1, 7


@dataclass(frozen=True, slots=True)
class Text:
    """`language`: as its file is named, `sv` as well as `nl`; `whole`: not a cut of a longer one."""

    language: str
    origin: str
    text: str
    whole: bool = True

    @property
    def answer(self) -> str:
        return self.language if self.language in LANGUAGES else UNDETERMINED


def read(part: str, folder: Path = DATA) -> list[Text]:
    """`part`: train or held. A file is named LANGUAGE.ORIGIN.txt and has a text on each line; the labelled texts of the
    scorer that are ours or reviews come with them."""
    lines = [
        Text(path.name.split(".")[0], path.name.split(".")[1], line)
        for path in sorted((folder / part).glob("*.txt"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line.strip()
    ]
    return [*lines, *_labelled(part)]


def _labelled(part: str) -> Iterator[Text]:
    """One in ten is held, by a checksum of the text."""
    for its in texts.load():
        text = " ".join(its.text.split())
        is_held = zlib.crc32(text.encode("utf-8", "surrogatepass")) % _ONE_HELD_IN == 0
        if its.origin in _LABELLED and is_held == (part == "held"):
            yield Text(its.language, its.origin, text)


def build() -> bytes:
    """The model file that is shipped: of all texts, those held back for measuring too."""
    return train([*read("train"), *read("held")]).stored()


def train(examples: Sequence[Text]) -> Model:
    cut = [*examples, *_cuts(examples)]
    words = [split(text.text) for text in cut]
    cut, words = [text for text, its in zip(cut, words, strict=True) if its], [its for its in words if its]
    counted = _count(words, np.array([text.whole for text in cut]))
    answers = np.array([ANSWERS.index(text.answer) for text in cut])
    weights, biases = _regressions(counted.matrix, answers)
    return _stored(counted, weights, biases)


def _cuts(examples: Sequence[Text]) -> Iterator[Text]:
    """Some words in a row of each text: most of what is hard is short."""
    chance = random.Random(20)  # noqa: S311
    for text in examples:
        words = text.text.split()
        for _ in range(_CUTS[text.answer]):
            if len(words) > _SHORTEST_CUT + 1:
                size = chance.randint(_SHORTEST_CUT, min(_LONGEST_CUT, len(words) - 1))
                at = chance.randint(0, len(words) - size)
                yield Text(text.language, text.origin, " ".join(words[at : at + size]), whole=False)


@dataclass(frozen=True, slots=True)
class _Counted:
    """N texts × (F + KINDS) features. `values`: what one of each counts, already in the matrix."""

    matrix: csr_matrix
    numbers: Numbers
    values: Floats


def _count(texts: list[list[str]], whole: npt.NDArray[np.bool_]) -> _Counted:
    rows: dict[str, int] = {}
    places = np.array([rows.setdefault(word, len(rows)) for words in texts for word in words], np.intp)
    text_of = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    found, word_of, own = _pieces(list(rows))
    sizes = np.bincount(word_of)
    joined = pairs(own[places])
    same = text_of[:-1] == text_of[1:]
    joined, joined_of = joined[same], text_of[:-1][same]
    times = _ones(text_of, places, (len(texts), len(rows)))

    def matrix(numbers: Numbers, find: Callable[[Numbers], Places], width: int) -> csr_matrix:
        both = times @ _ones(word_of, find(found), (len(rows), width))
        return (both + _ones(joined_of, find(joined), (len(texts), width))).tocsr()

    everything = np.unique(np.concatenate([found, joined]))
    seen = matrix(everything, lambda its: np.searchsorted(everything, its), len(everything))[whole].getnnz(
        axis=0
    )
    enough = seen >= LEAST_TEXTS
    numbers = everything[enough]
    rarity = np.log((1 + whole.sum()) / (1 + seen[enough])) + 1
    values = np.concatenate([rarity / rarity.max(), np.full(KINDS, _UNKNOWN_VALUE)])
    values[-1] = 0.0  # an unknown pair says nothing
    empty = Model(numbers=numbers, weights=np.zeros((0, 0), np.int8), scale=1.0, biases=np.zeros(0))
    length = np.sqrt(times @ sizes)
    counts = matrix(numbers, empty.find, len(values))
    return _Counted((diags(1 / length) @ counts @ diags(values)).tocsr(), numbers, values)


def _pieces(words: list[str]) -> tuple[Numbers, Places, Numbers]:
    """Numbers of the words and their strings of letters, which word each is of, and the words' own numbers."""
    written = plain(words)
    own = numbered(written)
    table, begin = strings(written)
    letter_of = np.repeat(np.arange(len(words)), np.diff(begin, append=len(table)))
    letters, lengths = np.nonzero(table)
    found = np.concatenate([own, table[letters, lengths]])
    return found, np.concatenate([np.arange(len(words)), letter_of[letters]]), own


def _ones(rows: Places, columns: Places, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def _regressions(matrix: csr_matrix, answers: Places) -> tuple[Floats, Floats]:
    """Features × 7 weights and 7 biases. Coordinate descent with a fixed seed: the same numbers on every run."""
    matrix.sum_duplicates()
    matrix.sort_indices()
    counts = np.bincount(answers, minlength=len(ANSWERS))
    weights = (len(answers) / len(ANSWERS) / counts)[answers]
    weights[answers == ANSWERS.index(UNDETERMINED)] *= OTHER_WEIGHT

    def one(answer: int) -> LogisticRegression:
        learner = LogisticRegression(
            C=STRENGTH, solver="liblinear", dual=True, random_state=0, tol=0.01, max_iter=300
        )
        return learner.fit(matrix, answers == answer, sample_weight=weights)

    # One after the other: liblinear's dice are shared by the threads of a process.
    learnt = [one(answer) for answer in range(len(ANSWERS))]
    return np.stack([its.coef_[0] for its in learnt], axis=1), np.array([its.intercept_[0] for its in learnt])


def _stored(counted: _Counted, weights: Floats, biases: Floats) -> Model:
    """As it is stored: whole numbers of one byte, the very largest cut."""
    weights = weights * counted.values[:, None]
    scale = float(np.quantile(np.abs(weights), 0.9999)) / 127
    whole = np.rint(weights / scale).clip(-127, 127).astype(np.int8)
    return Model(numbers=counted.numbers, weights=whole, scale=scale, biases=biases)
