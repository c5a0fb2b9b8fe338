"""A rule looked at over a real archive: quiet weeks, then a night of double charges."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from alerts.detection.detector import HOUR
from alerts.follow import Hearing, note_key
from alerts.lifecycle import after_act
from alerts.look import first_abnormal
from alerts.watch import replay, watch
from listener.archive import open_archive
from listener.config import Brand, Config, Event, Rule
from listener.errors import StoreAway
from listener.incident import Act, Incident, State
from listener.mention import Mention, Signal
from listener.ports import Archive
from tests.alerts.fakes import NOW, AwayArchive, MemoryLedger
from tests.contract.archive_samples import identity, make_mention, make_score

BRAND = Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele",))
RULE = Rule(id="oro", brand="fjelltele", signals=("anxiety", "complaints"), minimum_voices=5, by=())
CONFIG = Config(brands=(BRAND,), rules=(RULE,))
HEARD = {"forum-a": (True, ""), "forum-b": (True, "")}
MORNING = NOW.replace(hour=1, minute=15)
"""The spike begins: 02:15 in Stockholm."""
_VOCABULARY = [
    f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiouyåäö" for c in ("nd", "st", "ll", "rk", "mp", "tt")
]


def sentence(random: np.random.Generator) -> str:
    return " ".join(random.choice(_VOCABULARY, 12))


def said(name: str, at: datetime, text: str, *, anxious: bool, channel: str = "forum") -> Mention:
    mention = make_mention(
        name,
        text=text,
        published_at=at,
        fetched_at=at,
        retention_until=at + timedelta(days=900),
        channel=channel,
    )
    score = make_score(
        is_anxious=anxious, anxiety=0.9 if anxious else 0.1, themes=("trust",) if anxious else ()
    )
    return replace(mention, score=score)


def background(random: np.random.Generator, days: int = 10) -> list[Mention]:
    """About three voices an hour, every fourth of them anxious."""
    mentions = []
    for hour in range(days * 24):
        start = MORNING.replace(minute=0) - HOUR * (days * 24 - hour)
        for i in range(random.poisson(3)):
            at = start + timedelta(minutes=float(random.uniform(0, 60)))
            mentions.append(said(f"b{hour}-{i}", at, sentence(random), anxious=random.random() < 0.25))
    return mentions


def spike(random: np.random.Generator, minutes: int = 120, each: float = 2.0) -> list[Mention]:
    """A voice every other minute, all anxious."""
    mentions = []
    for i in range(int(minutes / each)):
        at = MORNING + timedelta(minutes=i * each)
        text = f"dragits dubbelt {sentence(random)}"
        mentions.append(said(f"s{i}", at, text, anxious=True, channel="inbox" if i % 4 == 0 else "forum"))
    return mentions


def store(archive: Archive, mentions: list[Mention]) -> None:
    archive.add([replace(m, score=None) for m in mentions])
    archive.save_scores({m.id: (m.revision, m.score) for m in mentions if m.score})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The night as it was; read only."""
    random = np.random.default_rng(11)
    opened = open_archive(f"sqlite:///{tmp_path_factory.mktemp('archive') / 'archive.db'}")
    store(opened, background(random) + spike(random))
    yield opened
    opened.close()


class Night:
    """Looks at the rule again and again, and remembers what was told."""

    def __init__(self, archive: Archive, config: Config = CONFIG) -> None:
        self.archive, self.ledger, self.config = archive, MemoryLedger(), config

    def look(
        self,
        at: datetime,
        heard: dict[str, tuple[bool, str]] | None = None,
        hearing: Hearing = Hearing(),  # noqa: B008 - frozen
    ) -> Incident | None:
        return watch(
            self.config.rules[0], config=self.config, brand=BRAND, archive=self.archive,
            incidents=self.ledger.incidents, notes=self.ledger, heard=HEARD if heard is None else heard,
            hearing=hearing, channels=("C1",), told=lambda i: bool(self.ledger.outbox.of(i)), now=at,
        )  # fmt: skip

    def looks(
        self,
        start: datetime,
        end: datetime,
        heard: dict[str, tuple[bool, str]] | None = None,
        every: timedelta = timedelta(minutes=15),
    ) -> list[Incident]:
        """What was told in between."""
        told = []
        while start <= end:
            if incident := self.look(start, heard):
                told.append(incident)
            start += every
        return told


