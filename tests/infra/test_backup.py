"""What backup.sh wrote, restore.sh brings back, in a fresh place: a real PostgreSQL ledger, and a pair of SQLite files, compared
through the ports. What was erased after the backup stays erased."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from listener.archive import open_archive
from listener.ledger import SqlLedger, open_ledger
from listener.ports import Archive, Page, RunState, Tally, Where
from tests import databases
from tests.contract.archive_samples import ids, make_mention, make_score, score
from tests.contract.ledger_samples import HOUR, NOON, do, plan, queue

pytestmark = pytest.mark.server
SCRIPTS = Path(__file__).parents[2] / "infra" / "backup"
KEY = "0123456789abcdef" * 4
MENTIONS = ("kept", "deleted", "hers", "hers-too", "expired-before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One installation: a folder with its lyhord.toml, a ledger and an archive."""

    folder: Path
    ledger: str
    password: str = ""

    @property
    def archive(self) -> str:
        return f"sqlite:///{self.folder / 'data' / 'archive.db'}"

    @property
    def key(self) -> Path:
        return self.folder / "data" / "pseudonym.key"

    def write(self) -> "Place":
        """The file; a ledger beside it is the default."""
        self.key.parent.mkdir(parents=True)
        shown = make_url(self.ledger)
        address = (
            "" if shown.get_backend_name() == "sqlite" else shown._replace(password=None).render_as_string()
        )
        (self.folder / "lyhord.toml").write_text(f'[storage]\ndata = "data"\nledger = "{address}"\n')
        return self

    def open(self) -> tuple[SqlLedger, Archive]:
        return open_ledger(self.ledger), open_archive(self.archive)

    def run(self, script: str, *arguments: object, wanted: int = 0) -> str:
        """What the script says."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith("LYHORD_")}
        environment |= {"LYHORD_CONFIG": str(self.folder / "lyhord.toml"), "PYTHON": sys.executable}
        if self.password:
            environment["LYHORD_LEDGER_PASSWORD"] = self.password
        interpreter = [sys.executable] if script.endswith(".py") else ["bash"]
        command = [*interpreter, str(SCRIPTS / script), *map(str, arguments)]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, cwd=SCRIPTS.parents[1]
        )
        assert done.returncode == wanted, done.stdout + done.stderr
        return done.stdout + done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A backup was made of `old`, then more was erased there, and the tombstones were saved anew. `said` by backup.sh."""

    old: Place
    backup: Path
    keys: Path
    newest: Path
    said: str


@contextmanager
def new_place(kind: str, folder: Path) -> Iterator[Place]:
    if kind == "sqlite":
        yield Place(folder=folder, ledger=f"sqlite:///{folder / 'data' / 'ledger.db'}").write()
    else:
        with databases.database() as url:
            yield Place(folder=folder, ledger=url, password=str(make_url(url).password)).write()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    with new_place(request.param, folder / "old") as old:
        fill(old)
        said = old.run("backup.sh", "--key", folder / "keys", folder / "backups")
        backup = Path(re.findall(r"wrote (\S+lyhord-\S+)", said)[0])
        erase_more(old)
        old.run("tombstones.py", "save", folder / "newest.jsonl")
        yield Story(old=old, backup=backup, keys=folder / "keys", newest=folder / "newest.jsonl", said=said)


@pytest.fixture
def fresh(story: Story, tmp_path: Path) -> Iterator[Place]:
    with new_place("postgresql" if story.old.password else "sqlite", tmp_path / "new") as place:
        yield place


def fill(place: Place) -> None:
    ledger, archive = place.open()
    do(ledger, NOON, Tally(pages=3, posts=5, new=4, warnings=("odd",)))
    plan(ledger, slot=NOON + HOUR)
    ledger.frontier.save(
        [Page(source="s", url="https://forum.example/t/1", role="thread", marker="7", next_at=NOON)]
    )
    queue(ledger, "C1", "C2")
    ledger.note("cursor", "æøå \N{SNOWMAN}")
    ledger.tombstones.bury(ids=ids("expired-before"), reason="retention ended", now=NOON)
    authors = {"hers": "she", "hers-too": "she"}
    archive.add(
        [make_mention(name, author=authors.get(name, name), text=f"Om {name} igen") for name in MENTIONS]
    )
    score(archive, make_mention("kept", author="kept", text="Om kept igen"), make_score())
    archive.erase(ids("expired-before"))
    archive.close()
    ledger.close()
    place.key.write_text(KEY)


