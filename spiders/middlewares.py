"""Scrapy middlewares: what makes a crawl polite (robots.txt, Retry-After, back-off), bounded and confined.

None of them lets an exception reach the spider: a page that could not be had becomes a response with status
NO_ANSWER.
"""

import asyncio
import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, ClassVar, Protocol, cast
from urllib.parse import urlsplit

from protego import Protego
from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.defaultheaders import DefaultHeadersMiddleware
from scrapy.downloadermiddlewares.downloadtimeout import DownloadTimeoutMiddleware
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.downloadermiddlewares.useragent import UserAgentMiddleware
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import Response, TextResponse
from scrapy.http.request import NO_CALLBACK

from listener.errors import SourceError
from spiders.collector import Context
from spiders.egress import Guard, normal_host

MAX_PAGE_BYTES = 8 * 1024 * 1024
MAX_RATIO = 100
"""Unpacked bytes per packed byte, for pages over SMALL."""
SMALL = 256 * 1024
TOO_LARGE = "page larger than 8 MiB, not read"
NO_ANSWER = 0
"""The status of a response that stands for a page which could not be had."""
ROBOTS_AGENT = "Lyhord"
MAX_ROBOTS_CHARS = 512 * 1024
LONGEST_WAIT = 60.0
"""Seconds that a run waits when a host asks it to; when asked for more, the run ends."""
PROBLEM, TRIES, IS_ROBOTS = "lyhord_problem", "lyhord_tries", "lyhord_robots"
TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504, 522, 524})
TRY_AGAIN_AFTER = (
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
)


class Listening(Protocol):
    """What the middlewares need of the spider."""

    back_off: ClassVar[tuple[float, ...]]
    context: Context
    guard: Guard
    ending: bool

    def warn(self, words: str) -> None: ...
    def fail(self, words: str, *, permanent: bool = False, retry_after: float | None = None) -> None: ...
    def end(self, reason: str) -> None: ...


def chain(*, obey_robots: bool) -> dict[Any, int]:
    """DOWNLOADER_MIDDLEWARES_BASE: a request passes from low to high, a response from high to low. Scrapy's own
    are named one by one: others (cookies, proxies, caches) are not even loaded."""
    ours: dict[Any, int] = {Outcome: 10, Egress: 20, Patience: 550, Unpacking: 590, Redirects: 600}
    return {
        **ours,
        **({Robots: 100} if obey_robots else {}),
        DownloadTimeoutMiddleware: 350,
        DefaultHeadersMiddleware: 400,
        UserAgentMiddleware: 500,
    }


# ------------------------------------------------------------------------------------------------ words


def problem(response: Response) -> str:
    """Why a page was not had, in words; "" when it was, or has not changed."""
    if response.status == NO_ANSWER:
        return str(response.meta[PROBLEM][0])
    if response.status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        return ""
    try:
        return f"answered {response.status} ({HTTPStatus(response.status).phrase.lower()})"
    except ValueError:
        return f"answered {response.status}"


def is_lasting(response: Response) -> bool:
    """Whether a page that could not be had stays so until somebody changes something."""
    return response.status == NO_ANSWER and bool(response.meta[PROBLEM][1])


def no_answer(request: Request, words: str, *, lasting: bool = False) -> Response:
    request.meta[PROBLEM] = (words, lasting)
    return TextResponse(request.url, status=NO_ANSWER, request=request, encoding="utf-8")


def words_for(error: Exception) -> str:
    """An exception of the download, as an operator would say it."""
    if isinstance(error, DownloadFailedError | ResponseDataLossError):
        return (
            "its certificate is not valid"
            if "certificate" in str(error)
            else "broke off in the middle of the answer"
        )
    said: Mapping[type[Exception], str] = {
        DownloadTimeoutError: "did not answer within 30 s",
        DownloadConnectionRefusedError: "refused the connection",
        CannotResolveHostError: "no such host was found",
        DownloadCancelledError: TOO_LARGE,
    }
    return said.get(type(error), f"could not be read ({type(error).__name__})")


