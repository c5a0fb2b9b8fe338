"""How a query is read, and what is said of one that cannot be."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from listener.errors import QueryError
from listener.query import And, Field, Near, Node, Not, Or, Phrase, Prefix, Query, Tag, Word, parse

A, B, C, D = Word("a"), Word("b"), Word("c"), Word("d")


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("a", A),
        ("A", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a and b", And((A, Word("and"), B))),
        ("a OR b c", Or((A, And((B, C))))),
        ("a b OR c d", Or((And((A, B)), And((C, D))))),
        ("(a OR b) c", And((Or((A, B)), C))),
        ("a OR (b OR c)", Or((A, B, C))),
        ("a a", A),
        ("NOT a b", And((Not(A), B))),
        ("a AND NOT b", And((A, Not(B)))),
        ("a -b", And((A, Not(B)))),
        ("-(a b)", Not(And((A, B)))),
        ("NOT NOT a", A),
        ("--a", A),
        ("NOT (NOT a)", A),
        ("a NEAR/3 b c", And((Near(A, B, 3), C))),
        ("c OR a NEAR/0 b", Or((C, Near(A, B, 0)))),
        ("NOT (a NEAR/3 b)", Not(Near(A, B, 3))),
        ("(a OR b) NEAR/3 cd*", Near(Or((A, B)), Prefix("cd"), 3)),
        ('"a b" NEAR/100 (c)', Near(Phrase(("a", "b")), C, 100)),
        ('"a"', A),
        ('"#a"', A),
        ('"a  B, c"', Phrase(("a", "b", "c"))),
        ('"a bc*"', Phrase(("a", "bc"), last_is_prefix=True)),
        ("“a b”", Phrase(("a", "b"))),
        ('a"b c"d', And((A, Phrase(("b", "c")), D))),
        ("e-post", Phrase(("e", "post"))),
        ("e-post*", Phrase(("e", "post"), last_is_prefix=True)),
        ("12:30", Phrase(("12", "30"))),
        ("ab*", Prefix("ab")),
        ("#a", Tag("#a")),
        ("-@A", Not(Tag("@a"))),
        ("@a.b", And((Tag("@a"), Phrase(("a", "b"))))),
        ("author:a", Field("author", "a")),
        ('author:"@Kalle  Å"', Field("author", "kalle å")),
        ("-lang:sv", Not(Field("lang", "sv"))),
        ("site:Sj.SE.", Field("site", "sj.se")),
        ('source:"(a)"', Field("source", "(a)")),
        ("a\n\tOR\n b", Or((A, B))),
    ],
)
def test_reads(text: str, root: Node) -> None:
    query = parse(text)
    assert query.root == root
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "empty"),
        ("  \n", 1, "empty"),
        ('a "b c', 3, "never closed"),
        ('author:"kalle', 8, "never closed"),
        ("a (b c", 3, "never closed"),
        ("a (", 3, "never closed"),
        ("a b) c", 4, "closes nothing"),
        (")", 1, "closes nothing"),
        ("a ()", 3, "nothing in these parentheses"),
        ("AND a", 1, "AND has nothing before it"),
        ("a OR", 3, "OR is followed by nothing"),
        ("a OR OR b", 3, "OR is followed by OR"),
        ("(a OR) b", 4, "OR is followed by )"),
        ("a (AND b)", 4, "AND has nothing before it"),
        ("a NOT", 3, "NOT is followed by nothing"),
        ("a -", 3, "stands alone"),
        ("a - b", 3, "stands alone"),
        ("NEAR/3 a", 1, "NEAR/3 has nothing before it"),
        ("a NEAR/3", 3, "NEAR/3 is followed by nothing"),
        ("a NEAR b", 3, "want NEAR/n"),
        ("a NEAR/ b", 3, "want NEAR/n"),
        ("a NEAR/x b", 3, "want NEAR/n"),
        ("a NEAR/101 b", 3, "from 0 to 100"),
        ("a NEAR/3 #b", 10, "#b has no place in the text"),
        ("ab c lang:sv NEAR/3 d", 6, "lang:sv has no place in the text"),
        ("NOT a NEAR/3 b", 1, "NOT a has no place in the text"),
        ("a NEAR/3 (b OR c d)", 10, "has no place in the text"),
        ("a NEAR/3 b NEAR/3 c", 12, "follows another NEAR"),
        ("a http://b", 3, "http: is not a field; want one of author: site: channel: lang: source:"),
        ("forfatter:a", 1, "forfatter: is not a field"),
        ("a author: b", 3, "author: has no value"),
        ("author:@", 1, "author: has no value"),
        ("site:https://sj.se", 1, "not a host"),
        ("lang:no", 1, "want one of sv nb nn da fi en und"),
        ("channel:twitter", 1, "want one of forum"),
        ("author:ka*", 1, "a field takes no *"),
        ("aa a*b", 5, "not at the end"),
        ('aa "bb c*d"', 9, "not at the end"),
        ("*ab", 1, "not at the end"),
        ("ab**", 3, "not at the end"),
        ("*", 1, "no word before it"),
        ('"ab *"', 5, "no word before it"),
        ("b a*", 3, "at least 2 letters"),
        ('b "aa a* "', 7, "at least 2 letters"),
        ("#ab*", 4, "does not go with #"),
        ("b #-a", 3, "right before a letter"),
        ("a !!!", 3, "nothing to search for"),
        ('a ""', 3, "nothing to search for"),
        ("a" * 4_001, 4_001, "want at most 4,000"),
        ("e-e" + "-e" * 1_990 + " OR " + "a.b" * 4, 1, "written out"),
        ("(" * 51 + "a" + ")" * 51, 51, "want at most 50"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, column: int, message: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(text)
    assert message in raised.value.reason
    assert raised.value.column == column
    assert str(raised.value).endswith("\n  " + " " * (column - 1) + "^")


def test_the_mark_stands_under_the_place_also_when_the_query_has_several_lines() -> None:
    with pytest.raises(QueryError) as raised:
        parse("sj OR\n\ttåg)")
    assert str(raised.value).splitlines()[1:] == ["  sj OR  tåg)", "            ^"]


def test_messages_carry_no_control_characters() -> None:
    with pytest.raises(QueryError) as raised:
        parse("!\x1b\u202e")
    assert not set("\x1b\u202e") & set(str(raised.value))


def test_fifty_levels_are_fine() -> None:
    assert parse("(" * 50 + "a" + ")" * 50) == parse("a")
    assert parse("a (b OR " * 50 + "c" + ")" * 50).fields == frozenset()
    assert parse("(a) " * 60) == parse("a")
    assert parse("-" * 3_999 + "a") == parse("NOT a")


PIECES = """
sj Å ( ) " - * # @ : / . ' AND OR NOT NEAR/2 NEAR author: site:sj.se lang:sv tåg* ß \u0301
"""
pieces = st.sampled_from([*PIECES.split(), " ", "  ", "\n", " OR ", " AND ", " NEAR/3 ", ' "a b" '])


@settings(deadline=None)
@given(st.text() | st.lists(pieces, max_size=25).map("".join))
@example("\ud800")
@example("ᄀ\u200dᅡ")
@example("author:\u0345")
@example("İ ΐ ŉ ﬃ*")
def test_any_text_is_read_or_refused(text: str) -> None:
    outcome = _outcome(text)
    if isinstance(outcome, QueryError):
        assert 1 <= outcome.column <= len(text) + 1
    else:
        assert parse(str(outcome)) == outcome


def _outcome(text: str) -> Query | QueryError:
    try:
        return parse(text)
    except QueryError as e:
        return e
