"""The Celery side: queues, limits and ticks; real workers on Redis and RabbitMQ that are asked to end again and again."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener import settings
from listener.ledger import open_ledger
from tests import services
from workers import vitals
from workers.app import HARD_SECONDS, SETTINGS, app, broker_settings, use_broker
from workers.sharing import Places, SharedFlag
from workers.stages import CRAWL_LIMITS

HINTS = 200
ENDED = 3
"""Workers that are ended one after the other; a last one is left."""
FILE = """
[[brands]]
id = "fjelltele"
name = "Fjelltele"
queries = ["fjelltele*"]

[storage]
broker = "{broker}"
"""
BROKERS = ("memory://localhost/", "redis://localhost/0", "rediss://localhost/0", "amqp://localhost//")
ALERTS = {"lyhord.detect", "lyhord.notify"}


@pytest.fixture(params=BROKERS)
def chosen(request: pytest.FixtureRequest) -> dict[str, object]:
    return {**SETTINGS, **broker_settings(request.param)}


@pytest.fixture(autouse=True)
def in_process() -> None:
    """Else the app would look for a file that names a broker."""
    use_broker("memory://localhost/")


def lyhords() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in app.tasks if name.startswith("lyhord.")}


def test_every_task_goes_to_a_queue_that_a_worker_without_options_serves() -> None:
    made = broker_settings("redis://localhost/0")
    routes = made["task_routes"]
    assert {route["queue"] for route in routes.values()} <= set(made["task_queues"]) == set(vitals.QUEUES)
    assert set(routes) <= lyhords()
    assert {task for task, route in routes.items() if route["queue"] == "lyhord.alerts"} == ALERTS


def test_alerts_share_no_queue_with_crawls_and_are_taken_first() -> None:
    made = broker_settings("redis://localhost/0")
    assert [task for task, route in made["task_routes"].items() if route["queue"] == "lyhord.crawl"] == [
        "lyhord.collect"
    ]
    assert next(iter(made["task_queues"])) == "lyhord.alerts"
    assert list(made["task_queues"])[-1] == "lyhord.crawl"
    assert made["broker_transport_options"]["queue_order_strategy"] == "priority"


def test_every_tick_expires_and_is_of_a_task_that_exists(
    chosen: dict[str, dict[str, dict[str, object]]],
) -> None:
    for entry in chosen["beat_schedule"].values():
        assert entry["task"] in lyhords()
        options = entry["options"]
        assert isinstance(options, dict)
        assert 0 < options["expires"] <= vitals.STALE.total_seconds() or entry["task"] == "lyhord.tidy"


def test_every_queue_gives_a_sign_of_life_four_times_before_it_counts_as_stale() -> None:
    schedule = broker_settings("redis://localhost/0")["beat_schedule"]
    signs = {entry["args"][0]: entry for entry in schedule.values() if entry["task"] == "lyhord.canary"}
    assert set(signs) == set(vitals.QUEUES)
    for queue, entry in signs.items():
        assert entry["options"]["queue"] == queue
        assert 4 * entry["schedule"] <= vitals.STALE.total_seconds()


def test_no_task_but_a_crawl_may_take_longer_than_a_third_of_what_redis_waits() -> None:
    waits = broker_settings("redis://localhost/0")["broker_transport_options"]["visibility_timeout"]
    assert SETTINGS["task_soft_time_limit"] < SETTINGS["task_time_limit"] == HARD_SECONDS <= waits / 3
    own = {name for name in lyhords() if app.tasks[name].time_limit not in (None, HARD_SECONDS)}
    assert own == {"lyhord.collect"}
    crawl = app.tasks["lyhord.collect"]
    assert crawl.time_limit > crawl.soft_time_limit > CRAWL_LIMITS.seconds


def test_only_json_is_taken() -> None:
    assert SETTINGS["accept_content"] == SETTINGS["result_accept_content"] == ["json"]


def test_a_run_with_names_of_its_own_shares_nothing_with_the_service() -> None:
    for broker in BROKERS:
        ours, demos = broker_settings(broker), broker_settings(broker, "lyhord-demo-1")
        assert not set(ours["task_queues"]) & set(demos["task_queues"])
        queues = [entry["options"].get("queue") for entry in demos["beat_schedule"].values()]
        routes = [route["queue"] for route in demos["task_routes"].values()]
        assert {queue for queue in (*queues, *routes) if queue} <= set(demos["task_queues"])
        assert demos["task_default_queue"] in demos["task_queues"]


def test_a_flag_set_by_the_parent_is_seen_by_a_child() -> None:
    flag, (out, back) = SharedFlag(), os.pipe()
    child = os.fork()
    if not child:
        while not flag.is_set():
            time.sleep(0.01)
        os.write(back, b"seen")
        os._exit(0)
    flag.set()
    assert os.read(out, 4) == b"seen"
    os.waitpid(child, 0)
    flag.clear()
    assert not flag.is_set()


def test_places_are_shared_by_threads_and_children_and_freed_by_those_who_are_killed() -> None:
    places = Places(2)
    with places.taken() as mine:
        assert mine
        ready, told = os.pipe()
        child = os.fork()
        if not child:
            with places.taken() as theirs:
                os.write(told, b"1" if theirs else b"0")
                time.sleep(60)
        assert os.read(ready, 1) == b"1"
        refused: list[bool] = []
        thread = threading.Thread(target=lambda: refused.append(_taken(places)))
        thread.start()
        thread.join()
        assert refused == [False]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert _taken(places)
    assert _taken(places)


def _taken(places: Places) -> bool:
    with places.taken() as place:
        return place


# ------------------------------------------------------------------------------------------------ real brokers


@contextmanager
def workers(folder: Path, broker: str, number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers of the probe (`tests.workers.probe`), which are asked to end when the block does."""
    made: list[subprocess.Popen[bytes]] = []
    try:
        made.extend(_worker(folder, broker, f"{at}") for at in range(number))
        for at in range(number):
            _await_ready(folder, f"{at}")
        yield made
    finally:
        for process in made:
            process.terminate()
        for process in made:
            process.wait(60)


