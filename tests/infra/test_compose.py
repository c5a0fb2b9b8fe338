"""The compose file names only what is there, guards every service alike, and starts Lyhord with a file and with secrets that
Lyhord knows. (No container engine runs here: what the images themselves do is not tested.)"""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import yaml
from psycopg import sql

from listener import settings
from listener.archive.elastic.names import Names
from tests import services

FOLDER = Path(__file__).parents[2] / "infra" / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "IMAGE" in service["image"])
LONG_RUNNING = sorted(set(SERVICES) - {"setup"})
EXAMPLE = (FOLDER / "lyhord.toml").read_text()
WITH_RABBITMQ = re.sub(r"(?m)^broker = .*\n# broker", "broker", EXAMPLE)
PASSWORD = "0123abcd" * 8


def known_variables() -> set[str]:
    names = {f"LYHORD_{field.name.upper()}" for field in fields(settings.Secrets)}
    return {*names, *(f"{name}_FILE" for name in names), "LYHORD_CONFIG", "REMAP_SIGTERM"}


def value(text: str) -> str:
    """`${NAME:-default}` → default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_our_services() -> None:
    assert OURS == ["console", "scheduler", "setup", "worker", "worker-alerts"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_names_only_what_is_there(name: str) -> None:
    service = SERVICES[name]
    for kind in ("networks", "secrets"):
        assert set(service.get(kind, ())) <= set(COMPOSE[kind]), kind
    assert {config["source"] for config in service.get("configs", ())} <= set(COMPOSE["configs"])
    assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= set(COMPOSE["volumes"])
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    assert service["networks"], "or it lands in a network that everybody shares"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_guarded_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), "not root"
    assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & set(service)
    for limit in ("mem_limit", "cpus", "pids_limit"):
        assert service[limit], limit
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", value(service["image"])), "pinned by version"


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_service_that_stays_is_looked_after(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


def test_nothing_is_published_but_on_loopback() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_stores_have_no_way_out() -> None:
    assert COMPOSE["networks"]["data"]["internal"] is True
    for name in ("redis", "rabbitmq", "postgres", "elasticsearch", "setup", "scheduler"):
        assert SERVICES[name]["networks"] == ["data"], name
    leading_out = {name for name, network in COMPOSE["networks"].items() if not network}
    assert {name for name in SERVICES if leading_out & set(SERVICES[name]["networks"])} == {
        "worker",
        "worker-alerts",
    }
    assert not set(SERVICES["worker"]["networks"]) & set(SERVICES["worker-alerts"]["networks"]) - {"data"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secrets_are_files_and_each_is_handed_over(name: str) -> None:
    service = SERVICES[name]
    given = {str(key): str(text) for key, text in service.get("environment", {}).items()}
    for variable, text in given.items():
        if "PASSWORD" in variable or "TOKEN" in variable or "KEY" in variable.split("_"):
            assert variable.endswith("_FILE"), f"{variable}: a secret in the environment"
        if variable.endswith("_FILE") and text.startswith("/run/secrets/"):
            assert Path(text).name in service["secrets"]
    if name in OURS:
        assert set(given) <= known_variables()
        files = {Path(text).name for variable, text in given.items() if variable.endswith("_FILE")}
        assert files == set(service["secrets"])


def test_the_recipes_of_the_keys_are_there() -> None:
    words = (FOLDER / "api-keys.sh").read_text()
    recipes = re.findall(r"(\w+_key):(\w+)", words)
    assert recipes == [("archive_api_key", "eraser"), ("archive_setup_key", "setup")]
    for secret, recipe in recipes:
        assert secret in COMPOSE["secrets"]
        assert (FOLDER.parent / "elasticsearch" / f"api-key-{recipe}.json").exists()
    assert [name for name in OURS if "archive_setup_key" in SERVICES[name]["secrets"]] == ["setup"]


def test_the_script_makes_every_secret(tmp_path: Path) -> None:
    """Run with a chown that does nothing: a test need not be root."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chown").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "chown").chmod(0o755)
    command = [FOLDER / "secrets.sh", tmp_path / "secrets"]
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert all(path.stat().st_mode & 0o077 in (0, 0o040) for path in made.values())
    first = {name: path.read_text() for name, path in made.items()}
    assert re.fullmatch("[0-9a-f]{64}", first["broker_password"])
    assert len({text for text in first.values() if text}) == 5
    made["slack_token"].write_text("mine")
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert {name: path.read_text() for name, path in made.items()} == first | {"slack_token": "mine"}


