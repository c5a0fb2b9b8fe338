"""Crawls of a loopback site: what is awkward on the web ends in words, and the rest goes on."""

import gzip
import os
import signal
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from listener.errors import ConfigError
from listener.ports import Page
from tests.spiders.loopback import Answer, Asked, Site, site
from tests.spiders.reading import Job, Reading, make_source, read

READER = "tests.spiders.visiting:read"


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as running:
        yield running


def visit(web: Site, *paths: str, options: dict[str, Any] | None = None, **changes: Any) -> Reading:
    job = {key: changes.pop(key) for key in ("pages", "refuse_batch", "refusal") if key in changes}
    address = changes.pop("address", web.address)
    source = make_source(address, options={"paths": list(paths), **(options or {})}, **changes)
    return read(Job(reader=READER, source=source, **job))


def bomb(megabytes: int) -> bytes:
    return gzip.compress(b"\0" * megabytes * 1024 * 1024)


def flaky(answers: list[Answer]) -> Any:
    return lambda asked: answers.pop(0) if len(answers) > 1 else answers[0]


AWKWARD: dict[str, tuple[Any, str]] = {
    "/ok": (Answer("<p>hej</p>"), "read"),
    "/missing": (Answer("", 404), "answered 404 (not found)"),
    "/gone": (Answer("", 410), "answered 410 (gone)"),
    "/forbidden": (Answer("", 403), "answered 403 (forbidden)"),
    "/broken": (Answer("", 500), "answered 500 (internal server error)"),
    "/odd": (Answer("", 599), "answered 599"),
    "/flaky": (flaky([Answer("", 502), Answer("", 503), Answer("<p>nu</p>")]), "read"),
    "/large": (Answer(b"x" * (8 * 1024 * 1024 + 1)), "page larger than 8 MiB, not read"),
    "/bomb": (Answer(bomb(20), headers={"Content-Encoding": "gzip"}), "page larger than 8 MiB, not read"),
    "/ratio": (Answer(bomb(2), headers={"Content-Encoding": "gzip"}), "page larger than 8 MiB, not read"),
    "/gzip": (Answer(gzip.compress(b"<p>hej</p>"), headers={"Content-Encoding": "gzip"}), "read"),
    "/twice": (
        Answer(gzip.compress(gzip.compress(b"<p>hej</p>")), headers={"Content-Encoding": "gzip, gzip"}),
        "read",
    ),
    "/deflate": (Answer(zlib.compress(b"<p>hej</p>"), headers={"Content-Encoding": "deflate"}), "read"),
    "/notgzip": (Answer(b"plain", headers={"Content-Encoding": "gzip"}), "could not be unpacked"),
    "/brotli": (Answer(b"x", headers={"Content-Encoding": "br"}), "is packed as 'br'; want gzip or deflate"),
    "/cut": (Answer("half", cut=True), "broke off in the middle of the answer"),
    "/loop": (Answer("", 302, {"Location": "/loop"}), "redirects more than 5 times"),
    "/moved": (Answer("", 301, {"Location": "/ok"}), "read"),
    "/away": (
        Answer("", 302, {"Location": "https://other.example/x"}),
        "redirects elsewhere, to https://other.example; if that is right, change the source's address",
    ),
    "/inwards": (
        Answer("", 302, {"Location": "http://127.0.0.1:6379/"}),
        "127.0.0.1: not called: port 6379; want 80, 443 or the port of the source's own address",
    ),
    "/disguised": (
        Answer("", 302, {"Location": "http://2130706433/"}),
        "redirects elsewhere, to http://2130706433; if that is right, change the source's address",
    ),
    "/utf16": (Answer("<p>hej</p>".encode("utf-16"), headers={"Content-Type": "text/html"}), "read"),
    "/nonsense": (
        Answer(b"\xff\xfe\x00\xd8\x81", headers={"Content-Type": "text/html; charset=x-klingon"}),
        "read",
    ),
    "/binary": (Answer(bytes(range(256)), headers={"Content-Type": "image/png"}), "read"),
}
ELSEWHERE = {
    "http://[::1]/": "::1: not called: has the address ::1, which is not public",
    "http://0x7f000001/": "0x7f000001: not called: has the address 127.0.0.1, which is not public",
    "http://169.254.169.254/latest": "169.254.169.254: not called: has the address 169.254.169.254",
    "http://user:secret@example.org/": "example.org: not called: the address carries a user name or password",
    "ftp://example.org/": "is a ftp address; want http or https",
    "javascript://example.org/": "is a javascript address; want http or https",
}


@pytest.fixture(scope="module")
def awkward() -> Iterator[tuple[Site, Reading]]:
    with site() as web:
        web.pages |= {path: page for path, (page, _) in AWKWARD.items()}
        yield web, visit(web, *AWKWARD, *ELSEWHERE)


