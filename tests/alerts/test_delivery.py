"""The protocol of delivery against the mock, under every fault, on the ledger in memory and in SQLite:
whatever happens, there is exactly one message per incident and channel in the end."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.delivery import DELETED, LOOKED_ONCE, Notifier, deliver, message_key, sweep
from alerts.message import Links, Message, build
from alerts.slack import SlackNotifier
from alerts.slack_mock import Fault, SlackMock
from alerts.terminal import TerminalNotifier
from listener.incident import Incident, State
from listener.ledger import open_ledger
from listener.ports import Delivery, Incidents, Outbox
from tests.alerts.fakes import MemoryLedger, incident

TOKEN = "xoxb-very-secret"


class Clock:
    """Time that passes when the test says so. Begins at the real time, as the mock's stamps are real."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def render(whole: Incident) -> Message:
    return build(whole, brand="Fjelltele", language="sv", zone=ZoneInfo("Europe/Stockholm"), links=Links())


class Bench:
    """A ledger, a mock and a clock, with what the tests do to them."""

    def __init__(self, incidents: Incidents, outbox: Outbox, slack: SlackMock) -> None:
        self.incidents, self.outbox, self.slack, self.clock = incidents, outbox, slack, Clock()
        self.notifier: Notifier = SlackNotifier(TOKEN, base_url=slack.url, timeout=2)
        self._owners = iter(range(10_000))

    def open(self, *channels: str, name: str = "a") -> Incident:
        opened = incident(id=name * 24, opened_at=self.clock.now)
        assert self.incidents.save(opened, was=None, now=self.clock.now, channels=channels or ("C1",))
        return opened

    def change(self, was: Incident, **changes: object) -> Incident:
        moved = replace(was, **changes)  # type: ignore[arg-type]
        assert self.incidents.save(moved, was=was, now=self.clock.now, channels=("C1",))
        return moved

    def deliver(self, notifier: Notifier | None = None) -> int:
        return deliver(
            self.outbox, self.incidents, notifier or self.notifier, render,
            clock=self.clock, owner=f"owner {next(self._owners)}",
        )  # fmt: skip

    def settle(self) -> int:
        """Deliver every ten seconds for ten minutes."""
        shown = 0
        for _ in range(60):
            shown += self.deliver()
            self.clock.pass_by(10)
        return shown

    def row(self, name: str = "a", channel: str = "C1") -> Delivery:
        return next(d for d in self.outbox.of(name * 24) if d.channel == channel)

    def assert_one_message(self, channel: str = "C1", *, says: str = "växer") -> None:
        [shown] = self.slack.messages(channel)
        assert says in shown.text
        row = self.row(channel=channel)
        assert (row.state, row.ts, row.shown, row.error) == ("sent", shown.ts, row.version, "")


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, slack: SlackMock) -> Iterator[Bench]:
    if request.param == "memory":
        memory = MemoryLedger()
        yield Bench(memory.incidents, memory.outbox, slack)
        return
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield Bench(ledger.incidents, ledger.outbox, slack)
    ledger.close()


def test_posted_once_with_its_key(bench: Bench, tmp_path: Path) -> None:
    bench.open()
    assert bench.settle() == 1
    bench.assert_one_message()
    [posted] = bench.slack.messages()
    assert posted.metadata["event_payload"]["key"] == message_key("a" * 24, "C1")
    [line] = (tmp_path / "accepted.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["what"] == "post"


def test_edited_in_place_to_its_newest_version(bench: Bench) -> None:
    opened = bench.open()
    bench.deliver()
    falling = bench.change(opened, state=State.FALLING)
    bench.change(falling, state=State.OVER, ended_at=bench.clock.now)
    assert bench.deliver() == 1
    [shown] = bench.slack.messages()
    assert (shown.edits, "Över: " in shown.text) == (1, True)
    assert bench.deliver() == 0


@pytest.mark.parametrize(
    "kind", ["500", "500 after", "hang after", "reset after", "close after", "garbage after"]
)
def test_a_lost_answer_never_posts_twice(bench: Bench, kind: str) -> None:
    bench.slack.fail(Fault(kind=kind, seconds=4))
    bench.open()
    bench.settle()
    bench.assert_one_message()


@pytest.mark.parametrize("kind", ["500 after", "reset after"])
def test_lost_answers_to_edits_are_harmless(bench: Bench, kind: str) -> None:
    opened = bench.open()
    bench.deliver()
    bench.slack.fail(*[Fault(kind=kind, method="chat.update")] * 3)
    bench.change(opened, state=State.FALLING)
    bench.settle()
    bench.assert_one_message(says="avtar")


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "request_timeout", "service_unavailable"])
def test_an_unclear_error_is_looked_up(bench: Bench, code: str) -> None:
    bench.slack.fail(Fault(kind="error", code=code))
    bench.open()
    bench.deliver()
    assert bench.row().state == "sending"
    bench.settle()
    bench.assert_one_message()


