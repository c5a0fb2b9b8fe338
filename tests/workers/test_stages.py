"""The stages on real stores: each pulls its own work, and may be run twice or after a loss."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.delivery import message_key
from alerts.message import Message
from listener.archive import open_archive
from listener.config import Config
from listener.errors import StoreAway
from listener.incident import Act, Incident, State
from listener.intake import Tools
from listener.ledger import open_ledger
from listener.mention import Mention
from listener.ports import Archive, Away, SourceReading, Tally, Where
from listener.pseudonym import pseudonymiser
from listener.settings import Secrets, parse_config
from spiders.runner import Exit
from tests.alerts.fakes import incident, quote
from tests.contract.archive_samples import make_mention
from workers import stages
from workers.progress import read_progress, write_progress
from workers.runtime import Runtime
from workers.scoring import open_scorer
from workers.turns import Table, once_a_tick
from workers.vitals import Lag, heard, read_lag, sign, write_lag

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILE = """
[[brands]]
id = "fjelltele"
name = "Fjelltele"
queries = ["fjelltele*"]

[[sources]]
id = "forum"
kind = "forum"
address = "https://forum.example/"
channel = "forum"
every = "10m"
[sources.policy]
basis = "test"
retention = "90d"
deletions = "recrawl"

[[rules]]
id = "worry"
brand = "fjelltele"
"""


@dataclass(slots=True)
class Wall:
    """A notifier that remembers what it shows."""

    shown: dict[str, Message] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def post(self, channel: str, message: Message, key: str) -> str:
        ts = str(len(self.shown) + 1)
        self.shown[ts], self.keys[ts] = message, key
        return ts

    def update(self, channel: str, ts: str, message: Message) -> None:
        self.shown[ts] = message

    def find(self, channel: str, key: str, oldest: datetime) -> list[str]:
        return [ts for ts, known in self.keys.items() if known == key]

    def delete(self, channel: str, ts: str) -> None:
        del self.shown[ts], self.keys[ts]


@dataclass(slots=True)
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(tmp_path: Path, wall: Wall, clock: Clock) -> Iterator[Runtime]:
    config: Config = parse_config(FILE)
    made = Runtime(
        path=tmp_path / "lyhord.toml",
        config=config,
        secrets=Secrets(),
        ledger=open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}"),
        archive=open_archive(f"sqlite:///{tmp_path / 'archive.db'}"),
        tools=Tools.of(config.brands, pseudonymiser(b"k" * 32), lambda texts, usual: ["sv"] * len(texts)),
        scorer=open_scorer(),
        notifier=wall,
        clock=clock,
    )
    yield made
    made.close()


def mentions(texts: Sequence[str]) -> list[Mention]:
    return [
        replace(
            make_mention(id=f"{i:032x}"),
            text=text,
            language="sv",
            brands=("fjelltele",),
            source="forum",
            author=f"a{i}",
        )
        for i, text in enumerate(texts)
    ]


def read_once(runtime: Runtime, clock: Clock, outcome: Tally) -> None:
    """A run of the forum that ended so."""
    (run,) = stages.plan_due(runtime)
    assert runtime.ledger.runs.claim(run, owner="me", now=clock(), lease=HOUR)
    assert runtime.ledger.runs.finish(run, owner="me", now=clock(), tally=outcome)


def test_a_run_is_planned_once_per_slot_and_not_while_paused_or_backing_off(
    runtime: Runtime, clock: Clock
) -> None:
    assert len(stages.plan_due(runtime)) == 1
    assert stages.plan_due(runtime) == []
    clock.now += HOUR
    runtime.ledger.runs.pause("forum", why="", now=clock())
    assert stages.plan_due(runtime) == []
    runtime.ledger.runs.resume("forum")
    assert len(stages.plan_due(runtime)) == 1


def test_a_source_that_failed_is_left_alone_for_a_while(runtime: Runtime, clock: Clock) -> None:
    read_once(runtime, clock, Tally(error="503", retry_after=7200.0))
    clock.now += HOUR
    assert stages.plan_due(runtime) == []
    clock.now += 2 * HOUR
    assert len(stages.plan_due(runtime)) == 1


def test_a_run_whose_process_died_is_found_again(runtime: Runtime, clock: Clock) -> None:
    (run,) = stages.plan_due(runtime)
    assert runtime.ledger.runs.claim(run, owner="dead", now=clock(), lease=stages.LEASE)
    assert stages.waiting_runs(runtime) == []
    clock.now += stages.LEASE + timedelta(seconds=1)
    assert stages.waiting_runs(runtime) == [run]


def test_old_runs_are_forgotten_with_their_progress(runtime: Runtime, clock: Clock) -> None:
    read_once(runtime, clock, Tally(pages=3))
    (run,) = runtime.ledger.runs.latest("forum")
    write_progress(runtime.ledger, run.id, Tally(pages=3))
    assert read_progress(runtime.ledger, run.id) == Tally(pages=3)
    clock.now += timedelta(days=91)
    stages.tidy(runtime)
    assert runtime.ledger.runs.latest("forum") == []
    assert read_progress(runtime.ledger, run.id) == Tally()


def test_scoring_takes_what_has_no_score_and_only_once(runtime: Runtime) -> None:
    runtime.archive.add(mentions(["Jag är så orolig för pengarna", "Tack Fjelltele, allt fungerar fint"]))
    assert stages.score_all(runtime) == 2
    assert stages.score_all(runtime) == 0
    worried = {m.text for m in runtime.archive.search(Where()) if m.score and m.score.is_anxious}
    assert worried == {"Jag är så orolig för pengarna"}


def test_a_mention_edited_while_it_was_scored_is_scored_again(runtime: Runtime) -> None:
    (first,) = mentions(["Jag är så orolig för pengarna"])
    runtime.archive.add([first])

    class EditedMeanwhile:
        model = "test"

        def score(self, texts: Sequence[tuple[str, str]]) -> list[object]:
            runtime.archive.add([replace(first, text="Löst nu, inte orolig längre")])
            return list(runtime.scorer.score(texts))

    assert stages.score_pending(runtime.archive, EditedMeanwhile()) == 0  # type: ignore[arg-type]
    assert stages.score_all(runtime) == 1
    (mention,) = runtime.archive.search(Where())
    assert mention.score is not None
    assert not mention.score.is_anxious


def test_nothing_is_judged_while_a_source_is_read_for_the_first_time(
    runtime: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    monkeypatch.setattr(stages, "watch", lambda rule, **_: judged.append(rule.id))
    (run,) = stages.plan_due(runtime)
    stages.detect(runtime)
    assert judged == []
    runtime.ledger.runs.claim(run, owner="me", now=clock(), lease=HOUR)
    runtime.ledger.runs.finish(run, owner="me", now=clock(), tally=Tally())
    stages.detect(runtime)
    assert judged == ["worry"]


def test_a_source_that_cannot_be_read_does_not_keep_the_others_from_being_judged(
    runtime: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    monkeypatch.setattr(stages, "watch", lambda rule, **_: judged.append(rule.id))
    read_once(runtime, clock, Tally(error="404", permanent=False))
    clock.now += 24 * HOUR
    assert len(stages.plan_due(runtime)) == 1
    stages.detect(runtime)
    assert judged == ["worry"]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rules that `detect` came to, instead of judging them."""
    rules: list[str] = []
    monkeypatch.setattr(stages, "watch", lambda rule, **_: rules.append(rule.id))
    return rules


