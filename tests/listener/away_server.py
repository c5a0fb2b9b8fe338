"""A server that can go away: a SQLite archive, and what its network and its disk do to whoever asks it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from listener.archive.sqlite import SqliteArchive
from listener.errors import StoreAway, StoreRefused
from listener.incident import Incident
from listener.mention import Mention, Score
from listener.ports import Added, SourceReading


class AwayServer(SqliteArchive):
    """`is_away`: nothing can be asked. `is_read_only`: nothing can be written. `answers_lost`: what is written is done, but the
    answer does not arrive. `refuses`: {mention id: why}. `before`, `after`: called around each `add` with its mentions."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_away = self.is_read_only = self.answers_lost = False
        self.refuses: dict[str, str] = {}
        self.before: Callable[[Sequence[Mention]], None] = lambda _: None
        self.after: Callable[[Sequence[Mention]], None] = lambda _: None
        self.asked = 0
        self.published: list[Incident] = []
        self.settled = 0

    def reading(self) -> None:
        self.asked += 1
        if self.is_away:
            raise StoreAway("archive http://search.example: cannot be reached")

    def writing(self) -> None:
        self.reading()
        if self.is_read_only:
            raise StoreAway("archive http://search.example: takes no writes")

    def lost(self) -> None:
        if self.answers_lost:
            raise StoreAway("archive http://search.example: no answer in time")

    def add(self, mentions: Sequence[Mention]) -> Added:
        self.before(mentions)
        self.writing()
        added = super().add([mention for mention in mentions if mention.id not in self.refuses])
        self.after(mentions)
        self.lost()
        if reasons := {m.id: self.refuses[m.id] for m in mentions if m.id in self.refuses}:
            raise StoreRefused("some were refused", reasons)
        return added

    def save_scores(self, scores: Mapping[str, tuple[str, Score]]) -> int:
        self.writing()
        saved = super().save_scores(scores)
        self.lost()
        return saved

    def erase(self, mention_ids: Iterable[str]) -> int:
        self.writing()
        erased = super().erase(mention_ids)
        self.lost()
        return erased

    def erase_author(self, author: str) -> int:
        self.writing()
        return super().erase_author(author)

    def settle(self, limit: int = 1_000) -> int:
        self.writing()
        self.settled += 1
        return 0

    def publish(self, incidents: Sequence[Incident], readings: Sequence[SourceReading]) -> None:
        self.writing()
        self.published += incidents


def _asking(name: str) -> Callable[..., Any]:
    def ask(self: AwayServer, *args: Any, **kwargs: Any) -> Any:
        self.reading()
        return getattr(SqliteArchive, name)(self, *args, **kwargs)

    return ask


for _name in (
    "unscored",
    "outdated",
    "get",
    "search",
    "counts",
    "counts_by",
    "breakdown",
    "known_authors",
    "held",
    "ids_of_thread",
    "expired",
    "total",
):
    setattr(AwayServer, _name, _asking(_name))
