"""What a query means: examples, and properties against a slow and plain reading of the same words."""

import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.query import (
    And,
    Document,
    Field,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Query,
    Tag,
    Word,
    normal_author,
    parse,
)
from listener.text import tokenise

# ---------------------------------------------------------------------------------------------- examples


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("sj", "SJ är sena"),
        ("sj", "Ännu en dag med #SJ"),
        ("sj", "hej @sj, hur går det"),
        ("#sj", "typiskt #SJ!"),
        ("@sj", "vad säger @Sj"),
        ("ÅKA", "vi ska åka"),
        ("a\u030aka", "vi ska åka"),
        ("försen*", "Försenade tåg"),
        ("försen*", "försen"),
        ("sj försenat", "försenat tåg från SJ"),
        ("sj OR vy", "Vy igjen"),
        ("vy -jobb", "Vy igjen"),
        ("-jobb", "Vy igjen"),
        ('"inte komma fram"', "Kan inte, komma fram"),
        ('"inte komma fö*"', "kan inte komma förbi"),
        ("e-post", "skicka e post"),
        ("sj.se", "se www.sj.se/avgångar"),
        ("@sj.se", "tack @sj.se för hjälpen"),
        ("tåg NEAR/2 sent", "tåget gick inte men mitt tåg kom för sent"),
        ("sent NEAR/2 tåg", "mitt tåg kom för sent"),
        ("tåg NEAR/0 sent", "sent tåg"),
        ('"mitt tåg" NEAR/1 (försen* OR inställ*)', "mitt tåg blev inställt"),
        ("(buss OR tåg) NEAR/1 (sen OR sent)", "bussen sen men tåg i tid, buss sen"),
        ("tåg* NEAR/3 tåget", "tåget"),
        ('"o\'hara"', "O’Hara flyger"),
    ],
)
def test_matches(query: str, text: str) -> None:
    assert parse(query).matches(Document.of(text=text))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("sj", "sjö och skog"),
        ("#sj", "sj är sena"),
        ("#sj", "hej @sj"),
        ("@sj", "mejla kund@sj.se"),
        ("aka", "åka"),
        ("ol", "öl"),
        ("försen*", "oförsenad"),
        ("sj vy", "sj"),
        ("vy -jobb", "Vy jobb"),
        ('"komma fram"', "fram komma"),
        ('"komma fram"', "komma inte fram"),
        ("e-post", "post e"),
        ("@sj.se", "@sj och sedan www.sj.se".replace("sj.se", "vy.se")),
        ("tåg NEAR/1 sent", "mitt tåg kom för sent"),
        ('"mitt tåg" NEAR/0 inställt', "mitt tåg blev inställt"),
        ("(buss OR tåg) NEAR/0 sen", "buss är sen"),
    ],
)
def test_does_not_match(query: str, text: str) -> None:
    assert not parse(query).matches(Document.of(text=text))


def test_title_and_text_are_two_fields() -> None:
    document = Document.of(title="Inställt tåg", text="igen i Örebro #sj")
    assert parse("tåg igen #sj").matches(document)
    assert parse("tåg* NEAR/0 inställt").matches(document)
    assert not parse('"tåg igen"').matches(document)
    assert not parse("tåg NEAR/5 igen").matches(document)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("author:kalle", True),
        ("author:@KALLE", True),
        ('author:"kalle"', True),
        ("author:kall", False),
        ("site:flashback.org", True),
        ("site:www.Flashback.org", True),
        ("site:org", True),
        ("site:back.org", False),
        ("site:m.www.flashback.org", False),
        ("channel:forum", True),
        ("channel:news", False),
        ("lang:sv", True),
        ("LANG:SV", True),
        ("source:sj-tråden", True),
        ('source:"sj-tråden"', True),
        ("-author:kalle", False),
        ("sj lang:nb", False),
    ],
)
def test_fields(query: str, expected: bool) -> None:
    document = Document.of(
        text="SJ",
        author="@Kalle",
        site="www.flashback.org",
        channel="forum",
        language="sv",
        source="sj-tråden",
    )
    assert parse(query).matches(document) is expected


def test_words_that_are_known_already_are_used() -> None:
    assert Document.of(text="SJ #sent", words=tokenise("SJ #sent")) == Document.of(text="SJ #sent")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sj NEAR/100 x", True),
        ("vy OR sj NEAR/0 xx", False),
        ('"sj x sj" OR (sj OR "sj sj") NEAR/0 (qy* OR "z xx")', False),
    ],
)
def test_hostile_text_costs_little(query: str, expected: bool) -> None:
    """The same word thousands of times: to compare every place with every other would take many seconds."""
    document = Document.of(text="sj " * 6_000 + "och så x " + "y z xx " * 3_000)
    started = time.process_time()
    assert parse(query).matches(document) is expected
    assert time.process_time() - started < 1


# ---------------------------------------------------------------------------------------------- values


def test_a_query_is_a_value() -> None:
    query = parse("  SJ   AND (tåg)")
    assert query == parse("sj tåg")
    assert hash(query) == hash(parse("sj tåg"))
    assert query.text == "  SJ   AND (tåg)"
    assert str(query) == "sj tåg"


