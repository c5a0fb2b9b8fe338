"""The numbers: what they cost when nobody wants them, that none is lost or counted twice whatever process tells it and however it
ends, and that the hooks tell them."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from timeit import repeat
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from alerts.delivery import deliver
from alerts.message import Links, Message, build
from alerts.terminal import TerminalNotifier
from listener import exposition, metrics
from listener.archive import open_archive
from listener.archive.elastic import client
from listener.archive.elastic.names import Names
from listener.config import Brand, Config, Metrics, Policy, Source, Storage
from listener.errors import ConfigError, NotifyError
from listener.exposition import Endpoint
from listener.incident import Incident
from listener.intake import Intake, Tools
from listener.ledger import open_ledger
from listener.mention import Score
from listener.ports import Batch
from listener.post import Post
from listener.pseudonym import pseudonymiser
from tests.alerts.fakes import MemoryLedger, incident
from tests.contract.archive_samples import make_score

ROOT = Path(__file__).parents[2]
FOLDER = "PROMETHEUS_MULTIPROC_DIR"

Told = dict[tuple[str, tuple[str, ...]], float]
"""(name, the labels' values) → number."""


def config(folder: Path, port: int) -> Config:
    return Config(storage=Storage(data=str(folder)), metrics=Metrics(port=port))


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
    return min(found, 65_000)


@dataclass(slots=True)
class Service:
    """A service process (this one) with its endpoint, and a clock of its own."""

    endpoint: Endpoint
    late: list[float] = field(default_factory=lambda: [0.0])
    """Seconds by which its clock goes before ours."""

    def told(self) -> Told:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.endpoint.port}/metrics") as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def service(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv(FOLDER, "")
    late = [0.0]
    endpoint = exposition.start(config(tmp_path, port), clock=lambda: time.time() + late[0])
    assert endpoint
    yield Service(endpoint, late)
    endpoint.stop()


def child(work: Callable[[], None], *, killed: bool = False) -> None:
    """Do `work` in a process made by fork, as Celery makes its own."""
    pid = os.fork()
    if pid == 0:
        work()
        os.kill(os.getpid(), signal.SIGKILL) if killed else os._exit(0)
    os.waitpid(pid, 0)


CRAWL = """
from listener import exposition, metrics
from listener.config import Config
exposition.join(Config())
metrics.MENTIONS.add("forum", "new", by=100)
"""


def crawl() -> None:
    subprocess.run([sys.executable, "-c", CRAWL], check=True, cwd=ROOT)


# ------------------------------------------------------------------------------------------------ off


def test_without_a_port_nothing_is_told_or_written(tmp_path: Path) -> None:
    assert exposition.start(config(tmp_path, 0)) is None
    metrics.MENTIONS.add("forum", "new")
    metrics.LAG.set(3, "score")
    metrics.TASK_SECONDS.observe(1, "collect")
    assert not metrics.wanted()
    assert list(tmp_path.iterdir()) == []


def test_off_a_call_costs_next_to_nothing() -> None:
    times = repeat(lambda: metrics.MENTIONS.add("forum", "new", by=3), number=5_000, repeat=20)
    assert min(times) / 5_000 < 1e-5  # 0.2 µs alone; here beside other tests, and while coverage looks on


def test_a_crawl_that_no_service_started_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    exposition.join(config(tmp_path, 9464))
    assert not metrics.wanted()


# ------------------------------------------------------------------------------------------------ who tells


def test_what_every_process_told_is_added_up_however_it_ended(service: Service) -> None:
    def work() -> None:
        metrics.MENTIONS.add("forum", "new", by=10)
        metrics.TASK_SECONDS.observe(0.2, "collect")

    metrics.MENTIONS.add("forum", "new")
    child(work)
    child(work, killed=True)
    crawl()
    told = service.told()
    assert told["lyhord_mentions_total", ("new", "forum")] == 121
    assert told["lyhord_tasks_seconds_count", ("collect",)] == 2
    assert told["lyhord_tasks_seconds_sum", ("collect",)] == pytest.approx(0.4)
    assert told["lyhord_tasks_seconds_bucket", ("0.5", "collect")] == 2
    assert told["lyhord_tasks_seconds_bucket", ("0.1", "collect")] == 0


