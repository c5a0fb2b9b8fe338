"""Near-duplicates: which texts are one text that was copied. Pure.

A text is taken as the set of its word 3-shingles. `bands` gives keys that near-duplicates almost surely share, for
looking candidates up; `similar` then decides on the real shingles. Source: Broder (1997), "On the resemblance and
containment of documents"; Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", ch. 3 (banding).
"""

from collections.abc import Sequence
from functools import lru_cache

from rensa import RMinHash

MIN_WORDS = 8
"""Shorter texts are never called copies: ten people who write "Nere igen!" are ten voices."""
COPY_JACCARD = 0.7
"""Share of common shingles from which two texts are one."""

_BANDS, _ROWS = (
    6,
    3,
)  # a pair with Jaccard j shares a band with probability 1 - (1 - j³)⁶: 0.987 at 0.8, 0.006 at 0.1
_REMEMBERED_WORDS = 200
_SEED = 20260301
_LOW = (1 << 21) - 1  # the low bits of a minimum are evenly spread, its high bits are not


def bands(words: Sequence[str]) -> tuple[int, ...]:
    """Six keys in [0, 2⁶³) that a near-copy shares at least one of; () for fewer than MIN_WORDS words.

    Archives keep these keys: whoever changes the hashing must compute the kept ones anew.
    """
    if len(words) < MIN_WORDS:
        return ()
    sketch = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    sketch.update(list(_shingles(words)))
    low = [minimum & _LOW for minimum in sketch.digest()]
    return tuple([a | b << 21 | c << 42 for a, b, c in zip(low[::3], low[1::3], low[2::3], strict=True)])


def similar(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether one text is a copy of the other, perhaps slightly edited: Jaccard of shingles at least COPY_JACCARD."""
    if len(a) < MIN_WORDS or len(b) < MIN_WORDS:
        return False
    if a == b:
        return True
    first, second = _shingles(a), _shingles(b)
    shared = len(first & second)
    return shared >= COPY_JACCARD * (len(first) + len(second) - shared)


def _shingles(words: Sequence[str]) -> frozenset[str]:
    """Remembered for shorter texts: a text is compared with several."""
    return _cut(words) if len(words) > _REMEMBERED_WORDS else _remembered(tuple(words))


def _cut(words: Sequence[str]) -> frozenset[str]:
    return frozenset([f"{x} {y} {z}" for x, y, z in zip(words, words[1:], words[2:], strict=False)])


_remembered = lru_cache(maxsize=2_048)(_cut)
