"""The mock itself: it refuses what Slack refuses, keeps what it accepted on disk, and runs as a process of
its own."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from alerts.slack_mock import SlackMock
from alerts.slack_rules import FORBIDDEN, INVALID, NO_TEXT, TOO_LONG, problem

BUTTON = {"type": "button", "action_id": "ack", "text": {"type": "plain_text", "text": "Jag tar det"}}


def section(text: str, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": "section", "text": {"type": kind, "text": text}}


def rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"text": "hej"}, ""),
        ({"text": "hej <https://a.example|länk>"}, ""),
        (
            {
                "text": "hej",
                "blocks": [section("a"), {"type": "divider"}, {"type": "actions", "elements": [BUTTON]}],
            },
            "",
        ),
        ({"text": "<!channel>", "blocks": [rich({"type": "text", "text": "<!channel>"})]}, FORBIDDEN),
        ({"text": "a", "blocks": [rich({"type": "text", "text": "<!channel>"})]}, ""),
        ({}, NO_TEXT),
        ({"text": "å" * 40_001}, "msg_too_long"),
        ({"text": "a", "link_names": True}, FORBIDDEN),
        ({"text": "<@U1>"}, FORBIDDEN),
        ({"text": "<#C1>"}, FORBIDDEN),
        ({"text": "<mailto:a@b.example>"}, FORBIDDEN),
        ({"text": "a", "blocks": [section("<!here>")]}, FORBIDDEN),
        ({"text": "a", "blocks": [section("å" * 3001)]}, INVALID),
        ({"text": "a", "blocks": [section("")]}, INVALID),
        ({"text": "a", "blocks": [{"type": "section"}]}, INVALID),
        ({"text": "a", "blocks": [section("a")] * 51}, INVALID),
        ({"text": "a", "blocks": [section("å" * 2900)] * 5}, TOO_LONG),
        (
            {"text": "a", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "å" * 151}}]},
            INVALID,
        ),
        ({"text": "a", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "a"}}]}, INVALID),
        ({"text": "a", "blocks": [{"type": "unknown"}]}, INVALID),
        ({"text": "a", "blocks": ["a"]}, INVALID),
        (
            {"text": "a", "blocks": [{**section("a"), "block_id": "x"}, {**section("b"), "block_id": "x"}]},
            INVALID,
        ),
        (
            {"text": "a", "blocks": [{"type": "actions", "elements": [BUTTON | {"value": "v" * 2001}]}]},
            INVALID,
        ),
        ({"text": "a", "blocks": [rich({"type": "text", "text": ""})]}, INVALID),
        ({"text": "a", "blocks": [rich({"type": "user", "user_id": "U1"})]}, INVALID),
        ({"text": "a", "blocks": [rich({"type": "broadcast", "range": "channel"})]}, INVALID),
        ({"text": "a", "blocks": [rich({"type": "link", "url": "javascript:alert(1)"})]}, INVALID),
        ({"text": "a", "blocks": [{"type": "rich_text", "elements": []}]}, INVALID),
        (
            {
                "text": "a",
                "blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "a"}] * 11}],
            },
            INVALID,
        ),
        ({"text": 7}, "invalid_arguments"),
    ],
)
def test_what_is_refused(payload: dict[str, Any], code: str) -> None:
    assert problem(payload) == code


def ask(address: str, payload: object, token: str = "xoxb-1") -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(address, json.dumps(payload).encode(), headers), timeout=5) as answer:
        return json.load(answer)


def test_history_has_pages(slack: SlackMock) -> None:
    for i in range(5):
        ask(slack.url + "chat.postMessage", {"channel": "C1", "text": f"{i}"})
    seen, cursor = [], ""
    for _ in range(3):
        page = ask(slack.url + "conversations.history", {"channel": "C1", "limit": 2, "cursor": cursor})
        seen += [m["text"] for m in page["messages"]]
        cursor = page["response_metadata"]["next_cursor"]
    assert (seen, cursor) == (["4", "3", "2", "1", "0"], "")


def test_tokens_channels_and_methods_are_checked(tmp_path: Path) -> None:
    with SlackMock(tmp_path / "log", channels=frozenset({"C1"})) as slack:
        assert (
            ask(slack.url + "chat.postMessage", {"channel": "C1", "text": "a"}, "other")["error"]
            == "invalid_auth"
        )
        assert (
            ask(slack.url + "chat.postMessage", {"channel": "C2", "text": "a"})["error"]
            == "channel_not_found"
        )
        assert ask(slack.url + "chat.shout", {"channel": "C1"})["error"] == "unknown_method"
        assert ask(slack.url + "chat.postMessage", "text")["error"] == "invalid_json"


def test_as_a_process_with_faults_and_log(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "accepted.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "alerts.slack_mock", "--port", str(port), "--log", str(log)]
    )
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                assert ask(f"{base}/api/auth.test", {})["ok"]
                break
            except URLError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        ask(f"{base}/faults", [{"method": "chat.postMessage", "kind": "error", "code": "is_archived"}])
        post = {
            "channel": "C1",
            "text": "hej",
            "metadata": {"event_type": "e", "event_payload": {"key": "k"}},
        }
        assert ask(f"{base}/api/chat.postMessage", post)["error"] == "is_archived"
        assert ask(f"{base}/api/chat.postMessage", post)["ok"]
        with urlopen(f"{base}/log", timeout=5) as answer:
            [line] = json.load(answer)["log"]
        assert (line["what"], line["channel"], line["key"]) == ("post", "C1", "k")
    finally:
        process.kill()
        process.wait()
    assert json.loads(log.read_text(encoding="utf-8"))["text"] == "hej"
