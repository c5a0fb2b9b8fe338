"""The one guard that every fetcher passes on its way out: which addresses may be called, checked once and
then kept.

A name is looked up once, every address it has must be public, and connections go to those very addresses:
there is no second look-up that could give another answer. Redirects pass the guard like any other request.
A source with `allow_private` may reach a private address, but only its own host and port.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from zope.interface import implementer

from listener.errors import SourceError

PORTS = {"http": 80, "https": 443}
GUARD_SETTING = "LYHORD_GUARD"
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Ranges that are not public although `is_global` may say so, or that carry an IPv4 address inside
(IANA special-purpose address registries)."""

Lookup = Callable[[str], Sequence[str]]
"""Name → addresses as text. Raises OSError."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def system_lookup(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Reachable for everybody: not ours, not the network's, not the machine's."""
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in NOT_PUBLIC)
    )


def is_private(address: Address) -> bool:
    """Loopback or a private network. Link-local addresses (where clouds keep their metadata) are neither."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_loopback or address in ipaddress.ip_network("fc00::/7")
    return address.is_loopback or any(address in ipaddress.ip_network(net) for net in _RFC1918)


_RFC1918 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


class Guard:
    """What one source may call. `address` is the source's own; only its host may use its port, and, with
    `allow_private`, be private. Every refusal is a SourceError that names the host and the reason."""

    def __init__(
        self, *, address: str = "", allow_private: bool = False, lookup: Lookup = system_lookup
    ) -> None:
        own = urlsplit(address)
        self._own_host = normal_host(own.hostname or "")
        self._own_port = _port(address)
        self._allow_private = allow_private
        self._lookup = lookup
        self._pinned: dict[str, list[str]] = {}

    def check_url(self, url: str) -> str:
        """The url's host, when its form is allowed: http(s), usual port, no credentials. Looks nothing up."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS:
            raise _refusal(url[:80], f"is a {parts.scheme or 'nameless'} address; want http or https")
        if not parts.hostname:
            raise _refusal(url[:80], "names no host")
        host, port = normal_host(parts.hostname), _port(url)
        if "@" in parts.netloc:
            raise _refusal(host, "the address carries a user name or password; leave them out")
        own = host == self._own_host and port == self._own_port
        if port != PORTS[parts.scheme] and not own:
            raise _refusal(host, f"port {port}; want 80, 443 or the port of the source's own address")
        if not own and self._allow_private and host == self._own_host:
            self._refuse_private(host, self.resolve(host))
        return host

    def resolve(self, host: str) -> list[str]:
        """The host's addresses, looked up once and kept. SourceError unless every one may be called."""
        host = normal_host(host)
        if host not in self._pinned:
            try:
                addresses = list(self._lookup(host))
            except (OSError, UnicodeError) as e:
                raise SourceError(
                    f"{host}: no such host was found; is the name right, and the network up?"
                ) from e
            self._check(host, addresses)
            self._pinned[host] = addresses
        return self._pinned[host]

    def pinned(self, host: str) -> list[str]:
        """Addresses that `resolve` has approved; empty for a host that it was never asked about."""
        return self._pinned.get(normal_host(host), [])

    def _check(self, host: str, addresses: Sequence[str]) -> None:
        if not addresses:
            raise SourceError(f"{host}: has no address")
        if (
            self._allow_private
            and host == self._own_host
            and all(is_private(_parse(one)) for one in addresses)
        ):
            return
        self._refuse_private(host, addresses)

    def _refuse_private(self, host: str, addresses: Sequence[str]) -> None:
        for one in addresses:
            if not is_public(_parse(one)):
                hint = (
                    ""
                    if self._allow_private
                    else "; for a site of your own inside the network set allow_private"
                )
                raise _refusal(host, f"has the address {one}, which is not public{hint}")


def normal_host(host: str) -> str:
    """Lower case, without brackets and final dot, in ASCII."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        return host


def _port(url: str) -> int:
    parts = urlsplit(url)
    try:
        return parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise _refusal(url[:80], "has no readable port") from None


def _parse(address: str) -> Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _refusal(host: str, reason: str) -> SourceError:
    return SourceError(f"{host}: not called: {reason}", permanent=True)


# ------------------------------------------------------------------------------------------------ Scrapy


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """There is nothing to cancel: the answer was known."""


@implementer(IHostnameResolver)
class GuardedResolver:
    """Twisted's name resolver for a crawl: answers only with addresses that the guard has approved before."""

    def __init__(self, guard: Guard, reactor: Any) -> None:
        self._guard = guard
        self._reactor = reactor

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> "GuardedResolver":
        return cls(crawler.settings[GUARD_SETTING], reactor)

    def install_on_reactor(self) -> None:
        self._reactor.installNameResolver(self)

    def resolveHostName(  # noqa: N802 (Twisted's name)
        self,
        resolutionReceiver: Any,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Any = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> _Resolution:
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for one in self._guard.pinned(hostName):
            kind = IPv6Address if ":" in one else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", one, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution
