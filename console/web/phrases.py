"""Every phrase of the page, one table per language. A test demands all keys in all languages, with the same slots.

Words for counted things end in `_one` and `_other`. The tables are read by `Phrases` only.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from console.web.phrases_en import ENGLISH
from console.web.phrases_nb import NORWEGIAN
from console.web.phrases_sv import SWEDISH

TABLES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"sv": SWEDISH, "nb": NORWEGIAN, "en": ENGLISH}
)
RELATIVES: Final[Mapping[str, str]] = MappingProxyType({"nn": "nb", "da": "nb"})
"""Languages without a table, and whose table their readers read most easily."""
THIN = "\u202f"
JOINER = "\u2060"
NO_BREAK = "\u00a0"


class Phrases:
    """The phrases of one language; English for a language that has no table and no relative."""

    def __init__(self, language: str) -> None:
        language = RELATIVES.get(language, language)
        self.language = language if language in TABLES else "en"
        self._table = TABLES[self.language]

    def __call__(self, key: str, /, **slots: object) -> str:
        """The phrase with its slots filled. Raises KeyError for an unknown key or an empty slot."""
        return self._table[key].format_map(slots) if slots else self._table[key]

    def count(self, key: str, n: int) -> str:
        """'1 orolig röst', '1 204 oroliga röster'."""
        return self(f"{key}_one" if n == 1 else f"{key}_other", n=number(n))

    def known(self, key: str, otherwise: str) -> str:
        """The phrase for a name that others gave, or that name itself."""
        return self._table.get(key, otherwise)


def usual(low: float, high: float) -> str:
    """'3–10', and '0' when both ends are the same whole number."""
    first, last = number(round(low)), number(round(high))
    return first if first == last else f"{first}–{JOINER}{last}"


def usual_with_middle(low: float, expected: float, high: float) -> str:
    """'6 (3–10)', and '0' when there is no range to speak of."""
    middle, ends = number(round(expected)), usual(low, high)
    return middle if middle == ends else f"{middle}{NO_BREAK}({ends})"


def number(n: int) -> str:
    """Thousands apart by thin spaces: 12 345."""
    return f"{n:,}".replace(",", THIN)
