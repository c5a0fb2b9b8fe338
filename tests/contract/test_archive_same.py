"""The archives give the same answers: the same mentions and the same questions in a file and on a server."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listener.archive.elastic import counting
from listener.mention import Mention, Signal
from listener.ports import Archive, Dimension, Where
from listener.query import Node, Query
from tests.contract.archive_samples import (
    HOUR,
    NOON,
    found,
    make_mention,
    make_score,
    new_archive,
)
from tests.contract.test_archive_counting import DRAFTS as COUNTED
from tests.contract.test_archive_counting import QUARTER, WHERES, Span
from tests.contract.test_archive_searching import DRAFTS as WRITTEN
from tests.contract.test_archive_searching import NODES

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
BATCHES = st.lists(
    st.lists(st.tuples(COUNTED, WRITTEN, st.integers(0, 19)), min_size=1, max_size=8), min_size=1, max_size=3
)


def _mention(number: int, counted: dict[str, Any], written: tuple[str, ...]) -> Mention:
    """Half of them with words to search for, half with texts that are copied."""
    title, text, author, channel, language, url = written
    if number % 2:
        counted = counted | {"text": text, "author": author, "channel": channel, "language": language}
    return make_mention(str(number), title=title, url=url, **counted)


def _fill(archive: Archive, batches: Sequence[Sequence[tuple[Any, Any, int]]]) -> None:
    for batch in batches:
        archive.add([_mention(number, counted, written) for counted, written, number in batch])


def _summary(archive: Archive, where: Where) -> object:
    span: Span = {"start": NOON - QUARTER, "end": NOON + HOUR, "bucket": QUARTER}
    whole = timedelta(days=200)
    return (
        [mention.id for mention in archive.search(where, limit=3)],
        [replace(mention, cluster="") for mention in archive.search(where, limit=99)],
        archive.counts(where, list(Signal), **span),
        archive.counts(where, [Signal.ANXIETY], start=NOON - whole, end=NOON + whole, bucket=2 * whole),
        {each: archive.counts_by(where, list(Signal), each, **span) for each in Dimension},
        {each: list(archive.breakdown(where, each).items()) for each in Dimension},
        archive.known_authors(where, ["a", "a1", "b", "nobody"]),
    )


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(
    batches=BATCHES,
    nodes=st.lists(NODES, min_size=3, max_size=5),
    wheres=st.lists(WHERES, min_size=1, max_size=2),
    erased=st.sets(st.integers(0, 19), max_size=5),
)
def test_a_server_answers_as_a_file_does(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[tuple[Any, Any, int]]],
    nodes: list[Node],
    wheres: list[Where],
    erased: set[int],
) -> None:
    with ExitStack() as opened:
        file, server = (
            opened.enter_context(new_archive(kind, tmp_path_factory.mktemp("same")))
            for kind in ("sqlite", "elasticsearch")
        )
        for archive in (file, server):
            _fill(archive, batches)
        gone = [make_mention(str(number)).id for number in erased]
        assert server.erase(gone) == file.erase(gone)
        clusters = [
            {m.id: m.cluster for m in archive.search(Where(), limit=99)} for archive in (file, server)
        ]
        assert clusters[1] == clusters[0]
        for where in (Where(), *wheres):
            assert _summary(server, where) == _summary(file, where), where
        for node in nodes:
            query = Query(str(node), node)
            where = replace(wheres[0], query=query)
            assert found(server, Where(query=query)) == found(file, Where(query=query)), str(query)
            assert found(server, where) == found(file, where), where


@pytest.mark.parametrize("bucket", [timedelta(hours=1), timedelta(days=1), timedelta(days=50)])
def test_what_is_too_much_to_fetch_is_counted_alike(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, bucket: timedelta
) -> None:
    """Over several months, with a bucket that two of them share, and authors who are heard in both."""
    monkeypatch.setattr(counting, "EXACT_UP_TO", 10)
    mentions = [
        make_mention(
            str(number),
            published_at=NOON + number * timedelta(hours=7, microseconds=3),
            author=f"a{number % 9}" if number % 4 else "",
            channel=("forum", "social")[number % 2],
            score=make_score(is_complaint=number % 3 == 0) if number % 5 else None,
        )
        for number in range(300)
    ]
    span: Span = {"start": NOON, "end": NOON + timedelta(days=100), "bucket": bucket}
    wheres = (Where(), Where(start=NOON + timedelta(days=3, minutes=1), end=NOON + timedelta(days=70)))
    with ExitStack() as opened:
        file, server = (
            opened.enter_context(new_archive(kind, tmp_path_factory.mktemp("same")))
            for kind in ("sqlite", "elasticsearch")
        )
        for archive in (file, server):
            archive.add(mentions)
        for where, dimension in product(wheres, Dimension):
            assert server.counts(where, list(Signal), **span) == file.counts(where, list(Signal), **span)
            assert server.counts_by(where, list(Signal), dimension, **span) == file.counts_by(
                where, list(Signal), dimension, **span
            )
            assert list(server.breakdown(where, dimension).items()) == list(
                file.breakdown(where, dimension).items()
            )