@pytest.mark.parametrize("path", AWKWARD)
def test_each_awkward_page_is_named_in_words(awkward: tuple[Site, Reading], path: str) -> None:
    assert awkward[1].notes[path] == AWKWARD[path][1]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_addresses_that_must_not_be_called_are_not(awkward: tuple[Site, Reading], url: str) -> None:
    assert ELSEWHERE[url] in awkward[1].notes[url]


def test_the_rest_goes_on(awkward: tuple[Site, Reading]) -> None:
    web, reading = awkward
    assert (reading.done.error, reading.said) == ("", "")
    assert any("redirects elsewhere" in words for words in reading.done.warnings)
    assert {web.times("/flaky"), web.times("/broken"), web.times("/missing")} == {3, 1}
    states = {page.url.removeprefix(web.address): page for page in reading.pages}
    assert (states["/ok"].state, states["/missing"].state, states["/broken"].state) == (
        "ok",
        "gone",
        "failed",
    )
    assert states["/moved"].error == ""
    assert (states["/broken"].attempts, states["/ok"].marker, states["/broken"].marker) == (1, "m", "")
    agents = {asked.headers["User-Agent"] for asked in web.asked}
    assert agents == {
        "Lyhord/0.1 (+https://github.com/lyhord/lyhord; listens for a brand, honours robots.txt)"
    }
    assert not any({"Cookie", "Referer"} & set(asked.headers) for asked in web.asked)


def test_asks_only_for_what_changed(web: Site) -> None:
    def tagged(asked: Asked) -> Answer:
        if asked.headers.get("If-None-Match") == '"1"' and asked.headers.get("If-Modified-Since") == "then":
            return Answer("", 304)
        return Answer("<p>hej</p>", headers={"ETag": '"1"', "Last-Modified": "then"})

    web.pages |= {"/tagged": tagged, "/plain": Answer("same"), "/new": flaky([Answer("a"), Answer("b")])}
    first = visit(web, "/tagged", "/plain", "/new")
    second = visit(web, "/tagged", "/plain", "/new", pages=first.pages)
    assert second.notes == {"/tagged": "unchanged", "/plain": "unchanged", "/new": "read"}
    assert (second.done.pages, second.done.unchanged_pages) == (3, 2)
    kept = {page.url: page for page in second.pages}[web.address + "/tagged"]
    assert (kept.etag, kept.last_modified, kept.state) == ('"1"', "then", "ok")
    assert kept.content_hash == {page.url: page for page in first.pages}[kept.url].content_hash


def test_robots_txt_is_obeyed(web: Site) -> None:
    robots = "User-agent: *\nDisallow: /\n\nUser-agent: lyhord\nCrawl-delay: 0.4\nDisallow: /private\n"
    times: list[float] = []

    def clocked(asked: Asked) -> Answer:
        times.append(time.monotonic())
        return Answer("hej")

    web.pages |= {"/robots.txt": Answer(robots), **dict.fromkeys(["/a", "/b", "/private"], clocked)}
    reading = visit(web, "/a", "/b", "/private")
    assert reading.notes == {"/a": "read", "/b": "read", "/private": "robots.txt forbids it"}
    assert reading.done.warnings == ("robots.txt forbids a page; it was not read",)
    assert web.times("/private") == 0
    assert times[1] - times[0] > 0.35
    assert visit(web, "/private", obey_robots=False).notes == {"/private": "read"}


def test_a_robots_txt_that_cannot_be_had_forbids_everything_for_now(web: Site) -> None:
    web.pages |= {"/robots.txt": Answer("", 500), "/a": Answer("hej")}
    reading = visit(web, "/a", options={"fail_on": "/a"})
    assert reading.done.error == (
        f"{web.address}/a: its robots.txt answered 500 (internal server error), so nothing was read"
    )
    assert (reading.done.permanent, web.times("/a")) == (False, 0)


def test_waits_when_asked_for_a_moment(web: Site) -> None:
    busy = Answer("", 429, {"Retry-After": "1"})
    web.pages |= {"/busy": flaky([busy, Answer("hej")]), "/b": Answer("hej")}
    began = time.monotonic()
    reading = visit(web, "/busy")
    assert (reading.notes, reading.done.error) == ({"/busy": "read"}, "")
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("answer", "retry_after", "words"),
    [
        (Answer("", 429, {"Retry-After": "3600"}), 3600, "and asks us to come back in 3600 s"),
        (
            Answer("", 503, {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}),
            None,
            "and asks us to come back in",
        ),
        (Answer("", 429), None, "still answered 429 (too many requests)"),
    ],
)
def test_ends_the_run_when_asked_for_long(
    web: Site, answer: Answer, retry_after: float | None, words: str
) -> None:
    web.pages |= {"/busy": answer}
    reading = visit(web, "/busy", "/b")
    assert words in reading.done.error
    assert not reading.done.permanent
    assert retry_after is None or reading.done.retry_after == retry_after