def test_the_night(archive: Archive) -> None:
    night = Night(archive)
    assert night.looks(MORNING - 3 * HOUR, MORNING) == []
    told = night.looks(MORNING, MORNING + 6 * HOUR, every=timedelta(minutes=5))
    first = told[0]
    assert first.opened_at - MORNING <= timedelta(minutes=20)
    assert abs(first.began_at - MORNING) <= timedelta(minutes=30)
    assert next(i.state for i in told if i.state is not first.state) is State.GROWING
    assert told[-1].state is State.OVER
    assert {i.id for i in told} == {first.id}
    assert 28 <= told[-1].peak <= 33
    assert told[-1].ended_at is not None
    assert MORNING + 2 * HOUR <= told[-1].ended_at <= MORNING + 3.5 * HOUR
    assert len(told) < 30
    [delivery] = night.ledger.outbox.of(first.id)
    assert delivery.version == len(told)


def test_what_the_alert_knows(archive: Archive) -> None:
    incident = Night(archive).look(MORNING + HOUR)
    assert incident is not None
    evidence = incident.evidence
    assert incident.levels[0].signal is Signal.ANXIETY
    assert 28 <= incident.levels[0].observed <= 34
    assert incident.levels[0].expected < 2
    assert [part.value for part in evidence.channels] == ["forum", "inbox"]
    assert sum(part.observed for part in evidence.channels) == incident.levels[0].observed
    forum, inbox = (part.expected or 0 for part in evidence.channels)
    assert 0.9 * incident.levels[0].expected < forum <= 1.01 * incident.levels[0].expected
    assert inbox < 0.05, "the inbox was never heard before"
    assert [part.value for part in evidence.themes] == ["trust"]
    assert [part.value for part in evidence.places] == ["forum-a"]
    assert evidence.new_voices == incident.levels[0].observed
    assert evidence.hour_before is not None
    assert evidence.hour_before <= 4
    assert set(evidence.words) == {"dragits", "dubbelt"}
    assert len({quote.mention for quote in evidence.quotes}) == 3
    assert all("dragits dubbelt" in quote.text for quote in evidence.quotes)
    assert (evidence.heard, evidence.sources, dict(evidence.unheard)) == (2, 2, {})


def test_what_is_usual_is_of_the_time_before_the_episode(tmp_path: Path) -> None:
    """The third hour, in which the voices of the first two speak again, is compared with the calm before all."""
    random = np.random.default_rng(16)
    own = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    again = [
        replace(m, id=identity(f"again{i}"), published_at=m.published_at + 2 * HOUR)
        for i, m in enumerate(spike(random, minutes=60, each=1))
    ]
    store(own, background(random, days=7) + spike(random) + again)
    night = Night(own)
    night.looks(MORNING, MORNING + HOUR)
    told = night.look(MORNING + 3 * HOUR)
    assert told is not None
    assert told.evidence.new_voices == told.levels[0].observed >= 60
    assert told.evidence.hour_before is not None
    assert 28 <= told.evidence.hour_before <= 34
    assert set(told.evidence.words) == {"dragits", "dubbelt"}
    own.close()


def test_two_looks_at_one_time_make_one_incident(archive: Archive) -> None:
    one, other = Night(archive), Night(archive)
    first, second = one.look(MORNING + HOUR), other.look(MORNING + HOUR + timedelta(seconds=100))
    assert first == second
    assert one.look(MORNING + HOUR + timedelta(minutes=4)) is None
    assert len(one.ledger.stored) == 1


def test_not_over_while_a_source_that_matters_is_unheard(archive: Archive) -> None:
    night = Night(archive)
    night.looks(MORNING, MORNING + HOUR)
    silent = {"forum-a": (False, "tyst sedan 03:00"), "forum-b": (True, "")}
    told = night.looks(MORNING + HOUR, MORNING + 9 * HOUR, silent)
    assert told[-1].state is State.FALLING
    assert dict(told[-1].evidence.unheard) == {"forum-a": "tyst sedan 03:00"}
    stranger = {"forum-a": (True, ""), "forum-b": (False, "tyst")}
    assert night.looks(MORNING + 9 * HOUR, MORNING + 10 * HOUR, stranger)[-1].state is State.OVER