@pytest.fixture
def two(runtime: Runtime) -> Runtime:
    """The same with a second source."""
    sources = (runtime.source("forum"), replace(runtime.source("forum"), id="second"))
    return replace(runtime, config=replace(runtime.config, sources=sources))


def begin(runtime: Runtime, clock: Clock, run: int) -> None:
    assert runtime.ledger.runs.claim(run, owner=f"owner {run}", now=clock(), lease=stages.LEASE)


def end(runtime: Runtime, clock: Clock, run: int, outcome: Tally) -> None:
    assert runtime.ledger.runs.finish(run, owner=f"owner {run}", now=clock(), tally=outcome)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_source_that_fails_does_not_hide_the_first_reading_of_another(
    two: Runtime, clock: Clock, judged: list[str], failing: int
) -> None:
    failed, other = planned = stages.plan_due(two)
    if failing:
        failed, other = other, failed
    begin(two, clock, failed)
    end(two, clock, failed, Tally(error="404"))
    clock.now += stages.FIRST_READING / 4
    again = stages.plan_due(two)
    assert len(again) == len(planned)
    begin(two, clock, other)
    stages.detect(two)
    assert judged == []
    end(two, clock, other, Tally())
    stages.detect(two)
    assert judged == ["worry"]


def test_a_first_reading_that_is_killed_again_and_again_does_not_hold_back_the_others_for_ever(
    two: Runtime, clock: Clock, judged: list[str]
) -> None:
    killed, other = stages.plan_due(two)
    begin(two, clock, other)
    end(two, clock, other, Tally())
    began = clock.now
    while clock.now < began + stages.FIRST_READING:
        begin(two, clock, killed)
        stages.detect(two)
        assert judged == []
        clock.now += 10 * stages.LEASE
    begin(two, clock, killed)
    stages.detect(two)
    assert judged == ["worry"]


