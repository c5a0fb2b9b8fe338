"""The service's Celery app with one more task, which writes to the ledger that it was worked: `celery -A tests.workers.probe
worker`; `python -m tests.workers.probe N` sends N hints of it. Queues of its own, so that nobody else's worker takes them."""

import hashlib
import sys
import time

from listener import settings
from workers import tasks
from workers.app import app, use_broker

SECONDS = 0.15

_path = settings.config_path(None)
use_broker(
    settings.broker_url(settings.load(_path)), f"lyhord-{hashlib.sha256(str(_path).encode()).hexdigest()[:8]}"
)


@tasks.task("probe")
def probe(number: int) -> None:
    time.sleep(SECONDS)
    ledger = tasks.current().ledger
    ledger.note(f"probe:{number}", str(int(ledger.noted(f"probe:{number}") or "0") + 1))


if __name__ == "__main__":
    with app.connection_for_write() as connection:
        for n in range(int(sys.argv[1])):
            app.send_task("lyhord.probe", args=(n,), connection=connection)
