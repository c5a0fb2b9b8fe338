"""What every ledger promises of incidents and their messages (`listener.ports.Incidents`, `Outbox`)."""

import os
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update

from listener.errors import StoreError
from listener.incident import Act, Evidence, Incident, Level, Part, Quote, State
from listener.ledger import SqlLedger, open_ledger
from listener.ledger.codec import decode, digest, encode
from listener.ledger.schema import incidents as incidents_table
from listener.mention import Signal
from listener.ports import Delivery, Ledger
from tests.contract.ledger_samples import HOUR, MINUTE, NOON, make_incident, queue, take, times, touch


def test_an_incident_comes_back_as_it_was(ledger: Ledger) -> None:
    incident = make_incident()
    assert ledger.incidents.save(incident, was=None, now=NOON, channels=[])
    read = ledger.incidents.get("i1")
    assert read == incident
    assert read is not None
    channels = [part.value for part in read.evidence.channels]
    assert channels == ["social", "forum", "news"], "the largest-first order is kept"
    assert ledger.incidents.get("i2") is None


texts = st.text(st.characters(exclude_categories=[]), max_size=20)
numbers = st.floats(allow_nan=False)
parts = st.lists(
    st.builds(Part, value=texts, observed=st.integers(0, 10**6), expected=st.none() | numbers),
    max_size=4,
    unique_by=lambda part: part.value,
).map(tuple)
levels = st.builds(
    Level,
    signal=st.sampled_from(Signal),
    observed=st.integers(0),
    expected=numbers,
    low=numbers,
    high=numbers,
    share=st.none() | numbers,
    usual_share=st.none() | numbers,
)
quotes = st.builds(
    Quote, mention=texts, text=texts, channel=texts, source=texts, url=texts, published_at=times
)
evidences = st.builds(
    Evidence,
    channels=parts,
    languages=parts,
    themes=parts,
    places=parts,
    words=st.lists(texts, max_size=3).map(tuple),
    quotes=st.lists(quotes, max_size=2).map(tuple),
    heard=st.integers(0, 99),
    sources=st.integers(0, 99),
    unheard=st.dictionaries(texts, texts, max_size=3),
    new_voices=st.integers(0),
    hour_before=st.none() | st.integers(0),
)
incidents = st.builds(
    Incident,
    id=texts,
    rule=texts,
    brand=texts,
    state=st.sampled_from(State),
    began_at=times,
    opened_at=times,
    spiked_at=times,
    ended_at=st.none() | times,
    levels=st.lists(levels, max_size=3).map(tuple),
    signals=st.lists(st.sampled_from(Signal), max_size=4).map(tuple),
    peak=st.integers(0),
    peak_at=times,
    severity=st.integers(0, 3),
    evidence=evidences,
    acknowledged_by=texts,
    acknowledged_at=st.none() | times,
    snoozed_until=st.none() | times,
    verdict=texts,
    known_cause=texts,
    coverage=st.floats(0, 1),
    new_normal=st.floats(0, 99),
    new_normal_since=st.none() | times,
)


@settings(max_examples=150, deadline=None)
@given(incident=incidents)
def test_any_incident_survives_encoding(incident: Incident) -> None:
    body = encode(incident)
    assert decode(body) == incident
    assert encode(decode(body)) == body, "or compare and set would fail on what it has just read"


OLD = """{"id": "i1", "rule": "r1", "brand": "b", "state": "open", "began_at": "2026-03-01T11:00:00.000000+00:00",
"opened_at": "2026-03-01T12:00:00.000000+00:00", "spiked_at": "2026-03-01T12:00:00.000000+00:00", "ended_at": null,
"levels": [{"signal": "anxiety", "observed": 17, "expected": 4.1, "low": 1.0, "high": 8.0}], "signals": ["anxiety"],
"peak": 17, "peak_at": "2026-03-01T12:00:00.000000+00:00", "severity": 2, "evidence": {"channels": {"social": 9,
"forum": 8}, "languages": {"sv": 17}, "themes": {}, "words": ["leverans"], "quotes": [{"mention": "m1",
"text": "Var \\u00e4r min order?", "channel": "forum", "source": "f", "url": "https://f.example/1",
"published_at": "2026-03-01T11:59:00.000000+00:00", "why": ["Var"]}], "heard": 3, "sources": 4, "unheard":
{"shop": "silent"}}, "acknowledged_by": "Kim", "acknowledged_at": "2026-03-01T12:05:00.000000+00:00",
"snoozed_until": null, "verdict": ""}""".replace("\n", " ")
"""As it was written before parts had their usual counts."""