def test_a_page_that_must_be_had_ends_the_run(web: Site) -> None:
    web.pages |= {"/a": Answer("", 403)}
    reading = visit(web, "/a", options={"fail_on": "/a"})
    assert reading.done.error == f"{web.address}/a: answered 403 (forbidden)"
    assert reading.done.permanent


def test_nothing_read_is_a_failure(web: Site) -> None:
    reading = visit(web, "/a", address="http://127.0.0.1:9")
    assert reading.done.error == "not one page could be read"
    assert reading.notes == {"/a": "its robots.txt refused the connection, so nothing was read"}


def test_a_broken_page_costs_only_itself_and_its_words_stay_private(web: Site) -> None:
    web.pages |= dict.fromkeys(["/a", "/b"], Answer("hej"))
    reading = visit(web, "/a", "/b", options={"break_on": "/a"})
    assert reading.notes == {"/b": "read"}
    assert "KeyError at visiting.py" in reading.done.warnings[0]
    assert reading.said.startswith("source test: reading a page failed: KeyError at visiting.py")
    assert "secret" not in reading.said + str(reading.done)


def test_a_store_that_refuses_ends_the_run(web: Site) -> None:
    web.pages |= dict.fromkeys(["/a", "/b", "/c"], Answer("hej"))
    reading = visit(web, "/a", "/b", "/c", refuse_batch=1)
    assert reading.done.error == "what was read could not be stored: the disk is full"
    assert len(reading.batches) == 1


def test_a_store_that_breaks_ends_the_run_and_its_log_holds_no_words(web: Site) -> None:
    web.pages |= dict.fromkeys(["/a", "/b"], Answer("hej"))
    reading = visit(web, "/a", "/b", refuse_batch=0, refusal=RuntimeError("no table"))
    assert reading.done.error == "what was read could not be stored: RuntimeError"
    assert reading.batches == []
    assert "storing a batch failed: RuntimeError" in reading.said
    assert "Batch(" not in reading.said


def test_reads_at_most_max_pages(web: Site) -> None:
    paths = [f"/{number}" for number in range(60)]
    web.pages |= dict.fromkeys(paths, Answer("hej"))
    reading = visit(web, *paths, max_pages=20)
    assert reading.done.pages == len(reading.pages) == 20
    assert len(web.asked) == 21  # robots.txt
    assert reading.done.warnings == ("stopped after max_pages = 20 pages; the next run goes on",)
    assert reading.done.error == ""


def test_ends_gracefully_when_asked(web: Site) -> None:
    paths = [f"/{number}" for number in range(50)]
    web.pages |= dict.fromkeys(paths, Answer("hej"))

    def stop(process: int) -> None:
        while web.times("/2") == 0:
            time.sleep(0.01)
        os.kill(process, signal.SIGTERM)

    source = make_source(web.address, options={"paths": paths}, delay=timedelta(seconds=0.2))
    reading = read(Job(reader=READER, source=source), meanwhile=stop)
    assert reading.done.error == "was asked to stop; what had been read is stored"
    assert 2 <= len(reading.batches) == reading.done.pages < 20


def test_wrong_options_are_refused_before_anything_is_asked(web: Site) -> None:
    reading = visit(web, "/a", options={"fail_on": 3})
    assert isinstance(reading.error, ConfigError)
    assert "source 'test', options.fail_on: got 3" in str(reading.error)
    assert web.asked == []


def test_a_failed_page_keeps_what_was_known_of_it(web: Site) -> None:
    web.pages |= {"/a": Answer("", 500)}
    known = Page(
        source="test",
        url=web.address + "/a",
        role="list",
        marker="old",
        etag='"1"',
        content_hash="h",
        attempts=2,
    )
    (page,) = visit(web, "/a", pages=[known]).pages
    assert (page.marker, page.etag, page.content_hash, page.attempts) == ("old", '"1"', "h", 3)
    assert (page.state, page.error) == ("failed", "answered 500 (internal server error)")


def test_an_own_site_may_be_named_and_its_neighbours_stay_closed(web: Site) -> None:
    web.pages |= {"/a": Answer("hej"), "/b": Answer("", 302, {"Location": f"http://127.0.0.1:{web.port}/a"})}
    reading = visit(web, "/a", "/b", address=f"http://localhost:{web.port}")
    assert reading.notes["/a"] == "read"
    assert "redirects elsewhere, to http://127.0.0.1" in reading.notes["/b"]
    closed = visit(web, "/a", allow_private=False)
    assert closed.notes == {
        "/a": "127.0.0.1: not called: has the address 127.0.0.1, which is not public; "
        "for a site of your own inside the network set allow_private"
    }
