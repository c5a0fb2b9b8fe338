"""What every Scrapy kind shares: the base spider, its settings, and `crawl`, which runs one spider to its
end.

A page that could not be had is no exception: its callback gets a response whose `status` says so (NO_ANSWER
when there was none) and `problem(response)` puts it into words. A spider yields Batches; each is stored at
once.
"""

import asyncio
import hashlib
import logging
import signal
import traceback
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, ClassVar

import scrapy
from scrapy import signals
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.exceptions import DropItem
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from twisted.python.failure import Failure

from listener.config import Source
from listener.errors import LyhordError, SourceError, StoreError
from listener.ports import Batch, Page, Tally
from spiders import middlewares
from spiders.collector import Context, Report, read_options
from spiders.egress import GUARD_SETTING, Guard, GuardedResolver
from spiders.middlewares import MAX_PAGE_BYTES, NO_ANSWER

USER_AGENT = "Lyhord/0.1 (+https://github.com/lyhord/lyhord; listens for a brand, honours robots.txt)"
ASKED, KNOWN, UNCHANGED = "lyhord_asked", "lyhord_known", "lyhord_unchanged"
READ, NOT_MODIFIED = 200, 304
GONE = frozenset({404, 410})
MUST_ACT = frozenset({401, 403, 404, 407, 410, 451})
"""Answers that stay until somebody changes something."""

log = logging.getLogger(__name__)


