"""The page on a real server on loopback, and a small client that keeps its cookie."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import uvicorn

from console.web.app import create_app
from console.web.desk import Desk
from tests.console import fakes

PATIENCE = 10.0


@contextmanager
def serving(desk: Desk) -> Iterator[int]:
    """The port on which the desk's page is served until the block ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(desk), log_level="critical", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until = time.monotonic() + PATIENCE
        while not server.started:
            assert time.monotonic() < until, "the page's server did not start"
            time.sleep(0.01)
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Client:
    """One browser without a screen. `cookie` is what it was given."""

    port: int
    cookie: str = ""

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        own = {"Host": f"127.0.0.1:{self.port}"}
        if self.cookie:
            own["Cookie"] = self.cookie
        if form is not None:
            own["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            body = urlencode(form) if form is not None else None
            connection.request(method, path, body, {**own, **(headers or {})})
            response = connection.getresponse()
            answer = Answer(
                response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
            )
        finally:
            connection.close()
        if given := answer.headers.get("set-cookie"):
            self.cookie = given.split(";")[0]
        return answer

    def enter(self) -> "Client":
        assert self.ask(f"/?token={fakes.TOKEN}").status == 303
        return self


@contextmanager
def visiting(desk: Desk) -> Iterator[Client]:
    """A client that is let in."""
    with serving(desk) as port:
        yield Client(port).enter()