def test_what_an_older_version_wrote_is_read_and_can_be_replaced(url: str) -> None:
    ledger = open_ledger(url)
    ledger.incidents.save(make_incident(), was=None, now=NOON, channels=[])
    with ledger._db.write() as sql:
        sql.execute(update(incidents_table).values(body=OLD, digest=digest(OLD)))
    old = ledger.incidents.get("i1")
    assert old is not None
    assert old.evidence.channels == (
        Part(value="social", observed=9, expected=None),
        Part(value="forum", observed=8, expected=None),
    )
    assert (old.evidence.themes, old.evidence.places, old.evidence.hour_before) == ((), (), None)
    assert (old.levels[0].share, old.known_cause, old.coverage, old.new_normal) == (None, "", 1.0, 0.0)
    newer = replace(make_incident(), coverage=0.5)
    assert ledger.incidents.save(newer, was=old, now=NOON, channels=[]), "it can move on"
    assert ledger.incidents.get("i1") == newer
    ledger.close()


def test_an_incident_that_cannot_be_read_is_a_store_error_that_names_it(url: str) -> None:
    ledger = open_ledger(url)
    ledger.incidents.save(make_incident(), was=None, now=NOON, channels=[])
    with ledger._db.write() as sql:
        sql.execute(update(incidents_table).values(body="{}"))
    with pytest.raises(StoreError, match="incident i1: cannot be read"):
        ledger.incidents.get("i1")
    ledger.close()


def test_an_incident_is_inserted_once(ledger: Ledger) -> None:
    assert ledger.incidents.save(make_incident(), was=None, now=NOON, channels=["C1"])
    assert not ledger.incidents.save(make_incident(peak=99), was=None, now=NOON, channels=["C1", "C2"])
    stored = ledger.incidents.get("i1")
    assert stored is not None
    assert stored.peak == 17
    assert [(d.channel, d.version) for d in ledger.outbox.of("i1")] == [("C1", 1)]


def test_an_incident_is_replaced_only_when_it_is_still_what_it_was(ledger: Ledger) -> None:
    first = make_incident()
    second, third = replace(first, peak=20), replace(first, peak=30)
    assert not ledger.incidents.save(second, was=first, now=NOON, channels=["C1"]), (
        "there is nothing to replace"
    )
    ledger.incidents.save(first, was=None, now=NOON, channels=["C1"])
    assert ledger.incidents.save(second, was=first, now=NOON, channels=["C1"])
    assert not ledger.incidents.save(third, was=first, now=NOON, channels=["C1"])
    assert ledger.incidents.get("i1") == second
    assert ledger.incidents.save(third, was=ledger.incidents.get("i1"), now=NOON, channels=["C1"])
    assert [d.version for d in ledger.outbox.of("i1")] == [3]


def test_open_latest_and_recent(ledger: Ledger) -> None:
    assert ledger.incidents.open_of("r1") is None
    assert ledger.incidents.latest_of("r1") is None
    old = make_incident("old", opened_at=NOON - HOUR)
    over = make_incident("over", state=State.OVER, ended_at=NOON)
    other = make_incident("other", rule="r2", opened_at=NOON + HOUR)
    for incident in (over, other, old):
        ledger.incidents.save(incident, was=None, now=NOON, channels=[])
    assert ledger.incidents.open_of("r1") == old
    assert ledger.incidents.latest_of("r1") == over
    assert [incident.id for incident in ledger.incidents.recent()] == ["other", "over", "old"]
    assert [incident.id for incident in ledger.incidents.recent(1)] == ["other"]
    assert ledger.incidents.save(replace(old, state=State.OVER), was=old, now=NOON, channels=[])
    assert ledger.incidents.open_of("r1") is None


def test_an_act_is_recorded_once(ledger: Ledger) -> None:
    for id_ in ("i1", "i2"):
        ledger.incidents.save(make_incident(id_), was=None, now=NOON, channels=[])
    act = ledger.incidents.record_act
    assert act("i1", Act.SNOOZE, by="bo", at=NOON + MINUTE, key="k2", note="till morning")
    assert act("i1", Act.ACKNOWLEDGE, by="anna", at=NOON, key="k1")
    assert not act("i1", Act.ACKNOWLEDGE, by="anna", at=NOON + HOUR, key="k1")
    assert act("i2", Act.KNOWN_CAUSE, by="anna", at=NOON, key="k1"), "another incident's act is another act"
    assert ledger.incidents.acts("i1") == [
        (NOON, Act.ACKNOWLEDGE, "anna", ""),
        (NOON + MINUTE, Act.SNOOZE, "bo", "till morning"),
    ]
    assert ledger.incidents.acts("i3") == []


