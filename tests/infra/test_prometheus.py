"""What watches the service: the alert rules and the Grafana dashboard ask only for numbers that are told, with the labels that
they have, and each rule leads to a chapter of the guide."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from listener import metrics
from listener.health import Condition
from listener.ports import EntryState

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "infra" / "prometheus"
GRAFANA = ROOT / "infra" / "grafana"
RUNBOOK = {
    "archive-away",
    "backlog",
    "source-blocked",
    "dead-letters",
    "worker-stale",
    "slack-refuses",
    "disk-full",
}
NUMBERS = {number.name: number for number in metrics.ALL}
SHOWN_ONLY = {"lyhord_disk_free_bytes", "lyhord_disk_size_bytes"}
OTHERS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Prometheus' own, and what prometheus_client tells of the main process."""
OF_PROMETHEUS = {"job", "instance", "le"}

SELECTOR = re.compile(r"\b([a-z][a-z0-9_]*_[a-z0-9_]+|up)\b(?!\s*\()(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
FUNCTIONS = {"histogram_quantile"}


def rules() -> list[dict[str, Any]]:
    read = yaml.safe_load((PROMETHEUS / "lyhord.rules.yml").read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def board() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GRAFANA / "lyhord.json").read_text(encoding="utf-8"))
    return read


def asked() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of everything that is asked."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in board()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def selectors(query: str) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """(name, [(label, values)]) of each selector. What stands in quotes or in by (…) is no name."""
    bare = GROUPING.sub("", query)
    for found in SELECTOR.finditer(re.sub(r"\[[^\]]*\]", "", bare)):
        if found[1] not in FUNCTIONS:
            yield found[1], [(m[1], m[3].split("|")) for m in MATCHER.finditer(found[2] or "")]


def number_of(name: str) -> metrics.Number | None:
    for suffix in ("", "_bucket", "_sum", "_count"):
        if suffix and not name.endswith(suffix):
            continue
        number = NUMBERS.get(name.removesuffix(suffix))
        if number and (not suffix or isinstance(number, metrics.Span)):
            return number
    return None


VALUES: dict[tuple[str, str], set[str]] = {
    ("lyhord_source_state", "condition"): set(Condition),
    ("lyhord_journal_entries", "state"): set(EntryState),
    ("lyhord_lag_seconds", "stage"): {"score", "journal", "runs", "outbox"},
}


@pytest.mark.parametrize(("where", "query"), list(asked()), ids=[f"{w}: {q[:40]}" for w, q in asked()])
def test_only_what_is_told_is_asked_for(where: str, query: str) -> None:
    found = list(selectors(query))
    assert found, "asks for nothing"
    labels: set[str] = set()
    for name, matchers in found:
        number = number_of(name)
        assert number or name in SHOWN_ONLY | OTHERS, f"{name} is not told"
        own = set(number.labels) if number else set()
        labels |= own
        for label, values in matchers:
            assert label in own | OF_PROMETHEUS, f"{name} has no label {label}"
            known = VALUES.get((name, label)) or (set(number.begins) if number else set())
            assert not known or set(values) <= known, f"{name}: {label} is never {set(values) - known}"
    for group in GROUPING.findall(query):
        assert {part.strip() for part in group.split(",") if part.strip()} <= labels | OF_PROMETHEUS


def test_the_check_above_sees_wrong_names() -> None:
    """It reads PromQL by patterns; these are what it must not miss."""
    (one,) = selectors('max by (queue) (lyhord_canary_age_seconds{queue="a"}) > 120')
    assert one == ("lyhord_canary_age_seconds", [("queue", ["a"])])
    assert [name for name, _ in selectors("histogram_quantile(0.9, sum by (le) (rate(x_bucket[1h])))")] == [
        "x_bucket"
    ]
    assert number_of("lyhord_tasks_seconds_count")
    assert number_of("lyhord_tasks_second") is None
    assert number_of("lyhord_posts_total_sum") is None


def test_levels_are_not_added_up_over_processes() -> None:
    """Each process that looked shows the same number."""
    levels = "|".join(name for name, number in NUMBERS.items() if isinstance(number, metrics.Level))
    for where, query in asked():
        for found in re.finditer(rf"\b(sum|count|avg)\b(?: by \([^)]*\))? ?\((?:{levels})\b", query):
            pytest.fail(f"{where}: {found[0]}")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_rule_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    page, anchor = rule["annotations"]["runbook"].split("#")
    assert page == "docs/operations.md"
    assert anchor in RUNBOOK
    assert rule["annotations"]["summary"]


def test_rules_lead_to_every_chapter() -> None:
    assert {rule["annotations"]["runbook"].split("#")[1] for rule in rules()} == RUNBOOK


def test_each_rule_is_tried_both_ways() -> None:
    """In lyhord.rules.test.yml: silent on a calm day, and firing once."""
    tests = yaml.safe_load((PROMETHEUS / "lyhord.rules.test.yml").read_text(encoding="utf-8"))["tests"]
    tries = [try_ for test in tests for try_ in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {try_["alertname"] for try_ in tests[0]["alert_rule_test"]} == names
    assert not any("exp_alerts" in try_ for try_ in tests[0]["alert_rule_test"])
    assert {try_["alertname"] for try_ in tries if try_.get("exp_alerts")} == names


def test_the_example_reads_our_rules() -> None:
    read = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    for file in read["rule_files"]:
        assert (PROMETHEUS / file).exists()
    assert [job["job_name"] for job in read["scrape_configs"]] == ["lyhord"], (
        "rules and panels ask for this job"
    )


def test_the_dashboard_is_what_its_script_builds() -> None:
    spec = importlib.util.spec_from_file_location("grafana_build", GRAFANA / "build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert (GRAFANA / "lyhord.json").read_text(encoding="utf-8") == build.text(), "run infra/grafana/build.py"


def test_the_dashboard_shows_every_number_and_panels_do_not_overlap() -> None:
    shown = {
        number.name for _, query in asked() for name, _ in selectors(query) if (number := number_of(name))
    }
    assert shown == set(NUMBERS)
    ids = [panel["id"] for panel in board()["panels"]]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in board()["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not mine & cells, panel["title"]
        cells |= mine


def test_promtool_agrees(tmp_path: Path) -> None:
    queries = [
        {"record": "a:b", "expr": query.replace("$__rate_interval", "5m").replace("$__range", "1h")}
        for _, query in asked()
    ]
    every = tmp_path / "queries.yml"
    groups = [{"name": f"query {at}", "rules": [query]} for at, query in enumerate(queries)]
    every.write_text(yaml.safe_dump({"groups": groups}))
    for command in (
        ["check", "config", "prometheus.yml"],
        ["check", "rules", str(every)],
        ["test", "rules", "lyhord.rules.test.yml"],
    ):
        done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
