"""The trained model: a weight for each piece and pair and each output, in one file; and how it reads many texts at once.

An output's logit is (sum of weight × value over what the text is made of) / length of the text's vector + bias: a linear model
over features weighted by how rare they are. `value` is 1 + ln(times the token occurs) for the pieces of tokens, and 1 for
pairs. What a token adds is the same in every text, so it is worked out once and remembered.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.scoring.concepts import Concepts, load_concepts
from workers.scoring.features import EDGE, KEPT, Numbers, pairs, read, split
from workers.scoring.negation import denied, negates, speaks_of_worry

Floats = npt.NDArray[np.floating[Any]]
Places = npt.NDArray[np.intp]
_APOSTROPHES = frozenset("'’´`")
_DROPPED_BITS = 10
_REMEMBERED, _AT_ONCE = 30_000, 15_000
"""Tokens: about 3 MB for each language, and about 1 MB for what is read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the file holds: `numbers`: F feature numbers, ascending; `weights`: F × K bytes, in steps of `scales` (K); `rarity`:
    F, in 0..1; `biases`: K; `settings`: the outputs' names, calibration, thresholds."""

    numbers: Numbers
    weights: npt.NDArray[np.int8]
    scales: Floats
    rarity: npt.NDArray[np.float16]
    biases: Floats
    settings: dict[str, Any]

    def save(self, path: Path) -> None:
        """The same bytes for the same numbers."""
        told = np.frombuffer(json.dumps(self.settings, sort_keys=True).encode(), np.uint8)
        arrays = {name: getattr(self, name) for name in ("numbers", "weights", "scales", "rarity", "biases")}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, settings=told, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Stored":
        """Raises OSError for a missing file, KeyError or ValueError for one that is none of ours."""
        with np.load(path, allow_pickle=False) as file:
            settings = json.loads(file["settings"].tobytes())
            return cls(settings=settings, **{name: file[name] for name in file.files if name != "settings"})


@dataclass(frozen=True, slots=True)
class Model:
    """As it is used. `weights`: F × K, rarity included; `squares`: F, squared rarity; `possible`: for the first bits of a
    number whether any feature begins with them, which spares most searches."""

    numbers: Numbers
    weights: Floats
    squares: Floats
    biases: Floats
    possible: npt.NDArray[np.bool_]
    settings: dict[str, Any]

    @classmethod
    def of(cls, stored: Stored) -> "Model":
        rarity = stored.rarity.astype(np.float32)
        possible = np.zeros(1 << (32 - _DROPPED_BITS), bool)
        possible[stored.numbers >> _DROPPED_BITS] = True
        return cls(
            numbers=stored.numbers,
            weights=stored.weights * (stored.scales * rarity[:, None]),
            squares=rarity * rarity,
            biases=stored.biases,
            possible=possible,
            settings=stored.settings,
        )

    def find(self, numbers: Numbers) -> tuple[Places, Places]:
        """Which of the numbers are features, and the row of each of these."""
        maybe = np.flatnonzero(self.possible[numbers >> _DROPPED_BITS])
        rows = np.searchsorted(self.numbers, numbers[maybe]).clip(max=len(self.numbers) - 1)
        known = self.numbers[rows] == numbers[maybe]
        return maybe[known], rows[known]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model makes of N texts that have T tokens together, each text with EDGE at both ends. `logits`: N × K; `starts`:
    N, where each text begins among the tokens; `tokens`: T, as written; `is_word`: T; `alone`: T × K, what a token brings to
    the logit (a repeated one its share at each place); `joined`: T × K, what the pair with the next token brings."""

    logits: Floats
    starts: Places
    tokens: list[str]
    is_word: npt.NDArray[np.bool_]
    alone: Floats
    joined: Floats


class Reader:
    """Reads texts with a model. One per process; threads take turns."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._turn = threading.Lock()
        self._concepts = load_concepts()
        self._hushed = [model.settings["outputs"].index(name) for name in ("anxiety", "negative")]
        self._memories: dict[str, _Memory] = {}

    def read(self, texts: Sequence[str], language: str) -> Iterator[Reading]:
        """The texts, all in one language, in order, in one or several readings."""
        tokens: list[str] = []
        starts: list[int] = []
        for text in texts:
            starts.append(len(tokens))
            tokens += (EDGE, *split(text), EDGE)
            if len(tokens) > _AT_ONCE:
                yield self._read(tokens, starts, language)
                tokens, starts = [], []
        if starts:
            yield self._read(tokens, starts, language)

    def _read(self, tokens: list[str], starts: list[int], language: str) -> Reading:
        count = len(tokens)
        with self._turn:
            memory = self._memory_of(language)
            memory.learn(tokens)
            rows = np.fromiter(map(memory.__getitem__, tokens), np.intp, count)
        begin = np.array(starts, np.intp)
        text_of = np.repeat(np.arange(len(starts)), np.diff(begin, append=count))
        share = _shares(rows, text_of)
        alone = memory.sums[rows] * share[:, None]
        squares = memory.squares[rows] * share
        joined, further = np.zeros_like(alone), np.zeros_like(alone)
        for numbers, distance in pairs(memory.kept[:, rows]):
            at, found = self._model.find(numbers)
            within = text_of[at] == text_of[at + distance]
            at, found = at[within], found[within]
            (joined if distance == 1 else further)[at] += self._model.weights[found]
            squares[at] += self._model.squares[found]
        self._hush(denied(memory.worry[rows], memory.negates[rows], memory.breaks[rows]), alone, joined)
        length = np.sqrt(np.maximum(np.add.reduceat(squares, begin), 1e-6))
        logits = np.add.reduceat(alone + joined + further, begin) / length[:, None] + self._model.biases
        of_token = length[text_of][:, None]
        return Reading(logits, begin, tokens, memory.is_word[rows], alone / of_token, joined / of_token)

    def _hush(self, places: Places, alone: Floats, joined: Floats) -> None:
        """What denied worry brings to anxiety and to a negative tone, alone and with its neighbours, counts only against them."""
        for parts, at in ((alone, places), (joined, places), (joined, places - 1)):
            for output in self._hushed:
                parts[at, output] = np.minimum(parts[at, output], 0)

    def _memory_of(self, language: str) -> "_Memory":
        memory = self._memories.get(language)
        if memory is None or len(memory) > _REMEMBERED:
            memory = self._memories[language] = _Memory(self._model, self._concepts[language], language)
        return memory


