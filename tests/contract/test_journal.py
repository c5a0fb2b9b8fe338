"""What every ledger promises of its journal (`listener.ports.Journal`)."""

import json
import os
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import update

from listener.errors import StoreError
from listener.ledger import SqlLedger, open_ledger
from listener.ledger import schema as tables
from listener.ledger.mention_codec import decode, encode
from listener.mention import THEMES, Mention, Polarity, Reason, Score
from listener.ports import EntryState, Journal, Ledger
from tests.contract.archive_samples import identity, ids, make_mention, make_score
from tests.contract.ledger_samples import HOUR, MINUTE, NOON, at_once, times

LONG_AGO = NOON - timedelta(days=9999)


@pytest.fixture
def journal(ledger: Ledger) -> Journal:
    return ledger.journal


def waiting(journal: Journal) -> list[str]:
    return [entry.mention.id for entry in journal.waiting(10_000)]


def edited(mention: Mention, text: str = "Nu går det bra igen") -> Mention:
    return replace(mention, text=text)


def store(journal: Journal, *mentions: Mention, kept_from: datetime = LONG_AGO) -> None:
    journal.stored({mention.id: mention.revision for mention in mentions}, kept_from=kept_from)


# ------------------------------------------------------------------------------------------------ encoding

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
hostile = st.text(st.characters(exclude_categories=[]), max_size=20)
shares = st.floats(0, 1)
scores = st.builds(
    Score,
    language=texts,
    sentiment=st.floats(-1, 1),
    anxiety=shares,
    complaint=shares,
    is_anxious=st.booleans(),
    is_complaint=st.booleans(),
    polarity=st.sampled_from(Polarity),
    themes=st.lists(st.sampled_from(THEMES), max_size=3).map(tuple),
    why=st.lists(
        st.builds(Reason, about=texts, text=hostile, weight=st.floats(allow_nan=False)), max_size=2
    ).map(tuple),
    model=texts,
)
mentions = st.builds(
    Mention,
    id=texts,
    source=texts,
    kind=texts,
    channel=texts,
    owned=st.booleans(),
    url=hostile,
    author=texts,
    title=texts,
    text=texts,
    language=texts,
    brands=st.lists(texts, max_size=3).map(tuple),
    published_at=times,
    fetched_at=times,
    retention_until=times,
    thread=texts,
    engagement=st.dictionaries(texts, st.integers(0), max_size=3),
    cluster=texts,
    is_copy=st.booleans(),
    score=st.none() | scores,
)


@settings(max_examples=100, deadline=None)
@given(mention=mentions)
def test_any_mention_survives_encoding(mention: Mention) -> None:
    body = encode(mention)
    assert decode(body) == mention
    newer = json.dumps({**json.loads(body), "from the future": 1})
    assert decode(newer) == mention, "what a newer version wrote besides is passed over"


@settings(max_examples=40, deadline=None)
@given(mention=mentions)
def test_any_mention_can_be_kept(shared: SqlLedger, mention: Mention) -> None:
    mention = replace(mention, id=identity("any"), fetched_at=NOON, author="a")
    journal = shared.journal
    journal.erase(ids=[mention.id], now=NOON)
    journal.write([mention], now=NOON)
    (entry,) = journal.waiting(2)
    assert (entry.mention, entry.state, entry.written_at) == (mention, EntryState.WAITING, NOON)


def test_an_entry_that_cannot_be_read_is_a_store_error_that_names_it(url: str) -> None:
    ledger = open_ledger(url)
    mention = make_mention()
    ledger.journal.write([mention], now=NOON)
    with ledger._db.write() as sql:
        sql.execute(update(tables.journal).values(body="{}"))
    with pytest.raises(StoreError, match=f"mention {mention.id} in the journal: cannot be read"):
        ledger.journal.waiting(1)
    ledger.close()


# ------------------------------------------------------------------------------------------------ waiting


def test_an_empty_journal(journal: Journal) -> None:
    journal.write([], now=NOON)
    journal.stored({}, kept_from=NOON)
    journal.refused({})
    journal.erased()
    assert (journal.waiting(9), journal.dead(), journal.since(0, 9)) == ([], [], [])
    assert (journal.held([]), journal.erasures()) == (frozenset(), (frozenset(), frozenset()))
    assert journal.counts() == dict.fromkeys(EntryState, 0)
    assert journal.oldest_waiting_at() is None
    assert (journal.again([]), journal.erase(now=NOON), journal.prune(NOON)) == (0, 0, 0)


