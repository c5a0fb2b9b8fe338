"""The archive: where mentions are stored, searched and counted. `open_archive` chooses by the address."""

from pathlib import Path

from listener.archive.sqlite import SqliteArchive
from listener.errors import ConfigError
from listener.ports import Archive

__all__ = ["open_archive"]

_SQLITE = "sqlite:///"


def open_archive(url: str) -> Archive:
    """`sqlite:///path` (relative) or `sqlite:////path` (absolute) → the archive in that file, made when missing.

    Raises ConfigError for any other address, StoreError (StoreTooNew, StoreFull) for a file that cannot be used.
    """
    path = url.removeprefix(_SQLITE)
    if path == url or path in ("", ":memory:") or path.endswith("/"):
        raise ConfigError(f"archive {_without_password(url)!r}: want sqlite:///path/of/a/file.db")
    return SqliteArchive(Path(path))


def _without_password(url: str) -> str:
    """The address as it may be shown: what stands between // and @ is left out."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
