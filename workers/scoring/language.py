"""Which language is it? A linear model over words, strings of letters and pairs of words; when unsure, CLD2 has a vote. Pure.

A text is cut into words; what a word adds to the seven answers (six languages, and another one) is the same in every
text, so it is worked out once and remembered. Sums are whole numbers: a text gets the same answer alone and among others.
Letters keep their marks (`å`, `ä`, `æ`, `ø`), as these tell the languages apart. What no answer explains well is `und`:
other languages, texts without letters, and texts of two languages that are not neighbours.
"""

import io
import json
import math
import re
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pycld2

from listener.mention import LANGUAGES, UNDETERMINED
from workers.scoring.features import FACTOR, mixed_to_32_bits

Numbers = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

ANSWERS = (*LANGUAGES, UNDETERMINED)
MODEL = Path(__file__).parent / "data" / "languages.npz"
KINDS = 8
"""The last three bits of a piece's number tell its kind: 1 to 5 the length of a string of letters, then these."""
_WORD, _PAIR = 6, 7
NOTHING = np.uint32(0)
"""No piece has this number; in a model it is the unknown piece of kind 0, which weighs nothing."""
_DROPPED_BITS = np.uint32(14)
"""A number without them says where in the table to begin looking: one row or two have the same beginning."""
LOOKED_AT = 600
"""Characters of a text that are read."""
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+|[#@]\w+")
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_REPEATED = re.compile(r"(.)\1{2,}")
_LETTERS_READ, _LONGEST = 24, 5
_LAST_LATIN = "\u024f"
_REMEMBERED, _AT_ONCE = 60_000, 15_000
"""Words: about 3 MB, and those of one round."""
_NEIGHBOURS = [LANGUAGES.index(language) for language in ("sv", "nb", "nn", "da")]
"""A short text may well be right in several of these; it still gets the best of them."""
_IS_NEIGHBOUR = np.isin(np.arange(len(ANSWERS)), _NEIGHBOURS)
_CLD2 = {language: at for at, language in enumerate(LANGUAGES)} | {"no": LANGUAGES.index("nb")}
_LEAST_SURE = 0.45
"""Share of the probability that a language, or the neighbours together, must have."""
_USUAL = np.array([{"nb": 0.3, "nn": -0.3}.get(answer, 0.0) for answer in ANSWERS])
"""Most Norwegian is bokmål, so a text that might be either is."""
_UNSURE = 2.0
"""Lead in log-odds under which CLD2 is asked: one text in ten."""
_VOTE, _VOTE_FOR_OTHER = 1.0, 1.5
"""What CLD2's vote adds. It has read more of other languages than our model."""
_PRIOR_TAKES, _PRIOR_ADDS = -1.2, 1.8
"""At most, in log-odds."""
_PRIOR_FLOOR = 0.01
"""Share of a language that a prior does not name."""


def split(text: str) -> list[str]:
    """The words, in small letters. Addresses, names of accounts and tags are left out."""
    return _WORDS.findall(_plain(text).lower())


def _plain(text: str) -> str:
    text = text[:LOOKED_AT]
    if "@" in text or "#" in text or "://" in text or "www." in text:
        return _ADDRESS.sub(" ", text)
    return text


def plain(words: Sequence[str]) -> list[str]:
    """The words as they are numbered: no letter more than twice in a row, one kind of apostrophe."""
    if not words:
        return []
    return _REPEATED.sub(r"\1\1", "\n".join(words)).replace("’", "'").split("\n")


def numbered(words: Sequence[str]) -> Numbers:
    """The number of each, which are `plain`."""
    found = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words]
    return _of_kind(np.array(found, np.uint32), _WORD)


def strings(words: Sequence[str]) -> tuple[Numbers, Places]:
    """Numbers of the strings of 1 to 5 letters of the words, which are `plain`, each in a frame < >: letters × 5, those that
    begin at each letter, NOTHING where one would leave its word; and the letter that each word begins at."""
    framed = [f"<{word[:_LETTERS_READ]}>" for word in words]
    sizes = np.array([len(word) for word in framed], np.intp)
    letters = np.frombuffer("".join(framed).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(words)), sizes)
    found = np.full((len(letters), _LONGEST), NOTHING, np.uint32)
    running = letters
    for length in range(1, min(_LONGEST, len(letters)) + 1):
        if length > 1:
            running = running[:-1] * FACTOR + letters[length - 1 :]
        within = owners[: len(running)] == owners[length - 1 :]
        found[: len(running), length - 1] = np.where(
            within, _of_kind(mixed_to_32_bits(running), length), NOTHING
        )
    return found, np.cumsum(sizes) - sizes


