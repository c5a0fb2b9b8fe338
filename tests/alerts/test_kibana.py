import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.kibana import AFTER, BEFORE, DASHBOARD, Rison, incident_link, kql_text, rison
from alerts.message import Links, build, safe_link
from listener.config import Kibana
from listener.incident import State
from listener.mention import Signal
from tests.alerts.fakes import NOW, incident, level

KIBANA = Kibana(url="https://kibana.example/", space="")
HOSTILE = (
    "x' or !(lyhord.brand:*)",
    'x" or lyhord.brand: *',
    "trailing\\",
    "a&_a=(query:(language:lucene))#/",
    "!!)),(('",
    "50 % + æøå ❤",
    "line\nbreak\x00",
    "*",
)


def read(link: str) -> dict[str, Rison]:
    """{name: value} of the state in a link, as Kibana reads it: percent-decoded, then rison."""
    path, _, query = urlsplit(link).fragment.partition("?")
    assert path == f"/view/{DASHBOARD}"
    return {name: read_rison(value) for name, (value,) in parse_qs(query, strict_parsing=True).items()}


def read_rison(text: str) -> Rison:
    value, rest = _read(text)
    assert not rest, rest
    return value


def _read(text: str) -> tuple[Rison, str]:
    if text.startswith("'"):
        found = re.match(r"'((?:[^'!]|![!'])*)'", text)
        assert found, text
        return re.sub(r"!(.)", r"\1", found[1]), text[found.end() :]
    assert text.startswith("("), text
    pairs: dict[str, Rison] = {}
    rest = text[1:]
    while not rest.startswith(")"):
        key, _, rest = rest.removeprefix(",").partition(":")
        pairs[key], rest = _read(rest)
    return pairs, rest[1:]


def query_of(link: str) -> str:
    match read(link):
        case {"_a": {"query": {"language": "kuery", "query": str(query)}}}:
            return query
    raise AssertionError(link)


def test_an_incident_leads_to_its_time_its_brand_and_its_leading_signal() -> None:
    link = incident_link(KIBANA, incident())
    assert link.startswith(
        f"https://kibana.example/app/dashboards#/view/{DASHBOARD}?_g=(time:(from:'2026-03-09T13:15:00.000Z'"
    )
    assert read(link)["_g"] == {
        "time": {"from": f"{NOW - timedelta(minutes=52) - BEFORE:%Y-%m-%dT%H:%M:%S}.000Z", "to": "now"}
    }
    assert query_of(link) == 'lyhord.brand: "fjelltele" and lyhord.is_anxious: true'


def test_one_that_is_over_ends_some_hours_later() -> None:
    over = incident(state=State.OVER, ended_at=NOW)
    where = f"from:'2026-03-09T13:15:00.000Z',to:'{NOW + AFTER:%Y-%m-%dT%H:%M:%S}.000Z'"
    assert f"?_g=(time:({where}))&_a=" in incident_link(KIBANA, over)


@pytest.mark.parametrize(
    ("signal", "flag"),
    [
        (Signal.COMPLAINTS, " and lyhord.is_complaint: true"),
        (Signal.NEGATIVE, " and lyhord.is_negative: true"),
        (Signal.VOLUME, ""),
    ],
)
def test_the_leading_signal_narrows_and_volume_does_not(signal: Signal, flag: str) -> None:
    link = incident_link(KIBANA, incident(levels=(level(signal), level(Signal.ANXIETY))))
    assert query_of(link) == f'lyhord.brand: "fjelltele"{flag}'


def test_a_space_stands_in_the_address_and_without_kibana_there_is_none() -> None:
    link = incident_link(replace(KIBANA, space="kris/1"), incident())
    assert link.startswith("https://kibana.example/s/kris%2F1/app/dashboards#/view/")
    assert incident_link(Kibana(), incident()) == ""


@pytest.mark.parametrize("brand", HOSTILE)
def test_a_hostile_brand_stays_one_value(brand: str) -> None:
    query = query_of(incident_link(KIBANA, incident(brand=brand)))
    found = re.fullmatch(r'lyhord\.brand: "((?:[^"\\]|\\["\\])*)" and lyhord\.is_anxious: true', query)
    assert found
    assert re.sub(r"\\(.)", r"\1", found[1]) == brand


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_rison_and_kql_keep_every_text(text: str) -> None:
    encoded = rison({"a": text, "b": {"c": text}})
    assert re.fullmatch(r"[!-~]*", encoded)
    assert not set('"<>&#+?= ') & set(encoded)
    (value,) = parse_qs(f"x={encoded}", strict_parsing=True)["x"]
    assert read_rison(value) == {"a": text, "b": {"c": text}}
    assert re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', kql_text(text), re.DOTALL)


def test_half_a_character_makes_no_error() -> None:
    assert "%3F" in incident_link(KIBANA, incident(brand="\ud800"))


def test_a_message_leads_there() -> None:
    link = incident_link(replace(KIBANA, space="kris"), incident())
    assert safe_link(link) == (link, "kibana.example")
    zone = ZoneInfo("Europe/Stockholm")
    message = build(incident(), brand="Fjelltele", language="sv", zone=zone, links=Links(kibana=link))
    assert f"Kibana: {link}" in message.lines
