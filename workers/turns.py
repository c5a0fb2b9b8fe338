"""Who does what when several processes could: notes in the ledger that save work. Nothing here is locked. Two that look at the
same instant may do the same work twice, which every stage allows; that is rare, and this keeps it so."""

import json
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta

from workers.vitals import Notes

SEAT = timedelta(seconds=15)
"""How long a process that was killed is still counted among those that share a stage's work."""


def once_a_tick(notes: Notes, name: str, every: int, work: Callable[[], None], now: datetime) -> None:
    """Do `work` unless it was done within most of the last `every` seconds: then this tick is a second scheduler's. `every` 0: no
    tick, so it is done. A tick whose process is killed leaves no trace, so that it can be done again."""
    key = f"tick:{name}"
    said = notes.noted(key) if every else ""
    # A time that lies ahead is the trace of a clock that was wrong.
    if said and timedelta(0) <= now - datetime.fromisoformat(said) < timedelta(seconds=0.8 * every):
        return
    work()
    if every:
        notes.note(key, now.isoformat())


class Table:
    """Where the processes that share a stage's work sit: a note {process: [until, the last that it has taken]}."""

    def __init__(self, notes: Notes, stage: str, clock: Callable[[], datetime]) -> None:
        self._notes, self._key, self._clock = notes, f"table:{stage}", clock
        self._me = f"{socket.gethostname()}:{os.getpid()}"
        self.seats: dict[str, tuple[str, str]] = {}

    @property
    def first(self) -> bool:
        """Are we the one of whom one is enough?"""
        return self._me == min(self.seats)

    def sit(self) -> bool:
        """Take a seat, or keep it; true when we had none."""
        known = self._me in self._look()
        self._write("")
        return not known

    def taken_by_others(self) -> list[str]:
        return [last for who, (_, last) in self.seats.items() if who != self._me and last]

    def take(self, last: str) -> bool:
        """Take what ends with `last`; false when another did at the same time: look again then."""
        self._look()
        self._write(last)
        same = [who for who, (_, theirs) in self._look().items() if theirs == last]
        return min(same, default=self._me) == self._me

    def leave(self) -> None:
        if self._look().pop(self._me, None):
            self._notes.note(self._key, json.dumps(self.seats) if self.seats else "")

    def _look(self) -> dict[str, tuple[str, str]]:
        now = self._clock()
        said: dict[str, tuple[str, str]] = json.loads(self._notes.noted(self._key) or "{}")
        self.seats = {
            who: (until, last)
            for who, (until, last) in said.items()
            if now < datetime.fromisoformat(until) <= now + SEAT
        }
        return self.seats

    def _write(self, last: str) -> None:
        self.seats[self._me] = ((self._clock() + SEAT).isoformat(), last)
        self._notes.note(self._key, json.dumps(self.seats))
