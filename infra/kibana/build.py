"""Kibana's objects from the readable sources beside this file: `python -m infra.kibana.build`, or with --check to be told only
whether the built file is what the sources say.

Written for 8.9 and later: Kibana brings older objects up to its own version, and refuses newer ones. What an object must look
like is learnt from the dashboards that Elastic ships itself (github.com/elastic/integrations); `tests/infra/test_kibana.py`
holds the rules.
"""

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent / "sources"
BUILT = Path(__file__).parents[2] / "console" / "data" / "kibana.ndjson"
CORE_VERSION = "8.8.0"
TYPE_VERSIONS = {"index-pattern": "8.0.0", "search": "8.0.0", "dashboard": "8.9.0"}
TIME = "@timestamp"
_TOP = 12
"""Values of a field that a chart shows; _ROWS in a table."""
_ROWS = 50
_LENS = {
    "metric": "lnsMetric",
    "line": "lnsXY",
    "bar": "lnsXY",
    "pie": "lnsPie",
    "table": "lnsDatatable",
    "heatmap": "lnsHeatmap",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """vocabulary.toml: data views, measures and labels by name."""

    views: Mapping[str, Json]
    measures: Mapping[str, Json]
    labels: Mapping[str, str]


def build(folder: Path = SOURCES) -> str:
    """Every object, one a line: data views, searches, dashboards. The same sources make the same text."""
    vocabulary = Vocabulary(**_read(folder / "vocabulary.toml"))
    objects = [_data_view(name, view) for name, view in vocabulary.views.items()]
    objects += [_search(name, source, vocabulary) for name, source in _read(folder / "searches.toml").items()]
    for path in sorted(folder.glob("*.toml")):
        if path.stem not in ("vocabulary", "searches"):
            objects.append(_dashboard(path.stem, _read(path), vocabulary))
    return "".join(f"{_text(each)}\n" for each in objects)


def main() -> None:
    built = build()
    if "--check" in sys.argv[1:]:
        if BUILT.read_text(encoding="utf-8") != built:
            sys.exit(f"{BUILT.name} is not what the sources say: run `python -m infra.kibana.build`")
        return
    BUILT.parent.mkdir(exist_ok=True)
    BUILT.write_text(built, encoding="utf-8")
    print(f"{BUILT.name}: {built.count(chr(10))} objects, {len(built):,} characters")


def _read(path: Path) -> Json:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _object(kind: str, key: str, attributes: Json, references: Sequence[Json]) -> Json:
    return {
        "type": kind,
        "id": key,
        "attributes": attributes,
        "references": list(references),
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": TYPE_VERSIONS[kind],
        "managed": False,
    }


# ---------------------------------------------------------------------------------------- data views, searches


def _view_id(name: str) -> str:
    return f"lyhord-view-{name}"


def _view_reference(name: str, view: str) -> Json:
    return {"type": "index-pattern", "id": _view_id(view), "name": name}


def _data_view(name: str, view: Json) -> Json:
    formats: Json = {field: {"id": "percent", "params": {"pattern": "0%"}} for field in view["percent"]}
    formats |= {field: {"id": "url"} for field in view.get("links", ())}
    formats |= {
        field: {
            "id": "duration",
            "params": {"inputFormat": "nanoseconds", "outputFormat": "humanizePrecise", "outputPrecision": 1},
        }
        for field in view.get("nanoseconds", ())
    }
    attributes = {
        "title": view["title"],
        "name": view["name"],
        "timeFieldName": TIME,
        "allowNoIndex": True,
        "fields": "[]",
        "fieldAttrs": "{}",
        "fieldFormatMap": _text(formats),
        "runtimeFieldMap": "{}",
        "sourceFilters": _text([{"value": field} for field in view.get("hidden", ())]),
        "typeMeta": "{}",
    }
    return _object("index-pattern", _view_id(name), attributes, [])


def _search(name: str, source: Json, vocabulary: Vocabulary) -> Json:
    views = [source["data"]]
    meta, references = _search_source(views, vocabulary, query=source["filter"])
    references.insert(0, _view_reference("kibanaSavedObjectMeta.searchSourceJSON.index", views[0]))
    meta["indexRefName"] = "kibanaSavedObjectMeta.searchSourceJSON.index"
    attributes = {
        "title": source["title"],
        "description": "",
        "columns": source["columns"],
        "sort": [[TIME, "desc"]],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "timeRestore": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(meta)},
    }
    return _object("search", f"lyhord-{name}", attributes, references)