def asked_wait(response: Response, now: datetime) -> float | None:
    """Seconds of a Retry-After header (a number or a date); None without a readable one."""
    raw = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if raw.isdecimal() and raw.isascii():
        return float(raw[:9])
    try:
        until = parsedate_to_datetime(raw)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def same_site(one: str, other: str) -> bool:
    """Whether two hosts are one site: equal but for a leading "www."."""
    return normal_host(one).removeprefix("www.") == normal_host(other).removeprefix("www.")


# ------------------------------------------------------------------------------------------------ middlewares


class _Ours:
    """A middleware that knows the spider."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Any:
        return cls(crawler)

    @property
    def _spider(self) -> Listening:
        return cast(Listening, self._crawler.spider)


class Enough(IgnoreRequest):
    """The run has asked for as many pages as it may; this one is left, unremembered, for the next run."""


class Outcome(_Ours):
    """Nearest to the spider: lets through as many requests as a run may make, and turns what nobody else has mended into a
    response that says what is wrong."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._asked = 0

    def process_request(self, request: Request) -> None:
        if request.meta.get(IS_ROBOTS) or request.meta.get(TRIES):
            return
        spider = self._spider
        limit = spider.context.source.max_pages
        if self._asked >= limit:
            if not spider.ending:
                spider.warn(f"stopped after max_pages = {limit} pages; the next run goes on")
                spider.end("max_pages")
            raise Enough
        self._asked += 1

    def process_exception(self, request: Request, exception: Exception) -> Response | None:
        if isinstance(exception, Enough):
            return None
        if isinstance(exception, SourceError):
            return no_answer(request, str(exception), lasting=exception.permanent)
        return no_answer(request, words_for(exception))


class Egress(_Ours):
    """Every request, redirects and robots.txt included, passes the guard; its name is looked up here and
    nowhere else."""

    async def process_request(self, request: Request) -> None:
        guard = self._spider.guard
        host = guard.check_url(request.url)
        if not guard.pinned(host):
            await asyncio.to_thread(guard.resolve, host)


