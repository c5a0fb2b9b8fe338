"""What Elastic checks in the dashboards that it ships, and what it does not: that every field exists, and that every panel's
question, asked of a real Elasticsearch, has an answer.

Kibana itself is not run here: `_Asked` stands for how Lens turns a panel into a request.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import typer
from elasticsearch import Elasticsearch
from typer.testing import CliRunner

from alerts.kibana import DASHBOARD, FLAGS
from console.commands.setup_kibana import OVERVIEW, kibana, objects_for, read_answer, send, space_url
from console.demo.story import tell
from infra.kibana import build
from listener.archive.elastic import reports, template
from listener.archive.elastic.documents import Standing, document
from listener.archive.elastic.names import Names
from listener.archive.rows import micros
from listener.config import Brand, Source
from listener.errors import ConfigError, LyhordError
from listener.health import Condition
from listener.incident import State
from listener.intake import Tools, to_mentions
from listener.mention import CHANNELS, Signal
from listener.ports import SourceReading
from listener.post import Post
from tests import services
from tests.alerts.fakes import incident, level
from workers.scoring import open_scorer
from workers.scoring.language import identify_all

Json = dict[str, Any]

BUILT = build.build()
OBJECTS: list[Json] = [json.loads(line) for line in BUILT.splitlines()]
DASHBOARDS = [each for each in OBJECTS if each["type"] == "dashboard"]
SEARCHES = [each for each in OBJECTS if each["type"] == "search"]
VIEWS: dict[str, Json] = {
    each["id"]: each["attributes"] for each in OBJECTS if each["type"] == "index-pattern"
}
DATASETS = {
    "lyhord-view-mentions": "lyhord.mention",
    "lyhord-view-incidents": "lyhord.incident",
    "lyhord-view-sources": "lyhord.source",
}
NEWEST = {"index-pattern": (8, 0, 0), "search": (8, 0, 0), "dashboard": (8, 9, 0)}
KNOWN = {
    "dashboard": {
        "title",
        "description",
        "kibanaSavedObjectMeta",
        "timeRestore",
        "timeFrom",
        "timeTo",
        "refreshInterval",
        "controlGroupInput",
        "panelsJSON",
        "optionsJSON",
        "version",
    },
    "search": {
        "title",
        "description",
        "columns",
        "sort",
        "grid",
        "hideChart",
        "isTextBasedQuery",
        "timeRestore",
        "kibanaSavedObjectMeta",
    },
    "index-pattern": {
        "title",
        "name",
        "timeFieldName",
        "fields",
        "fieldAttrs",
        "sourceFilters",
        "fieldFormatMap",
        "typeMeta",
        "allowNoIndex",
        "runtimeFieldMap",
    },
}
"""Attributes that Kibana's own schemas of these versions have (of those that we use); it refuses others."""
KNOWN_OF_CONTROLS = {"panelsJSON", "controlStyle", "chainingSystem", "ignoreParentSettingsJSON"}
LENS = {"lnsMetric", "lnsXY", "lnsPie", "lnsDatatable", "lnsHeatmap"}
WIDTH = 48
RECORDS = "___records___"


def names(objects: Sequence[Json]) -> list[str]:
    return [each["id"] for each in objects]


def panels_of(dashboard: Json) -> list[Json]:
    found: list[Json] = json.loads(dashboard["attributes"]["panelsJSON"])
    return found


def lens_panels() -> list[tuple[Json, Json]]:
    return [(each, panel) for each in DASHBOARDS for panel in panels_of(each) if panel["type"] == "lens"]


LENS_PANELS = lens_panels()
LENS_NAMES = [f"{dashboard['id']}:{panel['panelIndex']}" for dashboard, panel in LENS_PANELS]


