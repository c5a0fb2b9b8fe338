"""Which language is it?"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.mention import LANGUAGES, UNDETERMINED
from tests.workers.sentences import ANXIOUS, CALM, COMPLAINTS
from workers.scoring.language import KINDS, MODEL, Model, identify, identify_all, plain, strings
from workers.scoring.training.languages import Text, read

SENTENCES = [
    (language, text)
    for sentences in (ANXIOUS, CALM, COMPLAINTS)
    for language in LANGUAGES
    for text in sentences[language]
]
HELD = [text for text in read("held") if text.origin in ("ud", "authored")]
ANSWERS = {*LANGUAGES, UNDETERMINED}


def _share(texts: Sequence[Text], *, merged: bool = False) -> float:
    def name(language: str) -> str:
        return "nb" if merged and language == "nn" else language

    answers = identify_all([text.text for text in texts])
    return sum(name(text.answer) == name(answer) for text, answer in zip(texts, answers, strict=True)) / len(
        texts
    )


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
    ("text", "language"),
    [
        ("Jag har inte fatt mitt paket an, varfor svarar ingen", "sv"),
        ("en paase kirjautumaan sisaan, mika on vikana", "fi"),
        ("jeg far ikke lov a logge inn, hva na?", "nb"),
        ("eg veit ikkje kva eg skal gjere no, far ikkje logga inn", "nn"),
        ("Shoutout till kundtjänst, best service ever faktiskt", "sv"),
        ("JEG VIL HAVE MINE PENGE TILBAGE NU", "da"),
        ("😡😡 inte okej @kundtjanst #fail https://example.com/the-best-of-this", "sv"),
    ],
)
def test_plain_letters_english_words_and_shouting(text: str, language: str) -> None:
    assert identify(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "Ich warte seit drei Wochen auf mein Paket und niemand antwortet mir.",
        "Je n'ai toujours pas reçu mon colis et personne ne répond au téléphone.",
        "Todavía no he recibido mi paquete y nadie contesta el teléfono.",
        "Ik heb mijn pakket nog steeds niet ontvangen en niemand neemt de telefoon op.",
        "Wciąż nie dostałem paczki i nikt nie odbiera telefonu.",
        "Ég hef ekki enn fengið pakkann minn og enginn svarar í símann.",
        "Ma pole ikka veel oma pakki saanud ja keegi ei vasta telefonile.",
        "Я до сих пор не получил посылку, и никто не отвечает.",
        "لم أستلم الطرد حتى الآن ولا أحد يرد على الهاتف",
        "荷物がまだ届きません",
    ],
)
def test_other_languages_are_undetermined(text: str) -> None:
    assert identify(text) == UNDETERMINED


@pytest.mark.parametrize(
    "text", ["", "   ", "😡😡😡", "?!", "12 345 678", "https://example.se/a", "@anna #fel", "____", "\ud800"]
)
def test_no_words_no_language(text: str) -> None:
    assert identify(text) == UNDETERMINED


def test_addresses_and_tags_do_not_count() -> None:
    assert (
        identify("Jag har inte fått mitt paket https://example.com/what-is-the-best-of-this #the @you")
        == "sv"
    )


@pytest.mark.parametrize("prior", ["sv", "da"])
def test_a_prior_decides_what_is_unclear(prior: str) -> None:
    assert identify("Hej", {prior: 1.0}) == prior


def test_norwegian_of_both_kinds_is_bokmal_unless_the_thread_is_nynorsk() -> None:
    assert identify("Det er veldig fint å se") == "nb"
    assert identify("Det er veldig fint å se", {"nn": 0.95, "nb": 0.05}) == "nn"


@pytest.mark.parametrize("prior", LANGUAGES)
def test_a_prior_does_not_change_what_is_clear(prior: str) -> None:
    for text, language in (
        ("Jag har inte fått mitt paket och ingen svarar i telefon", "sv"),
        ("Eg har framleis ikkje fått pakken min og ingen svarar", "nn"),
        ("En ole vieläkään saanut pakettia eikä kukaan vastaa", "fi"),
        ("Wciąż nie dostałem paczki i nikt nie odbiera telefonu.", UNDETERMINED),
    ):
        assert identify(text, {prior: 1.0}) == language


@given(st.sampled_from(SENTENCES), st.dictionaries(st.sampled_from(sorted(ANSWERS)), st.floats()))
def test_any_prior_will_do(sentence: tuple[str, str], prior: dict[str, float]) -> None:
    assert identify(sentence[1], prior) in ANSWERS


def test_as_many_priors_as_texts() -> None:
    with pytest.raises(ValueError, match="2 texts and 1 priors"):
        identify_all(["a", "b"], [None])


def test_none_of_none() -> None:
    assert identify_all([]) == []


@given(st.lists(st.text(max_size=60) | st.sampled_from([text for _, text in SENTENCES]), max_size=8))
def test_a_text_gets_the_same_answer_alone_and_among_others(texts: list[str]) -> None:
    assert identify_all(texts) == [identify(text) for text in texts]


def test_many_texts_are_answered_in_order() -> None:
    texts = [text for _, text in SENTENCES] * 300
    once = identify_all(texts[: len(SENTENCES)])
    assert identify_all(texts) == once * 300


@given(st.text(max_size=300))
def test_any_text_gets_an_answer(text: str) -> None:
    assert identify(text) in ANSWERS


@pytest.mark.parametrize(
    "unit",
    ["a", "å ", "www.", "@", "a@", "#a ", "'", "a'", "x\u0301", "\ud800", "٣", "漢字 ", "ﷺ", "İ", "\n", "\0"],
)
def test_a_long_hostile_text_takes_no_time(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    identify(text)
    start = time.process_time()
    assert identify(text) in ANSWERS
    assert time.process_time() - start < 0.02


@pytest.mark.parametrize(
    ("language", "floor"),
    [("sv", 0.97), ("nb", 0.95), ("nn", 0.94), ("da", 0.97), ("fi", 0.98), ("en", 0.98)],
)
def test_floor_of_texts_over_forty_characters(language: str, floor: float) -> None:
    assert _share([text for text in HELD if text.language == language and len(text.text) > 40]) >= floor


def test_floor_of_all_short_texts() -> None:
    short = [text for text in HELD if text.language in LANGUAGES and 20 <= len(text.text) <= 40]
    assert _share(short) >= 0.85
    assert _share(short, merged=True) >= 0.93


def test_floor_of_other_languages() -> None:
    assert _share([text for text in HELD if text.language not in (*LANGUAGES, UNDETERMINED)]) >= 0.97


@given(
    st.sets(st.integers(1, 2**32 - 1) | st.integers(2**32 - 64, 2**32 - 1)),
    st.lists(st.integers(0, 2**32 - 1)),
)
def test_each_piece_is_found_in_its_row_and_an_unknown_one_in_that_of_its_kind(
    known: set[int], others: list[int]
) -> None:
    numbers = np.array(sorted(known), np.uint32)
    model = Model(numbers=numbers, weights=np.zeros((0, 0), np.int8), scale=1.0, biases=np.zeros(0))
    assert model.find(numbers).tolist() == list(range(len(known)))
    unknown = [number for number in others if number not in known]
    expected = [len(known) + number % KINDS for number in unknown]
    assert model.find(np.array(unknown, np.uint32)).tolist() == expected


@given(st.lists(st.text("aåäæøxyz'’𝒳", min_size=1, max_size=40), min_size=1))
def test_letter_strings_of_a_word_are_the_same_alone_and_among_others(words: list[str]) -> None:
    together, begin = strings(plain(words))
    parts = np.split(together, begin[1:].tolist())
    for word, its in zip(words, parts, strict=True):
        assert its.tolist() == strings(plain([word]))[0].tolist()


def test_a_model_for_other_answers_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "languages.npz"
    told = np.frombuffer(json.dumps({"answers": ["sv", "und"], "scale": 1.0}).encode(), np.uint8)
    np.savez(file, settings=told)
    with pytest.raises(ValueError, match="made for"):
        Model.load(file)


def test_a_stored_model_is_the_same_when_read(tmp_path: Path) -> None:
    file = tmp_path / "languages.npz"
    file.write_bytes(MODEL.read_bytes())
    assert Model.load(file).stored() == MODEL.read_bytes()