def test_while_snoozed_only_the_end_is_told(archive: Archive) -> None:
    night = Night(archive)
    opened = night.looks(MORNING, MORNING + HOUR)[-1]
    incidents = night.ledger.incidents
    stored = incidents.get(opened.id)
    assert stored is not None
    snoozed = replace(stored, snoozed_until=MORNING + 24 * HOUR)
    assert incidents.save(snoozed, was=stored, now=MORNING + HOUR, channels=())
    version = night.ledger.outbox.of(opened.id)[0].version
    told = night.looks(MORNING + HOUR, MORNING + 8 * HOUR)
    assert told[-1].state is State.OVER
    assert night.ledger.outbox.of(opened.id)[0].version == version + 1
    assert incidents.record_act(opened.id, Act.SNOOZE, by="Kim", at=MORNING, key="1")


def test_closed_by_hand_it_is_not_opened_again(archive: Archive) -> None:
    night = Night(archive)
    opened = night.looks(MORNING, MORNING + HOUR)[-1]
    incidents = night.ledger.incidents
    stored = incidents.get(opened.id)
    assert stored is not None
    at = MORNING + HOUR + timedelta(minutes=2)
    assert incidents.save(after_act(stored, Act.CLOSE, by="Kim", now=at), was=stored, now=at, channels=())
    assert night.looks(MORNING + HOUR, MORNING + 4 * HOUR) == []


def test_erased_quotes_leave_the_message(tmp_path: Path) -> None:
    random = np.random.default_rng(12)
    own = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    store(own, background(random, days=7) + spike(random, each=3))
    night = Night(own)
    told = night.look(MORNING + HOUR)
    assert told is not None
    gone = told.evidence.quotes[0].mention
    own.erase([gone])
    after = night.look(MORNING + HOUR + timedelta(minutes=5))
    assert after is not None
    assert gone not in {quote.mention for quote in after.evidence.quotes}
    own.close()


def test_one_flooder_and_copies_are_one_voice(tmp_path: Path) -> None:
    random = np.random.default_rng(13)
    own = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    flood = [replace(m, author="same") for m in spike(random)]
    copies = [
        replace(m, id=identity(f"c{i}"), text="Fjelltele " + "samma text " * 20)
        for i, m in enumerate(spike(random))
    ]
    store(own, background(random, days=7) + flood + copies)
    assert Night(own).looks(MORNING, MORNING + 3 * HOUR) == []
    own.close()


def test_replay_tells_the_same_story_and_saves_nothing(archive: Archive) -> None:
    told = list(
        replay(
            RULE,
            config=CONFIG,
            brand=BRAND,
            archive=archive,
            start=MORNING - 12 * HOUR,
            end=MORNING + 8 * HOUR,
        )
    )
    assert [incident.state for _, incident in told][-1] is State.OVER
    assert told[0][0] - MORNING <= timedelta(minutes=30)
    assert len({incident.id for _, incident in told}) == 1


def test_before_the_first_mention_nobody_listened(tmp_path: Path) -> None:
    """A brand that is listened to since this morning has no normal yet: the weeks before are unknown, not
    calm."""
    random = np.random.default_rng(15)
    own = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    since = MORNING - 20 * HOUR
    store(own, [m for m in background(random, days=2) if m.published_at > since] + spike(random))
    assert Night(own).looks(MORNING, MORNING + 2 * HOUR) == []
    own.close()


def test_an_empty_archive_is_quiet(tmp_path: Path) -> None:
    own = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    assert Night(own).looks(MORNING, MORNING + HOUR) == []
    own.close()


@pytest.mark.parametrize(
    ("steps", "first"),
    [("0000000011", 8), ("0011101011", 2), ("1110010000", 5), ("1111111111", 0), ("1000000000", 5)],
)
def test_where_an_episode_began(steps: str, first: int) -> None:
    assert first_abnormal([step == "1" for step in steps]) == first


def test_a_restart_goes_on_from_what_was_saved(archive: Archive) -> None:
    unbroken, night = Night(archive), Night(archive)
    unbroken.look(MORNING - 20 * HOUR)
    saved = unbroken.ledger.noted(note_key(RULE))
    assert saved
    night.ledger.note(note_key(RULE), saved)
    later = MORNING + HOUR
    assert night.look(later) == unbroken.look(later)
    assert night.ledger.noted(note_key(RULE)) == unbroken.ledger.noted(note_key(RULE)) != saved


