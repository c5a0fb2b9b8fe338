"""The archive that goes on while its server is away: nothing lost, nothing twice, and the same counts once it is back."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from listener.archive.journaled import KEPT, PAUSE, JournaledArchive
from listener.archive.sqlite import SqliteArchive
from listener.errors import StoreAway, StoreError
from listener.ledger import open_ledger
from listener.mention import Mention, Signal
from listener.ports import Added, Dimension, EntryState, Journal, Where
from tests.contract.archive_samples import DAY, HOUR, NOON, identity, ids, make_mention, make_score
from tests.listener.away_server import AwayServer

SECOND = timedelta(seconds=1)
OLD = NOON - KEPT - HOUR


class World:
    """A server, a ledger and a clock; `archive` is what one process has opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        self.seconds = 100.0
        self.server = AwayServer(folder / "server.db")
        self.ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.journal: Journal = self.ledger.journal
        self.opened: list[JournaledArchive] = []
        self.archive = self.open()

    def open(self) -> JournaledArchive:
        """As another process would."""
        away = self.folder / "away"
        away.mkdir(exist_ok=True)
        archive = JournaledArchive(
            self.server, self.journal, clock=lambda: self.now, monotonic=lambda: self.seconds, folder=away
        )
        self.opened.append(archive)
        return archive

    def wait(self, seconds: float = PAUSE) -> None:
        self.seconds += seconds
        self.now += seconds * SECOND

    def come_back(self) -> None:
        self.server.is_away = self.server.is_read_only = self.server.answers_lost = False

    def settle(self) -> None:
        """As sweeps do, until nothing is left."""
        self.come_back()
        self.wait()
        while self.archive.settle(3):
            pass

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "away").rglob("*") if path.is_file()]

    def close(self) -> None:
        for archive in self.opened:
            archive.close()
        self.ledger.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def found(archive: Any, where: Where | None = None) -> set[str]:
    return {mention.id for mention in archive.search(where or Where(), limit=1000)}


def states(journal: Journal) -> dict[EntryState, int]:
    return {state: count for state, count in journal.counts().items() if count}


def edit(mention: Mention, text: str = "Nu går det bra igen") -> Mention:
    return replace(mention, text=text, score=None)


# ------------------------------------------------------------------------------------------------ a healthy server


def test_what_is_added_is_at_the_server_and_kept_in_the_journal_if_it_is_young(world: World) -> None:
    young, old = make_mention("1"), make_mention("2", published_at=OLD)
    assert world.archive.add([young, old]) == Added(tuple(ids("1", "2")), (), ())
    assert found(world.server) == {young.id, old.id}
    assert world.journal.held([young.id, old.id]) == {young.id}
    assert states(world.journal) == {EntryState.STORED: 1}
    assert world.archive.away() is None
    assert world.archive.add([young, edit(old)]) == Added((), (old.id,), (young.id,))


def test_what_was_kept_long_enough_is_forgotten_by_the_sweep(world: World) -> None:
    world.archive.add([make_mention()])
    world.archive.settle()
    assert states(world.journal) == {EntryState.STORED: 1}
    world.wait((KEPT + HOUR).total_seconds())
    world.archive.settle()
    assert states(world.journal) == {}
    assert world.archive.total() == 1


def test_the_server_has_its_own_to_settle(world: World) -> None:
    world.archive.settle()
    assert world.server.settled == 1
    world.server.is_away = True
    with pytest.raises(StoreAway):
        world.archive.settle()
    assert world.archive.away() is not None


def test_what_the_server_refuses_is_a_visible_dead_letter_and_the_rest_is_stored(world: World) -> None:
    good, bad, old = make_mention("1"), make_mention("2"), make_mention("3", published_at=OLD)
    world.server.refuses = {bad.id: "field [x] is unknown", old.id: "too long"}
    assert world.archive.add([good, bad, old]) == Added((good.id,), (), ())
    assert {entry.mention.id: entry.error for entry in world.journal.dead()} == world.server.refuses
    assert states(world.journal) == {EntryState.REFUSED: 2, EntryState.STORED: 1}
    assert world.archive.add([good, bad]) == Added((), (), (good.id,)), "no second news of it"
    world.server.refuses = {}
    world.journal.again([bad.id, old.id])
    assert world.archive.settle() == 2
    assert found(world.server) == {good.id, bad.id, old.id}
    assert world.journal.dead() == []


