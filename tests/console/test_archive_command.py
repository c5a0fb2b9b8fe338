"""`lyhord archive`: copies between real archives, what was refused, and reindexing."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from console.cli import build
from console.commands import archive as command
from listener.archive import open_archive
from listener.archive.elastic import copying, template
from listener.archive.elastic.copying import Copied, copy
from listener.archive.elastic.names import Names
from listener.errors import ConfigError, StoreAway, StoreRefused
from listener.ledger import open_ledger
from listener.mention import Mention, Signal
from listener.ports import Added, Archive, Ledger, Where
from tests import services
from tests.contract.archive_samples import DAY, NOON, RELEASE, make_mention, make_score


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a new archive on Elasticsearch."""
    url = f"{services.elasticsearch()}/test-{secrets.token_hex(6)}"
    yield url
    names = Names.of(url)
    with template.connected(names) as client:
        template.drop(client, names)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.db'}")) as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Archive]:
    with closing(open_archive(f"sqlite:///{tmp_path / 'source.db'}")) as opened:
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Archive]:
    with closing(open_archive(f"sqlite:///{tmp_path / 'target.db'}")) as opened:
        yield opened


def quietly(done: int, total: int) -> None:
    """Says nothing."""


def some(count: int, **changes: Any) -> list[Mention]:
    """Over some days, each third with a score."""
    return [
        make_mention(
            str(n),
            published_at=NOON + n * timedelta(hours=7),
            score=make_score() if n % 3 == 0 else None,
            **changes,
        )
        for n in range(count)
    ]


def everything(archive: Archive) -> dict[str, Mention]:
    """By id, but for the clusters that each archive finds itself."""
    held = archive.search(Where(), limit=10_000)
    return {mention.id: replace(mention, cluster="", is_copy=False) for mention in held}


def test_a_copy_holds_the_same_with_scores_and_clusters(
    source: Archive, target: Archive, ledger: Ledger
) -> None:
    source.add(
        [*some(60), make_mention("a", text=RELEASE), make_mention("b", text=RELEASE, published_at=NOON + DAY)]
    )
    said: list[tuple[int, int]] = []
    done = copy(source, target, ledger, "copy", lambda at, total: said.append((at, total)))
    assert done == Copied(new=62, edited=0, known=0, buried=0, refused={}, missing=0, others=0, differing=())
    assert everything(target) == everything(source)
    assert len(target.search(Where(originals=True), limit=100)) == 61
    assert all(a <= b for a, b in pairwise(said))
    assert said[-1] == (124, 124)
    again = copy(source, target, ledger, "copy", quietly)
    assert (again.new, again.known, again.complete) == (0, 62, True)


def test_a_file_becomes_an_archive_on_a_server_and_comes_back(
    source: Archive, target: Archive, server: str, ledger: Ledger
) -> None:
    source.add(some(120))
    with closing(open_archive(server)) as between:
        assert copy(source, between, ledger, "there", quietly).complete
        assert everything(between) == everything(source)
        assert copy(between, target, ledger, "back", quietly).complete
    assert everything(target) == everything(source)


class Interrupted(BaseException):
    """As SIGKILL."""


class Watched:
    """An archive that does something at each `add`; else the archive itself."""

    def __init__(self, archive: Archive, before: Callable[[int, list[Mention]], None]) -> None:
        self.archive, self.before, self.adds = archive, before, 0

    def add(self, mentions: list[Mention]) -> Added:
        self.adds += 1
        self.before(self.adds, mentions)
        return self.archive.add(mentions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.archive, name)


def as_archive(watched: Any) -> Archive:
    """It is one, by what it hands through."""
    archive: Archive = watched
    return archive