def test_names_of_fields() -> None:
    assert parse("sj -(author:a OR lang:sv)").fields == {"author", "lang"}
    assert parse("sj").fields == frozenset()


def test_authors_are_translated_everywhere() -> None:
    query = parse("sj -(author:@Kalle OR lang:sv author:eva)")
    translated = query.with_authors(lambda name: [{"kalle": "p1", "eva": "p2"}[name]])
    assert translated == parse("sj -(author:p1 OR lang:sv author:p2)")
    assert translated.text == str(translated)


def test_author_has_one_normal_form() -> None:
    assert normal_author(" @Kalle  A\u030aberg ") == "kalle åberg"


# ---------------------------------------------------------------------------------------------- properties

WORDS = ("sj", "tåg", "tåget", "sen", "sent", "och", "ab")
word = st.sampled_from(WORDS).map(Word)
prefix = st.sampled_from(("sj", "tå", "tåg", "tåge", "se", "sen", "och")).map(Prefix)
phrase = st.builds(
    Phrase, st.lists(st.sampled_from(WORDS), min_size=2, max_size=3).map(tuple), last_is_prefix=st.booleans()
)
place = word | prefix | phrase
several = st.lists(place, min_size=2, max_size=3, unique=True).map(lambda nodes: Or(tuple(nodes)))
near = st.builds(Near, place | several, place | several, st.integers(0, 3))
tag = st.sampled_from(("#sj", "@sj", "#sen")).map(Tag)
field = st.sampled_from((Field("lang", "sv"), Field("author", "kalle"), Field("site", "sj.se")))


@given(st.text())
def test_the_normal_form_of_an_author_is_its_own_normal_form(name: str) -> None:
    """An author who is searched for comes to the pseudonym in that form, one who wrote as the source has it."""
    assert normal_author(normal_author(name)) == normal_author(name)


def _grown(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    children = st.lists(nodes, min_size=2, max_size=3).map(tuple)
    return st.builds(And, children) | st.builds(Or, children) | st.builds(Not, nodes)


nodes: st.SearchStrategy[Node] = st.recursive(
    word | prefix | phrase | near | tag | field, _grown, max_leaves=8
)
queries = nodes.map(lambda node: Query(str(node), node))


@dataclass(frozen=True)
class Plain:
    """A post of which every word is known: words in order for title and text, with their signs."""

    title: tuple[str, ...]
    text: tuple[str, ...]
    lang: str
    author: str
    site: str

    def document(self) -> Document:
        return Document.of(
            title=" ".join(self.title).upper(),
            text=", ".join(self.text),
            language=self.lang,
            author=self.author,
            site=self.site,
        )


signed = st.sampled_from([sign + word for word in WORDS for sign in ("", "", "#", "@")])
plains = st.builds(
    Plain,
    st.lists(signed, max_size=4).map(tuple),
    st.lists(signed, max_size=12).map(tuple),
    st.sampled_from(("sv", "nb")),
    st.sampled_from(("Kalle", "@kalle", "eva")),
    st.sampled_from(("sj.se", "www.sj.se", "vy.no")),
)


def _places(node: Node, words: list[str]) -> set[tuple[int, int]]:
    """(first, last) of each occurrence, by trying every place."""
    match node:
        case Or(children):
            return {one for child in children for one in _places(child, words)}
        case Word(text):
            wanted = [text]
        case Prefix(text):
            wanted = [text + "*"]
        case Phrase(several, last_is_prefix):
            wanted = [*several[:-1], several[-1] + ("*" if last_is_prefix else "")]
        case _:
            raise AssertionError(node)
    return {
        (start, start + len(wanted) - 1)
        for start in range(len(words) - len(wanted) + 1)
        if all(_is_like(words[start + i], one) for i, one in enumerate(wanted))
    }


def _is_like(found: str, wanted: str) -> bool:
    return found.startswith(wanted[:-1]) if wanted.endswith("*") else found == wanted


def _between(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Words between two places; below 0 when they overlap."""
    first, second = sorted((one, other))
    return second[0] - first[1] - 1


def reading(node: Node, post: Plain) -> bool:
    """What the node means, read slowly."""
    texts = [[word.lstrip("#@") for word in words] for words in (post.title, post.text)]
    match node:
        case And(children):
            return all(reading(child, post) for child in children)
        case Or(children):
            return any(reading(child, post) for child in children)
        case Not(child):
            return not reading(child, post)
        case Tag(text):
            return text in post.title + post.text
        case Field("author", value):
            return post.author.lower().lstrip("@") == value
        case Field("site", value):
            return value in (post.site, post.site.partition(".")[2])
        case Field(_, value):
            return post.lang == value
        case Near(left, right, n):
            return any(
                _between(one, other) <= n
                for words in texts
                for one in _places(left, words)
                for other in _places(right, words)
            )
        case _:
            return any(_places(node, words) for words in texts)


@settings(deadline=None)
@given(nodes, plains)
def test_a_query_means_what_a_plain_reading_says(node: Node, post: Plain) -> None:
    assert node.matches(post.document()) is reading(node, post)


@settings(deadline=None)
@given(nodes, plains)
def test_canonical_text_means_the_same(node: Node, post: Plain) -> None:
    query = parse(str(node))
    assert query.matches(post.document()) is node.matches(post.document())
    assert parse(str(query)) == query