# ------------------------------------------------------------------------------------------------ away and back


def test_while_the_server_is_away_nothing_fails_and_everything_known_is_answered(world: World) -> None:
    before, old = make_mention("1", score=make_score()), make_mention("2", published_at=OLD)
    world.archive.add([before, old])
    world.server.is_away = True
    during = make_mention("3", thread="t", published_at=NOON + HOUR, score=make_score())
    assert world.archive.add([during]) == Added((during.id,), (), ())
    world.wait(1)
    assert world.archive.add([during, edit(before)]) == Added((), (before.id,), (during.id,))
    away = world.archive.away()
    assert away is not None
    assert (away.since, away.known_from) == (NOON, world.now - KEPT)
    assert "cannot be reached" in away.why
    archive, where = world.archive, Where()
    assert found(archive) == {before.id, during.id}
    assert archive.total() == 2
    assert archive.held([before.id, old.id, during.id]) == {before.id, during.id}
    assert archive.ids_of_thread(during.source, "t") == {during.id}
    assert [mention.id for mention in archive.unscored(9)] == [before.id], "its new text has no score"
    assert archive.known_authors(where, [before.author, old.author]) == {before.author}
    assert archive.breakdown(where, Dimension.CHANNEL) == {"forum": 2}
    span: dict[str, Any] = {"start": NOON, "end": NOON + 2 * HOUR, "bucket": HOUR}
    assert archive.counts(where, [Signal.VOLUME, Signal.ANXIETY], **span) == {
        Signal.VOLUME: [1, 1],
        Signal.ANXIETY: [0, 1],
    }
    assert archive.counts_by(where, [Signal.VOLUME], Dimension.LANGUAGE, **span) == {
        "sv": {Signal.VOLUME: [1, 1]}
    }
    assert archive.expired(NOON + 91 * DAY) == [before.id, during.id]
    assert archive.get(old.id) is None
    with pytest.raises(StoreAway):
        archive.outdated("another", 9)
    archive.publish([], [])
    world.settle()
    assert world.archive.away() is None
    assert found(world.server) == {before.id, old.id, during.id}
    stored = world.server.get(before.id)
    assert stored is not None
    assert (stored.text, stored.score) == (edit(before).text, None)


def test_a_server_that_is_away_is_left_alone_and_then_tried_by_one_call(world: World) -> None:
    world.archive.add([make_mention("1")])
    world.server.is_away = True
    assert world.archive.total() == 1
    asked = world.server.asked
    for _ in range(5):
        world.wait(PAUSE / 6)
        world.archive.total()
        with pytest.raises(StoreAway, match="cannot be reached"):
            world.archive.settle()
    assert world.server.asked == asked
    world.wait()
    world.archive.total()
    world.archive.total()
    assert world.server.asked == asked + 1
    world.come_back()
    world.wait()
    assert world.archive.total() == 1
    assert world.archive.away() is None


def test_a_reader_never_counts_at_the_server_what_still_waits_here(world: World) -> None:
    world.server.is_away = True
    world.archive.add([make_mention(str(n)) for n in range(7)])
    world.come_back()
    world.wait()
    assert world.archive.total() == 7, "the call that finds it back brings what waits first"
    assert world.server.total() == 7


def test_the_server_is_back_when_it_has_taken_all_that_waited(world: World) -> None:
    world.server.is_away = True
    world.archive.add([make_mention(str(n)) for n in range(7)])
    world.come_back()
    world.wait()
    assert world.archive.settle(3) == 3
    assert world.archive.away() is not None
    assert world.archive.settle(4) == 4
    assert world.archive.away() is not None, "there may be more"
    assert world.archive.settle(4) == 0
    assert world.archive.away() is None
    assert world.archive.total() == 7


def test_what_another_process_found_refused_is_not_answered_any_more(world: World) -> None:
    good, bad = make_mention("1"), make_mention("2")
    world.server.is_away = True
    world.archive.add([good, bad])
    assert world.archive.total() == 2
    world.journal.refused({bad.id: "too long"})
    assert found(world.archive) == {good.id}
    world.journal.again([bad.id])
    assert world.archive.total() == 2