def test_what_is_written_waits_oldest_first_until_it_is_stored(journal: Journal) -> None:
    first, second, third = (make_mention(name) for name in ("1", "2", "3"))
    journal.write([second], now=NOON)
    journal.write([third, first], now=NOON + MINUTE)
    assert waiting(journal) == ids("2", "3", "1") or waiting(journal) == ids("2", "1", "3")
    assert [entry.mention.id for entry in journal.waiting(1)] == [second.id]
    assert journal.oldest_waiting_at() == NOON
    store(journal, second)
    assert set(waiting(journal)) == {first.id, third.id}
    assert journal.oldest_waiting_at() == NOON + MINUTE
    assert journal.counts() == {EntryState.WAITING: 2, EntryState.STORED: 1, EntryState.REFUSED: 0}
    assert journal.held([first.id, second.id, "?"]) == {first.id, second.id}


def test_of_an_id_that_comes_twice_the_last_counts(journal: Journal) -> None:
    mention = make_mention()
    journal.write([mention, edited(mention)], now=NOON)
    assert [entry.mention for entry in journal.waiting(9)] == [edited(mention)]


def test_an_edit_replaces_and_waits_anew(journal: Journal) -> None:
    mention = make_mention(score=make_score())
    journal.write([mention], now=NOON)
    store(journal, mention)
    newer = replace(edited(mention), score=None)
    journal.write([newer], now=NOON + HOUR)
    assert [entry.mention for entry in journal.waiting(9)] == [newer]


def test_reading_a_post_again_changes_nothing(journal: Journal) -> None:
    scored, stored = make_mention("1", score=make_score()), make_mention("2")
    journal.write([scored, stored], now=NOON)
    store(journal, stored)
    before = journal.since(0, 9)
    journal.write([replace(scored, score=None), stored], now=NOON + HOUR)
    assert journal.since(0, 9) == before
    assert waiting(journal) == [scored.id]


def test_a_score_replaces_and_waits(journal: Journal) -> None:
    mention = make_mention()
    journal.write([mention], now=NOON)
    store(journal, mention)
    journal.write([replace(mention, score=make_score())], now=NOON)
    assert [entry.mention.score for entry in journal.waiting(9)] == [make_score()]


def test_an_older_reading_does_not_replace_a_newer_one(journal: Journal) -> None:
    newer = edited(make_mention(fetched_at=NOON + HOUR))
    journal.write([newer], now=NOON)
    journal.write([make_mention(fetched_at=NOON, score=make_score())], now=NOON)
    assert [entry.mention for entry in journal.waiting(9)] == [newer]


# ------------------------------------------------------------------------------------------------ stored, refused


def test_what_is_stored_is_kept_if_it_is_young(journal: Journal) -> None:
    old, young = make_mention("1", published_at=NOON - MINUTE), make_mention("2", published_at=NOON)
    journal.write([old, young], now=NOON)
    store(journal, old, young, kept_from=NOON)
    assert journal.held([old.id, young.id]) == {young.id}
    assert waiting(journal) == []


@pytest.mark.parametrize("is_stored", [False, True])
def test_whose_revision_has_changed_meanwhile_waits_anew(journal: Journal, is_stored: bool) -> None:
    older = make_mention(published_at=NOON - HOUR)
    newer = edited(older)
    journal.write([older], now=NOON)
    journal.write([newer], now=NOON)
    if is_stored:
        store(journal, newer)
    store(journal, older, kept_from=NOON)
    assert [entry.mention for entry in journal.waiting(9)] == [newer]


def test_who_is_not_known_is_not_made_known_by_being_stored(journal: Journal) -> None:
    store(journal, make_mention())
    journal.refused({identity("2"): "too long"})
    assert journal.since(0, 9) == []


def test_the_refused_are_seen_and_wait_again_when_somebody_says_so(journal: Journal) -> None:
    first, second = make_mention("1"), make_mention("2")
    journal.write([first], now=NOON)
    journal.write([second], now=NOON + MINUTE)
    journal.refused({first.id: "field [x]\0 is unknown", second.id: "too long"})
    assert [entry.mention.id for entry in journal.dead()] == [second.id, first.id]
    assert [entry.error for entry in journal.dead()] == ["too long", "field [x]\ufffd is unknown"]
    assert len(journal.dead(1)) == 1
    assert waiting(journal) == []
    assert journal.again([first.id, first.id, "?"]) == 1
    assert waiting(journal) == [first.id]
    assert journal.waiting(1)[0].error == ""
    assert journal.again([first.id]) == 0, "it was not refused since"


def test_the_refused_are_not_forgotten_by_age(journal: Journal) -> None:
    mentions = [make_mention(name) for name in ("1", "2", "3")]
    journal.write(mentions, now=NOON)
    journal.refused({mentions[0].id: "too long"})
    store(journal, mentions[1])
    assert journal.prune(NOON) == 0
    assert journal.prune(NOON + MINUTE) == 1
    assert journal.held(mention.id for mention in mentions) == {mentions[0].id, mentions[2].id}


# ------------------------------------------------------------------------------------------------ numbers


