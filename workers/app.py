"""The Celery app. `celery -A workers.app worker` and `celery -A workers.app beat` run it over many machines;
`workers.embedded` runs both inside one process on Celery's in-process broker.

A message is only a hint ("look for work"): the truth is in ledger and archive, and the sweep finds what a lost message forgot.
Why each setting: docs/decisions/0005-celery.md.
"""

from typing import Any

from celery import Celery

from listener import settings
from workers.vitals import QUEUES

NAMES = "lyhord"
"""What the names of queues begin with, unless a run is to share a broker with others (`lyhord demo`)."""
SOFT_SECONDS, HARD_SECONDS = 45, 60
"""What a task may take: first it is told to end, then its process is killed. `collect` has its own (`workers.tasks`)."""

SETTINGS: dict[str, Any] = {
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "result_accept_content": ["json"],
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_acks_on_failure_or_timeout": True,
    "task_reject_on_worker_lost": False,
    "task_retry_on_worker_lost": True,
    "task_annotations": {"*": {"max_retries": 3, "default_retry_delay": 5}},
    "task_soft_time_limit": SOFT_SECONDS,
    "task_time_limit": HARD_SECONDS,
    "task_create_missing_queues": False,
    "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_max": 1},
    "worker_prefetch_multiplier": 1,
    "worker_max_tasks_per_child": 500,
    "worker_max_memory_per_child": 400_000,
    "worker_eta_task_limit": 1000,
    "worker_soft_shutdown_timeout": 20,
    "worker_enable_soft_shutdown_on_idle": True,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_redirect_stdouts": False,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "beat_scheduler": "celery.beat:Scheduler",
    "timezone": "UTC",
}

_ROUTES = {
    "lyhord.detect": "lyhord.alerts",
    "lyhord.notify": "lyhord.alerts",
    "lyhord.score": "lyhord.score",
    "lyhord.settle": "lyhord.score",
    "lyhord.collect": "lyhord.crawl",
}
"""Task → queue; the others: the first of the names."""

_PERIODS = {"plan": 5, "sweep": 10, "detect": 60, "publish": 60, "tidy": 600}
"""Seconds from one tick of a task to the next; told to those that need not work twice at one tick (`workers.tasks`)."""
_SIGNED_EVERY = 30.0

_TRANSPORT: dict[str, dict[str, Any]] = {
    # Measured: kombu's in-process transport moves 8 tasks/s with its default polling, 500/s with this.
    "memory": {"polling_interval": 0.01},
    "redis": {
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "priority",
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    "amqp": {"confirm_publish": True},
}
_QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 5}


def broker_settings(url: str, names: str = NAMES) -> dict[str, Any]:
    """The settings that depend on the broker, and on what the queues' names begin with."""
    kind = {"rediss": "redis", "amqps": "amqp"}.get(scheme := url.split(":", 1)[0], scheme)
    transport = dict(_TRANSPORT.get(kind, {}))
    if kind == "redis":
        transport["global_keyprefix"] = f"{names}:"
    return {"broker_url": url, "broker_transport_options": transport} | _queues(names, quorum=kind == "amqp")


def _queues(names: str, *, quorum: bool) -> dict[str, Any]:
    """Queues, routes and ticks. Only the service's own queues outlive a crash of the broker: a demo's are gone with it."""
    arguments = _QUORUM if quorum and names == NAMES else None
    named = {queue: names + queue.removeprefix(NAMES) for queue in QUEUES}
    ticks = {
        name: {
            "task": f"lyhord.{name}",
            "schedule": float(period),
            "kwargs": {"every": period},
            "options": {"expires": float(period)},
        }
        for name, period in _PERIODS.items()
    }
    signs = {
        f"canary {queue}": {
            "task": "lyhord.canary",
            "schedule": _SIGNED_EVERY,
            "args": [queue],
            "options": {"expires": 4 * _SIGNED_EVERY, "queue": named[queue]},
        }
        for queue in QUEUES
    }
    return {
        "task_queues": {
            queue: {
                "exchange": names,
                "exchange_type": "direct",
                "routing_key": queue,
                "queue_arguments": arguments,
            }
            for queue in named.values()
        },
        "task_default_queue": named[NAMES],
        "task_default_exchange": names,
        "task_default_routing_key": named[NAMES],
        "task_routes": {task: {"queue": named[queue]} for task, queue in _ROUTES.items()},
        "beat_schedule": ticks | signs,
    }


_chosen: list[tuple[str, str]] = []


def use_broker(url: str, names: str = NAMES) -> None:
    """Choose the broker for this process, instead of the one that the file names. `names`: what its queues' names begin with."""
    _chosen[:] = [(url, names)]
    app.conf.update(broker_settings(url, names))
    # Celery keeps queues, routes and connections of what was chosen before.
    app.__dict__.pop("amqp", None)
    app._pool = None


def _defaults() -> dict[str, Any]:
    """Read when Celery first needs its configuration, so that importing this module touches nothing."""
    chosen = (
        _chosen[0] if _chosen else (settings.broker_url(settings.load(settings.config_path(None))), NAMES)
    )
    return {**SETTINGS, **broker_settings(*chosen)}


app = Celery("lyhord", include=["workers.tasks"])
app.add_defaults(_defaults)