def test_a_server_that_can_be_read_but_not_written_is_away_as_long_as_something_waits(world: World) -> None:
    world.server.is_read_only = True
    world.archive.add([make_mention("1")])
    for _ in range(3):
        world.wait()
        assert world.archive.total() == 1
        assert world.archive.away() is not None
    other = world.open()
    world.wait(20)
    assert other.total() == 1, "another process sees by the ledger that something waits"
    assert other.away() is not None
    world.settle()
    assert world.archive.away() is None
    other.settle()
    assert other.away() is None


def test_a_process_that_has_not_asked_yet_tells_by_the_ledger(world: World) -> None:
    world.server.is_away = True
    world.archive.add([make_mention()])
    assert world.open().away() is None, "it may just be on its way"
    world.wait(60)
    away = world.open().away()
    assert away is not None
    assert away.since == NOON


def test_when_it_went_away_in_the_middle_all_waits_and_comes_once(world: World) -> None:
    mentions = [make_mention(str(n)) for n in range(5)] + [make_mention("old", published_at=OLD)]
    world.server.answers_lost = True
    assert set(world.archive.add(mentions).new) == {mention.id for mention in mentions}
    assert states(world.journal) == {EntryState.WAITING: 6}
    world.settle()
    assert world.server.total() == 6
    assert states(world.journal) == {EntryState.STORED: 5}, "the old one is forgotten"


def test_scores_that_are_saved_meanwhile_arrive(world: World) -> None:
    stored, waiting = make_mention("1"), make_mention("2")
    world.archive.add([stored])
    world.server.is_away = True
    world.archive.add([waiting])
    given = {m.id: (m.revision, make_score()) for m in (stored, waiting)}
    given["?"] = ("?", make_score())
    assert world.archive.save_scores(given) == 2
    assert world.archive.save_scores({stored.id: ("another revision", make_score(anxiety=0.1))}) == 0
    assert world.archive.unscored(9) == []
    assert world.open().unscored(9) == [], "other processes know them, too"
    world.settle()
    scores = [mention.score for mention in world.server.search(Where())]
    assert scores == [make_score()] * 2


def test_who_is_erased_while_scores_are_saved_does_not_come_back(world: World) -> None:
    mention = make_mention()
    world.server.is_away = True
    world.archive.add([mention])
    write = world.journal.write

    def erase_first(mentions: Any, *, now: datetime) -> None:
        world.journal.erase(ids=[mention.id], now=now)
        write(mentions, now=now)

    world.journal.write = erase_first  # type: ignore[method-assign]
    assert world.archive.save_scores({mention.id: (mention.revision, make_score())}) == 0
    assert world.archive.total() == 0


def test_the_erased_vanish_at_once_and_from_the_server_when_it_is_back(world: World) -> None:
    mentions = [make_mention(str(n), author="ann") for n in range(3)] + [
        make_mention("old", published_at=OLD)
    ]
    world.archive.add(mentions)
    world.server.is_away = True
    other = world.open()
    assert world.archive.total() == other.total() == 3
    assert world.archive.erase([mentions[0].id, mentions[3].id]) == 1
    assert found(world.archive) == found(other) == {mentions[1].id, mentions[2].id}
    assert world.archive.erase_author("ann") == 2
    assert found(world.archive) == found(other) == set()
    assert world.archive.erase_author("") == 0
    again = replace(mentions[0], author="bo")
    world.archive.add([again])
    world.settle()
    assert found(world.server) == {again.id}, "what came anew is not erased again"
    assert world.journal.erasures() == (frozenset(), frozenset())


def test_an_answer_that_was_lost_does_not_lose_an_erasure(world: World) -> None:
    world.archive.add([make_mention()])
    world.server.is_read_only = True
    assert world.archive.erase(ids("1")) == 1
    world.settle()
    assert world.server.total() == 0


def test_an_edit_that_comes_while_the_older_text_is_being_stored_wins(world: World) -> None:
    older = make_mention()
    newer = edit(older)
    world.server.is_away = True
    world.archive.add([older])
    world.come_back()
    world.wait()
    other = world.open()

    def overtake(_: Any) -> None:
        world.server.before = lambda _: None
        assert other.add([newer]).new == (newer.id,)

    world.server.before = overtake
    world.archive.settle()
    stored = world.server.get(older.id)
    assert stored is not None
    assert stored.text == older.text, "the older one arrived later"
    world.settle()
    stored = world.server.get(older.id)
    assert stored is not None
    assert stored.text == newer.text


