"""Any forum, or a blog with comments: its lists are walked, its threads read to their end, and later only what has changed."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cssselect import SelectorError
from parsel.csstranslator import HTMLTranslator
from scrapy.http import Response, TextResponse

from listener.errors import ConfigError
from listener.ports import Tally
from spiders.collector import Context, read_options
from spiders.crawling import ListeningSpider, crawl
from spiders.forum.dates import Reckoning
from spiders.forum.feed_hints import read_hints
from spiders.forum.plan import FEED, THREAD, Ask, Step
from spiders.forum.reading import read_page
from spiders.forum.view import Kind, PageView, Selectors
from spiders.forum.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class ForumOptions:
    """`[sources.options]` of a forum. `zone`: of dates that name none, when not the source's.
    `start`: further addresses to begin at.
    `depth`: how many lists deep (home, category, sub-forum …). `selectors`: CSS for markup that is not understood by itself."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    zone: str = ""
    start: tuple[str, ...] = ()
    depth: int = 4
    selectors: Selectors = field(default_factory=Selectors)


class ForumSpider(ListeningSpider):
    """Fetches what the walk asks for and hands over what the walk makes of it."""

    name = "forum"
    options_type = ForumOptions

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zone = ZoneInfo(self.options.zone or self.context.source.zone or "UTC")
        self.walk = Walk(self.context, self.report.post, depth=self.options.depth)

    async def start(self) -> AsyncIterator[Any]:
        for item in self._hand_over(self.walk.begin([self.context.source.address, *self.options.start])):
            yield item

    def _hand_over(self, step: Step) -> Iterator[Any]:
        """First what is to be stored, then what is to be fetched."""
        for words in step.warnings:
            self.warn(words)
        yield step.batch
        for ask in step.asks:
            yield self.revisit(
                ask.url,
                self.answered,
                conditional=ask.conditional,
                priority=ask.priority,
                dont_filter=True,
                cb_kwargs={"ask": ask},
            )
        last = self.walk.end()
        if last is not None:
            yield last

    def answered(self, response: Response, ask: Ask) -> Iterator[Any]:
        remember = partial(self.remember, response)
        words = self.problem(response)
        if words and ask.depth == 0 and not ask.thread and ask.role == "":
            self.fail_with(response)
            return
        if words:
            step = self.walk.failed(ask, response.status, words, remember)
        elif response.status == 304:
            step = self.walk.unchanged(ask, remember)
        elif not isinstance(response, TextResponse):
            step = self.walk.failed(ask, response.status, "is no page of text, not read", remember)
        elif ask.role == FEED:
            step = self.walk.hinted(
                ask, read_hints(response.text, Reckoning(now=self.context.now, zone=self.zone))
            )
        else:
            step = self._read(response, ask, remember)
        yield from self._hand_over(step)

    def _read(self, response: TextResponse, ask: Ask, remember: Callable[..., Any]) -> Step:
        view = read_page(
            response.text,
            response.url,
            self.options.selectors,
            now=self.context.now,
            zone=self.zone,
            above=ask.above,
            is_thread=ask.role == THREAD,
            place=self.walk.place,
        )
        if ask.depth == 0 and not ask.thread and view.kind in {Kind.LOGIN, Kind.NEITHER} and ask.role == "":
            self._nothing_here(ask, view)
        return self.walk.read(ask, view, remember)

    def _nothing_here(self, ask: Ask, view: PageView) -> None:
        if view.kind is Kind.LOGIN:
            self.fail(
                f"{ask.url}: shows a log-in form only; want an address that is open to everybody",
                permanent=True,
            )
        else:
            self.fail(
                f"{ask.url}: no threads and no posts were found there; want the address of a forum, a "
                f"list of threads or a thread, "
                "or [sources.options.selectors] that name its markup",
                permanent=not self.context.frontier.count(self.context.source.id),
            )


class ForumCollector:
    """Kind "forum"."""

    kind: ClassVar[str] = "forum"
    options: ClassVar[type] = ForumOptions

    def collect(self, context: Context) -> Tally:
        """Raises ConfigError for options that cannot be used."""
        check(read_options(ForumOptions, context.source), context.source.id)
        return crawl(ForumSpider, context)


def check(options: ForumOptions, source: str) -> None:
    """What the types do not say: a zone that exists, selectors that can be read. Raises ConfigError."""
    try:
        ZoneInfo(options.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"source {source!r}, options.zone: got {options.zone!r}; want a zone such as Europe/Stockholm"
        ) from None
    for part in fields(Selectors):
        css = getattr(options.selectors, part.name)
        try:
            if css:
                HTMLTranslator().css_to_xpath(css)
        except SelectorError as e:
            raise ConfigError(
                f"source {source!r}, options.selectors.{part.name}: got {css!r}; want a CSS selector ({e})"
            ) from None


COLLECTOR = ForumCollector()
