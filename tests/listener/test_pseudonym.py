"""Pseudonyms are stable, keyed and per source."""

import base64
import hashlib
import hmac

from listener.pseudonym import pseudonymiser


def test_same_author_same_pseudonym_whatever_the_case() -> None:
    name = pseudonymiser(b"k" * 32)
    assert name("forum", "Kalle") == name("forum", " @kalle ") != ""


def test_same_author_same_pseudonym_however_the_letters_and_spaces_are_written() -> None:
    name = pseudonymiser(b"k" * 32)
    assert name("forum", "Kalle \u00c5berg") == name("forum", "@ kalle  A\u030aberg")


def test_another_source_or_key_is_another_pseudonym() -> None:
    name, other = pseudonymiser(b"k" * 32), pseudonymiser(b"l" * 32)
    assert len({name("a", "kalle"), name("b", "kalle"), other("a", "kalle")}) == 3


def test_no_author_has_no_pseudonym_and_the_name_is_not_in_it() -> None:
    name = pseudonymiser(b"k" * 32)
    assert name("forum", "  ") == ""
    assert "kalle" not in name("forum", "kalle")


def test_a_pseudonym_is_the_beginning_of_the_macs_base32() -> None:
    """Archives keep pseudonyms: whoever changes how they are made loses every author."""
    mac = hmac.new(b"k" * 32, b"forum\0kalle", hashlib.sha256).digest()
    for author in ("Kalle", "@KALLE", " kalle "):
        assert pseudonymiser(b"k" * 32)("forum", author) == base64.b32encode(mac).decode()[:26].lower()
