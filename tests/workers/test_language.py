"""Which language is it?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.mention import LANGUAGES, UNDETERMINED
from tests.workers.sentences import ANXIOUS, CALM, COMPLAINTS
from workers.scoring.language import identify

SENTENCES = [
    (language, text)
    for sentences in (ANXIOUS, CALM, COMPLAINTS)
    for language in LANGUAGES
    for text in sentences[language]
]


def test_at_least_nineteen_of_twenty_customers_are_understood() -> None:
    right = sum(identify(text) == language for language, text in SENTENCES)
    assert right >= 0.95 * len(SENTENCES)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Varför svarar ingen?", "sv"),
        ("Jag har inte fått mitt paket", "sv"),
        ("Hvorfor svarer ingen hos dere? Har ventet siden i går.", "nb"),
        ("Jeg har fortsatt ikke fått pakken min", "nb"),
        ("Kvifor svarar ikkje nokon?", "nn"),
        ("Eg har framleis ikkje fått pakken min", "nn"),
        ("Hvorfor er der ingen, der svarer? Jeg har ventet siden i går.", "da"),
        ("Jeg har stadig ikke modtaget min pakke, hvad gør I ved det?", "da"),
        ("Miksi kukaan ei vastaa?", "fi"),
        ("En ole vieläkään saanut pakettia", "fi"),
        ("Why does nobody answer?", "en"),
        ("Still no parcel, what is going on?", "en"),
    ],
)
def test_short_posts(text: str, language: str) -> None:
    assert identify(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "Ich warte seit drei Wochen auf mein Paket und niemand antwortet mir.",
        "Je n'ai toujours pas reçu mon colis et personne ne répond au téléphone.",
        "Todavía no he recibido mi paquete y nadie contesta el teléfono.",
        "Ik heb mijn pakket nog steeds niet ontvangen en niemand neemt de telefoon op.",
        "Wciąż nie dostałem paczki i nikt nie odbiera telefonu.",
        "Я до сих пор не получил посылку, и никто не отвечает.",
        "لم أستلم الطرد حتى الآن ولا أحد يرد على الهاتف",
    ],
)
def test_other_languages_are_undetermined(text: str) -> None:
    assert identify(text) == UNDETERMINED


@pytest.mark.parametrize(
    "text", ["", "   ", "😡😡😡", "?!", "12 345 678", "https://example.se/a", "@anna #fel"]
)
def test_no_words_no_language(text: str) -> None:
    assert identify(text) == UNDETERMINED


def test_addresses_and_tags_do_not_count() -> None:
    assert (
        identify("Jag har inte fått mitt paket https://example.com/what-is-the-best-of-this #the @you")
        == "sv"
    )


@given(st.text(max_size=300))
def test_any_text_gets_an_answer(text: str) -> None:
    assert identify(text) in {*LANGUAGES, UNDETERMINED}
