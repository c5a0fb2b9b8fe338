"""Where an incident is seen in Kibana: the shipped dashboard of anxiety and complaints, with the incident's time, brand and
leading signal set. Pure.

Kibana reads its state from the address, in rison (https://github.com/Nanonid/rison), and narrows by a query in KQL.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from urllib.parse import quote

from listener.config import Kibana
from listener.incident import Incident
from listener.mention import Signal

DASHBOARD = "lyhord-worry"
"""Built by `infra.kibana`, installed by `lyhord setup kibana`."""
BEFORE, AFTER = timedelta(hours=12), timedelta(hours=2)
"""Shown beside the incident, so that the normal is seen, too."""
FLAGS: Mapping[Signal, str] = {
    Signal.ANXIETY: "lyhord.is_anxious",
    Signal.COMPLAINTS: "lyhord.is_complaint",
    Signal.NEGATIVE: "lyhord.is_negative",
}
"""What a mention of the signal has set; volume is every mention."""
Rison: TypeAlias = "str | Mapping[str, Rison]"
_PLAIN = "!'()*,:;@$/"
"""Characters of rison that an address may hold as they are."""


def incident_link(kibana: Kibana, incident: Incident) -> str:
    """The address; "" where there is no Kibana. While the incident goes on the view ends now, whenever it is opened."""
    if not kibana.url:
        return ""
    space = f"/s/{quote(kibana.space, safe='', errors='replace')}" if kibana.space else ""
    end = _time(incident.ended_at, AFTER) if incident.ended_at else "now"
    where = rison({"time": {"from": _time(incident.began_at, -BEFORE), "to": end}})
    what = rison({"query": {"language": "kuery", "query": _query(incident)}})
    return f"{kibana.url.rstrip('/')}{space}/app/dashboards#/view/{DASHBOARD}?_g={where}&_a={what}"


def rison(value: Rison) -> str:
    """Objects and strings → rison, percent-encoded for an address. Keys are names of ours: letters only."""
    if isinstance(value, str):
        escaped = value.replace("!", "!!").replace("'", "!'")
        return quote(f"'{escaped}'", safe=_PLAIN, errors="replace")
    return f"({','.join(f'{key}:{rison(its)}' for key, its in value.items())})"


def kql_text(text: str) -> str:
    """A value in KQL that means just this text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _query(incident: Incident) -> str:
    query = f"lyhord.brand: {kql_text(incident.brand)}"
    flag = FLAGS.get(incident.levels[0].signal)
    return f"{query} and {flag}: true" if flag else query


def _time(moment: datetime, shift: timedelta) -> str:
    return f"{moment.astimezone(UTC) + shift:%Y-%m-%dT%H:%M:%S}.000Z"
