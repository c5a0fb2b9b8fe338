"""A distributed Lyhord under faults: real Redis, PostgreSQL and Elasticsearch of its own (other ports than the test run's),
worker processes and a scheduler that a supervisor restarts as systemd would, a feed that grows while everything breaks, a mock
of Slack.

What must be true in the end is known from the feed: every item stored once, counted once; one incident; one message.
"""

import html
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.slack_mock import SlackMock
from alerts.watch import SETTLED
from console.demo.story import BRAND, tell
from listener import settings
from listener.config import Config
from listener.intake import Intake, Tools
from listener.mention import Signal
from listener.ports import Archive, Ledger, Where
from listener.post import Post
from listener.pseudonym import pseudonymiser
from listener.stores import open_stores
from tests import services
from tests.services import SCRIPTS
from workers.scoring import open_scorer
from workers.scoring.language import identify_all

FEED = "feed"
CHANNEL = "C0CRISIS"
RULE = "worry"
PORTS = {"REDIS_PORT": "16391", "PG_PORT": "5491", "ES_PORT": "19201"}
ROLES: dict[str, tuple[str, ...]] = {
    "alerts": ("worker", "-Q", "lyhord.alerts,lyhord.score", "-c", "1", "-n", "alerts@%h"),
    "crawl": ("worker", "-Q", "lyhord,lyhord.crawl", "-c", "2", "-n", "crawl@%h"),
    "beat": ("beat", "--schedule"),
}
_WINDOW = 400
HOUR = timedelta(hours=1)
WORRIED = (
    "Är så orolig, {n} kronor borta från kontot hos Fjelltele och ingen svarar. Vad ska jag göra?",
    "Blir rädd på riktigt nu. Fjelltele har dragit {n} kronor två gånger, hyran går inte att betala.",
    "Ligger vaken och oroar mig: {n} kronor är väck hos Fjelltele, tänk om de aldrig kommer tillbaka.",
    "Snälla, någon? Fjelltele tog {n} kronor igen, jag får panik och vågar inte öppna appen.",
)
CALM = "Fjelltele har {n} ms i svarstid hos mig i dag, helt okej. Mätning nummer {n}."


@dataclass(frozen=True, slots=True)
class Item:
    number: int
    text: str
    author: str
    at: datetime


