"""What feeds say, and what some of them do to whoever reads them."""

import contextlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.errors import SourceError
from spiders.feed.document import linked_feed, not_a_feed, text_of_feed
from spiders.feed.entries import Entry, Feed, parse
from spiders.feed.markup import text_of

FIXTURES = Path(__file__).parent.parent / "fixtures" / "feed"
ADDRESS = "https://resor.example/feed"


def feed_of(body: bytes | str, content_type: str = "application/xml") -> Feed:
    raw = body.encode() if isinstance(body, str) else body
    feed = parse(text_of_feed(raw, content_type), ADDRESS)
    assert feed is not None
    return feed


def entries(body: bytes | str, content_type: str = "application/xml") -> list[Entry]:
    return list(feed_of(body, content_type).entries)


def recorded(name: str) -> list[Entry]:
    return entries((FIXTURES / name).read_bytes())


def rss(*items: str, end: str = "</channel></rss>") -> str:
    return '<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>' + "".join(items) + end


def item(number: int, **tags: str) -> str:
    values = {"title": f"t{number}", "guid": f"g{number}", "description": f"d{number}", **tags}
    return "<item>" + "".join(f"<{tag}>{value}</{tag}>" for tag, value in values.items() if value) + "</item>"


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_rss_articles() -> None:
    first, second, third = recorded("articles.rss")
    assert first == Entry(
        native_id="https://resor.example/?p=41",
        url="https://resor.example/malmo",
        title="Tåget till Malmö står & väntar",
        text=first.text,
        author="Åsa",
        published=at(1, 9),
        comments=7,
    )
    assert first.text == "Jag är orolig: når vi fram?\n\nNordlyn svarar inte.\nInte ett ord."
    assert (second.native_id, second.url) == ("/tidtabell", "https://resor.example/tidtabell")
    assert (second.text, second.author) == ("Från mars går tågen oftare, 5 < 6.", "Redaktionen")
    assert (third.text, third.url, third.published) == ("Utan allt annat", ADDRESS, None)
    assert len(third.native_id) == 32


def test_rss_comments_belong_to_their_article() -> None:
    new, old = recorded("comments.rss")
    assert (new.thread, new.author, new.text) == (
        "https://resor.example/malmo",
        "Per",
        "Samma här. Ingen ersättning heller.",
    )
    assert (old.thread, old.text) == ("https://resor.example/malmo", "Vad händer nu?")


def test_atom() -> None:
    article, answer = recorded("entries.atom")
    assert (article.native_id, article.title, article.author) == (
        "tag:mat.example,2026:1",
        "Glass igen",
        "Kari",
    )
    assert (article.text, article.published, article.edited) == ("Isen er utsolgt.", at(1, 8), at(1, 10))
    assert (answer.thread, answer.text, answer.published) == (
        "https://mat.example/glass",
        "Hvorfor det? 1 < 2",
        at(1, 10),
    )


def test_json_feed() -> None:
    first, second, third = recorded("posts.json")
    assert (first.native_id, first.text, first.author) == ("7", "Juna on taas myöhässä & täynnä.", "Aino")
    assert (first.published, first.edited) == (at(1, 10), at(1, 11))
    assert (second.native_id, second.url, second.text, second.author) == (
        "8",
        "https://juna.example/8",
        "Missä raha?",
        "Eero",
    )
    assert (third.text, third.published) == ("Vain otsikko", None)