def source_of(each: Json) -> Json:
    """Query and filter of a dashboard or a search."""
    found: Json = json.loads(each["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    return found


def layer_of(panel: Json) -> Json:
    (layer,) = panel["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"][
        "layers"
    ].values()
    assert isinstance(layer, dict)
    return layer


def strings_in(value: object) -> Iterator[tuple[str, str]]:
    """(key, text) of every text in a value, at any depth, also inside of JSON that is kept as text."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
                if key.endswith("JSON"):
                    yield from strings_in(json.loads(inner))
            else:
                yield from strings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)


# ---------------------------------------------------------------------------------------- the file


def test_the_shipped_file_is_what_the_sources_say_and_every_build_is_the_same() -> None:
    assert build.BUILT.read_text(encoding="utf-8") == BUILT
    assert build.build() == BUILT


def test_every_object_has_a_stable_id_of_its_own_and_a_version_that_8_9_reads() -> None:
    assert len(set(names(OBJECTS))) == len(OBJECTS)
    for each in OBJECTS:
        assert re.fullmatch(r"lyhord-[a-z-]+", each["id"])
        assert each["coreMigrationVersion"] == "8.8.0"
        assert tuple(map(int, each["typeMigrationVersion"].split("."))) <= NEWEST[each["type"]]
    stems = {path.stem for path in build.SOURCES.glob("*.toml")} - {"vocabulary", "searches"}
    assert set(names(DASHBOARDS)) == {f"lyhord-{stem}" for stem in stems}


def test_no_object_has_an_attribute_that_kibanas_schema_lacks() -> None:
    for each in OBJECTS:
        assert set(each["attributes"]) <= KNOWN[each["type"]]
    assert all(set(each["attributes"]["controlGroupInput"]) == KNOWN_OF_CONTROLS for each in DASHBOARDS)


def test_what_alerts_and_the_command_lead_to_is_there() -> None:
    assert {DASHBOARD, OVERVIEW} <= set(names(DASHBOARDS))
    texts = [text for each in DASHBOARDS for key, text in strings_in(each) if key == "markdown"]
    links = [link for text in texts for link in re.findall(r"#/view/([\w-]+)", text)]
    assert links
    assert set(links) <= set(names(DASHBOARDS))


def test_attributes_that_kibana_keeps_as_text_are_text_that_holds_json() -> None:
    def check(value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key.endswith("JSON") or key in ("fields", "fieldAttrs", "fieldFormatMap", "sourceFilters"):
                    assert isinstance(inner, str)
                    check(json.loads(inner))
                else:
                    check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    for each in OBJECTS:
        check({k: v for k, v in each["attributes"].items() if k != "columns"})


def test_every_reference_resolves_and_every_name_that_is_used_is_a_reference() -> None:
    there = {(each["type"], each["id"]) for each in OBJECTS}
    for each in OBJECTS:
        references = {reference["name"]: reference for reference in each["references"]}
        assert len(references) == len(each["references"])
        assert all((its["type"], its["id"]) in there for its in references.values())
        used = {text for key, text in strings_in(each["attributes"]) if key == "indexRefName"}
        if each["type"] == "dashboard":
            used |= _used_by_panels(each)
            controls = json.loads(each["attributes"]["controlGroupInput"]["panelsJSON"])
            used |= {
                f"controlGroup_{key}:{name}"
                for key in controls
                for name in ("optionsListDataView", "optionsListControlDataView")
            }
        assert used == set(references), each["id"]


def _used_by_panels(dashboard: Json) -> set[str]:
    used = set()
    for panel in panels_of(dashboard):
        key = panel["panelIndex"]
        if panel["type"] == "search":
            used.add(f"{key}:{panel['panelRefName']}")
        if panel["type"] == "lens":
            attributes = panel["embeddableConfig"]["attributes"]
            (layer,) = attributes["state"]["datasourceStates"]["formBased"]["layers"]
            (reference,) = attributes["references"]
            assert reference["name"] == f"indexpattern-datasource-layer-{layer}"
            assert reference["id"] == layer_of(panel)["indexPatternId"]
            used.add(f"{key}:{reference['name']}")
    return used


@pytest.mark.parametrize("each", [*DASHBOARDS, *SEARCHES], ids=names([*DASHBOARDS, *SEARCHES]))
def test_dashboards_and_searches_are_narrowed_to_their_datasets(each: Json) -> None:
    (found,) = source_of(each)["filter"]
    assert found["meta"]["key"] == "event.dataset"
    assert not found["meta"]["disabled"]
    asked = re.findall(r'"event.dataset": "([^"]+)"', json.dumps(found["query"]))
    assert asked
    assert set(asked) <= set(DATASETS.values())
    reference = next(its for its in each["references"] if its["name"] == found["meta"]["indexRefName"])
    assert DATASETS[reference["id"]] == asked[0]
    for panel in panels_of(each) if each["type"] == "dashboard" else ():
        if panel["type"] == "lens":  # of another dataset: would find nothing if it did not ignore the filter
            view = layer_of(panel)["indexPatternId"]
            assert layer_of(panel)["ignoreGlobalFilters"] == (DATASETS[view] not in asked), panel[
                "panelIndex"
            ]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=names(DASHBOARDS))
def test_panels_are_lens_by_value_or_text_or_a_saved_search_and_do_not_overlap(dashboard: Json) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels_of(dashboard):
        config = panel["embeddableConfig"]
        if panel["type"] == "visualization":
            assert config["savedVis"]["type"] == "markdown"
        elif panel["type"] == "lens":
            assert config["attributes"]["visualizationType"] in LENS
            assert set(config["attributes"]["state"]["datasourceStates"]) == {"formBased", "textBased"}
        else:
            assert panel["type"] == "search"
        grid = panel["gridData"]
        assert grid["i"] == panel["panelIndex"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert max(x for x, _ in cells) < WIDTH
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize(("dashboard", "panel"), LENS_PANELS, ids=LENS_NAMES)
def test_columns_are_as_lens_has_them(dashboard: Json, panel: Json) -> None:
    layer = layer_of(panel)
    columns = layer["columns"]
    assert sorted(layer["columnOrder"]) == sorted(columns)
    bucketed = [columns[key]["isBucketed"] for key in layer["columnOrder"]]
    assert bucketed == sorted(bucketed, reverse=True)
    assert not all(bucketed)
    visualization = panel["embeddableConfig"]["attributes"]["state"]["visualization"]
    shown = set(re.findall(r'"((?:m|row)\d|by|split)"', json.dumps(visualization)))
    assert shown == set(columns)
    for column in columns.values():
        order = column.get("params", {}).get("orderBy", {})
        if order.get("type") == "column":
            assert columns[order["columnId"]]["operationType"] not in (
                "last_value",
                "terms",
                "date_histogram",
            )


# ---------------------------------------------------------------------------------------- fields


def flat(mappings: Json, above: str = "") -> dict[str, str]:
    """{field: type}, sub-fields too."""
    found = {}
    for name, its in mappings["properties"].items():
        key = f"{above}{name}"
        if "type" in its:
            found[key] = its["type"]
        found |= {f"{key}.{sub}": inner["type"] for sub, inner in its.get("fields", {}).items()}
        if "properties" in its:
            found |= flat(its, f"{key}.")
    return found


FIELDS = {
    "lyhord-view-mentions": flat(template.MAPPINGS),
    "lyhord-view-incidents": flat(reports.MAPPINGS_INCIDENTS),
    "lyhord-view-sources": flat(reports.MAPPINGS_SOURCES),
}
COUNTED = {"keyword", "date", "long", "double", "boolean"}


def test_the_views_are_of_the_archives_indices() -> None:
    its = Names.of("http://127.0.0.1:9200")
    titles = {view["title"] for view in VIEWS.values()}
    assert titles == {its.pattern, its.incidents, its.sources}
    assert all(view["timeFieldName"] == "@timestamp" for view in VIEWS.values())
    for key, view in VIEWS.items():
        hidden = {each["value"] for each in json.loads(view["sourceFilters"])}
        assert {*json.loads(view["fieldFormatMap"]), *hidden} <= set(FIELDS[key])


@pytest.mark.parametrize(("dashboard", "panel"), LENS_PANELS, ids=LENS_NAMES)
def test_every_field_of_a_panel_exists_and_can_be_counted(dashboard: Json, panel: Json) -> None:
    layer = layer_of(panel)
    fields = FIELDS[layer["indexPatternId"]]
    types = {"date": {"date"}, "string": {"keyword"}, "number": {"long", "double"}}
    for column in layer["columns"].values():
        if column["sourceField"] != RECORDS:
            kind = fields[column["sourceField"]]
            assert kind in COUNTED
            assert column["operationType"] == "unique_count" or kind in types[column["dataType"]]
        assert kql_fields(column.get("filter", {}).get("query", "")) <= set(fields)
    assert kql_fields(panel["embeddableConfig"]["attributes"]["state"]["query"]["query"]) <= set(fields)


@pytest.mark.parametrize("each", [*DASHBOARDS, *SEARCHES], ids=names([*DASHBOARDS, *SEARCHES]))
def test_every_field_of_filters_columns_queries_and_controls_exists(each: Json) -> None:
    fields = FIELDS[each["references"][0]["id"]]
    used = {its["meta"]["key"] for its in source_of(each)["filter"]} | kql_fields(
        source_of(each)["query"]["query"]
    )
    if each["type"] == "search":
        used |= {*each["attributes"]["columns"], *(its[0] for its in each["attributes"]["sort"])}
    else:
        controls = json.loads(each["attributes"]["controlGroupInput"]["panelsJSON"])
        used |= {control["explicitInput"]["fieldName"] for control in controls.values()}
        markdown = [text for key, text in strings_in(each) if key == "markdown"]
        used |= {
            name
            for text in markdown
            for query in re.findall(r"- `([^`]+)`", text)
            for name in kql_fields(query)
        }
    assert used <= set(fields)
    assert each["type"] != "search" or all(fields[name] in COUNTED | {"text"} for name in used)


def test_the_flags_of_alerts_links_exist() -> None:
    assert {"lyhord.brand", *FLAGS.values()} <= set(FIELDS["lyhord-view-mentions"])
    assert set(FLAGS) == set(Signal) - {Signal.VOLUME}


# ---------------------------------------------------------------------------------------- KQL, as far as we use it

_TOKEN = re.compile(r'\s*(?:(?P<mark>[():])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s():"]+))')


@dataclass
class _Kql:
    """A reader of `field: value` with and, or, not and brackets; to a query of Elasticsearch."""

    text: str
    at: int = 0
    fields: set[str] = field(default_factory=set)

    def read(self) -> Json:
        if not self.text.strip():
            return {"match_all": {}}
        found = self._any()
        assert self._next() is None, self.text
        return found

    def _next(self, *, take: bool = True) -> str | None:
        found = _TOKEN.match(self.text, self.at)
        if found and take:
            self.at = found.end()
        return found[0].strip() if found else None

    def _any(self) -> Json:
        return self._run("or", "should", self._all)

    def _all(self) -> Json:
        return self._run("and", "filter", self._one)

    def _run(self, word: str, clause: str, part: Any) -> Json:
        parts = [part()]
        while self._next(take=False) == word:
            self._next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else {"bool": {clause: parts}}

    def _one(self) -> Json:
        token = self._next()
        if token == "not":
            return {"bool": {"must_not": [self._one()]}}
        if token == "(":
            inner = self._any()
            assert self._next() == ")", self.text
            return inner
        assert token
        assert self._next() == ":", self.text
        self.fields.add(token)
        value = self._next()
        assert value
        if value == "*":
            return {"exists": {"field": token}}
        said = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        return {"match_phrase" if value.startswith('"') else "match": {token: said}}


def kql_fields(query: str) -> set[str]:
    reader = _Kql(query)
    reader.read()
    return reader.fields


# ---------------------------------------------------------------------------------------- asked of a real Elasticsearch

END = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
SOURCES = {"natforum": "forum", "torget": "social", "omdomen": "review", "nytt": "news", "brev": "inbox"}


@dataclass(frozen=True, slots=True)
class World:
    """An archive of some hundred mentions of the demo, with incidents and readings."""

    client: Elasticsearch
    names: Names
    documents: list[Json]

    def index(self, view: str) -> str:
        pattern = VIEWS[view]["title"]
        return str(self.names.prefix + pattern.removeprefix("lyhord"))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    its = Names.of(f"{services.elasticsearch()}/kibana{uuid4().hex[:12]}")
    with Elasticsearch(its.address) as client:
        template.ensure(client, its)
        try:
            yield World(client, its, _fill(client, its))
        finally:
            template.drop(client, its)


def _fill(client: Elasticsearch, its: Names) -> list[Json]:
    documents = _documents()
    operations: list[Json] = []
    for each in documents:
        month = its.index(datetime.fromisoformat(each["@timestamp"]))
        operations += ({"create": {"_index": month, "_id": each["event"]["id"]}}, each)
    answer = client.bulk(operations=operations)
    assert not answer["errors"], answer["items"][0]
    reports.publish(client, its, _incidents(), _readings())
    client.indices.refresh(index=f"{its.prefix}-*")
    return documents


@cache
def _documents() -> list[Json]:
    """The last days of the demo's forum, shared out to five sources; every tenth text is passed on once by somebody else."""
    story = tell(END, zone=ZoneInfo("Europe/Stockholm"))
    posts = [
        (thread, post)
        for thread in story.threads
        for post in thread.posts
        if post.at > END - timedelta(hours=30)
    ]
    brand = Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele*",))
    tools = Tools.of((brand,), lambda source, author: f"{source}-{author}", identify_all)
    scorer = open_scorer()
    documents = []
    for number, (key, channel) in enumerate(SOURCES.items()):
        made = [
            Post(
                source=key,
                native_id=post.id,
                url=f"https://{key}.example/t/{thread.id}",
                text=post.text,
                published_at=post.at,
                author=post.author,
                title=f"{thread.title} Fjelltele",
                thread=thread.id,
            )
            for thread, post in posts[number :: len(SOURCES)]
        ]
        source = Source(id=key, kind="forum", address="", channel=channel)
        found = to_mentions(made, source, tools, retention=timedelta(days=90), now=END, scorer=scorer)
        documents += [document(one, Standing(stored=micros(END), cluster=one.id)) for one in found]
        documents += [
            document(
                replace(one, id=f"{one.id}-copy", author="crier"),
                Standing(stored=micros(END), cluster=one.id),
            )
            for one in found[::10]
        ]
    return documents


def _incidents() -> list[Any]:
    over = incident(
        id="b" * 24, state=State.OVER, ended_at=END, levels=(level(Signal.COMPLAINTS, 20),), verdict="useful"
    )
    return [incident(), over]


def _readings() -> list[SourceReading]:
    readings = []
    for minutes in range(0, 120, 5):
        for number, (key, channel) in enumerate(SOURCES.items()):
            silent = number == 2 and minutes < 60
            readings.append(
                SourceReading(
                    source=key,
                    kind="forum",
                    channel=channel,
                    at=END - timedelta(minutes=minutes + 1),
                    condition=Condition.SILENT if silent else Condition.OK,
                    heard=not silent,
                    reason="silent since 01:10" if silent else "",
                    usual_share=0.2,
                    last_ok_at=END - timedelta(minutes=minutes + 2),
                    newest_post_at=END - timedelta(minutes=minutes + 9),
                )
            )
    return readings


@dataclass(frozen=True, slots=True)
class _Asked:
    """A panel as Lens asks it, and the rows of the answer: values of its buckets and measures."""

    dashboard: Json
    panel: Json

    def body(self) -> Json:
        layer = layer_of(self.panel)
        state = self.panel["embeddableConfig"]["attributes"]["state"]
        start = END - _span(self.dashboard["attributes"]["timeFrom"])
        wanted = [
            {"range": {"@timestamp": {"gte": start.isoformat(), "lt": END.isoformat()}}},
            _Kql(state["query"]["query"]).read(),
        ]
        if not layer["ignoreGlobalFilters"]:
            wanted += [found["query"] for found in source_of(self.dashboard)["filter"]]
        return {"size": 0, "query": {"bool": {"filter": wanted}}, "aggs": self._aggs(layer["columnOrder"])}

    def _aggs(self, order: Sequence[str]) -> Json:
        columns = layer_of(self.panel)["columns"]
        if not columns[order[0]]["isBucketed"]:
            return {key: agg for column in order for key, agg in _metric(column, columns[column]).items()}
        key, column = order[0], columns[order[0]]
        inner = {**self._aggs(order[1:]), **_ordered_by(columns, column)}
        return {key: {**_bucket(column, columns), "aggs": inner}}

    def rows(self, aggregations: Json) -> list[dict[str, Any]]:
        return list(self._rows(aggregations, layer_of(self.panel)["columnOrder"]))

    def _rows(self, answer: Json, order: Sequence[str]) -> Iterator[dict[str, Any]]:
        columns = layer_of(self.panel)["columns"]
        if not columns[order[0]]["isBucketed"]:
            yield {key: _value(answer, key, columns[key]) for key in order}
            return
        for bucket in answer[order[0]]["buckets"]:
            for row in self._rows(bucket, order[1:]):
                yield {order[0]: bucket["key"], **row}


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"now-(\d+)([dh])", text)
    assert found
    return int(found[1]) * (timedelta(days=1) if found[2] == "d" else timedelta(hours=1))


def _metric(key: str, column: Json) -> Json:
    made = _plain_metric(column)
    if "filter" in column:
        return {
            f"{key}f": {"filter": _Kql(column["filter"]["query"]).read(), "aggs": {key: made} if made else {}}
        }
    return {key: made} if made else {}


def _plain_metric(column: Json) -> Json:
    name = {"unique_count": "cardinality", "average": "avg", "max": "max"}.get(column["operationType"])
    if name:
        return {name: {"field": column["sourceField"]}}
    if column["operationType"] == "count":
        assert column["sourceField"] == RECORDS
        return {}
    assert column["operationType"] == "last_value"
    newest = [{column["params"]["sortField"]: "desc"}]
    return {
        "top_hits": {"size": 1, "sort": newest, "_source": False, "docvalue_fields": [column["sourceField"]]}
    }


def _bucket(column: Json, columns: Json) -> Json:
    if column["operationType"] == "date_histogram":
        return {
            "date_histogram": {"field": column["sourceField"], "fixed_interval": "1h", "min_doc_count": 0}
        }
    assert column["operationType"] == "terms"
    params = column["params"]
    order = {_path(params["orderBy"], columns): params["orderDirection"]}
    return {"terms": {"field": column["sourceField"], "size": params["size"], "order": order}}


def _path(order: Json, columns: Json) -> str:
    if order["type"] == "alphabetical":
        return "_key"
    key = order["columnId"]
    column = columns[key]
    if column["operationType"] == "count":
        return f"{key}f" if "filter" in column else "_count"
    return f"{key}f>{key}" if "filter" in column else key


def _ordered_by(columns: Json, column: Json) -> Json:
    """The measure that an outer bucket is ordered by must stand in it, too."""
    order = column["params"].get("orderBy", {})
    return _metric(order["columnId"], columns[order["columnId"]]) if order.get("type") == "column" else {}


def _value(answer: Json, key: str, column: Json) -> Any:
    inner = answer[f"{key}f"] if "filter" in column else answer
    if column["operationType"] == "count":
        return inner["doc_count"]
    if column["operationType"] == "last_value":
        hits = inner[key]["hits"]["hits"]
        return hits[0].get("fields", {}).get(column["sourceField"], [None])[0] if hits else None
    return inner[key]["value"]


def _ask(world: World, dashboard: Json, panel: Json) -> list[dict[str, Any]]:
    asked = _Asked(dashboard, panel)
    body = asked.body()
    answer = world.client.search(index=world.index(layer_of(panel)["indexPatternId"]), **body)
    return asked.rows({**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]})


