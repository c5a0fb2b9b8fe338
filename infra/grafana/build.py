"""Builds the Grafana dashboard: `python infra/grafana/build.py` writes lyhord.json beside this file. Import it in Grafana (11 or
later) and choose the Prometheus that scrapes Lyhord.

Levels (lag, archive, sources …) are of what all processes share: the largest of what they show is taken. Counts are each
process's own: they are added up.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("lyhord.json")
SOURCE = {"type": "prometheus", "uid": "${prometheus}"}
WIDTH = 24
COLOURS = {"calm": "green", "look": "yellow", "act": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`queries`: (PromQL, legend). `limits`: from where on it is yellow, and red. `says`: what a reader should make of it."""

    title: str
    queries: Sequence[tuple[str, str]]
    kind: str = "timeseries"
    unit: str = "short"
    limits: tuple[float | None, float | None] = (None, None)
    says: str = ""
    width: int = 8
    height: int = 7


def total(name: str, by: str) -> str:
    """Of a count, per second."""
    return f"sum by ({by}) (rate({name}[$__rate_interval]))"


def slowest(name: str, share: float, by: str = "") -> str:
    """How long all but the slowest took."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({name}_bucket[$__rate_interval])))"


NOW = (
    Panel(
        title="Processes",
        queries=[('sum(up{job="lyhord"})', "answer"), ('count(up{job="lyhord"})', "should")],
        kind="stat",
        width=4,
        height=4,
    ),
    Panel(
        title="Sources not heard",
        queries=[("count(max by (source) (lyhord_source_heard) == 0) or vector(0)", "")],
        kind="stat",
        limits=(1, 3),
        width=4,
        height=4,
    ),
    Panel(
        title="Incidents open",
        queries=[("sum(max by (rule) (lyhord_incidents_open))", "")],
        kind="stat",
        width=4,
        height=4,
    ),
    Panel(
        title="Oldest waiting work",
        queries=[("max(lyhord_lag_seconds)", "")],
        kind="stat",
        unit="s",
        limits=(120, 600),
        width=4,
        height=4,
    ),
    Panel(
        title="Archive away",
        queries=[("max(lyhord_archive_away)", "")],
        kind="stat",
        limits=(None, 1),
        says="1: Elasticsearch cannot be asked; what is collected waits in the ledger's journal.",
        width=4,
        height=4,
    ),
    Panel(
        title="Disk free",
        queries=[("min(lyhord_disk_free_bytes / lyhord_disk_size_bytes)", "")],
        kind="stat",
        unit="percentunit",
        width=4,
        height=4,
    ),
)
COLLECTED = (
    Panel(title="Posts read", queries=[(total("lyhord_posts_total", "source"), "{{source}}")], unit="cps"),
    Panel(
        title="Mentions, by what storing did",
        queries=[
            (total("lyhord_mentions_total", "outcome"), "{{outcome}}"),
            ("sum(rate(lyhord_copies_total[$__rate_interval]))", "copies among the new"),
        ],
        unit="cps",
    ),
    Panel(
        title="Sources, by condition",
        queries=[
            ("count by (condition) (max by (source, condition) (lyhord_source_state) == 1)", "{{condition}}")
        ],
        says="Late and failing sources may still be heard: what they brought is new enough.",
    ),
    Panel(
        title="What is heard",
        queries=[("max by (source) (lyhord_source_heard)", "{{source}}")],
        kind="state-timeline",
        width=16,
    ),
    Panel(
        title="Blocked until somebody acts",
        queries=[("max by (source) (lyhord_source_blocked) == 1", "{{source}}")],
        kind="state-timeline",
    ),
)
WORK = (
    Panel(
        title="Lag, by stage",
        queries=[("max by (stage) (lyhord_lag_seconds)", "{{stage}}")],
        unit="s",
        says="How long the oldest piece of work has been waiting. From 600 s of scoring on, no new crawls are planned.",
    ),
    Panel(
        title="Since the last canary, by queue",
        queries=[("max by (queue) (lyhord_canary_age_seconds)", "{{queue}}")],
        unit="s",
        limits=(60, 120),
    ),
    Panel(
        title="When workers last looked",
        queries=[("time() - max by (group) (lyhord_told_timestamp_seconds)", "{{group}}")],
        unit="s",
    ),
    Panel(title="Tasks", queries=[(total("lyhord_tasks_seconds_count", "task"), "{{task}}")], unit="cps"),
    Panel(
        title="Tasks: 19 of 20 take less than",
        queries=[(slowest("lyhord_tasks_seconds", 0.95, "task"), "{{task}}")],
        unit="s",
    ),
    Panel(title="Texts scored", queries=[(total("lyhord_scored_total", "model"), "{{model}}")], unit="cps"),
    Panel(
        title="Scoring one text takes",
        queries=[
            (
                "sum(rate(lyhord_score_seconds_sum[$__rate_interval]))"
                " / sum(rate(lyhord_scored_total[$__rate_interval]))",
                "mean",
            )
        ],
        unit="s",
    ),
)
ARCHIVE = (
    Panel(
        title="Changes sent to Elasticsearch, by answer",
        queries=[(total("lyhord_bulk_items_total", "outcome"), "{{outcome}}")],
        unit="cps",
    ),
    Panel(
        title="Sent again: the server was busy",
        queries=[("sum(rate(lyhord_bulk_retries_total[$__rate_interval]))", "again")],
        unit="cps",
    ),
    Panel(
        title="The ledger's journal",
        queries=[('max by (state) (lyhord_journal_entries{state=~"waiting|refused"})', "{{state}}")],
        says="Waiting: on their way to the archive. Refused: dead letters.",
    ),
)
MESSAGES = (
    Panel(
        title="From noticing to Slack",
        queries=[
            (slowest("lyhord_alert_latency_seconds", 0.5), "half take less"),
            (slowest("lyhord_alert_latency_seconds", 0.95), "19 of 20 take less"),
        ],
        unit="s",
    ),
    Panel(
        title="Tries to show a message, by answer",
        queries=[("sum by (outcome) (increase(lyhord_slack_posts_total[$__rate_interval]))", "{{outcome}}")],
    ),
    Panel(
        title="Copies of messages removed",
        queries=[("sum(increase(lyhord_slack_duplicates_removed_total[$__range]))", "in this span")],
        kind="stat",
        limits=(1, None),
    ),
)
PROCESSES = (
    Panel(
        title="Memory of the main processes",
        queries=[('process_resident_memory_bytes{job="lyhord"}', "{{instance}}")],
        unit="bytes",
        width=12,
    ),
    Panel(
        title="CPU of the main processes",
        queries=[('rate(process_cpu_seconds_total{job="lyhord"}[$__rate_interval])', "{{instance}}")],
        unit="percentunit",
        width=12,
    ),
)
ROWS = {
    "Now": NOW,
    "What is collected": COLLECTED,
    "Work": WORK,
    "The archive's server": ARCHIVE,
    "Messages": MESSAGES,
    "Processes": PROCESSES,
}


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        top += 1
        left = line = 0
        for panel in row:
            if left + panel.width > WIDTH:
                top, left, line = top + line, 0, 0
            panels.append(drawn(panel, len(panels) + 1, left, top))
            left, line = left + panel.width, max(line, panel.height)
        top += line
    return {
        "uid": "lyhord",
        "title": "Lyhord: the service",
        "tags": ["lyhord"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "prometheus", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
            ]
        },
        "panels": panels,
    }


def drawn(panel: Panel, number: int, left: int, top: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": COLOURS["calm"], "value": None}]
    for colour, value in zip((COLOURS["look"], COLOURS["act"]), panel.limits, strict=True):
        if value is not None:
            steps.append({"color": colour, "value": value})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": {"x": left, "y": top, "w": panel.width, "h": panel.height},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for at, (query, legend) in enumerate(panel.queries)
        ],
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.name)
