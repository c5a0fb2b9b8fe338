"""Storing mentions and scores in the SQLite archive. The functions want a connection in a writing transaction."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from listener.archive import hourly
from listener.archive.clustering import (
    Candidate,
    Original,
    add_bands,
    find_clusters,
    remove_bands,
    stored_bands,
)
from listener.archive.rows import (
    body_row,
    brands_json,
    first_key,
    flag_bits,
    mention_row,
    micros,
    score_row,
    theme_bits,
)
from listener.fingerprint import bands
from listener.mention import Mention, Score
from listener.ports import Added
from listener.text import Words, tokenise


@dataclass(frozen=True, slots=True)
class Held:
    """A stored mention that was read again, edited."""

    place: Original
    cluster: int
    revision: str


_NO_WORDS = Words((), frozenset())
_INSERT_MENTION = "INSERT INTO mention VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_BODY = "INSERT INTO body VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_WORDS = "INSERT INTO words (rowid, title, text, tags) VALUES (?, ?, ?, ?)"
_INSERT_SCORE = "INSERT INTO score VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE_SCORED = "UPDATE mention SET flags = ?, themes = ? WHERE id = ? AND revision = ?"
_REPLACE_SCORE = """
    INSERT OR REPLACE INTO score SELECT key, ?, ?, ?, ?, ?, ?, ? FROM mention WHERE id = ? AND revision = ?
