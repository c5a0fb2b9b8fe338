"""The word lists as shipped: complete, alike in all languages, and licensed."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest

from listener.mention import LANGUAGES, THEMES
from workers.scoring.lexicon import load_lexicon

DATA = files("workers.scoring") / "data"
TABLES = {"anxiety", "calm", "complaint", "praise", "themes", "words"}


def tables(language: str) -> dict[str, Any]:
    return tomllib.loads((DATA / "signals" / f"{language}.toml").read_text(encoding="utf-8"))


def test_there_is_one_file_for_each_language() -> None:
    names = {file.name for file in (DATA / "signals").iterdir()}
    assert names == {f"{language}.toml" for language in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_table_and_theme(language: str) -> None:
    found = tables(language)
    assert set(found) == TABLES
    assert set(found["themes"]) == set(THEMES)
    assert all(found["themes"].values())
    assert found["words"]["negators"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_lists_are_long_enough_to_be_of_use(language: str) -> None:
    found = tables(language)
    sizes = {about: len(found[about]) for about in ("anxiety", "calm", "complaint", "praise")}
    assert sizes["anxiety"] >= 70
    assert sizes["complaint"] >= 70
    assert min(sizes.values()) >= 15


@pytest.mark.parametrize("language", LANGUAGES)
def test_phrases_are_words_that_the_tokeniser_can_give(language: str) -> None:
    """A phrase with a capital, a hyphen or a * in its middle would never be found."""
    found = tables(language)
    phrases = [phrase for about in ("anxiety", "calm", "complaint", "praise") for phrase in found[about]]
    phrases += [phrase for words in found["themes"].values() for phrase in words]
    for phrase in phrases:
        plain = phrase.replace("'", "").replace("*", "")
        assert plain == plain.casefold()
        assert all(word.isalnum() for word in plain.split()), phrase
        assert all("*" not in word[:-1] for word in phrase.split()), phrase


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_stands_twice_in_a_table(language: str) -> None:
    for words in tables(language)["themes"].values():
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_weights_are_log_odds_of_a_sensible_size(language: str) -> None:
    found = tables(language)
    weights = [w for about in ("anxiety", "calm", "complaint", "praise") for w in found[about].values()]
    assert all(-2 <= weight <= 5 and weight for weight in weights)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_valences_are_within_afinns_range(language: str) -> None:
    valence = load_lexicon(language).valence
    assert len(valence) > 500
    assert all(-5 <= value <= 5 for value in valence.values())


def test_third_party_lists_carry_licence_and_source() -> None:
    folder = DATA / "afinn"
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "fnielsen/afinn" in (folder / "README.md").read_text(encoding="utf-8")
