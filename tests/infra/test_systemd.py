"""The units: every service is guarded alike, starts what exists, hands over secrets that Lyhord knows, and has time to end."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import pytest

from listener import settings

FOLDER = Path(__file__).parents[2] / "infra" / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("lyhord*"))
OURS = [name for name in UNITS if name.endswith(".service") and "restart" not in name]
LONG_RUNNING = [name for name in OURS if not re.search("watch|setup", name)]
GUARDS = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "User": "lyhord",
    "UMask": "0077",
}


def read(name: str) -> dict[str, list[str]]:
    """Key → its values, over all sections."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (FOLDER / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, text = line.partition("=")
            found[key].append(text)
    return found


def test_the_units() -> None:
    assert LONG_RUNNING == ["lyhord-console.service", "lyhord-scheduler.service", "lyhord-worker@.service"]


@pytest.mark.parametrize("name", OURS)
def test_every_service_is_guarded_and_limited(name: str) -> None:
    unit = read(name)
    assert {key: unit[key][-1] for key in GUARDS} == GUARDS
    assert "~@privileged" in unit["SystemCallFilter"]
    assert unit["MemoryMax"]
    assert unit["TasksMax"]


@pytest.mark.parametrize("name", OURS)
def test_secrets_are_handed_over_as_credentials(name: str) -> None:
    unit = read(name)
    loaded = {text.split(":")[0] for text in unit["LoadCredential"]}
    known = {f"LYHORD_{field.name.upper()}_FILE": field.name for field in fields(settings.Secrets)}
    given = dict(text.split("=", 1) for text in unit["Environment"])
    files = {variable: path for variable, path in given.items() if variable.endswith("_FILE")}
    assert {known[variable] for variable in files} == loaded
    assert all(path == f"%d/{known[variable]}" for variable, path in files.items())
    assert set(given) - set(files) <= {"LYHORD_CONFIG", "REMAP_SIGTERM"}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_a_service_comes_back_and_has_time_to_end(name: str) -> None:
    unit = read(name)
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"], (
        "a server that is away for an hour must not end it for good"
    )
    assert unit["TimeoutStopSec"] == ["40"]
    assert unit["KillMode"] == ["mixed"]
    assert unit["PartOf"] == ["lyhord.target"]


def test_the_target_wants_them_all() -> None:
    wanted = {unit for line in read("lyhord.target")["Wants"] for unit in line.split()} - {
        "network-online.target"
    }
    assert {re.sub(r"@\w+", "@", unit) for unit in wanted} == {*LONG_RUNNING, "lyhord-watch@.timer"}
    for unit in wanted:
        if instance := re.search(r"@(\w+)", unit):
            assert (FOLDER / f"worker-{instance[1]}.env").exists(), unit


def test_every_queue_is_served_and_watched() -> None:
    served: list[str] = []
    for file in FOLDER.glob("worker-*.env"):
        given = dict(line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#"))
        assert set(given) == {"QUEUES", "WATCHED", "CONCURRENCY"}
        assert given["WATCHED"] in given["QUEUES"].split(",")
        served += given["QUEUES"].split(",")
    assert sorted(served) == ["lyhord", "lyhord.alerts", "lyhord.crawl", "lyhord.score"]


def test_whoever_looks_may_not_restart_and_whoever_restarts_does_not_look() -> None:
    assert read("lyhord-watch@.service")["OnFailure"] == ["lyhord-restart@%i.service"]
    assert read("lyhord-watch@.service")["SuccessExitStatus"] == ["2"]
    assert read("lyhord-restart@.service")["ExecStart"] == [
        "/usr/bin/systemctl try-restart lyhord-worker@%i.service"
    ]


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    """Where systemd is (it is no part of what the tests install), with our programs in place of /opt/lyhord's."""
    programs = Path(sys.executable).parent
    for name in UNITS:
        text = (FOLDER / name).read_text()
        for program in re.findall(r"/opt/lyhord/bin/(\w+)", text):
            assert (programs / program).exists()
        (tmp_path / name).write_text(text.replace("/opt/lyhord/bin", str(programs)))
    if shutil.which("systemd-analyze"):
        names = [re.sub("@", "@alerts", name) for name in UNITS]
        command = ["systemd-analyze", "verify", "--man=no", *(f"./{name}" for name in names)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
