"""The demo's run: a real service on the demo's world. The forum and the feed are served on loopback and crawled by the same
code, tasks and stores as in production; only the words and their times are invented."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.detection.chart import normal_range
from console.demo.crisis import OFFICIAL
from console.demo.servers import Servers
from console.demo.site import Site
from console.demo.story import BRAND, WEEKS, tell
from listener.errors import LyhordError, SourceError
from listener.incident import Incident
from listener.mention import Signal
from listener.ports import Dimension, RunState, Tally, Where
from workers import stages
from workers.clock import utc_now
from workers.embedded import serving
from workers.progress import read_progress
from workers.runtime import Runtime, open_runtime

ZONE = "Europe/Stockholm"
PATIENCE = timedelta(minutes=5)
Say = Callable[[str], None]
NO_SERVERS = Servers()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo came to, for `--json`. `alerts` are messages; an edit is not a message."""

    posts: int
    mentions: int
    incidents: tuple[tuple[Incident, int], ...]
    seconds: float

    def as_json(self) -> dict[str, object]:
        return {
            "posts": self.posts,
            "mentions": self.mentions,
            "incidents": [
                {
                    "brand": i.brand,
                    "signals": list(i.signals),
                    "opened": i.opened_at.isoformat(),
                    "alerts": alerts,
                }
                for i, alerts in self.incidents
            ],
            "seconds": round(self.seconds, 1),
        }


@contextmanager
def demo_service(folder: Path, *, port: int, say: Say, servers: Servers = NO_SERVERS) -> Iterator[Runtime]:
    """The demo's world and a service that listens to it, with its data in `folder`, or on `servers`."""
    story = tell(utc_now(), zone=ZoneInfo(ZONE))
    with Site(story) as site:
        posts = sum(len(thread.posts) for thread in story.threads)
        say(f"Served on this machine: a forum ({posts:,} posts, {WEEKS.days} days) at {site.forum_url}")
        say(f"                        and a news feed ({len(story.articles)} articles) at {site.feed_url}")
        path = folder / "lyhord.toml"
        path.write_text(configuration(site, folder, port=port, servers=servers), encoding="utf-8")
        runtime = open_runtime(path)
        try:
            with serving(runtime, names=servers.names):
                yield runtime
        finally:
            runtime.close()


def configuration(site: Site, folder: Path, *, port: int = 8642, servers: Servers = NO_SERVERS) -> str:
    """The demo's lyhord.toml."""
    named = {"archive": servers.archive, "broker": servers.broker, "ledger": servers.ledger}
    storage = "".join(f"{key} = '{url}'\n" for key, url in named.items() if url)
    policy = '[sources.policy]\nbasis = "invented texts"\nretention = "90d"\ndeletions = "recrawl"\n'
    return f"""# The configuration of `lyhord demo`.
zone = "{ZONE}"
language = "sv"

[[brands]]
id = "{BRAND.lower()}"
name = "{BRAND}"
queries = ["{BRAND.lower()}*"]
accounts = ["{OFFICIAL}"]

[[sources]]
id = "natforum"
kind = "forum"
address = "{site.forum_url}"
channel = "forum"
every = "1m"
delay = "0s"
allow_private = true
{policy}
[[sources]]
id = "nordisk-natnytt"
kind = "feed"
address = "{site.feed_url}"
channel = "news"
every = "1m"
delay = "0s"
allow_private = true
{policy}
[[rules]]
id = "{BRAND.lower()}-worry"
brand = "{BRAND.lower()}"
signals = ["anxiety", "complaints"]
false_alarms_per_30_days = 1.0

[storage]
data = '{folder}'
{storage}
[console]
port = {port}
"""


def tell_progress(runtime: Runtime, *, say: Say, show: Callable[[str], None], started: float) -> Outcome:
    """Say what happens while it happens, until the alert is out. `show` replaces a passing line of progress.
    Raises SourceError when a source could not be read, LyhordError when no alert comes in time."""
    tally = _wait_for_crawl(runtime, show, started)
    say(f"Crawled   {tally.pages:,} pages, {tally.posts:,} posts in {time.monotonic() - started:.0f} s")
    _until(lambda: not runtime.archive.unscored(1), show, started, "scoring")
    _tell_counts(runtime, say)
    _until(lambda: bool(_sent(runtime)), show, started, "looking for what is not normal")
    return Outcome(tally.posts, runtime.archive.total(), tuple(_sent(runtime)), time.monotonic() - started)


