import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.plain import clusters, inert, shorten

FAMILY = "👩‍👩‍👧‍👦"


def test_a_family_a_flag_and_an_accent_stay_whole() -> None:
    assert list(clusters(f"a{FAMILY}🇸🇪🇳🇴e\u0301👍🏽")) == ["a", FAMILY, "🇸🇪", "🇳🇴", "e\u0301", "👍🏽"]
    assert shorten("ab" + FAMILY * 3, 12) == "ab" + FAMILY + "…"


def test_shorten_leaves_short_text_alone() -> None:
    assert shorten("hej", 3) == "hej"
    assert shorten("hej där", 5) == "hej…"
    assert shorten("hejsan", 5) == "hejs…"


def test_inert_is_one_clean_line() -> None:
    assert inert(" a\r\nb\x1b[0m\u202ec\u200bd\x00 ") == "a b [0m c d"


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(1, 80))
def test_shorten_keeps_the_limit_and_no_mark_is_orphaned(text: str, limit: int) -> None:
    short = shorten(inert(text), limit)
    assert len(short) <= limit
    if short != inert(text) and len(short) > 1:
        assert inert(text).startswith(short[:-1].rstrip())
        rest = inert(text)[len(short) - 1 :].lstrip()
        assert not rest or not unicodedata.combining(rest[0]) or len(short) == 1


@settings(deadline=None)
@given(st.text(max_size=300))
def test_clusters_lose_nothing_but_towers(text: str) -> None:
    joined = "".join(clusters(text))
    assert len(joined) <= len(text)
    assert "".join(clusters(joined)) == joined
    if not any(unicodedata.combining(char) for char in text):
        assert joined == text
