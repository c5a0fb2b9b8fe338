"""Slack as a Notifier: posts with the SDK's WebClient, and says of each failure whether the message was
accepted.

The SDK's own retry handlers are off: they post twice when an answer is lost. Neither token nor text is in any
error or log line. Needs the scopes chat:write, channels:history and groups:history
(https://docs.slack.dev/reference/methods).
"""

import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError, SlackRequestError
from slack_sdk.web import SlackResponse

from alerts.delivery import MessageGone
from alerts.message import Message
from listener.errors import AmbiguousDelivery, NotifyError

EVENT_TYPE = "lyhord_incident"
KEY = "key"
TIMEOUT_SECONDS = 10
DEFAULT_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 3600.0
_PAGE, _MOST_PAGES = 200, 20

# Slack may have done what was asked before it said one of these.
_UNCLEAR = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})
_BUSY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "accesslimited"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_WHAT_TO_DO = {
    "channel_not_found": "want the channel's id (C…) in lyhord.toml; a private channel must invite the bot",
    "not_in_channel": "invite the bot: /invite in that channel",
    "is_archived": "the channel is archived; name another in lyhord.toml",
    "invalid_auth": "LYHORD_SLACK_TOKEN is not valid; copy the bot token (xoxb-…) again",
    "not_authed": "LYHORD_SLACK_TOKEN is missing",
    "token_revoked": "the token was revoked; install the app again and copy the new one",
    "token_expired": "the token has expired; install the app again and copy the new one",
    "account_inactive": "the app was removed from the workspace; install it again",
    "missing_scope": "give the app chat:write, channels:history and groups:history and install it again",
    "restricted_action": "the workspace does not let apps post there; ask its owner",
}
_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")
# The connection was never made, so nothing was accepted.
_NEVER_SENT = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)


class SlackNotifier:
    """A bot's token (xoxb-…) in one workspace. `base_url` is another only for tests and proxies."""

    def __init__(
        self, token: str, *, base_url: str = "https://slack.com/api/", timeout: int = TIMEOUT_SECONDS
    ) -> None:
        quiet = logging.getLogger(f"{__name__}.sdk")
        quiet.setLevel(logging.CRITICAL)  # the SDK logs texts at DEBUG and whole answers at ERROR
        self._client = WebClient(
            token=token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=quiet
        )

    def post(self, channel: str, message: Message, key: str) -> str:
        answer = self._call(
            "chat.postMessage",
            channel,
            lambda: self._client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=message.blocks,
                metadata={"event_type": EVENT_TYPE, "event_payload": {KEY: key}},
                link_names=False,
                parse="none",
                mrkdwn=False,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        ts = answer.get("ts")
        if not isinstance(ts, str) or not ts:
            raise AmbiguousDelivery(f"Slack: chat.postMessage in {channel}: accepted without a ts; want one")
        return ts

    def update(self, channel: str, ts: str, message: Message) -> None:
        """Leaves the metadata, and with it the key, as they are."""
        self._call(
            "chat.update",
            channel,
            lambda: self._client.chat_update(
                channel=channel,
                ts=ts,
                text=message.text,
                blocks=message.blocks,
                link_names=False,
                parse="none",
            ),
        )

    def find(self, channel: str, key: str, oldest: datetime) -> list[str]:
        found, cursor = [], ""
        for _ in range(_MOST_PAGES):
            page = self._history(channel, oldest, cursor)
            found += [m["ts"] for m in page.get("messages") or [] if _key_of(m) == key]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return sorted(found, key=float)
        raise NotifyError(
            f"Slack: conversations.history of {channel}: more than {_MOST_PAGES * _PAGE} messages since "
            f"{oldest:%Y-%m-%d %H:%M} UTC; want fewer to be sure that a message is not there"
        )

    def delete(self, channel: str, ts: str) -> None:
        try:
            self._call("chat.delete", channel, lambda: self._client.chat_delete(channel=channel, ts=ts))
        except MessageGone:
            return

    def check(self) -> str:
        """The workspace's name, when the token is good. Raises NotifyError."""
        return str(self._call("auth.test", "the workspace", self._client.auth_test).get("team", ""))

    def _history(self, channel: str, oldest: datetime, cursor: str) -> SlackResponse:
        return self._call(
            "conversations.history",
            channel,
            lambda: self._client.conversations_history(
                channel=channel,
                oldest=f"{oldest.timestamp():.6f}",
                include_all_metadata=True,
                limit=_PAGE,
                cursor=cursor or None,
            ),
        )

    def _call(self, method: str, channel: str, ask: Callable[[], SlackResponse]) -> SlackResponse:
        try:
            return ask()
        except SlackApiError as e:
            raise _from_answer(e.response, f"Slack: {method} in {channel}") from None
        except SlackRequestError:
            raise NotifyError(
                f"Slack: {method}: the address is wrong; want http(s)://…", permanent=True
            ) from None
        except (OSError, HTTPException, ValueError, AttributeError, SlackClientError) as e:
            # AttributeError: the SDK stumbles over an answer that is JSON but no table.
            raise _from_failure(e, f"Slack: {method} in {channel}") from None


def _key_of(message: Mapping[str, Any]) -> str:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return ""
    return str((metadata.get("event_payload") or {}).get(KEY, ""))


def _from_answer(answer: SlackResponse, where: str) -> NotifyError:
    """Slack answered, but not with ok."""
    status, body = answer.status_code, answer.data
    error = str(body.get("error", "")) if isinstance(body, dict) else ""
    known = bool(_CODE.fullmatch(error))  # for a body that is not JSON the SDK puts its own words here
    code = error if known else f"HTTP {status}"
    if status == 429 or code in _BUSY:
        wait = _wait(answer.headers)
        return NotifyError(f"{where}: asked to wait; tries again in {wait:.0f} s", retry_after=wait)
    if code in _GONE:
        return MessageGone(f"{where}: the message is not there any more ({code})")
    if status >= 500 or code in _UNCLEAR or not known:
        return AmbiguousDelivery(f"{where}: no definite answer ({code})")
    advice = _WHAT_TO_DO.get(code, "see docs.slack.dev for what it means")
    return NotifyError(f"{where}: refused ({code}): {advice}", permanent=True)


def _from_failure(error: Exception, where: str) -> NotifyError:
    """There was no answer. Only a connection that was never made is surely not a delivery."""
    cause = error.reason if isinstance(error, URLError) else error
    name = type(cause).__name__
    if isinstance(cause, _NEVER_SENT):
        return NotifyError(f"{where}: cannot be reached ({name}); tries again")
    return AmbiguousDelivery(f"{where}: no definite answer ({name})")


def _wait(headers: Mapping[str, Any]) -> float:
    """Seconds of Retry-After, within reason."""
    given = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    text = str(given[0] if isinstance(given, list) and given else given).strip()
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isdecimal() else DEFAULT_WAIT_SECONDS