def tell_normal(runtime: Runtime, incident: Incident, say: Say) -> None:
    """What was normal before the incident, in one line."""
    zone = ZoneInfo(runtime.config.zone)
    began, hour = incident.began_at, timedelta(hours=1)
    start = (began - timedelta(days=28)).replace(minute=0, second=0, microsecond=0)
    hours = (began - start) // hour
    where = Where(brand=incident.brand)
    counts = runtime.archive.counts(
        where, [Signal.ANXIETY], start=start, end=start + hour * (hours + 1), bucket=hour
    )[Signal.ANXIETY]
    starts = [start + hour * i for i in range(hours + 1)]
    low, _, high = normal_range(counts, starts, hours, zone=zone)[-1]
    how_many = f"{low:.0f}–{high:.0f}" if round(high) else "almost no"
    say(
        f"Normal    until {began.astimezone(zone):%H:%M}: {how_many} worried voices an hour at that time of day"
    )


def tell_alert(runtime: Runtime, incident: Incident, say: Say) -> None:
    """The alert as Slack shows it."""
    say(f"Alert     {'sent to Slack' if runtime.secrets.slack_token else 'in Slack it would read'}:")
    say("")
    for line in stages.render(runtime, incident).lines:
        say(f"  {line}")
    say("")


def _wait_for_crawl(runtime: Runtime, show: Callable[[str], None], started: float) -> Tally:
    """Until every source was read once; the sum of what was read."""
    while True:
        # The first run of each source: the next ones, a minute later, find little new.
        runs = [
            run
            for source in runtime.config.sources
            for run in runtime.ledger.runs.latest(source.id, 100)[-1:]
        ]
        sums = [read_progress(runtime.ledger, run.id) for run in runs]
        total = Tally(
            pages=sum(t.pages for t in sums),
            posts=sum(t.posts for t in sums),
            mentions=sum(t.mentions for t in sums),
        )
        for run in runs:
            if run.state is RunState.FAILED:
                raise SourceError(f"demo: {run.source} could not be read: {run.reason}")
        if len(runs) == len(runtime.config.sources) and all(run.state is RunState.DONE for run in runs):
            return total
        show(f"crawling: {total.pages:,} pages, {total.posts:,} posts, {total.mentions:,} mentions")
        _pause(started, "the forum was not read to its end")


def _tell_counts(runtime: Runtime, say: Say) -> None:
    archive = runtime.archive
    everything, first = Where(brand=BRAND.lower()), Where(brand=BRAND.lower(), originals=True)
    found = len(archive.search(everything, limit=100_000))
    copies = found - len(archive.search(first, limit=100_000))
    languages = archive.breakdown(everything, Dimension.LANGUAGE)
    say(f"Matched   {found:,} mentions of {BRAND} ({copies} of them copies of another text)")
    named = ", ".join(f"{voices} {language}" for language, voices in list(languages.items())[:3])
    worried = len(archive.search(Where(brand=BRAND.lower(), signal=Signal.ANXIETY), limit=100_000))
    complaining = len(archive.search(Where(brand=BRAND.lower(), signal=Signal.COMPLAINTS), limit=100_000))
    say(f"Scored    {worried} worried, {complaining} complaining (voices by language: {named})")


def _sent(runtime: Runtime) -> list[tuple[Incident, int]]:
    """Incidents whose message is out, with the number of their messages."""
    found = []
    for incident in runtime.ledger.incidents.recent():
        messages = sum(bool(delivery.ts) for delivery in runtime.ledger.outbox.of(incident.id))
        if messages:
            found.append((incident, messages))
    return found


def _until(done: Callable[[], bool], show: Callable[[str], None], started: float, words: str) -> None:
    while not done():
        show(words)
        _pause(started, f"{words} came to no end")


def _pause(started: float, words: str) -> None:
    if time.monotonic() - started > PATIENCE.total_seconds():
        raise LyhordError(f"demo: {words} within {PATIENCE}; this is a fault of ours, please report it")
    time.sleep(0.1)