def test_a_queued_message_is_due_claimed_sent_and_quiet(ledger: Ledger) -> None:
    queue(ledger, "C1", "C1")
    assert ledger.outbox.due(NOON - MINUTE) == []
    assert ledger.outbox.due(NOON) == [Delivery(incident="i1", channel="C1", next_at=NOON)]
    mine = take(ledger)
    assert (mine.state, mine.attempts, mine.owner, mine.first_try_at) == ("sending", 1, "me", NOON)
    assert mine.lease_until == NOON + HOUR
    assert ledger.outbox.due(NOON) == []
    sent = replace(mine, state="sent", shown=1, ts="1.2", next_at=None)
    assert ledger.outbox.save(sent, owner="me")
    assert ledger.outbox.due(NOON + 99 * HOUR) == []
    assert ledger.outbox.of("i1") == [
        Delivery(incident="i1", channel="C1", state="sent", version=1, shown=1, ts="1.2")
    ]
    assert ledger.outbox.of("i2") == []


def test_the_longest_waiting_is_due_first(ledger: Ledger) -> None:
    for minute, id_ in enumerate("cab"):
        queue(ledger, "C1", id_=id_, now=NOON + minute * MINUTE)
    assert [d.incident for d in ledger.outbox.due(NOON + HOUR)] == ["c", "a", "b"]
    assert [d.incident for d in ledger.outbox.due(NOON + HOUR, limit=2)] == ["c", "a"]
    assert [d.incident for d in ledger.outbox.due(NOON)] == ["c"]


def test_a_lost_owner_is_replaced_when_the_lease_ends_and_can_no_longer_save(ledger: Ledger) -> None:
    queue(ledger, "C1")
    seen = ledger.outbox.due(NOON)[0]
    lost = take(ledger, "lost")
    assert ledger.outbox.claim(seen, owner="x", now=NOON, lease=HOUR) is None
    assert ledger.outbox.claim(lost, owner="x", now=NOON + HOUR - MINUTE, lease=HOUR) is None
    assert [d.state for d in ledger.outbox.due(NOON + HOUR)] == ["sending"], (
        "so the next one knows that it may be posted"
    )
    second = take(ledger, "second", now=NOON + HOUR)
    assert (second.attempts, second.first_try_at) == (2, NOON)
    assert not ledger.outbox.save(replace(lost, state="sent", shown=1), owner="lost")
    assert ledger.outbox.save(
        replace(second, state="unsure", next_at=NOON + 2 * HOUR, error="timeout"), owner="second"
    )
    assert not ledger.outbox.save(replace(second, state="sent"), owner="second"), "it was let go"
    assert ledger.outbox.due(NOON + HOUR) == []
    assert [(d.state, d.attempts) for d in ledger.outbox.due(NOON + 2 * HOUR)] == [("unsure", 2)]


def test_an_owner_may_write_down_the_name_of_the_message_and_keep_it(ledger: Ledger) -> None:
    queue(ledger, "C1")
    mine = take(ledger)
    assert ledger.outbox.save(replace(mine, ts="1.2"), owner="me")
    assert ledger.outbox.due(NOON) == []
    assert ledger.outbox.save(replace(mine, state="sent", ts="1.2", shown=1), owner="me")


def test_a_version_that_comes_while_another_is_sent_is_not_lost(ledger: Ledger) -> None:
    queue(ledger, "C1")
    mine = take(ledger)
    touch(ledger, "C1", now=NOON + MINUTE)
    assert ledger.outbox.due(NOON + MINUTE) == [], "it is being sent"
    assert ledger.outbox.save(replace(mine, state="sent", shown=1, next_at=None), owner="me")
    assert [(d.version, d.shown) for d in ledger.outbox.due(NOON + MINUTE)] == [(2, 1)]
    newest = take(ledger, now=NOON + MINUTE)
    assert (newest.version, newest.attempts, newest.first_try_at) == (2, 1, NOON + MINUTE), (
        "attempts are of one version"
    )