@pytest.mark.parametrize("cause", [Interrupted(), StoreAway("away")])
def test_whoever_is_stopped_goes_on_with_the_day_where_it_was(
    cause: BaseException, source: Archive, target: Archive, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH", 2)
    source.add(some(60))

    def stop(adds: int, mentions: list[Mention]) -> None:
        if adds == 15:
            raise cause

    with pytest.raises(type(cause)):
        copy(source, as_archive(Watched(target, stop)), ledger, "copy", quietly)
    before = target.total()
    done = copy(source, target, ledger, "copy", quietly)
    assert done.complete
    assert done.new == 60 - before
    assert done.known < 4  # of the day that was not finished
    assert everything(target) == everything(source)


def test_what_was_erased_stays_erased(source: Archive, target: Archive, ledger: Ledger) -> None:
    """Before, and while it is copied: its own day had been copied already."""
    mentions = some(60)
    source.add(mentions)
    ledger.tombstones.bury(ids=[mentions[50].id], reason="erased", now=NOON)
    ledger.tombstones.bury(authors=[mentions[51].author], reason="erased", now=NOON)

    def erase(adds: int, batch: list[Mention]) -> None:
        if adds == 10:
            ledger.tombstones.bury(ids=[mentions[1].id], reason="erased", now=NOON)
            source.erase([mentions[1].id])

    done = copy(source, as_archive(Watched(target, erase)), ledger, "copy", quietly)
    gone = {mentions[n].id for n in (1, 50, 51)}
    assert not target.held(gone)
    assert target.total() == 57
    assert (done.buried, done.complete, done.others) == (2, True, 0)


def test_what_the_target_refuses_is_told_and_the_rest_is_stored(
    source: Archive, target: Archive, ledger: Ledger
) -> None:
    mentions = some(30)
    source.add(mentions)
    bad = mentions[7].id

    def refuse(adds: int, batch: list[Mention]) -> None:
        if bad in {mention.id for mention in batch}:
            raise StoreRefused("one was refused", {bad: "too long"})

    done = copy(source, as_archive(Watched(target, refuse)), ledger, "copy", quietly)
    assert done.refused == {bad: "too long"}
    assert (done.missing, done.complete, target.total()) == (1, False, 29)


def test_what_comes_meanwhile_is_missing_until_the_next_time(
    source: Archive, target: Archive, ledger: Ledger
) -> None:
    source.add(some(30))
    late = make_mention("late", published_at=NOON - 9 * DAY)

    def arrive(adds: int, batch: list[Mention]) -> None:
        source.add([late])

    done = copy(source, as_archive(Watched(target, arrive)), ledger, "copy", quietly)
    assert (done.missing, done.complete) == (1, False)
    assert copy(source, target, ledger, "copy", quietly).complete
    assert target.held([late.id])


def test_mentions_from_elsewhere_stay_and_are_counted(
    source: Archive, target: Archive, ledger: Ledger
) -> None:
    source.add(some(3))
    target.add([make_mention("other", published_at=NOON - 400 * DAY)])
    done = copy(source, target, ledger, "copy", quietly)
    assert (done.others, done.complete, target.total()) == (1, True, 4)


MOMENTS = st.sampled_from(
    [
        NOON,
        NOON + timedelta(microseconds=1),
        NOON + DAY,
        datetime.min.replace(tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
) | st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is `timezones`


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(times=st.lists(MOMENTS, max_size=40))
def test_every_mention_is_met_once_and_in_order_whatever_the_times(
    times: list[datetime], tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "LOT", 3)
    folder = tmp_path / secrets.token_hex(6)
    with (
        closing(open_archive(f"sqlite:///{folder / 'a.db'}")) as old,
        closing(open_archive(f"sqlite:///{folder / 'b.db'}")) as new,
    ):
        old.add([make_mention(str(n), published_at=at) for n, at in enumerate(times)])
        met: list[datetime] = []
        watched = Watched(new, lambda adds, batch: met.extend(mention.published_at for mention in batch))
        assert copy(old, as_archive(watched), ledger, "copy", quietly).complete
        assert met == sorted(times)
        assert everything(new) == everything(old)


# ------------------------------------------------------------------------------------------------ the command


def setting(folder: Path, archive: str = "") -> Path:
    path = folder / "lyhord.toml"
    path.write_text(f'[storage]\ndata = "data"\narchive = "{archive}"\n')
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.app, [str(each) for each in arguments], catch_exceptions=False)


def test_the_command_copies_and_says_how_to_use_it(tmp_path: Path, source: Archive, server: str) -> None:
    source.add(some(30))
    path, old = setting(tmp_path), f"sqlite:///{tmp_path / 'source.db'}"
    said = run("copy", old, server, "--config", path)
    assert said.exit_code == 0
    assert "30 mentions new" in said.stdout
    assert f'archive = "{server}"' in said.stdout
    told = json.loads(run("copy", old, server, "--json", "--config", path).stdout)
    assert (told["new"], told["known"], told["complete"]) == (0, 30, True)
    with closing(open_archive(server)) as copied:
        counts = copied.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON + 10 * DAY, bucket=10 * DAY)
        assert counts[Signal.VOLUME] == [30]


def test_bad_addresses_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    path, missing = setting(tmp_path), f"sqlite:///{tmp_path / 'mistyped.db'}"
    with pytest.raises(ConfigError, match="no such file"):
        run("copy", missing, "http://127.0.0.1:9", "--config", path)
    with pytest.raises(ConfigError, match="two archives"):
        run("copy", "http://127.0.0.1:9", "http://127.0.0.1:9", "--config", path)
    assert not (tmp_path / "mistyped.db").exists()


def test_refused_mentions_are_listed_without_their_text_and_tried_again(
    tmp_path: Path, ledger: Ledger
) -> None:
    path, mentions = setting(tmp_path), some(3)
    assert "refused nothing" in run("refused", "list", "--config", path).stdout
    ledger.journal.write(mentions, now=NOON)
    ledger.journal.refused({mentions[0].id: "strict: field [x]", mentions[1].id: "too long"})
    said = run("refused", "list", "--config", path).stdout
    assert mentions[0].id in said
    assert "too long" in said
    assert mentions[2].id not in said
    told = [
        json.loads(line) for line in run("refused", "list", "--json", "--config", path).stdout.splitlines()
    ]
    assert {each["id"]: each["why"] for each in told}[mentions[0].id] == "strict: field [x]"
    assert not any(mention.text in said or mention.text in str(told) for mention in mentions)
    assert json.loads(run("refused", "retry", mentions[0].id, "--json", "--config", path).stdout) == {
        "waiting": 1
    }
    assert "1 mention waits" in run("refused", "retry", "--config", path).stdout
    assert not ledger.journal.dead()


def test_every_refused_mention_is_listed(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_PAGE", 2)
    mentions = some(9)
    ledger.journal.write(mentions, now=NOON)
    ledger.journal.refused({mention.id: "no" for mention in mentions})
    assert len(run("refused", "list", "--json", "--config", setting(tmp_path)).stdout.splitlines()) == 9


def test_reindex_says_what_it_did(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, names = setting(tmp_path, server), Names.of(server)
    with closing(open_archive(server)) as opened:
        opened.add(some(5))
        before = everything(opened)
    assert "newest shape already" in run("reindex", "--config", path).stdout
    monkeypatch.setattr(template, "FALLBACK", "simple")
    assert f"Reindexed: {names.index(NOON)}." in run("reindex", "--config", path).stdout
    assert json.loads(run("reindex", "--json", "--config", path).stdout)["reindexed"] == []
    with closing(open_archive(server)) as opened:
        assert everything(opened) == before
        opened.add([make_mention("after")])
        assert opened.erase(before) == 5
        assert opened.total() == 1


def test_reindex_wants_a_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a file"):
        run("reindex", "--config", setting(tmp_path))


@pytest.mark.parametrize("words", [("copy",), ("reindex",), ("refused", "list"), ("refused", "retry")])
def test_help_shows_an_example(words: tuple[str, ...]) -> None:
    assert f"Example:  lyhord archive {' '.join(words)}" in run(*words, "--help").stdout


def test_the_command_line_knows_the_group() -> None:
    done = CliRunner().invoke(build(["archive"]), ["archive", "--help"])
    assert "reindex" in done.stdout