def test_many_short_processes_leave_few_files_and_lose_no_number(service: Service) -> None:
    for _ in range(20):
        child(metrics.COPIES.add)
    assert service.told()["lyhord_copies_total", ()] == 20
    assert len(list(service.endpoint.folder.glob("counter_*.db"))) == 2, "ours and theirs"


def test_processes_at_the_same_time_do_not_share_files(service: Service) -> None:
    def nested() -> None:
        metrics.COPIES.add()
        child(metrics.COPIES.add)
        metrics.COPIES.add()

    child(nested)
    assert service.told()["lyhord_copies_total", ()] == 3
    assert len(list(service.endpoint.folder.glob("counter_*.db"))) == 3


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.text(max_size=8), st.sampled_from(["new", "edited"]), st.integers(0, 50)), max_size=12
    )
)
def test_a_count_is_the_sum_of_what_was_added_under_any_name(
    service: Service, steps: list[tuple[str, str, int]]
) -> None:
    before = service.told()
    wanted: Counter[tuple[str, str]] = Counter()
    for source, outcome, by in steps:
        metrics.MENTIONS.add(source, outcome, by=by)
        wanted[outcome, source] += by
    after = service.told()
    for labels, number in wanted.items():
        key = ("lyhord_mentions_total", labels)
        assert after.get(key, 0) - before.get(key, 0) == number


def test_levels_are_as_last_told_whoever_told_them(service: Service) -> None:
    def tell(seconds: float) -> None:
        metrics.LAG.set(seconds, "score")
        metrics.TOLD_AT.set(time.time(), metrics.FLOW)

    tell(5)
    child(lambda: tell(70))
    assert service.told()["lyhord_lag_seconds", ("score",)] == 70
    tell(3)
    assert service.told()["lyhord_lag_seconds", ("score",)] == 3


def test_levels_that_nobody_tells_any_more_are_not_shown(service: Service) -> None:
    """Else the service that looked last before it was stopped would show yesterday's calm for ever."""
    metrics.ARCHIVE_AWAY.set(1)
    metrics.SOURCE_HEARD.set(1, "forum")
    metrics.COPIES.add()
    assert ("lyhord_archive_away", ()) not in service.told(), "set, and not said to be of now"
    for group in (metrics.FLOW, metrics.SOURCES):
        metrics.TOLD_AT.set(time.time(), group)
    assert service.told()["lyhord_archive_away", ()] == 1
    service.late[0] = 100
    told = service.told()
    assert ("lyhord_archive_away", ()) not in told
    assert told["lyhord_source_heard", ("forum",)] == 1, "sources are looked at each minute only"
    service.late[0] = 200
    told = service.told()
    assert ("lyhord_source_heard", ("forum",)) not in told
    assert told["lyhord_copies_total", ()] == 1, "a count holds"


def test_what_a_rate_is_taken_of_stands_at_zero_from_the_start(service: Service) -> None:
    told = service.told()
    assert told["lyhord_slack_posts_total", ("failed",)] == 0
    assert told["lyhord_slack_duplicates_removed_total", ()] == 0
    assert told["lyhord_disk_free_bytes", ()] > 0


# ------------------------------------------------------------------------------------------------ services on one host

OTHER = """
import sys, time
from pathlib import Path
from listener import exposition, metrics
from listener.config import Config, Metrics, Storage
endpoint = exposition.start(Config(storage=Storage(data=sys.argv[1]), metrics=Metrics(port=int(sys.argv[2]))))
metrics.COPIES.add(by=7)
print(endpoint.port, endpoint.folder, flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(service: Service, tmp_path: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], Service]]:
    """A second service on the same data folder, which was told the same port."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path), str(port)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout
    its_port, folder = process.stdout.readline().split()
    yield process, Service(replace(service.endpoint, port=int(its_port), folder=Path(folder)))
    process.kill()
    process.communicate()


def test_two_services_show_their_own_numbers_at_ports_of_their_own(
    service: Service, other: tuple[subprocess.Popen[str], Service]
) -> None:
    metrics.COPIES.add()
    assert other[1].endpoint.port > service.endpoint.port
    assert service.told()["lyhord_copies_total", ()] == 1
    assert other[1].told()["lyhord_copies_total", ()] == 7


