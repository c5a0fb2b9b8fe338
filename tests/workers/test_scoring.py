"""The shipped scorer: what it hears, what it must not hear, and what always holds."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from listener.mention import LANGUAGES, THEMES, UNDETERMINED, Polarity, Score
from listener.text import clean
from tests.workers.sentences import ANXIOUS, CALM, COMPLAINTS
from workers.scoring import open_scorer

SCORER = open_scorer()


def score(text: str, language: str) -> Score:
    return SCORER.score([(clean(text), language)])[0]


def share(sentences: dict[str, tuple[str, ...]], language: str, flag: str) -> float:
    """Of a language's sentences that carry the flag."""
    scores = [score(text, language) for text in sentences[language]]
    return sum(bool(getattr(its, flag)) for its in scores) / len(scores)


def cases(sentences: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(language, text) for language in LANGUAGES for text in sentences[language]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_worry_is_heard(language: str) -> None:
    assert share(ANXIOUS, language, "is_anxious") >= 0.75


@pytest.mark.parametrize("language", LANGUAGES)
def test_calm_is_not_called_worry_nor_complaint(language: str) -> None:
    assert share(CALM, language, "is_anxious") == 0
    assert share(CALM, language, "is_complaint") <= 0.13, (
        "one of eight: a paper that writes about rates again"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_complaints_are_heard(language: str) -> None:
    assert share(COMPLAINTS, language, "is_complaint") >= 0.75


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
def test_a_negated_complaint_is_less_of_one(language: str, text: str, negated: str) -> None:
    assert score(text, language).complaint > score(negated, language).complaint


@pytest.mark.parametrize(
    ("language", "text", "negated"),
    [
        ("sv", "Jag är orolig.", "Jag är inte orolig."),
        ("nb", "Jeg er bekymret.", "Jeg er ikke bekymret."),
        ("nn", "Eg er uroleg.", "Eg er ikkje uroleg."),
        ("da", "Jeg er bekymret.", "Jeg er ikke bekymret."),
        ("fi", "Olen huolissani.", "En ole huolissani."),
        ("en", "I am worried.", "I am not worried."),
    ],
)
def test_negated_worry_is_none(language: str, text: str, negated: str) -> None:
    assert score(text, language).is_anxious
    assert not score(negated, language).is_anxious


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("We are not at all worried about it", "en"),
        ("I wasn't scared", "en"),
        ("Jag har aldrig varit rädd för det", "sv"),
        ("Emme ole yhtään huolissamme", "fi"),
    ],
)
def test_a_negator_reaches_three_words(text: str, language: str) -> None:
    assert not score(text, language).is_anxious


def test_a_negator_of_another_clause_denies_nothing() -> None:
    assert score("I have not slept, worried sick about my savings", "en").is_anxious


@pytest.mark.parametrize(
    ("plain", "marked"),
    [("jag ar jatteradd", "jag är jätterädd"), ("Ar ni oppna i kvall?", "Är ni öppna i kväll?")],
)
def test_who_wrote_without_marks_is_heard_alike(plain: str, marked: str) -> None:
    assert score(plain, "sv").anxiety == pytest.approx(score(marked, "sv").anxiety, abs=0.15)


def test_another_language_gets_no_opinion() -> None:
    its = score("Ich bin so besorgt um mein Geld, panik!", UNDETERMINED)
    assert (its.language, its.sentiment, its.anxiety, its.complaint) == (UNDETERMINED, 0, 0, 0)
    assert (its.is_anxious, its.is_complaint, its.polarity) == (False, False, Polarity.NEUTRAL)
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
def test_polarity_knows_bad_from_good(language: str) -> None:
    good = {
        "sv": "Fantastisk hjälp, jättenöjd och glad, rekommenderas!",
        "nb": "Fantastisk hjelp, kjempefornøyd og glad, anbefales!",
        "nn": "Fantastisk hjelp, kjempenøgd og glad, kan anbefalast!",
        "da": "Fantastisk hjælp, meget tilfreds og glad, kan anbefales!",
        "fi": "Loistava palvelu, olen tyytyväinen, suosittelen!",
        "en": "Fantastic help, very happy, recommended!",
    }[language]
    assert score(good, language).polarity is Polarity.POSITIVE
    assert score(good, language).sentiment > 0.25
    bad = [score(text, language) for text in COMPLAINTS[language]]
    assert sum(its.is_negative for its in bad) >= len(bad) - 1


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
    its = score("Jag är livrädd att kontot är tömt. Paketet är grönt.", "sv")
    for_worry = [reason for reason in its.why if reason.about == "anxiety"]
    assert any("livrädd" in reason.text for reason in for_worry)
    weights = [abs(reason.weight) for reason in for_worry]
    assert weights == sorted(weights, reverse=True)
    assert all(reason.text in "Jag är livrädd att kontot är tömt. Paketet är grönt." for reason in its.why)


@given(st.text(max_size=400), st.sampled_from((*LANGUAGES, UNDETERMINED)))
def test_any_text_gets_a_score_within_range(text: str, language: str) -> None:
    its = SCORER.score([(text, language)])[0]
    assert its.language == language
    assert -1 <= its.sentiment <= 1
    assert 0 <= its.anxiety <= 1
    assert 0 <= its.complaint <= 1
    assert len(its.themes) <= 3
    assert set(its.themes) <= set(THEMES)
    assert its.model == SCORER.model


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a" * 1_000_000,
        "\x00\x01\x1b[31m" * 2_000,
        "\ud800\udfff" * 3_000,
        "\u202eorolig\u202c" * 1_000,
        "😱" * 10_000,
        "<p class='x'>&nbsp;</p>" * 800,
        "for (int i = 0; i < n; i++) { x[i] ^= 0xff; }" * 400,
        "aGVqIGhlaiBoZWo=" * 1_200,
        "".join(map(chr, range(0x400, 0x4000))),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_has_a_score_and_is_not_slow(text: str) -> None:
    for given_text in (text, clean(text)):
        for language in LANGUAGES:
            before = time.process_time()
            its = SCORER.score([(given_text[:20_000], language)])[0]
            assert time.process_time() - before < 0.2, "20 ms on a quiet machine"
            assert 0 <= its.anxiety <= 1
            assert its == SCORER.score([(given_text[:20_000], language)])[0]


@given(st.lists(st.sampled_from(cases(ANXIOUS) + cases(CALM)), max_size=6))
def test_a_text_is_scored_alike_alone_and_in_company(texts: list[tuple[str, str]]) -> None:
    together = SCORER.score([(text, language) for language, text in texts])
    for its, (language, text) in zip(together, texts, strict=True):
        alone = score(text, language)
        assert its.anxiety == pytest.approx(alone.anxiety, abs=1e-4)
        assert its.complaint == pytest.approx(alone.complaint, abs=1e-4)
        assert (its.is_anxious, its.themes, its.polarity) == (alone.is_anxious, alone.themes, alone.polarity)


def test_threads_may_share_a_scorer() -> None:
    texts = [(text, language) for language, text in cases(ANXIOUS) + cases(COMPLAINTS)]
    expected = SCORER.score(texts)
    found: list[list[Score]] = []
    threads = [threading.Thread(target=lambda: found.append(SCORER.score(texts))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_very_long_text_is_scored_by_its_beginning() -> None:
    worry = "Jag är livrädd och vet inte vad jag ska göra. "
    assert score(worry, "sv").is_anxious
    assert score("Öppet i dag. " * 400 + worry, "sv").anxiety < score(worry, "sv").anxiety / 2


def test_the_scorer_names_its_model() -> None:
    assert SCORER.model.startswith("lyhord-")