class ListeningSpider(scrapy.Spider):
    """Base of every Scrapy kind: reads `context.source` once. Set `options_type`, write `parse` (and `start`,
    when the first page is not the source's address)."""

    name = "listening"
    options_type: ClassVar[type]
    back_off: ClassVar[tuple[float, ...]] = (1.0, 5.0)
    """Seconds to wait before each new try of a page that failed."""

    def __init__(self, *, context: Context, report: Report, guard: Guard, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.context = context
        self.report = report
        self.options: Any = read_options(self.options_type, context.source)
        self.guard = guard
        self.ending = False

    async def start(self) -> AsyncIterator[Any]:
        yield self.revisit(self.context.source.address, self.parse)

    def known(self, url: str) -> Page | None:
        """What the frontier remembers of a page."""
        return self.context.frontier.get(self.context.source.id, url)

    def revisit(self, url: str, callback: Any, *, conditional: bool = True, **kwargs: Any) -> scrapy.Request:
        """A request that asks "only if changed" when we have read the page before (`conditional`). Further
        arguments are those of scrapy.Request (cb_kwargs, meta, priority, dont_filter)."""
        page = self.known(url)
        headers = dict(kwargs.pop("headers", {}))
        if page is not None and conditional:
            headers |= {"If-None-Match": page.etag} if page.etag else {}
            headers |= {"If-Modified-Since": page.last_modified} if page.last_modified else {}
        meta = {**kwargs.pop("meta", {}), ASKED: url, KNOWN: page}
        return scrapy.Request(url, callback=callback, headers=headers, meta=meta, **kwargs)

    def problem(self, response: Response) -> str:
        """Why the page could not be read, in words; "" when it was read, or has not changed."""
        return middlewares.problem(response)

    def unchanged(self, response: Response) -> bool:
        """Whether the page is, byte for byte, what it was when it was last read."""
        return bool(response.meta.get(UNCHANGED))

    def remember(
        self,
        response: Response,
        *,
        role: str,
        thread: str = "",
        number: int = 1,
        marker: str = "",
        newest: datetime | None = None,
        next_at: datetime | None = None,
    ) -> Page:
        """The frontier row of a page just asked for, under the address that was asked (not the one redirected
        to). A page that was not read keeps what we knew of its content, and its old marker: so it is read
        again."""
        known: Page | None = response.meta.get(KNOWN)
        words = self.problem(response)
        fresh = response.status == READ
        return Page(
            source=self.context.source.id,
            url=response.meta.get(ASKED, response.url),
            role=role,
            thread=thread,
            number=number,
            state=_state(response, words),
            marker=(known.marker if known else "") if words else marker,
            etag=_header(response, "ETag") if fresh else (known.etag if known else ""),
            last_modified=_header(response, "Last-Modified")
            if fresh
            else (known.last_modified if known else ""),
            content_hash=content_hash(response) if fresh else (known.content_hash if known else ""),
            newest_post_at=newest or (known.newest_post_at if known else None),
            fetched_at=self.context.now,
            next_at=next_at,
            attempts=(known.attempts if known else 0) + 1 if words else 0,
            error=words,
        )

    def warn(self, words: str) -> None:
        """Say in the run's report, in words for the operator, that something is odd."""
        self.report.warn(words)

    def fail(self, words: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        """End the run with an error; what is stored stays."""
        self.report.fail(words, permanent=permanent, retry_after=retry_after)
        self.end("failed")

    def fail_with(self, response: Response) -> None:
        """End the run because this page, without which there is nothing to read, could not be had."""
        lasting = response.status in MUST_ACT or middlewares.is_lasting(response)
        self.fail(f"{response.meta.get(ASKED, response.url)}: {self.problem(response)}", permanent=lasting)

    def end(self, reason: str) -> None:
        """Stop asking for pages. Those under way are still read."""
        if not self.ending:
            self.ending = True
            self._closing = asyncio.ensure_future(self.crawler.engine.close_spider_async(reason=reason))


def content_hash(response: Response) -> str:
    return hashlib.sha256(response.body).hexdigest()


def _state(response: Response, words: str) -> str:
    if not words:
        return "ok"
    return "gone" if response.status in GONE else "failed"


def _header(response: Response, name: str) -> str:
    return (response.headers.get(name) or b"").decode("latin-1")[:500]


class PageCounter:
    """Spider middleware: counts pages, knows those that have not changed, and keeps one broken page from
    costing the run."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "PageCounter":
        return cls(crawler)

    def _spider(self) -> ListeningSpider:
        spider = self._crawler.spider
        if not isinstance(spider, ListeningSpider):
            raise TypeError(f"{type(spider).__name__} is no ListeningSpider")
        return spider

    def process_spider_input(self, response: Response) -> None:
        if response.status == NO_ANSWER:
            return
        report, known = self._spider().report, response.meta.get(KNOWN)
        report.pages += 1
        same = response.status == READ and known is not None and known.content_hash == content_hash(response)
        if same or response.status == NOT_MODIFIED:
            response.meta[UNCHANGED] = True
            report.unchanged_pages += 1

    def process_spider_exception(self, response: Response, exception: Exception) -> Iterable[Any]:
        spider = self._spider()
        if isinstance(exception, SourceError):
            spider.fail(str(exception), permanent=exception.permanent, retry_after=exception.retry_after)
        elif isinstance(exception, LyhordError):
            spider.fail(str(exception), permanent=exception.permanent)
        else:
            place = traceback.extract_tb(exception.__traceback__)[-1]
            words = f"{type(exception).__name__} at {place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
            log.error("source %s: reading a page failed: %s", spider.context.source.id, words)
            spider.warn(f"a page could not be understood: {words}; please report this")
        return []


class Storing:
    """Item pipeline: every Batch is stored before anything else happens to it. A store that refuses ends the
    run, and what comes after is left for the next run."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._refused = False
        crawler.signals.connect(self._broke, signal=signals.item_error)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Storing":
        return cls(crawler)

    def process_item(self, item: Batch) -> Batch:
        spider = self._crawler.spider
        if not isinstance(spider, ListeningSpider) or self._refused:
            raise DropItem("not stored")
        try:
            spider.context.sink(item)
        except StoreError as e:
            self._refused = True
            spider.fail(f"what was read could not be stored: {e}", permanent=e.permanent)
            raise DropItem("not stored") from None
        spider.report.stored(item)
        return item

    def _broke(self, spider: scrapy.Spider, failure: Failure) -> None:
        """The store did not refuse but failed in a way nobody foresaw: not a word may be lost silently."""
        self._refused = True
        if isinstance(spider, ListeningSpider):
            spider.fail(f"what was read could not be stored: {type(failure.value).__name__}")


class DiscreetLog(LogFormatter):
    """Scrapy would log items, and items are people's words."""

    def scraped(
        self, item: Any, response: Response | Failure | None, spider: scrapy.Spider
    ) -> LogFormatterResult:
        return {"level": logging.DEBUG, "msg": "stored a batch", "args": ()}

    def dropped(
        self,
        item: Any,
        exception: BaseException,
        response: Response | Failure | None,
        spider: scrapy.Spider,
    ) -> LogFormatterResult:
        return {"level": logging.DEBUG, "msg": "did not store a batch", "args": ()}

    def item_error(
        self,
        item: Any,
        exception: BaseException,
        response: Response | Failure | None,
        spider: scrapy.Spider,
    ) -> LogFormatterResult:
        return {
            "level": logging.ERROR,
            "msg": "storing a batch failed: %s",
            "args": (type(exception).__name__,),
        }


def settings(source: Source, guard: Guard) -> dict[str, Any]:
    """Scrapy settings for one source: polite, bounded, and nothing that listens or executes."""
    delay = source.delay.total_seconds()
    return {
        "USER_AGENT": USER_AGENT,
        "DOWNLOAD_DELAY": delay,
        "DOWNLOAD_DELAY_JITTER": 0,
        "CONCURRENT_REQUESTS": 2 if delay else 8,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1 if delay else 8,
        "DOWNLOAD_MAXSIZE": MAX_PAGE_BYTES,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_TIMEOUT": 30,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_HANDLERS": {"file": None, "data": None, "ftp": None, "s3": None},
        "TWISTED_DNS_RESOLVER": GuardedResolver,
        GUARD_SETTING: guard,
        "DOWNLOADER_MIDDLEWARES_BASE": middlewares.chain(obey_robots=source.obey_robots),
        "SPIDER_MIDDLEWARES": {PageCounter: 10},
        "ITEM_PIPELINES": {Storing: 100},
        "EXTENSIONS_BASE": {},  # none is wanted, and loading them takes half a second
        "LOG_FORMATTER": DiscreetLog,
        "LOG_LEVEL": "ERROR",
        "HTTPERROR_ALLOW_ALL": True,
        "REDIRECT_MAX_TIMES": 5,
        "REFERRER_POLICY": "no-referrer",
        "DEFAULT_REQUEST_HEADERS": {"Accept-Language": "sv, nb, da, fi, en;q=0.8, *;q=0.5"},
        **dict.fromkeys(["TELNETCONSOLE_ENABLED", "REMOTE_CONTROL_ENABLED", "COOKIES_ENABLED"], False),
        **dict.fromkeys(["STATS_DUMP", "LOG_VERSIONS", "LOG_INSTALL_ROOT_HANDLER"], False),
    }


def crawl(spider_class: type[ListeningSpider], context: Context) -> Tally:
    """Read a source with one spider, in this process, which must end afterwards: a reactor cannot be started
    twice. SIGTERM and SIGINT end the crawl gracefully. Raises ConfigError for wrong options.
    """
    source = context.source
    read_options(spider_class.options_type, source)
    report, guard = Report(), Guard(address=source.address, allow_private=source.allow_private)
    process = AsyncCrawlerProcess(settings(source, guard))
    logging.getLogger("scrapy").setLevel(logging.ERROR)  # what it would say stands in the report, in words
    crawler = process.create_crawler(spider_class)
    run = process.crawl(crawler, context=context, report=report, guard=guard)
    for number in (signal.SIGTERM, signal.SIGINT):
        run.get_loop().add_signal_handler(number, _asked_to_stop, crawler)
    process.start(install_signal_handlers=False)
    if run.done() and not run.cancelled() and (error := run.exception()) is not None:
        report.fail(f"the crawl broke: {type(error).__name__}")
    if not report.pages:
        report.fail("; ".join(report.warnings) or "not one page could be read")
    return report.tally()


def _asked_to_stop(crawler: Crawler) -> None:
    if isinstance(crawler.spider, ListeningSpider):
        crawler.spider.fail("was asked to stop; what had been read is stored")
