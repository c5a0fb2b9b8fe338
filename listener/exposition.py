"""Makes the numbers of `listener.metrics` real: where [metrics] has a port, each service process shows Prometheus its own numbers
and those of the processes that it starts.

A service process (a worker's main process, the scheduler, `lyhord run`, `lyhord page`) keeps a folder; itself, its children and
its crawls write into files there, one set for each process, through memory: telling a number costs microseconds and no lock
between processes. A process takes the first set that is free (the lock of its file is), and goes on from the numbers in it. So
a thousand crawls leave no thousand files, and what a killed process counted stays counted. What a service that was killed has
left is cleared by the next that starts.

Levels are of what all services share, so the newest is right; a service in which nobody looked for a while shows none.
"""

import errno
import fcntl
import logging
import os
import secrets
import shutil
import socketserver
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    start_http_server,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from listener import metrics, settings
from listener.config import Config
from listener.errors import ConfigError

log = logging.getLogger(__name__)

PORTS_TRIED = 20
"""Services on one host take [metrics] port, the next one, and so on."""
LEVELS_HOLD = {metrics.FLOW: 90.0, metrics.SOURCES: 180.0}
"""Seconds, by group: some are told every half minute, some every minute."""
YOUNG = 60.0
"""Seconds: a folder that may not have its lock yet."""
_ROOM, _ROOM_PER_SOURCE = 128 * 1024, 4 * 1024
"""Bytes that a file has from the start. Were they claimed only when they are written, a full disk would kill the process
(SIGBUS)."""
_FILES = ("counter", "histogram", "gauge_mostrecent")
_GROUPS = {
    number.name: number.group for number in metrics.ALL if isinstance(number, metrics.Level) and number.group
}


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """What `start` began. `port`: where Prometheus finds it."""

    folder: Path
    port: int
    server: socketserver.BaseServer

    def stop(self) -> None:
        """No number is told any more; nothing is left. Not while processes of ours still run."""
        self.server.shutdown()
        self.server.server_close()
        _forget(self.folder)


def start(config: Config, *, clock: Callable[[], float] = time.time) -> Endpoint | None:
    """For a service process, before it starts others: tell numbers, and show them at the first port that is free. None when
    [metrics] has no port. `clock`: seconds since 1970. Raises ConfigError."""
    if not config.metrics.port:
        return None
    data = Path(config.storage.data)
    folder = data / "metrics" / secrets.token_hex(8)
    registry = CollectorRegistry()
    registry.register(_Gathered(folder, data, clock))
    ProcessCollector(registry=registry)
    try:
        folder.mkdir(parents=True)
        settings.metrics_folder(folder)
        _clear(folder.parent, clock())
        _make_real(folder, config)
        server, port = _serve(config, registry)
    except (OSError, ConfigError) as e:
        _forget(folder)
        if isinstance(e, ConfigError):
            raise
        words = f"{folder}: numbers cannot be kept there ({e}); want a folder that we may write to"
        raise ConfigError(words) from e
    return Endpoint(folder=folder, port=port, server=server)


def join(config: Config) -> None:
    """For a process that a service started: tell numbers into the service's folder, if it keeps one. Never fails: numbers are
    not worth a crawl."""
    folder = settings.metrics_folder()
    if folder is not None:
        try:
            _make_real(folder, config)
        except OSError as e:
            log.warning("no numbers are told: %s", e)


# ------------------------------------------------------------------------------------------------ writing


class _Places:
    """Names the files of the process that asks; prometheus_client asks again at each number, to notice a fork."""

    def __init__(self, folder: Path, room: int) -> None:
        self._folder, self._room = folder, room
        self._pid = self._lock = -1
        self._name = ""

    def __call__(self) -> str:
        if self._pid != os.getpid():
            if self._lock >= 0:
                os.close(self._lock)  # a forked process's copy: the parent keeps the lock through its own
            self._lock, self._name = _first_free(self._folder)
            self._pid = os.getpid()
            for kind in _FILES:
                _claim_room(self._folder / f"{kind}_{self._name}.db", self._room)
        return self._name


