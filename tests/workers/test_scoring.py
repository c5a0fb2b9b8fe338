"""The first scorer: what it hears, what it must not hear, and what always holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from listener.mention import LANGUAGES, THEMES, UNDETERMINED, Score
from listener.text import clean
from tests.workers.sentences import ANXIOUS, CALM, COMPLAINTS
from workers.scoring import LexiconScorer, open_scorer

SCORER = open_scorer()


def score(text: str, language: str) -> Score:
    return SCORER.score([(clean(text), language)])[0]


def cases(sentences: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(language, text) for language in LANGUAGES for text in sentences[language]]


@pytest.mark.parametrize(("language", "text"), cases(ANXIOUS))
def test_worry_is_heard(language: str, text: str) -> None:
    assert score(text, language).is_anxious


@pytest.mark.parametrize(("language", "text"), cases(CALM))
def test_calm_is_not_called_worry(language: str, text: str) -> None:
    assert not score(text, language).is_anxious


@pytest.mark.parametrize(("language", "text"), cases(COMPLAINTS))
def test_complaints_are_heard(language: str, text: str) -> None:
    its = score(text, language)
    assert its.is_complaint
    assert any(reason.about == "complaint" and reason.weight > 0 for reason in its.why)


@pytest.mark.parametrize(("language", "text"), cases(CALM))
def test_calm_texts_are_no_complaints(language: str, text: str) -> None:
    assert not score(text, language).is_complaint


@pytest.mark.parametrize(
    ("language", "text", "negated"),
    [
        ("sv", "Jag är missnöjd med er.", "Jag är inte missnöjd med er."),
        ("nb", "Jeg er misfornøyd med dere.", "Jeg er ikke misfornøyd med dere."),
        ("nn", "Eg er misnøgd med dykk.", "Eg er ikkje misnøgd med dykk."),
        ("da", "Jeg er utilfreds med jer.", "Jeg er ikke utilfreds med jer."),
        ("fi", "Olen pettynyt teihin.", "En ole pettynyt teihin."),
        ("en", "I am disappointed with you.", "I am not disappointed with you."),
    ],
)
def test_a_negated_complaint_is_none(language: str, text: str, negated: str) -> None:
    assert score(text, language).is_complaint
    assert not score(negated, language).is_complaint


def test_a_negator_that_belongs_to_the_phrase_does_not_negate_it() -> None:
    assert score("Kan inte logga in, vågar inte öppna brevet.", "sv").is_anxious


def test_a_negator_far_before_does_not_negate() -> None:
    assert score("Det var inte jag som ringde i går men nu är jag jätteorolig.", "sv").is_anxious


def test_saying_a_word_again_is_not_more_worry() -> None:
    assert score("snälla svar", "sv").anxiety == score("snälla snälla snälla svar", "sv").anxiety


def test_who_wrote_without_marks_is_heard_alike() -> None:
    assert score("jag ar radd att pengarna ar borta", "sv").is_anxious
    assert score("Det er skræmmende", "da").anxiety == score("Det er skraemmende", "da").anxiety > 0.2


def test_another_language_gets_no_opinion() -> None:
    its = score("Ich bin so besorgt um mein Geld, panik!", UNDETERMINED)
    assert (its.language, its.sentiment, its.anxiety, its.complaint) == (UNDETERMINED, 0, 0, 0)
    assert (its.is_anxious, its.is_complaint, its.is_negative) == (False, False, False)
    assert its.themes == ()
    assert its.why == ()


def test_an_unknown_code_becomes_undetermined() -> None:
    assert score("hola", "es").language == UNDETERMINED


ENGLISH = (
    *ANXIOUS["en"],
    *CALM["en"],
    *COMPLAINTS["en"],
    "VADER is VERY smart, handsome, and FUNNY!!!",
    "Not bad at all :)",
    "meh 😐",
)


@pytest.mark.parametrize("text", ENGLISH)
def test_english_sentiment_is_vaders_compound(text: str) -> None:
    assert score(text, "en").sentiment == SentimentIntensityAnalyzer().polarity_scores(text)["compound"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentiment_knows_bad_from_good(language: str) -> None:
    good = {
        "sv": "Fantastisk hjälp, jättenöjd och glad, rekommenderas!",
        "nb": "Fantastisk hjelp, kjempefornøyd og glad, anbefales!",
        "nn": "Fantastisk hjelp, kjempenøgd og glad, kan anbefalast!",
        "da": "Fantastisk hjælp, meget tilfreds og glad, kan anbefales!",
        "fi": "Loistava palvelu, olen tyytyväinen, suosittelen!",
        "en": "Fantastic help, very happy, recommended!",
    }[language]
    assert score(good, language).sentiment > 0.25
    assert not score(good, language).is_negative
    bad = [score(text, language) for text in COMPLAINTS[language]]
    assert sum(its.is_negative for its in bad) >= 3


@pytest.mark.parametrize(
    ("language", "text", "theme"),
    [
        ("sv", "Ingen svarar, sitter i telefonkö", "availability"),
        ("sv", "Mitt paket fastnade hos ombudet", "delivery"),
        ("nb", "Fakturaen har et gebyr på 300 kroner", "price"),
        ("nn", "Er kontoen min hacka? Er det svindel?", "trust"),
        ("da", "Jeg vil afbestille og have refunderet min bestilling", "rebooking"),
        ("fi", "Netti ei toimi, yhteys katkeilee", "product"),
        ("en", "The website crashed when I tried to log in", "friction"),
        ("sv", "Personalen var otrevlig", "staff"),
        ("en", "Nobody knows, the information is unclear and confusing", "information"),
    ],
)
def test_themes_are_found(language: str, text: str, theme: str) -> None:
    assert theme in score(text, language).themes


def test_reasons_name_the_words_strongest_first() -> None:
    its = score("Jag är livrädd att kontot är tömt, snälla svara", "sv")
    found = [reason.text for reason in its.why if reason.about == "anxiety"]
    assert found[0] == "livrädd"
    assert {"tömt", "snälla"} <= set(found)


@given(st.text(max_size=400), st.sampled_from((*LANGUAGES, UNDETERMINED)))
def test_any_text_gets_a_score_within_range(text: str, language: str) -> None:
    its = score(text, language)
    assert its.language == language
    assert -1 <= its.sentiment <= 1
    assert 0 <= its.anxiety <= 1
    assert 0 <= its.complaint <= 1
    assert len(its.themes) <= 3
    assert set(its.themes) <= set(THEMES)
    assert its.model == SCORER.model


@given(st.lists(st.sampled_from(cases(ANXIOUS) + cases(CALM)), max_size=6))
def test_a_text_is_scored_alike_alone_and_in_company(texts: list[tuple[str, str]]) -> None:
    together = SCORER.score([(text, language) for language, text in texts])
    assert together == [score(text, language) for language, text in texts]


def test_a_very_long_text_is_scored_by_its_beginning() -> None:
    assert score("Jag är orolig. " + "lugnt " * 3000, "sv").is_anxious
    assert not score("lugnt " * 3000 + "Jag är orolig.", "sv").is_anxious


def test_the_port_names_its_model() -> None:
    assert LexiconScorer.model
