"""`lyhord search`: mentions, newest first."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from console.commands.common import ConfigOption, JsonOption, moment, opened
from console.terminal import as_plain, local, remark, say, say_json
from listener.mention import Mention
from listener.ports import Where
from workers.stages import search_query


def search(
    query: Annotated[
        str,
        typer.Argument(
            help='Words, "phrases", AND OR NOT ( ), NEAR/n, prefix*, #tag, author: site: channel: lang: source:'
        ),
    ] = "",
    brand: Annotated[str, typer.Option(help="Only this brand's id.")] = "",
    since: Annotated[str, typer.Option(help="A span such as 24h or 7d, or a time.")] = "",
    channel: Annotated[str, typer.Option(help="forum, social, review, news, inbox, survey or chat.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Find mentions, newest first.

    Example:  lyhord search 'orolig* OR "svarar inte"' --since 24h
    """
    now = datetime.now(UTC)
    with opened(config) as runtime:
        where = Where(
            query=search_query(runtime, query) if query.strip() else None,
            brand=brand,
            channel=channel,
            start=moment(since, now) if since else None,
        )
        found = runtime.archive.search(where, limit=limit)
        for mention in found:
            if json_lines:
                say_json(as_plain(mention))
            else:
                _show(mention, runtime.config.zone)
    if not found:
        remark("Nothing found." + ("" if query else " Nothing is stored yet: run `lyhord collect`."))


def _show(mention: Mention, zone: str) -> None:
    marks = [
        mark
        for mark, is_so in (
            ("worried", mention.score and mention.score.is_anxious),
            ("complaint", mention.score and mention.score.is_complaint),
            ("copy", mention.is_copy),
        )
        if is_so
    ]
    say(
        f"{local(mention.published_at, zone)}  {mention.source}  {mention.language}  {' '.join(marks)}".rstrip(),
        attention="worried" in marks,
    )
    text = " ".join(mention.text.split())
    say(f"  {text[:240]}{'…' if len(text) > 240 else ''}")
    say(f"  {mention.url}")
