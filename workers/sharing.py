"""What the processes of one worker share, whether its pool is threads or children made by fork: a flag, and the places for
crawls. Both are made before the children are."""

import fcntl
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SharedFlag(threading.Event):
    """An event that is seen by children forked since it was made. Setting it takes no lock, so a signal handler may, and a child
    that is killed leaves none behind. `wait` is this process's own."""

    def __init__(self) -> None:
        super().__init__()
        self._byte = mmap.mmap(-1, 1)

    def is_set(self) -> bool:
        return self._byte[0] != 0

    def set(self) -> None:
        self._byte[0] = 1

    def clear(self) -> None:
        self._byte[0] = 0


class Places:
    """At most `number` holders at once among threads and children. A place is a locked file: whoever holds one and is killed
    gives it back."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._folder = tempfile.TemporaryDirectory(prefix="lyhord-places-")

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """True while one is held; False, at once, when all are."""
        lock = self._take()
        try:
            yield lock is not None
        finally:
            if lock is not None:
                os.close(lock)

    def _take(self) -> int | None:
        for number in range(self.number):
            # Opened anew each time: a lock belongs to an opening of the file, not to a process.
            lock = os.open(Path(self._folder.name) / str(number), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return lock
        return None
