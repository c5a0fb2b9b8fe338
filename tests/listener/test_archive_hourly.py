"""Voices per hour that are kept: always what counting afresh gives, whatever happened before and at the same time."""

import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from listener.archive import counting, database, hourly, open_archive, schema
from listener.mention import Mention, Polarity, Signal
from listener.ports import Archive, Where
from tests.contract.archive_samples import NOON, RELEASE, identity, make_mention, make_score

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
START = datetime(1969, 12, 31, 12, tzinfo=UTC)
"""Twelve hours of it lie before 1970, where rounding is easily wrong."""
END = START + 2 * DAY
SIGNALS = (Signal.NEGATIVE, Signal.VOLUME, Signal.ANXIETY, Signal.COMPLAINTS)
BRANDS = ("", "fjelltele", "nordfly", "nobody")
Counts = Mapping[Signal, list[int]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.db"


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    opened = open_archive(f"sqlite:///{path}")
    yield opened
    opened.close()


def asked(archive: Archive, where: Where, start: datetime = START, end: datetime = END) -> Counts:
    return archive.counts(where, SIGNALS, start=start, end=end, bucket=HOUR)


def afresh(path: Path, where: Where, start: datetime = START, end: datetime = END) -> Counts:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return counting.counts(connection, where, SIGNALS, start=start, end=end, bucket=HOUR)
    finally:
        connection.close()


def kept(path: Path) -> int:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        number: int = connection.execute("SELECT count(*) FROM hourly").fetchone()[0]
        return number
    finally:
        connection.close()


def said(name: str, hour: float, **changes: Any) -> Mention:
    return make_mention(name, published_at=START + hour * HOUR, **changes)


# ------------------------------------------------------------------------------------------------ always the same

names = st.integers(0, 6).map(str)
hours = st.one_of(st.integers(0, 47), st.floats(0, 47.99, allow_nan=False))
flags = st.fixed_dictionaries(
    {
        "is_anxious": st.booleans(),
        "is_complaint": st.booleans(),
        "polarity": st.sampled_from(Polarity),
    }
)


class Life(RuleBasedStateMachine):
    """Two open archives of one file, as two processes have them."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        folder = self.closing.enter_context(tempfile.TemporaryDirectory())
        self.path = Path(folder) / "archive.db"
        self.archives = [open_archive(f"sqlite:///{self.path}") for _ in range(2)]
        for archive in self.archives:
            self.closing.callback(archive.close)
        self.stored: dict[str, Mention] = {}

    def teardown(self) -> None:
        self.closing.close()

    def of(self, second: bool) -> Archive:
        return self.archives[second]

    @initialize()
    def begin(self) -> None:
        for brand in BRANDS:
            asked(self.archives[0], Where(brand=brand))
        assert kept(self.path) == 48 * len(BRANDS)

    @rule(
        second=st.booleans(),
        batch=st.lists(
            st.tuples(
                names, hours, st.sampled_from(["", "a", "b"]), st.sampled_from([RELEASE, "", "kort"]), flags
            ),
            max_size=4,
        ),
        scored=st.booleans(),
        brands=st.sampled_from([("fjelltele",), ("nordfly",), ("fjelltele", "nordfly")]),
    )
    def add_or_edit(
        self,
        second: bool,
        batch: list[tuple[str, float, str, str, dict[str, Any]]],
        scored: bool,
        brands: tuple[str, ...],
    ) -> None:
        mentions = []
        for name, hour, author, text, its in batch:
            was = self.stored.get(name)
            mention = said(name, hour, author=author, text=text or f"eget {name}", brands=brands)
            if was is not None:
                mention = replace(was, text=f"ändrat {name} {hour} {text}", brands=brands)
            mentions.append(replace(mention, score=make_score(**its) if scored else None))
            self.stored[name] = mentions[-1]
        self.of(second).add(mentions)

    @rule(second=st.booleans(), scores=st.dictionaries(names, flags, max_size=6))
    def score(self, second: bool, scores: dict[str, dict[str, Any]]) -> None:
        known = {name: its for name, its in scores.items() if name in self.stored}
        self.of(second).save_scores(
            {
                self.stored[name].id: (self.stored[name].revision, make_score(**its))
                for name, its in known.items()
            }
        )

    @rule(second=st.booleans(), erased=st.sets(names, max_size=3))
    def erase(self, second: bool, erased: set[str]) -> None:
        self.of(second).erase(identity(name) for name in erased)
        self.stored = {name: its for name, its in self.stored.items() if name not in erased}

    @rule(second=st.booleans(), author=st.sampled_from(["a", "b"]))
    def erase_author(self, second: bool, author: str) -> None:
        self.of(second).erase_author(author)
        self.stored = {name: its for name, its in self.stored.items() if its.author != author}

    @rule(second=st.booleans(), first=st.integers(0, 20), length=st.integers(24, 27))
    def count_some(self, second: bool, first: int, length: int) -> None:
        start = START + first * HOUR
        span = (start, start + length * HOUR)
        assert asked(self.of(second), Where(), *span) == afresh(self.path, Where(), *span)

    @invariant()
    def every_count_is_exact(self) -> None:
        for brand in BRANDS:
            assert asked(self.of(False), Where(brand=brand)) == afresh(self.path, Where(brand=brand))


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)


@settings(max_examples=60, deadline=None)
@given(
    brand=st.sampled_from(BRANDS),
    span=st.tuples(st.integers(-3, 20), st.integers(24, 60)),
    within=st.tuples(*[st.one_of(st.none(), st.integers(-3, 60)) for _ in range(2)]),
)
def test_any_span_within_any_other_is_as_counted_afresh(
    filled: tuple[Archive, Path], brand: str, span: tuple[int, int], within: tuple[int | None, int | None]
) -> None:
    archive, path = filled
    start, end = (None if hour is None else START + hour * HOUR for hour in within)
    where = Where(brand=brand, start=start, end=end)
    asked_for = (START + span[0] * HOUR, START + sum(span) * HOUR)
    assert hourly.answers(where, start=asked_for[0], end=asked_for[1], bucket=HOUR)
    assert asked(archive, where, *asked_for) == afresh(path, where, *asked_for)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, Path]]:
    path = tmp_path_factory.mktemp("hourly") / "archive.db"
    opened = open_archive(f"sqlite:///{path}")
    brands = (("fjelltele",), ("nordfly", "fjelltele"))
    opened.add(
        [
            said(
                str(i),
                i * 0.37,
                author=f"a{i % 7}",
                brands=brands[i % 2],
                text=f"eget {i}",
                score=make_score(),
            )
            for i in range(120)
        ]
    )
    yield opened, path
    opened.close()


@pytest.mark.parametrize(
    ("where", "start", "end", "bucket"),
    [
        pytest.param(Where(), START, END, HOUR / 4, id="quarters"),
        pytest.param(Where(), START, END, DAY, id="days: an author of two hours is one voice"),
        pytest.param(Where(), START + HOUR / 2, END + HOUR / 2, HOUR, id="half past"),
        pytest.param(Where(), START, START + 23 * HOUR, HOUR, id="a short span"),
        pytest.param(Where(), START, START + 400 * DAY, HOUR, id="more than a year"),
        pytest.param(Where(channel="forum"), START, END, HOUR, id="a channel"),
        pytest.param(Where(signal=Signal.ANXIETY), START, END, HOUR, id="a signal"),
        pytest.param(Where(start=START + HOUR / 3), START, END, HOUR, id="cut within an hour"),
    ],
)
def test_other_questions_are_counted_as_ever(
    filled: tuple[Archive, Path], where: Where, start: datetime, end: datetime, bucket: timedelta
) -> None:
    archive, path = filled
    assert not hourly.answers(where, start=start, end=end, bucket=bucket)
    before = kept(path)
    archive.counts(where, SIGNALS, start=start, end=end, bucket=bucket)
    assert kept(path) == before


# ------------------------------------------------------------------------------------------------ kept and forgotten


def test_what_was_counted_once_is_not_counted_again(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add([said(str(i), i) for i in range(48)])
    first = asked(archive, Where())
    counted: list[datetime] = []
    count = hourly.count_hours

    def watched(connection: sqlite3.Connection, brand: str, hours: Iterable[int]) -> list[hourly.Row]:
        rows = count(connection, brand, hours)
        counted.extend(datetime.fromtimestamp(hour * 3600, tz=UTC) for hour, *_ in rows)
        return rows

    monkeypatch.setattr(hourly, "count_hours", watched)
    assert asked(archive, Where()) == first
    assert not counted
    archive.add([said("later", 7.5), said("last", 30)])
    changed = asked(archive, Where())[Signal.VOLUME]
    assert counted == [START + 7 * HOUR, START + 30 * HOUR]
    assert [now - was for now, was in zip(changed, first[Signal.VOLUME], strict=True) if now != was] == [1, 1]


MENTION = said("1", 3, author="a")
TWIN = said("2", 3.5, author="b", score=make_score())
CHANGES: Mapping[str, Callable[[Archive], object]] = {
    "add": lambda archive: archive.add([said("3", 3.9)]),
    "edit": lambda archive: archive.add([replace(TWIN, text="ändrat", score=None)]),
    "edit, with a score": lambda archive: archive.add([replace(MENTION, text="nytt", score=make_score())]),
    "score": lambda archive: archive.save_scores({MENTION.id: (MENTION.revision, make_score())}),
    "erase": lambda archive: archive.erase([TWIN.id]),
    "erase an author": lambda archive: archive.erase_author("a"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_an_hour_is_seen_in_its_counts(
    archive: Archive, path: Path, change: Callable[[Archive], object]
) -> None:
    archive.add([MENTION, TWIN])
    before = asked(archive, Where(brand="fjelltele")), asked(archive, Where())
    change(archive)
    assert kept(path) == 94, "the hour of both, and no other, is forgotten"
    after = asked(archive, Where(brand="fjelltele")), asked(archive, Where())
    assert after != before
    assert after == (afresh(path, Where(brand="fjelltele")), afresh(path, Where()))


def test_a_copy_that_becomes_the_original_is_counted_in_its_own_hour(archive: Archive, path: Path) -> None:
    archive.add([said("first", 1, text=RELEASE)])
    archive.add([said("copy", 30, text=RELEASE)])
    assert asked(archive, Where())[Signal.VOLUME][30] == 0
    archive.erase([identity("first")])
    assert asked(archive, Where())[Signal.VOLUME][30] == 1


def test_what_somebody_writes_while_it_is_counted_is_not_overwritten(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = open_archive(f"sqlite:///{path}")
    archive.add([said("1", 3)])

    count = hourly.count_hours

    def slow(connection: sqlite3.Connection, brand: str, hours: Iterable[int]) -> list[hourly.Row]:
        rows = count(connection, brand, hours)
        if other.total() == 1:
            other.add([said("2", 3.5)])
        return rows

    monkeypatch.setattr(hourly, "count_hours", slow)
    assert asked(archive, Where())[Signal.VOLUME][3] == 1, "as it was when it was asked"
    assert kept(path) == 0
    assert asked(archive, Where())[Signal.VOLUME][3] == 2
    assert kept(path) == 48
    other.close()


def test_a_reader_does_not_wait_for_a_writer(archive: Archive, path: Path) -> None:
    archive.add([said("1", 3)])
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    answers: list[Counts] = []
    reader = threading.Thread(target=lambda: answers.append(asked(archive, Where())))
    reader.start()
    reader.join(database.BUSY_SECONDS / 2)
    assert answers
    assert answers[0][Signal.VOLUME][3] == 1
    writer.execute("ROLLBACK")
    writer.close()
    assert kept(path) == 0
    asked(archive, Where())
    assert kept(path) == 48
    archive.add([said("2", 3)])  # whoever writes waits as ever


def test_where_nothing_can_be_written_it_is_counted_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "max_page_count = 40"))
    full = open_archive(f"sqlite:///{path}")
    full.add([said("1", 3)])
    long = (START - 300 * DAY, START + 60 * DAY)
    assert asked(full, Where(), *long) == afresh(path, Where(), *long)
    assert kept(path) == 0
    full.close()


def test_while_one_adds_another_always_counts_exactly(archive: Archive, path: Path) -> None:
    adding = open_archive(f"sqlite:///{path}")
    seen: list[int] = []

    def add() -> None:
        for i in range(60):
            adding.add([said(str(i), 5 + i / 100, text=f"eget {i}")])

    thread = threading.Thread(target=add)
    thread.start()
    while thread.is_alive():
        seen.append(sum(asked(archive, Where())[Signal.VOLUME]))
    thread.join()
    assert seen == sorted(seen)
    assert sum(asked(archive, Where())[Signal.VOLUME]) == 60
    adding.close()


# ------------------------------------------------------------------------------------------------ older files


def test_a_file_of_the_first_version_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as first_version:
        first_version.setattr(database, "MIGRATIONS", schema.MIGRATIONS[:1])
        first_version.setattr(hourly, "forget", lambda *_: None)
        old = open_archive(f"sqlite:///{path}")
        old.add([make_mention(str(i), published_at=NOON + i * HOUR, score=make_score()) for i in range(30)])
        old.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'hourly'").fetchall()
    connection.close()
    opened = open_archive(f"sqlite:///{path}")
    span = (NOON, NOON + 30 * HOUR)
    assert asked(opened, Where(brand="fjelltele"), *span) == afresh(path, Where(brand="fjelltele"), *span)
    assert asked(opened, Where(), *span)[Signal.VOLUME] == [1] * 30
    assert kept(path) == 60
    opened.close()
