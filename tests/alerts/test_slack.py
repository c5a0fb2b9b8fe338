"""SlackNotifier against the mock: what each answer means, and that no secret and no text leaks."""

import logging
import traceback
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.delivery import MessageGone
from alerts.message import Links, Message, build
from alerts.slack import SlackNotifier
from alerts.slack_mock import Fault, SlackMock
from listener.errors import AmbiguousDelivery, NotifyError
from tests.alerts.fakes import incident

TOKEN = "xoxb-very-secret-token"
LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


def message() -> Message:
    return build(
        incident(), brand="Fjelltele", language="sv", zone=ZoneInfo("Europe/Stockholm"), links=Links()
    )


@pytest.fixture
def notifier(slack: SlackMock) -> SlackNotifier:
    return SlackNotifier(TOKEN, base_url=slack.url, timeout=1)


def test_post_find_update_delete(slack: SlackMock, notifier: SlackNotifier) -> None:
    first, second = (notifier.post("C1", message(), "k") for _ in range(2))
    notifier.post("C1", message(), "other")
    assert notifier.find("C1", "k", LONG_AGO) == [first, second]
    assert notifier.find("C2", "k", LONG_AGO) == []
    assert notifier.find("C1", "k", datetime.now(UTC) + timedelta(minutes=1)) == []
    notifier.update("C1", first, message())
    assert notifier.find("C1", "k", LONG_AGO) == [first, second]
    notifier.delete("C1", second)
    notifier.delete("C1", second)
    assert notifier.find("C1", "k", LONG_AGO) == [first]
    with pytest.raises(MessageGone):
        notifier.update("C1", second, message())


def test_check_names_the_workspace(slack: SlackMock, notifier: SlackNotifier) -> None:
    assert notifier.check() == "Mock"
    with pytest.raises(NotifyError, match="LYHORD_SLACK_TOKEN is not valid") as caught:
        SlackNotifier("wrong", base_url=slack.url).check()
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("fault", "kind", "permanent", "retry_after"),
    [
        (Fault(kind="ratelimited", retry_after=17), NotifyError, False, 17.0),
        (Fault(kind="ratelimited", retry_after=99_999), NotifyError, False, 3600.0),
        (Fault(kind="error", code="ratelimited"), NotifyError, False, 30.0),
        (Fault(kind="error", code="channel_not_found"), NotifyError, True, None),
        (Fault(kind="error", code="invalid_blocks"), NotifyError, True, None),
        (Fault(kind="error", code="fatal_error"), AmbiguousDelivery, False, None),
        (Fault(kind="error", code="message_not_found"), MessageGone, False, None),
        (Fault(kind="500"), AmbiguousDelivery, False, None),
        (Fault(kind="500 after"), AmbiguousDelivery, False, None),
        (Fault(kind="garbage after"), AmbiguousDelivery, False, None),
        (Fault(kind="reset after"), AmbiguousDelivery, False, None),
        (Fault(kind="close after"), AmbiguousDelivery, False, None),
        (Fault(kind="slow", seconds=2), AmbiguousDelivery, False, None),
    ],
)
def test_what_each_answer_means(
    slack: SlackMock, fault: Fault, kind: type[NotifyError], permanent: bool, retry_after: float | None
) -> None:
    slack.fail(fault)
    with pytest.raises(NotifyError) as caught:
        SlackNotifier(TOKEN, base_url=slack.url, timeout=1).post("C1", message(), "k")
    assert type(caught.value) is kind
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, retry_after)
    assert str(caught.value).startswith("Slack: chat.postMessage in C1: ")


def test_an_accepted_but_unanswered_post_is_sent_once(slack: SlackMock, notifier: SlackNotifier) -> None:
    """The SDK's own retries would send it twice."""
    slack.fail(Fault(kind="close after"))
    with pytest.raises(AmbiguousDelivery):
        notifier.post("C1", message(), "k")
    assert len(slack.messages()) == 1


def test_neither_token_nor_text_in_errors_and_logs(
    slack: SlackMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kinds = ("500", "garbage after", "reset after", "error", "ratelimited")
    slack.fail(*[Fault(kind=kind) for kind in kinds])
    notifier = SlackNotifier(TOKEN, base_url=slack.url, timeout=1)
    told = []
    for _ in kinds:
        with pytest.raises(NotifyError) as caught:
            notifier.post("C1", message(), "k")
        told.append("".join(traceback.format_exception(caught.value)))
    notifier.post("C1", message(), "k")
    everything = caplog.text + "".join(told) + repr(vars(notifier).keys())
    assert TOKEN not in everything
    assert "hyran" not in everything


def test_an_address_that_is_none_is_permanent() -> None:
    with pytest.raises(NotifyError) as caught:
        SlackNotifier(TOKEN, base_url="ftp://x/").post("C1", message(), "k")
    assert caught.value.permanent


@pytest.mark.parametrize("body", [b"[1]", b'"x"', b"null", b"7", b"{}", b"\xff"])
def test_strange_answers_are_unclear(slack: SlackMock, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr("alerts.slack_mock.json.dumps", lambda *_a, **_k: body.decode("latin-1"))
    with pytest.raises(AmbiguousDelivery):
        SlackNotifier(TOKEN, base_url=slack.url, timeout=1).check()
