"""The Celery app. `celery -A workers.app worker` and `celery -A workers.app beat` run it over many machines;
`workers.embedded` runs both inside one process on Celery's in-process broker.

A message is only a hint ("look for work"): the truth is in ledger and archive, and the sweep finds what a lost message forgot.
Why each setting: docs/decisions/0005-celery.md.
"""

from typing import Any

from celery import Celery

from listener import settings

SETTINGS: dict[str, Any] = {
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_acks_on_failure_or_timeout": True,
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "worker_redirect_stdouts": False,
    "worker_hijack_root_logger": False,
    "worker_max_tasks_per_child": 500,
    "worker_soft_shutdown_timeout": 20,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_max": 1},
    "task_default_queue": "lyhord",
    "task_routes": {"lyhord.collect": {"queue": "lyhord.crawl"}},
    "timezone": "UTC",
    "beat_schedule": {
        "plan": {"task": "lyhord.plan", "schedule": 5.0, "options": {"expires": 5.0}},
        "detect": {"task": "lyhord.detect", "schedule": 60.0, "options": {"expires": 60.0}},
        "sweep": {"task": "lyhord.sweep", "schedule": 10.0, "options": {"expires": 10.0}},
        "tidy": {"task": "lyhord.tidy", "schedule": 600.0, "options": {"expires": 600.0}},
    },
}

_TRANSPORT = {
    # Measured: kombu's in-process transport moves 8 tasks/s with its default polling, 500/s with this.
    "memory": {"polling_interval": 0.01},
    "redis": {
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": "lyhord:",
    },
}


def broker_settings(url: str) -> dict[str, Any]:
    """The settings that depend on the broker."""
    return {"broker_url": url, "broker_transport_options": _TRANSPORT.get(url.split(":", 1)[0], {})}


_chosen: list[str] = []


def use_broker(url: str) -> None:
    """Choose the broker for this process, instead of the one that the file names."""
    _chosen[:] = [url]
    app.conf.update(broker_settings(url))


def _defaults() -> dict[str, Any]:
    """Read when Celery first needs its configuration, so that importing this module touches nothing."""
    url = _chosen[0] if _chosen else settings.broker_url(settings.load(settings.config_path(None)))
    return {**SETTINGS, **broker_settings(url)}


app = Celery("lyhord", include=["workers.tasks"])
app.add_defaults(_defaults)
