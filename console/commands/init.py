"""`lyhord init`: a commented lyhord.toml from a few questions."""

import ipaddress
import re
import socket
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from console.terminal import remark, say
from listener import settings
from listener.errors import ConfigError

_NORDIC = str.maketrans({"å": "a", "ä": "a", "æ": "ae", "ö": "o", "ø": "o", "þ": "th", "ð": "d"})


def init(
    file: Annotated[Path, typer.Argument(help="Where to write.")] = Path(settings.DEFAULT_FILE),
    brand: Annotated[str, typer.Option(help="The brand's name.")] = "",
    source: Annotated[
        list[str] | None,
        typer.Option(help="An address to listen to: a forum, or a feed with --source feed:URL. Repeatable."),
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of every time shown.")] = "Europe/Stockholm",
    language: Annotated[str, typer.Option(help="Language of alerts and page: sv, nb, en.")] = "sv",
    slack_channel: Annotated[
        str, typer.Option(help="Slack channel id, C…; empty: alerts in the terminal.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented lyhord.toml. Asks for what is not given; with --brand and --source it asks nothing.

    Example:  lyhord init --brand Fjelltele --source https://forum.example/ --source feed:https://news.example/rss
    """
    if file.exists() and not force:
        raise ConfigError(f"{file}: is there already; want another name, or --force to replace it")
    if not brand and not sys.stdin.isatty():
        raise ConfigError(
            "init: no brand; want --brand NAME (and --source ADDRESS) when there is nobody to ask"
        )
    name = brand or typer.prompt("Which brand do you listen for?")
    addresses = source if source is not None or brand else _ask_sources()
    text = configuration(
        name.strip(), addresses or [], zone=zone, language=language, slack_channel=slack_channel
    )
    settings.parse_config(text, str(file))
    file.write_text(text, encoding="utf-8")
    say(f"Wrote {file}. Next: `lyhord check`, then `lyhord collect`, then `lyhord run`.")
    if not addresses:
        remark("It has no source yet: add one under [[sources]].", attention=True)


def _ask_sources() -> list[str]:
    found: list[str] = []
    while address := typer.prompt(
        "An address to listen to (a forum, or feed:URL; empty when done)", default="", show_default=False
    ):
        found.append(address)
    return found


def configuration(brand: str, sources: Sequence[str], *, zone: str, language: str, slack_channel: str) -> str:
    """The text of the file. Raises ConfigError for an address that is none."""
    identity = _identity(brand)
    word = " ".join(re.sub(r"[^\w\s'-]", " ", brand).split())
    query = f"{word}*" if re.fullmatch(r"\w{2,}", word) else f'"{word}"'
    tables = "\n".join(_source(address, taken=i) for i, address in enumerate(sources))
    return f"""# Lyhord: what is listened for, where, and when to alert. Every key: docs/configuration.md
# Secrets never stand here: LYHORD_SLACK_TOKEN, LYHORD_REDDIT_CLIENT_ID, … or LYHORD_…_FILE.
zone = "{zone}"          # of every time shown
language = "{language}"                  # of alerts and page: sv, nb, en

[[brands]]
id = "{identity}"
name = {_quoted(brand)}
# Any of them is enough. Words, "phrases", AND OR NOT ( ), NEAR/n, prefix*, #tag, @handle, author: site: channel: lang: source:
queries = [{_quoted(query)}]
# languages = ["sv", "nb"]     # none: every language
# accounts = ["@{identity}"]    # the brand's own accounts are not its customers' voice
{tables}
[[rules]]
id = "{identity}-worry"
brand = "{identity}"
signals = ["anxiety", "complaints"]
false_alarms_per_30_days = 1.0  # how often may it be nothing?
minimum_voices = 5
# by = ["channel", "language", "theme"]  # also watched apart, value by value; also source
# active_hours = "07:00-22:00"    # outside them nothing new is told; none: always
# active_days = ["mon", "tue", "wed", "thu", "fri"]

# What is known to make people write. An incident names it; with effect = "damp" more voices are expected, too.
# [[calendar]]
# title = "Autumn campaign"
# start = 2026-10-24              # a day, or a local time: 2026-10-24T18:00:00
# end = 2026-10-25                # a day is part of it
# brands = ["{identity}"]
# kind = "campaign"               # campaign, release, outage, other
# effect = "damp"                 # or annotate
# damp = 3.0                      # times the usual voices

[slack]
channel = "{slack_channel}"                    # a channel id, C…; the token comes from LYHORD_SLACK_TOKEN
"""


def _source(address: str, *, taken: int) -> str:
    kind, url = ("feed", address[5:]) if address.startswith("feed:") else ("forum", address)
    host = urlsplit(url).hostname
    if urlsplit(url).scheme not in {"http", "https"} or not host:
        raise ConfigError(f"source {address!r}: not an address; want http(s)://… or feed:http(s)://…")
    private = (
        "allow_private = true            # an address inside your own network\n" if _is_private(host) else ""
    )
    channel = "news" if kind == "feed" else "forum"
    suffix = f"-{taken + 1}" if taken else ""
    return f"""
[[sources]]
id = "{_identity(host)[:40]}-{kind}{suffix}"
kind = "{kind}"
address = {_quoted(url)}
channel = "{channel}"
every = "15m"                    # or cron = "*/15 7-22 * * *"
delay = "{"0s" if private else "1s"}"                    # between two requests
{private}
[sources.policy]                 # without a policy nothing is read
basis = "legitimate interest: listening for the brand's customers"
retention = "90d"
deletions = "recrawl"            # how deletions there reach us: recrawl, events, none
"""


def _identity(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_NORDIC))
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-") or "brand"


def _quoted(text: str) -> str:
    """A TOML basic string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _is_private(host: str) -> bool:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return any(not ipaddress.ip_address(str(address).split("%")[0]).is_global for address in addresses)