@pytest.mark.parametrize("text", [EXAMPLE, WITH_RABBITMQ], ids=["redis", "rabbitmq"])
def test_the_example_file_fits_the_services(text: str) -> None:
    config = settings.parse_config(text)
    broker = config.storage.broker
    assert broker.startswith("redis://redis:" if text is EXAMPLE else "amqp://lyhord@rabbitmq:")
    assert config.storage.ledger.startswith("postgresql://lyhord@postgres:")
    assert Names.of(config.storage.archive).address == "http://elasticsearch:9200"
    assert config.console.host == "0.0.0.0", "else the published port leads nowhere"
    assert f"127.0.0.1:{config.console.port}:{config.console.port}" in SERVICES["console"]["ports"]
    # The data folder is in memory: nothing may be kept there.
    for name in OURS:
        assert any(mount.startswith(f"{config.storage.data}:") for mount in SERVICES[name]["tmpfs"])
        assert "LYHORD_PSEUDONYM_KEY_FILE" in SERVICES[name]["environment"]


def test_every_queue_has_a_worker_and_time_to_end() -> None:
    served: list[str] = []
    for name in ("worker", "worker-alerts"):
        command = [str(part) for part in SERVICES[name]["command"]]
        served += command[command.index("--queues") + 1].split(",")
        assert SERVICES[name]["stop_grace_period"] == "40s"
        assert SERVICES[name]["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
    assert sorted(served) == ["lyhord", "lyhord.alerts", "lyhord.crawl", "lyhord.score"]


def test_the_examples_environment_sets_what_the_compose_file_asks_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (FOLDER / "compose.yml").read_text()))
    given = dict(line.split("=", 1) for line in _lines(".env.example"))
    assert asked == set(given) - {"COMPOSE_PROFILES"}
    assert given["COMPOSE_PROFILES"] in {"redis", "rabbitmq"}
    # Somebody will export it: an unknown LYHORD_ name is an error of ours.
    assert not [name for name in given if name.startswith("LYHORD_")]
    for name in ("redis", "rabbitmq"):
        assert SERVICES[name]["profiles"] == [name]
        assert SERVICES["worker"]["depends_on"][name] == {"condition": "service_healthy", "required": False}


def _lines(file: str) -> list[str]:
    lines = (FOLDER / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[redis.Redis]:
    """A real Redis, started by the compose file's own words."""
    services.redis()  # installs the server where it is missing
    (tmp_path / "password").write_text(PASSWORD)
    port = _free_port()
    words: str = SERVICES["redis"]["command"][0].replace("$$", "$")
    for there, here in (
        ("/etc/redis/redis.conf", tmp_path / "given.conf"),
        ("/tmp/redis.conf", tmp_path / "made.conf"),
        ("/run/secrets/broker_password", tmp_path / "password"),
    ):
        words = words.replace(there, str(here))
    text = (FOLDER / "redis.conf").read_text()
    text = text.replace("port 6379", f"port {port}").replace("dir /data", f"dir {tmp_path}")
    (tmp_path / "given.conf").write_text(text.replace("bind * -::*", "bind 127.0.0.1"))
    server = subprocess.Popen(["sh", "-c", words], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, password=PASSWORD)
    try:
        _await(client)
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(client: redis.Redis) -> None:
    for _ in range(100):
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Redis did not start")


@pytest.mark.server
def test_redis_keeps_what_it_was_given_and_asks_for_its_password(broker: redis.Redis) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
    assert {key: broker.config_get(key)[key] for key in wanted} == wanted
    with pytest.raises(redis.ResponseError, match="unknown command"):
        broker.flushall()
    stranger = redis.Redis(port=broker.connection_pool.connection_kwargs["port"])
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    stranger.close()


@pytest.mark.server
def test_the_ledgers_owner_is_master_of_its_own_database_only(tmp_path: Path) -> None:
    """postgres-init.sql on a real server, under names of our own."""
    name = f"lyhord_init_{time.time_ns()}"
    (tmp_path / "password").write_text(PASSWORD)
    words = (FOLDER / "postgres-init.sql").read_text()
    words = words.replace("/run/secrets/ledger_password", str(tmp_path / "password"))
    (tmp_path / "init.sql").write_text(re.sub(r"\blyhord\b", name, words))
    admin = services.postgresql()
    try:
        subprocess.run(["psql", "--no-psqlrc", "--quiet", admin, "-f", tmp_path / "init.sql"], check=True)
        with psycopg.connect(admin, dbname=name, user=name, password=PASSWORD) as own:
            own.execute("CREATE TABLE t (n int)")
            assert own.execute(
                "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone() == (False,)
    finally:
        with psycopg.connect(admin, autocommit=True) as master:
            master.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            master.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