@pytest.mark.server
@pytest.mark.parametrize(("dashboard", "panel"), LENS_PANELS, ids=LENS_NAMES)
def test_every_panel_shows_something_of_the_demo(world: World, dashboard: Json, panel: Json) -> None:
    rows = _ask(world, dashboard, panel)
    for key, column in layer_of(panel)["columns"].items():
        assert any(row[key] for row in rows), f"nothing in {column['label']}"


@pytest.mark.server
@pytest.mark.parametrize("search", SEARCHES, ids=names(SEARCHES))
def test_every_saved_search_finds_something_of_the_demo_in_every_column(world: World, search: Json) -> None:
    its = source_of(search)
    wanted = [_Kql(its["query"]["query"]).read(), *(found["query"] for found in its["filter"])]
    columns = search["attributes"]["columns"]
    found = world.client.search(
        index=world.index(search["references"][0]["id"]),
        query={"bool": {"filter": wanted}},
        sort=[{name: order} for name, order in search["attributes"]["sort"]],
        fields=columns,
        size=200,
    )
    shown = {name for hit in found["hits"]["hits"] for name in hit["fields"]}
    assert shown >= set(columns)


@pytest.mark.server
@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=names(DASHBOARDS))
def test_every_control_has_something_to_choose(world: World, dashboard: Json) -> None:
    for control in json.loads(dashboard["attributes"]["controlGroupInput"]["panelsJSON"]).values():
        chosen = control["explicitInput"]
        answer = world.client.search(
            index=world.index(chosen["dataViewId"]),
            size=0,
            aggs={"a": {"terms": {"field": chosen["fieldName"]}}},
        )
        assert answer["aggregations"]["a"]["buckets"], chosen["fieldName"]


