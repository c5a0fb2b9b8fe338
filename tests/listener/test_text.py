"""Cleaning and cutting into words."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from listener.text import MAX_TEXT_CHARS, clean, tokenise


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("Tåget är SENT!", ("tåget", "är", "sent")),
        ("Århus Øst, Ærø, Jyväskylä", ("århus", "øst", "ærø", "jyväskylä")),
        ("e-post till sj.se", ("e", "post", "till", "sj", "se")),
        ("it's O’Hara's", ("its", "oharas")),
        ("'citat' rock'n'roll", ("citat", "rocknroll")),
        ("tåg\u00adtrafik", ("tågtrafik",)),
        ("STRASSE straße", ("strasse", "strasse")),
        ("kl 12:30 100%", ("kl", "12", "30", "100")),
        ("😡😡 nej", ("nej",)),
        ("Привет мир", ("привет", "мир")),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert tokenise(text).words == words


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#SJ och @Sj_AB, ##vy!", {"#sj", "@sj_ab", "#vy"}),
        ("kund@sj.se C#dur # a", set()),
        ("(#tåg) @a@b.se", {"#tåg", "@a"}),
    ],
)
def test_tags(text: str, tags: set[str]) -> None:
    found = tokenise(text)
    assert found.tags == tags
    assert {tag[1:] for tag in tags} <= set(found.words)


@settings(deadline=None)
@given(st.text())
@example("ᄀ\u200dᅡ")
@example("İ ΐ ŉ ﬃ ǰ")
def test_a_word_is_its_own_word(text: str) -> None:
    for word in tokenise(clean(text)).words:
        assert tokenise(word).words == (word,)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  a \t b  ", "a b"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n\n\n \nb", "a\n\nb"),
        ("a\u030a", "å"),
        ("a\x00b\x1b[0m\u202ec", "a b [0m c"),
        ("\ud800", ""),
        ("a\u2028b", "a b"),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@settings(deadline=None)
@given(st.text())
def test_clean_text_is_clean(raw: str) -> None:
    text = clean(raw)
    assert clean(text) == text
    assert unicodedata.is_normalized("NFC", text)
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in text)


def test_long_posts_are_cut() -> None:
    assert len(clean("å" * (MAX_TEXT_CHARS + 5))) == MAX_TEXT_CHARS
