"""Which new mentions are copies, and of what. Reads the archive; decides in plain Python.

Only originals are looked up and compared with: a copy is a near-duplicate of its original. Two mentions are compared when
they were published within 14 days of each other, whichever came first; of several originals that are alike, the one that
was stored first is meant.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from listener.archive.rows import SECOND
from listener.fingerprint import bands, similar

WINDOW = 14 * 86_400 * SECOND
"""How far apart in time copies may be, in microseconds."""
PERIOD = 2 * WINDOW
"""Bands are kept by period: the window of a mention reaches into two of them at most."""
MAX_COMPARED = 20
"""Originals that a new mention is compared with, those that share most bands: a bound for hostile texts."""

_LOOK_UP = """
    SELECT band.band, m.stored, m.key, m.published_at
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


def find_clusters(connection: sqlite3.Connection, candidates: Sequence[Candidate]) -> list[int]:
    """The key of each candidate's original (its own when it is no copy). `candidates` are in the order of storing."""
    known = _look_up(connection, candidates)
    words = {candidate.place.key: candidate.words for candidate in candidates}
    clusters = []
    for candidate in candidates:
        original = _original_of(candidate, known, words, connection)
        if original is None:
            original = candidate.place
            for band in candidate.bands:
                known[band].append(original)
        clusters.append(original.key)
    return clusters


def add_bands(connection: sqlite3.Connection, originals: Iterable[tuple[Original, Sequence[int]]]) -> None:
    connection.executemany("INSERT OR IGNORE INTO band VALUES (?, ?, ?)", sorted(_band_rows(originals)))


def remove_bands(connection: sqlite3.Connection, originals: Iterable[tuple[Original, Sequence[int]]]) -> None:
    connection.executemany(
        "DELETE FROM band WHERE period = ? AND band = ? AND key = ?", _band_rows(originals)
    )


def stored_words(connection: sqlite3.Connection, key: int) -> tuple[str, ...]:
    """The words of a stored mention's text, as they were cut when it was stored."""
    row = connection.execute("SELECT text FROM words WHERE rowid = ?", (key,)).fetchone()
    return tuple(row[0].split()) if row else ()


def stored_bands(connection: sqlite3.Connection, key: int) -> tuple[int, ...]:
    return bands(stored_words(connection, key))


def _band_rows(originals: Iterable[tuple[Original, Sequence[int]]]) -> list[tuple[int, int, int]]:
    return [
        (original.published_at // PERIOD, band, original.key)
        for original, its_bands in originals
        for band in its_bands
    ]


def _look_up(
    connection: sqlite3.Connection, candidates: Sequence[Candidate]
) -> defaultdict[int, list[Original]]:
    """Stored originals by band: one query per period, whatever the number of candidates."""
    wanted: dict[int, set[int]] = defaultdict(set)
    for candidate in candidates:
        at = candidate.place.published_at
        for period in {(at - WINDOW) // PERIOD, (at + WINDOW) // PERIOD}:
            wanted[period].update(candidate.bands)
    known: defaultdict[int, list[Original]] = defaultdict(list)
    for period, its_bands in wanted.items():
        for band, stored, key, published_at in connection.execute(
            _LOOK_UP, (json.dumps(sorted(its_bands)), period)
        ):
            known[band].append(Original(stored, key, published_at))
    return known


def _original_of(
    candidate: Candidate,
    known: defaultdict[int, list[Original]],
    words: dict[int, tuple[str, ...]],
    connection: sqlite3.Connection,
) -> Original | None:
    """The first stored of those originals that are alike. `words` keeps what was read of them."""
    at = candidate.place.published_at
    shared: dict[int, int] = {}
    found: dict[int, Original] = {}
    for band in candidate.bands:
        for original in known.get(band, ()):
            if abs(original.published_at - at) <= WINDOW:
                shared[original.key] = shared.get(original.key, 0) + 1
                found[original.key] = original
    likely = sorted(found.values(), key=lambda original: (-shared[original.key], original.stored))[
        :MAX_COMPARED
    ]
    for original in sorted(likely, key=lambda original: original.stored):
        if original.key not in words:
            words[original.key] = stored_words(connection, original.key)
        if similar(candidate.words, words[original.key]):
            return original
    return None
