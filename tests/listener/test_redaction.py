"""Redaction: what goes, what stays, and how well on seeded texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.redaction import measure
from listener.identifiers import is_date, is_finnish, is_iban, is_norwegian, is_swedish
from listener.redaction import redact


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ring mig på 070-123 45 67", "ring mig på [phone]"),
        ("0701234567 eller +46 70 123 45 67", "[phone] eller [phone]"),
        ("tlf 900 12 345, takk", "tlf [phone], takk"),
        ("personnr 811228-9874!", "personnr [person number]!"),
        ("samordningsnummer 701063-2391", "samordningsnummer [person number]"),
        ("hetu 131052-308T", "hetu [person number]"),
        ("CPR 0101901234", "CPR [person number]"),
        ("kalle@exempel.se och guro (at) post.eksempel.no", "[e-mail] och [e-mail]"),
        ("konto SE45 5000 0000 0583 9825 7466 hos er", "konto [IBAN] hos er"),
    ],
)
def test_identifiers_go(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Fakturan blev 349 kr i stället för 249 kr",
        "ordernummer 1234567890",
        "det kostade 12 345 678 kr den 2026-01-12 08:30",
        "öppet 08.00-20.00 alla dagar",
        "ring kundtjänst på 0771-12 34 56",
        "orgnr 556036-0793",
        "version 12.4.2024 kom 12.01.2026",
        "@fjelltele svara nån gång",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert redact(text) == text


def test_precision_and_recall_on_seeded_texts() -> None:
    result = measure(4_000, seed=7)
    assert float(str(result["precision"])) >= 0.98
    assert float(str(result["recall"])) >= 0.95


@given(st.text(alphabet=st.sampled_from("0123456789 +-().@aåSEno/kr,"), max_size=80))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    redact(text)
    is_finnish(text)
    is_iban(text)


def test_wrong_check_digits_are_no_numbers() -> None:
    assert is_swedish("8112289874")
    assert not is_swedish("8112289875")
    assert is_norwegian("15076500565")
    assert not is_norwegian("15076500566")
    assert is_date(29, 2, 0)
    assert not is_date(30, 2, 24)
