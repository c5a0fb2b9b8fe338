"""The contract of a source kind: what a collector is given, what it does, and what it reports.

A kind is one file, `spiders/sources/<kind>.py`, that ends in `COLLECTOR = <instance>`;
`spiders.registry` finds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pydantic import TypeAdapter, ValidationError

from listener.config import Source
from listener.errors import ConfigError, InvalidPost
from listener.ports import Batch, Frontier, Sink, Tally
from listener.post import Post

MAX_WARNINGS = 20
"""Different warnings kept per run; further ones are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one reading of one source is given. `frontier` is only read: pages and notes go through
    `sink` in a Batch."""

    source: Source
    frontier: Frontier
    noted: Callable[[str], str]
    """A remembered value, "" when there is none; values to remember go through `Batch.notes`."""
    held: Callable[[str], frozenset[str]]
    """Thread → ids (`listener.post.post_id`) of this source's mentions that the archive holds of it."""
    sink: Sink
    now: datetime
    """Start of this run, UTC."""
    recheck: bool
    """Read again everything that is known, for edits and deletions."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """For API collectors, for example {"reddit_client_id": "…"}."""


class Collector(Protocol):
    """One kind of source. `options` is a frozen dataclass with defaults, see `read_options`."""

    kind: ClassVar[str]
    options: ClassVar[type]

    def collect(self, context: Context) -> Tally:
        """Read the source once. Raises SourceError or ConfigError only for what ends the whole run."""
        ...


def read_options(options: type, source: Source) -> Any:
    """`source.options` as an instance of the dataclass `options`: no unknown key, no value of another type.

    Raises ConfigError naming source, key, what was got and what is wanted.
    """
    known = sorted(getattr(options, "__dataclass_fields__", {}))
    place = f"source {source.id!r}, options"
    if unknown := sorted(set(source.options) - set(known)):
        raise ConfigError(
            f"{place}: got unknown key {unknown[0]!r}; {source.kind} knows {', '.join(known) or 'none'}"
        )
    try:
        return TypeAdapter(options).validate_python(dict(source.options))
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{place}.{key}: got {first['input']!r:.80}; {first['msg']}") from e


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run has done so far; becomes a Tally at its end."""

    pages: int = 0
    unchanged_pages: int = 0
    posts: int = 0
    invalid: int = 0
    newest_post_at: datetime | None = None
    warnings: dict[str, int] = field(default_factory=dict)
    """Words → how often."""
    more_warnings: int = 0
    error: str = ""
    permanent: bool = False
    retry_after: float | None = None

    def warn(self, words: str) -> None:
        """Something is odd but the run goes on."""
        if words in self.warnings or len(self.warnings) < MAX_WARNINGS:
            self.warnings[words] = self.warnings.get(words, 0) + 1
        else:
            self.more_warnings += 1

    def fail(self, words: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        """The run ends here; the first reason stays."""
        if not self.error:
            self.error, self.permanent, self.retry_after = words, permanent, retry_after

    def post(self, **values: Any) -> Post | None:
        """A Post, or None (counted) when the values do not make one: one bad post does not cost its page."""
        try:
            return Post(**values)
        except InvalidPost:
            self.invalid += 1
            return None

    def stored(self, batch: Batch) -> None:
        """Count a batch that the sink has taken."""
        self.posts += len(batch.posts)
        newest = [post.published_at for post in batch.posts]
        self.newest_post_at = max([*newest, *filter(None, [self.newest_post_at])], default=None)

    def tally(self) -> Tally:
        warnings = [
            words if times == 1 else f"{words} ({times} times)" for words, times in self.warnings.items()
        ]
        if self.more_warnings:
            warnings.append(f"{self.more_warnings} more warnings")
        return Tally(
            pages=self.pages,
            unchanged_pages=self.unchanged_pages,
            posts=self.posts,
            invalid=self.invalid,
            newest_post_at=self.newest_post_at,
            warnings=tuple(warnings),
            error=self.error,
            permanent=self.permanent,
            retry_after=self.retry_after,
        )
