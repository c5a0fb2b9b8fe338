"""Addresses that others wrote: only plain web addresses become links. Pure."""

from urllib.parse import urlsplit


def safe_link(url: str) -> str:
    """The address when it is http(s) with a host and no spaces or control characters, else ""."""
    if any(char.isspace() or not char.isprintable() for char in url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.hostname else ""