def _shares(rows: Places, text_of: Places) -> Floats:
    """For each token (1 + ln n) / n, n being how often it occurs in its text: all its places together bring 1 + ln n."""
    _, where, times = np.unique(text_of * np.intp(1 << 20) + rows, return_inverse=True, return_counts=True)
    shares: Floats = ((1 + np.log(times)) / times).astype(np.float32)[where]
    return shares


class _Memory(dict[str, int]):
    """Token → its row in the tables."""

    def __init__(self, model: Model, concepts: Concepts, language: str) -> None:
        super().__init__()
        self._model = model
        self._concepts = concepts
        self._language = language
        room = _REMEMBERED + _AT_ONCE + 2 * 5_000
        self.sums = np.zeros((room, model.weights.shape[1]), np.float32)
        self.squares = np.zeros(room, np.float32)
        self.kept = np.zeros((KEPT, room), np.uint32)
        self.is_word = np.zeros(room, bool)
        self.breaks = np.zeros(room, bool)
        self.worry = np.zeros(room, bool)
        self.negates = np.zeros(room, bool)

    def learn(self, tokens: Sequence[str]) -> None:
        """Give each token that is new a row."""
        new = [token for token in dict.fromkeys(tokens) if token not in self]
        if not new:
            return
        its, begin = read(new, self._concepts), len(self)
        at, found = self._model.find(its.pieces)
        rows = its.owners[at] + begin
        np.add.at(self.sums, rows, self._model.weights[found])
        np.add.at(self.squares, rows, self._model.squares[found])
        self.kept[:, begin : begin + len(new)] = its.kept
        self.is_word[begin : begin + len(new)] = [token[:1].isalpha() for token in new]
        for row, (token, concepts) in enumerate(zip(new, its.concepts, strict=True), begin):
            self.worry[row] = speaks_of_worry(concepts)
            self.negates[row] = negates(token, concepts, self._language)
            self.breaks[row] = not token[:1].isalnum() and token not in _APOSTROPHES
        self.update(zip(new, range(begin, begin + len(new)), strict=True))
