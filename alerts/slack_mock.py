"""A stand-in for Slack's Web API on loopback, for tests, demos and fault runs: `python -m alerts.slack_mock
--port N --log FILE`.

Knows chat.postMessage, chat.update, chat.delete, conversations.history (metadata, pages), auth.test. What it
accepts is appended to a log file and synced to disk before it answers, so the file says what a channel saw
even when either side is killed. It refuses what Slack refuses (sizes, unknown blocks) and more: anything that
could notify people or hide a link.

Faults are queued per method, one for each coming request: see `Fault`; over HTTP by POST /faults with a JSON
list of {"method", "kind", …}. GET /log answers what was accepted. Any token that begins with "xoxb-" is good.
"""

import argparse
import json
import logging
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from alerts.slack_rules import problem

log = logging.getLogger(__name__)

Answer = dict[str, Any]
_MAX_BODY = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one request.

    kind: `ratelimited` (429 with retry_after), `error` (ok: false with `code`), `500` (before anything is
    accepted), `500 after`, `hang after` (`seconds`, then closes), `reset after`, `close after`, `garbage
    after` (accepted, but the answer is no JSON), `slow` (`seconds`, then a good answer). `channel`: only for
    requests to it.
    """

    kind: str
    method: str = "chat.postMessage"
    channel: str = ""
    retry_after: int = 1
    code: str = "internal_error"
    seconds: float = 5.0


@dataclass(slots=True)
class Posted:
    """A message as a channel shows it; `at`: monotonic time of acceptance."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    at: float
    edits: int = 0