def test_oldest_and_rdf() -> None:
    (old,) = recorded("oldest.rss")
    assert (old.title, old.text, old.native_id) == (
        "Smörgåsbordet stängt",
        "Oro i kön",
        "https://gammal.example/1",
    )
    (rdf,) = recorded("site.rdf")
    assert (rdf.author, rdf.text, rdf.published) == ("Mette", "Pakken er væk", at(1, 8))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (rss(item(1, title="Åäö")).encode("utf-16"), "application/xml"),
        (rss(item(1, title="Åäö")).encode("utf-8-sig"), "application/xml"),
        (rss(item(1, title="Åäö")).encode("utf-16-le"), "application/xml"),
        (rss(item(1, title="Åäö")).encode("cp1252"), "text/xml; charset=windows-1252"),
        (rss(item(1, title="Åäö")).encode("cp1252"), "application/xml"),
        (rss(item(1, title="Åäö")).encode("latin-1").replace(b'"1.0"', b'"1.0" encoding="iso-8859-1"'), ""),
        (rss(item(1, title="Åäö")).encode().replace(b'"1.0"', b'"1.0" encoding="utf-7"', 1), ""),
        (rss(item(1, title="Åäö")).encode().replace(b'"1.0"', b'"1.0" encoding="x-klingon"', 1), ""),
    ],
)
def test_encodings(body: bytes, content_type: str) -> None:
    assert [entry.title for entry in entries(body, content_type)] == ["Åäö"]


def test_one_broken_character_does_not_change_the_encoding_of_all_others() -> None:
    body = rss(item(1, title="åäö" * 20), item(2)).encode() + b"<!-- \xe5 -->"
    assert entries(body)[0].title == "åäö" * 20


@pytest.mark.parametrize(
    "published",
    ["", "inte än", "Mon, 99 Foo 2026 10:00:00 GMT", "0000-00-00", "99999-01-01T00:00:00Z"],
)
def test_a_missing_or_absurd_date_is_no_date(published: str) -> None:
    (entry,) = entries(rss(item(1, pubDate=published)))
    assert entry.published is None or not 1990 <= entry.published.year <= 2030


def test_entries_without_a_guid_keep_their_id() -> None:
    by_link, by_content = entries(rss(item(1, guid="", link="https://x.example/1"), item(2, guid="")))
    assert by_link.native_id == "https://x.example/1"
    assert by_content.native_id == entries(rss(item(2, guid="")))[0].native_id


def test_an_id_that_several_entries_share_is_no_id() -> None:
    shared = {"guid": "https://x.example/"}
    feed = feed_of(rss(item(1, **shared), item(2, **shared), item(3)))
    assert len({entry.native_id for entry in feed.entries}) == 3
    assert feed.oddities == ()


def test_the_same_entry_twice_is_one() -> None:
    feed = feed_of(rss(item(1), item(1), item(2)))
    assert [entry.title for entry in feed.entries] == ["t1", "t2"]
    assert feed.oddities == ("1 entries stand in the feed twice",)


def test_a_feed_that_breaks_off_keeps_what_is_whole() -> None:
    feed = feed_of(rss(item(1), item(2), "<item><title>t3</title><guid>g3-ha", end=""))
    assert [entry.native_id for entry in feed.entries] == ["g1", "g2"]
    assert feed.oddities == ("the feed breaks off; the 2 entries before that were read",)


def test_ill_formed_xml_is_read_as_far_as_possible() -> None:
    feed = feed_of(rss(item(1, description="Jag & du"), item(2)))
    assert [entry.native_id for entry in feed.entries] == ["g1", "g2"]
    assert feed.entries[0].text == "Jag & du"
    assert feed.oddities == ("the feed is not well-formed XML; what could be read was read",)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><rss version='2.0'><channel><item><title>&i;</title></item></channel></rss>"
)
OUTSIDE = (
    '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<rss version='2.0'><channel><item><title>&x;</title></item></channel></rss>"
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (LAUGHS.encode(), "defines its own entities"),
        (OUTSIDE.encode(), "defines its own entities"),
        (OUTSIDE.encode("utf-16"), "defines its own entities"),
        (
            OUTSIDE.replace("<!DOCTYPE", "<?xml version='1.0' encoding='utf-7'?><!DOCTYPE").encode(),
            "entities",
        ),
        (rss("<a>" * 5000).encode(), "nested 5002 deep"),
        (rss("<a/>" * 60_000).encode(), "tags, nested 0 deep"),
        (b"<rss>" + b" " * (10 * 1024 * 1024), "the feed is 10.0 MiB, larger than 4 MiB"),
    ],
)
def test_what_is_made_to_hurt_is_refused_quickly(body: bytes, words: str) -> None:
    began = time.process_time()
    with pytest.raises(SourceError, match=words):
        text_of_feed(body, "application/xml")
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "body",
    [
        rss(item(1, description="<![CDATA[" + "<b>" * 100_000 + "]]>")),
        rss(item(1, description="&lt;b" * 100_000)),
        rss(item(1, description="&amp;" * 200_000)),
        rss(item(1, description="<![CDATA[" + "<a " * 100_000 + "]]>")),
        rss(*[item(number) for number in range(3000)]),
        rss(item(1), "<" * 40_000),
        rss(item(1), "<a " * 40_000),
        rss(item(1), "<!" * 500_000),
        "<" * 1_000_000,
        "<!DOCTYPE" * 100_000,
        "<!--" * 200_000,
        "<![CDATA[" * 100_000,
        "<a " * 300_000,
    ],
    ids=lambda body: body[:12] + body[90:110],
)
def test_awkward_bulk_takes_bounded_time(body: str) -> None:
    began = time.process_time()
    with contextlib.suppress(SourceError):
        parse(text_of_feed(body.encode(), ""), ADDRESS)
    assert time.process_time() - began < 8


