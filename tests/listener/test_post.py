"""A post cannot be built wrong; hostile values are refused as InvalidPost, never as anything else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import InvalidPost
from listener.post import EARLIEST, Post, plausible_time, post_id
from listener.text import MAX_TEXT_CHARS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def make(**changes: object) -> Post:
    values = {
        "source": "s",
        "native_id": "1",
        "url": "https://x.example/1",
        "text": "Hej",
        "published_at": NOON,
    }
    return Post(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("native_id", "", "native id"),
        ("text", " \u202e \x00 ", "no text"),
        ("url", "javascript:alert(1)", "want http"),
        ("url", "http://[x/", "want http"),
        ("url", "https://", "want http"),
        ("published_at", NOON.replace(tzinfo=None), "time zone"),
    ],
)
def test_what_is_no_post_is_refused_in_words(field: str, value: object, told: str) -> None:
    with pytest.raises(InvalidPost, match=told):
        make(**{field: value})


@given(st.text(), st.text(), st.text())
def test_any_strings_make_a_post_or_are_refused(text: str, url: str, native_id: str) -> None:
    try:
        post = make(text=text, url=url, native_id=native_id)
    except InvalidPost:
        return
    assert 0 < len(post.text) <= MAX_TEXT_CHARS
    assert post.id == post_id("s", native_id)


def test_times_are_kept_in_utc_and_implausible_ones_replaced() -> None:
    assert make(published_at=NOON.astimezone()).published_at == NOON
    assert plausible_time(None, NOON) == NOON
    assert plausible_time(NOON + timedelta(days=400), NOON) == NOON
    assert plausible_time(EARLIEST - timedelta(days=1), NOON) == NOON
    assert plausible_time(NOON - timedelta(days=1), NOON) == NOON - timedelta(days=1)