def _search_source(
    views: Sequence[str], vocabulary: Vocabulary, *, query: str = ""
) -> tuple[Json, list[Json]]:
    """Query and the filter on the datasets of the views, with its reference."""
    reference = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
    datasets = [vocabulary.views[view]["dataset"] for view in views]
    one = [{"match_phrase": {"event.dataset": dataset}} for dataset in datasets]
    chosen: Json = (
        {"type": "phrase", "params": {"query": datasets[0]}}
        if len(one) == 1
        else {"type": "phrases", "params": datasets, "value": datasets}
    )
    meta = {
        "alias": None,
        "disabled": False,
        "negate": False,
        "key": "event.dataset",
        "field": "event.dataset",
    }
    found = {
        "$state": {"store": "appState"},
        "meta": {**meta, "indexRefName": reference, **chosen},
        "query": one[0] if len(one) == 1 else {"bool": {"minimum_should_match": 1, "should": one}},
    }
    return {"query": _kql(query), "filter": [found]}, [_view_reference(reference, views[0])]


def _kql(query: str) -> Json:
    return {"language": "kuery", "query": query}


# ---------------------------------------------------------------------------------------- dashboards


def _dashboard(stem: str, source: Json, vocabulary: Vocabulary) -> Json:
    meta, references = _search_source(source["data"], vocabulary)
    panels = []
    for panel in source["panels"]:
        made, its = _panel(panel, source["data"], vocabulary)
        panels.append(made)
        references += [{**reference, "name": f"{panel['id']}:{reference['name']}"} for reference in its]
    controls, its = _controls(source["controls"], source["data"][0], vocabulary)
    attributes = {
        "title": source["title"],
        "description": source["description"],
        "version": 1,
        "timeRestore": True,
        "timeFrom": source["from"],
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60_000},
        "controlGroupInput": controls,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(meta)},
        "optionsJSON": _text(
            {
                "hidePanelTitles": False,
                "syncColors": False,
                "syncCursor": True,
                "syncTooltips": False,
                "useMargins": True,
            }
        ),
        "panelsJSON": _text(panels),
    }
    return _object("dashboard", f"lyhord-{stem}", attributes, references + its)


def _controls(fields: Sequence[str], view: str, vocabulary: Vocabulary) -> tuple[Json, list[Json]]:
    """An options list for each field. The view stands in the panel and in a reference: versions of Kibana differ in which of
    the two, and under which name, they read."""
    panels, references = {}, []
    for order, field in enumerate(fields):
        key = f"control-{field.rpartition('.')[2]}"
        panels[key] = {
            "type": "optionsListControl",
            "order": order,
            "grow": True,
            "width": "medium",
            "explicitInput": {
                "id": key,
                "dataViewId": _view_id(view),
                "fieldName": field,
                "title": vocabulary.labels[field],
                "searchTechnique": "prefix",
                "selectedOptions": [],
                "sort": {"by": "_count", "direction": "desc"},
            },
        }
        references += [
            _view_reference(f"controlGroup_{key}:{name}", view)
            for name in ("optionsListDataView", "optionsListControlDataView")
        ]
    ignored = dict.fromkeys(("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations"), False)
    group = {
        "chainingSystem": "HIERARCHICAL",
        "controlStyle": "oneLine",
        "ignoreParentSettingsJSON": _text(ignored),
        "panelsJSON": _text(panels),
    }
    return group, references