class Feed:
    """An Atom feed on loopback that shows its newest items; `add` makes it grow."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._lock = threading.Lock()
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = feed.document().encode() if self.path.startswith("/feed") else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/atom+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/feed"

    def add(self, *, worried: bool = False) -> Item:
        with self._lock:
            number = len(self.items)
            text = (WORRIED[number % len(WORRIED)] if worried else CALM).format(n=1000 + number)
            self.items.append(Item(number, text, f"writer {number}", datetime.now(UTC)))
            return self.items[-1]

    def document(self) -> str:
        with self._lock:
            newest = self.items[-_WINDOW:]
        entries = "".join(
            f"<entry><id>item-{item.number}</id><title>{BRAND}</title><updated>{item.at.isoformat()}</updated>"
            f"<published>{item.at.isoformat()}</published><author><name>{item.author}</name></author>"
            f'<link href="http://127.0.0.1/items/{item.number}"/><content type="text">{html.escape(item.text)}</content></entry>'
            for item in newest
        )
        return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><id>x</id>{entries}</feed>'

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(slots=True)
class Servers:
    """Servers of this run's own, in a folder of their own."""

    folder: Path

    def start(self, name: str) -> None:
        done = subprocess.run(
            [SCRIPTS / f"start-{name}.sh"],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1000:]

    def kill(self, name: str) -> None:
        """kill -9 of the server's process."""
        os.kill(self._pid(name), signal.SIGKILL)
        while Path(f"/proc/{self._pid(name)}").exists():
            time.sleep(0.05)

    def stop(self) -> None:
        names = ["redis", "postgres", "elasticsearch"]
        subprocess.run(
            [SCRIPTS / "stop.sh", *names], env=self._environment(), capture_output=True, timeout=120
        )

    def redis(self, *command: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-p", PORTS["REDIS_PORT"], *command],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **PORTS, "ES_HEAP": "512m", "SRV": str(self.folder)}

    def _pid(self, name: str) -> int:
        place = {
            "redis": f"redis-{PORTS['REDIS_PORT']}/pid",
            "postgres": f"pg-{PORTS['PG_PORT']}/data/postmaster.pid",
            "elasticsearch": f"elasticsearch-{PORTS['ES_PORT']}/pid",
        }[name]
        return int((self.folder / "run" / place).read_text().split()[0])


@dataclass(slots=True)
class Cluster:
    """Worker processes and a scheduler; `file` is their lyhord.toml."""

    file: Path
    servers: Servers
    feed: Feed
    slack: SlackMock
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        for role in ROLES:
            self._start(role)
        threading.Thread(target=self._supervise, daemon=True).start()

    def kill(self, role: str) -> None:
        """kill -9 of the process and of what it started, as when its machine goes down."""
        self._end(self._running[role], signal.SIGKILL)

    def pid(self, role: str) -> int:
        return self._running[role].pid

    def stop(self) -> None:
        self._ended.set()
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self._end(process, signal.SIGKILL)

    def stores(self) -> tuple[Ledger, Archive]:
        return open_stores(self.config)

    @property
    def config(self) -> Config:
        return settings.load(self.file)

    def stored(self, archive: Archive, *, since: datetime) -> list[str]:
        return [mention.text for mention in archive.search(Where(source=FEED, start=since), limit=100_000)]

    def seconds_until_found(self, item: Item, within: float) -> float:
        """From now until the item is found in the archive's server itself."""
        began = time.monotonic()
        ledger, archive = self.stores()
        try:
            while time.monotonic() - began < within:
                found = archive.search(Where(source=FEED, start=item.at - HOUR), limit=2 * _WINDOW)
                if archive.away() is None and any(item.text == mention.text for mention in found):
                    return time.monotonic() - began
                time.sleep(0.5)
        finally:
            archive.close()
            ledger.close()
        raise AssertionError(f"item {item.number} was not found within {within} s")

    def learnt(self, within: float) -> None:
        """Wait until the rule knows what is normal, up to the hours that are followed anew at each look."""
        deadline = time.monotonic() + within
        ledger, archive = self.stores()
        try:
            while True:
                said = json.loads(ledger.noted(f"detector:{RULE}") or "{}")
                if said and datetime.now(UTC) - datetime.fromisoformat(said["at"]) < 2 * SETTLED:
                    return
                assert time.monotonic() < deadline, f"not learnt within {within} s"
                time.sleep(1)
        finally:
            archive.close()
            ledger.close()

    def told(self, within: float) -> None:
        """Wait until Slack has the alert."""
        deadline = time.monotonic() + within
        while not self.slack.messages(CHANNEL):
            assert time.monotonic() < deadline, f"no alert within {within} s"
            time.sleep(1)

    def _start(self, role: str) -> None:
        arguments = [*ROLES[role]]
        if role == "beat":
            arguments.append(str(self.file.parent / "beat"))
        with (self.file.parent / f"{role}.log").open("ab") as log:
            self._running[role] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "workers.app", *arguments, "--loglevel", "WARNING"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _supervise(self) -> None:
        while not self._ended.wait(0.5):
            for role, process in list(self._running.items()):
                if process.poll() is not None and not self._ended.is_set():
                    self._start(role)

    @staticmethod
    def _end(process: subprocess.Popen[bytes], how: int) -> None:
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        process.wait(timeout=30)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Servers, five weeks of ordinary days in the archive, workers and scheduler; all of it ended with the block."""
    services.elasticsearch()  # has it downloaded
    # A short path, for PostgreSQL's socket, that other users may enter.
    servers = Servers(Path(tempfile.mkdtemp(prefix="lyhord-")))
    servers.folder.chmod(0o755)
    for place in services.FOLDER.glob("elasticsearch-*"):
        shutil.copytree(place, servers.folder / place.name)
    settings.hand_down(ledger_password="postgres", slack_token="xoxb-test")
    feed = Feed()
    try:
        for name in ("redis", "postgres", "elasticsearch"):
            servers.start(name)
        with SlackMock(folder / "slack.jsonl") as slack:
            file = folder / "lyhord.toml"
            file.write_text(_configuration(folder, feed.url, slack.url), encoding="utf-8")
            os.environ["LYHORD_CONFIG"] = str(file)
            made = Cluster(file, servers, feed, slack)
            _fill(made)
            made.start()
            try:
                yield made
            finally:
                made.stop()
    finally:
        feed.close()
        servers.stop()
        shutil.rmtree(servers.folder, ignore_errors=True)
        for variable in ("LYHORD_CONFIG", "LYHORD_LEDGER_PASSWORD", "LYHORD_SLACK_TOKEN"):
            os.environ.pop(variable, None)


def _fill(made: Cluster) -> None:
    """Five weeks of the demo's ordinary days, through the intake."""
    config, now = made.config, datetime.now(UTC)
    source = config.sources[0]
    tools = Tools.of(
        config.brands, pseudonymiser(settings.pseudonym_key(config, settings.load_secrets())), identify_all
    )
    story = tell(now, zone=ZoneInfo(config.zone))
    posts = [
        Post(
            source=source.id, native_id=f"past-{post.id}", url=f"http://127.0.0.1/{post.id}", text=post.text,
            published_at=post.at, author=post.author, title=thread.title,
        )
        for thread in story.threads for post in thread.posts if post.at < now - timedelta(hours=12)
    ]  # fmt: skip
    ledger, archive = made.stores()
    intake = Intake(source, tools, archive, ledger, clock=lambda: now, scorer=open_scorer())
    for start in range(0, len(posts), 500):
        intake.accept(posts[start : start + 500], now=now)
    archive.close()
    ledger.close()


def _configuration(folder: Path, feed: str, slack: str) -> str:
    return f"""
zone = "Europe/Stockholm"
language = "sv"

[[brands]]
id = "fjelltele"
name = "{BRAND}"
queries = ["{BRAND.lower()}*"]

[[sources]]
id = "{FEED}"
kind = "feed"
address = "{feed}"
channel = "forum"
every = "10s"
delay = "0s"
allow_private = true
[sources.policy]
basis = "invented texts"
retention = "90d"
deletions = "none"

[[rules]]
id = "{RULE}"
brand = "fjelltele"
signals = ["anxiety"]
false_alarms_per_30_days = 1.0

[storage]
data = '{folder / "data"}'
ledger = "postgresql://postgres@127.0.0.1:{PORTS["PG_PORT"]}/postgres"
archive = "http://127.0.0.1:{PORTS["ES_PORT"]}"
broker = "redis://127.0.0.1:{PORTS["REDIS_PORT"]}/0"

[slack]
channel = "{CHANNEL}"
base_url = "{slack}"
"""


def voices(archive: Archive, items: Sequence[Item]) -> int:
    """What is counted over the hours in which the items were written."""
    start = items[0].at.replace(minute=0, second=0, microsecond=0)
    hours = (items[-1].at - start) // HOUR + 1
    counted = archive.counts(
        Where(source=FEED), [Signal.VOLUME], start=start, end=start + hours * HOUR, bucket=HOUR
    )
    return sum(counted[Signal.VOLUME])
