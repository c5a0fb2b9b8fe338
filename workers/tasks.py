"""The Celery tasks: thin shells around `workers.stages`. Each one may be lost, doubled or run at the same time elsewhere."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol, cast

from listener import settings
from listener.errors import LyhordError
from workers import stages
from workers.app import app
from workers.runtime import Runtime, open_runtime

log = logging.getLogger(__name__)


class Task(Protocol):
    """What Celery makes of a function here: called directly, or `delay`ed."""

    def __call__(self, *arguments: int) -> None: ...
    def delay(self, *arguments: int) -> object: ...


def task(name: str) -> Callable[[Callable[..., None]], Task]:
    """Celery's untyped decorator with a type."""
    return cast(Callable[[Callable[..., None]], Task], app.task(name=f"lyhord.{name}"))


CRAWLS_AT_ONCE = 3
_crawl_places = threading.BoundedSemaphore(CRAWLS_AT_ONCE)
_lock = threading.Lock()
_runtime: list[Runtime] = []
stopping = threading.Event()
"""Set when the embedded service ends: running crawls are asked to stop."""


def use(runtime: Runtime) -> None:
    """Let this process's tasks work on `runtime`."""
    with _lock:
        _runtime[:] = [runtime]


def current() -> Runtime:
    """The process's runtime, opened at the first need."""
    with _lock:
        if not _runtime:
            _runtime.append(open_runtime(settings.config_path(None)))
        return _runtime[0]


@task("plan")
def plan() -> None:
    for run_id in stages.plan_due(current()):
        collect.delay(run_id)


@task("collect")
def collect(run_id: int) -> None:
    # A full house leaves the run queued in the ledger; the next crawl that ends, or the sweep, takes it up.
    if stopping.is_set() or not _crawl_places.acquire(blocking=False):
        return
    try:
        done = stages.collect(current(), run_id, stop=stopping)
    finally:
        _crawl_places.release()
    score.delay()
    if done:
        detect.delay()
    for waiting in stages.waiting_runs(current())[:1]:
        collect.delay(waiting)


@task("score")
def score() -> None:
    if stages.score_all(current()):
        detect.delay()


@task("detect")
def detect() -> None:
    if stages.detect(current()):
        notify.delay()


@task("notify")
def notify() -> None:
    stages.notify(current())


@task("sweep")
def sweep() -> None:
    """What lost messages forgot. One stage that fails does not keep the others from being looked at."""
    for stage in (_sweep_runs, lambda: stages.score_all(current()), lambda: stages.notify(current())):
        try:
            stage()
        except LyhordError as e:
            log.warning("sweep: %s", e)


def _sweep_runs() -> None:
    for run_id in stages.waiting_runs(current()):
        collect.delay(run_id)


@task("tidy")
def tidy() -> None:
    stages.tidy(current())
    notify.delay()
