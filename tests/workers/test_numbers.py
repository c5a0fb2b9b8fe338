"""How the service is, told as numbers: what waits, who is heard, and that nothing is asked when nobody wants to know."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.signals import beat_init, celeryd_init, task_postrun, task_prerun

from alerts.terminal import TerminalNotifier
from listener import exposition
from listener.archive import open_archive
from listener.config import Config, Metrics
from listener.health import Condition
from listener.incident import State
from listener.intake import Tools
from listener.ledger import open_ledger
from listener.ports import Tally
from listener.pseudonym import pseudonymiser
from listener.settings import Secrets, parse_config
from tests.alerts.fakes import incident
from tests.contract.archive_samples import make_mention
from tests.listener.test_metrics import Told, listened
from workers import numbers, stages, tasks, vitals
from workers.app import use_broker
from workers.runtime import Runtime
from workers.scoring import open_scorer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FILE = """
[[brands]]
id = "fjelltele"
name = "Fjelltele"
queries = ["fjelltele*"]

[[sources]]
id = "forum"
kind = "forum"
address = "https://forum.example/"
channel = "forum"
every = "10m"
[sources.policy]
basis = "test"
retention = "90d"
deletions = "recrawl"

[[rules]]
id = "worry"
brand = "fjelltele"
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    config = parse_config(FILE)
    made = Runtime(
        path=tmp_path / "lyhord.toml",
        config=config,
        secrets=Secrets(),
        ledger=open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}"),
        archive=open_archive(f"sqlite:///{tmp_path / 'archive.db'}"),
        tools=Tools.of(config.brands, pseudonymiser(b"k" * 32), lambda texts, usual: ["sv"] * len(texts)),
        scorer=open_scorer(),
        notifier=TerminalNotifier(lambda _line: None),
        clock=lambda: NOW,
    )
    yield made
    made.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return listened(monkeypatch)


def test_what_waits_is_told_by_stage(runtime: Runtime, told: Told) -> None:
    vitals.sign(runtime.ledger, vitals.QUEUES[0], NOW - timedelta(seconds=40))
    lag = vitals.Lag(unscored_seconds=1, waiting_seconds=2, due_runs_seconds=3, outbox_seconds=4)
    numbers.tell_flow(runtime, lag)
    stages = {labels[0]: value for (name, labels), value in told.items() if name == "lyhord_lag_seconds"}
    assert stages == {"score": 1, "journal": 2, "runs": 3, "outbox": 4}
    assert told["lyhord_canary_age_seconds", (vitals.QUEUES[0],)] == 40
    assert told["lyhord_canary_age_seconds", (vitals.QUEUES[1],)] == math.inf, "never heard is not fresh"
    assert told["lyhord_archive_away", ()] == 0
    assert told["lyhord_told_timestamp_seconds", ("flow",)] == NOW.timestamp()


def test_the_tasks_that_look_tell(runtime: Runtime, told: Told) -> None:
    use_broker("memory://localhost/")
    tasks.use(runtime)
    tasks.canary(vitals.QUEUES[0])
    assert told["lyhord_lag_seconds", ("score",)] == 0
    assert told["lyhord_canary_age_seconds", (vitals.QUEUES[0],)] == 0
    tasks.publish()
    assert told["lyhord_source_state", ("forum", "new")] == 1
    runtime.archive.add([replace(make_mention(), score=None)])
    stages.score_pending(runtime.archive, runtime.scorer)
    assert told["lyhord_scored_total", (runtime.scorer.model,)] == 1


def test_an_incident_is_open_until_it_is_over(runtime: Runtime, told: Told) -> None:
    opened = incident(rule="worry", state=State.GROWING)
    runtime.ledger.incidents.save(opened, was=None, now=NOW, channels=[])
    numbers.tell_flow(runtime, vitals.Lag())
    assert told["lyhord_incidents_open", ("worry",)] == 1
    over = replace(opened, state=State.OVER)
    assert runtime.ledger.incidents.save(over, was=opened, now=NOW, channels=[])
    numbers.tell_flow(runtime, vitals.Lag())
    assert told["lyhord_incidents_open", ("worry",)] == 0


def test_a_source_is_in_one_condition(runtime: Runtime, told: Told) -> None:
    runs = runtime.ledger.runs
    run = runs.plan("forum", NOW, "schedule")
    assert run is not None
    runs.claim(run, owner="me", now=NOW, lease=timedelta(minutes=1))
    runs.finish(run, owner="me", now=NOW, tally=Tally(error="403 Forbidden", permanent=True))
    numbers.tell_sources(runtime)
    states = {labels[1]: value for (name, labels), value in told.items() if name == "lyhord_source_state"}
    assert states == dict.fromkeys(Condition, 0) | {"failing": 1}
    assert told["lyhord_source_heard", ("forum",)] == 0
    assert told["lyhord_source_blocked", ("forum",)] == 1
    assert told["lyhord_told_timestamp_seconds", ("sources",)] == NOW.timestamp()


def test_nothing_is_asked_when_nobody_wants_numbers(runtime: Runtime) -> None:
    runtime.close()
    closed = replace(runtime, clock=lambda: pytest.fail("asked"))
    numbers.tell_flow(closed, vitals.Lag())
    numbers.tell_sources(closed)


@dataclass(slots=True)
class Task:
    name: str = "lyhord.sweep"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told) -> Iterator[list[Config]]:
    """The configurations with which an endpoint was begun; none is really made."""
    begun: list[Config] = []

    class Endpoint:
        def stop(self) -> None:
            begun.clear()

    def start(config: Config) -> Endpoint | None:
        begun.append(config)
        return Endpoint() if config.metrics.port else None

    monkeypatch.setattr(exposition, "start", start)
    path = tmp_path / "lyhord.toml"
    path.write_text("[metrics]\nport = 9464\n")
    monkeypatch.setenv("LYHORD_CONFIG", str(path))
    yield begun
    numbers.end()


@pytest.mark.parametrize("signal", [celeryd_init, beat_init], ids=["worker", "scheduler"])
def test_celerys_processes_begin_once_and_time_their_tasks(
    signal: Any, service: list[Config], told: Told
) -> None:
    signal.send(sender=None)
    signal.send(sender=None)
    assert [config.metrics.port for config in service] == [9464]
    task_prerun.send(sender=None, task_id="1", task=Task())
    task_postrun.send(sender=None, task_id="1", task=Task())
    task_postrun.send(sender=None, task_id="never begun", task=Task())
    assert told["lyhord_tasks_seconds", ("sweep",)] < 10
    numbers.end()
    assert service == []


def test_the_embedded_scheduler_keeps_to_its_services_file(service: list[Config]) -> None:
    """It sends the signal of a scheduler of its own, while LYHORD_CONFIG may name another file."""
    mine = Config(metrics=Metrics(port=0))
    numbers.begin(mine)
    beat_init.send(sender=None)
    assert service == [mine]
