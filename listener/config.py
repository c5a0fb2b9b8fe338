"""What `lyhord.toml` says, as frozen values. Read and validated by `listener.settings`; pure, so every layer may use it.

Each class is one table of the file; an unknown key is an error (`__pydantic_config__` is read by the validation only).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar

STRICT: dict[str, Any] = {"extra": "forbid", "str_strip_whitespace": True}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As `datetime.weekday` counts them."""
KINDS = ("campaign", "release", "outage", "other")
EFFECTS = ("annotate", "damp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """`[[brands]]`: what is listened for. `queries` are alternatives: any of them is enough."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    id: str
    name: str
    queries: tuple[str, ...]
    languages: tuple[str, ...] = ()
    """Empty: every language. A text whose language is undetermined always counts."""
    accounts: tuple[str, ...] = ()
    """The brand's own handles; what they write is not a customer's voice."""
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`[sources.policy]`: on what ground we listen. Without it a source is never scheduled."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    basis: str
    """Lawful basis in words, for example "legitimate interest, assessed 2026-03-01"."""
    retention: timedelta
    deletions: str
    """How deletions upstream reach us: recrawl, events, or none (with the reason in `note`)."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`[[sources]]`: one place listened to. Exactly one of `every` and `cron`, or none: read only by hand."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    id: str
    kind: str
    address: str
    channel: str
    owned: bool = False
    every: timedelta | None = None
    cron: str = ""
    zone: str = ""
    """Of cron, and of dates there that name none; empty: the file's zone."""
    jitter: timedelta = timedelta(0)
    quiet_after: timedelta | None = None
    """Silent when nothing new came for so long; None: learnt from its past; empty is normal for a source with "0"."""
    max_pages: int = 2000
    """Per run."""
    delay: timedelta = timedelta(seconds=1)
    """Between two requests to one host."""
    obey_robots: bool = True
    allow_private: bool = False
    """May resolve to loopback or private addresses (an own forum inside the network)."""
    policy: Policy | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """`[sources.options]`: validated by the collector of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`[[rules]]`: when to alert."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    id: str
    brand: str
    signals: tuple[str, ...] = ("anxiety", "complaints")
    false_alarms_per_30_days: float = 1.0
    minimum_voices: int = 5
    filter: str = ""
    """A query that narrows the brand's mentions."""
    by: tuple[str, ...] = ("channel", "language", "theme")
    """Dimensions whose values are also watched, each as a series of its own."""
    active_hours: str = ""
    """When something new may be told: local times as "07:00-22:00", also past midnight; empty: always."""
    active_days: tuple[str, ...] = ()
    """The days on which these hours begin; empty: every day."""
    slack_channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`[[calendar]]`: what is known to make people write. From `start` until just before `end`; times without
    an offset are local in the file's zone. A date in the file is here the midnight that begins the day, as `end`
    the one after it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    title: str
    start: datetime
    end: datetime
    brands: tuple[str, ...] = ()
    """Empty: every brand."""
    kind: str = "other"
    effect: str = "annotate"
    """annotate: an incident names it; damp: more voices are expected, too."""
    damp: float = 2.0
    """How many times the usual voices are expected while it lasts; only with the effect damp."""

    def span(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """Start and end in UTC; `zone`: of times without an offset. Raises OverflowError at the ends of time."""
        start, end = (t if t.tzinfo else t.replace(tzinfo=zone) for t in (self.start, self.end))
        return start.astimezone(UTC), end.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """`[slack]`. The token is a secret and never stands here: LYHORD_SLACK_TOKEN."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    channel: str = ""
    """Where rules without their own `slack_channel` alert: a channel id, C…"""
    base_url: str = "https://slack.com/api/"
    """Another address only for tests and proxies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """`[storage]`. Empty: files in the data folder, and Celery's in-process broker. Passwords are secrets and never stand here:
    LYHORD_LEDGER_PASSWORD, LYHORD_BROKER_PASSWORD, LYHORD_ARCHIVE_API_KEY."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    data: str = "data"
    """A folder, from where the file lies."""
    ledger: str = ""
    archive: str = ""
    broker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """`[console]`: the web page."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    host: str = "127.0.0.1"
    port: int = 8642
    url: str = ""
    """Its address as people see it, for links in alerts; empty: http://host:port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kibana:
    """`[kibana]`: where analysts explore the archive; alerts lead there, too."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    url: str = ""
    """Its address as people see it; empty: there is none."""
    space: str = ""
    """Empty: the default space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """`[metrics]`: where each process tells Prometheus its numbers."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    host: str = "127.0.0.1"
    port: int = 0
    """0: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. `language` is the language of alerts and of the page; `zone` the zone of every time shown."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    zone: str = "Europe/Stockholm"
    language: str = "sv"
    brands: tuple[Brand, ...] = ()
    sources: tuple[Source, ...] = ()
    rules: tuple[Rule, ...] = ()
    calendar: tuple[Event, ...] = ()
    slack: Slack = field(default_factory=Slack)
    storage: Storage = field(default_factory=Storage)
    console: Console = field(default_factory=Console)
    kibana: Kibana = field(default_factory=Kibana)
    metrics: Metrics = field(default_factory=Metrics)
