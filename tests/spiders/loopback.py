"""A web site on the loopback interface whose pages a test writes."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    path: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    body: bytes | str = b""
    status: int = 200
    headers: Headers = field(default_factory=dict)
    cut: bool = False
    """Promise more than is sent."""


Page = Answer | Callable[[Asked], Answer]


class Site:
    """`pages`: path (without query) → answer; anything else is 404. `asked`: every request, in order."""

    def __init__(self, port: int) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        page = self.pages.get(asked.path.partition("?")[0], Answer("not here", 404))
        return page if isinstance(page, Answer) else page(asked)

    def times(self, path: str) -> int:
        return sum(asked.path.partition("?")[0] == path for asked in self.asked)


@contextmanager
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            reply = running.answer(Asked(self.path, dict(self.headers), self.rfile.read(length)))
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + (100 if reply.cut else 0)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = reply.cut

        do_POST = do_GET  # noqa: N815 (http.server's name)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up is no error here."""

    server = Server(("127.0.0.1", 0), Handler)
    running = Site(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
