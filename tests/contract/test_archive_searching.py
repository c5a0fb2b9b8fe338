"""How archives search: `Where`, paging, and queries that mean what `listener.query` says."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listener.archive import open_archive
from listener.errors import StoreError
from listener.mention import Mention, Signal
from listener.ports import Archive, Where
from listener.query import And, Document, Field, Near, Node, Not, Or, Phrase, Prefix, Query, Tag, Word, parse
from tests.contract.archive_samples import (
    HOUR,
    KINDS,
    NOON,
    RELEASE,
    found,
    identity,
    make_mention,
    make_score,
    new_archive,
    score,
)


@pytest.fixture(params=KINDS)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    with new_archive(request.param, tmp_path) as opened:
        yield opened


def test_search_is_newest_first_in_pages_and_ties_are_by_id(archive: Archive) -> None:
    times = [NOON + timedelta(seconds=number // 7, microseconds=number % 3) for number in range(60)]
    archive.add([make_mention(str(number), published_at=at) for number, at in enumerate(times)])
    wanted = sorted(((at, identity(str(number))) for number, at in enumerate(times)), reverse=True)
    for where in (Where(), Where(brand="fjelltele"), Where(query=parse("nätet"))):
        pages: list[tuple[datetime, str]] = []
        before = None
        while page := archive.search(where, limit=4, before=before):
            pages += [(mention.published_at, mention.id) for mention in page]
            before = pages[-1]
        assert pages == wanted
    assert archive.search(Where(), limit=0) == []


def test_filters(archive: Archive) -> None:
    plain = make_mention("1")
    other = make_mention(
        "2", source="s2", channel="social", language="nb", brands=("nordfly",), published_at=NOON + HOUR
    )
    copy = make_mention("3", text=RELEASE, published_at=NOON + 2 * HOUR)
    archive.add([plain, other, make_mention("0", text=RELEASE, published_at=NOON + HOUR), copy])
    score(archive, other, make_score())
    cases = [
        (Where(brand="nordfly"), {"2"}),
        (Where(brand="unknown"), set()),
        (Where(channel="social"), {"2"}),
        (Where(language="nb"), {"2"}),
        (Where(source="s2"), {"2"}),
        (Where(theme="price"), {"2"}),
        (Where(theme="delivery"), set()),
        (Where(theme="unknown"), set()),
        (Where(signal=Signal.ANXIETY), {"2"}),
        (Where(signal=Signal.NEGATIVE), {"2"}),
        (Where(signal=Signal.COMPLAINTS), set()),
        (Where(signal=Signal.VOLUME), {"0", "1", "2", "3"}),
        (Where(originals=True), {"0", "1", "2"}),
        (Where(start=NOON + HOUR), {"0", "2", "3"}),
        (Where(end=NOON + HOUR), {"1"}),
        (
            Where(start=NOON + timedelta(microseconds=1), end=NOON + HOUR + timedelta(microseconds=1)),
            {"0", "2"},
        ),
        (Where(brand="fjelltele", query=parse("norrland"), originals=True), {"0"}),
        (Where(brand="nordfly", query=parse("norrland")), set()),
    ]
    for where, names in cases:
        assert found(archive, where) == {identity(name) for name in names}, where


@pytest.mark.parametrize(
    "text", ['"', 'a" OR "ab', "NEAR(", "title", "ab*", "'; --", "^", "{title}", "a b", "-ab", "*", ":"]
)
def test_the_syntax_of_the_index_is_only_text(archive: Archive, text: str) -> None:
    archive.add([make_mention(text="ab and or near title")])
    for node in (
        Word(text),
        Phrase((text, text)),
        Near(Word(text), Word("ab"), 2),
        Tag(f"#{text}"),
        Field("site", text),
    ):
        query = Query(text, node)
        assert found(archive, Where(query=query)) <= {identity("1")}
        assert found(archive, Where(query=Query(text, Not(node)))) == {identity("1")} - found(
            archive, Where(query=query)
        )


def test_fields_are_compared_without_regard_to_case(archive: Archive) -> None:
    archive.add(
        [
            make_mention(
                source="Forum Åre", channel="Forum", language="SV", url="https://WWW.Forum.Example.se./t"
            )
        ]
    )
    for text in ('source:"forum åre"', "channel:FORUM", "lang:sv", "site:forum.example.se"):
        assert found(archive, Where(query=parse(text))) == {identity("1")}, text
    assert found(archive, Where(query=parse("site:rum.example.se"))) == set()


def test_the_index_cuts_words_where_we_do(archive: Archive) -> None:
    archive.add([make_mention(text="x_y 12½ #å_b ça")])
    assert found(archive, Where(query=parse("x_y #å_b ça"))) == {identity("1")}
    for part in ("x", "y", "b", "å", "#å", "a"):
        assert found(archive, Where(query=Query(part, Tag(part) if part[0] == "#" else Word(part)))) == set()


def test_words_that_are_operators_elsewhere_are_found(archive: Archive) -> None:
    archive.add([make_mention(text="ab and or near title")])
    assert found(archive, Where(query=parse('"and or near" title'))) == {identity("1")}


def _tower(leaf: Node, height: int, *, field: bool) -> Node:
    """Alternating AND and OR that `leaf` alone decides."""
    node = leaf
    for number in range(height):
        true = Not(Word(f"x{number}")) if field else Word("två")
        node = Or((Word(f"y{number}"), node)) if number % 2 else And((node, true))
    return node


@pytest.mark.parametrize(
    "node",
    [
        _tower(Word("ett"), 49, field=False),
        _tower(Word("ett"), 49, field=True),
        _tower(Field("lang", "sv"), 49, field=True),
        And((Word("ett"), *(Not(Word(f"x{number}")) for number in range(1400)))),
        And((Word("ett"), *(Not(Field("lang", f"x{number}")) for number in range(450)))),
        Or((Word("ett"), *(Field("lang", f"x{number}") for number in range(450)))),
        Or((*(Word(f"x{number}") for number in range(1900)), Word("ett"))),
        Near(Or(tuple(Word(f"z{number}") for number in range(30))), Word("ett"), 3),
    ],
)
def test_deep_and_long_queries_are_answered(archive: Archive, node: Node) -> None:
    archive.add([make_mention(text="ett två z7"), make_mention("2", text="fyra fem sex", language="nb")])
    assert found(archive, Where(query=Query("", node))) == {identity("1")}


def test_too_many_alternatives_beside_near_are_refused_in_words(archive: Archive) -> None:
    many = Or(tuple(Word(f"x{number}") for number in range(40)))
    with pytest.raises(StoreError, match="want at most"):
        archive.search(Where(query=Query("", Near(many, many, 3))))


# ------------------------------------------------------------------------------------------------ one meaning

ALPHABET = ("ab", "abc", "bc", "åb", "æ1", "x_y", "y")
WORDS = st.sampled_from(ALPHABET)
TEXTS = st.lists(
    st.sampled_from([*ALPHABET, "#ab", "@bc", "AB", "ab's", "e-ab", ".", "#åb"]), min_size=1, max_size=9
).map(" ".join)
PLACES = st.one_of(
    WORDS.map(Word),
    st.sampled_from(["ab", "x_", "åb"]).map(Prefix),
    st.builds(Phrase, st.lists(WORDS, min_size=2, max_size=3).map(tuple), st.booleans()),
)
OPERANDS = st.one_of(PLACES, st.lists(PLACES, min_size=2, max_size=3).map(lambda places: Or(tuple(places))))
LEAVES: st.SearchStrategy[Node] = st.one_of(
    PLACES,
    st.sampled_from(["#ab", "@bc", "#åb", "#bc"]).map(Tag),
    st.builds(Near, OPERANDS, OPERANDS, st.integers(0, 3)),
    st.builds(Field, st.just("site"), st.sampled_from(["example.se", "forum.example.se", "ample.se"])),
    st.builds(
        Field,
        st.sampled_from(["channel", "lang", "source"]),
        st.sampled_from(["forum", "social", "sv", "nb", "forum-a"]),
    ),
    st.builds(Field, st.just("author"), st.sampled_from(["a1", "a2"])),
)


def _branches(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(And), several.map(Or), children.map(Not))


NODES = st.recursive(LEAVES, _branches, max_leaves=8)
DRAFTS = st.tuples(
    TEXTS,
    TEXTS,
    st.sampled_from(["a1", "a2", ""]),
    st.sampled_from(["forum", "social"]),
    st.sampled_from(["sv", "nb"]),
    st.sampled_from(["https://forum.example.se/t", "http://EXAMPLE.se:80/x", "https://badexample.se"]),
)


def _document(mention: Mention) -> Document:
    return Document.of(
        title=mention.title,
        text=mention.text,
        author=mention.author,
        site=mention.url.split("/")[2].split(":")[0],
        channel=mention.channel,
        language=mention.language,
        source=mention.source,
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drafts=st.lists(DRAFTS, min_size=5, max_size=15), nodes=st.lists(NODES, min_size=8, max_size=12))
def test_search_finds_what_the_query_matches(
    tmp_path_factory: pytest.TempPathFactory, drafts: list[tuple[str, ...]], nodes: list[Node]
) -> None:
    archive = open_archive(f"sqlite:///{tmp_path_factory.mktemp('same') / 'archive.db'}")
    mentions = [
        make_mention(
            str(number), title=title, text=text, author=author, channel=channel, language=language, url=url
        )
        for number, (title, text, author, channel, language, url) in enumerate(drafts)
    ]
    archive.add(mentions)
    for node in nodes:
        query = Query(str(node), node)
        wanted = {mention.id for mention in mentions if query.matches(_document(mention))}
        assert found(archive, Where(query=query)) == wanted, str(query)
        assert found(archive, Where(query=query, brand="fjelltele")) == wanted, str(query)
    archive.close()