def _panel(panel: Json, views: Sequence[str], vocabulary: Vocabulary) -> tuple[Json, list[Json]]:
    """A panel and its references, named as inside the panel."""
    x, y, w, h = panel["at"]
    key = panel["id"]
    made: Json = {
        "panelIndex": key,
        "gridData": {"i": key, "x": x, "y": y, "w": w, "h": h},
        "title": panel.get("title", ""),
    }
    if panel["kind"] == "text":
        return {**made, "type": "visualization", "embeddableConfig": _markdown(panel["text"])}, []
    if panel["kind"] == "search":
        name = f"panel_{key}"
        references = [{"type": "search", "id": f"lyhord-{panel['search']}", "name": name}]
        return {**made, "type": "search", "panelRefName": name, "embeddableConfig": {}}, references
    view = panel.get("data", views[0])
    attributes = _lens(panel, view, vocabulary, foreign=view not in views)
    config = {"attributes": attributes, "enhancements": {}}
    return {**made, "type": "lens", "embeddableConfig": config}, attributes["references"]


def _markdown(text: str) -> Json:
    return {
        "enhancements": {},
        "hidePanelTitles": True,
        "savedVis": {
            "id": "",
            "title": "",
            "description": "",
            "type": "markdown",
            "params": {"fontSize": 12, "markdown": text.strip(), "openLinksInNewTab": False},
            "uiState": {},
            "data": {"aggs": [], "searchSource": {"filter": [], "query": _kql("")}},
        },
    }


# ---------------------------------------------------------------------------------------- Lens


def _lens(panel: Json, view: str, vocabulary: Vocabulary, *, foreign: bool) -> Json:
    """By value. `foreign`: of another data view than the dashboard's filter and controls, which it therefore ignores."""
    key = f"{panel['id']}-layer"
    buckets = _buckets(panel, vocabulary)
    metrics = {f"m{i}": _measure(vocabulary.measures[name]) for i, name in enumerate(panel["measures"])}
    layer = {
        "columnOrder": [*buckets, *metrics],
        "columns": {**buckets, **metrics},
        "incompleteColumns": {},
        "indexPatternId": _view_id(view),
        "ignoreGlobalFilters": foreign,
        "sampling": 1,
    }
    colours = {
        column: vocabulary.measures[name]["colour"]
        for column, name in zip(metrics, panel["measures"], strict=True)
        if "colour" in vocabulary.measures[name]
    }
    state = {
        "adHocDataViews": {},
        "datasourceStates": {
            "formBased": {"currentIndexPatternId": _view_id(view), "layers": {key: layer}},
            "textBased": {"layers": {}},
        },
        "filters": [],
        "internalReferences": [],
        "query": _kql(panel.get("filter", "")),
        "visualization": _visualization(panel["kind"], key, buckets, metrics, colours),
    }
    return {
        "title": "",
        "type": "lens",
        "visualizationType": _LENS[panel["kind"]],
        "state": state,
        "references": [_view_reference(f"indexpattern-datasource-layer-{key}", view)],
    }


def _buckets(panel: Json, vocabulary: Vocabulary) -> Json:
    """Columns by which is grouped, the outermost first: the values of a split are the largest of the whole time shown."""
    size = _ROWS if panel["kind"] == "table" else _TOP
    fields = {f"row{i}": field for i, field in enumerate(panel.get("rows", ()))}
    fields |= {name: panel[name] for name in ("split", "by") if name in panel}
    order = _order(vocabulary.measures[panel["measures"][0]])
    return {name: _bucket(field, vocabulary.labels[field], size, order) for name, field in fields.items()}


def _order(measure: Json) -> Json:
    """Largest first; Lens cannot order by a last value, so by name then."""
    if measure["operation"] == "last_value":
        return {"orderBy": {"type": "alphabetical", "fallback": False}, "orderDirection": "asc"}
    return {"orderBy": {"type": "column", "columnId": "m0"}, "orderDirection": "desc"}


