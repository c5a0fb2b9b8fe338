import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from hypothesis import given
from hypothesis import strategies as st

from listener.archive.elastic import reports, template
from listener.archive.elastic.names import Names
from listener.archive.elastic.reports import incident_document, publish, source_documents
from listener.errors import StoreAway, StoreError
from listener.incident import Incident, State
from listener.mention import Signal
from listener.ports import SourceReading
from tests import services
from tests.alerts.fakes import NOW, evidence, incident, level, part

AT = datetime(2026, 3, 10, 2, 7, 30, tzinfo=UTC)


def reading(source: str = "natforum", **changes: Any) -> SourceReading:
    made = SourceReading(
        source=source,
        kind="forum",
        channel="forum",
        at=AT,
        condition="ok",
        heard=True,
        reason="",
        usual_share=0.5,
        last_ok_at=AT - timedelta(minutes=1),
        newest_post_at=None,
    )
    return replace(made, **changes)


def fits(document: Mapping[str, Any], mappings: Mapping[str, Any]) -> bool:
    """Every field of the document stands in the mappings, which are strict."""
    properties = mappings["properties"]
    return all(
        key in properties and (not isinstance(value, dict) or fits(value, properties[key]))
        for key, value in document.items()
    )


def texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def test_an_incident_is_an_alert_in_the_names_of_ecs() -> None:
    found = incident_document(incident())
    assert found["@timestamp"] == found["event"]["start"] == "2026-03-10T01:15:00+00:00"
    assert found["event"] | {"start": 0, "created": 0} == {
        "kind": "alert",
        "dataset": "lyhord.incident",
        "id": "1f" * 12,
        "start": 0,
        "created": 0,
        "severity": 2,
        "reason": "anxiety: 41 voices in an hour, usually 6.2",
    }
    assert found["rule"] == {"id": "anxiety", "name": "anxiety"}
    own = found["lyhord"]
    assert (own["brand"], own["state"], own["signal"], own["observed"]) == (
        "fjelltele",
        "growing",
        "anxiety",
        41,
    )
    assert own["channel"] == ["forum", "inbox"]  # social carries less than a tenth
    assert own["unheard"] == ["trafikforum"]
    assert own["is_acknowledged"] is False
    assert "end" not in found["event"]
    assert "verdict" not in own


def test_one_that_is_over_has_its_length() -> None:
    over = incident(
        state=State.OVER, ended_at=NOW + timedelta(hours=2), verdict="useful", known_cause="Black week"
    )
    found = incident_document(over)
    assert found["event"]["duration"] == (2 * 60 + 52) * 60 * 10**9
    assert found["event"]["end"] == "2026-03-10T04:07:00+00:00"
    assert (found["lyhord"]["verdict"], found["lyhord"]["known_cause"]) == ("useful", "Black week")


@given(
    state=st.sampled_from(State),
    signal=st.sampled_from(Signal),
    ended=st.none() | st.timedeltas(timedelta(0), timedelta(days=40_000)).map(lambda span: NOW + span),
    snoozed=st.none() | st.just(NOW),
    voices=st.lists(st.integers(0, 100), max_size=4),
)
def test_what_anybody_wrote_and_who_took_it_stays_out(
    state: State, signal: Signal, ended: datetime | None, snoozed: datetime | None, voices: list[int]
) -> None:
    whole = incident(
        state=state,
        levels=(level(signal),),
        ended_at=ended,
        snoozed_until=snoozed,
        acknowledged_by="Kim Kimsson",
        acknowledged_at=NOW,
    )
    whole = replace(
        whole,
        evidence=replace(
            whole.evidence, themes=tuple(part(f"t{i}", count, None) for i, count in enumerate(voices))
        ),
    )
    found = incident_document(whole)
    assert fits(found, reports.MAPPINGS_INCIDENTS)
    assert found["lyhord"]["is_acknowledged"]
    said = "\n".join(texts(found))
    written = [quote.text for quote in whole.evidence.quotes] + list(whole.evidence.words)
    secret = [*written, *(quote.url for quote in whole.evidence.quotes), "Kim", "tyst"]
    assert not [words for words in secret if words in said]


