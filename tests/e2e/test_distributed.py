"""Lyhord over several processes on real servers: workers, each for some of the queues, and two schedulers by mistake. The demo's
world is read; in the end there is one incident, one message, and every post."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from alerts.slack_mock import SlackMock
from console.demo.servers import delete_queues, drop_indices, forget_keys
from listener import settings
from listener.stores import open_stores
from tests import services
from tests.databases import database
from tests.faults.world import World, forum_mentions, stored_posts, world

PATIENCE = 240.0
"""Seconds; a machine with two idle processors needs 60."""
ROOT = Path(__file__).parents[2]


@contextmanager
def indices() -> Iterator[str]:
    """The address of an archive of our own in Elasticsearch."""
    url = f"{services.elasticsearch()}/distributed-{random.randrange(10**9)}"
    try:
        yield url
    finally:
        drop_indices(url)


@contextmanager
def processes(folder: Path, *commands: Sequence[str]) -> Iterator[None]:
    """`celery -A workers.app …` each; asked to end in the end, by their ids."""
    started = []
    try:
        for number, command in enumerate(commands):
            with (folder / f"celery-{number}.log").open("wb") as log:
                whole = [sys.executable, "-m", "celery", "-A", "workers.app", *command]
                started.append(subprocess.Popen(whole, cwd=ROOT, stdout=log, stderr=log))
        yield
    finally:
        for process in started:
            process.terminate()
        ends = [process.wait(70) for process in started]
    assert ends == [0] * len(commands), "a process did not end well"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("LYHORD_SLACK_TOKEN", "xoxb-test")
    monkeypatch.setenv("LYHORD_CONFIG", str(tmp_path / "lyhord.toml"))
    return monkeypatch


def use(made: World, environment: pytest.MonkeyPatch, **servers: str) -> None:
    """Write the servers into the world's file, and their passwords into the environment."""
    lines = []
    for key, url in servers.items():
        shown, password = settings.split_password(url)
        lines.append(f"{key} = '{shown}'\n")
        if password:
            environment.setenv(f"LYHORD_{key.upper()}_PASSWORD", password)
    text = made.file.read_text(encoding="utf-8")
    made.file.write_text(text.replace("[storage]\n", f"[storage]\n{''.join(lines)}"), encoding="utf-8")


def await_message(made: World) -> None:
    """Until the message shows the newest state of its incident."""
    ledger, archive = open_stores(settings.load(made.file))
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            time.sleep(1)
            rows = [row for incident in ledger.incidents.recent() for row in ledger.outbox.of(incident.id)]
            if rows and all(row.ts and row.shown == row.version for row in rows):
                return
    finally:
        ledger.close()
        archive.close()
    logs = [f"{log.name}: {log.read_text()[-1500:]}" for log in made.file.parent.glob("celery-*.log")]
    pytest.fail("the alert was not out in time\n" + "\n".join(logs))


def check(made: World, folder: Path) -> None:
    ledger, archive = open_stores(settings.load(made.file))
    try:
        stored = stored_posts(forum_mentions(archive))
        assert archive.unscored(1) == []
        assert len(ledger.incidents.recent()) == 1
    finally:
        ledger.close()
        archive.close()
    assert len(stored) == len(set(stored))
    assert set(stored) == made.forum_posts()
    accepted = [json.loads(line) for line in (folder / "slack.jsonl").read_text().splitlines()]
    assert len([entry for entry in accepted if entry["what"] == "post"]) == 1


def health() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console", "health", "--json"]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ), check=False
    )


@pytest.mark.server
@pytest.mark.slow
def test_two_workers_and_two_schedulers_tell_one_incident_once(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    """On Redis, PostgreSQL and Elasticsearch."""
    broker = f"{services.redis().rpartition('/')[0]}/11"
    forget_keys(broker, "lyhord:*")
    with ExitStack() as stack:
        ledger, archive = stack.enter_context(database()), stack.enter_context(indices())
        slack = stack.enter_context(SlackMock(tmp_path / "slack.jsonl"))
        made = stack.enter_context(world(tmp_path, slack=slack.url))
        use(made, environment, ledger=ledger, archive=archive, broker=broker)
        alerts = ("worker", "-Q", "lyhord.alerts,lyhord.score", "-c", "2", "-n", "alerts@%h")
        crawls = ("worker", "-Q", "lyhord,lyhord.crawl", "-c", "3", "-n", "crawls@%h")
        with processes(tmp_path, alerts, crawls, ("beat",), ("beat",)):
            await_message(made)
            looked = health()
        check(made, tmp_path)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert json.loads(looked.stdout)["ok"]


@pytest.mark.server
@pytest.mark.slow
def test_one_worker_for_all_queues_on_rabbitmq(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    broker = services.rabbitmq()
    delete_queues(broker, "lyhord")
    with ExitStack() as stack:
        slack = stack.enter_context(SlackMock(tmp_path / "slack.jsonl"))
        made = stack.enter_context(world(tmp_path, slack=slack.url))
        use(made, environment, broker=broker)
        with processes(tmp_path, ("worker", "-c", "4"), ("beat",)):
            await_message(made)
        check(made, tmp_path)