def _bucket(field: str, label: str, size: int, order: Json) -> Json:
    column: Json = {"customLabel": True, "isBucketed": True, "label": label, "sourceField": field}
    if field == TIME:
        params: Json = {"interval": "auto", "includeEmptyRows": True, "dropPartials": False}
        return {
            **column,
            "dataType": "date",
            "operationType": "date_histogram",
            "params": params,
            "scale": "interval",
        }
    params = {
        **order,
        "size": size,
        "otherBucket": False,
        "missingBucket": False,
        "parentFormat": {"id": "terms"},
    }
    return {**column, "dataType": "string", "operationType": "terms", "params": params, "scale": "ordinal"}


def _measure(measure: Json) -> Json:
    operation, kind = measure["operation"], measure.get("type", "number")
    params: Json = {}
    if operation == "last_value":
        params = {"sortField": TIME, "showArrayValues": False}
    elif operation in ("count", "unique_count"):
        params = {"emptyAsNull": False}
    column = {
        "customLabel": True,
        "dataType": kind,
        "isBucketed": False,
        "label": measure["label"],
        "operationType": operation,
        "params": params,
        "scale": "ordinal" if kind == "string" else "ratio",
        "sourceField": measure.get("field", "___records___"),
    }
    return {**column, "filter": _kql(measure["filter"])} if "filter" in measure else column


def _visualization(kind: str, layer: str, buckets: Json, metrics: Json, colours: Mapping[str, str]) -> Json:
    its = {"layerId": layer, "layerType": "data"}
    if kind == "metric":
        return {**its, "metricAccessor": "m0", **({"color": colours["m0"]} if colours else {})}
    if kind == "table":
        columns = [
            {"columnId": column, "isMetric": column in metrics, "isTransposed": False}
            for column in (*buckets, *metrics)
        ]
        return {
            **its,
            "columns": columns,
            "paging": {"enabled": True, "size": 20},
        }
    if kind == "heatmap":
        return _heatmap(its)
    if kind == "pie":
        pie = {
            "primaryGroups": list(buckets),
            "metrics": list(metrics),
            "numberDisplay": "value",
            "categoryDisplay": "default",
            "legendDisplay": "default",
            "nestedLegend": False,
        }
        return {"shape": "donut", "layers": [{**its, **pie}]}
    return _chart(kind, its, buckets, metrics, colours)


def _heatmap(its: Json) -> Json:
    return {
        **its,
        "shape": "heatmap",
        "xAccessor": "by",
        "yAccessor": "split",
        "valueAccessor": "m0",
        "gridConfig": {
            "type": "heatmap_grid",
            "isCellLabelVisible": False,
            "isXAxisLabelVisible": True,
            "isXAxisTitleVisible": False,
            "isYAxisLabelVisible": True,
            "isYAxisTitleVisible": False,
        },
        "legend": {"type": "heatmap_legend", "isVisible": True, "position": "right"},
    }


def _chart(kind: str, its: Json, buckets: Json, metrics: Json, colours: Mapping[str, str]) -> Json:
    """Lines, or bars: upright along time, lying by a field. A line has gaps where nothing is, never a guess between."""
    over_time = buckets["by"]["dataType"] == "date"
    series = "line" if kind == "line" else "bar_stacked" if over_time else "bar_horizontal"
    layer: Json = {
        **its,
        "seriesType": series,
        "xAccessor": "by",
        "accessors": list(metrics),
        "position": "top",
        "showGridlines": False,
    }
    if "split" in buckets:
        layer["splitAccessor"] = "split"
    else:
        layer["yConfig"] = [{"forAccessor": column, "color": colour} for column, colour in colours.items()]
    return {
        "layers": [layer],
        "preferredSeriesType": series,
        "fittingFunction": "None",
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "yLeftExtent": {"mode": "full"},
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": True, "yRight": False},
    }


if __name__ == "__main__":
    main()