@dataclass(slots=True)
class Workspace:
    """State behind the server; one lock for everything. `lag`: seconds until history shows a message."""

    log_file: Path
    channels: frozenset[str] = frozenset()
    """Empty: every channel exists."""
    lag: float = 0.0
    messages: list[Posted] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)
    newest_ts: int = 0

    def take_fault(self, method: str, channel: str) -> Fault | None:
        """The first queued fault that is meant for this request."""
        with self.lock:
            for fault in self.faults:
                if fault.method == method and fault.channel in ("", channel):
                    self.faults.remove(fault)
                    return fault
        return None

    def answer(self, method: str, given: Mapping[str, Any]) -> Answer:
        known: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "conversations.history": self._history,
        }
        if method == "auth.test":
            return {
                "ok": True,
                "team": "Mock",
                "user": "lyhord",
                "team_id": "T1",
                "user_id": "U1",
                "bot_id": "B1",
            }
        if method not in known:
            return {"ok": False, "error": "unknown_method"}
        if not given.get("channel") or (self.channels and given["channel"] not in self.channels):
            return {"ok": False, "error": "channel_not_found"}
        with self.lock:
            return known[method](given)

    def _post(self, given: Mapping[str, Any]) -> Answer:
        if code := problem(given):
            return {"ok": False, "error": code}
        self.newest_ts = max(self.newest_ts + 1, time.time_ns() // 1000)
        ts = f"{self.newest_ts // 1_000_000}.{self.newest_ts % 1_000_000:06d}"
        self.messages.append(
            Posted(
                channel=given["channel"],
                ts=ts,
                text=given.get("text", ""),
                blocks=list(given.get("blocks") or []),
                metadata=dict(given.get("metadata") or {}),
                at=time.monotonic(),
            )
        )
        self._note("post", self.messages[-1])
        return {"ok": True, "channel": given["channel"], "ts": ts}

    def _update(self, given: Mapping[str, Any]) -> Answer:
        posted = self._find(given)
        if posted is None:
            return {"ok": False, "error": "message_not_found"}
        if code := problem(given):
            return {"ok": False, "error": code}
        posted.text, posted.blocks = given.get("text", ""), list(given.get("blocks") or [])
        posted.metadata = dict(given.get("metadata") or posted.metadata)
        posted.edits += 1
        self._note("update", posted)
        return {"ok": True, "channel": posted.channel, "ts": posted.ts}

    def _delete(self, given: Mapping[str, Any]) -> Answer:
        posted = self._find(given)
        if posted is None:
            return {"ok": False, "error": "message_not_found"}
        self.messages.remove(posted)
        self._note("delete", posted)
        return {"ok": True, "channel": posted.channel, "ts": posted.ts}

    def _history(self, given: Mapping[str, Any]) -> Answer:
        """Newest first; the cursor is the ts that the page before ended with."""
        shown_before, oldest = time.monotonic() - self.lag, float(given.get("oldest") or 0)
        limit, cursor = min(int(given.get("limit") or 100), 999), str(given.get("cursor") or "")
        seen = [m for m in self.messages if m.channel == given["channel"] and m.at <= shown_before]
        after = [
            m for m in reversed(seen) if float(m.ts) > oldest and (not cursor or float(m.ts) < float(cursor))
        ]
        page, rest = after[:limit], after[limit:]
        with_metadata = str(given.get("include_all_metadata", "")).lower() in ("1", "true")
        return {
            "ok": True,
            "messages": [
                {"type": "message", "ts": m.ts, "text": m.text}
                | ({"metadata": m.metadata} if with_metadata and m.metadata else {})
                for m in page
            ],
            "has_more": bool(rest),
            "response_metadata": {"next_cursor": page[-1].ts if rest else ""},
        }

    def _find(self, given: Mapping[str, Any]) -> Posted | None:
        wanted = (given["channel"], given.get("ts"))
        return next((m for m in self.messages if (m.channel, m.ts) == wanted), None)

    def _note(self, what: str, posted: Posted) -> None:
        line = {
            "what": what,
            "channel": posted.channel,
            "ts": posted.ts,
            "key": (posted.metadata.get("event_payload") or {}).get("key", ""),
            "text": posted.text,
        }
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: "_Server"

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/log":
            with self.server.workspace.lock:
                path = self.server.workspace.log_file
                lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            self._send(200, {"ok": True, "log": [json.loads(line) for line in lines]})
            return
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        given = self._given()
        address = urlsplit(self.path)
        if address.path == "/faults" and isinstance(given, list):
            with self.server.workspace.lock:
                self.server.workspace.faults.extend(Fault(**fault) for fault in given)
            self._send(200, {"ok": True})
            return
        if not isinstance(given, dict):
            self._send(200, {"ok": False, "error": "invalid_json"})
            return
        if not self.headers.get("Authorization", "").startswith("Bearer xoxb-"):
            self._send(200, {"ok": False, "error": "invalid_auth"})
            return
        self._faulty(address.path.rpartition("/")[2], given)

    def _faulty(self, method: str, given: dict[str, Any]) -> None:
        workspace = self.server.workspace
        fault = workspace.take_fault(method, str(given.get("channel", "")))
        if fault is None:
            self._send(200, workspace.answer(method, given))
            return
        match fault.kind:
            case "ratelimited":
                headers = {"Retry-After": str(fault.retry_after)}
                self._send(429, {"ok": False, "error": "ratelimited"}, headers)
            case "error":
                self._send(200, {"ok": False, "error": fault.code})
            case "500":
                self._send(500, None)
            case "slow":
                self.server.stopped.wait(fault.seconds)
                self._send(200, workspace.answer(method, given))
            case _:
                workspace.answer(method, given)
                self._lose_answer(fault)

    def _lose_answer(self, fault: Fault) -> None:
        """The request was accepted; the client does not learn it."""
        if fault.kind == "500 after":
            self._send(500, None)
            return
        if fault.kind == "garbage after":
            self._send(200, None)
            return
        if fault.kind == "hang after":
            self.server.stopped.wait(fault.seconds)
        if fault.kind == "reset after":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _given(self) -> Any:
        """The request's fields, from JSON, form or query; None when it is too large or no JSON."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY:
            return None
        body = self.rfile.read(length).decode("utf-8", "replace")
        fields = {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if body and "json" in self.headers.get("Content-Type", ""):
            try:
                given = json.loads(body)
            except ValueError:
                return None
            return fields | given if isinstance(given, dict) else given
        return fields | {key: values[-1] for key, values in parse_qs(body).items()}

    def _send(self, status: int, answer: Answer | None, headers: Mapping[str, str] | None = None) -> None:
        body = b"<html>upstream error</html>" if answer is None else json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if answer is None else "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client has gone

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        log.debug("%s", format % args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    workspace: Workspace
    stopped: threading.Event

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection broke", exc_info=True)


class SlackMock:
    """The mock in a thread of this process: `with SlackMock(log_file) as slack: … slack.url …`."""

    def __init__(self, log_file: Path, *, port: int = 0, channels: frozenset[str] = frozenset()) -> None:
        self.workspace = Workspace(log_file, channels)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.workspace, self._server.stopped = self.workspace, threading.Event()
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/"

    def fail(self, *faults: Fault) -> None:
        """Queue faults for the coming requests."""
        with self.workspace.lock:
            self.workspace.faults.extend(faults)

    def messages(self, channel: str = "") -> list[Posted]:
        """What people see, oldest first."""
        with self.workspace.lock:
            return [m for m in self.workspace.messages if channel in ("", m.channel)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m alerts.slack_mock", description="Slack's Web API on loopback."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True, help="file to which what was accepted is appended")
    parser.add_argument("--lag", type=float, default=0.0, help="seconds until history shows a message")
    given = parser.parse_args()
    mock = SlackMock(given.log, port=given.port)
    mock.workspace.lag = given.lag
    with mock:
        threading.Event().wait()


if __name__ == "__main__":
    main()
