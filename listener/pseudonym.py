"""Keyed pseudonyms: the same author of one source is the same pseudonym, and nobody without the key can tell whose it is."""

import hmac
from collections.abc import Callable

from listener.query import normal_author

Pseudonymise = Callable[[str, str], str]
"""(source id, native author) → pseudonym; "" → ""."""


_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_SHIFTS = range(120, -1, -10)


def pseudonymiser(key: bytes) -> Pseudonymise:
    """26 characters of base32 of HMAC-SHA256(key, source \\0 `normal_author`): case, surplus spaces, a leading @ do not matter.

    What comes out is still personal data (GDPR)."""

    def pseudonymise(source: str, author: str) -> str:
        name = normal_author(author)
        if not name:
            return ""
        return _base32(hmac.digest(key, f"{source}\0{name}".encode("utf-8", "surrogatepass"), "sha256"))

    return pseudonymise


def _base32(digest: bytes) -> str:
    """The first 26 digits (130 bits) of RFC 4648's base32, in lower case; `base64.b32encode` takes five times as long."""
    number = int.from_bytes(digest[:17]) >> 6
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
