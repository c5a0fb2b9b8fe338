"""`lyhord archive`: move an archive, bring it into a new shape, and look at what it refused."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from console.commands.common import ConfigOption, JsonOption
from console.commands.setup import names_of
from console.terminal import counted, local, progress, remark, say, say_json, table
from listener import settings
from listener.archive import open_archive
from listener.archive.elastic import template
from listener.archive.elastic.copying import Copied, copy
from listener.archive.elastic.reindex import reindex
from listener.errors import ConfigError
from listener.ledger import open_ledger
from listener.ports import Entry, Journal

app = typer.Typer(no_args_is_help=True, help="The archive: copy, reindex, refused.")
refused = typer.Typer(no_args_is_help=True, help="Mentions that the archive refused: list, retry.")
app.add_typer(refused, name="refused")

_SQLITE = "sqlite:///"
_SHOWN = 20
_PAGE = 500


@app.command("copy")
def copy_archive(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="sqlite:///path, http(s)://host:port or http(s)://host:port/prefix."
        ),
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="Likewise; made when missing.")],
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Copy every mention with its score into another archive. Can be stopped at any time and goes on where it was; done again,
    it changes nothing. What was erased stays erased. Exit code 1 when something is missing at the end.

    The file's own ledger remembers how far it is, and what was erased.

    Example:  lyhord archive copy sqlite:///data/archive.db http://127.0.0.1:9200
    """
    if source == target:
        raise ConfigError(f"archive copy: got {source!r} twice, want two archives")
    _must_exist(source)
    read = settings.load(settings.config_path(config))
    key = settings.load_secrets().archive_api_key
    with (
        closing(open_ledger(settings.ledger_url(read))) as ledger,
        closing(open_archive(source, api_key=key)) as old,
        closing(open_archive(target, api_key=key)) as new,
        _bar("Copying") as bar,
    ):
        done = copy(old, new, ledger, f"archive-copy:{source} {target}", bar)
    _tell(source, target, done, json_lines)
    if not done.complete:
        raise typer.Exit(1)


@app.command("reindex")
def reindex_archive(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """Remake the indices whose shape is older than this Lyhord's, while the service goes on. Can be stopped at any time; run it
    again then, for until it is done an index may take no writes (what comes in waits in the ledger).

    Needs a key in LYHORD_ARCHIVE_API_KEY that may manage index templates (`lyhord setup elasticsearch --api-keys`: setup).

    Example:  lyhord archive reindex
    """
    read = settings.load(settings.config_path(config))
    names = names_of(settings.archive_url(read))
    with (
        template.connected(names, api_key=settings.load_secrets().archive_api_key) as client,
        _bar("Reindexing") as bar,
    ):
        done = reindex(client, names, bar)
    if json_lines:
        say_json({"reindexed": list(done), "version": template.VERSION})
    else:
        say(f"Reindexed: {', '.join(done)}." if done else "Every index has the newest shape already.")


@refused.command("list")
def list_refused(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """Which mentions the archive will not take as they are, and why. Their texts are not shown.

    Example:  lyhord archive refused list
    """
    with _journal(config) as (journal, zone):
        entries = _dead(journal)
    if json_lines:
        for entry in entries:
            say_json(
                {
                    "id": entry.mention.id,
                    "source": entry.mention.source,
                    "at": entry.written_at,
                    "why": entry.error,
                }
            )
    elif entries:
        rows = [(e.mention.id, e.mention.source, local(e.written_at, zone), e.error) for e in entries]
        table(("id", "source", "when", "why"), rows)
    else:
        say("The archive refused nothing.")


@refused.command()
def retry(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of mentions; none: all.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Let refused mentions wait for the archive again, after what was wrong is mended. The service stores them within seconds.

    Example:  lyhord archive refused retry
    """
    with _journal(config) as (journal, _):
        count = journal.again(ids or [entry.mention.id for entry in _dead(journal)])
    if json_lines:
        say_json({"waiting": count})
    else:
        say(f"{counted(count, 'mention')} {'waits' if count == 1 else 'wait'} to be stored.")


@contextmanager
def _journal(config: Path | None) -> Iterator[tuple[Journal, str]]:
    """The ledger's, and the zone of times."""
    read = settings.load(settings.config_path(config))
    with closing(open_ledger(settings.ledger_url(read))) as ledger:
        yield ledger.journal, read.zone


def _dead(journal: Journal) -> list[Entry]:
    """All of them."""
    limit = _PAGE
    while len(entries := journal.dead(limit)) == limit:
        limit *= 2
    return entries


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    with progress(counted=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _must_exist(url: str) -> None:
    """Opening would make an empty archive of a mistyped path."""
    path = url.removeprefix(_SQLITE)
    if path != url and not Path(path).is_file():
        raise ConfigError(f"archive copy: {url!r}: no such file, want the archive to copy from")


def _tell(source: str, target: str, done: Copied, json_lines: bool) -> None:
    if json_lines:
        differing = [{"day": day, "from": ours, "to": theirs} for day, ours, theirs in done.differing]
        counts = {
            name: getattr(done, name) for name in ("new", "edited", "known", "buried", "missing", "others")
        }
        say_json({**counts, "refused": dict(done.refused), "differing": differing, "complete": done.complete})
        return
    say(
        f"{target}: {counted(done.new, 'mention')} new, {done.edited:,} edited, {done.known:,} there already."
    )
    if done.buried:
        say(f"{counted(done.buried, 'mention')} left out: erased.")
    for mention, why in list(done.refused.items())[:_SHOWN]:
        say(f"{mention} was refused: {why}", attention=True)
    if done.missing:
        say(f"{counted(done.missing, 'mention')} of {source} not there; run it again.", attention=True)
    if done.others:
        say(f"{counted(done.others, 'mention')} there came from elsewhere.")
    if done.differing and not done.others:
        days = ", ".join(
            f"{day:%Y-%m-%d} ({ours} → {theirs})" for day, ours, theirs in done.differing[:_SHOWN]
        )
        remark(
            f"Voices differ on {counted(len(done.differing), 'day')}, where copies now follow their originals: {days}"
        )
    if done.complete:
        say(f'Every mention is there. To use it: archive = "{target}" under [storage].')