def test_a_first_reading_that_nobody_takes_up_does_not_hold_back_the_others_for_ever(
    two: Runtime, clock: Clock, judged: list[str]
) -> None:
    _, other = stages.plan_due(two)
    begin(two, clock, other)
    end(two, clock, other, Tally())
    stages.detect(two)
    assert judged == []
    clock.now += stages.FIRST_READING
    stages.detect(two)
    assert judged == ["worry"]


def test_an_act_is_recorded_applied_and_shown(runtime: Runtime, wall: Wall) -> None:
    opened = incident(id="i1", rule="worry", brand="fjelltele")
    assert runtime.ledger.incidents.save(opened, was=None, now=NOW, channels=["terminal"])
    stages.notify(runtime)
    stages.act(runtime, opened, Act.ACKNOWLEDGE, by="Guro")
    assert stages.notify(runtime) == 1
    (message,) = wall.shown.values()
    assert any("Guro" in line for line in message.lines)
    assert [(act, by) for _, act, by, _ in runtime.ledger.incidents.acts("i1")] == [(Act.ACKNOWLEDGE, "Guro")]
    stages.act(runtime, opened, Act.CLOSE, by="Guro", note="refunds are out")
    closed = runtime.ledger.incidents.get("i1")
    assert closed is not None
    assert closed.state is State.OVER


def test_what_was_erased_leaves_messages_already_sent(runtime: Runtime, wall: Wall) -> None:
    kept, gone = mentions(["Fjelltele, vad händer med pengarna", "Ring mig, jag heter Kanarie"])
    runtime.archive.add([kept, gone])
    said = [quote(m.id, m.text, at=NOW) for m in (kept, gone)]
    over = incident(id="i1", rule="worry", brand="fjelltele", state=State.OVER, ended_at=NOW)
    over = replace(over, evidence=replace(over.evidence, quotes=tuple(said)))
    runtime.ledger.incidents.save(over, was=None, now=NOW, channels=["terminal"])
    stages.notify(runtime)
    source = runtime.source("forum")
    assert stages.erase(runtime, source, mention=gone.id) == 1
    stages.tidy(runtime)
    stages.notify(runtime)
    told = "\n".join(line for message in wall.shown.values() for line in message.lines)
    assert "Kanarie" not in told
    assert len(wall.shown) == 1


def test_a_copy_of_a_message_is_removed(runtime: Runtime, wall: Wall) -> None:
    runtime.ledger.incidents.save(
        incident(id="i1", rule="worry", brand="fjelltele"), was=None, now=NOW, channels=["terminal"]
    )
    stages.notify(runtime)
    wall.post("terminal", Message("", [], []), message_key("i1", "terminal"))
    stages.tidy(runtime)
    assert list(wall.shown) == ["1"]


def test_an_author_is_found_by_name_and_erased_by_name(
    runtime: Runtime, clock: Callable[[], datetime]
) -> None:
    name = runtime.tools.pseudonymise("forum", "Kalle72")
    (by_kalle, by_guro) = mentions(["Fjelltele igen", "Fjelltele fungerar"])
    runtime.archive.add([replace(by_kalle, author=name), by_guro])
    found = runtime.archive.search(Where(query=stages.search_query(runtime, "author:@kalle72")))
    assert [mention.text for mention in found] == ["Fjelltele igen"]
    assert stages.erase(runtime, runtime.source("forum"), author="kalle72") == 1
    assert [mention.text for mention in runtime.archive.search(Where())] == ["Fjelltele fungerar"]


# ------------------------------------------------------------------------------------------------ several processes


def test_a_tick_that_a_second_scheduler_sends_is_not_worked_twice(runtime: Runtime, clock: Clock) -> None:
    done: list[datetime] = []

    def tick(every: int) -> None:
        once_a_tick(runtime.ledger, "detect", every, lambda: done.append(clock.now), clock.now)

    tick(60)
    clock.now += timedelta(seconds=30)
    tick(60)
    assert len(done) == 1
    tick(0)
    assert len(done) == 2, "what is no tick is always done"
    clock.now += timedelta(seconds=29)
    tick(60)
    assert len(done) == 3, "a tick that comes a little early is the next one"
    clock.now -= HOUR
    tick(60)
    assert len(done) == 4, "a clock that was set back stops nothing"


