"""Keyed pseudonyms: the same author of one source is the same pseudonym, and nobody without the key can tell whose it is."""

import base64
import hashlib
import hmac
from collections.abc import Callable

Pseudonymise = Callable[[str, str], str]
"""(source id, native author) → pseudonym; "" → ""."""


def pseudonymiser(key: bytes) -> Pseudonymise:
    """26 characters of base32 of HMAC-SHA256(key, source \\0 author); case and a leading @ do not matter. Still personal data (GDPR)."""
    keyed = hmac.new(key, digestmod=hashlib.sha256)

    def pseudonymise(source: str, author: str) -> str:
        name = author.strip().lstrip("@").casefold()
        if not name:
            return ""
        mac = keyed.copy()
        mac.update(f"{source}\0{name}".encode("utf-8", "surrogatepass"))
        return base64.b32encode(mac.digest()).decode()[:26].lower()

    return pseudonymise