def test_what_a_killed_service_left_is_cleared_by_the_next_and_a_living_one_is_left_alone(
    service: Service, other: tuple[subprocess.Popen[str], Service], tmp_path: Path
) -> None:
    process, its = other

    def clear_later(seconds: float) -> None:
        child(lambda: exposition._clear(tmp_path / "metrics", time.time() + seconds))

    clear_later(3600)
    assert its.endpoint.folder.exists()
    process.kill()
    process.wait()
    clear_later(0)
    assert its.endpoint.folder.exists(), "too young to be judged"
    clear_later(3600)
    assert not its.endpoint.folder.exists()
    assert service.endpoint.folder.exists()


def test_an_end_leaves_nothing(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")
    endpoint = exposition.start(config(tmp_path, port))
    assert endpoint
    metrics.COPIES.add()
    endpoint.stop()
    assert not metrics.wanted()
    assert list((tmp_path / "metrics").iterdir()) == []


def test_no_port_free_and_a_folder_that_cannot_be_are_said_in_words(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, "")
    monkeypatch.setattr(exposition, "PORTS_TRIED", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(ConfigError, match=rf"ports {port} to {port} of 127.0.0.1 are taken"):
            exposition.start(config(tmp_path, port))
    assert not metrics.wanted(), "nothing half begun"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="numbers cannot be kept there"):
        exposition.start(config(tmp_path / "file", port))


def test_a_crawl_goes_on_when_the_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "gone"))
    exposition.join(config(tmp_path, 9464))
    assert not metrics.wanted()
    assert "no numbers are told" in caplog.text


# ------------------------------------------------------------------------------------------------ names

NAME = re.compile(r"lyhord_[a-z_]+")


def test_names_are_prometheus_names_with_their_units() -> None:
    names = [number.name for number in metrics.ALL]
    assert len(set(names)) == len(names)
    for number in metrics.ALL:
        assert NAME.fullmatch(number.name), number.name
        assert number.words
        assert number.name.endswith("_total") == isinstance(number, metrics.Count)
        assert number.name.endswith("_seconds") or not isinstance(number, metrics.Span)
        assert not number.begins or len(number.labels) == 1


def test_labels_have_few_values() -> None:
    known = {"source", "outcome", "model", "task", "group", "stage", "queue", "state", "condition", "rule"}
    assert {label for number in metrics.ALL for label in number.labels} <= known


