"""Archives, mentions and scores for the tests of archives."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from listener.archive import open_archive
from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.archive.journaled import JournaledArchive
from listener.ledger import open_ledger
from listener.mention import Mention, Polarity, Reason, Score
from listener.ports import Archive, Where
from tests import services

KINDS = ("sqlite", "elasticsearch", "journaled")
"""Every archive that the contract holds together; `address`, `open_kind` and `drop` know each."""

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RELEASE = (
    "Fjelltele bygger ut det mobila nätet i hela Norrland under året och lovar att kunderna ska märka bättre täckning "
    "redan före sommaren, säger bolagets tekniska chef i ett pressmeddelande på måndagen"
)
EDITED_RELEASE = RELEASE.replace("på måndagen", "i går")


def address(kind: str, folder: Path) -> str:
    """Of a new archive."""
    if kind == "elasticsearch":
        return f"{services.elasticsearch()}/test-{secrets.token_hex(5)}"
    return f"sqlite:///{folder / 'archive.db'}"


def open_kind(kind: str, url: str) -> Archive:
    """The one place where the contract opens an archive."""
    return _Journaled(url) if kind == "journaled" else open_archive(url)


class _Journaled(JournaledArchive):
    """Before a file that plays the server; its journal is that of the ledger beside it."""

    def __init__(self, url: str) -> None:
        self._ledger = open_ledger(url.replace("archive.db", "ledger.db"))
        super().__init__(open_archive(url), self._ledger.journal, clock=lambda: NOON + HOUR)

    def close(self) -> None:
        super().close()
        self._ledger.close()


def drop(url: str) -> None:
    """What an archive leaves on a server; a file goes with its folder."""
    if url.startswith("http"):
        names = Names.of(url)
        with Elasticsearch(names.address) as client:
            template.drop(client, names)


@contextmanager
def new_address(kind: str, folder: Path) -> Iterator[str]:
    """Of an archive that is gone afterwards."""
    url = address(kind, folder)
    try:
        yield url
    finally:
        drop(url)


@contextmanager
def new_archive(kind: str, folder: Path) -> Iterator[Archive]:
    with new_address(kind, folder) as url:
        archive = open_kind(kind, url)
        try:
            yield archive
        finally:
            archive.close()


def identity(name: str) -> str:
    """32 hex digits for a readable name."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def ids(*names: str) -> list[str]:
    return [identity(name) for name in names]


def make_mention(name: str = "1", **changes: Any) -> Mention:
    """A mention whose id, author and text follow from `name`."""
    values: dict[str, Any] = {
        "id": identity(name),
        "source": "forum-a",
        "kind": "discourse",
        "channel": "forum",
        "owned": False,
        "url": "https://forum.example.se/t/1",
        "author": f"author{name}",
        "title": "Någon mer?",
        "text": f"Nätet ligger nere igen {name}",
        "language": "sv",
        "brands": ("fjelltele",),
        "published_at": NOON,
        "fetched_at": NOON + HOUR,
        "retention_until": NOON + timedelta(days=90),
    }
    return Mention(**(values | changes))


def make_score(**changes: Any) -> Score:
    values: dict[str, Any] = {
        "language": "sv",
        "sentiment": -0.5,
        "anxiety": 0.75,
        "complaint": 0.25,
        "is_anxious": True,
        "is_complaint": False,
        "polarity": Polarity.NEGATIVE,
        "themes": ("price", "availability"),
        "why": (Reason("anxiety", "orolig", 1.5),),
        "model": "words-1",
    }
    return Score(**(values | changes))


def score(archive: Archive, mention: Mention, value: Score) -> None:
    assert archive.save_scores({mention.id: (mention.revision, value)}) == 1


def found(archive: Archive, where: Where) -> set[str]:
    return {mention.id for mention in archive.search(where, limit=10_000)}