def test_what_was_seen_before_others_tried_or_sent_cannot_be_claimed(ledger: Ledger) -> None:
    queue(ledger, "C1")
    for state in ("new", "unsure", "unsure"):
        assert ledger.outbox.save(replace(take(ledger), state="unsure", next_at=NOON), owner="me")
        seen = ledger.outbox.of("i1")[0]
        assert ledger.outbox.save(replace(take(ledger), state=state, next_at=NOON), owner="me")
        assert ledger.outbox.claim(seen, owner="x", now=NOON, lease=HOUR) is None, "it was tried since"
    for version in (1, 2):
        assert ledger.outbox.save(
            replace(take(ledger), state="sent", shown=version, next_at=None), owner="me"
        )
        seen = ledger.outbox.of("i1")[0]
        touch(ledger, "C1", now=NOON)
    ledger.outbox.save(replace(take(ledger), state="sent", shown=3, next_at=None), owner="me")
    touch(ledger, "C1", now=NOON)
    assert ledger.outbox.claim(seen, owner="x", now=NOON, lease=HOUR) is None, "it was sent since"


def test_a_claim_answers_with_the_newest_version(ledger: Ledger) -> None:
    queue(ledger, "C1")
    seen = ledger.outbox.due(NOON)[0]
    touch(ledger, "C1", now=NOON)
    claimed = ledger.outbox.claim(seen, owner="me", now=NOON, lease=HOUR)
    assert claimed is not None
    assert claimed.version == 2


def test_what_was_given_up_is_tried_again_with_the_next_version(ledger: Ledger) -> None:
    queue(ledger, "C1")
    assert ledger.outbox.save(
        replace(take(ledger), state="failed", next_at=None, error="channel_not_found"), owner="me"
    )
    assert ledger.outbox.due(NOON + 99 * HOUR) == []
    touch(ledger, "C1", "C2", now=NOON + HOUR)
    assert [(d.channel, d.version, d.state) for d in ledger.outbox.due(NOON + HOUR)] == [
        ("C1", 2, "failed"),
        ("C2", 1, "new"),
    ]


class OutboxModel(RuleBasedStateMachine):
    """Random saves, claims, crashes, late answers: no version is lost, and nobody owns what another holds."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.incident = make_incident(f"m{os.urandom(8).hex()}")
        self.now = NOON
        self.versions = 0
        self.claims = 0
        self.seen: list[Delivery] = []
        self.held: dict[str, Delivery] = {}
        """Every claim that was granted and not answered yet, also by those who have been replaced since."""
        self.owner = ""
        self.until = NOON

    @rule()
    def save_incident(self) -> None:
        was = self.incident if self.versions else None
        newer = replace(self.incident, peak=self.incident.peak + 1)
        assert self.ledger.incidents.save(newer, was=was, now=self.now, channels=["C"])
        self.incident, self.versions = newer, self.versions + 1

    @rule()
    def look(self) -> None:
        self.seen += self.mine(self.now)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def try_to_claim(self, data: st.DataObject) -> None:
        self.claims += 1
        owner = f"o{self.claims}"
        seen = data.draw(st.sampled_from(self.seen))
        claimed = self.ledger.outbox.claim(seen, owner=owner, now=self.now, lease=5 * MINUTE)
        if claimed is not None:
            assert not self.owner or self.until <= self.now, "two owners under valid leases"
            assert claimed.version == self.versions
            assert claimed.shown < claimed.version
            self.owner, self.until = owner, self.now + 5 * MINUTE
            self.held[owner] = claimed

    @precondition(lambda self: self.held)
    @rule(data=st.data(), state=st.sampled_from(["sent", "unsure", "new", "failed"]))
    def answer(self, data: st.DataObject, state: str) -> None:
        owner = data.draw(st.sampled_from(sorted(self.held)))
        held = self.held.pop(owner)
        done = replace(held, state=state, next_at=self.now + MINUTE)
        if state == "sent":
            done = replace(done, shown=held.version, next_at=None)
        saved = self.ledger.outbox.save(done, owner=owner)
        assert saved == (owner == self.owner), "the last owner may write, and only the last"
        if saved:
            self.owner = ""

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @invariant()
    def no_version_is_lost(self) -> None:
        if self.versions:
            (stored,) = self.ledger.outbox.of(self.incident.id)
            assert stored.version == self.versions
            assert bool(self.mine(self.now + HOUR)) == (stored.shown < self.versions)

    def mine(self, now: datetime) -> list[Delivery]:
        return [d for d in self.ledger.outbox.due(now, 1000) if d.incident == self.incident.id]


def test_outbox_whatever_happens(shared: SqlLedger) -> None:
    class Model(OutboxModel):
        def __init__(self) -> None:
            super().__init__(shared)

    run_state_machine_as_test(
        Model, settings=settings(max_examples=30, stateful_step_count=25, deadline=None)
    )
