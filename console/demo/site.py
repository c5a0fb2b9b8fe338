"""The demo's site: serves a story's forum and feed over HTTP on loopback, showing only what is published by now."""

import hashlib
import re
import threading
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Self
from urllib.parse import parse_qs, urlsplit

from console.demo import pages
from console.demo.story import Story
from console.demo.texts import load

HOST = "127.0.0.1"
HTML, RSS, CSS, PLAIN = (
    f"{kind}; charset=utf-8" for kind in ("text/html", "application/rss+xml", "text/css", "text/plain")
)
_BOARD = re.compile(rf"{pages.FORUM}avdelning/([a-z-]+)")
_THREAD = re.compile(rf"{pages.FORUM}trad/(\d+)-[a-z0-9-]*")
_NUMBER = re.compile(r"[1-9]\d{0,3}")


class Site:
    """`with Site(story) as site:` serves until the block ends. `clock` says what time it is in the story; without one
    it is the story's end, and everything is shown. `port` 0: any free one."""

    def __init__(self, story: Story, *, clock: Callable[[], datetime] | None = None, port: int = 0) -> None:
        self._story = story
        self._clock = clock or (lambda: story.end)
        self._times = sorted(
            [post.at for thread in story.threads for post in thread.posts]
            + [article.at for article in story.articles]
        )
        self._shown = -1
        self._view = story
        self._lock = threading.Lock()
        self._server = _Server((HOST, port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="demo-site", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def base(self) -> str:
        """The site's address, without a slash at the end."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    @property
    def forum_url(self) -> str:
        return self.base + pages.FORUM

    @property
    def feed_url(self) -> str:
        return self.base + pages.FEED

    def view(self) -> Story:
        """What is published by now."""
        now = self._clock()
        with self._lock:
            shown = bisect_right(self._times, now)
            if shown != self._shown:
                self._shown, self._view = shown, self._story.until(now)
            return self._view

    def answer(self, target: str) -> tuple[str, str] | None:
        """(content type, body) of a path with its query; None when there is no such page."""
        address = urlsplit(target)
        fixed: dict[str, Callable[[], tuple[str, str]]] = {
            "/": lambda: (HTML, pages.front_page()),
            "/robots.txt": lambda: (PLAIN, pages.ROBOTS),
            pages.STYLE: lambda: (
                CSS,
                files("console.demo").joinpath("forum.css").read_text(encoding="utf-8"),
            ),
            pages.FORUM: lambda: (HTML, pages.forum_home(self.view(), load().boards)),
            pages.FEED: lambda: (RSS, pages.feed(self.view(), self.base)),
        }
        if address.path in fixed:
            return fixed[address.path]()
        html = self._listed(address.path, parse_qs(address.query).get("sida", ["1"])[-1])
        return None if html is None else (HTML, html)

    def _listed(self, path: str, wanted: str) -> str | None:
        view, boards = self.view(), load().boards
        if not _NUMBER.fullmatch(wanted):
            return None
        number = int(wanted)
        if match := _BOARD.fullmatch(path):
            board = next((board for board in boards if board.id == match[1]), None)
            return pages.board_page(view, board, number) if board else None
        if match := _THREAD.fullmatch(path):
            thread = next((thread for thread in view.threads if thread.id == match[1]), None)
            return pages.thread_page(view, thread, boards, number) if thread else None
        article = next((article for article in view.articles if article.path == path), None)
        return pages.article_page(article, view) if article else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        self.site = site
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD with keep-alive and ETag."""

    server: _Server
    server_version = "Natforum"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """The demo's terminal stays quiet."""

    def _respond(self, *, with_body: bool) -> None:
        found = self.server.site.answer(self.path)
        kind, text = found or (PLAIN, "Den sidan finns inte.\n")
        body = text.encode()
        etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        status = HTTPStatus.OK if found else HTTPStatus.NOT_FOUND
        if found and etag in self.headers.get("If-None-Match", ""):
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        if status is HTTPStatus.OK:
            self.send_header("Cache-Control", "no-cache")
        if found:
            self.send_header("ETag", etag)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)
