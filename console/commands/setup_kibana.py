"""`lyhord setup kibana`: the data views, saved searches and dashboards for those who explore the archive."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import requests
import typer

from alerts.plain import brief
from console.commands.common import ConfigOption, JsonOption
from console.terminal import remark, say, say_json
from listener import settings
from listener.archive.elastic.names import DEFAULT_PREFIX, Names
from listener.errors import ConfigError, LyhordError

OVERVIEW = "lyhord-overview"
KINDS = {"dashboard": "dashboard", "search": "saved search", "index-pattern": "data view"}
SECONDS = (10, 120)
"""To connect; to answer: Kibana brings every object up to its own version before it says anything."""
_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What Kibana said: how many objects are there now, and in words those that are not."""

    count: int
    refused: tuple[str, ...]


def kibana(
    url: Annotated[
        str,
        typer.Option(help="Kibana's address, if not the file's."),
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help="Write the objects there instead, for Kibana's own page: Stack Management, Saved Objects, Import."
        ),
    ] = None,
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Install data views, saved searches and dashboards, or bring them up to date: what was changed in them by hand is replaced.

    Needs an API key in LYHORD_KIBANA_API_KEY that may manage saved objects in the space, where Kibana asks for one.

    Example:  lyhord setup kibana --url https://kibana.example.org
    """
    path = settings.config_path(config)
    read = settings.load(path)
    archive = settings.archive_url(read)
    on_server = archive.startswith(("http://", "https://"))
    if not on_server:
        words = (
            "The archive is a file, and Kibana shows one on Elasticsearch: want archive under [storage] in"
        )
        remark(f"{words} {path}", attention=True)
    objects = objects_for(Names.of(archive).prefix if on_server else DEFAULT_PREFIX)
    if file:
        _write(file, objects)
        _tell({"file": str(file)}, f"{_contents(objects)}: {file}", json_lines)
        return
    base = space_url(url or read.kibana.url, read.kibana.space)
    done = send(base, objects, settings.load_secrets().kibana_api_key)
    overview = f"{base}/app/dashboards#/view/{OVERVIEW}"
    result = {"kibana": base, "installed": done.count, "refused": done.refused, "overview": overview}
    for words in done.refused:
        remark(words, attention=True)
    if done.refused:
        _tell(result, f"{done.count} of {objects.count(chr(10))} objects are there", json_lines)
        raise typer.Exit(2)
    _tell(result, f"{_contents(objects)} are there: {overview}", json_lines)


def objects_for(prefix: str) -> str:
    """The shipped objects, one JSON object a line, with the data views on the indices of that prefix. Ids stay as they are:
    who has several archives on one server gives each a space of its own."""
    shipped = (files("console") / "data" / "kibana.ndjson").read_text(encoding="utf-8")
    if prefix == DEFAULT_PREFIX:
        return shipped
    lines = [json.loads(line) for line in shipped.splitlines()]
    for each in lines:
        if each["type"] == "index-pattern":
            its = each["attributes"]
            its["title"] = f"{prefix}{its['title'].removeprefix(DEFAULT_PREFIX)}"
    return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in lines)


def space_url(address: str, space: str) -> str:
    """Where a space's pages and API begin; "" is the default space. Raises ConfigError."""
    shown = settings.split_password(address)[0]
    if not address.startswith(("http://", "https://")):
        raise ConfigError(
            f"Kibana's address: got {shown!r}, want http(s)://host:port in --url or in url of [kibana]"
        )
    if "@" in address:
        raise ConfigError(
            f"Kibana's address: got {shown!r} with a login; want an API key in LYHORD_KIBANA_API_KEY"
        )
    return address.rstrip("/") + (f"/s/{quote(space, safe='')}" if space else "")


def send(base: str, objects: str, api_key: str) -> Imported:
    """Import the objects over those of the same id. Raises ConfigError when somebody must act, LyhordError when a later try
    may do."""
    who = f"Kibana at {base}"

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        """As an auth of our own, so that a netrc file cannot put another in its place."""
        if api_key:
            request.headers["Authorization"] = f"ApiKey {api_key}"
        return request

    try:
        answer = requests.post(
            f"{base}/api/saved_objects/_import",
            params={"overwrite": "true"},
            headers={"kbn-xsrf": "lyhord"},
            files={"file": ("lyhord.ndjson", objects.encode(), "application/ndjson")},
            auth=authorise,
            timeout=SECONDS,
            allow_redirects=False,  # to a page for people, and a POST does not survive it
        )
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ):
        raise ConfigError(f"{who}: not an address, want http(s)://host:port") from None
    except requests.RequestException as e:
        raise LyhordError(f"{who} cannot be reached ({type(e).__name__}); is it running?") from e
    return read_answer(who, answer.status_code, answer.content)


def read_answer(who: str, status: int, content: bytes) -> Imported:
    """Kibana's answer to an import. Raises as `send`."""
    body = _json(content)
    said = brief(str(body.get("message", "")), _SHOWN) or "no reason given"
    if status in (401, 403):
        raise ConfigError(
            f"{who} refused the key ({status}: {said}); want LYHORD_KIBANA_API_KEY of one who may manage saved objects there"
        )
    if status == 404:
        raise ConfigError(
            f"{who} knows no such place (404: {said}); want its address, and a space that exists"
        )
    if status == 429 or status >= 500:
        raise LyhordError(f"{who} is not ready ({status}: {said}); try again")
    if status != 200 or "successCount" not in body:
        raise ConfigError(
            f"{who} did not take the objects ({status}: {said}); want Kibana 8.9 or later, at its own address"
        )
    return Imported(
        count=int(body["successCount"]), refused=tuple(_words(error) for error in body.get("errors", ()))
    )


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _words(error: Mapping[str, Any]) -> str:
    """One of the answer's `errors` as people read it."""
    why = error.get("error", {})
    kind = why.get("type", "unknown")
    if kind == "missing_references":
        missing = ", ".join(f"{each.get('type')} {each.get('id')}" for each in why.get("references", ()))
        reason = f"it leads to what is not there: {missing}"
    elif kind == "unsupported_type":
        reason = "this Kibana has no such kind of object"
    elif kind in ("conflict", "ambiguous_conflict"):
        reason = "another object has its place"
    else:
        reason = str(why.get("message", kind))
    name = KINDS.get(str(error.get("type")), str(error.get("type")))
    return brief(f"not installed: {name} {error.get('id')}: {reason}", _SHOWN)


def _contents(objects: str) -> str:
    kinds = Counter(json.loads(line)["type"] for line in objects.splitlines())
    return f"{kinds['dashboard']} dashboards, {kinds['search']} saved searches, {kinds['index-pattern']} data views"


def _write(file: Path, objects: str) -> None:
    try:
        file.write_text(objects, encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"--file {file}: cannot be written ({e.strerror})") from None


def _tell(result: Mapping[str, Any], words: str, json_lines: bool) -> None:
    if json_lines:
        say_json(result)
    else:
        say(words)