def test_posted_again_only_after_two_looks_thirty_seconds_apart(bench: Bench) -> None:
    bench.slack.fail(Fault(kind="500"))
    bench.open()
    bench.deliver()
    bench.clock.pass_by(59)
    assert bench.deliver() == 0
    bench.clock.pass_by(1)
    assert bench.deliver() == 0
    assert bench.row().error == LOOKED_ONCE
    bench.clock.pass_by(29)
    assert bench.deliver() == 0
    bench.clock.pass_by(1)
    assert bench.deliver() == 1
    bench.assert_one_message()


def test_a_newer_version_does_not_shorten_the_wait(bench: Bench) -> None:
    bench.slack.workspace.lag = 0.3
    bench.slack.fail(Fault(kind="500 after"))
    opened = bench.open()
    bench.deliver()
    bench.change(opened, state=State.FALLING)
    assert bench.deliver() == 0
    bench.slack.workspace.lag = 0.0
    bench.settle()
    bench.assert_one_message(says="avtar")


def test_a_history_that_lags_one_look_is_waited_for(bench: Bench) -> None:
    bench.slack.workspace.lag = 1000
    bench.slack.fail(Fault(kind="500 after"))
    bench.open()
    bench.deliver()
    bench.clock.pass_by(60)
    assert bench.deliver() == 0
    bench.slack.workspace.lag = 0
    bench.clock.pass_by(30)
    assert bench.deliver() == 1
    bench.assert_one_message()


def test_the_message_is_found_beyond_the_first_page(bench: Bench) -> None:
    bench.slack.fail(Fault(kind="reset after"))
    bench.open()
    bench.deliver()
    for i in range(450):
        bench.slack.workspace.answer("chat.postMessage", {"channel": "C1", "text": f"prat {i}"})
    bench.clock.pass_by(60)
    bench.deliver()
    row = bench.row()
    assert (row.state, row.ts) == ("sent", bench.slack.messages()[0].ts)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_sender_killed_before_or_after_its_post(bench: Bench, moment: str) -> None:
    class Dying(SlackNotifier):
        def post(self, channel: str, message: Message, key: str) -> str:
            if moment == "after":
                super().post(channel, message, key)
            raise Killed

    bench.open()
    with pytest.raises(Killed):
        bench.deliver(Dying(TOKEN, base_url=bench.slack.url))
    assert bench.deliver() == 0
    bench.settle()
    bench.assert_one_message()


def test_a_sender_killed_while_it_posts_anew_what_was_deleted(bench: Bench) -> None:
    class Dying(SlackNotifier):
        def post(self, channel: str, message: Message, key: str) -> str:
            super().post(channel, message, key)
            raise Killed

    opened = bench.open()
    bench.deliver()
    bench.slack.workspace.answer("chat.delete", {"channel": "C1", "ts": bench.row().ts})
    bench.change(opened, state=State.FALLING)
    with pytest.raises(Killed):
        bench.deliver(Dying(TOKEN, base_url=bench.slack.url))
    assert bench.row().error == DELETED
    bench.settle()
    bench.assert_one_message(says="avtar")


def test_a_message_deleted_by_hand_is_posted_anew(bench: Bench) -> None:
    opened = bench.open()
    bench.deliver()
    bench.slack.workspace.answer("chat.delete", {"channel": "C1", "ts": bench.row().ts})
    bench.change(opened, state=State.FALLING)
    assert bench.deliver() == 1
    bench.assert_one_message(says="avtar")


