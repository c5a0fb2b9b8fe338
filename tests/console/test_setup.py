"""`lyhord setup` on real servers, and the recipes that lie beside the code."""

import json
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner

from console.cli import build
from console.commands import setup
from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.errors import ConfigError, StoreAway
from tests import services

RECIPES = Path(__file__).parents[2] / "infra" / "elasticsearch"
PRIVILEGES = {
    *("all", "auto_configure", "create_doc", "delete", "index", "maintenance", "read", "view_index_metadata"),
}


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names.of(f"{services.elasticsearch()}/test-{secrets.token_hex(6)}")
    yield made
    with template.connected(made) as client:
        template.drop(client, made)


def setting(folder: Path, archive: str = "") -> Path:
    path = folder / "lyhord.toml"
    path.write_text(f'[storage]\ndata = "{folder}"\narchive = "{archive}"\n')
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(setup.app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_elasticsearch_installs_and_tells(tmp_path: Path, names: Names) -> None:
    path = setting(tmp_path, f"{names.address}/{names.prefix}")
    told = json.loads(run("elasticsearch", "--config", path, "--json"))
    with Elasticsearch(names.address) as client:
        assert client.indices.exists_index_template(name=names.template)
    assert told["indices"] == names.pattern
    assert told["outdated"] == []
    assert set(told["analysers"]) == set(template.ANALYSERS)
    said = run("elasticsearch", "--config", path)
    assert names.pattern in said


def test_what_wants_a_reindex_is_said(tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    path = setting(tmp_path, f"{names.address}/{names.prefix}")
    run("elasticsearch", "--config", path)
    month = f"{names.alias}-2026.03"
    with Elasticsearch(names.address) as client:
        client.create(index=month, id="1", document={"message": "hej"})
    monkeypatch.setattr(template, "FALLBACK", "simple")
    said = run("elasticsearch", "--config", path)
    assert f"{month}. Run `lyhord archive reindex`" in said


def test_an_archive_in_a_file_needs_no_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a file; want http\(s\)"):
        run("elasticsearch", "--config", setting(tmp_path))


def test_a_server_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match="cannot be reached"):
        run("elasticsearch", "--config", setting(tmp_path, "http://127.0.0.1:9"))


def test_keys_grant_the_least_and_only_for_this_archive(tmp_path: Path) -> None:
    """Nothing is asked of a server: there is none at this address."""
    path = setting(tmp_path, "http://127.0.0.1:9/fjell")
    bodies = [
        json.loads(line)
        for line in run("elasticsearch", "--api-keys", "--json", "--config", path).splitlines()
    ]
    keys = {body["name"]: body["role_descriptors"][body["name"]] for body in bodies}
    assert set(keys) == {"fjell-setup", "fjell-writer", "fjell-eraser", "fjell-reader"}
    granted = {}
    for name, role in keys.items():
        (rights,) = role["indices"]
        assert all(index.startswith("fjell-") and index != "fjell-*" for index in rights["names"])
        assert set(rights["privileges"]) <= PRIVILEGES
        granted[name] = set(rights["privileges"])
    assert granted["fjell-eraser"] - granted["fjell-writer"] == {"delete"}
    assert granted["fjell-reader"] == {"read", "view_index_metadata"}
    assert "manage_index_templates" not in keys["fjell-eraser"]["cluster"]


def test_the_recipes_beside_the_code_are_what_the_command_writes(tmp_path: Path) -> None:
    """`lyhord setup elasticsearch --files infra/elasticsearch` with the default prefix writes them anew."""
    folder = tmp_path / "recipes"
    run("elasticsearch", "--files", folder, "--config", setting(tmp_path, "http://127.0.0.1:9"))
    wanted = {path.name: path.read_text() for path in folder.iterdir()}
    assert {path.name: path.read_text() for path in RECIPES.glob("*.json")} == wanted


def test_a_template_installed_by_hand_is_taken_for_current(names: Names) -> None:
    with Elasticsearch(names.address) as client:
        analysers = template.install(client, names).analysers
        for name, body in template.bodies(names, analysers).items():
            client.perform_request(
                "PUT",
                f"/_index_template/{name}",
                headers={"content-type": "application/json", "accept": "application/json"},
                body=json.loads(json.dumps(body)),
            )
        assert template.ensure(client, names) == ()


def test_database_migrates_and_says_the_revision(tmp_path: Path) -> None:
    path = setting(tmp_path)
    told = json.loads(run("database", "--config", path, "--json"))
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("SELECT version_num FROM ledger_revision").fetchone() == (told["revision"],)
    connection.close()
    assert f"revision {told['revision']}" in run("database", "--config", path)


def test_a_password_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "open_ledger", lambda url: (tmp_path / "x").open("w"))
    path = tmp_path / "lyhord.toml"
    path.write_text('[storage]\nledger = "postgresql://lyhord@db/lyhord"\n')
    monkeypatch.setenv("LYHORD_LEDGER_PASSWORD", "hunter2")
    said = run("database", "--config", path)
    assert "postgresql://lyhord@db/lyhord" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("command", ["elasticsearch", "database", "kibana"])
def test_help_shows_an_example(command: str) -> None:
    assert f"Example:  lyhord setup {command}" in run(command, "--help")


def test_the_command_line_knows_the_group() -> None:
    done = CliRunner().invoke(build(["setup"]), ["setup", "--help"])
    assert "elasticsearch" in done.stdout
