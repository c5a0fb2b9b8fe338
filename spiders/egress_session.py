"""The egress guard for clients that use requests (praw): the same checks, the same pinned addresses.

Apart from `spiders.egress` so that a crawl need not load requests.
"""

import socket
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from spiders.egress import Guard


def session(guard: Guard) -> requests.Session:
    """A session of requests that passes the guard with every request and redirect, and ignores the
    environment's proxies."""
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", _GuardedAdapter(guard))
    made.mount("https://", _GuardedAdapter(guard))
    return made


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        guard = self._guard

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, guard, super()._new_conn)

        class Tls(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, guard, super()._new_conn)

        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain}),
            "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": Tls}),
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self._guard.check_url(request.url or "")
        return super().send(request, *args, **kwargs)


def _connect(connection: HTTPConnection, guard: Guard, new: Callable[[], socket.socket]) -> socket.socket:
    """Connect to the approved addresses, in turn; the connection keeps its name (Host, SNI)."""
    name, addresses = connection.host, guard.resolve(connection.host)
    try:
        for one in addresses[:-1]:
            connection.host = one
            try:
                return new()
            except NewConnectionError:
                continue
        connection.host = addresses[-1]
        return new()
    finally:
        connection.host = name
