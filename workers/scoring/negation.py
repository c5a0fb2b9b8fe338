"""Worry that is denied: `inte orolig`, `not at all worried`. A sum over words cannot turn a strong word round, so it is done
here. Pure."""

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]

REACH = 3
"""How many words before it a negator may stand."""
_WORRY = frozenset({"worried", "anxious", "afraid", "scared", "terrified", "panic", "nervous"})
_NEGATORS = frozenset({"not", "never"})
_ENGLISH = frozenset(
    {
        "isn",
        "wasn",
        "aren",
        "weren",
        "don",
        "doesn",
        "didn",
        "won",
        "wouldn",
        "couldn",
        "haven",
        "hasn",
        "ain",
    }
)
"""What stands before the apostrophe of `isn't`."""


def speaks_of_worry(concepts: tuple[str, ...]) -> bool:
    return not _WORRY.isdisjoint(concepts)


def negates(token: str, concepts: tuple[str, ...], language: str) -> bool:
    return not _NEGATORS.isdisjoint(concepts) or (language == "en" and token.casefold() in _ENGLISH)


def denied(worry: Flags, negators: Flags, breaks: Flags) -> npt.NDArray[np.intp]:
    """Which of T tokens speak of worry and have a negator shortly before them, with nothing in between that `breaks` (a sign,
    the end of a text)."""
    found = np.zeros_like(worry)
    free = np.ones_like(worry)
    for distance in range(1, REACH + 1):
        free[distance:] &= ~breaks[: len(breaks) - distance]
        found[distance:] |= worry[distance:] & negators[: len(negators) - distance] & free[distance:]
    return np.flatnonzero(found)
