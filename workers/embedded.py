"""Everything in one process: Celery's worker (threads) and beat, on Celery's in-process broker or the one that the file names.
Nothing else to install."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from celery.apps.beat import Beat
from celery.beat import Scheduler
from celery.worker import WorkController

from listener import settings
from workers import numbers, tasks
from workers.app import NAMES, app, use_broker
from workers.runtime import Runtime

log = logging.getLogger(__name__)
THREADS = 8


@contextmanager
def serving(runtime: Runtime, *, names: str = NAMES) -> Iterator[None]:
    """Worker and scheduler run while the block does. `names`: what the queues' names begin with. Raises StoreError when the
    past cannot be taken up."""
    numbers.begin(runtime.config)
    use_broker(settings.broker_url(runtime.config), names)
    tasks.use(runtime)
    tasks.limit_crawls(tasks.CRAWLS_AT_ONCE)
    tasks.stopping.clear()
    worker = WorkController(
        app=app,
        pool_cls="threads",
        concurrency=THREADS,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    beat = Beat(app=app, scheduler_cls=Scheduler).Service(app, max_interval=1, scheduler_cls=Scheduler)
    threads = [
        threading.Thread(target=part, name=name, daemon=True)
        for name, part in (("worker", worker.start), ("beat", beat.start))
    ]
    for thread in threads:
        thread.start()
    tasks.sweep.delay()
    tasks.plan.delay()
    try:
        yield
    finally:
        tasks.stopping.set()
        beat.stop(wait=True)
        worker.stop()
        threads[0].join(timeout=10)
        numbers.end()