@pytest.mark.parametrize("rubbish", ["{", "{}", '{"keys": "x", "at": "2026-03-01T00:00:00+00:00"}', "[]"])
def test_what_cannot_be_read_is_learnt_anew(archive: Archive, rubbish: str) -> None:
    night = Night(archive)
    night.ledger.note(note_key(RULE), rubbish)
    told = night.look(MORNING + HOUR)
    assert told is not None
    assert told.levels[0].signal is Signal.ANXIETY


def test_outside_its_hours_a_rule_waits_with_what_is_new(archive: Archive) -> None:
    """02:15 to 04:15 in Stockholm: told at 04:00, when the rule's hours begin, and kept up to date to its end."""
    hours = replace(CONFIG, rules=(replace(RULE, active_hours="04:00-22:00"),))
    night = Night(archive, hours)
    begin = MORNING + timedelta(hours=1, minutes=45)
    assert night.looks(MORNING, begin - timedelta(minutes=15)) == []
    [incident] = night.ledger.stored.values()
    assert night.ledger.outbox.of(incident.id) == []
    assert night.look(begin) is not None
    assert night.looks(begin, MORNING + 6 * HOUR)[-1].state is State.OVER
    never = Night(archive, replace(CONFIG, rules=(replace(RULE, active_hours="12:00-13:00"),)))
    assert never.looks(MORNING, MORNING + 6 * HOUR) == []


def test_a_known_cause_is_named_and_damps_but_hides_nothing(archive: Archive) -> None:
    release = Event(title="Ny app", start=MORNING - HOUR, end=MORNING + 4 * HOUR, effect="damp", damp=3.0)
    told = Night(archive, replace(CONFIG, calendar=(release,))).look(MORNING + HOUR)
    plain = Night(archive).look(MORNING + HOUR)
    assert told is not None
    assert plain is not None
    assert told.known_cause == "Ny app"
    assert told.levels[0].expected == pytest.approx(3 * plain.levels[0].expected, rel=0.01)


def test_what_is_usual_is_of_the_sources_that_are_heard(archive: Archive) -> None:
    """Half of the usual voices come from a source that is away since yesterday."""
    hearing = Hearing(until={"forum-b": MORNING - 24 * HOUR}, usual={"forum-a": 50, "forum-b": 50})
    away = {**HEARD, "forum-b": (False, "tyst")}
    half = Night(archive).look(MORNING + HOUR, away, hearing)
    whole = Night(archive).look(MORNING + HOUR, hearing=replace(hearing, until={}))
    assert half is not None
    assert whole is not None
    assert (half.coverage, whole.coverage) == (0.5, 1.0)
    assert half.levels[0].expected == pytest.approx(whole.levels[0].expected / 2, rel=0.3)


def test_when_nobody_is_heard_nothing_is_judged(archive: Archive) -> None:
    gone = Hearing(until={"forum-a": MORNING - HOUR}, usual={"forum-a": 50})
    night = Night(archive)
    assert [night.look(MORNING + timedelta(minutes=m), hearing=gone) for m in (15, 30, 60)] == [None] * 3


def test_a_rise_in_one_theme_is_found_though_the_total_hides_it(tmp_path: Path) -> None:
    """Ten anxious voices an hour as ever, but all about trust for three hours, which were one in twenty."""
    random = np.random.default_rng(17)
    own = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    mentions = []
    for hour in range(24 * 12):
        start = MORNING.replace(minute=0) - HOUR * (24 * 12 - 3 - hour)
        crisis = hour >= 24 * 12 - 3
        for i in range(10):
            m = said(f"t{hour}-{i}", start + timedelta(minutes=6 * i), sentence(random), anxious=True)
            theme = "trust" if crisis or random.random() < 0.05 else "price"
            assert m.score is not None
            mentions.append(replace(m, score=replace(m.score, themes=(theme,))))
    store(own, mentions)
    by_theme = Night(own, replace(CONFIG, rules=(replace(RULE, by=("theme",)),)))
    told = by_theme.look(MORNING.replace(minute=0) + 3 * HOUR)
    assert told is not None
    assert told.evidence.themes[0].value == "trust"
    assert Night(own).look(MORNING.replace(minute=0) + 3 * HOUR) is None
    own.close()


# ------------------------------------------------------------------------------------------------ the archive's server is away


class WithoutServer(Night):
    """The same night, and the server goes away and comes back."""

    def __init__(self, archive: Archive) -> None:
        self.server = AwayArchive(archive)
        super().__init__(cast(Archive, self.server))


