"""`lyhord erase`: take an author or a post out of everything, for good."""

from typing import Annotated

import typer

from console.commands.common import ConfigOption, opened
from console.terminal import say
from listener.errors import ConfigError
from workers import stages


def erase(
    source: Annotated[str, typer.Argument(help="The source's id.")],
    author: Annotated[str, typer.Option(help="The author's name as the source shows it.")] = "",
    post: Annotated[str, typer.Option(help="The mention's id (see `lyhord search --json`).")] = "",
    config: ConfigOption = None,
) -> None:
    """Erase an author's mentions, or one mention; a tombstone keeps them out from now on.

    Example:  lyhord erase trafikforum --author kalle72
    """
    if bool(author) == bool(post):
        raise ConfigError("erase: want exactly one of --author and --post")
    with opened(config) as runtime:
        count = stages.erase(runtime, runtime.source(source), author=author, mention=post)
    say(f"Erased {count} mentions; nothing of {'this author' if author else 'it'} will be stored again.")
