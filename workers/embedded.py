"""Everything in one process: Celery's worker (threads) and beat on the in-process broker. Nothing else to install."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from celery.apps.beat import Beat
from celery.beat import Scheduler
from celery.worker import WorkController

from listener import settings
from workers import tasks
from workers.app import app, use_broker
from workers.runtime import Runtime

log = logging.getLogger(__name__)
THREADS = 8


@contextmanager
def serving(runtime: Runtime) -> Iterator[None]:
    """Worker and scheduler run while the block does. Raises StoreError when the past cannot be taken up."""
    use_broker(settings.broker_url(runtime.config))
    tasks.use(runtime)
    tasks.stopping.clear()
    worker = WorkController(
        app=app,
        pool_cls="threads",
        concurrency=THREADS,
        loglevel="WARNING",
        queues=["lyhord", "lyhord.crawl"],
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