class Robots(_Ours):
    """Obeys robots.txt (RFC 9309) and its Crawl-delay. A robots.txt that cannot be had forbids everything; a
    missing one forbids nothing."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._rules: dict[str, asyncio.Task[Protego | str]] = {}

    async def process_request(self, request: Request) -> Response | None:
        if request.meta.get(IS_ROBOTS):
            return None
        parts = urlsplit(request.url)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._rules:
            self._rules[site] = asyncio.ensure_future(self._read(site))
        rules = await asyncio.shield(self._rules[site])
        if isinstance(rules, str):
            return no_answer(request, f"its robots.txt {rules}, so nothing was read")
        if rules.can_fetch(request.url, ROBOTS_AGENT):
            return None
        self._spider.warn("robots.txt forbids a page; it was not read")
        return no_answer(request, "robots.txt forbids it", lasting=True)

    async def _read(self, site: str) -> Protego | str:
        """The rules of a site, or why they could not be had."""
        wanted = Request(f"{site}/robots.txt", meta={IS_ROBOTS: True}, callback=NO_CALLBACK, priority=1000)
        response = await self._crawler.engine.download_async(wanted)
        if response.status == HTTPStatus.OK and isinstance(response, TextResponse):
            rules = Protego.parse(response.text[:MAX_ROBOTS_CHARS])
            self._slow_down(site, rules.crawl_delay(ROBOTS_AGENT))
            return rules
        away = response.status == NO_ANSWER and not is_lasting(response)
        if away or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status == 429:
            return problem(response)
        return Protego.parse("")

    def _slow_down(self, site: str, asked: float | None) -> None:
        if asked is None:
            return
        if asked > LONGEST_WAIT:
            self._spider.warn(f"robots.txt asks for {asked:g} s between pages; we wait {LONGEST_WAIT:g} s")
        downloader = self._crawler.engine.downloader
        host = urlsplit(site).hostname or ""
        delay = max(min(asked, LONGEST_WAIT), self._crawler.settings.getfloat("DOWNLOAD_DELAY"))
        downloader.per_slot_settings[host] = {"delay": delay, "concurrency": 1}
        if (slot := downloader.slots.get(host)) is not None:
            slot.delay, slot.concurrency = delay, 1


class Patience(_Ours):
    """Tries again, later each time; waits when a host asks for it, and ends the run when it asks for much."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._open_at: dict[str, float] = {}

    async def process_request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname or ""
        await self._sleep(self._open_at.get(host, 0.0) - asyncio.get_running_loop().time())

    async def process_response(self, request: Request, response: Response) -> Request | Response:
        if response.status not in TRY_AGAIN:
            return response
        host = urlsplit(request.url).hostname or ""
        wait = asked_wait(response, datetime.now(UTC)) if response.status in (429, 503) else None
        if wait is not None and wait > LONGEST_WAIT:
            words = f"{host} {problem(response)} and asks us to come back in {wait:.0f} s"
            self._spider.fail(words, retry_after=wait)
            return response
        if wait:
            self._open_at[host] = asyncio.get_running_loop().time() + wait
        again = await self._again(request, wait)
        if again is None and response.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._spider.fail(f"{host} still {problem(response)}", retry_after=wait)
        return again or response

    async def process_exception(self, request: Request, exception: Exception) -> Request | None:
        return await self._again(request, None) if isinstance(exception, TRY_AGAIN_AFTER) else None

    async def _again(self, request: Request, wait: float | None) -> Request | None:
        tries, pauses = request.meta.get(TRIES, 0), self._spider.back_off
        if tries >= len(pauses) or self._spider.ending:
            return None
        await self._sleep(pauses[tries] if wait is None else wait)
        return request.replace(meta={**request.meta, TRIES: tries + 1}, dont_filter=True)

    async def _sleep(self, seconds: float) -> None:
        """In small steps, so that a run that is to end does not wait."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0 and not self._spider.ending:
            await asyncio.sleep(min(left, 0.2))


class Unpacking(HttpCompressionMiddleware):
    """Unpacks gzip and deflate, and nothing else, up to a limit that no page reaches and a bomb does."""

    def process_request(self, request: Request, spider: Spider | None = None) -> None:
        request.headers["Accept-Encoding"] = "gzip, deflate"
        request.meta.pop("download_maxsize", None)

    def process_response(
        self, request: Request, response: Response, spider: Spider | None = None
    ) -> Request | Response:
        packed = b",".join(response.headers.getlist("Content-Encoding")).decode("latin-1").lower()
        if set(packed.replace(",", " ").split()) - {"gzip", "x-gzip", "deflate", "identity"}:
            return no_answer(request, f"is packed as {packed[:40]!r}; want gzip or deflate")
        request.meta["download_maxsize"] = min(MAX_PAGE_BYTES, max(SMALL, MAX_RATIO * len(response.body)))
        try:
            return super().process_response(request, response)
        except IgnoreRequest:
            return no_answer(request, TOO_LARGE)
        except (OSError, EOFError, zlib.error, struct.error):
            return no_answer(request, "could not be unpacked")


class Redirects(RedirectMiddleware):
    """Follows redirects within a site. One to elsewhere is refused: the operator decides where we listen."""

    def process_response(
        self, request: Request, response: Response, spider: Spider | None = None
    ) -> Request | Response:
        try:
            result = super().process_response(request, response)
        except IgnoreRequest:
            return no_answer(request, f"redirects more than {self.max_redirect_times} times")
        except ValueError:
            return no_answer(request, "redirects to an unreadable address", lasting=True)
        if isinstance(result, Response):
            return result
        old, new = urlsplit(request.url), urlsplit(result.url)
        if not same_site(old.hostname or "", new.hostname or ""):
            words = f"redirects elsewhere, to {new.scheme}://{new.netloc[:80]}"
            cast(Listening, self.crawler.spider).warn(f"a page {words}; it was not followed")
            return no_answer(request, f"{words}; if that is right, change the source's address", lasting=True)
        return result.replace(dont_filter=True)
