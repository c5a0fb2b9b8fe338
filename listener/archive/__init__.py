"""The archive: where mentions are stored, searched and counted. `open_archive` chooses by the address."""

from pathlib import Path

from listener.archive.elastic import ElasticArchive
from listener.archive.journaled import JournaledArchive
from listener.archive.sqlite import SqliteArchive
from listener.errors import ConfigError
from listener.ports import Archive, Journal

__all__ = ["open_archive"]

_SQLITE = "sqlite:///"


def open_archive(url: str, *, journal: Journal | None = None, api_key: str = "") -> Archive:
    """`sqlite:///path` (relative) or `sqlite:////path` (absolute) → the archive in that file, made when missing.
    `http(s)://host:port` or `http(s)://host:port/prefix` → the archive in the Elasticsearch there, its indices named
    `prefix-mentions-…` (default: lyhord); it is not asked yet. With a journal it goes on while the server is away.

    Raises ConfigError for any other address, StoreError (StoreTooNew, StoreFull) for a file that cannot be used.
    """
    if url.startswith(("http://", "https://")):
        server = ElasticArchive(url, api_key=api_key)
        return JournaledArchive(server, journal) if journal is not None else server
    path = url.removeprefix(_SQLITE)
    if path == url or path in ("", ":memory:") or path.endswith("/"):
        raise ConfigError(
            f"archive {_without_password(url)!r}: want sqlite:///path/of/a/file.db or http(s)://host:port"
        )
    return SqliteArchive(Path(path))


def _without_password(url: str) -> str:
    """The address as it may be shown: what stands between // and @ is left out."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
