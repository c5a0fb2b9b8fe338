"""How an archive's indices are called on its server. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from listener.errors import ConfigError

DEFAULT_PREFIX = "lyhord"
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_RESERVED = frozenset({"mentions", "reindexed"})
"""Not between the hyphens of a prefix: `a-mentions-b` would have indices that the pattern of `a` takes for its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Of one archive; build it with `of`. `address`: the server's, without path or login; several archives may share a server,
    each under a prefix of its own."""

    address: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> "Names":
        """`http(s)://host:port` or `http(s)://host:port/prefix`. Raises ConfigError."""
        shown = _without_login(url)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("http", "https") or not host or not port or parts.query or parts.fragment:
            raise ConfigError(
                f"archive {shown!r}: want http(s)://host:port or http(s)://host:port/prefix, such as http://127.0.0.1:9200"
            )
        if parts.username or parts.password:
            raise ConfigError(
                f"archive {shown!r}: stood there with a login; want an API key in LYHORD_ARCHIVE_API_KEY"
            )
        prefix = parts.path.strip("/") or DEFAULT_PREFIX
        if not _PREFIX.fullmatch(prefix) or _RESERVED & set(prefix.split("-")):
            raise ConfigError(
                f"archive {shown!r}: got the prefix {prefix!r}, want up to 64 lower-case letters, digits and -, "
                f"without the words {' and '.join(sorted(_RESERVED))}"
            )
        return cls(address=f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}", prefix=prefix)

    @property
    def alias(self) -> str:
        """Every mention of the archive."""
        return f"{self.prefix}-mentions"

    @property
    def pattern(self) -> str:
        """What every month is called; also one that was reindexed, for then its name is an alias."""
        return f"{self.prefix}-mentions-*"

    @property
    def template(self) -> str:
        return self.alias

    @property
    def incidents(self) -> str:
        return f"{self.prefix}-incidents"

    @property
    def sources(self) -> str:
        return f"{self.prefix}-sources"

    def index(self, published_at: datetime) -> str:
        """Where a mention published then is written: by its month in UTC."""
        try:
            at = published_at.astimezone(UTC)
        except OverflowError:  # in the first or last hours of time
            at = published_at
        return f"{self.alias}-{at.year:04}.{at.month:02}"

    def reindexed(self, index: str) -> str:
        """The real name that an index has after its next reindexing. It lies outside every pattern, so that nobody finds half a
        copy beside the original."""
        number = int(found[2]) + 1 if (found := self._parts(index)) else 2
        return f"{self.prefix}-reindexed-{self.known_as(index).removeprefix(f'{self.prefix}-')}-{number}"

    def known_as(self, index: str) -> str:
        """The lasting name of an index, by which it is written to, from the real one that hits carry: they differ once it was
        reindexed."""
        found = self._parts(index)
        return f"{self.prefix}-{found[1]}" if found else index

    @property
    def all_reindexed(self) -> str:
        """A pattern."""
        return f"{self.prefix}-reindexed-*"

    def _parts(self, index: str) -> re.Match[str] | None:
        return re.fullmatch(rf"{self.prefix}-reindexed-(.+)-(\d+)", index)


def _without_login(url: str) -> str:
    """The address as it may be shown."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
