"""Which new mentions are copies, and of what. Reads the archive; decides in plain Python.

Only originals are looked up and compared with: a copy is a near-duplicate of its original. Two mentions are compared when
they were published within 14 days of each other, whichever came first; of several originals that are alike, the one that
was stored first is meant.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from listener.archive.rows import SECOND
from listener.fingerprint import bands, similar

WINDOW = 14 * 86_400 * SECOND
"""How far apart in time copies may be, in microseconds."""
PERIOD = 2 * WINDOW
"""Bands are kept by period: the window of a mention reaches into two of them at most."""
MAX_COMPARED = 20
"""Originals that a new mention is compared with, those that share most bands: a bound for hostile texts."""

_READ_AHEAD = 4
"""Originals per candidate whose words are read at once; what hostile texts want beyond that is read one by one."""

_LOOK_UP = """
    SELECT band.band, m.key, m.stored, m.published_at
    FROM json_each(?) wanted
    CROSS JOIN band ON band.period = ? AND band.band = wanted.value
    CROSS JOIN mention m ON m.key = band.key
"""


@dataclass(frozen=True, slots=True)
class Original:
    """A stored mention, or one that is about to be stored, that copies may be of."""

    stored: int
    key: int
    published_at: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new mention: its place in the archive, its words and their bands."""

    place: Original
    words: tuple[str, ...]
    bands: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """Originals that candidates may be copies of: by key, and their keys by band."""

    places: dict[int, Original]
    keys: defaultdict[int, list[int]]

    def add(self, place: Original, bands: Sequence[int]) -> None:
        self.places[place.key] = place
        for band in bands:
            self.keys[band].append(place.key)


def find_clusters(connection: sqlite3.Connection, candidates: Sequence[Candidate]) -> list[int]:
    """The key of each candidate's original (its own when it is no copy). `candidates` are in the order of storing."""
    known = _look_up(connection, candidates)
    words = dict(words_of(connection, islice(known.places, _READ_AHEAD * len(candidates))))
    words.update((candidate.place.key, candidate.words) for candidate in candidates)
    clusters = []
    for candidate in candidates:
        likely = _likely_originals(candidate, known)
        original = _first_alike(candidate, likely, words, connection) if likely else None
        if original is None:
            original = candidate.place.key
            known.add(candidate.place, candidate.bands)
        clusters.append(original)
    return clusters


def add_bands(connection: sqlite3.Connection, originals: Iterable[tuple[Original, Sequence[int]]]) -> None:
    connection.executemany("INSERT OR IGNORE INTO band VALUES (?, ?, ?)", sorted(_band_rows(originals)))


def remove_bands(connection: sqlite3.Connection, originals: Iterable[tuple[Original, Sequence[int]]]) -> None:
    connection.executemany(
        "DELETE FROM band WHERE period = ? AND band = ? AND key = ?", _band_rows(originals)
    )


def words_of(connection: sqlite3.Connection, keys: Iterable[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(key, words of the text as they were cut when it was stored) for stored mentions."""
    rows = connection.execute(
        "SELECT rowid, text FROM words WHERE rowid IN (SELECT value FROM json_each(?))",
        (json.dumps(list(keys)),),
    )
    return ((key, tuple(text.split())) for key, text in rows)


def stored_bands(connection: sqlite3.Connection, key: int) -> tuple[int, ...]:
    return bands(dict(words_of(connection, [key])).get(key, ()))


def _band_rows(originals: Iterable[tuple[Original, Sequence[int]]]) -> list[tuple[int, int, int]]:
    return [
        (original.published_at // PERIOD, band, original.key)
        for original, its_bands in originals
        for band in its_bands
    ]


def _look_up(connection: sqlite3.Connection, candidates: Sequence[Candidate]) -> _Known:
    """Stored originals by band: one query per period, whatever the number of candidates."""
    wanted: defaultdict[int, set[int]] = defaultdict(set)
    for candidate in candidates:
        at = candidate.place.published_at
        for period in {(at - WINDOW) // PERIOD, (at + WINDOW) // PERIOD}:
            wanted[period].update(candidate.bands)
    known = _Known({}, defaultdict(list))
    for period, its_bands in wanted.items():
        rows = connection.execute(_LOOK_UP, (json.dumps(sorted(its_bands)), period)).fetchall()
        known.places.update({key: Original(stored, key, at) for _, key, stored, at in rows})
        for band, key, _, _ in rows:
            known.keys[band].append(key)
    return known


def _likely_originals(candidate: Candidate, known: _Known) -> list[int]:
    """Keys of those that share a band and are near enough in time, at most MAX_COMPARED, the first stored first."""
    shared = [key for band in candidate.bands if band in known.keys for key in known.keys[band]]
    if not shared:
        return shared
    at, places = candidate.place.published_at, known.places
    likely = [key for key in set(shared) if abs(places[key].published_at - at) <= WINDOW]
    if len(likely) > MAX_COMPARED:
        times = Counter(shared)
        likely.sort(key=lambda key: (-times[key], places[key].stored))
    return sorted(likely[:MAX_COMPARED], key=lambda key: places[key].stored)


def _first_alike(
    candidate: Candidate,
    keys: Sequence[int],
    words: dict[int, tuple[str, ...]],
    connection: sqlite3.Connection,
) -> int | None:
    """The first of `keys` that is alike. `words` keeps what was read of them."""
    for key in keys:
        if key not in words:
            words.update(words_of(connection, [key]))
        if similar(candidate.words, words.get(key, ())):
            return key
    return None
