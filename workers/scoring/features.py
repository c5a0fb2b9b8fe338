"""What the model sees of a text: words, pieces of words, concepts, and pairs of them, each as a 32-bit number. Pure.

A text is cut into *tokens* (a word, or one sign or emoji). Each token gives its own *pieces*: the folded word, its strings of 2
to 5 letters, so that an inflected or misspelt word still looks like its relatives, and its concepts. *Pairs* of near tokens
carry negation and idiom (`inte orolig`); they are made of numbers that each token keeps, so that no string is built for them.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.scoring.folding import fold

Numbers = npt.NDArray[np.uint32]
FindConcepts = Callable[[str], tuple[str, ...]]

LOOKED_AT = 5_000
"""Characters of a text that are read: what decides stands at its beginning."""
EDGE = ""
"""The token before the first and after the last one."""
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_LONGEST = 5
_LETTERS_READ = 24
_STEM = 4
_CONCEPT_VALUE = 2
"""A concept counts twice: it is seldom wrong."""
_WORDS, _STEMS, _MEANINGS = range(3)
_PAIRED = ((_WORDS, 1), (_WORDS, 2), (_STEMS, 1), (_STEMS, 2), (_MEANINGS, 1), (_MEANINGS, 2), (_MEANINGS, 3))
"""Which numbers of tokens are paired at which distance."""
KEPT = 3
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Tokens:
    """N tokens. `pieces`: numbers of what they are made of, `owners`: which token each piece is of (pieces of one may repeat);
    `kept`: KEPT × N, the word, its stem, and its concept (else its stem), of which pairs are made; `concepts`: of each token."""

    pieces: Numbers
    owners: npt.NDArray[np.intp]
    kept: Numbers
    concepts: Sequence[tuple[str, ...]]


def split(text: str) -> list[str]:
    """Tokens as they are written. Addresses are left out."""
    text = text[:LOOKED_AT]
    if "://" in text or "www." in text:
        text = _ADDRESS.sub(" ", text)
    return _TOKEN.findall(text)


def read(tokens: Sequence[str], concepts_of: FindConcepts) -> Tokens:
    """Whoever reads many texts remembers the answer for each token."""
    named: list[int] = []
    owners: list[int] = []
    kept = np.zeros((KEPT, len(tokens)), np.uint32)
    folded = [fold(token) for token in tokens]
    meant = [concepts_of(plain) for plain in folded]
    for at, (token, plain) in enumerate(zip(tokens, folded, strict=True)):
        if token == EDGE:
            kept[:, at] = _number("edge")
            continue
        concepts = [_number(f"k {concept}") for concept in meant[at]]
        its = [_number(f"w {plain}"), *concepts * _CONCEPT_VALUE]
        if len(token) > 2 and token.isupper():
            its.append(_number("shouted"))
        named += its
        owners += [at] * len(its)
        stem = _number(plain[:_STEM])
        kept[:, at] = _number(plain), stem, concepts[0] if concepts else stem
    strings, owners_of_strings = _letter_strings(folded)
    return Tokens(
        np.concatenate([np.array(named, np.uint32), strings]),
        np.concatenate([np.array(owners, np.intp), owners_of_strings]),
        kept,
        meant,
    )


def _letter_strings(words: Sequence[str]) -> tuple[Numbers, npt.NDArray[np.intp]]:
    """Numbers of all strings of 2 to 5 letters of the words, each in a frame < >, and which word each is of."""
    framed = [f"<{word[:_LETTERS_READ]}>" if word else "" for word in words]
    letters = np.frombuffer("".join(framed).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(words)), [len(word) for word in framed])
    found, owners = [np.zeros(0, np.uint32)], [np.zeros(0, np.intp)]
    running = letters
    for length in range(2, min(_LONGEST, len(letters)) + 1):
        running = running[:-1] * FACTOR + letters[length - 1 :]
        within = owner[: len(running)] == owner[length - 1 :]
        found.append(mixed_to_32_bits(running[within] + np.uint64(length)))
        owners.append(owner[: len(running)][within])
    return np.concatenate(found), np.concatenate(owners)


def pairs(kept: Numbers) -> Iterator[tuple[Numbers, int]]:
    """`kept`: KEPT × T, of the tokens of one or several texts in a row. For each kind of pair its numbers and how far apart the
    two are: item i is the pair of token i and the token `distance` later."""
    for kind, distance in _PAIRED:
        numbers = kept[kind]
        yield _mixed(numbers[:-distance], numbers[distance:], 10 * kind + distance), distance


def _number(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


def _mixed(first: Numbers, second: Numbers, seed: int) -> Numbers:
    """A number for each pair; order matters."""
    return mixed_to_32_bits(
        first.astype(np.uint64) * FACTOR + second.astype(np.uint64) + np.uint64(seed << 56)
    )


def mixed_to_32_bits(numbers: npt.NDArray[np.uint64]) -> Numbers:
    """Multiplications of 64 bits wrap around, as they should."""
    mixed = (numbers ^ (numbers >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(32)).astype(np.uint32)