def test_a_reader_is_told_of_every_writing(journal: Journal) -> None:
    first, second, third = (make_mention(name) for name in ("1", "2", "3"))
    journal.write([first, second], now=NOON)
    entries = journal.since(0, 9)
    assert [entry.number for entry in entries] == sorted({entry.number for entry in entries})
    last = entries[-1].number
    assert journal.since(last, 9) == []
    journal.write([edited(first), third], now=NOON)
    assert {entry.mention.id for entry in journal.since(last, 9)} == {first.id, third.id}
    last = journal.since(last, 9)[-1].number
    journal.refused({second.id: "too long"})
    assert [entry.state for entry in journal.since(last, 9)] == [EntryState.REFUSED]
    last = journal.since(last, 9)[-1].number
    journal.again([second.id])
    assert [entry.state for entry in journal.since(last, 9)] == [EntryState.WAITING]
    assert len(journal.since(0, 2)) == 2


def test_numbers_are_not_used_again(journal: Journal) -> None:
    journal.write([make_mention("1")], now=NOON)
    last = journal.since(0, 9)[-1].number
    journal.erase(ids=ids("1"), now=NOON)
    journal.write([make_mention("2")], now=NOON)
    assert [entry.mention.id for entry in journal.since(last, 9)] == ids("2")


def test_who_reads_while_others_write_misses_nothing(ledger: Ledger) -> None:
    """Transactions that end in another order than they began must not make their numbers seen in that order."""
    writers, batches = 3, 12
    seen: list[str] = []
    numbers = [0]
    done = threading.Event()

    def read() -> None:
        while True:
            was_done = done.is_set()
            entries = ledger.journal.since(numbers[-1], 5)
            seen.extend(entry.mention.id for entry in entries)
            numbers.extend(entry.number for entry in entries)
            if was_done and not entries:
                return

    def write(writer: int) -> None:
        for batch in range(batches):
            size = 40 if writer else 1  # a small transaction overtakes a large one
            ledger.journal.write([make_mention(f"{writer} {batch} {n}") for n in range(size)], now=NOON)

    reader = threading.Thread(target=read)
    reader.start()
    at_once(writers, write)
    done.set()
    reader.join(60)
    assert numbers == sorted(set(numbers))
    assert len(seen) == len(set(seen)) == batches * (1 + 40 * (writers - 1))


def test_writers_that_meet_do_not_fail(ledger: Ledger) -> None:
    mentions = [make_mention(str(n)) for n in range(60)]

    def work(number: int) -> None:
        for turn in range(6):
            batch = [edited(mention, f"{number} {turn}") for mention in mentions[:: 1 if number % 2 else -1]]
            ledger.journal.write(batch, now=NOON)
            store(ledger.journal, *batch)

    at_once(4, work)
    assert sum(ledger.journal.counts().values()) == 60


# ------------------------------------------------------------------------------------------------ erasing


def test_the_erased_are_gone_whatever_their_state_and_the_archive_is_to_forget_them(journal: Journal) -> None:
    mentions = [make_mention(name, author="ann") for name in ("1", "2", "3")] + [make_mention("4")]
    journal.write(mentions, now=NOON)
    store(journal, mentions[0])
    journal.refused({mentions[1].id: "too long"})
    assert journal.erase(author="ann", now=NOON) == 3
    assert journal.erase(ids=[mentions[3].id, "unknown"], now=NOON) == 1
    assert journal.since(0, 9) == []
    assert journal.erasures() == (frozenset({mentions[3].id, "unknown"}), frozenset({"ann"}))
    journal.erased(ids=["unknown", "x"], authors=["ann"])
    assert journal.erasures() == (frozenset({mentions[3].id}), frozenset())
    assert journal.erase(ids=[mentions[3].id], now=NOON + HOUR) == 0


def test_nobody_is_nobody(journal: Journal) -> None:
    journal.write([make_mention(author="")], now=NOON)
    assert journal.erase(ids=[""], author="", now=NOON) == 0
    assert journal.erasures() == (frozenset(), frozenset())
    assert journal.counts()[EntryState.WAITING] == 1


def test_many_at_once(journal: Journal) -> None:
    mentions = [make_mention(str(n)) for n in range(2_000)]
    journal.write(mentions, now=NOON)
    store(journal, *mentions[::2])
    assert journal.counts()[EntryState.STORED] == 1_000
    assert len(journal.held(mention.id for mention in mentions)) == 2_000
    assert journal.erase(ids=[mention.id for mention in mentions], now=NOON) == 2_000