@pytest.mark.server
def test_a_panel_counts_voices_as_lyhord_does(world: World) -> None:
    """Authors once, copies not at all, and so in each channel."""
    originals = [each for each in world.documents if not each["lyhord"]["is_copy"]]
    assert len(originals) < len(world.documents)
    voices = {each["lyhord"]["voice"] for each in originals}
    worried = [each for each in originals if each["lyhord"]["is_anxious"]]
    overview = next(each for each in DASHBOARDS if each["id"] == OVERVIEW)
    panels = {panel["panelIndex"]: panel for panel in panels_of(overview)}
    assert _ask(world, overview, panels["voices"]) == [{"m0": len(voices)}]
    by_channel = {row["by"]: row["m0"] for row in _ask(world, overview, panels["channels"])}
    assert by_channel == {
        channel: len({each["lyhord"]["voice"] for each in worried if each["lyhord"]["channel"] == channel})
        for channel in SOURCES.values()
    }
    assert set(SOURCES.values()) <= set(CHANNELS)


# ---------------------------------------------------------------------------------------- lyhord setup kibana


@dataclass
class Stage:
    """A Kibana that checks what Kibana checks of an import, and answers as its documentation says."""

    url: str = ""
    key: str = "a2V5"
    space: str = ""
    answer: tuple[int, Json] | None = None
    received: list[Json] = field(default_factory=list)

    def respond(self, path: str, headers: Mapping[str, str], content: bytes) -> tuple[int, Json]:
        there = f"/s/{self.space}" if self.space else ""
        if path != f"{there}/api/saved_objects/_import?overwrite=true":
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        if headers.get("Authorization") != f"ApiKey {self.key}":
            return 401, {"statusCode": 401, "error": "Unauthorized", "message": "unable to authenticate"}
        if not headers.get("kbn-xsrf"):
            return _bad("Request must contain a kbn-xsrf header.")
        body = b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + content
        (part,) = [each for each in message_from_bytes(body).walk() if not each.is_multipart()]
        if part.get_param("name", header="content-disposition") != "file":
            return _bad("[request body.file]: expected value of type [Stream]")
        if not str(part.get_filename()).endswith(".ndjson"):
            return _bad("Invalid file extension")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        self.received = [json.loads(line) for line in payload.decode().splitlines()]
        return self.answer or (200, {"success": True, "successCount": len(self.received), "warnings": []})


