"""A feed of comments as a hint: which threads have something new. Pure; the texts in the feed are not used."""

from dataclasses import dataclass
from datetime import datetime

from parsel import Selector

from spiders.forum.dates import Reckoning, parse_attribute

MAX_CHARS = 2_000_000


@dataclass(frozen=True, slots=True)
class Hint:
    """Something was said at `url` (a permalink with the thread's address before its fragment)."""

    url: str
    at: datetime


def read_hints(xml: str, reckoning: Reckoning) -> list[Hint]:
    """RSS or Atom → hints in the feed's order; [] for anything else. Entities are refused, not resolved."""
    if "<!DOCTYPE" in xml[:2_000] or len(xml) > MAX_CHARS or "<" not in xml:
        return []
    hints: list[Hint] = []
    for entry in Selector(text=xml, type="xml").xpath("//*[local-name()='item' or local-name()='entry']")[
        :500
    ]:
        link = (
            entry.xpath("*[local-name()='link']/text()").get()
            or entry.xpath("*[local-name()='link']/@href").get()
        )
        said = entry.xpath(
            "*[local-name()='pubDate' or local-name()='published' or local-name()='updated' or "
            "local-name()='date']/text()"
        ).get()
        found = parse_attribute(said, reckoning) if said else None
        if link and found:
            hints.append(Hint(link.strip(), found.at))
    return hints
