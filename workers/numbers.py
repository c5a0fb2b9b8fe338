"""Tells Prometheus how the service is (`listener.metrics`), and begins the telling in each Celery process. What is counted where
it happens is not here."""

import math
import time
from typing import Any

from celery.signals import beat_init, celeryd_init, task_postrun, task_prerun

from listener import exposition, metrics, settings
from listener.config import Config
from listener.exposition import Endpoint
from listener.health import Condition
from workers import stages, vitals
from workers.runtime import Runtime

_begun: list[Endpoint | None] = []
_tasks: dict[str, float] = {}
"""When the tasks that run here began (monotonic), by their id."""


def begin(config: Config) -> None:
    """For a service process, before it starts others; once is enough. Raises ConfigError."""
    if _begun:
        return
    endpoint = exposition.start(config)
    _begun.append(endpoint)
    if endpoint is not None:
        task_prerun.connect(_task_begins)
        task_postrun.connect(_task_ends)


def end() -> None:
    """For a service process whose work is done."""
    while _begun:
        if endpoint := _begun.pop():
            task_prerun.disconnect(_task_begins)
            task_postrun.disconnect(_task_ends)
            endpoint.stop()


def _process_begins(**_: Any) -> None:
    """Not in the embedded service, which has begun with its own file."""
    if not _begun:
        begin(settings.load(settings.config_path(None)))


celeryd_init.connect(_process_begins)
beat_init.connect(_process_begins)


def _task_begins(task_id: str = "", **_: Any) -> None:
    _tasks[task_id] = time.monotonic()


def _task_ends(task_id: str = "", task: Any = None, **_: Any) -> None:
    began = _tasks.pop(task_id, None)
    if began is not None and task is not None:
        metrics.TASK_SECONDS.observe(time.monotonic() - began, task.name.removeprefix("lyhord."))


def tell_flow(runtime: Runtime, lag: vitals.Lag) -> None:
    """How much waits where; each half minute. Raises StoreError."""
    if not metrics.wanted():
        return
    now = runtime.clock()
    metrics.LAG.set(lag.unscored_seconds, "score")
    metrics.LAG.set(lag.waiting_seconds, "journal")
    metrics.LAG.set(lag.due_runs_seconds, "runs")
    metrics.LAG.set(lag.outbox_seconds, "outbox")
    for vital in vitals.heard(runtime.ledger, vitals.QUEUES, now):
        age = (now - vital.heard_at).total_seconds() if vital.heard_at else math.inf
        metrics.CANARY_AGE.set(age, vital.queue)
    metrics.ARCHIVE_AWAY.set(runtime.archive.away() is not None)
    for state, entries in runtime.ledger.journal.counts().items():
        metrics.JOURNAL.set(entries, state)
    for rule in runtime.config.rules:
        metrics.INCIDENTS_OPEN.set(runtime.ledger.incidents.open_of(rule.id) is not None, rule.id)
    metrics.TOLD_AT.set(now.timestamp(), metrics.FLOW)


def tell_sources(runtime: Runtime) -> None:
    """How every source is; each minute. Raises StoreError."""
    if not metrics.wanted():
        return
    for health in stages.source_healths(runtime):
        for condition in Condition:
            metrics.SOURCE_STATE.set(condition is health.condition, health.source, condition)
        metrics.SOURCE_HEARD.set(health.heard, health.source)
        metrics.SOURCE_BLOCKED.set(runtime.ledger.runs.state(health.source).blocked, health.source)
    metrics.TOLD_AT.set(runtime.clock().timestamp(), metrics.SOURCES)