def _worker(folder: Path, broker: str, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "tests.workers.probe", "worker"]
    with (folder / f"worker-{name}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "-c", "1", "-n", f"{name}@probe", "-l", "INFO"],
            env=_environment(folder, broker),
            stdout=log,
            stderr=log,
        )


def _await_ready(folder: Path, name: str) -> None:
    """Until it takes tasks: one that is asked to end before knows no better than to die."""
    deadline, log = time.monotonic() + 60, folder / f"worker-{name}.log"
    while " ready." not in (said := log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, said[-2000:]
        time.sleep(0.1)


def _environment(folder: Path, broker: str) -> dict[str, str]:
    _, password = settings.split_password(broker)
    return {
        **os.environ,
        "LYHORD_CONFIG": str(folder / "lyhord.toml"),
        **({"LYHORD_BROKER_PASSWORD": password} if password else {}),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("server", ["redis", "rabbitmq"])
def test_workers_that_end_one_after_the_other_lose_no_hint(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rolling SIGTERMs while the hints are worked; the truth is what the tasks wrote to the ledger."""
    broker = services.redis() if server == "redis" else services.rabbitmq()
    shown, _ = settings.split_password(broker)
    (tmp_path / "lyhord.toml").write_text(FILE.format(broker=shown), encoding="utf-8")
    for name, value in _environment(tmp_path, broker).items():
        if name.startswith("LYHORD_"):
            monkeypatch.setenv(name, value)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.db'}")
    with workers(tmp_path, broker, ENDED + 1) as running:
        sender = [sys.executable, "-m", "tests.workers.probe", str(HINTS)]
        subprocess.run(sender, env=_environment(tmp_path, broker), check=True)
        deadline = time.monotonic() + 100
        for number, ending in enumerate(running[:-1], start=1):
            while len(_done(ledger)) < number * HINTS // (2 * ENDED):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            ending.terminate()
        left = HINTS - len(_done(ledger))
        while len(done := _done(ledger)) < HINTS and time.monotonic() < deadline:
            time.sleep(0.5)
        assert [process.wait(60) for process in running[:-1]] == [0] * ENDED
    ledger.close()
    assert left > 0, "no worker was ended while there was work"
    assert sorted(done) == list(range(HINTS))
    assert set(done.values()) == {1}
    assert not [process.pid for process in running if Path(f"/proc/{process.pid}").exists()]


def _done(ledger: vitals.Notes) -> dict[int, int]:
    """Hint → how often it was worked."""
    said = {number: ledger.noted(f"probe:{number}") for number in range(HINTS)}
    return {number: int(times) for number, times in said.items() if times}
