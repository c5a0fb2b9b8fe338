"""The demo's site, over real HTTP."""

import http.client
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

import feedparser
import pytest
from parsel import Selector

from console.demo.site import Site
from console.demo.story import Story, tell

END = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def story() -> Story:
    return tell(END, zone=ZoneInfo("Europe/Stockholm"))


@pytest.fixture(scope="module")
def site(story: Story) -> Iterator[Site]:
    with Site(story) as running:
        yield running


class Reader:
    """Reads pages over one kept-alive connection."""

    def __init__(self, base: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)

    def get(self, url: str, etag: str = "", method: str = "GET") -> tuple[int, str, str]:
        """(status, etag, body)"""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._connection.request(method, target, headers={"If-None-Match": etag} if etag else {})
        answer = self._connection.getresponse()
        return answer.status, answer.getheader("ETag", ""), answer.read().decode()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def reader(site: Site) -> Iterator[Reader]:
    reading = Reader(site.base)
    yield reading
    reading.close()


def walk(reader: Reader, start: str) -> dict[str, str]:
    """Every page that links lead to from `start`, by address without the fragment."""
    found: dict[str, str] = {}
    waiting = [start]
    while waiting:
        url = waiting.pop()
        if url in found:
            continue
        status, _, found[url] = reader.get(url)
        assert status == 200, url
        links = Selector(found[url]).css("a::attr(href)").getall()
        waiting += [urljoin(url, link).partition("#")[0] for link in links]
    return found


def test_every_post_is_reached_exactly_once_by_walking_lists_and_pages(
    story: Story, site: Site, reader: Reader
) -> None:
    pages = walk(reader, site.forum_url)
    shown = Counter[tuple[str, str, str, str]]()
    for html in pages.values():
        for post in Selector(html).css("article.post"):
            number = post.attrib["id"].removeprefix("inlagg-")
            text = "\n\n".join(post.css(".text p").xpath("string()").getall())
            at = datetime.fromisoformat(post.css("time::attr(datetime)").get(""))
            shown[number, post.css(".writer::text").get(""), text, at.astimezone(UTC).isoformat()] += 1
    told = Counter(
        (p.id, p.author, p.text, p.at.isoformat()) for thread in story.threads for p in thread.posts
    )
    assert shown == told


def test_lists_show_replies_last_post_and_at_most_25_threads(
    story: Story, site: Site, reader: Reader
) -> None:
    listed: dict[str, tuple[str, str]] = {}
    for url, html in walk(reader, site.forum_url).items():
        rows = Selector(html).css("table.threads tbody tr")
        assert len(rows) <= 25, url
        for row in rows:
            number = row.css("a::attr(href)").re_first(r"trad/(\d+)-") or ""
            assert number not in listed
            listed[number] = (row.css(".count::text").get(""), row.css("time::attr(datetime)").get(""))
    for thread in story.threads:
        replies, last = listed.pop(thread.id)
        assert replies == f"{len(thread.posts) - 1} svar"
        assert datetime.fromisoformat(last) == thread.posts[-1].at
    assert not listed


def test_a_thread_has_20_posts_a_page_and_links_to_the_next(story: Story, site: Site, reader: Reader) -> None:
    longest = max(story.threads, key=lambda thread: len(thread.posts))
    url: str | None = next(
        u for u in walk(reader, site.forum_url) if f"/trad/{longest.id}-" in u and "sida" not in u
    )
    sizes = []
    while url:
        page = Selector(reader.get(url)[2])
        sizes.append(len(page.css("article.post")))
        following = page.css("a[rel=next]::attr(href)").get()
        url = urljoin(url, following) if following else None
    assert set(sizes[:-1]) == {20}
    assert sum(sizes) == len(longest.posts)


def test_the_pinned_thread_stands_first_in_its_list(site: Site, reader: Reader) -> None:
    first = Selector(reader.get(f"{site.forum_url}avdelning/fikarummet")[2]).css("table.threads tbody tr")[0]
    assert first.css(".pin")
    assert "Läs det här först" in first.css("a::text").get("")


def test_the_feed_holds_every_article_and_each_has_its_page(story: Story, site: Site, reader: Reader) -> None:
    parsed = feedparser.parse(reader.get(site.feed_url)[2].encode())
    assert not parsed.bozo
    got = [(entry.title, entry.author, entry.published_parsed[:6]) for entry in parsed.entries]
    told = [(a.title, a.outlet, tuple(a.at.timetuple()[:6])) for a in reversed(story.articles)]
    assert got == told
    for entry, article in zip(parsed.entries, reversed(story.articles), strict=True):
        status, _, html = reader.get(entry.link)
        assert status == 200
        assert article.text.split("\n\n")[0] in Selector(html).css("article").xpath("string()").get("")


@pytest.mark.parametrize(
    "path",
    ["/forum/", "/nyheter/rss.xml", "/forum/avdelning/fjelltele", "/robots.txt", "/", "/forum/stil.css"],
)
def test_an_unchanged_page_is_304(site: Site, reader: Reader, path: str) -> None:
    status, etag, body = reader.get(site.base + path)
    assert (status, bool(etag), bool(body)) == (200, True, True)
    assert reader.get(site.base + path, etag) == (304, etag, "")
    assert reader.get(site.base + path, '"other"')[0] == 200
    assert reader.get(site.base + path, method="HEAD") == (200, etag, "")


@pytest.mark.parametrize(
    "path",
    ["/x", "/forum/avdelning/finns-inte", "/forum/avdelning/fjelltele?sida=99", "/forum/avdelning/fjelltele?sida=0",
     "/forum/avdelning/fjelltele?sida=x", "/forum/trad/1-x", "/nyheter/1-x", "/forum/../etc/passwd"],
)  # fmt: skip
def test_what_is_not_there_is_404_and_the_connection_goes_on(site: Site, reader: Reader, path: str) -> None:
    assert reader.get(site.base + path)[0] == 404
    assert reader.get(site.forum_url)[0] == 200


def test_posts_are_revealed_as_the_clock_goes(story: Story) -> None:
    now = story.end - timedelta(hours=1)
    with Site(story, clock=lambda: now) as site:
        reader = Reader(site.base)
        before = sum(html.count('<article class="post"') for html in walk(reader, site.forum_url).values())
        _, etag, _ = reader.get(site.feed_url)
        now = story.end
        after = sum(html.count('<article class="post"') for html in walk(reader, site.forum_url).values())
        assert reader.get(site.feed_url, etag)[0] == 200
        reader.close()
    hour = [p for t in story.threads for p in t.posts if p.at > story.end - timedelta(hours=1)]
    assert after - before == len(hour) > 50


def test_it_is_fast_enough_for_a_crawl(story: Story, site: Site, reader: Reader) -> None:
    thread = next(t for t in story.threads if len(t.posts) > 20)
    path = f"{site.forum_url}trad/{thread.id}-x"
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(150):
            reader.get(path)
        rates.append(150 / (time.perf_counter() - started))
    assert max(rates) >= 150  # measured: 300 to 600; half, because the machine may be busy


def test_the_port_is_free_again_afterwards(story: Story) -> None:
    with Site(story) as first:
        port = urlsplit(first.base).port or 0
    with Site(story, port=port) as again:
        reader = Reader(again.base)
        assert reader.get(again.forum_url)[0] == 200
        reader.close()