def test_a_tick_that_failed_is_done_again(runtime: Runtime, clock: Clock) -> None:
    def fail() -> None:
        raise StoreAway("away")

    with pytest.raises(StoreAway):
        once_a_tick(runtime.ledger, "detect", 60, fail, clock.now)
    done: list[bool] = []
    once_a_tick(runtime.ledger, "detect", 60, lambda: done.append(True), clock.now)
    assert done


def test_two_who_score_take_different_mentions_and_leave_none(
    runtime: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.archive.add(mentions([f"Fjelltele nummer {i}" for i in range(100)]))
    scored: list[str] = []

    class Second:
        """Another process begins while the first one scores its first batch."""

        model = "test"

        def score(self, texts: Sequence[tuple[str, str]]) -> list[object]:
            scored.extend(text for text, _ in texts)
            if len(scored) == len(texts):
                with monkeypatch.context() as other:
                    other.setattr(socket, "gethostname", lambda: "another")
                    stages.score_share(second, invite=lambda: None, limit=5)
            return list(runtime.scorer.score(texts))

    second = replace(runtime, scorer=Second())  # type: ignore[arg-type]
    first = stages.score_share(second, invite=lambda: None, limit=5)
    assert first == stages.Shared(20, more=False)
    assert sorted(scored) == sorted({f"Fjelltele nummer {i}" for i in range(100)})
    assert runtime.archive.unscored(1) == []


def test_what_a_killed_process_had_taken_is_scored_by_others(runtime: Runtime, clock: Clock) -> None:
    runtime.archive.add(mentions([f"Fjelltele nummer {i}" for i in range(10)]))
    killed = Table(runtime.ledger, "score", clock)
    killed._me = "killed"
    killed.sit()
    assert killed.take(runtime.archive.unscored(10)[-1].id)
    assert stages.score_share(runtime, invite=lambda: None).scored == 0
    clock.now += timedelta(seconds=16)
    assert stages.score_share(runtime, invite=lambda: None).scored == 10


def test_others_are_invited_when_there_is_more_than_one_can_do_at_once(runtime: Runtime) -> None:
    invited: list[bool] = []
    runtime.archive.add(mentions([f"Fjelltele nummer {i}" for i in range(10)]))
    stages.score_share(runtime, invite=lambda: invited.append(True), limit=100)
    assert invited == []
    runtime.archive.add([replace(m, id=f"{i:032x}") for i, m in enumerate(mentions(["Fjelltele"] * 10), 100)])
    stages.score_share(runtime, invite=lambda: invited.append(True), limit=1)
    assert invited == [True]


def test_nothing_new_is_planned_while_scoring_lags_and_its_slot_is_taken_up_later(
    runtime: Runtime, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    old = [replace(m, fetched_at=clock.now - timedelta(minutes=11)) for m in mentions(["Fjelltele"])]
    runtime.archive.add(old)
    assert stages.lag(runtime).unscored_seconds == 660
    assert stages.plan_due(runtime) == stages.plan_due(runtime) == []
    assert caplog.text.count("nothing new is collected: mentions have been waiting") == 1
    stages.score_all(runtime)
    assert len(stages.plan_due(runtime)) == 1
    assert caplog.text.count("collecting goes on") == 1


def test_nothing_new_is_planned_while_too_much_waits_for_the_archive(
    runtime: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "WAITING_MENTIONS", 1)
    runtime.ledger.journal.write(mentions(["Fjelltele", "Fjelltele igen"]), now=clock.now)
    clock.now += timedelta(seconds=5)
    assert (stages.lag(runtime).waiting_mentions, stages.lag(runtime).waiting_seconds) == (2, 5)
    assert stages.plan_due(runtime) == []


def test_the_lag_of_each_stage_is_of_what_waits_longest(runtime: Runtime, clock: Clock) -> None:
    assert stages.lag(runtime) == Lag()
    (run,) = stages.plan_due(runtime)
    runtime.ledger.incidents.save(
        incident(id="i1", rule="worry", brand="fjelltele"), was=None, now=clock.now, channels=["terminal"]
    )
    clock.now += timedelta(seconds=20)
    late = stages.lag(runtime)
    assert late.outbox_seconds == 20
    assert late.due_runs_seconds >= 20
    begin(runtime, clock, run)
    assert stages.lag(runtime).due_runs_seconds == 0


def test_a_crawl_that_is_asked_to_stop_leaves_its_run_to_others(
    runtime: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = stages.plan_due(runtime)
    asked = threading.Event()

    def crawl(command: Sequence[str], *, limits: object, stop: threading.Event) -> Exit:
        owner = command[command.index("--owner") + 1]
        assert not stop.is_set()
        asked.set()
        assert stop.is_set()
        # What the child says of its end while it stops.
        assert not runtime.ledger.runs.finish(
            run, owner=owner, now=clock.now, tally=Tally(error="was asked to stop")
        )
        assert stages.waiting_runs(runtime) == [], "nobody else begins before the child has ended"
        return Exit(code=-15, reason="was asked to stop", stopped=True)

    monkeypatch.setattr(stages, "run", crawl)
    stages.collect(runtime, run, stop=asked, put_back=True)
    assert stages.waiting_runs(runtime) == [run]
    assert runtime.ledger.runs.state("forum").failures == 0


class AwayArchive:
    """The runtime's archive, whose server is away."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def __getattr__(self, name: str) -> object:
        return getattr(self._archive, name)

    def away(self) -> Away:
        return Away(since=NOW, known_from=NOW, why="connection refused")

    def held(self, ids: object) -> frozenset[str]:
        raise AssertionError("asked what is stored while the archive does not know")

    expired = held

    def settle(self) -> int:
        raise StoreAway("connection refused")

    def unscored(self, limit: int) -> list[Mention]:
        raise StoreAway("connection refused")


def test_while_the_archive_is_away_nothing_is_forgotten_and_nothing_stops(
    runtime: Runtime, wall: Wall
) -> None:
    away = replace(runtime, archive=AwayArchive(runtime.archive))  # type: ignore[arg-type]
    gone = mentions(["Fjelltele"])[0]
    quoting = incident(id="i1", rule="worry", brand="fjelltele")
    quoting = replace(
        quoting, evidence=replace(quoting.evidence, quotes=(quote(gone.id, gone.text, at=NOW),))
    )
    runtime.ledger.incidents.save(quoting, was=None, now=NOW, channels=["terminal"])
    stages.tidy(away)
    assert runtime.ledger.incidents.get("i1") == quoting
    assert stages.settle(away) == 0
    assert stages.lag(away).unscored_seconds == 0
    assert len(stages.plan_due(away)) == 1


def test_changed_incidents_are_published_once_and_sources_each_time(runtime: Runtime) -> None:
    published: list[tuple[list[str], list[str]]] = []

    class Exploring(AwayArchive):
        def away(self) -> None:  # type: ignore[override]
            return None

        def publish(self, incidents: Sequence[Incident], readings: Sequence[SourceReading]) -> None:
            published.append(([i.id for i in incidents], [r.source for r in readings]))

    storage = replace(runtime.config.storage, archive="http://127.0.0.1:9200")
    archive: Archive = Exploring(runtime.archive)  # type: ignore[assignment]
    exploring = replace(runtime, archive=archive, config=replace(runtime.config, storage=storage))
    runtime.ledger.incidents.save(
        incident(id="i1", rule="worry", brand="fjelltele"), was=None, now=NOW, channels=[]
    )
    stages.publish(exploring)
    stages.publish(exploring)
    stages.act(exploring, incident(id="i1", rule="worry", brand="fjelltele"), Act.ACKNOWLEDGE, by="Guro")
    stages.publish(exploring)
    assert published == [(["i1"], ["forum"]), ([], ["forum"]), (["i1"], ["forum"])]


def test_health_says_which_queue_was_not_heard(runtime: Runtime, clock: Clock) -> None:
    sign(runtime.ledger, "lyhord.alerts", clock.now)
    clock.now += timedelta(seconds=119)
    alerts, crawls = heard(runtime.ledger, ["lyhord.alerts", "lyhord.crawl"], clock.now)
    assert (alerts.stale, crawls.stale, crawls.heard_at) == (False, True, None)
    clock.now += timedelta(seconds=2)
    assert heard(runtime.ledger, ["lyhord.alerts"], clock.now)[0].stale
    write_lag(runtime.ledger, Lag(outbox_seconds=3), clock.now)
    assert read_lag(runtime.ledger) == (clock.now, Lag(outbox_seconds=3))