def _bad(message: str) -> tuple[int, Json]:
    return 400, {"statusCode": 400, "error": "Bad Request", "message": message}


@pytest.fixture
def stage() -> Iterator[Stage]:
    its = Stage()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = its.respond(self.path, dict(self.headers.items()), content)
            said = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            if "location" in body:
                self.send_header("Location", body["location"])
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        its.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield its
        server.shutdown()
        thread.join()


APP = typer.Typer()
APP.command()(kibana)


def _config(folder: Path, archive: str = "", url: str = "", space: str = "") -> str:
    path = folder / "lyhord.toml"
    path.write_text(
        f'[storage]\ndata = "{folder}"\narchive = "{archive}"\n[kibana]\nurl = "{url}"\nspace = "{space}"\n',
        encoding="utf-8",
    )
    return str(path)


def test_the_command_installs_everything_in_the_space_of_the_file(
    tmp_path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYHORD_KIBANA_API_KEY", stage.key)
    stage.space = "kriskommunikation"
    config = _config(tmp_path, "http://127.0.0.1:9200/acme", f"{stage.url}/", stage.space)
    done = CliRunner().invoke(APP, ["--config", config])
    assert done.exit_code == 0, done.output
    assert f"{stage.url}/s/kriskommunikation/app/dashboards#/view/{OVERVIEW}" in done.output
    titles = {each["attributes"]["title"] for each in stage.received if each["type"] == "index-pattern"}
    assert titles == {"acme-mentions-*", "acme-incidents", "acme-sources"}
    assert names(stage.received) == names(OBJECTS)
    rest = [
        (ours, its)
        for ours, its in zip(OBJECTS, stage.received, strict=True)
        if its["type"] != "index-pattern"
    ]
    assert all(ours == its for ours, its in rest)


def test_the_command_tells_what_kibana_did_not_take(
    tmp_path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYHORD_KIBANA_API_KEY", stage.key)
    missing = {
        "type": "missing_references",
        "references": [{"type": "index-pattern", "id": "lyhord-view-mentions"}],
    }
    refused = [
        {"type": "dashboard", "id": "lyhord-worry", "meta": {"title": "x"}, "error": missing},
        {
            "type": "search",
            "id": "lyhord-inbox",
            "error": {"type": "unknown", "message": "disk full", "statusCode": 500},
        },
    ]
    stage.answer = 200, {"success": False, "successCount": 11, "errors": refused}
    config = _config(tmp_path, "http://127.0.0.1:9200")
    done = CliRunner().invoke(APP, ["--config", config, "--url", stage.url])
    assert done.exit_code == 2
    assert (
        "dashboard lyhord-worry: it leads to what is not there: index-pattern lyhord-view-mentions"
        in done.output
    )
    assert "saved search lyhord-inbox: disk full" in done.output
    assert f"11 of {len(OBJECTS)} objects are there" in done.output


def test_the_command_writes_a_file_instead(tmp_path: Path) -> None:
    file = tmp_path / "lyhord.ndjson"
    done = CliRunner().invoke(APP, ["--config", _config(tmp_path), "--file", str(file), "--json"])
    assert done.exit_code == 0, done.output
    assert file.read_text(encoding="utf-8") == BUILT
    assert "shows one on Elasticsearch" in done.output
    unwritable = CliRunner().invoke(APP, ["--config", _config(tmp_path), "--file", str(tmp_path)])
    assert isinstance(unwritable.exception, ConfigError)


@pytest.mark.parametrize(
    ("answer", "words", "permanent"),
    [
        (
            _bad("Document lyhord-worry belongs to a more recent version of Kibana [8.9.0]"),
            "more recent version",
            True,
        ),
        ((302, {"location": "/login?next=%2F"}), "at its own address", True),
        ((403, {"message": "Unable to bulk_create dashboard"}), "LYHORD_KIBANA_API_KEY", True),
        ((503, {"message": "Kibana server is not ready yet"}), "not ready yet); try again", False),
        ((200, {"hello": "I am no Kibana"}), "want Kibana 8.9", True),
    ],
)
def test_what_kibana_answers_is_told_in_words(
    stage: Stage, answer: tuple[int, Json], words: str, permanent: bool
) -> None:
    stage.answer = answer
    with pytest.raises(LyhordError, match=re.escape(words)) as refused:
        send(stage.url, BUILT, stage.key)
    assert refused.value.permanent == permanent
    assert stage.key not in str(refused.value)


def test_a_wrong_key_a_wrong_space_and_no_kibana_are_told_apart(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="LYHORD_KIBANA_API_KEY"):
        send(stage.url, BUILT, "wrong")
    with pytest.raises(ConfigError, match="a space that exists"):
        send(space_url(stage.url, "elsewhere"), BUILT, stage.key)
    with pytest.raises(LyhordError, match="cannot be reached") as away:
        send("http://127.0.0.1:1", BUILT, stage.key)
    assert not away.value.permanent
    with pytest.raises(ConfigError, match="did not take"):
        read_answer("Kibana", 200, b"<html>")


def test_a_netrc_does_not_replace_the_key(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert send(stage.url, BUILT, stage.key).count == len(OBJECTS)


@pytest.mark.parametrize(
    ("address", "words"),
    [("", "got ''"), ("kibana:5601", "got 'kibana:5601'"), ("http://me:pw@k:5601", "with a login")],
)
def test_an_address_that_cannot_be_is_told_without_its_password(address: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        space_url(address, "")
    assert "pw" not in str(refused.value)


def test_spaces_and_prefixes() -> None:
    assert space_url("https://k.example/", "") == "https://k.example"
    assert space_url("https://k.example/base/", "a/b c") == "https://k.example/base/s/a%2Fb%20c"
    assert objects_for("lyhord") == BUILT
