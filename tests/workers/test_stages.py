"""The stages on real stores: each pulls its own work, and may be run twice or after a loss."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.delivery import message_key
from alerts.message import Message
from listener.archive import open_archive
from listener.config import Config
from listener.incident import Act, State
from listener.intake import Tools
from listener.ledger import open_ledger
from listener.mention import Mention
from listener.ports import Tally, Where
from listener.pseudonym import pseudonymiser
from listener.settings import Secrets, parse_config
from tests.alerts.fakes import incident, quote
from tests.contract.archive_samples import make_mention
from workers import stages
from workers.progress import read_progress, write_progress
from workers.runtime import Runtime
from workers.scoring import open_scorer

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
