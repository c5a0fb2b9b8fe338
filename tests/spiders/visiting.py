"""A spider for tests: visits the pages it is told and notes what became of each."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from scrapy.http import Response

from listener.ports import Batch, Tally
from spiders.collector import Context
from spiders.crawling import ListeningSpider, crawl


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    paths: tuple[str, ...] = ()
    fail_on: str = ""
    break_on: str = ""


class Visiting(ListeningSpider):
    options_type = Options
    back_off: ClassVar[tuple[float, ...]] = (0.01, 0.02)

    async def start(self) -> AsyncIterator[Any]:
        for path in self.options.paths:
            url = path if "//" in path else self.context.source.address + path
            yield self.revisit(url, self.parse, cb_kwargs={"path": path})

    def parse(self, response: Response, path: str) -> Iterator[Batch]:
        if path == self.options.break_on:
            raise KeyError("a secret text of somebody")
        if path == self.options.fail_on:
            self.fail_with(response)
        words = self.problem(response) or ("unchanged" if self.unchanged(response) else "read")
        yield Batch(pages=[self.remember(response, role="list", marker="m")], notes={path: words})


def read(context: Context) -> Tally:
    return crawl(Visiting, context)