def test_several_may_settle_at_once(world: World) -> None:
    world.server.is_away = True
    mentions = [make_mention(str(n)) for n in range(50)]
    world.archive.add(mentions)
    world.come_back()
    world.wait(60)
    archives = [world.open() for _ in range(3)]
    threads = [threading.Thread(target=archive.settle) for archive in archives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.server.total() == 50
    assert states(world.journal) == {EntryState.STORED: 50}
    assert world.open().away() is None


def test_a_ledger_that_fails_is_not_taken_for_the_server(world: World) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StoreAway("ledger: cannot be reached")

    world.archive.add([make_mention()])
    world.journal.held = fail  # type: ignore[method-assign]
    with pytest.raises(StoreAway, match="ledger"):
        world.archive.add([make_mention("2")])
    assert world.archive.away() is None


# ------------------------------------------------------------------------------------------------ its file


def test_the_file_is_only_for_its_owner_and_gone_with_the_outage(world: World) -> None:
    world.archive.add([make_mention()])
    world.archive.total()
    assert world.files() == []
    world.server.is_away = True
    world.archive.total()
    assert {path.stat().st_mode & 0o777 for path in world.files()} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in world.files()} == {0o700}
    world.settle()
    assert list((world.folder / "away").iterdir()) == []
    world.server.is_away = True
    world.archive.total()
    assert world.files()
    world.archive.close()
    assert list((world.folder / "away").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from listener.archive.mirror import Mirror
from listener.ledger import open_ledger
with Mirror(open_ledger(sys.argv[1]).journal, Path(sys.argv[2])).archive():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(world: World) -> None:
    command = [
        sys.executable,
        "-c",
        KILLED,
        f"sqlite:///{world.folder / 'ledger.db'}",
        str(world.folder / "away"),
    ]
    subprocess.run(command, timeout=60)
    (left,) = (world.folder / "away").iterdir()
    world.server.is_away = True
    world.archive.total()
    world.open().total()
    folders = list((world.folder / "away").iterdir())
    assert left not in folders
    assert len(folders) == 2, "those in use stay"


def test_a_folder_in_which_nothing_can_be_made_is_named(world: World) -> None:
    world.server.is_away = True
    archive = JournaledArchive(world.server, world.journal, folder=world.folder / "missing")
    world.opened.append(archive)
    with pytest.raises(StoreError, match="missing: No such file or directory: want one"):
        archive.total()


# ------------------------------------------------------------------------------------------------ a model


class Killed(BaseException):
    pass


class KilledAt:
    """A journal that is killed before its nth use, or after."""

    def __init__(self, journal: Journal, step: int, *, is_done: bool) -> None:
        self._journal, self._left, self._is_done = journal, step, is_done

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def use(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left < 0 and not self._is_done:
                raise Killed
            answer = getattr(self._journal, name)(*args, **kwargs)
            if self._left < 0:
                raise Killed
            return answer

        return use


NAMES = "abcdefgh"
TEXTS = (
    "Nätet är nere",
    "Min faktura stämmer inte, vem svarar",
    "Leveransen kom aldrig fram till oss",
    "Tack, allt löste sig",
)
names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)


class Model(RuleBasedStateMachine):
    """Against a plain archive that is never away. Half of the names are of posts older than KEPT."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.plain = SqliteArchive(self.world.folder / "plain.db")
        self.buried: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.add(list(NAMES[::3]), 0, False)

    def mention(self, name: str, text: int) -> Mention:
        is_old = name > "e"
        return make_mention(
            name,
            author=f"author {ord(name) % 3}",
            text=f"{TEXTS[text]} {name * 3}",
            published_at=OLD - DAY if is_old else NOON - HOUR,
            fetched_at=self.world.now,
        )

    def batch(self, names: list[str], text: int, has_score: bool) -> list[Mention]:
        mentions = [self.mention(name, text) for name in names]
        held = self.plain.held(mention.id for mention in mentions)
        return [
            replace(mention, score=make_score()) if has_score and mention.id not in held else mention
            for mention in mentions
            if mention.author not in self.buried
        ]

    @rule(names=names, text=st.integers(0, 3), has_score=st.booleans())
    def add(self, names: list[str], text: int, has_score: bool) -> None:
        self.world.wait(0.5)
        batch = self.batch(names, text, has_score)
        is_well = self.is_well()
        added = self.world.archive.add(batch)
        expected = self.plain.add(batch)
        assert sorted([*added.new, *added.edited, *added.known]) == sorted(mention.id for mention in batch)
        if is_well:
            assert added == replace(expected, known=added.known)

    def is_well(self) -> bool:
        server = self.world.server
        is_ill = server.is_away or server.is_read_only or server.answers_lost
        return not is_ill and self.world.archive.away() is None and not self.world.journal.waiting(1)

    @rule(names=names, text=st.integers(0, 3), step=st.integers(0, 6), is_done=st.booleans())
    def be_killed_while_adding(self, names: list[str], text: int, step: int, is_done: bool) -> None:
        """Whoever comes next reads the same again: the cursor has not moved."""
        self.world.wait(0.5)
        batch = self.batch(names, text, True)
        self.world.archive._journal = KilledAt(self.world.journal, step, is_done=is_done)
        try:
            self.world.archive.add(batch)
        except Killed:
            self.world.archive = self.world.open()
            self.world.archive.add(batch)
        self.world.archive._journal = self.world.journal
        self.plain.add(batch)

    @rule(step=st.integers(0, 6), is_done=st.booleans())
    def be_killed_while_settling(self, step: int, is_done: bool) -> None:
        self.world.archive._journal = KilledAt(self.world.journal, step, is_done=is_done)
        try:
            self.world.archive.settle(2)
        except (Killed, StoreAway):
            self.world.archive = self.world.open()
        self.world.archive._journal = self.world.journal

    @rule(names=names)
    def erase(self, names: list[str]) -> None:
        keys = ids(*names)
        self.world.archive.erase(keys)
        self.plain.erase(keys)

    @rule(name=st.sampled_from(NAMES))
    def erase_author(self, name: str) -> None:
        author = self.mention(name, 0).author
        self.buried.add(author)
        self.world.archive.erase_author(author)
        self.plain.erase_author(author)

    @rule(names=names)
    def score(self, names: list[str]) -> None:
        for key in ids(*names):
            mention = self.plain.get(key)
            if mention is not None:
                given = {key: (mention.revision, make_score())}
                saved = self.world.archive.save_scores(given)
                # An answer that is lost is told as "none", though the server may have done it.
                there = SqliteArchive.get(self.world.server, key)
                if saved or (there and there.score):
                    assert self.plain.save_scores(given) == 1

    @rule(how=st.sampled_from(["is_away", "is_read_only", "answers_lost"]))
    def go_away(self, how: str) -> None:
        self.world.come_back()
        setattr(self.world.server, how, True)

    @rule()
    def come_back(self) -> None:
        self.world.come_back()

    @rule(seconds=st.sampled_from([1, 6, 30]))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(limit=st.integers(1, 5))
    def settle(self, limit: int) -> None:
        try:
            self.world.archive.settle(limit)
        except StoreAway:
            assert self.world.archive.away() is not None

    @rule()
    def crash(self) -> None:
        self.world.archive = self.world.open()

    @precondition(lambda self: self.world.server.is_away)
    @invariant()
    def what_is_known_is_answered(self) -> None:
        known = found(self.world.archive)
        assert self.world.archive.away() is not None
        everything = found(self.plain)
        assert known <= everything
        recent = {identity(name) for name in NAMES if name <= "e"}
        assert everything & recent <= known

    @rule()
    def settle_all(self) -> None:
        self.world.settle()
        assert self.world.archive.away() is None
        assert self.world.journal.counts()[EntryState.WAITING] == 0
        assert self.world.journal.erasures() == (frozenset(), frozenset())
        for archive in (self.world.archive, self.world.server):
            assert self.everything(archive) == self.everything(self.plain)

    def everything(self, archive: Any) -> Any:
        span = {"start": NOON - 5 * DAY, "end": NOON, "bucket": DAY}
        mentions = archive.search(Where(), limit=100)
        return (
            [(m.id, m.text, m.score, m.author) for m in mentions],
            archive.counts(Where(), list(Signal), **span),
            archive.total(),
        )

    def teardown(self) -> None:
        self.settle_all()
        self.world.close()
        self.plain.close()
        self.folder.cleanup()


def test_nothing_is_lost_and_nothing_is_twice_whatever_happens() -> None:
    run_state_machine_as_test(
        Model, settings=settings(max_examples=12, stateful_step_count=25, deadline=None)
    )