def test_two_senders_at_once(bench: Bench) -> None:
    names = "abcdefgh"
    for name in names:
        bench.open(name=name)
    bench.slack.fail(
        *[Fault(kind="slow", seconds=0.05)] * 4, Fault(kind="500 after"), Fault(kind="reset after")
    )
    errors: list[BaseException] = []

    def send(owner: str) -> None:
        try:
            deliver(bench.outbox, bench.incidents, bench.notifier, render, clock=bench.clock, owner=owner)
        except BaseException as e:  # noqa: BLE001 - shown by the assertion below
            errors.append(e)

    senders = [threading.Thread(target=send, args=(f"sender {i}",)) for i in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert errors == []
    bench.settle()
    assert len(bench.slack.messages()) == len(names)
    assert {bench.row(name).state for name in names} == {"sent"}


def test_copies_are_deleted_when_found_and_by_the_sweep(bench: Bench) -> None:
    bench.slack.fail(Fault(kind="500 after"))
    bench.open()
    bench.deliver()
    bench.notifier.post("C1", render(incident()), message_key("a" * 24, "C1"))
    first = bench.slack.messages()[0].ts
    bench.settle()
    bench.assert_one_message()
    assert bench.row().ts == first
    bench.notifier.post("C1", render(incident()), message_key("a" * 24, "C1"))
    assert sweep(bench.outbox, bench.incidents, bench.notifier) == 1
    assert sweep(bench.outbox, bench.incidents, bench.notifier) == 0
    bench.assert_one_message()


def test_a_limited_channel_waits_and_delays_no_other(bench: Bench) -> None:
    for name in "abcde":
        bench.open("C1", "C2", name=name)
    bench.slack.fail(Fault(kind="ratelimited", channel="C1", retry_after=30))
    assert bench.deliver() == 5
    assert (len(bench.slack.messages("C1")), len(bench.slack.messages("C2"))) == (0, 5)
    bench.clock.pass_by(29)
    assert bench.deliver() == 0
    bench.clock.pass_by(1)
    assert bench.deliver() == 5
    assert len(bench.slack.messages("C1")) == 5


def test_many_waiting_in_a_limited_channel_do_not_hide_another(bench: Bench) -> None:
    for i in range(30):
        bench.open("C1", name=chr(0x61 + i % 20) * 2 + str(i))
    bench.clock.pass_by(1)
    bench.open("C2", name="z")
    bench.slack.fail(Fault(kind="ratelimited", channel="C1", retry_after=30))
    assert bench.deliver() == 1
    assert len(bench.slack.messages("C2")) == 1


def test_a_refusal_is_told_in_words_and_tried_again_when_mended(bench: Bench) -> None:
    bench.slack.fail(Fault(kind="error", code="not_in_channel"))
    bench.open()
    assert bench.deliver() == 0
    row = bench.row()
    assert (row.state, row.error) == (
        "failed", "Slack: chat.postMessage in C1: refused (not_in_channel): invite the bot: /invite in that channel",
    )  # fmt: skip
    assert bench.deliver() == 0
    bench.clock.pass_by(3600)
    assert bench.deliver() == 1
    bench.assert_one_message()


def test_when_nobody_listens_nothing_was_sent_and_it_is_tried_soon(bench: Bench) -> None:
    bench.open()
    away = SlackNotifier(TOKEN, base_url="http://127.0.0.1:1/api/", timeout=1)
    assert bench.deliver(away) == 0
    assert bench.row().state == "new"
    assert TOKEN not in bench.row().error
    bench.clock.pass_by(5)
    assert bench.deliver() == 1


def test_a_failing_look_up_stays_in_doubt(bench: Bench) -> None:
    bench.slack.fail(
        Fault(kind="500 after"),
        *[
            Fault(kind=kind, method="conversations.history")
            for kind in ("500", "ratelimited", "garbage after")
        ],
    )
    bench.open()
    bench.settle()
    bench.assert_one_message()


def test_an_incident_that_is_gone_fails_with_words() -> None:
    memory = MemoryLedger()
    memory.incidents.save(incident(), was=None, now=incident().opened_at, channels=("terminal",))
    memory.stored.clear()
    written: list[str] = []
    terminal = TerminalNotifier(written.append)
    clock = Clock()
    assert deliver(memory.outbox, memory.incidents, terminal, render, clock=clock, owner="o") == 0
    [row] = memory.outbox.of(incident().id)
    assert (row.state, row.error, written) == ("failed", "its incident is not in the ledger", [])


def test_the_terminal_shows_each_version(bench: Bench) -> None:
    written: list[str] = []
    terminal = TerminalNotifier(written.append)
    opened = bench.open()
    assert bench.deliver(terminal) == 1
    bench.change(opened, state=State.FALLING)
    assert bench.deliver(terminal) == 1
    assert [line for line in written if "ovanligt" in line] == [
        "Fjelltele: ovanligt många oroliga kunder · sedan 02:15, växer",
        "Fjelltele: ovanligt många oroliga kunder · sedan 02:15, avtar",
    ]
    assert terminal.find("C1", "k", bench.clock.now) == []
    terminal.delete("C1", "1")