"""


def add(connection: sqlite3.Connection, mentions: Sequence[Mention]) -> Added:
    """See `listener.ports.Archive.add`. Of an id that comes twice, the last counts."""
    latest = {mention.id: mention for mention in mentions}
    held = _held(connection, list(latest))
    new = [mention for mention in latest.values() if mention.id not in held]
    edited = [
        mention
        for mention in latest.values()
        if mention.id in held and held[mention.id].revision != mention.revision
    ]
    for mention in edited:
        _replace(connection, mention, held[mention.id])
    save_scores(connection, {m.id: (m.revision, m.score) for m in edited if m.score})
    _insert(connection, sorted(new, key=lambda mention: (mention.published_at, mention.id)))
    hourly.forget(connection, (micros(mention.published_at) for mention in new))
    hourly.forget(connection, (held[mention.id].place.published_at for mention in edited))
    changed = {mention.id for mention in edited}
    return Added(
        new=tuple(mention.id for mention in new),
        edited=tuple(mention.id for mention in edited),
        known=tuple(mention_id for mention_id in held if mention_id not in changed),
    )


def save_scores(connection: sqlite3.Connection, scores: Mapping[str, tuple[str, Score]]) -> int:
    """See `listener.ports.Archive.save_scores`."""
    saved = connection.executemany(
        _UPDATE_SCORED,
        [
            (flag_bits(score), theme_bits(score), mention_id, revision)
            for mention_id, (revision, score) in scores.items()
        ],
    ).rowcount
    connection.executemany(
        _REPLACE_SCORE,
        [(*score_row(score), mention_id, revision) for mention_id, (revision, score) in scores.items()],
    )
    published = connection.execute(
        "SELECT published_at FROM mention WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(scores)),),
    )
    hourly.forget(connection, [at for (at,) in published])
    return max(saved, 0)


def _held(connection: sqlite3.Connection, mention_ids: Sequence[str]) -> dict[str, Held]:
    rows = connection.execute(
        """
        SELECT id, stored, key, published_at, cluster, revision FROM mention
        WHERE id IN (SELECT value FROM json_each(?))
        """,
        (json.dumps(mention_ids),),
    )
    return {
        mention_id: Held(Original(stored, key, published_at), cluster, revision)
        for mention_id, stored, key, published_at, cluster, revision in rows
    }


def _insert(connection: sqlite3.Connection, new: Sequence[Mention]) -> None:
    """`new` are in the order of publication."""
    if not new:
        return
    words = [tokenise(mention.text) for mention in new]
    candidates = [
        Candidate(place, cut.words, bands(cut.words))
        for place, cut in zip(_places(connection, new), words, strict=True)
    ]
    clusters = find_clusters(connection, candidates)
    rows = list(zip(new, candidates, clusters, strict=True))
    connection.executemany(_INSERT_BODY, [body_row(mention, its.place.stored) for mention, its, _ in rows])
    connection.executemany(
        _INSERT_MENTION,
        sorted(
            mention_row(mention, its.place.key, its.place.stored, cluster, mention.revision)
            for mention, its, cluster in rows
        ),
    )
    connection.executemany(
        _INSERT_SCORE,
        sorted((its.place.key, *score_row(mention.score)) for mention, its, _ in rows if mention.score),
    )
    _add_brands(connection, ((mention, its.place.key) for mention, its, _ in rows))
    add_bands(connection, ((its.place, its.bands) for _, its, cluster in rows if cluster == its.place.key))
    indexed = [
        _words_row(mention, its.place.key, cut) for (mention, its, _), cut in zip(rows, words, strict=True)
    ]
    connection.executemany(
        _INSERT_WORDS, sorted(indexed)
    )  # FTS5 wants ascending keys, or it writes a segment for each


def _places(connection: sqlite3.Connection, new: Sequence[Mention]) -> list[Original]:
    """A free key and the next number for each."""
    wanted = [first_key(micros(mention.published_at), mention.id) for mention in new]
    numbered: int = connection.execute("SELECT coalesce(max(stored), 0) FROM body").fetchone()[0]
    occupied = _occupied(connection, wanted)
    places = []
    for stored, (mention, key) in enumerate(zip(new, wanted, strict=True), start=numbered + 1):
        while key in occupied:
            key += 1
            if key not in occupied:
                occupied |= _occupied(connection, [key])
        occupied.add(key)
        places.append(Original(stored, key, micros(mention.published_at)))
    return places


def _occupied(connection: sqlite3.Connection, keys: Sequence[int]) -> set[int]:
    return {
        key
        for (key,) in connection.execute(
            "SELECT key FROM mention WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
        )
    }


def _replace(connection: sqlite3.Connection, mention: Mention, held: Held) -> None:
    """An edited mention: new words, no score, the old cluster. An original is looked up by its new words from now on."""
    cut, place = tokenise(mention.text), held.place
    if held.cluster == place.key:
        remove_bands(connection, [(place, stored_bands(connection, place.key))])
        add_bands(connection, [(place, bands(cut.words))])
    remove_brands(connection, [place.key])
    connection.execute("DELETE FROM score WHERE key = ?", (place.key,))
    connection.execute(
        "UPDATE mention SET revision = ?, language = ?, flags = NULL, themes = 0 WHERE key = ?",
        (mention.revision, mention.language, place.key),
    )
    connection.execute(
        "UPDATE body SET title = ?, text = ?, brands = ? WHERE stored = ?",
        (mention.title, mention.text, brands_json(mention.brands), place.stored),
    )
    _add_brands(connection, [(mention, place.key)])
    connection.execute("DELETE FROM words WHERE rowid = ?", (place.key,))
    connection.execute(_INSERT_WORDS, _words_row(mention, place.key, cut))


def remove_brands(connection: sqlite3.Connection, keys: Iterable[int]) -> None:
    connection.executemany(
        """
        DELETE FROM brand WHERE key = ?1 AND brand IN (
            SELECT value FROM json_each((SELECT brands FROM mention m JOIN body USING (stored) WHERE m.key = ?1))
        )
        """,
        [(key,) for key in keys],
    )


def _add_brands(connection: sqlite3.Connection, mentions: Iterable[tuple[Mention, int]]) -> None:
    rows = {(brand, key) for mention, key in mentions for brand in mention.brands}
    connection.executemany("INSERT INTO brand VALUES (?, ?)", sorted(rows))


def _words_row(mention: Mention, key: int, text: Words) -> tuple[int, str, str, str]:
    title = tokenise(mention.title) if mention.title else _NO_WORDS
    return key, " ".join(title.words), " ".join(text.words), " ".join(sorted(title.tags | text.tags))
