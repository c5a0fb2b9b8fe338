"""Every error that Lyhord raises on purpose.

* LyhordError
  x ConfigError      the operator must change something; never retried (exit code 2)
    x QueryError     a query cannot be read; points at the column
  x InvalidPost      a collector built a wrong post; counted and dropped
  x SourceError      a source refused or is away
  x StoreError       ledger or archive refused or is away
    x StoreTooNew    the database was written by a newer version
    x StoreFull      the disk is full
    x StoreAway      the server cannot be reached or is too busy; try again
    x StoreRefused   some mentions will never be taken as they are
  x NotifyError      Slack refused or is away
    x AmbiguousDelivery   Slack may or may not have accepted the message
"""

from collections.abc import Mapping


class LyhordError(Exception):
    """`permanent` tells the caller that a retry cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class ConfigError(LyhordError):
    """A setting is wrong. The message names the place, what was got and what is wanted."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class QueryError(ConfigError):
    """A query cannot be read. `column` counts characters from 1; `str()` shows the query with a mark under it."""

    def __init__(self, message: str, *, query: str, column: int) -> None:
        self.query, self.column, self.reason = query, column, message
        super().__init__(f"{message} (column {column})\n  {query}\n  {' ' * (column - 1)}^")


class InvalidPost(LyhordError):
    """A collector yielded something that is not a post."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class SourceError(LyhordError):
    """A source refused, is away, or answered what cannot be read. `retry_after` in seconds, when it said so."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message, permanent=permanent)
        self.retry_after = retry_after


class StoreError(LyhordError):
    """Ledger or archive refused or is away."""


class StoreTooNew(StoreError):
    """The database was written by a newer Lyhord; it is left untouched."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class StoreFull(StoreError):
    """The disk (or the database's size limit) is full; nothing of the batch was stored."""


class StoreAway(StoreError):
    """The server cannot be reached, is too busy, or takes no writes at the moment. Nothing is wrong with what was asked."""


class StoreRefused(StoreError):
    """The store took all but these: {mention id: why}, which it will never take as they are."""

    def __init__(self, message: str, reasons: Mapping[str, str]) -> None:
        super().__init__(message, permanent=True)
        self.reasons = dict(reasons)


class NotifyError(LyhordError):
    """Slack refused (permanent) or asked to wait (`retry_after`, seconds). The message was not accepted."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message, permanent=permanent)
        self.retry_after = retry_after


class AmbiguousDelivery(NotifyError):
    """No definite answer: the message may have been accepted. Look it up before posting again."""
