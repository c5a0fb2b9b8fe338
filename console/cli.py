"""The command line: `lyhord …`. Each command is a module of `console.commands`; this file only puts them together.

Only the module of the command that is asked for is imported: `lyhord score` need not wait for the web server's libraries.
"""

import importlib
import logging
import sys
from collections.abc import Sequence

import typer

from console.terminal import remark
from listener.errors import LyhordError

COMMANDS = (
    "demo",
    "init",
    "check",
    "run",
    "page",
    "health",
    "collect",
    "score",
    "rescore",
    "detect",
    "backtest",
    "rules",
    "search",
    "erase",
)
GROUPS = ("sources", "incidents", "setup", "archive")


def build(wanted: Sequence[str]) -> typer.Typer:
    """The app with the commands and groups named in `wanted`."""
    app = typer.Typer(
        name="lyhord",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Keeps listening for a brand, and tells you when anxiety or complaints rise above what is normal.",
    )
    app.callback()(_nothing)
    for name in wanted:
        module = importlib.import_module(f"console.commands.{name}")
        if name in GROUPS:
            app.add_typer(module.app, name=name)
        else:
            app.command()(getattr(module, name))
    return app


def _nothing() -> None:
    """With a callback, typer keeps a single command a command."""


def main() -> None:
    """Exit 0 fine, 1 failed (try again), 2 the operator must change something."""
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    known = (*COMMANDS, *GROUPS)
    asked = sys.argv[1:2]
    try:
        build(asked if asked and asked[0] in known else known)()
    except LyhordError as e:
        remark(f"lyhord: {e}", attention=True)
        sys.exit(2 if e.permanent else 1)
