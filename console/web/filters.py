"""Filters: which mentions a page shows, read from an address and written into one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from listener.mention import CHANNELS, LANGUAGES, THEMES, UNDETERMINED, Mention, Signal
from listener.ports import Where
from listener.query import Query

LONGEST = 4000
"""Characters of one value; an address is short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Empty fields do not filter. `text` is the query as typed; `before` is the last mention of the page before."""

    brand: str = ""
    signal: Signal | None = None
    start: datetime | None = None
    end: datetime | None = None
    text: str = ""
    channel: str = ""
    language: str = ""
    theme: str = ""
    source: str = ""
    before: tuple[datetime, str] | None = None

    @property
    def any(self) -> bool:
        """Whether anything but the brand narrows the list."""
        return replace(self, brand="", before=None) != Filters()

    def where(self, query: Query | None) -> Where:
        signal = None if self.signal is Signal.VOLUME else self.signal
        return Where(
            brand=self.brand, start=self.start, end=self.end, channel=self.channel, language=self.language,
            theme=self.theme, source=self.source, signal=signal, query=query,
        )  # fmt: skip

    def after(self, mention: Mention) -> "Filters":
        """The page of older mentions that follows this one."""
        return replace(self, before=(mention.published_at, mention.id))

    def link(self) -> str:
        """The address of the mentions page that shows them."""
        pairs = {
            "brand": self.brand, "signal": self.signal or "", "from": _written(self.start), "to": _written(self.end),
            "q": self.text, "channel": self.channel, "lang": self.language, "theme": self.theme,
            "source": self.source, "before": f"{_written(self.before[0])}~{self.before[1]}" if self.before else "",
        }  # fmt: skip
        query = urlencode({key: value for key, value in pairs.items() if value})
        return f"/mentions?{query}" if query else "/mentions"


def read_filters(params: Mapping[str, str], *, brands: tuple[str, ...], sources: tuple[str, ...]) -> Filters:
    """What an address asks for. A value that we do not know is passed over, as if it were not there."""

    def one_of(name: str, values: tuple[str, ...]) -> str:
        return params.get(name, "") if params.get(name) in values else ""

    signal = one_of("signal", tuple(Signal))
    at, _, mention = params.get("before", "").partition("~")
    before = read_time(at)
    return Filters(
        brand=one_of("brand", brands) or (brands[0] if len(brands) == 1 else ""),
        signal=Signal(signal) if signal else None,
        start=read_time(params.get("from", "")),
        end=read_time(params.get("to", "")),
        text=params.get("q", "").strip()[:LONGEST],
        channel=one_of("channel", CHANNELS),
        language=one_of("lang", (*LANGUAGES, UNDETERMINED)),
        theme=one_of("theme", THEMES),
        source=one_of("source", sources),
        before=(before, mention[:64]) if before and mention else None,
    )


def read_time(written: str) -> datetime | None:
    """An ISO time in UTC, or None when it is none."""
    try:
        at = datetime.fromisoformat(written.replace(" ", "+"))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _written(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""