def erase_more(place: Place) -> None:
    """After the backup was made."""
    ledger, archive = place.open()
    ledger.tombstones.bury(ids=ids("deleted"), reason="deleted where it stood", now=NOON + HOUR)
    ledger.tombstones.bury(authors=["she"], reason="erased on request", now=NOON + HOUR)
    archive.erase(ids("deleted"))
    archive.erase_author("she")
    archive.close()
    ledger.close()


def test_everything_comes_back_but_what_was_erased(story: Story, fresh: Place) -> None:
    said = fresh.run("restore.sh", "--key", story.keys, story.backup, story.newest)
    assert "3 mentions were there again and are erased" in said
    was, there = story.old.open()
    ledger, archive = fresh.open()
    assert ledger.incidents.recent() == was.incidents.recent() != []
    assert ledger.outbox.of("i1") == was.outbox.of("i1") != []
    assert ledger.runs.latest("s", 9) == was.runs.latest("s", 9)
    assert [run.state for run in ledger.runs.latest("s", 9)] == [RunState.QUEUED, RunState.DONE]
    assert ledger.runs.state("s") == was.runs.state("s")
    assert ledger.frontier.due("s", NOON, 9) == was.frontier.due("s", NOON, 9) != []
    assert ledger.noted("cursor") == was.noted("cursor") != ""
    everything = {"ids": ids(*MENTIONS), "authors": ["she", "kept"]}
    assert ledger.tombstones.buried(**everything) == was.tombstones.buried(**everything)
    assert archive.search(Where()) == there.search(Where())
    assert [mention.id for mention in archive.search(Where())] == ids("kept")
    assert plan(ledger, slot=NOON + 2 * HOUR) > 2, "numbers go on where they were"
    assert fresh.key.read_text() == KEY
    for store in (was, there, ledger, archive):
        store.close()


def test_without_newer_tombstones_the_backups_own_hold(story: Story, fresh: Place) -> None:
    fresh.run("restore.sh", story.backup)
    ledger, archive = fresh.open()
    assert archive.total() == len(MENTIONS) - 1
    assert ledger.tombstones.buried(ids=ids("expired-before"), authors=[])[0]
    archive.close()
    ledger.close()


def test_a_backup_is_for_its_owner_only_and_holds_and_shows_no_secret(story: Story) -> None:
    for path in [story.backup, *story.backup.rglob("*"), *story.keys.rglob("*")]:
        assert not path.stat().st_mode & 0o077, path
    assert not any(KEY.encode() in path.read_bytes() for path in story.backup.iterdir())
    assert not story.old.password or f":{story.old.password}@" not in story.said


def test_nothing_is_overwritten(story: Story) -> None:
    assert "already" in story.old.run("restore.sh", story.backup, wanted=2)
    ledger, archive = story.old.open()
    assert archive.total() == 1
    assert ledger.noted("cursor")
    archive.close()
    ledger.close()


def test_a_damaged_backup_is_refused_before_anything_is_written(
    story: Story, fresh: Place, tmp_path: Path
) -> None:
    shutil.copytree(story.backup, tmp_path / "copy")
    victim = tmp_path / "copy" / "archive.db"
    damaged = bytearray(victim.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    victim.write_bytes(damaged)
    assert "damaged" in fresh.run("restore.sh", tmp_path / "copy", wanted=2)
    ledger, archive = fresh.open()
    assert (archive.total(), ledger.noted("cursor")) == (0, "")
    archive.close()
    ledger.close()


def test_a_key_that_is_left_out_is_said_and_a_bad_line_of_tombstones_named(tmp_path: Path) -> None:
    with new_place("sqlite", tmp_path / "it") as place:
        fill(place)
        said = place.run("backup.sh", tmp_path / "backups")
        assert "NOT saved" in said
        assert str(place.key) in said
        file = next((tmp_path / "backups").glob("*/tombstones.jsonl"))
        file.write_text(file.read_text() + '{"kind": "brand", "value": "x"}\n')
        assert f"{file}, line 2: cannot be read" in place.run("tombstones.py", "replay", file, wanted=2)
