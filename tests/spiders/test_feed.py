"""Feeds over HTTP: conditional reading, windows, and answers that are no feed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from listener.ports import Page
from spiders.sources.feed import Window, gap
from tests.spiders.loopback import Answer, Asked, Site, site
from tests.spiders.reading import NOW, Job, Reading, make_source, read

FIXTURES = Path(__file__).parent.parent / "fixtures" / "feed"
READER = "tests.spiders.reading_feed:read_feed"
ARTICLES = (FIXTURES / "articles.rss").read_bytes()
XML = {"Content-Type": "application/rss+xml"}


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as running:
        yield running


def visit(web: Site, before: Reading | None = None, path: str = "/feed", **changes: Any) -> Reading:
    source = make_source(web.address + path, kind="feed", **changes)
    pages: list[Page] = before.pages if before else []
    return read(Job(reader=READER, source=source, pages=pages, notes=before.notes if before else {}))


def window(*numbers: int) -> Answer:
    day = "<pubDate>Sun, 01 Mar 2026 {:02}:00:00 GMT</pubDate>"
    items = "".join(f"<item><guid>g{n}</guid><title>t{n}</title>{day.format(n)}</item>" for n in numbers)
    return Answer(f'<rss version="2.0"><channel>{items}</channel></rss>', headers=XML)


def test_reads_a_feed_once_and_then_only_when_it_changed(web: Site) -> None:
    def tagged(asked: Asked) -> Answer:
        if asked.headers.get("If-None-Match") == '"1"':
            return Answer("", 304)
        return Answer(ARTICLES, headers={**XML, "ETag": '"1"'})

    web.pages |= {"/feed": tagged}
    first = visit(web)
    assert [post.native_id for post in first.posts][:2] == ["https://resor.example/?p=41", "/tidtabell"]
    assert (first.posts[0].engagement, first.posts[0].author) == ({"comments": 7}, "Åsa")
    assert first.posts[2].published_at == NOW
    assert first.done.posts == 3
    again = visit(web, first)
    assert (again.posts, again.done.unchanged_pages, again.done.error) == ([], 1, "")
    web.pages["/feed"] = Answer(ARTICLES, headers=XML)
    assert visit(web, first).posts == []


def test_says_so_when_posts_may_have_been_missed(web: Site) -> None:
    web.pages["/feed"] = window(1, 2)
    first = visit(web)
    web.pages["/feed"] = window(2, 3)
    second = visit(web, first)
    assert (second.done.warnings, second.gone) == ((), [])
    web.pages["/feed"] = window(5, 6)
    assert visit(web, second).done.warnings == (
        "posts between 2026-03-01 03:00 UTC and 2026-03-01 05:00 UTC may be missing: "
        "nothing that the feed showed last time is left in it; read it more often",
    )
    web.pages["/feed"] = window()
    assert visit(web, second).done.warnings == ("the feed is empty; it was not when it was last read",)


def test_a_page_that_names_its_feed_is_followed_once(web: Site) -> None:
    link = '<link rel="alternate" type="application/rss+xml" href="/real">'
    web.pages |= {"/feed": Answer(link), "/real": window(1)}
    reading = visit(web)
    assert [post.native_id for post in reading.posts] == ["g1"]
    assert reading.done.warnings == (
        f"the source's address is a web page; its feed is {web.address}/real: put that in its place",
    )
    web.pages["/real"] = Answer(link)
    assert "not a feed: got text/html beginning '<link rel=" in visit(web).done.error


@pytest.mark.parametrize(
    ("answer", "words", "permanent"),
    [
        (
            Answer("<html><body>Välkommen"),
            "not a feed: got text/html beginning '<html><body>Välkommen'; want RSS",
            False,
        ),
        (Answer("", 404), "answered 404 (not found)", True),
        (Answer("", 500), "answered 500 (internal server error)", False),
        (
            Answer("<rss>" + " " * 5_000_000, headers=XML),
            "the feed is 4.8 MiB, larger than 4 MiB; not read",
            False,
        ),
        (Answer("<rss>" + " " * 10_000_000, headers=XML), "page larger than 8 MiB, not read", False),
        (Answer('<!DOCTYPE rss [<!ENTITY a "b">]><rss/>', headers=XML), "defines its own entities", True),
        (
            Answer("", 302, {"Location": "https://other.example/"}),
            "redirects elsewhere, to https://other.example",
            True,
        ),
    ],
)
def test_what_is_no_feed_is_said_in_words(web: Site, answer: Answer, words: str, permanent: bool) -> None:
    web.pages["/feed"] = answer
    tally = visit(web).done
    assert words in tally.error
    assert tally.permanent == permanent


def test_a_feed_that_breaks_off_is_read_as_far_as_it_goes(web: Site) -> None:
    whole = window(1, 2, 3).body
    assert isinstance(whole, str)
    web.pages["/feed"] = Answer(whole[: whole.index("t3")], headers=XML)
    reading = visit(web)
    assert [post.native_id for post in reading.posts] == ["g1", "g2"]
    assert reading.done.warnings == ("the feed breaks off; the 2 entries before that were read",)


def test_a_gap_is_only_said_of_full_windows_that_do_not_meet() -> None:
    before = Window(frozenset({"a", "b"}), NOW - timedelta(days=1))
    assert Window.read(before.note()) == before
    assert Window.read("") is None
    assert gap(None, []) == ""
    assert gap(before, []) == ""