def _first_free(folder: Path) -> tuple[int, str]:
    """(lock, name). The lock goes with the process, however it ends."""
    for number in count():
        lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return lock, str(number)
    raise AssertionError("numbers do not end")


def _claim_room(path: Path, size: int) -> None:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(file, 0, size)
    finally:
        os.close(file)


def _make_real(folder: Path, config: Config) -> None:
    """From now on the numbers are written into the folder. Raises OSError."""
    places = _Places(folder, _ROOM + _ROOM_PER_SOURCE * len(config.sources))
    values.ValueClass = values.MultiProcessValue(places)  # type: ignore[no-untyped-call]
    for number in metrics.ALL:
        number.write = _guarded(number, _made(number))


def _made(number: metrics.Number) -> metrics.Write:
    """`registry=None`: what is shown is read from the files, not from here."""
    if isinstance(number, metrics.Span):
        span = Histogram(number.name, number.words, number.labels, registry=None, buckets=number.upto)
        return lambda labels, value: (span.labels(*labels) if labels else span).observe(value)
    if isinstance(number, metrics.Level):
        level = Gauge(number.name, number.words, number.labels, registry=None, multiprocess_mode="mostrecent")
        return lambda labels, value: (level.labels(*labels) if labels else level).set(value)
    counter = Counter(number.name, number.words, number.labels, registry=None)
    for value in number.begins:
        counter.labels(value)
    return lambda labels, value: (counter.labels(*labels) if labels else counter).inc(value)


def _guarded(number: metrics.Number, write: metrics.Write) -> metrics.Write:
    def guarded(labels: tuple[str, ...], value: float) -> None:
        try:
            write(labels, value)
        except OSError as e:
            number.write = None
            log.warning("%s is not told any more: %s", number.name, e)

    return guarded


def _forget(folder: Path) -> None:
    for number in metrics.ALL:
        number.write = None
    values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]
    values.ValueClass = values.MutexValue
    shutil.rmtree(folder, ignore_errors=True)


def _clear(parent: Path, now: float) -> None:
    """Delete the folders of services that have ended: nobody holds the first lock there."""
    for folder in parent.iterdir():
        with suppress(OSError):
            if now - folder.stat().st_mtime < YOUNG:
                continue
            lock = os.open(folder / "0.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


# ------------------------------------------------------------------------------------------------ showing


class _Gathered(Collector):
    """What the processes of a folder have written, and how full the disk is. `clock`: seconds since 1970."""

    def __init__(self, folder: Path, data: Path, clock: Callable[[], float]) -> None:
        self._folder, self._data, self._clock = folder, data, clock

    def collect(self) -> Iterable[Metric]:
        found = list(MultiProcessCollector(None, str(self._folder)).collect())  # type: ignore[no-untyped-call]
        told = {
            s.labels["group"]: s.value for m in found if m.name == metrics.TOLD_AT.name for s in m.samples
        }
        now = self._clock()
        late = {group for group, hold in LEVELS_HOLD.items() if now - told.get(group, 0.0) > hold}
        yield from (metric for metric in found if _GROUPS.get(metric.name) not in late)
        disk = shutil.disk_usage(self._data)
        yield GaugeMetricFamily("lyhord_disk_size_bytes", "Of the disk with the data folder", disk.total)
        yield GaugeMetricFamily("lyhord_disk_free_bytes", "Free on the disk with the data folder", disk.free)


def _serve(config: Config, registry: CollectorRegistry) -> tuple[socketserver.BaseServer, int]:
    first, host = config.metrics.port, config.metrics.host
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        try:
            server, _ = start_http_server(port, addr=host, registry=registry)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                continue
            raise ConfigError(
                f"[metrics]: cannot listen at {host}:{port} ({e}); want an address of this host"
            ) from e
        return server, port
    raise ConfigError(
        f"[metrics]: ports {first} to {first + PORTS_TRIED - 1} of {host} are taken; want another port"
    )
