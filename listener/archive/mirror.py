"""What a journal knows, as an archive: a SQLite file that lives as long as the server is away."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from listener.archive.sqlite import SqliteArchive
from listener.errors import StoreError
from listener.mention import Mention
from listener.ports import Added, Archive, Entry, EntryState, Journal

_BATCH = 500
_PREFIX = "lyhord-away-"


class Mirror:
    """Brought up to date at each use, from what was written to the journal since the last. One thread at a time. Its file is only
    for its owner, and is deleted by `close`; what a killed process left behind, the next one deletes."""

    def __init__(self, journal: Journal, folder: Path | None = None) -> None:
        self._journal = journal
        self._parent = Path(folder or tempfile.gettempdir())
        self._lock = RLock()
        self._archive: SqliteArchive | None = None
        self._folder: Path | None = None
        self._guard = -1
        self._number = 0
        self._ids: set[str] = set()

    @contextmanager
    def archive(self) -> Iterator[Archive]:
        """Raises StoreError."""
        with self._lock:
            if self._archive is None:
                self._archive = self._open()
            self._refresh(self._archive)
            yield self._archive

    def forget(self) -> None:
        """Make sure that what was erased from the journal is not here, either."""
        with self._lock:
            if self._archive is not None:
                self._refresh(self._archive)

    def close(self) -> None:
        """May be used again afterwards, and then begins anew."""
        with self._lock:
            if self._archive is not None:
                self._archive.close()
                self._archive = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                os.close(self._guard)
                self._folder = None
            self._number, self._ids = 0, set()

    def _open(self) -> SqliteArchive:
        try:
            _remove_forsaken(self._parent)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
            self._guard = _guarded(self._folder)
        except OSError as error:
            raise StoreError(
                f"folder {self._parent}: {error.strerror}: want one in which a file can be made while the archive's "
                "server is away"
            ) from error
        return SqliteArchive(self._folder / "archive.db")

    def _refresh(self, archive: SqliteArchive) -> None:
        while entries := self._journal.since(self._number, _BATCH):
            self._take(archive, entries)
            self._number = entries[-1].number
        counts = self._journal.counts()
        if counts[EntryState.WAITING] + counts[EntryState.STORED] != len(self._ids):
            self._erase(archive, self._ids - self._journal.held(self._ids))

    def _take(self, archive: SqliteArchive, entries: Sequence[Entry]) -> None:
        mentions = [entry.mention for entry in entries if entry.state is not EntryState.REFUSED]
        bring(archive, mentions)
        self._ids.update(mention.id for mention in mentions)
        refused = {entry.mention.id for entry in entries if entry.state is EntryState.REFUSED}
        self._erase(archive, self._ids & refused)

    def _erase(self, archive: SqliteArchive, gone: set[str]) -> None:
        if gone:
            archive.erase(gone)
            self._ids -= gone


def bring(archive: Archive, mentions: Sequence[Mention]) -> Added:
    """Add mentions; and what was held without the score that a mention has, has it now."""
    added = archive.add(mentions)
    known = frozenset(added.known)
    late = {m.id: (m.revision, m.score) for m in mentions if m.score and m.id in known}
    if late:
        archive.save_scores(late)
    return added


def _guarded(folder: Path) -> int:
    """An open file that is locked as long as this process lives."""
    guard = os.open(folder / "guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return guard


def _remove_forsaken(parent: Path) -> None:
    """Folders whose process was killed: they hold what people wrote."""
    for guard_file in parent.glob(f"{_PREFIX}*/guard"):
        try:
            guard = os.open(guard_file, os.O_RDWR)
        except OSError:
            continue  # another user's, or just removed
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(guard_file.parent, ignore_errors=True)
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(guard)
