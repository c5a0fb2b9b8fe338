"""The matcher finds exactly what each query alone would find."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.query import Document, Matcher, Query, parse
from listener.query.anchors import anchor, popularity
from tests.listener.test_query import Plain, plains, queries


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(queries, max_size=4)), plains)
def test_the_matcher_says_what_the_queries_say(brands: dict[str, list[Query]], post: Plain) -> None:
    document = post.document()
    expected = {key for key, several in brands.items() if any(query.matches(document) for query in several)}
    assert Matcher(brands).match(document) == expected


def test_one_key_with_alternatives() -> None:
    matcher = Matcher(
        {"sj": [parse("sj"), parse('"statens järnvägar"')], "vy": [parse("vy lang:nb")], "none": []}
    )
    assert matcher.match(Document.of(text="Statens järnvägar och Vy", language="nb")) == {"sj", "vy"}
    assert matcher.match(Document.of(text="SJ och Vy", language="sv")) == {"sj"}
    assert matcher.match(Document.of(text="")) == frozenset()


@pytest.mark.parametrize("query", ["-jobb", "lang:sv", "sj OR lang:sv", "NOT (sj jobb)"])
def test_queries_without_a_certain_word_are_asked_too(query: str) -> None:
    document = Document.of(text="Inget tåg idag", language="sv")
    assert Matcher({"brand": [parse(query)]}).match(document) == {"brand"}


@pytest.mark.parametrize(
    "written", ["tå*", "tåg*", "tåge*", "tåget*", "tågets*", "#tågetssjälv", '"på tåg*"']
)
def test_prefixes_of_every_length_and_tags_are_found(written: str) -> None:
    others = {f"o{i}": [parse(f"tåg{i}* OR tågetx{i}* OR x{i}")] for i in range(20)}
    matcher = Matcher({**others, "brand": [parse(written)]})
    assert matcher.match(Document.of(text="Sitter på #tågetssjälv")) == {"brand"}


def test_prefixes_that_begin_alike_are_each_found() -> None:
    written = ["tåg*", "tågk*", "tågkö*", "tågköre*", "tågsä*"]
    matcher = Matcher({prefix: [parse(prefix)] for prefix in written})
    assert matcher.match(Document.of(text="Tågkörplan")) == {"tåg*", "tågk*", "tågkö*"}
    assert matcher.match(Document.of(text="tågsätt, tågkörelse")) == set(written)


def test_the_title_counts() -> None:
    assert Matcher({"sj": [parse("#sj tåg*")]}).match(Document.of(title="Tåget #SJ", text="hm")) == {"sj"}


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("sj", {"sj"}),
        ("sj OR #vy OR tåg*", {"sj", "#vy", "tåg*"}),
        ("och trafikverket", {"trafikverket"}),
        ("tå* trafikverket", {"trafikverket"}),
        ("(sj OR vy) trafikverket", {"trafikverket"}),
        ('"är inte framme"', {"framme"}),
        ('"vara i förs*"', {"vara"}),
        ("och NEAR/3 (sj OR vy)", {"sj", "vy"}),
        ("sj -jobb lang:sv", {"sj"}),
        ("och", {"och"}),
        ("popular rare", {"rare"}),
    ],
)
def test_anchors_are_rare_and_certain(query: str, terms: set[str]) -> None:
    found = anchor(parse(query).root, Counter({"popular": 9}))
    assert found is not None
    assert found.terms == terms


@pytest.mark.parametrize("query", ["NOT sj", "lang:sv", "sj OR NOT vy", "-sj lang:sv"])
def test_no_anchor_where_no_word_is_certain(query: str) -> None:
    assert anchor(parse(query).root, Counter()) is None


def test_popularity_counts_queries_and_leaves_out_what_is_negated() -> None:
    roots = [parse(text).root for text in ("sj tåg* -jobb", 'sj OR "sj tåg"', "sj NEAR/2 vy")]
    assert popularity(roots) == Counter({"sj": 3, "tåg*": 1, "tåg": 1, "vy": 1})