def test_the_alarm_goes_out_while_the_server_is_away_and_says_what_it_cannot_know(archive: Archive) -> None:
    night, plain = WithoutServer(archive), Night(archive)
    for each in (night, plain):
        assert each.looks(MORNING - 3 * HOUR, MORNING) == []
    night.server.go(MORNING)
    first, whole = (
        each.looks(MORNING, MORNING + 2 * HOUR, every=timedelta(minutes=5)) for each in (night, plain)
    )
    for found, wanted in zip(first, whole, strict=True):
        assert (found.id, found.levels, found.state) == (wanted.id, wanted.levels, wanted.state)
        assert found.evidence.quotes == wanted.evidence.quotes
        assert found.evidence.search_away_since == MORNING
        assert found.evidence.hour_before == wanted.evidence.hour_before
        parts = (*found.evidence.channels, *found.evidence.themes, *found.evidence.places)
        assert {part.expected for part in parts} == {None}
        assert (found.evidence.words, found.evidence.new_voices) == ((), 0)
    assert night.ledger.notes == plain.ledger.notes, "what had settled is learnt as if nothing had happened"


def test_coming_and_going_of_the_server_tells_nobody_anything(archive: Archive) -> None:
    night, plain = WithoutServer(archive), Night(archive)
    told = []
    for each in (night, plain):
        each.looks(MORNING - HOUR, MORNING)
    for i in range(40):
        at = MORNING + i * timedelta(minutes=5)
        night.server.go(at) if i % 3 else night.server.come_back()
        told.append((night.look(at) is None, plain.look(at) is None))
    assert all(ours == theirs for ours, theirs in told)


def test_what_is_not_found_while_the_server_is_away_is_not_gone(archive: Archive) -> None:
    night = WithoutServer(archive)
    night.looks(MORNING, MORNING + 3 * HOUR, every=HOUR)
    [was] = night.ledger.stored.values()
    assert was.state is State.FALLING
    older = replace(was.evidence.quotes[0], mention=identity("in the archive, and older than two days"))
    quotes = (older, *was.evidence.quotes[1:])
    night.ledger.stored[was.id] = replace(was, evidence=replace(was.evidence, quotes=quotes))
    night.server.go(MORNING)
    night.look(MORNING + 3 * HOUR + timedelta(minutes=5))
    assert night.ledger.stored[was.id].evidence.quotes == quotes
    night.server.come_back()
    night.look(MORNING + 3 * HOUR + timedelta(minutes=10))
    assert night.ledger.stored[was.id].evidence.quotes == quotes[1:]


def test_what_is_known_of_all_is_not_mixed_with_what_is_known_of_two_days(archive: Archive) -> None:
    """Whichever question the server does not answer any more."""
    learnt = Night(archive)
    learnt.look(MORNING - HOUR)
    mixed = []
    for questions in range(24):
        night = WithoutServer(archive)
        night.ledger.notes = dict(learnt.ledger.notes)
        night.server.goes_after = (questions, MORNING + HOUR)
        incident = night.look(MORNING + HOUR)
        assert incident is not None
        evidence = incident.evidence
        unknown = {part.expected is None for part in (*evidence.channels, *evidence.places)}
        mixed.append(unknown != {evidence.search_away_since is not None})
    assert not any(mixed)


def test_while_nobody_can_tell_who_matters_each_silent_source_keeps_it_open(archive: Archive) -> None:
    night = WithoutServer(archive)
    never = HEARD | {"forum-c": (False, "tyst")}
    night.looks(MORNING, MORNING + 2 * HOUR, never)
    night.server.go(MORNING + 2 * HOUR)
    night.looks(MORNING + 2 * HOUR, MORNING + 7 * HOUR, never)
    [incident] = night.ledger.stored.values()
    assert incident.state is State.FALLING
    night.server.come_back()
    night.look(MORNING + 7 * HOUR + timedelta(minutes=15), never)
    [incident] = night.ledger.stored.values()
    assert incident.state is State.OVER


def test_a_rule_that_has_learnt_nothing_waits_for_the_server(archive: Archive) -> None:
    night = WithoutServer(archive)
    night.server.go(MORNING)
    with pytest.raises(StoreAway, match="it is judged again when the archive is back"):
        night.look(MORNING + HOUR)
    assert not night.ledger.notes
    assert not night.ledger.stored
    night.server.come_back()
    assert night.look(MORNING + HOUR) is not None