def test_readings_are_of_a_slot_of_five_minutes() -> None:
    (found,) = source_documents([reading(condition="silent", heard=False, reason="silent since 01:10")])
    assert found["@timestamp"] == "2026-03-10T02:05:00+00:00"
    assert found["event"]["id"] == "natforum@2026-03-10T02:05Z"
    assert found["event"]["created"] == AT.isoformat()
    assert found["event"]["reason"] == "silent since 01:10"
    assert found["lyhord"]["is_heard"] is False
    assert "newest_post_at" not in found["lyhord"]
    assert fits(found, reports.MAPPINGS_SOURCES)


def test_coverage_is_of_all_sources_and_not_said_while_nobody_knows() -> None:
    readings = [
        reading("a", usual_share=0.75),
        reading("b", usual_share=0.25, heard=False),
        reading("c", usual_share=0.0),
    ]
    assert {found["lyhord"]["coverage"] for found in source_documents(readings)} == {0.75}
    (found,) = source_documents([reading(usual_share=0.0)])
    assert "coverage" not in found["lyhord"]
    assert source_documents([]) == []


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=20))
def test_coverage_is_a_share(sources: list[tuple[float, bool]]) -> None:
    made = [reading(f"s{i}", usual_share=share, heard=heard) for i, (share, heard) in enumerate(sources)]
    for found in source_documents(made):
        coverage = found["lyhord"].get("coverage")
        assert coverage is None or 0 <= coverage <= 1
        assert coverage != 1 or all(heard or share < 1e-9 for share, heard in sources)


# ---------------------------------------------------------------------------------------- on the server


@pytest.fixture(scope="module")
def client() -> Iterator[Elasticsearch]:
    with Elasticsearch(services.elasticsearch()) as its:
        yield its


@pytest.fixture
def names(client: Elasticsearch) -> Iterator[Names]:
    its = Names.of(f"{services.elasticsearch()}/reports{uuid4().hex[:12]}")
    template.ensure(client, its)
    yield its
    template.drop(client, its)


def stored(client: Elasticsearch, index: str) -> dict[str, dict[str, Any]]:
    client.indices.refresh(index=index)
    return {hit["_id"]: hit["_source"] for hit in client.search(index=index, size=100)["hits"]["hits"]}


@pytest.mark.server
def test_an_incident_is_shown_once_in_its_newest_version(client: Elasticsearch, names: Names) -> None:
    first = incident(verdict="noise", evidence=evidence(unheard={"trafikforum": "tyst"}))
    last = incident(state=State.OVER, ended_at=NOW, evidence=evidence())
    publish(client, names, [first], [])
    publish(client, names, [last, incident(id="2e" * 12)], [])
    found = stored(client, names.incidents)
    assert set(found) == {"1f" * 12, "2e" * 12}
    assert found["1f" * 12] == json.loads(json.dumps(incident_document(last)))


@pytest.mark.server
def test_a_source_is_shown_once_a_slot(client: Elasticsearch, names: Names) -> None:
    for seconds in (0, 60, 180):
        at = AT + timedelta(seconds=seconds)
        publish(client, names, [], [reading(at=at, condition=f"c{seconds}"), reading("other", at=at)])
    found = stored(client, names.sources)
    assert sorted(found) == [
        f"{name}@2026-03-10T02:{slot}Z" for name in ("natforum", "other") for slot in ("05", "10")
    ]
    assert found["natforum@2026-03-10T02:05Z"]["lyhord"]["condition"] == "c60"
    assert found["natforum@2026-03-10T02:10Z"]["lyhord"]["condition"] == "c180"


@pytest.mark.server
def test_many_reports_and_none(client: Elasticsearch, names: Names) -> None:
    publish(client, names, [], [])
    publish(client, names, [], [reading(f"s{number}") for number in range(1_100)])
    client.indices.refresh(index=names.sources)
    assert client.count(index=names.sources)["count"] == 1_100


@pytest.mark.server
def test_a_refusal_names_no_value_and_a_block_is_the_server_being_away(
    client: Elasticsearch, names: Names
) -> None:
    endless: Incident = incident(peak=2**70)
    with pytest.raises(StoreError, match=r"1 reports? .*incidents: \w+") as refused:
        publish(client, names, [endless, incident(id="2e" * 12)], [])
    assert str(2**70) not in str(refused.value)
    assert not isinstance(refused.value, StoreAway)
    client.indices.put_settings(index=names.incidents, settings={"index.blocks.write": True})
    with pytest.raises(StoreAway):
        publish(client, names, [incident()], [])
