"""The Celery tasks: thin shells around `workers.stages`. Each one may be lost, doubled or run at the same time elsewhere."""

import logging
import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, cast

from billiard.exceptions import SoftTimeLimitExceeded
from celery import Task as CeleryTask
from celery.signals import celeryd_after_setup, worker_process_shutdown, worker_shutting_down
from kombu.exceptions import OperationalError

from listener import settings
from listener.errors import LyhordError, StoreAway
from workers import numbers, stages, vitals
from workers.app import app
from workers.runtime import Runtime, open_runtime
from workers.sharing import Places, SharedFlag
from workers.turns import once_a_tick

log = logging.getLogger(__name__)


class Task(Protocol):
    """What Celery makes of a function here: called directly, or `delay`ed."""

    def __call__(self, *arguments: Any, **options: Any) -> None: ...
    def delay(self, *arguments: Any, **options: Any) -> object: ...


class _Hint(CeleryTask):  # type: ignore[misc]  # (Celery has no types)
    """A broker that is away costs a hint, and the sweep finds what it was about: not a reason to fail."""

    def delay(self, *arguments: Any, **options: Any) -> object:
        try:
            return self.apply_async(arguments, options)
        except OperationalError as e:
            log.warning(
                "%s: the broker is away (%s); the next sweep finds the work", self.name, type(e).__name__
            )
            return None


def task(name: str, **limits: float) -> Callable[[Callable[..., None]], Task]:
    """Celery's untyped decorator with a type. What goes wrong on purpose is one line in the log."""

    def make(function: Callable[..., None]) -> Task:
        @wraps(function)
        def guarded(*arguments: Any, **options: Any) -> None:
            try:
                function(*arguments, **options)
            except SoftTimeLimitExceeded:
                log.warning("%s: took too long and was ended; the next one goes on where it was", name)
            except StoreAway as e:
                log.info(
                    "%s: %s", name, e
                )  # said on the page and by `lyhord health`, not every ten seconds here
            except LyhordError as e:
                log.warning("%s: %s", name, e)

        return cast(Task, app.task(name=f"lyhord.{name}", base=_Hint, **limits)(guarded))

    return make


CRAWLS_AT_ONCE = 3
"""In one process; in a worker of `celery -A workers.app worker` one fewer than its slots."""
_CRAWL_SECONDS = stages.CRAWL_LIMITS.seconds + stages.CRAWL_LIMITS.grace

stopping = SharedFlag()
"""Set when the worker is asked to end: crawls under way are asked to stop, and their runs wait for others."""
_lock = threading.Lock()
_scoring = threading.Lock()
_places: list[Places] = []
_runtimes: dict[int, Runtime] = {}
"""By process: what a child inherits is its parent's, and left alone."""


def use(runtime: Runtime) -> None:
    """Let this process's tasks work on `runtime`."""
    with _lock:
        _runtimes[os.getpid()] = runtime


def current() -> Runtime:
    """The process's runtime, opened at the first need."""
    with _lock:
        if os.getpid() not in _runtimes:
            _runtimes[os.getpid()] = open_runtime(settings.config_path(None))
        return _runtimes[os.getpid()]


def limit_crawls(number: int) -> None:
    """So many at once in this process and the children that it makes from now on."""
    _places[:] = [Places(number)]


def _set_up(instance: Any, **_: object) -> None:
    """Before a worker makes its children. One slot is kept free of crawls, so that nothing waits for the web."""
    if instance.concurrency == 1:
        log.warning("one slot only: while it crawls, everything else waits; want --concurrency 2 or more")
    limit_crawls(max(1, instance.concurrency - 1))


def _stop_crawls(**_: object) -> None:
    stopping.set()


def _close(**_: object) -> None:
    if runtime := _runtimes.pop(os.getpid(), None):
        runtime.close()


celeryd_after_setup.connect(_set_up)
worker_shutting_down.connect(_stop_crawls)
worker_process_shutdown.connect(_close)


# ------------------------------------------------------------------------------------------------ what ticks
# `every`: seconds from tick to tick, for a tick that a second scheduler sent, too. Without it, a hint is always followed.


def _once_a_tick(name: str, every: int, work: Callable[[], None]) -> None:
    runtime = current()
    once_a_tick(runtime.ledger, name, every, work, runtime.clock())


@task("plan")
def plan(every: int = 0) -> None:
    def work() -> None:
        for run_id in stages.plan_due(current()):
            collect.delay(run_id)

    _once_a_tick("plan", every, work)


@task("detect")
def detect(every: int = 0) -> None:
    def work() -> None:
        if stages.detect(current()):
            notify.delay()

    _once_a_tick("detect", every, work)


@task("sweep")
def sweep(every: int = 0) -> None:
    """What lost messages forgot, each in a task of its own: one that fails does not keep the others from being looked at."""

    def work() -> None:
        for run_id in stages.waiting_runs(current()):
            collect.delay(run_id)
        score.delay()
        notify.delay()
        settle.delay()

    _once_a_tick("sweep", every, work)


@task("publish")
def publish(every: int = 0) -> None:
    def work() -> None:
        stages.publish(current())
        numbers.tell_sources(current())

    _once_a_tick("publish", every, work)


@task("tidy")
def tidy(every: int = 0) -> None:
    def work() -> None:
        stages.tidy(current())
        notify.delay()

    _once_a_tick("tidy", every, work)


@task("canary")
def canary(queue: str) -> None:
    """A sign of life through `queue`; what it looks at on the way is shown with it."""
    runtime = current()
    vitals.sign(runtime.ledger, queue, runtime.clock())
    if queue == vitals.QUEUES[0]:
        lag = stages.lag(runtime)
        vitals.write_lag(runtime.ledger, lag, runtime.clock())
        numbers.tell_flow(runtime, lag)


# ------------------------------------------------------------------------------------------------ what is hinted at


@task("collect", soft_time_limit=_CRAWL_SECONDS + 20, time_limit=_CRAWL_SECONDS + 50)
def collect(run_id: int) -> None:
    """A message that comes twice, as a long crawl's does on Redis, finds the run claimed."""
    if stopping.is_set():
        return
    with (_places or [_default_places()])[0].taken() as place:
        # A full house leaves the run queued in the ledger; the next crawl that ends, or the sweep, takes it up.
        done = stages.collect(current(), run_id, stop=stopping, put_back=True) if place else None
    if done is None or stopping.is_set():
        return
    score.delay()
    detect.delay()
    for waiting in stages.waiting_runs(current())[:1]:
        collect.delay(waiting)


def _default_places() -> Places:
    with _lock:
        if not _places:
            limit_crawls(CRAWLS_AT_ONCE)
        return _places[0]


@task("score")
def score() -> None:
    """One at a time in a process: threads of one would only share its processor."""
    if not _scoring.acquire(blocking=False):
        return
    try:
        shared = stages.score_share(current(), invite=score.delay)
    finally:
        _scoring.release()
    if shared.more:
        score.delay()
    if shared.scored:
        detect.delay()


@task("settle")
def settle() -> None:
    if stages.settle(current()):
        detect.delay()


@task("notify")
def notify() -> None:
    stages.notify(current())
