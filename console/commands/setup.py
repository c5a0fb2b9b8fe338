"""`lyhord setup`: prepares the servers behind a deployment. Each command may be run again at any time."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory

from console.commands.common import ConfigOption, JsonOption
from console.commands.setup_kibana import kibana
from console.terminal import remark, say, say_json
from listener import settings
from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.errors import ConfigError
from listener.ledger import open_ledger

app = typer.Typer(no_args_is_help=True, help="Prepare servers: elasticsearch, database, kibana.")
app.command()(kibana)

_READ = ("read", "view_index_metadata")
_WRITE = (*_READ, "auto_configure", "create_doc", "index", "maintenance")
ROLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "setup": (("manage_index_templates", "monitor"), ("all",)),
    "writer": (("monitor",), _WRITE),
    "eraser": (("monitor",), (*_WRITE, "delete")),
    "reader": ((), _READ),
}
"""Key → what it may do in the cluster (`monitor`: look whether the templates are there), and in this archive's indices
(`maintenance`: refresh, so that who wrote reads it at once; and merge away what was erased)."""


@app.command()
def elasticsearch(
    config: ConfigOption = None,
    json_lines: JsonOption = False,
    api_keys: Annotated[
        bool,
        typer.Option(
            "--api-keys",
            help="Only print what to send to POST /_security/api_key for each key; change nothing.",
        ),
    ] = False,
    files: Annotated[
        Path | None,
        typer.Option(
            help="Only write templates and keys as JSON files into this folder, to install them by hand."
        ),
    ] = None,
) -> None:
    """Install the index templates, and tell how the archive stands there. Run it after every update of Lyhord.

    The key in LYHORD_ARCHIVE_API_KEY must be one that may manage index templates (--api-keys: setup); the service does with less.

    Example:  lyhord setup elasticsearch --api-keys
    """
    read = settings.load(settings.config_path(config))
    names = names_of(settings.archive_url(read))
    if files:
        for path, body in _recipes(files, names):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
            say(str(path))
    elif api_keys:
        for body in _keys(names).values():
            say_json(body) if json_lines else say(f"POST /_security/api_key\n{json.dumps(body, indent=2)}\n")
    else:
        with template.connected(names, api_key=settings.load_secrets().archive_api_key) as client:
            _tell(names, template.install(client, names), json_lines)


@app.command()
def database(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """Bring the ledger's tables up to this version. Safe while others work; the service does it by itself when it starts.

    Example:  lyhord setup database
    """
    read = settings.load(settings.config_path(config))
    url = settings.ledger_url(read)
    open_ledger(url).close()
    shown, revision = settings.split_password(url)[0], _head()
    if json_lines:
        say_json({"ledger": shown, "revision": revision})
    else:
        say(f"{shown}: revision {revision}, current.")


def names_of(url: str) -> Names:
    """Of an archive on a server. Raises ConfigError for one in a file."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"archive {url!r}: is a file; want http(s)://host:port in archive under [storage]")
    return Names.of(url)


def _tell(names: Names, standing: template.Standing, json_lines: bool) -> None:
    if json_lines:
        say_json(
            {
                "address": names.address,
                "indices": names.pattern,
                "version": template.VERSION,
                "analysers": dict(standing.analysers),
                "outdated": list(standing.outdated),
            }
        )
        return
    say(f"{names.address}: templates for {names.pattern} are there, version {template.VERSION}.")
    own = [language for language, name in standing.analysers.items() if name != template.FALLBACK]
    lacking = [language for language in standing.analysers if language not in own]
    if own:
        say(f"Kibana finds inflected words in {', '.join(own)}.")
    if lacking:
        remark(
            f"The server has no analyser for {', '.join(lacking)}: Kibana finds words there as they are written. "
            "Lyhord's own search is the same everywhere."
        )
    say("Each index has one copy on another node, and none while there is a single node.")
    if standing.outdated:
        say(
            f"Of an older shape: {', '.join(standing.outdated)}. Run `lyhord archive reindex`.",
            attention=True,
        )


def _keys(names: Names) -> dict[str, dict[str, Any]]:
    """{file name: body of POST /_security/api_key}, with the least that each key needs."""
    indices = [names.alias, names.pattern, names.all_reindexed, names.incidents, names.sources]
    return {
        f"api-key-{role}": {
            "name": f"{names.prefix}-{role}",
            "role_descriptors": {
                f"{names.prefix}-{role}": {
                    "cluster": list(cluster),
                    "indices": [{"names": indices, "privileges": list(privileges)}],
                }
            },
            "metadata": {"application": "lyhord"},
        }
        for role, (cluster, privileges) in ROLES.items()
    }


def _recipes(folder: Path, names: Names) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for name, body in template.bodies(names, template.ANALYSERS).items():
        yield folder / f"index-template-{name}.json", body
    for name, body in _keys(names).items():
        yield folder / f"{name}.json", body


def _head() -> str:
    """The newest revision of the ledger's tables that this Lyhord knows."""
    config = AlembicConfig()
    config.set_main_option("script_location", "listener.ledger:migrations")
    return str(ScriptDirectory.from_config(config).get_current_head())
