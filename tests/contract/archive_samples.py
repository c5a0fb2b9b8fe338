"""Archives, mentions and scores for the tests of archives."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from listener.mention import Mention, Polarity, Reason, Score
from listener.ports import Archive, Where

KINDS = ("sqlite",)
"""Every archive that the contract holds together; `address` knows each."""

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
    assert kind == "sqlite"
    return f"sqlite:///{folder / 'archive.db'}"


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
