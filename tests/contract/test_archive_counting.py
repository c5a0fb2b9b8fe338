"""How archives count voices: by bucket, by value of a dimension, and who is known."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.mention import THEMES, Polarity, Signal
from listener.ports import Archive, Dimension, Where
from listener.query import parse
from tests.contract.archive_samples import (
    DAY,
    HOUR,
    KINDS,
    NOON,
    RELEASE,
    make_mention,
    make_score,
    new_archive,
    score,
)


class Span(TypedDict):
    start: datetime
    end: datetime
    bucket: timedelta


@pytest.fixture(params=KINDS)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    with new_archive(request.param, tmp_path) as opened:
        yield opened


def test_counts_are_voices_by_bucket_and_signal(archive: Archive) -> None:
    mentions = [
        make_mention("1", author="a"),
        make_mention("2", author="a", published_at=NOON + HOUR - timedelta(microseconds=1)),
        make_mention("3", author="", published_at=NOON + HOUR),
        make_mention("4", author="", published_at=NOON + HOUR),
        make_mention("5", author="a", published_at=NOON + HOUR),
        make_mention("6", author="b", published_at=NOON + 3 * HOUR),
        make_mention("7", author="c", published_at=NOON - timedelta(microseconds=1)),
        make_mention("8", author="d"),
    ]
    archive.add(mentions)
    score(archive, mentions[1], make_score())
    score(archive, mentions[2], make_score(is_complaint=True, is_anxious=False))
    asked = (Signal.VOLUME, Signal.ANXIETY, Signal.COMPLAINTS, Signal.NEGATIVE)
    counted = archive.counts(Where(brand="fjelltele"), asked, start=NOON, end=NOON + 3 * HOUR, bucket=HOUR)
    assert counted == {
        Signal.VOLUME: [2, 3, 0],
        Signal.ANXIETY: [1, 0, 0],
        Signal.COMPLAINTS: [0, 1, 0],
        Signal.NEGATIVE: [1, 1, 0],
    }
    narrow = Where(start=NOON + HOUR, end=NOON + 3 * HOUR, query=parse("nätet"))
    assert archive.counts(narrow, [Signal.VOLUME], start=NOON, end=NOON + 4 * HOUR, bucket=2 * HOUR) == {
        Signal.VOLUME: [3, 0]
    }


def test_copies_are_not_counted(archive: Archive) -> None:
    archive.add([make_mention(str(number), text=RELEASE) for number in range(5)])
    assert archive.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON + HOUR, bucket=HOUR) == {
        Signal.VOLUME: [1]
    }
    assert archive.breakdown(Where(), Dimension.CHANNEL) == {"forum": 1}


def test_counts_by_theme_counts_each_theme_of_a_mention(archive: Archive) -> None:
    both, price = make_score(themes=("delivery", "price")), make_score(themes=("price",), is_anxious=False)
    archive.add(
        [
            make_mention("1", author="a", score=both),
            make_mention("2", author="a", score=price),
            make_mention("3", author="b", score=price, published_at=NOON + HOUR),
            make_mention("4", author="c", score=make_score(themes=())),
            make_mention("5", author="d"),
        ]
    )
    asked = (Signal.VOLUME, Signal.ANXIETY)
    span: Span = {"start": NOON, "end": NOON + 2 * HOUR, "bucket": HOUR}
    wanted = {
        "delivery": {Signal.VOLUME: [1, 0], Signal.ANXIETY: [1, 0]},
        "price": {Signal.VOLUME: [1, 1], Signal.ANXIETY: [1, 0]},
    }
    assert archive.counts_by(Where(), asked, Dimension.THEME, **span) == wanted
    found_by_words = archive.counts_by(Where(query=parse("nätet")), asked, Dimension.THEME, **span)
    assert found_by_words == wanted
    assert archive.counts_by(Where(theme="delivery"), asked, Dimension.THEME, **span) == {
        theme: {Signal.VOLUME: [1, 0], Signal.ANXIETY: [1, 0]} for theme in ("delivery", "price")
    }


def test_counts_by_begins_buckets_at_the_start_and_ends_before_the_end(archive: Archive) -> None:
    start, moment = NOON + timedelta(minutes=7), timedelta(microseconds=1)
    times = {"before": -moment, "first": 0 * HOUR, "last": HOUR - moment, "next": HOUR, "after": 2 * HOUR}
    archive.add(
        [make_mention(name, channel=name, published_at=start + after) for name, after in times.items()]
    )
    span: Span = {"start": start, "end": start + 2 * HOUR, "bucket": HOUR}
    assert archive.counts_by(Where(), [Signal.VOLUME], Dimension.CHANNEL, **span) == {
        "first": {Signal.VOLUME: [1, 0]},
        "last": {Signal.VOLUME: [1, 0]},
        "next": {Signal.VOLUME: [0, 1]},
    }


def test_counts_by_leaves_out_values_without_a_voice_of_these_signals(archive: Archive) -> None:
    archive.add([make_mention("1", source="calm"), make_mention("2", source="anxious", score=make_score())])
    span: Span = {"start": NOON, "end": NOON + HOUR, "bucket": HOUR}
    assert archive.counts_by(Where(), [Signal.ANXIETY], Dimension.SOURCE, **span) == {
        "anxious": {Signal.ANXIETY: [1]}
    }
    assert archive.counts_by(Where(), [], Dimension.SOURCE, **span) == {}
    earlier: Span = {"start": NOON - HOUR, "end": NOON, "bucket": HOUR}
    nothing: Span = {"start": NOON, "end": NOON, "bucket": HOUR}
    for dimension in Dimension:
        assert archive.counts_by(Where(), [Signal.VOLUME], dimension, **earlier) == {}
        assert archive.counts_by(Where(), [Signal.VOLUME], dimension, **nothing) == {}


def test_counts_want_whole_buckets(archive: Archive) -> None:
    with pytest.raises(ValueError, match="whole number of buckets"):
        archive.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON + 1.5 * HOUR, bucket=HOUR)
    with pytest.raises(ValueError, match="whole number of buckets"):
        archive.counts_by(
            Where(), [Signal.VOLUME], Dimension.THEME, start=NOON, end=NOON + 1.5 * HOUR, bucket=HOUR
        )
    assert archive.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON, bucket=HOUR) == {Signal.VOLUME: []}


def test_breakdown_is_largest_first(archive: Archive) -> None:
    mentions = [
        make_mention("1", author="a", channel="social", source="x"),
        make_mention("2", author="a", channel="social", language="nb"),
        make_mention("3", author="b", channel="review", language="nb"),
        make_mention("4", author="", channel="review", language="fi"),
    ]
    archive.add(mentions)
    score(archive, mentions[0], make_score(themes=("delivery", "price")))
    score(archive, mentions[2], make_score(themes=("price",)))
    assert list(archive.breakdown(Where(), Dimension.CHANNEL).items()) == [("review", 2), ("social", 1)]
    assert list(archive.breakdown(Where(), Dimension.LANGUAGE).items()) == [("nb", 2), ("fi", 1), ("sv", 1)]
    assert list(archive.breakdown(Where(), Dimension.THEME).items()) == [("price", 2), ("delivery", 1)]
    assert list(archive.breakdown(Where(channel="social"), Dimension.SOURCE).items()) == [
        ("forum-a", 1),
        ("x", 1),
    ]


def test_known_authors_are_those_of_whom_something_is_found(archive: Archive) -> None:
    archive.add(
        [
            make_mention("1", author="a"),
            make_mention("2", author="b", published_at=NOON - DAY),
            make_mention("3", author="c", brands=("nordfly",)),
            make_mention("4", author=""),
            make_mention("5", author="d", text=RELEASE),
            make_mention("6", author="e", text=RELEASE, published_at=NOON + HOUR),
            make_mention("7", author="f", published_at=NOON + DAY),
        ]
    )
    asked = ["a", "a", "b", "c", "d", "e", "f", "'; --", ""]
    span = Where(brand="fjelltele", start=NOON, end=NOON + DAY)
    assert archive.known_authors(span, asked) == {"a", "d", "e"}, "whoever only copied was heard, too"
    assert archive.known_authors(replace(span, query=parse("nere")), asked) == {"a"}
    assert archive.known_authors(Where(), asked) == {"a", "b", "c", "d", "e", "f"}
    assert archive.known_authors(Where(), [str(number) for number in range(40_000)]) == frozenset()
    assert archive.known_authors(Where(), []) == archive.known_authors(Where(), [""]) == frozenset()


# ------------------------------------------------------------------------------------------------ one meaning

QUARTER = timedelta(minutes=15)
VALUES = {
    Dimension.CHANNEL: ("forum", "social", "review"),
    Dimension.LANGUAGE: ("sv", "nb", "und"),
    Dimension.THEME: THEMES,
    Dimension.SOURCE: ("forum-a", "forum-b"),
}
SCORES = st.builds(
    make_score,
    themes=st.lists(st.sampled_from(THEMES[:4]), max_size=3, unique=True).map(tuple),
    is_anxious=st.booleans(),
    is_complaint=st.booleans(),
    polarity=st.sampled_from(Polarity),
)
DRAFTS = st.fixed_dictionaries(
    {
        "published_at": st.integers(-3, 15).map(lambda number: NOON + number * timedelta(minutes=5)),
        "author": st.sampled_from(["a", "b", ""]),
        "text": st.sampled_from([RELEASE, "Nätet ligger nere igen", "Allt fungerar fint"]),
        "channel": st.sampled_from(VALUES[Dimension.CHANNEL]),
        "language": st.sampled_from(VALUES[Dimension.LANGUAGE]),
        "source": st.sampled_from(VALUES[Dimension.SOURCE]),
        "brands": st.sampled_from([("fjelltele",), ("nordfly",), ("fjelltele", "nordfly")]),
        "score": st.none() | SCORES,
    }
)
WHERES = st.builds(
    Where,
    brand=st.sampled_from(["", "fjelltele"]),
    start=st.sampled_from([None, NOON + QUARTER]),
    end=st.sampled_from([None, NOON + 2 * QUARTER + timedelta(microseconds=1)]),
    signal=st.sampled_from([None, Signal.NEGATIVE]),
    query=st.sampled_from([None, parse("nere OR norrland"), parse("nere OR lang:nb")]),
)


def _only(where: Where, dimension: Dimension, value: str) -> Where:
    field: dict[str, Any] = {dimension.value: value}
    return replace(where, **field)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "elasticsearch"])
@settings(max_examples=40, deadline=None)
@given(drafts=st.lists(DRAFTS, min_size=1, max_size=25), wheres=st.lists(WHERES, min_size=1, max_size=4))
def test_counts_by_is_counts_of_each_value(
    tmp_path_factory: pytest.TempPathFactory, kind: str, drafts: list[dict[str, Any]], wheres: list[Where]
) -> None:
    """A server takes longer: `test_archive_same` asks whether it answers as a file does."""
    span: Span = {"start": NOON, "end": NOON + HOUR, "bucket": QUARTER}
    with new_archive(kind, tmp_path_factory.mktemp("same")) as archive:
        archive.add([make_mention(str(number), **draft) for number, draft in enumerate(drafts)])
        for where, dimension in product(wheres, Dimension):
            each = {
                value: archive.counts(_only(where, dimension, value), list(Signal), **span)
                for value in VALUES[dimension]
            }
            heard = {value: counted for value, counted in each.items() if any(counted[Signal.VOLUME])}
            assert archive.counts_by(where, list(Signal), dimension, **span) == heard, (where, dimension)