def test_every_number_is_in_the_guide_as_it_is() -> None:
    guide = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(lyhord_[a-z_]+)(?:\{.*?\})?` \|.*\|$", guide, re.MULTILINE) and [
        (name, labels)
        for name, labels in re.findall(r"^\| `(lyhord_[a-z_]+)(\{.*?\})?` \|", guide, re.MULTILINE)
    ])  # fmt: skip
    wanted = {n.name: "{" + ",".join(n.labels) + "}" if n.labels else "" for n in metrics.ALL}
    shown_only = {"lyhord_disk_free_bytes": "", "lyhord_disk_size_bytes": ""}
    assert told == wanted | shown_only


# ------------------------------------------------------------------------------------------------ the hooks


def listened(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is told from now on, without files: counts are added up, the last of the others stays."""
    numbers: Told = {}

    def listen(number: metrics.Number) -> None:
        def write(labels: tuple[str, ...], value: float) -> None:
            key = (number.name, labels)
            numbers[key] = numbers.get(key, 0) + value if isinstance(number, metrics.Count) else value

        monkeypatch.setattr(number, "write", write)

    for number in metrics.ALL:
        listen(number)
    return numbers


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return listened(monkeypatch)


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOURCE = Source(
    id="forum",
    kind="forum",
    address="https://forum.example/",
    channel="forum",
    policy=Policy(basis="test", retention=timedelta(days=90), deletions="recrawl"),
)


class OneScore:
    model = "one"

    def score(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        return [make_score() for _ in texts]


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    archive = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    brands = (Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele*",)),)
    tools = Tools.of(brands, pseudonymiser(b"k" * 32), lambda texts, _: ["sv"] * len(texts))
    yield Intake(SOURCE, tools, archive, ledger, clock=lambda: NOW, scorer=OneScore())
    archive.close()
    ledger.close()


def post(native_id: str, text: str) -> Post:
    return Post(
        source="forum",
        native_id=native_id,
        text=text,
        author="Kalle",
        url="https://forum.example/t/1",
        published_at=NOW,
        thread="t1",
    )


def test_the_intake_tells_what_became_of_posts(intake: Intake, told: Told) -> None:
    intake.take(
        Batch(posts=[post("1", "Fjelltele ligger nere"), post("2", "Fjelltele igen"), post("3", "Fiske")])
    )
    intake.take(Batch(posts=[post("1", "Fjelltele ligger nere"), post("2", "Fjelltele funkar nu")]))
    intake.take(Batch(gone=["1"]))
    assert told["lyhord_posts_total", ("forum",)] == 5
    mentions = {labels[1]: value for (name, labels), value in told.items() if name == "lyhord_mentions_total"}
    assert mentions == {"new": 2, "known": 1, "edited": 1, "deleted": 1}
    assert told["lyhord_scored_total", ("one",)] == 2, "what is held already is scored elsewhere"


@dataclass(slots=True)
class Grumpy:
    """A notifier that raises what it is given, then obeys."""

    errors: list[Exception] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)

    def post(self, channel: str, message: Message, key: str) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "1.1"

    def update(self, channel: str, ts: str, message: Message) -> None:
        pass

    def find(self, channel: str, key: str, oldest: datetime) -> list[str]:
        return self.copies

    def delete(self, channel: str, ts: str) -> None:
        pass


def render(whole: Incident) -> Message:
    return build(whole, brand="Fjelltele", language="sv", zone=ZoneInfo("Europe/Stockholm"), links=Links())


def test_delivery_tells_how_slack_took_it_and_how_long_an_alert_needed(told: Told) -> None:
    ledger, now = MemoryLedger(), [NOW]
    whole = incident(opened_at=NOW - timedelta(hours=6))  # noticed at night, told in the morning
    ledger.incidents.save(whole, was=None, now=NOW, channels=["C1"])
    slack = Grumpy(
        [NotifyError("full", retry_after=3), NotifyError("down"), NotifyError("revoked", permanent=True)]
    )
    for n in range(4):
        deliver(ledger.outbox, ledger.incidents, slack, render, clock=lambda: now[0], owner=str(n))
        now[0] += timedelta(hours=2)
    outcomes = {
        labels[0]: value for (name, labels), value in told.items() if name == "lyhord_slack_posts_total"
    }
    assert outcomes == {"limited": 1, "refused": 1, "failed": 1, "posted": 1}
    assert told["lyhord_alert_latency_seconds", ()] == 6 * 3600


def test_only_an_incidents_first_message_has_a_latency(told: Told) -> None:
    ledger, now = MemoryLedger(), NOW
    whole = incident(opened_at=NOW)
    ledger.incidents.save(whole, was=None, now=now, channels=["C1"])
    now += timedelta(seconds=4)
    show = TerminalNotifier(lambda _line: None)
    deliver(ledger.outbox, ledger.incidents, show, render, clock=lambda: now, owner="a")
    assert told.pop(("lyhord_alert_latency_seconds", ())) == 4
    ledger.incidents.save(replace(whole, acknowledged_by="Eva"), was=whole, now=now, channels=["C1"])
    deliver(ledger.outbox, ledger.incidents, show, render, clock=lambda: now, owner="b")
    assert ("lyhord_alert_latency_seconds", ()) not in told
    assert told["lyhord_slack_posts_total", ("edited",)] == 1


def test_elasticsearchs_answers_are_told_each_time_it_gives_them(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = [[201, 200, 409, 404, 400, 429, 503], [429, 200], [201]]
    monkeypatch.setattr(client, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(
        client.Server, "_send", lambda _self, _actions: [client.Outcome(s) for s in rounds.pop(0)]
    )
    client.Server(Names.of("http://127.0.0.1:9")).bulk([b"{}"] * 7)
    items = {labels[0]: value for (name, labels), value in told.items() if name == "lyhord_bulk_items_total"}
    assert items == {"done": 4, "conflict": 1, "missing": 1, "refused": 1, "busy": 3}
    assert told["lyhord_bulk_retries_total", ()] == 2