def test_nothing_of_what_was_erased_is_left_in_the_file(file_url: str) -> None:
    ledger = open_ledger(file_url)
    secret = "Ellinor Skarsgårdsvik-72"
    mention = make_mention(text=f"{secret} " * 400, author="ann")
    ledger.journal.write([mention, make_mention("2")], now=NOON)
    ledger.journal.write([edited(mention, f"{secret} igen " * 900)], now=NOON)
    marker = json.dumps(secret).strip('"').encode()
    folder = Path(file_url.removeprefix("sqlite:///")).parent
    assert any(marker in path.read_bytes() for path in folder.iterdir())
    ledger.journal.erase(author="ann", now=NOON)
    assert not any(marker in path.read_bytes() for path in folder.iterdir())
    ledger.close()
    assert not any(marker in path.read_bytes() for path in folder.iterdir())


# ------------------------------------------------------------------------------------------------ a model

names = st.sampled_from("abcdef")


class JournalModel(RuleBasedStateMachine):
    """Against a dictionary of what each id should be; a reader of `since` keeps a copy."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.journal = ledger.journal
        self.run = os.urandom(4).hex()
        self.author = f"author of {self.run}"
        self.now = NOON
        self.entries: dict[str, tuple[Mention, EntryState]] = {}
        self.to_forget: set[str] = set()
        self.number = max((entry.number for entry in self.journal.since(0, 10**6)), default=0)
        self.copy: dict[str, tuple[Mention, bool]] = {}

    def mention(self, name: str, text: str) -> Mention:
        return make_mention(f"{self.run}{name}", text=text, author=self.author)

    @rule(names=st.lists(names, max_size=4), text=st.sampled_from("xyz"), has_score=st.booleans())
    def write(self, names: list[str], text: str, has_score: bool) -> None:
        self.now += MINUTE
        batch = [self.mention(name, text) for name in names]
        if has_score:
            batch = [replace(mention, score=make_score()) for mention in batch]
        self.journal.write(batch, now=self.now)
        for mention in batch:
            known = self.entries.get(mention.id)
            if known is None or has_score or known[0].revision != mention.revision:
                self.entries[mention.id] = (mention, EntryState.WAITING)

    @rule(name=names, text=st.sampled_from("xyz"))
    def stored(self, name: str, text: str) -> None:
        mention = self.mention(name, text)
        store(self.journal, mention)
        known = self.entries.get(mention.id)
        if known and known[0].revision == mention.revision:
            self.entries[mention.id] = (known[0], EntryState.STORED)
        elif known and known[1] is EntryState.STORED:
            self.entries[mention.id] = (known[0], EntryState.WAITING)

    @rule(name=names)
    def refused(self, name: str) -> None:
        key = self.mention(name, "").id
        self.journal.refused({key: "no"})
        if key in self.entries:
            self.entries[key] = (self.entries[key][0], EntryState.REFUSED)

    @rule(name=names)
    def again(self, name: str) -> None:
        key = self.mention(name, "").id
        was_refused = key in self.entries and self.entries[key][1] is EntryState.REFUSED
        assert self.journal.again([key]) == was_refused
        if was_refused:
            self.entries[key] = (self.entries[key][0], EntryState.WAITING)

    @rule(names=st.lists(names, max_size=3))
    def erase(self, names: list[str]) -> None:
        keys = {self.mention(name, "").id for name in names}
        assert self.journal.erase(ids=keys, now=self.now) == len(keys & self.entries.keys())
        self.to_forget |= keys
        self.entries = {key: entry for key, entry in self.entries.items() if key not in keys}

    @rule()
    def erase_author(self) -> None:
        assert self.journal.erase(author=self.author, now=self.now) == len(self.entries)
        self.entries = {}

    @rule()
    def erased(self) -> None:
        self.journal.erased(ids=self.to_forget, authors=[self.author])
        self.to_forget = set()

    @rule()
    def read_on(self) -> None:
        while entries := self.journal.since(self.number, 2):
            self.number = entries[-1].number
            for entry in entries:
                self.copy[entry.mention.id] = (entry.mention, entry.state is EntryState.REFUSED)

    @invariant()
    def everything_is_as_expected(self) -> None:
        mine = [e for e in self.journal.since(0, 10**6) if e.mention.author == self.author]
        assert {e.mention.id: (e.mention, e.state) for e in mine} == self.entries
        assert self.journal.held(self.entries) == self.entries.keys()
        assert self.to_forget <= self.journal.erasures()[0]
        order = [(e.written_at, e.number) for e in self.journal.waiting(10**6)]
        assert order == sorted(order)

    def teardown(self) -> None:
        self.read_on()
        held = {key: entry for key, entry in self.copy.items() if key in self.entries}
        assert held.keys() == self.entries.keys(), "the reader was told of everything"
        for key, (mention, _) in self.entries.items():
            assert held[key][0] == mention
        self.journal.erase(author=self.author, now=self.now)
        self.journal.erased(ids=self.to_forget, authors=[self.author])


def test_journal_whatever_happens(shared: SqlLedger) -> None:
    class Model(JournalModel):
        def __init__(self) -> None:
            super().__init__(shared)

    run_state_machine_as_test(
        Model, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )
