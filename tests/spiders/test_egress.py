"""The guard: every spelling of an address that is not public is refused, and what was checked is what is called."""

import socket
from collections.abc import Iterator, Sequence

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address

from listener.errors import SourceError
from spiders.egress import Guard, GuardedResolver, is_public, normal_host, system_lookup
from spiders.egress_session import session
from tests.spiders.loopback import Answer, Site, site

PUBLIC = "93.184.216.34"


class Names:
    """A name server that gives its answers in turn: a rebinding one gives another address the second time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as running:
        yield running


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "ff02::1",
        "localhost",
    ],
)
def test_no_spelling_of_a_private_address_passes(host: str) -> None:
    with pytest.raises(SourceError) as refused:
        Guard().resolve(host)
    assert refused.value.permanent
    assert f"{normal_host(host)}: not called: has the address" in str(refused.value)


@given(st.ip_addresses())
def test_public_is_never_more_than_the_library_says(address: object) -> None:
    assert not is_public(address) or address.is_global  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "is a file address; want http or https"),
        ("ftp://x.example/", "is a ftp address"),
        ("//x.example/", "is a nameless address"),
        ("http:///path", "names no host"),
        ("http://x.example:22/", "x.example: not called: port 22; want 80, 443 or the port"),
        ("http://x.example:443/", "port 443"),
        ("http://x.example:99999/", "has no readable port"),
        ("http://u:p@x.example/", "carries a user name or password"),
        ("http://@x.example/", "carries a user name or password"),
        ("http://own.example:8081/", "port 8081"),
    ],
)
def test_forms_of_address_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as refused:
        Guard(address="http://own.example:8080/").check_url(url)
    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["http://x.example/", "https://x.example:443/", "http://X.Example./a?b", "http://own.example:8080/x"],
)
def test_usual_addresses_pass(url: str) -> None:
    assert Guard(address="http://own.example:8080/").check_url(url) in {"x.example", "own.example"}


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(SourceError, match=r"has the address 10\.0\.0\.1, which is not public"):
        Guard(lookup=Names([PUBLIC, "10.0.0.1"])).resolve("x.example")


def test_a_name_is_looked_up_once_so_that_it_cannot_change() -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    guard = Guard(lookup=names)
    assert guard.pinned("x.example") == []
    assert [guard.resolve("x.example"), guard.resolve("X.EXAMPLE.")] == [[PUBLIC], [PUBLIC]]
    assert (guard.pinned("x.example"), names.asked) == ([PUBLIC], 1)


def test_unknown_names_may_be_known_later() -> None:
    def nobody(host: str) -> list[str]:
        raise socket.gaierror("no")

    with pytest.raises(SourceError, match=r"x\.example: no such host") as refused:
        Guard(lookup=nobody).resolve("x.example")
    assert not refused.value.permanent


def test_private_is_allowed_for_the_own_host_and_port_only() -> None:
    guard = Guard(address="http://10.0.0.5:8080/forum", allow_private=True, lookup=lambda host: [host])
    guard.check_url("http://10.0.0.5:8080/other")
    assert guard.resolve("10.0.0.5") == ["10.0.0.5"]
    with pytest.raises(SourceError, match="port 6379"):
        guard.check_url("http://10.0.0.5:6379/")
    with pytest.raises(SourceError, match="which is not public"):
        Guard(address="http://10.0.0.5:8080/", allow_private=True).check_url("http://10.0.0.5/")
    with pytest.raises(SourceError, match="which is not public"):
        guard.resolve("10.0.0.6")
    with pytest.raises(SourceError, match=r"169\.254\.169\.254, which is not public"):
        Guard(address="http://169.254.169.254/", allow_private=True).resolve("169.254.169.254")


def test_the_own_host_must_be_private_altogether() -> None:
    mixed = Names(["10.0.0.5", "169.254.169.254"])
    with pytest.raises(SourceError, match="which is not public"):
        Guard(address="http://own.example/", allow_private=True, lookup=mixed).resolve("own.example")


def test_a_name_may_not_slip_from_public_to_private_beside_the_own_host() -> None:
    guard = Guard(address="http://own.example/", allow_private=True, lookup=lambda host: ["10.0.0.5"])
    guard.resolve("own.example")
    with pytest.raises(SourceError, match="which is not public"):
        guard.resolve("other.example")


def test_the_session_calls_the_checked_address_and_no_other(web: Site) -> None:
    web.pages["/"] = Answer("hej")
    names = Names(["127.0.0.1"], [PUBLIC])
    guard = Guard(address=f"http://forum.test:{web.port}/", allow_private=True, lookup=names)
    answer = session(guard).get(f"http://forum.test:{web.port}/", timeout=5)
    assert (answer.text, names.asked) == ("hej", 1)
    assert web.asked[0].headers["Host"] == f"forum.test:{web.port}"


def test_the_session_checks_each_redirect(web: Site) -> None:
    web.pages["/"] = Answer("", 302, {"Location": "http://127.0.0.1:6379/"})
    guard = Guard(address=web.address, allow_private=True)
    with pytest.raises(SourceError, match="port 6379"):
        session(guard).get(web.address + "/", timeout=5)


def test_the_session_ignores_proxies(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    web.pages["/"] = Answer("hej")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    guard = Guard(address=web.address, allow_private=True)
    assert session(guard).get(web.address + "/", timeout=5).text == "hej"
    with pytest.raises(SourceError):
        session(Guard()).get(web.address + "/", timeout=5)


def test_the_session_tries_the_next_address(web: Site) -> None:
    web.pages["/"] = Answer("hej")
    guard = Guard(
        address=f"http://f.test:{web.port}", allow_private=True, lookup=Names(["127.0.0.2", "127.0.0.1"])
    )
    assert session(guard).get(f"http://f.test:{web.port}/", timeout=5).text == "hej"
    dead = Guard(address=f"http://f.test:{web.port}", allow_private=True, lookup=Names(["127.0.0.2"]))
    with pytest.raises(requests.ConnectionError):
        session(dead).get(f"http://f.test:{web.port}/", timeout=5)


class Receiver:
    def __init__(self) -> None:
        self.got: list[object] = []

    def resolutionBegan(self, resolution: object) -> None:  # noqa: N802 (Twisted's name)
        self.got.append("began")

    def addressResolved(self, address: object) -> None:  # noqa: N802
        self.got.append(address)

    def resolutionComplete(self) -> None:  # noqa: N802
        self.got.append("complete")


def test_a_crawl_connects_to_checked_addresses_and_knows_no_others() -> None:
    guard = Guard(lookup=Names([PUBLIC, "2606:2800:220:1::1"], ["127.0.0.1"]))
    resolver, before, after = GuardedResolver(guard, None), Receiver(), Receiver()
    resolver.resolveHostName(before, "x.example", 80)
    guard.resolve("x.example")
    resolver.resolveHostName(after, "X.example", 80)
    assert before.got == ["began", "complete"]
    found = [IPv4Address("TCP", PUBLIC, 80), IPv6Address("TCP", "2606:2800:220:1::1", 80)]
    assert after.got == ["began", *found, "complete"]


def test_the_system_knows_this_machine() -> None:
    assert "127.0.0.1" in system_lookup("127.0.0.1")
