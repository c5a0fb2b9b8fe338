"""What this process wrote and a search may not show yet.

A server shows what was written after its next refresh (a second by default). To refresh after each batch would cost more than
the batch, so new mentions are remembered here until a refresh; edits and erasures are not, for they are rare: after one of
them the next look wants a refresh.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

MAX_REMEMBERED = 20_000
"""Mentions; then a refresh is due."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mention is, in which revision, and in which version of its document."""

    index: str
    revision: str
    seq_no: int = -1
    primary_term: int = -1

    @property
    def version(self) -> dict[str, int]:
        """As `documents.action` wants it."""
        return {"if_seq_no": self.seq_no, "if_primary_term": self.primary_term}


@dataclass(frozen=True, slots=True)
class Original:
    """A mention that copies may be of. Times in microseconds."""

    id: str
    stored: int
    published: int
    bands: tuple[int, ...]
    text: str = field(repr=False)


@dataclass(slots=True)
class _Layer:
    """Written between two refreshes."""

    has_changes: bool = False
    is_blurred: bool = False
    places: dict[str, Place] = field(default_factory=dict)
    originals: defaultdict[int, list[Original]] = field(default_factory=lambda: defaultdict(list))
    """By band."""


class Unseen:
    """Safe for several threads: what is written while a refresh runs waits for the next one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._layers = [_Layer(has_changes=True, is_blurred=True)]  # others may have written just before

    def remember(self, places: dict[str, Place], originals: Iterable[Original]) -> None:
        """New mentions, after they were stored."""
        with self._lock:
            newest = self._layers[-1]
            newest.has_changes = True
            newest.places.update(places)
            for original in originals:
                for band in original.bands:
                    newest.originals[band].append(original)

    def changed(self) -> None:
        """Something was written that adding need not know of: a read wants a refresh."""
        with self._lock:
            self._layers[-1].has_changes = True

    def blurred(self) -> None:
        """Something was written that is not remembered: adding wants a refresh, too."""
        with self._lock:
            self._layers[-1].has_changes = self._layers[-1].is_blurred = True

    def has_changes(self) -> bool:
        with self._lock:
            return any(layer.has_changes for layer in self._layers)

    def is_blurred(self) -> bool:
        with self._lock:
            remembered = sum(len(layer.places) for layer in self._layers)
            return remembered > MAX_REMEMBERED or any(layer.is_blurred for layer in self._layers)

    def places(self, ids: Sequence[str]) -> dict[str, Place]:
        with self._lock:
            return {id_: layer.places[id_] for layer in self._layers for id_ in ids if id_ in layer.places}

    def originals(self, bands: frozenset[int]) -> list[Original]:
        """Those that have one of the bands."""
        with self._lock:
            found = {
                original.id: original
                for layer in self._layers
                for band in bands & layer.originals.keys()
                for original in layer.originals[band]
            }
        return list(found.values())

    def refresh(self, refresh: Callable[[], object]) -> None:
        """`refresh` makes searchable what was written; only then is it forgotten here."""
        with self._lock:
            seen = list(self._layers)
            self._layers.append(_Layer())
        refresh()
        with self._lock:
            self._layers = [layer for layer in self._layers if not _is_in(layer, seen)]


def _is_in(layer: _Layer, layers: Iterable[_Layer]) -> bool:
    return any(layer is each for each in layers)