def pairs(words: Numbers) -> Numbers:
    """Numbers of the pairs of neighbours, one fewer than words; order matters."""
    return _of_kind(
        mixed_to_32_bits(words[:-1].astype(np.uint64) * FACTOR + words[1:].astype(np.uint64)), _PAIR
    )


def _of_kind(numbers: Numbers, kind: int) -> Numbers:
    return (numbers & np.uint32(2**32 - KINDS)) | np.uint32(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`numbers`: F numbers of pieces and pairs, ascending; `weights`: F + KINDS × 7 in steps of `scale`, the last rows for
    unknown pieces of each kind; `biases`: 7.

    An answer's log-odds are scale × (sum of its weights) / sqrt(number of pieces) + bias."""

    numbers: Numbers
    weights: npt.NDArray[np.int8]
    scale: float
    biases: Floats
    _padded: Numbers = field(init=False, repr=False)
    _first: Places = field(init=False, repr=False)

    def __post_init__(self) -> None:
        many = np.bincount(self.numbers >> _DROPPED_BITS, minlength=1 << (32 - int(_DROPPED_BITS)))
        object.__setattr__(self, "_first", np.cumsum(many) - many)
        object.__setattr__(self, "_padded", np.append(self.numbers, np.uint32(2**32 - 1)))

    def stored(self) -> bytes:
        """As a file: the same bytes for the same numbers."""
        told = json.dumps({"scale": self.scale, "answers": ANSWERS}, sort_keys=True).encode()
        file = io.BytesIO()
        np.savez(
            file,
            allow_pickle=False,
            numbers=self.numbers,
            weights=self.weights,
            biases=self.biases,
            settings=np.frombuffer(told, np.uint8),
        )
        return file.getvalue()

    @classmethod
    def load(cls, path: Path = MODEL) -> "Model":
        """Raises OSError for a missing file, KeyError or ValueError for one that is none of ours."""
        with np.load(path, allow_pickle=False) as file:
            settings: dict[str, Any] = json.loads(file["settings"].tobytes())
            if tuple(settings["answers"]) != ANSWERS:
                raise ValueError(f"{path.name}: made for {settings['answers']}; want a model for {ANSWERS}")
            return cls(
                numbers=file["numbers"],
                weights=file["weights"],
                scale=settings["scale"],
                biases=file["biases"],
            )

    def find(self, numbers: Numbers) -> Places:
        """The row of each number; of an unknown one, its kind's. Several times faster than a search by halves."""
        at = self._first[numbers >> _DROPPED_BITS]
        behind = np.flatnonzero(self._padded[at] < numbers)
        while behind.size:
            at[behind] += 1
            behind = behind[self._padded[at[behind]] < numbers[behind]]
        unknown = len(self.numbers) + (numbers & np.uint32(KINDS - 1)).astype(np.intp)
        known = (self._padded[at] == numbers) & (at < len(self.numbers))
        return np.where(known, at, unknown)


class Identifier:
    """Identifies with a model. Threads take turns."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._turn = threading.Lock()
        self._memory = _Memory(model)

    def identify(
        self, texts: Sequence[str], priors: Sequence[Mapping[str, float] | None] | None = None
    ) -> list[str]:
        """One of ANSWERS for each. Never raises for any text."""
        if priors is not None and len(priors) != len(texts):
            raise ValueError(
                f"identify: {len(texts)} texts and {len(priors)} priors; want one for each, or none"
            )
        answers = [UNDETERMINED] * len(texts)
        words: list[str] = []
        starts: list[int] = []
        places: list[int] = []
        for place, text in enumerate(texts):
            if found := split(text):
                starts.append(len(words))
                places.append(place)
                words += found
            if places and (len(words) > _AT_ONCE or place == len(texts) - 1):
                odds = self.odds(words, starts)
                _second_look(odds, [texts[its] for its in places])
                if priors is not None:
                    _weigh(odds, [priors[its] for its in places])
                for its, answer in zip(places, _chosen(odds), strict=True):
                    answers[its] = answer
                words, starts, places = [], [], []
        return answers

    def odds(self, words: list[str], starts: list[int]) -> Floats:
        """Texts × 7 log-odds; a text begins at each of `starts` and has a word at least."""
        begin = np.array(starts, np.intp)
        with self._turn:
            if len(self._memory) > _REMEMBERED:
                self._memory = _Memory(self._model)
            memory = self._memory
            memory.learn(words)
            rows = np.fromiter(map(memory.__getitem__, words), np.intp, len(words))
            sums, sizes = memory.sums[rows], memory.sizes[rows]
        joined = self._model.find(pairs(memory.words[rows]))
        joined[begin[1:] - 1] = len(self._model.numbers)
        sums[:-1, :-1] += self._model.weights[joined]
        total = np.add.reduceat(sums, begin)
        size = np.add.reduceat(sizes, begin)
        odds = total[:, :-1] * (self._model.scale / np.sqrt(size[:, None])) + self._model.biases + _USUAL
        # A text mostly in letters that none of the six is written in is none of the six.
        odds[2 * total[:, -1] > size, :-1] = -np.inf
        return np.asarray(odds)


def _second_look(odds: Floats, texts: Sequence[str]) -> None:
    """Adds CLD2's vote to the log-odds of the texts whose best two answers are close."""
    best = np.partition(odds, -2, axis=1)[:, -2:]
    for row in np.flatnonzero(best[:, 1] - best[:, 0] < _UNSURE).tolist():
        try:
            found = pycld2.detect(
                _plain(texts[row]).encode("utf-8", "ignore"), isPlainText=True, bestEffort=True
            )
        except pycld2.error:
            continue
        code = found[2][0][1]
        if code in _CLD2:
            odds[row, _CLD2[code]] += _VOTE
        elif code != "un":
            odds[row, ANSWERS.index(UNDETERMINED)] += _VOTE_FOR_OTHER


def _weigh(odds: Floats, priors: Sequence[Mapping[str, float] | None]) -> None:
    """Adds to the log-odds of each text what its prior says: nothing to a language of average share, nor to another one
    unless it names `und`."""
    even = 1 / len(LANGUAGES)
    for row, prior in enumerate(priors):
        if prior:
            shares = [prior.get(answer, even if answer == UNDETERMINED else 0.0) for answer in ANSWERS]
            within = [min(1.0, max(0.0, share)) for share in shares]
            bonus = [math.log((share + _PRIOR_FLOOR) / (even + _PRIOR_FLOOR)) for share in within]
            odds[row] += np.clip(bonus, _PRIOR_TAKES, _PRIOR_ADDS)


def _chosen(odds: Floats) -> list[str]:
    """The likeliest answer, where it is likely enough."""
    best = odds.argmax(axis=1)
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    neighbours = shares[:, _NEIGHBOURS].sum(axis=1)
    sure = np.where(_IS_NEIGHBOUR[best], neighbours, shares.max(axis=1)) >= _LEAST_SURE
    return [
        ANSWERS[its] if clear else UNDETERMINED
        for its, clear in zip(best.tolist(), sure.tolist(), strict=True)
    ]


class _Memory(dict[str, int]):
    """Word → its row in the tables, filled as words come. `sums`: weights of its pieces, and last their number when it is
    not in Latin letters; `sizes`: how many pieces; `words`: its number."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        room = _REMEMBERED + _AT_ONCE + LOOKED_AT
        self.sums = np.zeros((room, len(ANSWERS) + 1), np.int32)
        self.sizes = np.zeros(room, np.int32)
        self.words = np.zeros(room, np.uint32)

    def learn(self, words: Iterable[str]) -> None:
        new = [word for word in dict.fromkeys(words) if word not in self]
        if not new:
            return
        written = plain(new)
        numbers, begin = strings(written)
        weights = self._model.weights
        of_letters = weights.take(self._model.find(numbers.ravel()), axis=0)
        self.words[rows := slice(len(self), len(self) + len(new))] = numbered(written)
        of_words = weights.take(self._model.find(self.words[rows]), axis=0)
        self.sums[rows, :-1] = np.add.reduceat(of_letters, begin * _LONGEST, dtype=np.int32) + of_words
        self.sizes[rows] = np.add.reduceat(np.count_nonzero(numbers, axis=1), begin) + 1
        foreign = np.array([word[0] > _LAST_LATIN for word in new])
        self.sums[rows, -1] = np.where(foreign, self.sizes[rows], 0)
        self.update(zip(new, range(rows.start, rows.stop), strict=True))


@lru_cache(maxsize=1)
def _identifier() -> Identifier:
    return Identifier(Model.load())


def identify(text: str, prior: Mapping[str, float] | None = None) -> str:
    """One of LANGUAGES, or `und`. `prior`: language → share of what its source or thread usually is; it decides what the
    text leaves open. Never raises. Many texts: `identify_all` is several times faster."""
    return identify_all((text,), (prior,))[0]


def identify_all(
    texts: Sequence[str], priors: Sequence[Mapping[str, float] | None] | None = None
) -> list[str]:
    """`identify` of each, in order; some 20 µs a text. Raises ValueError when there are not as many priors as texts."""
    return _identifier().identify(texts, priors)