@pytest.mark.parametrize(
    "document",
    [
        "{" * 100_000,
        '{"a":' * 100_000,
        '{"version": "https://jsonfeed.org/version/1", "items": ' + "[" * 100_000,
        '{"version": "https://jsonfeed.org/version/1"}',
        '{"version": 1, "items": []}',
        '{"version": "https://jsonfeed.org/version/1", "items": {}}',
        "{}",
        "",
        "<html><body>Hej</body></html>",
        "hej",
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    ],
    ids=lambda document: document[:20],
)
def test_what_is_no_feed_is_none(document: str) -> None:
    assert parse(text_of_feed(document.encode(), ""), ADDRESS) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["id", "url", "title", "name"]) | st.text(), inner)
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        ["id", "url", "title", "content_html", "content_text", "author", "authors", "date_published"]
    ),
)
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere_in_a_json_feed_is_borne(value: object, key: str) -> None:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "items": [{"id": "1", "title": "t", key: value}, value],
    }
    for entry in entries(json.dumps(document)):
        assert entry.native_id
        assert entry.url.startswith(("http://", "https://"))


@given(st.binary(max_size=300), st.sampled_from(["", "text/xml", "text/html; charset=utf-16"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_in_a_feed_are_borne(noise: bytes, content_type: str) -> None:
    head, tail = rss(item(1)).encode().split(b"d1")
    with contextlib.suppress(SourceError):
        assert parse(text_of_feed(head + noise + tail, content_type), ADDRESS) is not None


@given(st.text(max_size=200))
@settings(deadline=None)
def test_text_of_never_raises_and_keeps_plain_words(text: str) -> None:
    assert isinstance(text_of(text), str)
    assert text_of("<p>tåg &amp; buss</p>") == "tåg & buss"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br>b", "a\nb"),
        ("<style>x{}</style><script>if (a<b) {}</script>ord<!-- x --><svg><title>t</title></svg>", "ord"),
        ("&lt;b&gt; &aring; &#229; &#xe5;", "<b> å å å"),
        ("", ""),
        ("<b>utan slut", "utan slut"),
    ],
)
def test_words_of_markup(html: str, text: str) -> None:
    assert text_of(html) == text


def test_a_page_that_links_to_its_feed() -> None:
    page = "<html><head><link rel='ALTERNATE' type='application/rss+xml' href='/feed'></head></html>"
    assert linked_feed(page, "https://x.example/blog/") == "https://x.example/feed"
    assert linked_feed("<link rel=alternate hreflang=sv href=/sv>", "https://x.example/") == ""
    assert linked_feed("", "https://x.example/") == ""


def test_says_what_it_got_instead_of_a_feed() -> None:
    said = not_a_feed(b"<html>\n <title>Log\x00in</title>", "text/html; charset=utf-8")
    assert said.startswith("not a feed: got text/html beginning '<html> <title>Log")
    assert said.endswith("want RSS, Atom or JSON Feed")
