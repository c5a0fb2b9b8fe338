"""The feed collector with short waits, for `tests.spiders.reading`."""

from typing import ClassVar

from listener.ports import Tally
from spiders.collector import Context
from spiders.crawling import crawl
from spiders.sources.feed import FeedSpider


class Quick(FeedSpider):
    back_off: ClassVar[tuple[float, ...]] = (0.01, 0.02)


def read_feed(context: Context) -> Tally:
    return crawl(Quick, context)
