"""The Kubernetes example: every pod is guarded, probed and limited, and what refers to something refers to what is there."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from listener import settings
from listener.errors import ConfigError

FOLDER = Path(__file__).parents[2] / "infra" / "kubernetes"
BASE, OVERLAY = FOLDER / "base", FOLDER / "overlays" / "example"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    found for file in KUSTOMIZATION["resources"] for found in yaml.safe_load_all((BASE / file).read_text())
]
EVERY_POD: dict[str, Any] = yaml.safe_load((BASE / "pod.yaml").read_text())["spec"]["template"]["spec"]
DEPLOYMENTS = {found["metadata"]["name"]: found for found in OBJECTS if found["kind"] == "Deployment"}
WORKLOADS = DEPLOYMENTS | {found["metadata"]["name"]: found for found in OBJECTS if found["kind"] == "Job"}


def container(name: str) -> dict[str, Any]:
    found: dict[str, Any] = WORKLOADS[name]["spec"]["template"]["spec"]["containers"][0]
    return found


def pods_labels(name: str) -> dict[str, str]:
    found: dict[str, str] = WORKLOADS[name]["spec"]["template"]["metadata"]["labels"]
    return found


def test_the_workloads() -> None:
    assert sorted(DEPLOYMENTS) == [
        "lyhord-console",
        "lyhord-scheduler",
        "lyhord-worker",
        "lyhord-worker-alerts",
    ]
    assert set(WORKLOADS) - set(DEPLOYMENTS) == {"lyhord-setup"}


def test_every_file_of_the_base_is_used() -> None:
    used = {*KUSTOMIZATION["resources"], "kustomization.yaml", "pod.yaml", "lyhord.toml"}
    assert {path.name for path in BASE.iterdir()} == used
    assert KUSTOMIZATION["patches"][0] == {
        "path": "pod.yaml",
        "target": {"labelSelector": "lyhord.pod=guarded"},
    }


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_every_pod_is_patched_selected_and_limited(name: str) -> None:
    found = WORKLOADS[name]
    assert found["metadata"]["labels"]["lyhord.pod"] == "guarded"
    assert container(name)["name"] == "lyhord", "or the patch adds a container instead of completing it"
    assert pods_labels(name)["lyhord.needs"] in {"data", "internet"}
    assert set(container(name)["resources"]) == {"requests", "limits"}
    assert {"cpu", "memory"} <= set(container(name)["resources"]["limits"])
    if name in DEPLOYMENTS:
        assert found["spec"]["selector"]["matchLabels"].items() <= pods_labels(name).items()
        assert {"livenessProbe", "readinessProbe"} <= set(container(name))


def test_what_every_pod_has() -> None:
    assert EVERY_POD["securityContext"]["runAsNonRoot"] is True
    assert EVERY_POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert EVERY_POD["automountServiceAccountToken"] is False
    assert EVERY_POD["terminationGracePeriodSeconds"] == 40
    (own,) = EVERY_POD["containers"]
    assert own["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = {volume["name"]: volume for volume in EVERY_POD["volumes"]}
    assert {mount["name"] for mount in own["volumeMounts"]} == set(volumes)
    mounted = {item["path"] for item in volumes["secrets"]["secret"]["items"]}
    given = {variable["name"]: variable["value"] for variable in own["env"]}
    known = {f"LYHORD_{field.name.upper()}_FILE" for field in fields(settings.Secrets)}
    assert set(given) - known == {"LYHORD_CONFIG", "REMAP_SIGTERM"}
    assert {Path(given[name]).name for name in known & set(given)} == mounted
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440


def test_no_service_puts_names_into_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes' own variables would be taken for settings of ours, misspelt."""
    assert EVERY_POD["enableServiceLinks"] is False
    monkeypatch.setenv("LYHORD_CONSOLE_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(ConfigError, match="unknown setting"):
        settings.load_secrets()


@pytest.mark.parametrize("file", [BASE / "lyhord.toml", OVERLAY / "lyhord.toml"], ids=["base", "overlay"])
def test_the_files_are_read_and_keep_nothing_in_the_pod(file: Path) -> None:
    config = settings.load(file)
    mounts = {mount["name"]: mount["mountPath"] for mount in EVERY_POD["containers"][0]["volumeMounts"]}
    assert config.storage.data == mounts["data"]
    assert config.storage.ledger.startswith("postgresql://")
    assert config.storage.archive.startswith("https://")
    assert config.storage.broker
    assert config.console.host == "0.0.0.0"
    ports = {port["name"]: port["containerPort"] for port in container("lyhord-console")["ports"]}
    assert ports == {"page": config.console.port, "metrics": config.metrics.port}


def test_every_queue_has_a_worker() -> None:
    arguments = [part for name in DEPLOYMENTS for part in container(name)["command"]]
    queues = [part.removeprefix("--queues=") for part in arguments if part.startswith("--queues=")]
    assert sorted(",".join(queues).split(",")) == ["lyhord", "lyhord.alerts", "lyhord.crawl", "lyhord.score"]


@pytest.mark.parametrize("name", ["lyhord-worker", "lyhord-worker-alerts", "lyhord-scheduler"])
def test_only_a_stale_queue_restarts_a_pod(name: str) -> None:
    """Not a ledger that is away: 2 is no reason to restart."""
    command = container(name)["livenessProbe"]["exec"]["command"]
    assert command[:2] == ["sh", "-c"]
    assert re.fullmatch(
        r"lyhord health --queue [\w.]+( \|\| lyhord health --queue [\w.]+)?; test \$\? -ne 1", command[2]
    )


def test_the_pages_probe_asks_by_a_name_that_it_answers_to() -> None:
    for probe in ("livenessProbe", "readinessProbe"):
        asked = container("lyhord-console")[probe]["httpGet"]
        assert asked["path"] == "/healthz"
        assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_what_refers_to_a_workload_finds_it() -> None:
    labels = [pods_labels(name) for name in WORKLOADS]
    for found in OBJECTS:
        if found["kind"] == "HorizontalPodAutoscaler":
            assert found["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
            assert "replicas" not in DEPLOYMENTS[found["spec"]["scaleTargetRef"]["name"]]["spec"]
        selector = (
            found["spec"].get("podSelector") or found["spec"].get("selector") if "spec" in found else None
        )
        if found["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy"} and selector:
            wanted = selector.get("matchLabels", selector if found["kind"] == "Service" else {})
            assert any(wanted.items() <= own.items() for own in labels), found["metadata"]["name"]


def test_only_workers_reach_the_internet_and_nobody_private_addresses_through_it() -> None:
    policy = next(found for found in OBJECTS if found["metadata"]["name"] == "lyhord-internet")
    block = policy["spec"]["egress"][0]["to"][0]["ipBlock"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])
    reaching = {name for name in WORKLOADS if pods_labels(name)["lyhord.needs"] == "internet"}
    assert reaching == {"lyhord-worker", "lyhord-worker-alerts"}


def test_only_the_setup_has_the_key_that_may_change_templates() -> None:
    (patch,) = KUSTOMIZATION["patches"][1:]
    assert patch["target"] == {"kind": "Job", "name": "lyhord-setup"}
    handed, found, replaced = yaml.safe_load(patch["patch"])
    number = int(re.sub(r".*/env/(\d+)/name", r"\1", found["path"]))
    assert (
        EVERY_POD["containers"][0]["env"][number]["name"] == found["value"] == "LYHORD_ARCHIVE_API_KEY_FILE"
    )
    assert replaced["path"] == found["path"].replace("/name", "/value")
    assert Path(replaced["value"]).name == handed["value"]["path"] == "archive_setup_key"


def test_the_overlay_changes_only_what_is_there() -> None:
    overlay = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text())
    for resource in overlay["resources"]:
        assert (OVERLAY / resource).exists()
    (image,) = overlay["images"]
    assert image["name"] == KUSTOMIZATION["images"][0]["newName"]
    known = {(found["kind"], found["metadata"]["name"]) for found in OBJECTS}
    variables = {f"LYHORD_{field.name.upper()}_FILE" for field in fields(settings.Secrets)}
    for patch in overlay["patches"]:
        assert (patch["target"]["kind"], patch["target"]["name"]) in known
        for step in yaml.safe_load(patch["patch"]):
            if step["path"].endswith("/env/-"):
                assert step["value"]["name"] in variables
            if "/volumes/" in step["path"]:
                assert EVERY_POD["volumes"][int(step["path"].split("/")[5])]["name"] == "secrets"
